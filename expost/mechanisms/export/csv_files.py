"""Tables as commented CSV files whose numbers read back exactly."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from expost._typing import Array
from expost.errors import InputError
from expost.files import MOST_BYTES

Columns = dict[str, Array]
TEXT = ("buyer", "first_signal")
"""The columns that hold text; all others hold numbers."""
_RISKY = ("=", "+", "-", "@")
"""What a spreadsheet takes for the beginning of a formula."""
_ROWS = 4096
"""Rows that are made into numbers at once."""


def write_csv(columns: Columns, path: Path, notes: Sequence[str]) -> None:
    """Comma-separated values behind comment lines that start with ``#``; numbers read back exactly."""
    path.write_bytes(to_csv(columns, notes))


def to_csv(columns: Columns, notes: Sequence[str]) -> bytes:
    """What ``write_csv`` writes: text in quotes, numbers with every digit, empty cells for NaN."""
    file = io.StringIO(newline="")
    file.writelines(f"# {note}\n" for note in notes)
    file.write(",".join(map(_quoted, columns)) + "\n")
    cells = [_written(column) for column in spreadsheet_safe(columns).values()]
    file.writelines(",".join(row) + "\n" for row in zip(*cells, strict=True))
    return file.getvalue().encode()


def read_csv(path: Path, like: Columns | None = None) -> Columns:
    """The columns of a file that ``write_csv`` wrote, empty cells of numbers as NaN. Raises InputError when it is not
    one.

    like: a table that it should hold: a much larger file is refused before it is read.
    """
    try:
        require_file(path, MOST_BYTES if like is None else largest(like))
        with path.open(encoding="utf-8", newline="") as file:
            return _read(csv.reader((line for line in file if not line.startswith("#")), strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise unreadable(path, error) from None


def _read(reader: Iterator[list[str]]) -> Columns:
    names = next(reader, [])
    if not names or len(set(names)) != len(names) or not all(name.isprintable() for name in names):
        raise ValueError(f"columns {names}")
    parts: list[list[Array]] = [[] for _ in names]
    while rows := list(islice(reader, _ROWS)):
        if any(len(row) != len(names) for row in rows):
            raise ValueError("rows of different lengths")
        for name, part, cells in zip(names, parts, zip(*rows, strict=True), strict=True):
            part.append(np.array(cells, dtype=np.str_) if name in TEXT else _numbers(cells))
    columns = {
        name: np.concatenate(part) if part else np.array([], dtype=np.str_ if name in TEXT else np.float64)
        for name, part in zip(names, parts, strict=True)
    }
    return {name: _each(column, _unguarded) if name in TEXT else column for name, column in columns.items()}


def _numbers(cells: Sequence[str]) -> Array:
    return np.array([float(cell) if cell else np.nan for cell in cells], dtype=np.float64)


def _written(column: Array) -> list[str]:
    if column.dtype.kind == "f":
        return ["" if cell != cell else repr(cell) for cell in column.tolist()]  # noqa: PLR0124 - NaN alone differs
    if column.dtype.kind in "iub":
        return [str(cell) for cell in column.tolist()]
    return [_quoted(str(cell)) for cell in column.tolist()]


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


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


def require_file(path: Path, most: int = MOST_BYTES) -> None:
    """Raise OSError unless ``path`` is a regular file, which a pipe or an endless device is not, of a fit size."""
    if not path.is_file():
        raise OSError("not a file")
    if path.stat().st_size > most:
        raise OSError(f"more than {most} bytes")


def largest(like: Columns) -> int:
    """Bytes that a file with a table may have, generously: 40 for every number, text as long as it is."""
    row = sum(column.dtype.itemsize + 8 if column.dtype.kind == "U" else 40 for column in like.values())
    return (1 << 18) + row * len(next(iter(like.values())))


def unreadable(path: Path, error: Exception) -> InputError:
    """The error of a table that cannot be read."""
    found = f"{type(error).__name__}: {ascii(str(error))[1:60]}"
    return InputError(found, where=path.name, expected="the table that expost wrote")
