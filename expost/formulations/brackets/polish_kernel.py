"""The welfare of a completed pair of strikes on samples, and its gradient in the leader's strikes, compiled."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Index = NDArray[np.int64]


@numba.njit(cache=True, nogil=True, fastmath=False)
def _suprema(
    lead: Float,
    follow: Float,
    tau: Float,
    nodes: int,
    dims: int,
    first: int,
    top: Float,
    link: Index,
    slope: Float,
) -> None:
    """One leader's type against the follower's fine grid, flattened: the follower's suprema ``top`` by node of his
    first level (one if ``first`` < 0), located between neighbouring nodes where the leader starts to lose; ``link``
    (bins, 2) are those nodes and ``slope`` (bins, 2) the derivatives in the leader's strike there. Not a bound,
    unlike ``Suprema``."""
    top[:] = -np.inf
    link[:] = 0
    slope[:] = 0.0
    for j in range(len(lead)):
        margin = lead[j] - tau[j]
        if margin <= 0.0:
            continue
        stride = 1
        b = 0
        if first >= 0:
            b = (j // nodes ** (dims - 1 - first)) % nodes
        if follow[j] > top[b]:
            top[b] = follow[j]
            link[b, 0], link[b, 1], slope[b, 0], slope[b, 1] = j, j, 0.0, 0.0
        for _ in range(dims):
            place = (j // stride) % nodes
            for move in (-1, 1):
                if place + move < 0 or place + move >= nodes:
                    continue
                k = j + move * stride
                lack = tau[k] - lead[k]
                rise = follow[k] - follow[j]
                if lack < 0.0 or rise <= 0.0 or lack == np.inf:
                    continue
                whole = margin + lack
                found = follow[j] + rise * margin / whole
                if found > top[b]:
                    top[b] = found
                    link[b, 0], link[b, 1] = j, k
                    slope[b, 0] = -rise * lack / whole**2
                    slope[b, 1] = -rise * margin / whole**2
            stride *= nodes
    for b in range(len(top) - 2, -1, -1):
        if top[b + 1] > top[b]:
            top[b] = top[b + 1]
            link[b] = link[b + 1]
            slope[b] = slope[b + 1]


@numba.njit(cache=True, nogil=True, fastmath=False)
def _chance(margin: float, width: float) -> float:
    """A smooth step of the given width."""
    ratio = margin / width
    if ratio > 30.0:
        return 1.0
    if ratio < -30.0:
        return 0.0
    return 1.0 / (1.0 + np.exp(-ratio))


@numba.njit(cache=True, nogil=True, fastmath=False)
def welfare_gradient(
    lead_fine: Float,
    follow_fine: Float,
    tau_fine: Float,
    nodes: int,
    dims: int,
    first: int,
    lead: Float,
    follow: Float,
    lead_gain: Float,
    follow_gain: Float,
    tau: Float,
    level: Float,
    row: Index,
    part: Float,
    width: float,
    grad_fine: Float,
    grad: Float,
) -> float:
    """The mean welfare over leader's types (P) and follower's types (Q), with steps smoothed over ``width`` (unit:
    values).

    lead_fine, follow_fine, tau_fine: V_l, V_f and the leader's strike on the follower's fine grid (P, nodes**dims).
    lead, follow, lead_gain, follow_gain, tau: the same and the gains at the follower's sample (P, Q). level: (Q,),
    his first level there. row, part: where each leader's type lies between the rows of the mesh. Fills ``grad_fine``
    (rows, nodes**dims) and ``grad`` (rows, Q): derivatives in the leader's strike at the nodes of the fine grid and
    at the sample."""
    points, types = lead.shape
    bins = nodes if first >= 0 else 1
    top, weight = np.empty(bins), np.empty(bins)
    link, slope = np.empty((bins, 2), dtype=np.int64), np.empty((bins, 2))
    welfare, last = 0.0, grad.shape[0] - 1
    for i in range(points):
        _suprema(lead_fine[i], follow_fine[i], tau_fine[i], nodes, dims, first, top, link, slope)
        weight[:] = 0.0
        near, far = row[i], min(row[i] + 1, last)
        for q in range(types):
            chance = _chance(lead[i, q] - tau[i, q], width)
            if chance > 0.0:
                welfare += lead_gain[i, q] * chance
                push = -lead_gain[i, q] * chance * (1.0 - chance) / width
                grad[near, q] += (1.0 - part[i]) * push
                grad[far, q] += part[i] * push
            place = level[q] * (bins - 1)
            b = min(int(place), max(bins - 2, 0))
            after = min(b + 1, bins - 1)
            share = place - b if np.isfinite(top[after]) else 0.0
            strike = top[b] if share == 0.0 else (1.0 - share) * top[b] + share * top[after]
            chance = _chance(follow[i, q] - strike, width)
            welfare += follow_gain[i, q] * chance
            push = -follow_gain[i, q] * chance * (1.0 - chance) / width
            weight[b] += (1.0 - share) * push
            weight[after] += share * push
        for b in range(bins):
            for end in range(2):
                change = weight[b] * slope[b, end]
                grad_fine[near, link[b, end]] += (1.0 - part[i]) * change
                grad_fine[far, link[b, end]] += part[i] * change
    return welfare / (points * types)
