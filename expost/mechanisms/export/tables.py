"""Tables of terms as columns, and as commented CSV and Parquet files that read back exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._typing import Array, Float
from expost.errors import InputError
from expost.files import MOST_BYTES
from expost.instances.environment import Instance
from expost.mechanisms.prices import Prices

if TYPE_CHECKING:
    import pyarrow as pa

Columns = dict[str, Array]
TEXT = ("buyer", "first_signal")
"""The columns that hold text; all others hold numbers."""
Types = Sequence[Mapping[str, Float]]

PRICE_NOTES = (
    "Prices of a static mechanism: one row for each buyer and each state of the other buyers' signals.",
    "buyer: the buyer who faces the price. Signals: the others' reports (a buyer's own are empty).",
    "A signal that is named like another column is called signal_NAME.",
    "lower, upper: any price between them implements the rule there (units of value):",
    "the best losing and the worst winning value, -inf if he always wins, inf if he never does.",
    "price: what he pays if he wins, in units of value.",
)
PRICE_COLUMNS = ("lower", "upper", "price")
_RISKY = ("=", "+", "-", "@")
"""What a spreadsheet takes for the beginning of a formula."""


def price_columns(instance: Instance, types: Types, prices: Sequence[Prices]) -> Columns:
    """One row per buyer and fibre. ``types`` are the own signals of each buyer at his types, shape (T_i,).

    A buyer's own signals are NaN in his rows. A signal that is named like another column is called as
    ``signal_names`` says.
    """
    parts = [_buyer_columns(instance, types, table) for table in prices]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _buyer_columns(instance: Instance, types: Types, table: Prices) -> Columns:
    rows = table.price.size
    columns: Columns = {"buyer": np.full(rows, instance.buyers[table.buyer].name)}
    signals: Columns = {signal: np.full(rows, np.nan) for signal in instance.signals}
    signals |= others_signals(types, table.buyer)
    called = signal_names(instance.signals, (*TEXT, *PRICE_COLUMNS))
    columns |= {called[name]: column for name, column in signals.items()}
    columns |= {"lower": table.lower.ravel(), "upper": table.upper.ravel(), "price": table.price.ravel()}
    return columns


def signal_names(signals: Sequence[str], reserved: Sequence[str]) -> dict[str, str]:
    """The column of each signal: its name, or ``signal_NAME`` where another column is called that, with as many
    underscores behind as make it the only one."""
    called: dict[str, str] = {}
    taken = {*signals, *reserved}
    for signal in signals:
        name = signal
        if signal in reserved:
            name = f"signal_{signal}"
            while name in taken:
                name += "_"
        taken.add(name)
        called[signal] = name
    return called


def others_signals(types: Types, buyer: int) -> Columns:
    """The signals of everybody but ``buyer`` in each of his fibres, flattened in C order."""
    others = [j for j in range(len(types)) if j != buyer]
    counts = [len(next(iter(types[j].values()))) for j in others]
    return {
        name: np.broadcast_to(column.reshape((1,) * k + (-1,) + (1,) * (len(others) - k - 1)), counts).ravel()
        for k, j in enumerate(others)
        for name, column in types[j].items()
    }


def to_arrow(columns: Columns) -> pa.Table:
    """An Arrow table of the columns; NaN becomes null."""
    import pyarrow as pa

    return pa.table(
        {name: pa.array(column, from_pandas=column.dtype.kind == "f") for name, column in columns.items()}
    )


def write_csv(columns: Columns, path: Path, notes: Sequence[str]) -> None:
    """Comma-separated values behind comment lines that start with ``#``; numbers read back exactly."""
    from pyarrow import csv

    with path.open("wb") as file:
        file.write("".join(f"# {note}\n" for note in notes).encode())
        csv.write_csv(to_arrow(spreadsheet_safe(columns)), file)


def spreadsheet_safe(columns: Columns) -> Columns:
    """The columns with an apostrophe before text that a spreadsheet would run as a formula; ``read_csv`` takes it
    away again."""
    return {
        name: _each(column, _guarded) if column.dtype.kind == "U" else column
        for name, column in columns.items()
    }


