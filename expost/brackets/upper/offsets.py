"""Random offsets (upper, statistical): the mean of grid optima over uniformly random offsets, the first best as a
control.

A continuum mechanism restricted to any finite set of types is feasible there, so with one uniformly random offset per
signal the expected grid optimum is at least the continuum's. With three buyers or more the solver's proved bound
stands in for the optimum."""

from __future__ import annotations

import numpy as np
from joblib import Parallel, delayed

from expost.brackets.records import Estimate
from expost.brackets.starts import first_names, timings
from expost.brackets.statistics import Limit, one_sided
from expost.formulations.assemble import assemble
from expost.formulations.timing import build_blocks
from expost.solver.backends import solve_program
from expost.spaces.quantile_space import QuantileSpace
from expost.spaces.type_space import Grid, discretize


def offset_limit(
    space: QuantileSpace,
    points: int,
    confidence: float,
    seed: np.random.SeedSequence,
    control: float,
    *,
    replicates: int = 12,
    jobs: int = 1,
    time_limit: float | None = None,
) -> Limit:
    """The mean bound of grids with ``points`` per signal, less E[V_0] of the grid, with the error of its limit.

    control: the continuum's first best less E[V_0], of which the caller knows the error. Raises InputError when the
    grid is too large."""
    run = Parallel(n_jobs=jobs)
    found = run(delayed(grid_excess)(space, points, child, time_limit) for child in seed.spawn(replicates))
    limit = one_sided(list(found), confidence)
    return Limit(limit.mean + control, limit.error, confidence)


def grid_excess(
    space: QuantileSpace, points: int, seed: np.random.SeedSequence | None, time_limit: float | None = None
) -> float:
    """The bound of one grid, at random offsets (midpoints without a seed), less the first best of the same grid."""
    offset: dict[str, float] | float = 0.5
    if seed is not None:
        rng = np.random.default_rng(seed)
        offset = {signal: float(rng.random()) for signal in space.instance.signals}
    types = discretize(space.instance, Grid(points, offset))
    formulation = assemble(types, build_blocks(types, timings(space), first_names(space)))
    solution = solve_program(formulation.program, time_limit=time_limit)
    return float(solution.bound) - types.first_best


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
