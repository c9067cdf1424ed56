"""The dual function bounded cell by cell (upper, rigorous): shadow prices constant on cells, every cell at its most
favourable corner.

With u constant on equal cells of all levels, E[u] is exact. For every cell of the others' levels the inner maximum is
at most

    max_t  mean over own cells of { a  where V > t in the whole cell;  max(a, 0)  where in a part of it;  0  elsewhere
    },

a = (w_i at its highest corner) - u. Needs V_i and w_i monotone in every level, static timing, two buyers and a
constant V_0."""

from __future__ import annotations

import numba
import numpy as np

from expost._typing import Float, Int8, Int64
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.upper.basis import ShadowPrices, base_gain
from expost.mechanisms.continuum.monotone import directions
from expost.spaces.mesh import hats, mesh_points
from expost.spaces.quantile_space import QuantileSpace

Signs = tuple[Int8, Int8]

CHUNK = 1 << 19


@numba.njit(cache=True, nogil=True)
def _maxima(
    net: Float,
    order_low: Int64,
    order_high: Int64,
    low: Float,
    high: Float,
    best: Float,
) -> None:
    """``net``, ``low``, ``high`` (F, T): a, the least and the greatest value of each own cell; orders by increasing
    value."""
    fibres, cells = net.shape
    for f in range(fibres):
        inside = cells - 1
        running, top = 0.0, 0.0
        for k in range(cells - 1, -1, -1):
            j = order_high[f, k]
            while inside >= 0 and low[f, order_low[f, inside]] >= high[f, j]:
                running += min(net[f, order_low[f, inside]], 0.0)
                top = max(top, running)
                inside -= 1
            running += max(net[f, j], 0.0)
            top = max(top, running)
        best[f] = top / cells


def guaranteed_dual(space: QuantileSpace, u: ShadowPrices, cells: int, clock: Clock = ENDLESS) -> float:
    """An upper bound on the second best less E[V_0], with ``cells`` per level. Raises NotMonotone, OutOfTime."""
    total, mean = 0.0, 0.0
    for i in range(2):
        values = directions(space, i, 0), directions(space, i, 1)
        gains = directions(space, i, 0, gain=True), directions(space, i, 1, gain=True)
        best, shadow = _side(space, u, i, cells, values, gains, clock)
        total += best
        mean += 0.5 * shadow
    return total + mean


def _side(
    space: QuantileSpace, u: ShadowPrices, i: int, cells: int, values: Signs, gains: Signs, clock: Clock
) -> tuple[float, float]:
    """Buyer i's maxima and the mean of u."""
    j = 1 - i
    own, others = ((mesh_points(cells, space.dims[k]) * (cells - 1)) for k in (i, j))
    inner = hats((own + 0.5) / cells, u.nodes)
    step = max(1, CHUNK // len(own))
    total = mean = 0.0
    for start in range(0, len(others), step):
        clock.check()
        some = others[start : start + step]

        def at(signs: Signs, end: float, some: Float = some) -> list[Float]:
            pair = [np.empty(0), np.empty(0)]
            pair[i] = ((own + np.where(signs[i] > 0, end, 1.0 - end)) / cells)[None]
            pair[j] = ((some + np.where(signs[j] > 0, end, 1.0 - end)) / cells)[:, None]
            return pair

        middle = space.signals(at(values, 0.5))
        shape = (len(some), len(own))
        base = base_gain(
            np.stack([np.broadcast_to(space.instance.gain(k, middle), shape) for k in range(2)]), u.floor
        )
        shadow = u.evaluate(i, hats((some + 0.5) / cells, u.nodes), inner, base)
        low, high = space.value(i, at(values, 0.0)), space.value(i, at(values, 1.0))
        best = np.empty(len(some))
        _maxima(
            space.gain(i, at(gains, 1.0)) - shadow,
            np.argsort(low, axis=1),
            np.argsort(high, axis=1),
            low,
            high,
            best,
        )
        total += float(best.sum())
        mean += float(shadow.mean(axis=1).sum())
    return total / len(others), mean / len(others)