def _each(column: Array, change: Callable[[str], str]) -> Array:
    different, places = np.unique(column, return_inverse=True)
    return np.array([change(text) for text in different.tolist()], dtype=np.str_)[places]


def _guarded(text: str) -> str:
    risky = text.startswith(_RISKY) or text.lstrip("'").startswith(_RISKY)
    return f"'{text}" if risky else text


def _unguarded(text: str) -> str:
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_RISKY) else text


def read_csv(path: Path, like: Columns | None = None) -> Columns:
    """The columns of a file that ``write_csv`` wrote, nulls as NaN. Raises InputError when it is not one.

    like: a table that it should hold: what is much larger is refused before it is read.
    """
    import pyarrow as pa
    from pyarrow import csv

    try:
        require_file(path, MOST_BYTES if like is None else _most(like))
        with path.open("rb") as file:
            comments = sum(1 for line in file if line.startswith(b"#"))
        options = csv.ConvertOptions(
            column_types={name: pa.string() for name in TEXT}, strings_can_be_null=False
        )
        read = csv.ReadOptions(skip_rows=comments)
        columns = _from_arrow(csv.read_csv(path, read_options=read, convert_options=options))
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise _unreadable(path, error) from None
    return {name: _each(column, _unguarded) if name in TEXT else column for name, column in columns.items()}


def require_file(path: Path, most: int = MOST_BYTES) -> None:
    """Raise OSError unless ``path`` is a regular file, which a pipe or an endless device is not, of a fit size."""
    if not path.is_file():
        raise OSError("not a file")
    if path.stat().st_size > most:
        raise OSError(f"more than {most} bytes")


def _most(like: Columns) -> int:
    """Bytes that a file with a table may have, generously: 40 for every number, text as long as it is."""
    row = sum(column.dtype.itemsize + 8 if column.dtype.kind == "U" else 40 for column in like.values())
    return (1 << 18) + row * len(next(iter(like.values())))


def write_parquet(columns: Columns, path: Path, notes: Sequence[str]) -> None:
    """The columns as a Parquet file, the notes in its schema metadata."""
    from pyarrow import parquet

    table = to_arrow(columns).replace_schema_metadata({"description": "\n".join(notes)})
    parquet.write_table(table, path)


def read_parquet(path: Path, like: Columns | None = None) -> Columns:
    """The columns of a file that ``write_parquet`` wrote, nulls as NaN. Raises InputError when it is not one.

    like: a table that it should hold: what says that it is larger is refused before it is read.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        require_file(path, MOST_BYTES if like is None else _most(like))
        if like is not None:
            _announced(parquet.read_metadata(path), like)
        return _from_arrow(parquet.read_table(path))
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise _unreadable(path, error) from None


def _announced(metadata: Any, like: Columns) -> None:
    """Raise ValueError when a Parquet file says that it holds a table of another size than ``like``."""
    rows, columns = len(next(iter(like.values()))), len(like)
    groups = range(metadata.num_row_groups) if metadata.num_row_groups <= 1 + rows else ()
    size = sum(metadata.row_group(k).total_byte_size for k in groups)
    if (metadata.num_rows, metadata.num_columns) != (rows, columns) or size > _most(like):
        raise ValueError(f"{metadata.num_rows} rows, {metadata.num_columns} columns, {size} bytes")


def _unreadable(path: Path, error: Exception) -> InputError:
    found = f"{type(error).__name__}: {ascii(str(error))[1:60]}"
    return InputError(found, where=path.name, expected="the table that expost wrote")


def _from_arrow(table: pa.Table) -> Columns:
    """Columns as arrays: numbers as float64 with NaN for nulls, text as str."""
    columns: Columns = {}
    twice = [name for name in table.column_names if table.column_names.count(name) > 1]
    if twice:
        raise ValueError(f"two columns {twice[0]}")
    for name in table.column_names:
        column = table.column(name)
        text = name in TEXT
        columns[name] = (
            np.array(column.to_pylist(), dtype=np.str_) if text else column.cast("float64").to_numpy()
        )
    return columns
