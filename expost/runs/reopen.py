"""A saved run with everything that follows from it: the type space, the program, the mechanism."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from expost.errors import CheckFailed
from expost.formulations.assemble import Formulation
from expost.mechanisms.mechanism import Mechanism
from expost.runs.folder import SavedRun, open_run
from expost.runs.settings import Settings, settings_from_json
from expost.runs.solve import formulate
from expost.runs.terms import mechanism_of


@dataclass(frozen=True, eq=False)
class ReopenedRun:
    """What the folder says, and what the instance and the settings imply."""

    saved: SavedRun
    settings: Settings
    formulation: Formulation = field(repr=False)
    mechanism: Mechanism = field(repr=False)


def reopen(folder: Path) -> ReopenedRun:
    """The run in ``folder``, rebuilt without any solver.

    Raises InputError when a file is missing or damaged, CheckFailed when the rule does not fit the grid.
    """
    saved = open_run(folder)
    settings = settings_from_json(saved.record.to_dict())
    formulation = formulate(saved.instance, settings)
    shape = formulation.space.shape
    for name, array in saved.winners.items():
        if array.shape != shape:
            raise CheckFailed(f"allocation.npz: {name} has shape {array.shape}; the grid has {shape}")
    mechanism = mechanism_of(formulation.space, settings, saved.allocation)
    return ReopenedRun(saved, settings, formulation, mechanism)
