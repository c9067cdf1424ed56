"""A table as a LaTeX document of its own, and back: it compiles as it stands and loses nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from expost.mechanisms.export.tables import Columns

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
_HEAD = r"""\documentclass{article}
\usepackage{longtable}
\ifdefined\pdfpagewidth\pdfpagewidth=80cm\fi
\ifdefined\pagewidth\pagewidth=80cm\fi
\hoffset=-1.5cm \textwidth=76cm
\begin{document}
"""


def to_latex(columns: Columns, notes: Sequence[str]) -> str:
    """A document with the notes and one long table; numbers are written so that they read back exactly."""
    head = " & ".join(_escaped(name) for name in columns)
    cells = [[_cell(cell) for cell in column.tolist()] for column in columns.values()]
    rows = [" & ".join(row) + r" \\" for row in zip(*cells, strict=True)]
    lines = [
        *(f"% {note}" for note in notes),
        _HEAD + r"\noindent",
        *(_escaped(note) + r"\\" for note in notes),
        rf"\begin{{longtable}}{{{_alignment(columns)}}}",
        r"\hline",
        head + r" \\ \hline",
        r"\endhead",
        _BEGIN,
        *rows,
        _END,
        r"\hline",
        r"\end{longtable}",
        r"\end{document}",
    ]
    return "\n".join(lines) + "\n"


def from_latex(text: str) -> tuple[list[str], list[list[str]]]:
    """The column names and the cells as text, of what ``to_latex`` wrote. Raises ValueError when it is not that."""
    lines = text.splitlines()
    if _BEGIN not in lines or _END not in lines:
        raise ValueError(f"no lines {_BEGIN!r} and {_END!r}")
    start, stop = lines.index(_BEGIN), lines.index(_END)
    names = _cells(lines[start - 2].removesuffix(r" \\ \hline"))
    rows = [_cells(line.removesuffix(r" \\")) for line in lines[start + 1 : stop]]
    if any(len(row) != len(names) for row in rows):
        raise ValueError("rows of different lengths")
    return names, rows


def _alignment(columns: Columns) -> str:
    return "".join("r" if column.dtype.kind in "fiu" else "l" for column in columns.values())


def _cell(cell: Any) -> str:
    if isinstance(cell, str):
        return _escaped(cell)
    if isinstance(cell, float):
        if np.isnan(cell):
            return ""
        if np.isinf(cell):
            return r"$\infty$" if cell > 0 else r"$-\infty$"
    return repr(cell)


def _cells(line: str) -> list[str]:
    return [_plain(cell.strip()) for cell in line.split(" & ")]


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in text)


def _plain(cell: str) -> str:
    if cell in (r"$\infty$", r"$-\infty$"):
        return "-inf" if "-" in cell else "inf"
    return _ESCAPED.sub(lambda escape: _CHARACTERS[escape[0]], cell)
