"""Two static buyers on fine cells (lower, rigorous): a completion cut into cells, and its welfare counted cell by cell.

The leader's strikes are constant on cells of the follower's levels. The follower's, on every cell of the leader's, is
the largest value that he can have where the leader can win, over all pairs of cells, each at its most favourable
corner: so nobody shares the item anywhere in the continuum. No program is solved, so cells can be fine.

A cell that is won as a whole counts with its mean gain where gains are straight in every level (multilinear, as
p + c1*c2 under uniform priors): that is the gain at its middle. Otherwise, and where it is won in part, with its worst
corner."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from expost._typing import Float, Int64
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.workers import Workers
from expost.mechanisms.continuum.cells import CellMechanism
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.mechanisms.continuum.monotone import directions, straight
from expost.spaces.mesh import hats, mesh_points
from expost.spaces.quantile_space import QuantileSpace

STATES = 1 << 19
"""Pairs of cells handled at once."""


class _Cells(NamedTuple):
    """The cells of both buyers, ``size`` per level; rows of places per buyer."""

    size: int
    places: tuple[Float, Float]

    def corner(self, space: QuantileSpace, i: int, some: slice, *, high: bool, gain: bool = False) -> Float:
        """V_i or w_i at the corner of each pair of cells where it is highest or lowest: some cells of buyer 1 by all of
        buyer 2."""
        levels = []
        for j, places in enumerate(self.places):
            up = (directions(space, i, j, gain=gain) > 0) == high
            levels.append((places + up) / self.size)
        pair = [levels[0][some, None], levels[1][None]]
        amounts = space.gain(i, pair) if gain else space.value(i, pair)
        return np.broadcast_to(amounts, (len(levels[0][some]), len(levels[1])))

    def middle(self, space: QuantileSpace, i: int, some: slice) -> Float:
        """w_i at the middle of each pair of cells."""
        one, two = ((places + 0.5) / self.size for places in self.places)
        return np.broadcast_to(space.gain(i, [one[some, None], two[None]]), (len(one[some]), len(two)))


def _cells(space: QuantileSpace, size: int) -> _Cells:
    one, two = (np.round(mesh_points(size, dims) * (size - 1)) for dims in space.dims)
    return _Cells(size, (one, two))


def _chunks(cells: _Cells) -> list[slice]:
    """Some cells of buyer 1 at a time."""
    step = max(1, STATES // len(cells.places[1]))
    return [slice(start, start + step) for start in range(0, len(cells.places[0]), step)]


def completed_cells(
    mechanism: CompletedMechanism, points: int, clock: Clock = ENDLESS, workers: Workers | None = None
) -> CellMechanism:
    """The completion with ``points`` cells per level. Raises NotMonotone, OutOfTime."""
    space, leader, follower = mechanism.space, mechanism.order[0], mechanism.order[1]
    centres = (_cells(space, points).places[follower] + 0.5) / points
    given = hats(centres, mechanism.nodes) @ mechanism.theta[0][0]
    given[mechanism.outside(leader, [centres, centres], without=leader)] = np.inf
    cells = _cells(space, points)
    one = partial(_lowest, space, cells, leader, given, clock)
    found = (workers or Workers(1)).map(one, _chunks(cells))
    lowest = np.concatenate(found) if leader == 0 else np.max(found, axis=0)
    tables = [np.empty(0), np.empty(0)]
    tables[leader], tables[follower] = given[None], lowest[None]
    return CellMechanism(space, f"completion on cells, {points} per signal", points, tuple(tables))


def _lowest(
    space: QuantileSpace, cells: _Cells, leader: int, given: Float, clock: Clock, some: slice
) -> Float:
    """The follower's values where the leader can win, at their largest: of some cells of buyer 1, or over these."""
    clock.check()
    leads = cells.corner(space, leader, some, high=True)
    follows = cells.corner(space, 1 - leader, some, high=True)
    strikes = given[None] if leader == 0 else given[some, None]
    return np.asarray(np.where(leads > strikes, follows, -np.inf).max(axis=1 - leader))


def guaranteed_pairs(
    mechanism: CellMechanism, parts: int, clock: Clock = ENDLESS, workers: Workers | None = None
) -> float:
    """A floor under E[sum_i w_i q_i]: every cell cut into ``parts`` per level and counted with its worst corner.

    Raises NotMonotone where a value or a gain is not monotone, OutOfTime."""
    space = mechanism.space
    even = [straight(space, i, range(2)) for i in range(2)]
    cells = _cells(space, mechanism.points * parts)
    whole = [_whole(places, mechanism.points, parts) for places in cells.places]
    strikes = mechanism.table[0][0][whole[1]], mechanism.table[1][0][whole[0]]
    one = partial(_won, space, cells, strikes, even, clock)
    total = sum((workers or Workers(1)).map(one, _chunks(cells)))
    return total / (len(cells.places[0]) * len(cells.places[1]))


def _won(
    space: QuantileSpace,
    cells: _Cells,
    strikes: tuple[Float, Float],
    even: list[bool],
    clock: Clock,
    some: slice,
) -> float:
    """What both buyers gain for certain in some cells of buyer 1 by all of buyer 2, summed."""
    clock.check()
    total = 0.0
    for i, strike in ((0, strikes[0][None]), (1, strikes[1][some, None])):
        worst = cells.corner(space, i, some, high=False)
        best = cells.corner(space, i, some, high=True)
        gain = cells.corner(space, i, some, high=False, gain=True)
        partly = np.where(best > strike, np.minimum(gain, 0.0), 0.0)
        mean = cells.middle(space, i, some) if even[i] else gain
        total += float(np.where(worst > strike, mean, partly).sum())
    return total


def _whole(places: Float, points: int, parts: int) -> Int64:
    """The number of the whole cell that each part lies in."""
    number = np.zeros(len(places), dtype=np.int64)
    for column in (places // parts).astype(np.int64).T:
        number = number * points + column
    return number
