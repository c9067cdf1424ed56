"""Fit shadow prices by minimizing the dual function of the continuum over a mesh.

    D(u) = k E[u] + sum_i E_{s_-i}[ max over prices (or strikes that do not rise) of E_{s_i}[(w_i - u) 1{V_i above}] ]

with k units, is convex in u. A few random samples of fibres take turns; each gives a subgradient, k - (how many want
the item) averaged over each node's hat (buyer by buyer: who should win less who wants to), and the nodes move by steps
scaled by the hats' masses, kept non-negative. Nothing here is a bound: bounds come from fresh samples (``dual``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Self, TypeVar

import numpy as np

from expost._typing import Float
from expost.brackets.clock import ENDLESS, Clock, OutOfTime
from expost.brackets.memory import room
from expost.brackets.symmetry import orbits
from expost.brackets.upper.basis import ShadowPrices, Side, mesh_size
from expost.brackets.upper.fibre_lines import LineFibres, draw_line_fibres, fibre_signals
from expost.brackets.upper.level_fibres import LevelFibres, Lines, draw_levels, private_levels
from expost.brackets.upper.mesh_kernel import corners, gather, move
from expost.brackets.upper.samples import FibreSample, draw_fibres, outer_points
from expost.brackets.workers import Threads, Workers
from expost.spaces.mesh import shifted_grid
from expost.spaces.quantile_space import QuantileSpace

PARTS = 2
"""Parts of a sample for each buyer, each handled by one thread."""
PANELS = 8
"""Panels of a line, at least."""
MANY = 4
"""Buyers from whom on each one's fibres are one part."""
AHEAD = 8
"""Samples whose states of the others are drawn at once."""
RECENT = 0.02
"""What the latest step counts in the mean over the last ones."""
Fibres = FibreSample | LineFibres | LevelFibres
"""Some fibres of one buyer."""
BYTES = 52
"""Of memory for each state of a sample."""


@dataclass(frozen=True)
class Steps:
    """How a fit proceeds.

    fibres: of each sample, per buyer. samples: how many take turns. steps: how many steps. refresh: after how many
    steps one of them is replaced by a fresh one; 0: never. rate: first and last length of a step for each unit of the
    subgradient (unit: multiples of the base); steps of one length (Adam's) blow up the noise that is all that is left
    of it where shadow prices are 0, or have their place. smoothing: first and last (unit: values, relative to the mean
    best gain). reach: see ``LinePlan``. together: whether a unit of the subgradient is that of all buyers' samples
    together, and not of one's."""

    fibres: int = 512
    samples: int = 4
    steps: int = 600
    refresh: int = 0
    rate: tuple[float, float] = (3.0, 0.1)
    smoothing: tuple[float, float] = (3e-3, 3e-4)
    reach: ClassVar[float] = 0.0
    together: ClassVar[bool] = False

    def resumed(self) -> Self:
        """The same from a good start: shorter steps."""
        return replace(self, rate=(0.4 * self.rate[0], self.rate[1]))

    def shortened(self, share: float) -> Self:
        """The same with steps of ``share`` of the length."""
        return replace(self, rate=(share * self.rate[0], share * self.rate[1]))

    def length(self, done: float) -> float:
        """Of a step, ``done`` (0 to 1) of the way."""
        first, last = self.rate
        return float(first * (last / first) ** done)


@dataclass(frozen=True)
class FitPlan(Steps):
    """A fit on random types. types, rows: of each fibre."""

    types: int = 1024
    rows: int = 24

    def states(self, nodes: int) -> int:
        """Of a fibre, on a mesh with so many ``nodes`` per signal."""
        del nodes
        return self.types


@dataclass(frozen=True)
class LinePlan(Steps):
    """A fit line by line (see ``fibre_lines``). lines, prices: of each fibre; a line has a panel for every cell of the
    mesh, ``PANELS`` at least. reach: steps are in proportion to where a node is and this much more, for what piles up
    in few nodes has far to go, and what is 0 should stay there."""

    lines: int = 32
    prices: int = 96
    reach: ClassVar[float] = 0.5

    def states(self, nodes: int) -> int:
        """Of a fibre, on a mesh with so many ``nodes`` per signal."""
        return self.lines * (2 * self.panels(nodes) + 1)

    def panels(self, nodes: int) -> int:
        """Of a line, on a mesh with so many ``nodes`` per signal."""
        return max(nodes - 1, PANELS)


