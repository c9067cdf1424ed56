"""The figures of a result as one file: a table, or everything as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from expost.files import claim_file, write_whole
from expost.runs.sweep_table import SUFFIXES, write_table

if TYPE_CHECKING:
    import pandas as pd


class Figures(Protocol):
    """A result that is figures alone: nothing of it has to be computed again from the instance."""

    def to_dict(self) -> dict[str, Any]:
        """All of them, as JSON values."""

    def to_frame(self) -> pd.DataFrame:
        """Those that make a table."""


def save_figures(found: Figures, out: str | Path) -> Path:
    """Write the table (``.csv``, ``.parquet``) or everything (``.json``), whole or not at all; the path.

    Raises InputError for another suffix or an unwritable place.
    """
    path = Path(out)
    claim_file(path, suffixes=(*SUFFIXES, ".json"))
    if path.suffix == ".json":
        write_whole(path, (json.dumps(found.to_dict(), indent=2) + "\n").encode(), where="out")
    else:
        write_table(found.to_frame(), path)
    return path
