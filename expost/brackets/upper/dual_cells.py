"""The dual function bounded cell by cell (upper, rigorous): shadow prices constant on cells, every cell at its most
favourable corner.

With u constant on equal cells of all levels, E[u] is exact. For every cell of the others' levels the inner maximum is
at most

    max_t  mean over own cells of { b  where V > t in the whole cell;  max(a, 0)  where in a part of it;  0  elsewhere
    },

a = (w_i at its highest corner) - u, and b the same with the mean of w_i over the own cell where w_i is straight in
the own levels (affine in each), so that this is w_i at the middle; else b = a. Needs V_i and w_i monotone in every
level, static timing, two buyers and a constant V_0."""

from __future__ import annotations

from functools import partial

import numpy as np

from expost._compiled import compiled
from expost._typing import Float, Int8, Int64
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.upper.basis import ShadowPrices, base_gain
from expost.brackets.workers import Workers
from expost.mechanisms.continuum.monotone import directions, straight
from expost.spaces.mesh import hats, mesh_points
from expost.spaces.quantile_space import QuantileSpace

Signs = tuple[Int8, Int8]

CHUNK = 1 << 19


@compiled(nogil=True)
def _maxima(
    whole: Float,
    part: Float,
    order_low: Int64,
    order_high: Int64,
    low: Float,
    high: Float,
    best: Float,
) -> None:
    """``whole``, ``part``, ``low``, ``high`` (F, T): b, max(a, 0), the least and the greatest value of each own cell;
    orders by increasing value."""
    fibres, cells = part.shape
    for f in range(fibres):
        inside = cells - 1
        running, top = 0.0, 0.0
        for k in range(cells - 1, -1, -1):
            j = order_high[f, k]
            while inside >= 0 and low[f, order_low[f, inside]] >= high[f, j]:
                running += whole[f, order_low[f, inside]] - part[f, order_low[f, inside]]
                top = max(top, running)
                inside -= 1
            running += part[f, j]
            top = max(top, running)
        best[f] = top / cells


def guaranteed_dual(
    space: QuantileSpace,
    u: ShadowPrices,
    cells: int,
    clock: Clock = ENDLESS,
    workers: Workers | None = None,
) -> float:
    """An upper bound on the second best less E[V_0], with ``cells`` per level. Raises NotMonotone, OutOfTime."""
    total = 0.0
    for i in range(2):
        values = directions(space, i, 0), directions(space, i, 1)
        gains = directions(space, i, 0, gain=True), directions(space, i, 1, gain=True)
        own, others = ((mesh_points(cells, space.dims[k]) * (cells - 1)) for k in (i, 1 - i))
        step = max(1, CHUNK // len(own))
        chunks = [others[start : start + step] for start in range(0, len(others), step)]
        even = straight(space, i, (i,))
        one = partial(_part, space, u, i, cells, own, (values, gains), even, clock)
        total += sum((workers or Workers(1)).map(one, chunks)) / len(others)
    return total


def _part(
    space: QuantileSpace,
    u: ShadowPrices,
    i: int,
    cells: int,
    own: Float,
    signs: tuple[Signs, Signs],
    even: bool,
    clock: Clock,
    some: Float,
) -> float:
    """Buyer i's maxima and half of the mean of u, summed over some cells of the other."""
    clock.check()
    j, (values, gains) = 1 - i, signs

    def at(signs: Signs, end: float) -> list[Float]:
        pair = [np.empty(0), np.empty(0)]
        pair[i] = ((own + np.where(signs[i] > 0, end, 1.0 - end)) / cells)[None]
        pair[j] = ((some + np.where(signs[j] > 0, end, 1.0 - end)) / cells)[:, None]
        return pair

    middle = space.signals(at(values, 0.5))
    shape = (len(some), len(own))
    base = base_gain(
        np.stack([np.broadcast_to(space.instance.gain(k, middle), shape) for k in range(2)]), u.floor
    )
    shadow = u.evaluate(i, hats((some + 0.5) / cells, u.nodes), hats((own + 0.5) / cells, u.nodes), base)
    low, high = space.value(i, at(values, 0.0)), space.value(i, at(values, 1.0))
    best = np.empty(len(some))
    part = space.gain(i, at(gains, 1.0)) - shadow
    whole = part
    if even:
        pair = at(gains, 1.0)
        pair[i] = ((own + 0.5) / cells)[None]
        whole = np.broadcast_to(space.gain(i, pair), shape) - shadow
    _maxima(
        whole,
        np.maximum(part, 0.0),
        np.argsort(low, axis=1),
        np.argsort(high, axis=1),
        low,
        high,
        best,
    )
    return float(best.sum() + 0.5 * shadow.mean(axis=1).sum())
