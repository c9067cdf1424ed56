"""Random finite sets of types (upper, statistical): the mean of their optima, the first best as a control; and shadow
prices, averaged over them.

A continuum mechanism restricted to any finite set of types is feasible there. So where every type is distributed like
the prior, the expected optimum is at least the continuum's. Static buyers have scrambled Sobol' types, which leave a
quarter of the noise; with two stages, or three buyers and more, the types are a grid with one random offset per signal.
With three buyers or more the proved bound of the linear relaxation stands in for the optimum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from scipy import sparse

from expost._typing import Float
from expost.brackets.clock import ENDLESS, Clock, OutOfTime
from expost.brackets.optimum import optimum
from expost.brackets.records import Estimate
from expost.brackets.starts import first_names, timings
from expost.brackets.statistics import Limit, one_sided
from expost.brackets.upper.basis import ShadowPrices, base_gain
from expost.brackets.upper.ridge import in_band
from expost.brackets.workers import Workers
from expost.formulations.assemble import assemble
from expost.formulations.static import static_block
from expost.formulations.timing import build_blocks
from expost.spaces.mesh import hats
from expost.spaces.quantile_space import QuantileSpace, finite_space, scrambled
from expost.spaces.type_space import Grid, discretize

PILED = 1.2
"""How much denser than everywhere shadow prices are near a surface that is taken to carry a ridge."""


@dataclass(frozen=True)
class FiniteSets:
    """How many random finite sets, and how large. points: types of each buyer (Sobol'), or grid points on each signal
    (``grid``)."""

    points: int
    replicates: int
    grid: bool

    def states(self, space: QuantileSpace) -> int:
        """Information states of one set."""
        if not self.grid:
            return self.points**space.n
        return math.prod(count or self.points for own in space.atoms for count in own)

    @property
    def method(self) -> str:
        """In words."""
        return (
            f"random offsets, mean over grids of {self.points} points per signal"
            if self.grid
            else f"random types, mean over sets of {self.points} Sobol' types per buyer"
        )


@dataclass(frozen=True)
class Solved:
    """One finite set: its bound less its first best, and its shadow prices gathered at the nodes of a mesh: the sums
    over states of u x hat, and of base x hat. near: the sums of u and of base over the states near each surface that
    may carry a ridge."""

    excess: float
    shadow: Float = field(repr=False)
    mass: Float = field(repr=False)
    near: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)


def solve_set(
    seed: np.random.SeedSequence,
    space: QuantileSpace,
    sets: FiniteSets,
    nodes: int,
    floor: float,
    clock: Clock,
    pairs: Sequence[tuple[int, int]] = (),
) -> Solved:
    """Draw one set and solve it; ``pairs``: of levels whose equality may carry a ridge. Raises OutOfTime."""
    rng = np.random.default_rng(seed)
    if sets.grid:
        offset = {signal: float(rng.random()) for signal in space.instance.signals}
        levels = [_grid_levels(space, i, sets.points, offset) for i in range(space.n)]
        types = discretize(space.instance, Grid(sets.points, offset))
        formulation = assemble(types, build_blocks(types, timings(space), first_names(space)))
    else:
        levels = [scrambled(sets.points, dims, rng) for dims in space.dims]
        types = finite_space(space, levels)
        blocks = tuple(static_block(types.values[i], i) for i in range(space.n))
        formulation = assemble(types, blocks)
    solution = optimum(formulation, clock)
    excess = float(solution.bound) - types.first_best
    if not nodes or space.n > 2 or solution.certificate is None:
        return Solved(excess, np.empty(0), np.empty(0))
    one, two = (hats(own, nodes) for own in levels)
    shadow = formulation.shadow_prices(solution.certificate)
    base = base_gain(np.asarray(types.gains), floor, space.units)
    if types.weights is not None:
        shadow, base = (array * types.weights.chances for array in (shadow, base))
    near = {places: (in_band(levels, places, shadow), in_band(levels, places, base)) for places in pairs}
    return Solved(excess, gathered(one, two, shadow), gathered(one, two, base), near)


def _grid_levels(space: QuantileSpace, i: int, points: int, offset: dict[str, float]) -> Float:
    """The levels of buyer i's types on a grid, last signal fastest; of a discrete signal those of its atoms."""
    own = []
    for name in space.stated.buyers[i].signals:
        prior = space.stated.prior(name)
        even = (np.arange(points) + offset[name]) / points
        own.append(even if prior.atoms is None else prior.level(prior.atoms[0]))
    return np.stack(np.meshgrid(*own, indexing="ij"), axis=-1).reshape(-1, space.dims[i])


def gathered(one: sparse.csr_array, two: sparse.csr_array, array: Float) -> Float:
    """``array`` (types of 0, types of 1) summed at the nodes of both buyers' hats."""
    return np.asarray(two.T @ np.asarray(one.T @ array).T).T


def finite_sets(
    space: QuantileSpace,
    sets: FiniteSets,
    seed: np.random.SeedSequence,
    *,
    nodes: int = 0,
    floor: float = 0.0,
    pairs: Sequence[tuple[int, int]] = (),
    clock: Clock = ENDLESS,
    workers: Workers | None = None,
) -> list[Solved | None]:
    """The sets solved, each with its shadow prices on a mesh of ``nodes`` per signal if these are asked for (two
    buyers); None for those that ran out of time. Raises InputError where a set is too large."""
    jobs = min((workers or Workers(1)).count, sets.replicates)
    one = partial(
        _before,
        clock=clock,
        share=jobs / sets.replicates,
        space=space,
        sets=sets,
        nodes=nodes,
        floor=floor,
        pairs=pairs,
    )
    seeds = seed.spawn(sets.replicates)
    return (workers or Workers(1)).map(one, seeds)


def _before(
    seed: np.random.SeedSequence,
    *,
    clock: Clock,
    share: float,
    space: QuantileSpace,
    sets: FiniteSets,
    nodes: int,
    floor: float,
    pairs: Sequence[tuple[int, int]],
) -> Solved | None:
    """One set in its share of the time, or nothing where it is over."""
    try:
        return solve_set(seed, space, sets, nodes, floor, Clock(share * clock.whole), pairs)
    except OutOfTime:
        return None


def mean_limit(solved: Sequence[Solved | None], confidence: float, control: float) -> Limit:
    """The mean bound, less E[V_0] of the sets, with the error of its limit. control: the continuum's first best less
    E[V_0], of which the caller knows the error. Raises OutOfTime where fewer than two were solved."""
    if sum(one is not None for one in solved) < 2:
        raise OutOfTime
    limit = one_sided([None if one is None else one.excess for one in solved], confidence)
    return limit.shifted(control)


def averaged(space: QuantileSpace, solved: list[Solved], nodes: int, floor: float) -> ShadowPrices:
    """The shadow prices of several sets as one function: at every node, all that they lay near it, over all the base
    there."""
    shadow = sum((one.shadow for one in solved), np.zeros(solved[0].shadow.shape))
    mass = sum((one.mass for one in solved), np.zeros(solved[0].mass.shape))
    mesh = shadow / (mass + 1e-3 * mass.mean() + 1e-300)
    return ShadowPrices(space.dims, nodes, floor, np.maximum(mesh, 0.0))


def piled(solved: list[Solved]) -> tuple[int, int] | None:
    """The pair of levels near whose equality the shadow prices of several sets are densest, the base as the measure;
    None where that is hardly more than everywhere."""
    shadow = sum(float(one.shadow.sum()) for one in solved)
    mass = sum(float(one.mass.sum()) for one in solved)
    dense = {
        places: sum(one.near[places][0] for one in solved)
        * mass
        / max(sum(one.near[places][1] for one in solved) * shadow, 1e-300)
        for places in solved[0].near
    }
    best = max(dense, key=lambda places: dense[places], default=None)
    return best if best is not None and dense[best] >= PILED else None


def grid_excess(space: QuantileSpace, points: int, clock: Clock = ENDLESS) -> float:
    """The bound of the midpoint grid, less its first best: for an estimate, no bound of the continuum."""
    types = discretize(space.instance, Grid(points))
    formulation = assemble(types, build_blocks(types, timings(space), first_names(space)))
    return float(optimum(formulation, clock).bound) - types.first_best


def extrapolate(values: tuple[tuple[int, float], ...]) -> Estimate:
    """Richardson's extrapolation of grid optima to infinitely many points, the error taken as a / m (two grids) or
    a / m + b / m**2 (three or more: least squares). An estimate, never a bound."""
    points = np.array([float(m) for m, _ in values])
    powers = np.arange(2 if len(values) < 3 else 3)
    fitted = np.linalg.lstsq(
        points[:, None] ** -powers, np.array([value for _, value in values]), rcond=None
    )[0]
    terms = " + ".join(["a/m", "b/m^2"][: len(powers) - 1])
    return Estimate(float(fitted[0]), f"extrapolation of grid optima, error {terms}", values)
