"""Everything there is to compare about an instance on one grid: second bests, and the papers' constructions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from expost.brackets import Bracket
from expost.errors import ExpostError, InputError, LimitReached
from expost.formulations.compare import REFUSED, Comparison, Row, compare, mechanism_row
from expost.formulations.conditional import allowed_winners
from expost.formulations.dominance import dominate
from expost.formulations.timing import SEQUENTIAL
from expost.instances.environment import Instance
from expost.mechanisms.mechanism import Mechanism
from expost.runs.bracket import bracket
from expost.spaces.type_space import Grid, TypeSpace, discretize

if TYPE_CHECKING:
    from expost.mechanisms.given import Given

CONSTRUCTION = "construction"

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
    conditionally_efficient: bool | None
    dominated_by: float | None


@dataclass(frozen=True)
class FullComparison:
    """A comparison, its constructions, and brackets of the continuum; ``no_bracket``: why there is none."""

    comparison: Comparison
    constructions: tuple[ConstructionRow, ...]
    brackets: tuple[Bracket, ...] = ()
    no_bracket: str = ""

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
        return {
            **shared,
            "rows": list(rows),
            "constructions": constructions,
            "brackets": brackets,
            "no_bracket": self.no_bracket,
        }


def compare_all(
    instance: Instance, grid: Grid, *, time_limit: float | None = None, bracket_seconds: float = 0.0
) -> FullComparison:
    """The comparison of ``instance`` on ``grid``, with every construction that is defined for it.

    time_limit: seconds for each solve. bracket_seconds: for each bracket of the continuum, static and (where every
    buyer has two stages) sequential in the declared order; 0 leaves brackets out.
    """
    comparison = compare(instance, grid, time_limit=time_limit)
    found = tuple(_construction_rows(discretize(instance, grid), time_limit))
    if bracket_seconds <= 0.0:
        return FullComparison(comparison, found)
    try:
        static = bracket(instance, BRACKET_ACCURACY, bracket_seconds)
    except InputError as reason:  # values without a mean, say: the grid's figures stand all the same
        return FullComparison(comparison, found, no_bracket=str(reason))
    try:
        sequential = bracket(instance, BRACKET_ACCURACY, bracket_seconds, timing=SEQUENTIAL)
    except InputError:  # a buyer has one signal only
        return FullComparison(comparison, found, (static,))
    return FullComparison(comparison, found, (static, sequential))


def _construction_rows(space: TypeSpace, time_limit: float | None) -> Iterator[ConstructionRow]:
    """A row for every construction that is defined; one that fails there becomes a refused row."""
    from expost.papers import constructions as registry

    for name in registry.CONSTRUCTIONS:
        try:
            construction = registry.get(name, space.instance)
        except InputError:
            continue
        try:
            yield _construction_row(space, construction, time_limit)
        except ExpostError as error:
            row = Row(name, CONSTRUCTION, (construction.timing,), (), status=REFUSED, note=str(error))
            yield ConstructionRow(row, construction.citation, None, None)


def _construction_row(space: TypeSpace, construction: Given, time_limit: float | None) -> ConstructionRow:
    mechanism = construction.on(space)
    row = mechanism_row(space, construction.name, CONSTRUCTION, mechanism, timing=(construction.timing,))
    try:
        found = dominate(space, mechanism.allocation, timing=construction.timing, time_limit=time_limit)
        gain = 0.0 if found.constrained_efficient else found.gain
    except LimitReached:
        gain = None
    return ConstructionRow(row, construction.citation, conditionally_efficient(space, mechanism), gain)


def conditionally_efficient(space: TypeSpace, mechanism: Mechanism) -> bool:
    """Whether whoever wins has the highest gain, and no negative one (Bikhchandani 2006, section 3)."""
    return not (mechanism.allocation & ~allowed_winners(space)).any()
