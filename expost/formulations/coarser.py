"""A start for a large program: what is known of a nearby instance on the same grid, or else the second best on a grid
half as fine, its rule that of the coarse state around each fine one, its prices interpolated.

Only where the program is solved as a minimum cut, which can use a guess of its rule and of its prices. The answer does
not depend on it, only how long it takes.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse

from expost._typing import Array, Bool, Float, Place
from expost.errors import InputError
from expost.formulations.assemble import Formulation
from expost.solver.nearby import Nearby
from expost.solver.result import Certificate, Status
from expost.spaces.mesh import hats
from expost.spaces.type_space import Grid, TypeSpace, discretize, type_counts

LEAST_STATES = 40_000
"""Smaller programs are solved before a start would be there."""
LEAST_POINTS = 4
"""Signals with fewer points than twice this keep them."""
MOST_POINTS = 28
"""A coarser grid has no more points: at 64 points of ``jmmz`` a start from 32 takes 2.2 processor seconds, one from 28
takes 1.6, and what is left 35.4 and 35.5 (from 24 points 38.5)."""
SHARE = 0.25
"""Of the time that is left for a start."""


@dataclass(frozen=True, eq=False)
class Known:
    """What is kept of a second best to start nearby ones from.

    allocation: its rule, bool (n, T_1, .., T_n). prices: what one more unit is worth in each state (unit: values), of
    state shape; None without a certificate.
    """

    allocation: Bool = field(repr=False)
    prices: Float | None = field(repr=False)


def start_from(formulation: Formulation, known: Known) -> Nearby | None:
    """What is known of another instance with as many types, said about this program; None where that is no use.

    Values that change a little reorder the types in many fibres, and with them the rows; states stay what they are.
    """
    space = formulation.space
    if not has_use(formulation) or known.allocation.shape != (space.n, *space.shape):
        return None
    prices = None if known.prices is None else _weighted(space, known.prices).ravel()
    return Nearby(prices, rule=formulation.vector(known.allocation))


def coarse_start(formulation: Formulation, time_limit: float | None = None) -> Nearby | None:
    """What the second best on a grid half as fine says about the program; None where there is none, or no use for it.

    time_limit: seconds for the whole solve, of which the start takes a share. Raises KeyboardInterrupt on Ctrl-C.
    """
    begun = time.perf_counter()
    coarse = _coarser(formulation)
    if coarse is None:
        return None
    limit = None if time_limit is None else SHARE * time_limit
    start = coarse_start(coarse, limit)
    if limit is not None:
        limit = max(limit - (time.perf_counter() - begun), 1e-3)
    from expost.solver.mincut.backend import solve_mincut

    found = solve_mincut(coarse.program, time_limit=limit, nearby=start, extremes=False)
    if found.status is Status.INTERRUPTED:  # there is nothing yet that could be answered
        raise KeyboardInterrupt
    if found.x is None or not isinstance(found.certificate, Certificate):
        return None
    maps = [cells_of(formulation.space, coarse.space, i) for i in range(2)]
    before, after = (between(formulation.space, coarse.space, i) for i in range(2))
    prices = before @ (after @ coarse.shadow_prices(found.certificate).T).T
    allocation = coarse.allocation(found.x).take(maps[0], axis=1).take(maps[1], axis=2)
    return Nearby(_weighted(formulation.space, prices).ravel(), rule=formulation.vector(allocation))


def _coarser(formulation: Formulation) -> Formulation | None:
    """The same program on a grid half as fine, or None."""
    from expost.formulations.second_best import formulate

    space, settings = formulation.space, formulation.settings
    if settings is None or not has_use(formulation):
        return None
    if type_counts(space.instance, space.grid) != space.shape:
        return None
    points = {
        signal: max(
            min(space.grid.size(signal) // 2, MOST_POINTS), min(LEAST_POINTS, space.grid.size(signal))
        )
        for signal in space.instance.signals
    }
    try:
        coarse = discretize(space.instance, Grid(points, space.grid.offset))
        # signals with atoms keep them all: there may be nothing coarser
        return (
            None
            if coarse.states > space.states // 2
            else formulate(coarse, replace(settings, grid=coarse.grid))
        )
    except InputError:  # on other points a formula may fail, or values fall where they have to rise
        return None


def has_use(formulation: Formulation) -> bool:
    """Whether the program is one minimum cut without fixings, and takes longer than a start."""
    space, settings = formulation.space, formulation.settings
    if settings is None or settings.conditional or settings.symmetric:
        return False
    return space.n == 2 and space.units == 1 and space.states >= LEAST_STATES


def cells_of(space: TypeSpace, coarse: TypeSpace, i: int) -> Place:
    """The coarse type around each type of buyer ``i``, (T_i,)."""
    types = np.zeros(1, dtype=np.intp)
    for signal in space.instance.buyers[i].signals:
        fine, few = space.grid.size(signal), coarse.grid.size(signal)
        types = (types[:, None] * few + (2 * np.arange(fine) + 1) * few // (2 * fine)).ravel()
    return types


def between(space: TypeSpace, coarse: TypeSpace, i: int) -> sparse.csr_array:
    """What interpolates between the coarse types around each type of buyer ``i``, linearly in every signal: sparse
    (T_i, coarse T_i).

    The prices of ``jmmz`` at 24 points are a bound 1.1% above the optimum at 48 where each cell has its own, 0.7% where
    they are interpolated.
    """
    signals = space.instance.buyers[i].signals
    lines = [np.unique(coarse.types[i][signal]) for signal in signals]
    counts = [len(line) for line in lines]
    if math.prod(counts) != coarse.shape[i]:  # a signal that has a point twice
        cells = cells_of(space, coarse, i)
        return sparse.csr_array(sparse.eye_array(coarse.shape[i], format="csr")[cells])
    places = [
        np.interp(space.types[i][signal], line, np.linspace(0.0, 1.0, len(line)))
        for signal, line in zip(signals, lines, strict=True)
    ]
    return hats(np.stack(places, axis=1), counts)


def _weighted(space: TypeSpace, prices: Float) -> Array:
    """Prices in the unit of values as multipliers of the packing rows, which are in that of the weights."""
    return prices * (1.0 / space.states if space.weights is None else space.weights.chances)
