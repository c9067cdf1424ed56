"""Tables of terms in four formats that read back exactly: CSV, JSON, Parquet and LaTeX.

Empty cells are NaN. Every format carries the notes that say what each column is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from expost._typing import Array
from expost.errors import InputError
from expost.mechanisms.export.csv_files import TEXT, Columns, read_csv, require_file, to_csv, write_csv
from expost.mechanisms.export.latex import from_latex, to_latex
from expost.mechanisms.export.parquet_files import has_parquet, read_parquet, to_parquet, write_parquet

FORMATS = ("csv", "json", "parquet", "latex")
SUFFIXES = {"csv": ".csv", "json": ".json", "parquet": ".parquet", "latex": ".tex"}


def export_table(
    columns: Columns, notes: Sequence[str], form: str, *, digits: int | None = None, caption: str = ""
) -> bytes:
    """The table as the bytes of a file in format ``form``; ``digits`` and ``caption`` are LaTeX's.

    Raises InputError for an unknown format, or digits in a format that keeps numbers whole.
    """
    if digits is not None and form != "latex":
        raise InputError(
            f"digits with format {form}"[:80],
            where="digits",
            expected='format="latex"; the others keep every digit',
        )
    if form == "csv":
        return to_csv(columns, notes)
    if form == "json":
        return (json.dumps(table_document(columns, notes), indent=1, allow_nan=False) + "\n").encode()
    if form == "parquet":
        return to_parquet(columns, notes)
    if form == "latex":
        return to_latex(columns, notes, digits=digits, caption=caption).encode()
    raise InputError(f"format {form!r}", where="format", expected=f"one of {', '.join(FORMATS)}")


def save_table(columns: Columns, notes: Sequence[str], folder: Path, stem: str) -> None:
    """Write the table into ``folder`` as CSV, and where pyarrow is installed as Parquet."""
    write_csv(columns, folder / f"{stem}.csv", notes)
    if has_parquet():
        write_parquet(columns, folder / f"{stem}.parquet", notes)


def read_table(path: Path) -> Columns:
    """The columns of a file that ``export_table`` wrote, by its suffix; numbers as float64.

    Raises InputError when the suffix or the content is not one that it writes.
    """
    readers = {".csv": read_csv, ".parquet": read_parquet, ".json": _read_json, ".tex": _read_latex}
    if path.suffix not in readers:
        raise InputError(
            f"a table in a {path.suffix or 'nameless'} file",
            where=path.name,
            expected=f"one of {', '.join(readers)}",
        )
    return readers[path.suffix](path)


def table_document(columns: Columns, notes: Sequence[str]) -> dict[str, Any]:
    """The table as JSON values: notes, column names and rows; null for an empty cell, "inf" and "-inf" as
    text."""
    cells = [[_json_cell(cell) for cell in column.tolist()] for column in columns.values()]
    return {
        "notes": list(notes),
        "columns": list(columns),
        "rows": [list(row) for row in zip(*cells, strict=True)],
    }


def _json_cell(cell: Any) -> Any:
    if isinstance(cell, float) and not math.isfinite(cell):
        return None if math.isnan(cell) else str(cell)
    return cell


def _read_json(path: Path) -> Columns:
    try:
        require_file(path)
        document = json.loads(path.read_text(encoding="utf-8"))
        names, rows = document["columns"], document["rows"]
        return {name: _column(name, [row[k] for row in rows]) for k, name in enumerate(names)}
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(
            f"{type(error).__name__}: {error}", where=path.name, expected="the table that expost wrote"
        ) from None


def _read_latex(path: Path) -> Columns:
    try:
        require_file(path)
        names, rows = from_latex(path.read_text(encoding="utf-8"))
        return {name: _column(name, [row[k] or None for row in rows]) for k, name in enumerate(names)}
    except (OSError, ValueError, IndexError) as error:
        raise InputError(
            f"{type(error).__name__}: {error}", where=path.name, expected="the table that expost wrote"
        ) from None


def _column(name: str, cells: list[Any]) -> Array:
    if name in TEXT:
        return np.array([cell or "" for cell in cells], dtype=np.str_)
    return np.array([np.nan if cell is None else float(cell) for cell in cells], dtype=np.float64)
