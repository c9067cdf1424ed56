"""Everything there is to compare about an instance on one grid: second bests, and the papers' constructions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from expost.errors import ExpostError
from expost.formulations.blocks import tie_width
from expost.formulations.compare import Comparison, Row, compare, mechanism_row
from expost.formulations.discretization import Grid, TypeSpace, discretize
from expost.formulations.dominance import dominate
from expost.instances.environment import Instance
from expost.mechanisms.mechanism import Mechanism


@dataclass(frozen=True)
class ConstructionRow:
    """A construction of the papers on the grid: its row, and what the theory asks about it.

    conditionally_efficient: whether only a buyer with the highest gain wins, and never with a negative one.
    dominated_by: the largest expected gain of a rule of the same timing that is at least as good in every
    state; 0 when it is constrained efficient on this grid, None when that was not decided.
    """

    row: Row
    citation: str
    conditionally_efficient: bool
    dominated_by: float | None


@dataclass(frozen=True)
class FullComparison:
    """A comparison and its constructions."""

    comparison: Comparison
    constructions: tuple[ConstructionRow, ...]

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON values."""
        shared = asdict(self.comparison)
        rows = shared.pop("rows")
        constructions = [
            asdict(found.row)
            | {
                "citation": found.citation,
                "conditionally_efficient": found.conditionally_efficient,
                "dominated_by": found.dominated_by,
            }
            for found in self.constructions
        ]
        return {**shared, "rows": list(rows), "constructions": constructions}


def compare_all(instance: Instance, grid: Grid, *, time_limit: float | None = None) -> FullComparison:
    """The comparison of ``instance`` on ``grid``, with every construction that is defined for it.

    time_limit: seconds for each solve.
    """
    from expost.mechanisms.constructions import registry

    comparison = compare(instance, grid, time_limit=time_limit)
    space = discretize(instance, grid)
    found = tuple(
        _construction_row(space, registry.get(name, instance), time_limit)
        for name in registry.names(instance)
    )
    return FullComparison(comparison, found)


def _construction_row(space: TypeSpace, construction: Any, time_limit: float | None) -> ConstructionRow:
    mechanism = construction.on(space)
    row = mechanism_row(space, construction.name, "construction", mechanism, timing=(construction.timing,))
    try:
        found = dominate(space, mechanism.allocation, timing=construction.timing, time_limit=time_limit)
        gain = 0.0 if found.constrained_efficient else found.gain
    except ExpostError:
        gain = None
    return ConstructionRow(row, construction.citation, conditionally_efficient(space, mechanism), gain)


def conditionally_efficient(space: TypeSpace, mechanism: Mechanism) -> bool:
    """Whether whoever wins has the highest gain, and no negative one (Bikhchandani 2006, section 3)."""
    best = np.maximum(space.gains.max(axis=0), 0.0) - tie_width(space.gains)
    return not (mechanism.allocation & (space.gains < best)).any()
