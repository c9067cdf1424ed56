"""The welfare of two static buyers' strikes on cells, counted cell by cell in many threads (lower, rigorous).

A cell that is won as a whole counts with its mean gain where gains are straight in every level (multilinear, as
p + c1*c2 under uniform priors): that is the gain at its middle. Otherwise, and where it is won in part, with its least
one."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from expost._typing import Float, Int64
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.workers import Workers
from expost.mechanisms.continuum.cells import CellMechanism
from expost.mechanisms.continuum.monotone import straight
from expost.mechanisms.continuum.ranges import Box, Ranges
from expost.spaces.mesh import mesh_points
from expost.spaces.quantile_space import QuantileSpace

STATES = 1 << 19
"""Pairs of cells handled at once."""


class _Cells(NamedTuple):
    """The cells of both buyers, ``size`` per level; rows of places per buyer."""

    size: int
    places: tuple[Float, Float]

    def boxes(self, some: slice) -> list[Box]:
        """Some cells of buyer 1 by all of buyer 2."""
        one, two = ((places / self.size, (places + 1.0) / self.size) for places in self.places)
        return [(one[0][some, None], one[1][some, None]), (two[0][None], two[1][None])]

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


def guaranteed_pairs(
    mechanism: CellMechanism, parts: int, clock: Clock = ENDLESS, workers: Workers | None = None
) -> float:
    """A floor under E[sum_i w_i q_i]: every cell cut into ``parts`` per level and counted with its worst corner.

    Raises NotMonotone where a value or a gain is neither monotone nor a formula, OutOfTime."""
    space = mechanism.space
    even = [straight(space, i, range(2)) for i in range(2)]
    cells = _cells(space, mechanism.points * parts)
    whole = [_whole(places, mechanism.points, parts) for places in cells.places]
    strikes = mechanism.table[0][0][whole[1]], mechanism.table[1][0][whole[0]]
    ranges = [(Ranges(space, i), Ranges(space, i, gain=True)) for i in range(2)]
    one = partial(_won, space, cells, strikes, even, ranges, clock)
    total = sum((workers or Workers(1)).map(one, _chunks(cells)))
    return total / (len(cells.places[0]) * len(cells.places[1]))


def _won(
    space: QuantileSpace,
    cells: _Cells,
    strikes: tuple[Float, Float],
    even: list[bool],
    ranges: list[tuple[Ranges, Ranges]],
    clock: Clock,
    some: slice,
) -> float:
    """What both buyers gain for certain in some cells of buyer 1 by all of buyer 2, summed."""
    clock.check()
    total = 0.0
    boxes = cells.boxes(some)
    for i, strike in ((0, strikes[0][None]), (1, strikes[1][some, None])):
        worst, best = ranges[i][0].on(boxes)
        gain = ranges[i][1].on(boxes).low
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
