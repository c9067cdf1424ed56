"""Everything there is to compare about an instance on one grid: second bests, and the papers' constructions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from expost.errors import ExpostError, InputError
from expost.formulations.blocks import tie_width
from expost.formulations.brackets import Bracket, bracket
from expost.formulations.compare import Comparison, Row, compare, mechanism_row
from expost.formulations.discretization import Grid, TypeSpace, discretize
from expost.formulations.dominance import dominate
from expost.formulations.timing import SEQUENTIAL, STATIC
from expost.instances.environment import Instance
from expost.mechanisms.mechanism import Mechanism

BRACKET_ACCURACY = 0.01
"""Brackets beside grid values stop at this relative width, if the seconds allowed suffice."""


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
    """A comparison, its constructions, and brackets of the continuum."""

    comparison: Comparison
    constructions: tuple[ConstructionRow, ...]
    brackets: tuple[Bracket, ...] = ()

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
        brackets = [found.to_dict() for found in self.brackets]
        return {**shared, "rows": list(rows), "constructions": constructions, "brackets": brackets}


def compare_all(
    instance: Instance, grid: Grid, *, time_limit: float | None = None, bracket_seconds: float = 0.0
) -> FullComparison:
    """The comparison of ``instance`` on ``grid``, with every construction that is defined for it.

    time_limit: seconds for each solve. bracket_seconds: for each bracket of the continuum, static and (where every
    buyer has two stages) sequential in the declared order; 0 leaves brackets out.
    """
    from expost.mechanisms.constructions import registry

    comparison = compare(instance, grid, time_limit=time_limit)
    space = discretize(instance, grid)
    found = tuple(
        _construction_row(space, registry.get(name, instance), time_limit)
        for name in registry.names(instance)
    )
    return FullComparison(comparison, found, tuple(_brackets(instance, bracket_seconds)))


def _brackets(instance: Instance, seconds: float) -> Iterator[Bracket]:
    """A bracket for each timing that the instance admits."""
    if seconds <= 0.0:
        return
    for timing in (STATIC, SEQUENTIAL):
        try:
            yield bracket(instance, BRACKET_ACCURACY, seconds, timing=timing)
        except InputError:
            if timing == STATIC:
                raise


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
