"""Is a mechanism constrained efficient on a grid: a construction of the papers, or a saved run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from expost.formulations.dominance import Dominance, dominate
from expost.instances.environment import Instance
from expost.runs.record import finite
from expost.runs.reopen import reopen
from expost.spaces.type_space import Grid, TypeSpace, discretize


@dataclass(frozen=True, eq=False)
class DominanceVerdict:
    """The answer for one mechanism: ``mechanism`` names it, ``citation`` says where it comes from."""

    instance: str
    grid: int | str
    mechanism: str
    citation: str
    space: TypeSpace
    dominance: Dominance

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON values; ``example`` gives the signals of the state that improves most."""
        found = self.dominance
        example = None if found.example is None else self.space.signals_at(found.example)
        return {
            "instance": self.instance,
            "grid": self.grid,
            "mechanism": self.mechanism,
            "citation": self.citation,
            "gain": found.gain,
            "gain_bound": finite(found.gain_bound),
            "welfare": found.welfare,
            "dominating_welfare": found.dominating_welfare,
            "constrained_efficient": found.constrained_efficient,
            "status": str(found.status),
            "backend": found.backend,
            "states": self.space.states,
            "improved_states": found.improved,
            "example": example,
            "example_gain": found.example_gain,
        }


def dominate_construction(
    instance: Instance, name: str, grid: Grid, time_limit: float | None = None
) -> DominanceVerdict:
    """The verdict on the construction ``name`` at the types of ``grid`` (Bikhchandani 2006, section 4).

    Raises InputError when the construction is unknown or not defined for the instance.
    """
    from expost.papers import constructions as registry

    construction = registry.get(name, instance)
    space = discretize(instance, grid)
    rule = construction.on(space).allocation
    found = dominate(space, rule, timing=construction.timing, time_limit=time_limit)
    return DominanceVerdict(
        instance.name, grid.describe(), construction.name, construction.citation, space, found
    )


def dominate_run(folder: Path, time_limit: float | None = None) -> DominanceVerdict:
    """The verdict on the rule of the run in ``folder``, among rules of the same timing."""
    run = reopen(folder)
    space, settings = run.formulation.space, run.settings
    found = dominate(
        space, run.mechanism.allocation, timing=settings.timing, first=settings.first, time_limit=time_limit
    )
    return DominanceVerdict(
        run.saved.instance.name, settings.grid.describe(), str(folder), "saved run", space, found
    )
