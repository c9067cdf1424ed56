"""A bracket: both bounds with what proves them, to be saved and opened again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from expost.brackets.records import Bounds
from expost.brackets.saved import read_bracket, save_bracket
from expost.instances.environment import Instance


@dataclass(frozen=True, eq=False, repr=False)
class Bracket(Bounds):
    """``lower <= W* <= upper`` for the continuum second best W* of an instance: everything that ``Bounds`` holds."""

    def save(self, out: str | Path) -> Path:
        """Write both sides with what proves them, and the mechanism, to the new folder ``out``; return its path.

        Values that are Python functions are saved as what they give in some states: enough to tell, when the bracket is
        opened again, whether the instance that is given then is the same. Raises InputError when ``out`` exists or
        cannot be written.
        """
        return save_bracket(self, out)


def open_bracket(folder: Path | str, instance: Instance | None = None) -> Bracket:
    """The bracket that ``save_bracket`` wrote, its mechanism and proofs included.

    instance: the same one, for the sake of values that are Python functions; without it the mechanism cannot be
    evaluated where there are any. Raises InputError when a file is missing, damaged or not one of ours, or the instance
    is another one.
    """
    return Bracket(**vars(read_bracket(folder, instance)[0]))
