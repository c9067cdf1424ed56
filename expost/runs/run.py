"""A run: what it holds, and what can be done with it; the same kind of thing solved or reopened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from expost.runs.checks import Verification
from expost.runs.explain import Explanation, explain
from expost.runs.folder import read_run, save_run
from expost.runs.solved import Solved
from expost.runs.tables import exported_menu
from expost.runs.verify import verify


@dataclass(frozen=True, eq=False, repr=False)
class Run(Solved):
    """The second best of an instance on a grid, solved or reopened: everything that ``Solved`` holds, to be saved,
    verified, explained and exported."""

    def save(self, out: str | Path) -> Path:
        """Write the run to the new folder ``out``, whole or not at all, and return its path.

        Values that are Python functions are saved as sampled on the grid. Raises InputError when ``out`` exists or
        cannot be written.
        """
        return save_run(self, Path(out))

    def verify(self) -> Verification:
        """Re-check everything that the run claims, without any solver: figures, audit by definition, certificate."""
        return verify(self)

    def explain(self, *, time_limit: float | None = None) -> Explanation:
        """Which incentives bind, what each costs by buyer, type and region, what every optimum decides alike, and what
        dropping a family of constraints would gain. time_limit: seconds for each program that is solved again."""
        return explain(self, time_limit=time_limit)

    def to_latex(self, *, digits: int | None = 4) -> str:
        """The terms of all buyers as a LaTeX table for a paper (needs ``booktabs``; ``longtable`` when it is long).

        digits: decimals; None writes every digit.
        """
        return exported_menu(self, "latex", digits=digits).decode()


def open_run(folder: Path) -> Run:
    """The run in ``folder``, rebuilt without any solver. Raises InputError and CheckFailed as ``read_run``."""
    return Run(**vars(read_run(folder)))
