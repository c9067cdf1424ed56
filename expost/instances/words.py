"""Names as people type them: what can be printed, and what was probably meant."""

from __future__ import annotations

import difflib
from typing import Any

LONGEST_NAME = 100
"""Characters that the name of an instance, a buyer or a signal may have."""


def is_printable_name(name: Any) -> bool:
    """Whether ``name`` is text that a table can show: not empty, without control characters, not endless."""
    return isinstance(name, str) and bool(name.strip()) and name.isprintable() and len(name) <= LONGEST_NAME


def nearest(word: str, known: list[str]) -> str:
    """A remedy that names the known word closest to ``word``, or nothing when none is close."""
    close = difflib.get_close_matches(word[:LONGEST_NAME], known, n=1)
    return f"did you mean {close[0]!r}?" if close else ""
