"""A table as a fragment of LaTeX for a paper, and back: without ``digits`` it loses nothing.

It needs ``booktabs``, and ``longtable`` where it has many rows. Numbers are plain and infinities in braces, so columns
may be declared as ``S`` of ``siunitx``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from expost._typing import Array
from expost.errors import InputError
from expost.mechanisms.export.csv_files import Columns

_BEGIN, _END = "% rows", "% end of rows"
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}
_CHARACTERS = {escape: character for character, escape in _ESCAPES.items()}
_ESCAPED = re.compile("|".join(re.escape(escape) for escape in sorted(_CHARACTERS, key=len, reverse=True)))
_INFINITE = {r"{$\infty$}": "inf", r"{$-\infty$}": "-inf"}
FLOATS = 40
"""Rows up to which the table is a float; a longer one breaks over pages."""
MOST_DIGITS = 17


def to_latex(
    columns: Columns,
    notes: Sequence[str] = (),
    *,
    digits: int | None = None,
    caption: str = "",
    label: str = "",
) -> str:
    """A table with the notes as comments before it.

    digits: decimals of numbers that are not whole; columns without any entry are left out then. By default numbers are
    written so that they read back exactly. Raises InputError for digits that are no whole number from 0 to 17.
    """
    if digits is not None:
        if isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= MOST_DIGITS:
            raise InputError(
                f"{digits!r}", where="digits", expected=f"a whole number from 0 to {MOST_DIGITS}"
            )
        columns = {name: column for name, column in columns.items() if not _empty(column)}
    cells = [[_cell(cell, digits) for cell in column.tolist()] for column in columns.values()]
    rows = [" & ".join(row) + r" \\" for row in zip(*cells, strict=True)]
    head = [r"\toprule", " & ".join(_escaped(name) for name in columns) + r" \\", r"\midrule"]
    body = [_BEGIN, *rows, _END]
    titles = [rf"\caption{{{_escaped(caption)}}}"] if caption else []
    titles += [rf"\label{{{_escaped(label)}}}"] if label else []
    align = _alignment(columns)
    if len(rows) > FLOATS:
        opening = [rf"\begin{{longtable}}{{{align}}}", *([*titles, r"\\"] if titles else [])]
        lines = [*opening, *head, r"\endhead", *body, r"\bottomrule", r"\end{longtable}"]
        packages = "booktabs, longtable"
    else:
        table = [rf"\begin{{tabular}}{{{align}}}", *head, *body, r"\bottomrule", r"\end{tabular}"]
        lines = [r"\begin{table}", r"\centering", *titles, *table, r"\end{table}"]
        packages = "booktabs"
    return "\n".join([f"% needs {packages}", *(f"% {note}" for note in notes), *lines]) + "\n"


def from_latex(text: str) -> tuple[list[str], list[list[str]]]:
    """The column names and the cells as text, of what ``to_latex`` wrote. Raises ValueError when it is not that."""
    lines = text.splitlines()
    if _BEGIN not in lines or _END not in lines or r"\midrule" not in lines:
        raise ValueError(f"no lines {_BEGIN!r} and {_END!r}")
    start, stop = lines.index(_BEGIN), lines.index(_END)
    names = _cells(lines[lines.index(r"\midrule") - 1].removesuffix(r" \\"))
    rows = [_cells(line.removesuffix(r" \\")) for line in lines[start + 1 : stop]]
    if any(len(row) != len(names) for row in rows):
        raise ValueError("rows of different lengths")
    return names, rows


def _empty(column: Array) -> bool:
    if column.dtype.kind == "f":
        return bool(np.isnan(column).all())
    return column.dtype.kind in "UO" and not any(str(cell) for cell in column.tolist() if cell is not None)


def _alignment(columns: Columns) -> str:
    return "".join("r" if column.dtype.kind in "fiu" else "l" for column in columns.values())


def _cell(cell: Any, digits: int | None) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return _escaped(cell)
    if isinstance(cell, float):
        if np.isnan(cell):
            return ""
        if np.isinf(cell):
            return r"{$\infty$}" if cell > 0 else r"{$-\infty$}"
        return repr(cell) if digits is None else f"{cell:.{digits}f}"
    return _escaped(repr(cell))


def _cells(line: str) -> list[str]:
    return [_plain(cell.strip()) for cell in line.split(" & ")]


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in text)


def _plain(cell: str) -> str:
    if cell in _INFINITE:
        return _INFINITE[cell]
    return _ESCAPED.sub(lambda escape: _CHARACTERS[escape[0]], cell)
