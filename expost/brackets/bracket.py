"""A bracket: both bounds with what proves them, to be saved and opened again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from expost.brackets.records import Bounds
from expost.brackets.saved import read_bracket, save_bracket


@dataclass(frozen=True, eq=False, repr=False)
class Bracket(Bounds):
    """``lower <= W* <= upper`` for the continuum second best W* of an instance: everything that ``Bounds`` holds."""

    def save(self, out: str | Path) -> Path:
        """Write both sides with what proves them, and the mechanism, to the new folder ``out``; return its path.

        Raises InputError when ``out`` exists or cannot be written, and for values that are Python functions.
        """
        return save_bracket(self, out)


def open_bracket(folder: Path | str) -> Bracket:
    """The bracket that ``save_bracket`` wrote, its mechanism and proofs included.

    Raises InputError when a file is missing, damaged or not one of ours.
    """
    return Bracket(**vars(read_bracket(folder)[0]))
