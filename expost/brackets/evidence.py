"""What a bound rests on, so that anybody can evaluate it again without searching for it.

Statistical evidence has replicates: one number for each seed, about welfare less the first best of the same sample.
Rigorous evidence has a value. Shadow prices and mechanisms are all that a search ever finds; everything else is sizes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from expost._typing import Array
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.lower.cells import guaranteed_welfare
from expost.brackets.lower.evaluation import fibre_states, in_pairs, welfare_replicate
from expost.brackets.lower.floor import FloorSizes, completion_floor
from expost.brackets.records import Evidence
from expost.brackets.upper.basis import ShadowPrices
from expost.brackets.upper.dual import Quadrature, dual_replicate
from expost.brackets.upper.dual_cells import CellSizes, guaranteed_dual
from expost.brackets.upper.fibre_lines import LineQuadrature, lines_replicate
from expost.brackets.upper.finite import FiniteSets, solve_set
from expost.brackets.upper.level_fibres import LevelQuadrature, levels_replicate
from expost.brackets.upper.lines import LineSizes, draw_lines, line_signal, most_excess, rule_gain
from expost.brackets.upper.reference import Reference
from expost.brackets.workers import Workers
from expost.mechanisms.continuum.cells import CellMechanism
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.mechanisms.continuum.solo import SoloMechanism
from expost.spaces.quantile_space import QuantileSpace

FEW_STATES = 1 << 17
"""Of a replicate on which a quadrature is compared with a finer one."""
FEW_LINES, FEW_ROWS = 256, 32
"""Lines of one buyer on which it is, and their rows; 4 times as many those on which given strikes are evaluated."""
FINE_LINES = LineSizes(1, 1, 128, 512, 1)
"""Pieces and strikes of a finer one, at least."""


@dataclass(frozen=True)
class Sizeless(Evidence):
    """Nothing is evaluated: the first best from above, or keeping the item from below."""

    kind: ClassVar[str] = "nothing"

    def value(self, space: QuantileSpace, clock: Clock = ENDLESS, workers: Workers | None = None) -> float:
        """Keeping the item brings nothing on top of E[V_0]."""
        del space, clock, workers
        return 0.0

    def facts(self) -> dict[str, Any]:
        """None."""
        return {}


@dataclass(frozen=True)
class Sets(Evidence):
    """Random finite sets of types. Their bounds come from a search with three buyers or more under a time limit, and
    then depend on how far it got."""

    sets: FiniteSets
    kind: ClassVar[str] = "finite sets"
    exact: ClassVar[bool] = False

    def replicate(self, seed: np.random.SeedSequence, space: QuantileSpace, clock: Clock = ENDLESS) -> float:
        """The bound of one set less its first best."""
        return solve_set(seed, space, self.sets, 0, 0.0, clock).excess

    def facts(self) -> dict[str, Any]:
        """Sizes."""
        return asdict(self.sets)


@dataclass(frozen=True, eq=False)
class OnSamples(Evidence):
    """Shadow prices, evaluated on samples of a ``size``, which is what a kind of evaluation has. words: for a bound."""

    u: ShadowPrices = field(repr=False)
    size: Any
    words: ClassVar[str]

    def facts(self) -> dict[str, Any]:
        """Sizes and the mesh."""
        return {**_mesh_facts(self.u), **asdict(self.size)}

    def arrays(self) -> dict[str, Array]:
        """The shadow prices."""
        return _mesh_arrays(self.u)


@dataclass(frozen=True, eq=False)
class Dual(OnSamples):
    """On scattered types; reference: the rule that they are compared with, None: the efficient one."""

    size: Quadrature
    reference: Reference | None = None
    kind: ClassVar[str] = "shadow prices"
    words: ClassVar[str] = "dual function"

    def replicate(self, seed: np.random.SeedSequence, space: QuantileSpace, clock: Clock = ENDLESS) -> float:
        """D(u) less the first best on one sample."""
        return dual_replicate(seed, space, self.u, self.size, clock, self.reference)

    def facts(self) -> dict[str, Any]:
        """Sizes and the mesh."""
        return {**super().facts(), **({} if self.reference is None else {"compared": True})}

    def arrays(self) -> dict[str, Array]:
        """The shadow prices, and the strikes of the rule."""
        strikes = () if self.reference is None else self.reference.strikes
        return {**super().arrays(), **{f"strikes_{i}": table for i, table in enumerate(strikes)}}


@dataclass(frozen=True, eq=False)
class DualLines(OnSamples):
    """Line by line; nothing is compared with the first best."""

    size: LineQuadrature
    kind: ClassVar[str] = "shadow prices on lines"
    words: ClassVar[str] = "dual function along lines"
    compared: ClassVar[bool] = False

    def replicate(self, seed: np.random.SeedSequence, space: QuantileSpace, clock: Clock = ENDLESS) -> float:
        """D(u) less E[V_0] on one sample."""
        return lines_replicate(seed, space, self.u, self.size, clock)

    def finer(self) -> tuple[DualLines, DualLines]:
        """Twice as many panels and prices, and at least twice the usual ones."""
        usual = LineQuadrature()
        panels = 2 * max(self.size.panels, usual.panels)
        fine = replace(self.size, panels=panels, prices=2 * max(self.size.prices, usual.prices))
        fibres = max(1, min(self.size.fibres, FEW_STATES // fine.states))
        one, other = (replace(self, size=replace(size, fibres=fibres)) for size in (self.size, fine))
        return one, other


@dataclass(frozen=True, eq=False)
class DualLevels(OnSamples):
    """On lines of types on levels of equal value."""

    size: LevelQuadrature
    kind: ClassVar[str] = "shadow prices on levels"
    words: ClassVar[str] = "dual function on levels of equal value"

    def replicate(self, seed: np.random.SeedSequence, space: QuantileSpace, clock: Clock = ENDLESS) -> float:
        """D(u) less the first best on one sample."""
        return levels_replicate(seed, space, self.u, self.size, clock)


def _mesh_facts(u: ShadowPrices) -> dict[str, Any]:
    """The mesh of shadow prices, and of what lies on a surface beside it."""
    ridge = {} if u.ridge is None else {"ridge": [*u.ridge.places, u.ridge.nodes]}
    blend = {"blend": u.blend} if u.blend else {}
    return {"nodes": u.nodes, "floor": u.floor, **blend, **ridge}


def _mesh_arrays(u: ShadowPrices) -> dict[str, Array]:
    return {"mesh": u.mesh} if u.ridge is None else {"mesh": u.mesh, "ridge": u.ridge.mesh}


@dataclass(frozen=True, eq=False)
class DualCells(Evidence):
    """Shadow prices, bounded cell by cell."""

    u: ShadowPrices = field(repr=False)
    sizes: CellSizes
    kind: ClassVar[str] = "shadow prices on cells"

    def value(self, space: QuantileSpace, clock: Clock = ENDLESS, workers: Workers | None = None) -> float:
        """The bound less E[V_0]."""
        return guaranteed_dual(space, self.u, self.sizes, clock, workers)

    def facts(self) -> dict[str, Any]:
        """Sizes and the mesh."""
        return {**_mesh_facts(self.u), **asdict(self.sizes)}

    def arrays(self) -> dict[str, Array]:
        """The shadow prices."""
        return _mesh_arrays(self.u)


@dataclass(frozen=True, eq=False)
class Welfare(Evidence):
    """A mechanism, evaluated on samples."""

    mechanism: ContinuumMechanism = field(repr=False)
    points: int
    kind: ClassVar[str] = "mechanism"

    def replicate(self, seed: np.random.SeedSequence, space: QuantileSpace, clock: Clock = ENDLESS) -> float:
        """Welfare less the first best on one sample."""
        del space
        return welfare_replicate(seed, self.mechanism, self.points, clock)

    def facts(self) -> dict[str, Any]:
        """Sizes: of a completion evaluated state by state also how many states of the others there are."""
        mechanism = self.mechanism
        if not isinstance(mechanism, CompletedMechanism) or in_pairs(mechanism):
            return {"points": self.points}
        return {"points": self.points, "states": list(fibre_states(self.points))}


@dataclass(frozen=True, eq=False)
class LineWelfare(Evidence):
    """One buyer's strikes, evaluated line by line; nothing is compared with the first best."""

    mechanism: SoloMechanism = field(repr=False)
    sizes: LineSizes
    kind: ClassVar[str] = "mechanism on lines"
    compared: ClassVar[bool] = False

    def replicate(self, seed: np.random.SeedSequence, space: QuantileSpace, clock: Clock = ENDLESS) -> float:
        """Welfare less E[V_0] on the lines of one seed."""
        clock.check()
        return self.gained(space, np.random.default_rng(seed))

    def gained(self, space: QuantileSpace, rng: np.random.Generator) -> float:
        """What the mechanism gains on random lines."""
        sizes, signal = self.sizes, line_signal(space, self.sizes.pieces)
        assert signal is not None
        each = sizes.evaluated if sizes.rows == 1 else min(sizes.lines, 16)
        lines = draw_lines(space, signal, sizes.evaluated // each, each, sizes.pieces, rng)
        return float(rule_gain(lines, self.mechanism).mean())

    def finer(self) -> tuple[LineWelfare, LineWelfare]:
        """Twice as many pieces and strikes, and at least ``FINE_LINES``."""
        sizes = self.sizes
        few = replace(
            sizes,
            rows=min(sizes.rows, FEW_ROWS),
            lines=min(sizes.lines, FEW_LINES if sizes.rows == 1 else FEW_LINES // FEW_ROWS),
            evaluated=min(sizes.evaluated, 4 * FEW_LINES),
        )
        fine = replace(
            few,
            pieces=max(2 * few.pieces, FINE_LINES.pieces),
            strikes=max(2 * few.strikes, FINE_LINES.strikes),
        )
        return replace(self, sizes=few), replace(self, sizes=fine)

    def facts(self) -> dict[str, Any]:
        """Sizes."""
        return asdict(self.sizes)


@dataclass(frozen=True, eq=False)
class LineBest(LineWelfare):
    """What no strikes of one buyer gain more than: what the best gain more than some on few lines, and what these gain
    on many."""

    kind: ClassVar[str] = "best strikes on lines"

    def replicate(self, seed: np.random.SeedSequence, space: QuantileSpace, clock: Clock = ENDLESS) -> float:
        """The bound less E[V_0] on the lines of one seed. Raises OutOfTime."""
        rng, sizes = np.random.default_rng(seed), self.sizes
        signal = line_signal(space, sizes.pieces)
        assert signal is not None
        lines = draw_lines(space, signal, sizes.rows, sizes.lines, sizes.pieces, rng)
        return most_excess(lines, self.mechanism, sizes.strikes, clock) + self.gained(space, rng)


@dataclass(frozen=True, eq=False)
class CellsWelfare(Evidence):
    """Strikes constant on cells, counted cell by cell."""

    mechanism: CellMechanism = field(repr=False)
    parts: int
    kind: ClassVar[str] = "mechanism on cells"

    def value(self, space: QuantileSpace, clock: Clock = ENDLESS, workers: Workers | None = None) -> float:
        """The bound less E[V_0]."""
        del space
        return guaranteed_welfare(self.mechanism, self.parts, clock, workers)

    def facts(self) -> dict[str, Any]:
        """Sizes."""
        return {"parts": self.parts}


@dataclass(frozen=True, eq=False)
class Floor(Evidence):
    """A completion, its strikes bounded on boxes."""

    mechanism: CompletedMechanism = field(repr=False)
    sizes: FloorSizes
    kind: ClassVar[str] = "completion on boxes"

    def value(self, space: QuantileSpace, clock: Clock = ENDLESS, workers: Workers | None = None) -> float:
        """The bound less E[V_0]."""
        del space
        return completion_floor(self.mechanism, self.sizes, clock, workers)

    def facts(self) -> dict[str, Any]:
        """Sizes."""
        return asdict(self.sizes)
