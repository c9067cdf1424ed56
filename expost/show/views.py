"""How each kind of result shows itself: as a card in a notebook, as pictures, as a page."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from expost._shown import Shown
from expost.errors import InputError
from expost.files import write_whole
from expost.runs.run import Run


def card(result: Shown) -> str:
    """HTML for a notebook: the summary and the figures."""
    table = result.to_frame().to_html(index=False, max_rows=20, border=0)
    return f"<div><pre>{escape(result.summary())}</pre>{table}</div>"


def plots(result: Shown) -> Any:
    """What ``result.plot`` is. Raises InputError for a kind of result that has no picture."""
    from expost.show.plots.accessors import ACCESSORS, accessor

    found = accessor(result)
    if found is None:
        known = ", ".join(kind.__name__ for kind in ACCESSORS)
        raise InputError(f"a {type(result).__name__}", where="plot", expected=f"one of {known}")
    return found


def write_page(result: Shown, out: Path) -> Path:
    """Write the result's page. Raises InputError for a kind of result that has none, or an unwritable place."""
    from expost.show.page import run_page

    if not isinstance(result, Run):
        raise InputError(f"a {type(result).__name__}", where="page", expected="a Run")
    write_whole(out, run_page(result).encode(), where="out")
    return out