@dataclass(frozen=True)
class LevelPlan(Steps):
    """A fit on levels of equal value (see ``level_fibres``). lines: of each fibre, with so many ``types``."""

    lines: int = 16
    types: int = 32
    together: ClassVar[bool] = True

    def followed(self, plans: Sequence[LevelPlan]) -> LevelPlan:
        """One fit instead of this one and the ``plans`` that follow, on samples of this size: as much work as all of
        them, from the first length of its steps to the last one's last."""
        work = sum(plan.steps * plan.fibres * plan.lines for plan in (self, *plans))
        last = plans[-1].rate[1] if plans else self.rate[1]
        return replace(self, steps=work // (self.fibres * self.lines), rate=(self.rate[0], last))

    def states(self, nodes: int) -> int:
        """Of a fibre, on a mesh with so many ``nodes`` per signal."""
        del nodes
        return self.lines * self.types


Plan = TypeVar("Plan", bound=FitPlan | LinePlan | LevelPlan)


def fit_prices(
    space: QuantileSpace,
    start: ShadowPrices,
    plan: FitPlan | LinePlan | LevelPlan,
    rng: np.random.Generator,
    *,
    clock: Clock = ENDLESS,
    workers: Workers | None = None,
    symmetric: bool = False,
) -> list[ShadowPrices]:
    """The last shadow prices of a fit on the mesh of ``start``, and their mean over the last steps, which has less of
    the samples' noise; stops early when the clock runs out. symmetric: the buyers are exchangeable
    (see ``symmetry``)."""
    plan = _fitting(plan, space.n, start.nodes)
    unknowns = _Unknowns(start, symmetric, isinstance(plan, LevelPlan))
    drawing = _Drawing(space, start, plan, rng, symmetric)
    with (workers or Workers(1)).threads() as pool:
        try:
            samples = [drawing.sample(pool, clock) for _ in range(plan.samples)]
        except OutOfTime:
            return [start]
        scale = space.n * sum(float(part.efficient.mean()) for part in samples[0]) / len(samples[0])
        scale = max(scale, 1e-300)
        masses = [mass * (space.n if plan.together else 1) for mass in _masses(unknowns, samples, pool)]
        numbers, mean = ([part.copy() for part in unknowns.folded(start.parts)] for _ in range(2))
        momenta = [np.zeros(part.shape) for part in numbers]
        for step, done in clock.paced(plan.steps):
            if plan.refresh and step and step % plan.refresh == 0:
                samples[step // plan.refresh % len(samples)] = drawing.sample(pool)
            smoothing = scale * plan.smoothing[0] * (plan.smoothing[1] / plan.smoothing[0]) ** done
            here = samples[step % len(samples)]
            u = unknowns.seen(numbers)
            one = partial(_subgradient, unknowns, u, smoothing=smoothing, buyers=space.n / len(here))
            slopes = _summed(pool.map(one, here))
            how = plan.length(done), plan.reach, max(RECENT, 1.0 / (1 + step))
            for arrays in zip(numbers, slopes, masses, momenta, mean, strict=True):
                move(*(array.reshape(-1) for array in arrays), *how)
    return [unknowns.prices(numbers), unknowns.prices(mean)]


class _Unknowns:
    """What is fitted: the numbers on the meshes of ``start``, of exchangeable buyers one for all nodes that their
    changing places makes the same. levels: whether fibres are ``LevelFibres``, which of exchangeable buyers see one
    side alone."""

    def __init__(self, start: ShadowPrices, symmetric: bool, levels: bool) -> None:
        self.start, self.orbits = start, orbits(start.mesh.shape) if symmetric else None
        self.side = self.orbits if levels else None

    def folded(self, parts: Sequence[Float]) -> list[Float]:
        """Numbers on the meshes as unknowns: means over the nodes of each."""
        if self.orbits is None:
            return list(parts)
        mesh, *pile = parts
        ridge = self.start.ridge
        return [
            self.orbits.means(mesh),
            *(replace(ridge, mesh=one).symmetrized().mesh for one in pile if ridge is not None),
        ]

    def seen(self, numbers: Sequence[Float]) -> ShadowPrices | Side:
        """The shadow prices with these unknowns, as fibres see them."""
        return self.prices(numbers) if self.side is None else Side(self.side.spread_on_side(numbers[0]))

    def gathered(self, fibres: Fibres, weights: Float, pile: Float | None = None) -> list[Float]:
        """``weights`` of the states, and ``pile`` of the types on the ridge, as means over each unknown's nodes."""
        if self.side is not None and isinstance(fibres, LevelFibres):
            count, own = self.side.side.shape
            return [self.side.means_of_side(fibres.gathered_side((count, own), weights))]
        return self.folded(gathered(self.start, fibres, weights, pile))

    def prices(self, numbers: Sequence[Float]) -> ShadowPrices:
        """The shadow prices with these unknowns."""
        mesh, *pile = numbers
        return self.start.with_parts([mesh if self.orbits is None else self.orbits.spread(mesh), *pile])


def _summed(found: Sequence[Sequence[Float]]) -> list[Float]:
    """Sums over the parts of a sample, of each mesh."""
    total = [part.copy() for part in found[0]]
    for parts in found[1:]:
        for kept, part in zip(total, parts, strict=True):
            np.add(kept, part, out=kept)
    return total


def _fitting(plan: Plan, n: int, nodes: int) -> Plan:
    """The plan with as many and as large samples as fit into the memory."""
    while not room(plan.samples * n * plan.fibres * plan.states(nodes) * BYTES):
        if plan.samples > 1:
            plan = replace(plan, samples=plan.samples // 2)
        elif plan.fibres > 2 * PARTS:
            plan = replace(plan, fibres=plan.fibres // 2)
        else:
            break
    return plan


class _Drawing:
    """What draws samples, in parts: some fibres of one buyer each, with a stream of their own, as threads draw them.

    The others' states of fibres in lines lie on a grid with a random offset, which counts every node of the mesh alike;
    scrambled points lie closer to one node than to the next. Of exchangeable buyers one speaks for both there."""

    def __init__(
        self,
        space: QuantileSpace,
        start: ShadowPrices,
        plan: FitPlan | LinePlan | LevelPlan,
        rng: np.random.Generator,
        symmetric: bool,
    ) -> None:
        self.one, self.rng = _drawn(space, start, plan), rng
        lines = isinstance(plan, LinePlan)
        # exchangeable buyers' shadow prices are the same from every side
        self.others = orbits(start.mesh.shape).others if symmetric and isinstance(plan, LevelPlan) else None
        self.outer = [
            _grids(plan.fibres, space.dims[1 - i], rng) if lines else _points(space, i, plan.fibres, rng)
            for i in range(1 if lines and symmetric else space.n)
        ]

    def sample(self, pool: Threads, clock: Clock = ENDLESS) -> list[Fibres]:
        """One sample. Raises OutOfTime."""
        parts = [
            (i, some)
            for i, points in enumerate(self.outer)
            for some in np.array_split(next(points), PARTS if len(self.outer) < MANY else 1)
            if len(some)
        ]
        return pool.map(partial(self._part, clock=clock), zip(parts, self.rng.spawn(len(parts)), strict=True))

    def _part(self, task: tuple[tuple[int, Float], np.random.Generator], clock: Clock) -> Fibres:
        (i, outer), rng = task
        clock.check()
        found = self.one(i, outer, rng)
        if self.others is not None and isinstance(found, LevelFibres):
            return found.folded(self.others)
        return found


def _grids(fibres: int, dims: int, rng: np.random.Generator) -> Iterator[Float]:
    """The others' states of one sample after another."""
    while True:
        yield shifted_grid(fibres, dims, rng)


def _points(space: QuantileSpace, i: int, fibres: int, rng: np.random.Generator) -> Iterator[Float]:
    """The same, scrambled: several samples at once, for it is scrambling that takes time."""
    while True:
        points = outer_points(space, i, AHEAD * fibres, rng)
        yield from (points[start : start + fibres] for start in range(0, len(points), fibres))


def _drawn(
    space: QuantileSpace, start: ShadowPrices, plan: FitPlan | LinePlan | LevelPlan
) -> Callable[[int, Float, np.random.Generator], Fibres]:
    """What draws the fibres of a buyer at some states of the others."""
    if isinstance(plan, LinePlan):
        along, panels = fibre_signals(space), plan.panels(start.nodes)
        assert along is not None
        return lambda i, outer, rng: draw_line_fibres(
            space, along, i, outer, plan.lines, panels, plan.prices, start, rng
        )
    if isinstance(plan, LevelPlan):
        private, size = private_levels(space), Lines(plan.lines, plan.types)
        assert private is not None
        return lambda i, outer, rng: draw_levels(space, private[i], i, outer, size, start, rng)
    return lambda i, outer, rng: draw_fibres(
        space, i, outer, plan.types, plan.rows, start.nodes, start.floor, rng, start.ridge
    )


def _masses(unknowns: _Unknowns, samples: list[list[Fibres]], pool: Threads) -> list[Float]:
    """E[base x hat] of every node, or its mean over those that are one unknown."""
    count = len(samples) * len(samples[0])

    def one(fibres: Fibres) -> list[Float]:
        weights = (measure / count for measure in fibres.measures)
        return unknowns.gathered(fibres, *weights)

    found = _summed(pool.map(one, (fibres for sample in samples for fibres in sample)))
    return [mass + 1e-3 * mass.mean() + 1e-300 for mass in found]


def _subgradient(
    unknowns: _Unknowns, u: ShadowPrices | Side, fibres: Fibres, smoothing: float, buyers: float
) -> list[Float]:
    """Of every node of each part of ``u``, averaged over its hat, from some fibres of one buyer that stand for
    ``buyers`` of them."""
    if isinstance(fibres, LevelFibres):
        slopes: tuple[Float, ...] = fibres.slopes(u, smoothing)
    else:
        assert isinstance(u, ShadowPrices)
        slopes = fibres.slopes(u, smoothing)
    return unknowns.gathered(fibres, *(buyers * slope for slope in slopes))


def gathered(u: ShadowPrices, fibres: Fibres, weights: Float, pile: Float | None = None) -> tuple[Float, ...]:
    """``weights`` (P, Q) of the states at the nodes of the mesh, and ``pile`` (P, R) of the types on the ridge at the
    nodes of the ridge."""
    if isinstance(fibres, LevelFibres):
        return (fibres.gathered(u, weights),)
    mesh = spread(u, fibres, weights)
    if u.ridge is None or fibres.ridge is None or pile is None:
        return (mesh,)
    return mesh, u.ridge.spread(fibres.buyer, fibres.ridge, pile)


def spread(u: ShadowPrices, fibres: FibreSample | LineFibres, weights: Float) -> Float:
    """The transpose of interpolation: ``weights`` (P, Q) of the states gathered at the nodes, in the mesh's shape."""
    at_nodes = np.zeros((fibres.outer.shape[1], fibres.inner.shape[1]))
    gather(weights, *corners(fibres.outer), *corners(fibres.inner), at_nodes)
    own = u.mesh.shape[fibres.buyer]
    others = [k for j, k in enumerate(u.mesh.shape) if j != fibres.buyer]
    return np.moveaxis(at_nodes.reshape(*others, own), -1, fibres.buyer)


def largest_nodes(dims: tuple[int, ...], limit: int) -> int:
    """The most nodes per signal, from 1, 2, 3, 5, 6, 7, 9, 17, 33, whose mesh has at most ``limit`` nodes and few
    enough corners around every point."""
    corners = max(sum(dims) - own for own in dims)
    return max(
        (k for k in (1, 2, 3, 5, 6, 7, 9, 17, 33) if mesh_size(dims, k) <= limit and (k == 1 or corners < 9)),
        default=1,
    )
