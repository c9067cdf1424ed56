"""Tables as Parquet files, where pyarrow is installed."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._typing import Array
from expost.errors import InputError
from expost.files import MOST_BYTES
from expost.mechanisms.export.csv_files import TEXT, Columns, largest, require_file, unreadable

if TYPE_CHECKING:
    import pyarrow as pa


def has_parquet() -> bool:
    """Whether Parquet files can be written and read here."""
    return importlib.util.find_spec("pyarrow") is not None


def require_parquet() -> None:
    """Raise InputError where they cannot."""
    if not has_parquet():
        raise InputError(
            "Parquet, and pyarrow is not installed",
            where="format",
            expected="csv, json or latex",
            remedy="install expost[parquet]",
        )


def write_parquet(columns: Columns, path: Path, notes: Sequence[str]) -> None:
    """The columns as a Parquet file, the notes in its schema metadata. Raises InputError without pyarrow."""
    path.write_bytes(to_parquet(columns, notes))


def to_parquet(columns: Columns, notes: Sequence[str]) -> bytes:
    """What ``write_parquet`` writes; NaN becomes null."""
    require_parquet()
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table({name: _to_arrow(column) for name, column in columns.items()})
    file = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata({"description": "\n".join(notes)}), file)
    return file.getvalue()


def read_parquet(path: Path, like: Columns | None = None) -> Columns:
    """The columns of a file that ``write_parquet`` wrote, nulls as NaN. Raises InputError when it is not one, or
    without pyarrow.

    like: a table that it should hold: what says that it is larger is refused before it is read.
    """
    require_parquet()
    import pyarrow as pa
    from pyarrow import parquet

    try:
        require_file(path, MOST_BYTES if like is None else largest(like))
        if like is not None:
            _announced(parquet.read_metadata(path), like)
        return _from_arrow(parquet.read_table(path))
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise unreadable(path, error) from None


def _to_arrow(column: Array) -> pa.Array:
    """The column, NaN as null. ``pyarrow.array`` would do, but imports pandas first: a fifth of a small solve."""
    import pyarrow as pa

    if column.dtype.kind == "U":
        cells = [cell.encode() for cell in column.tolist()]
        ends = np.cumsum([0, *map(len, cells)], dtype=np.int32)
        return pa.StringArray.from_buffers(len(cells), pa.py_buffer(ends), pa.py_buffer(b"".join(cells)))
    valid = None
    if column.dtype.kind == "f" and np.isnan(column).any():
        valid = pa.py_buffer(np.packbits(~np.isnan(column), bitorder="little"))
    numbers = np.ascontiguousarray(column)
    return pa.Array.from_buffers(
        pa.from_numpy_dtype(numbers.dtype), len(numbers), [valid, pa.py_buffer(numbers)]
    )


def _announced(metadata: Any, like: Columns) -> None:
    """Raise ValueError when a Parquet file says that it holds a table of another size than ``like``."""
    rows, columns = len(next(iter(like.values()))), len(like)
    groups = range(metadata.num_row_groups) if metadata.num_row_groups <= 1 + rows else ()
    size = sum(metadata.row_group(k).total_byte_size for k in groups)
    if (metadata.num_rows, metadata.num_columns) != (rows, columns) or size > largest(like):
        raise ValueError(f"{metadata.num_rows} rows, {metadata.num_columns} columns, {size} bytes")


def _from_arrow(table: pa.Table) -> Columns:
    """Columns as arrays: numbers as float64 with NaN for nulls, text as str."""
    columns: Columns = {}
    twice = [name for name in table.column_names if table.column_names.count(name) > 1]
    if twice:
        raise ValueError(f"two columns {twice[0]}")
    for name in table.column_names:
        column = table.column(name)
        columns[name] = (
            np.array(column.to_pylist(), dtype=np.str_) if name in TEXT else column.cast("float64").to_numpy()
        )
    return columns
