"""The welfare of one buyer in a completion on samples, and its gradient in the given strikes, compiled."""

from __future__ import annotations

import numpy as np

from expost._compiled import compiled
from expost._typing import Float, Int64


@compiled(nogil=True)
def _reach(margin: Float, value: Float, j: int, k: int, units: int) -> tuple[float, int]:
    """The value where, from node j to its neighbour k, the last earlier buyer starts to lose, and who that is; -1:
    nobody. With several units: the one after whom fewer are left than there are units."""
    rise = value[k] - value[j]
    left = units
    for e in range(len(margin)):
        if units > 1 and margin[e, j] > 0.0 and margin[e, k] > 0.0:
            left -= 1
    bar, who = np.inf, -1
    for _ in range(max(left, 1)):
        found, last = value[j], -1
        for e in range(len(margin)):
            if margin[e, j] > 0.0 and -np.inf < margin[e, k] <= 0.0:
                reach = value[j] + rise * margin[e, j] / (margin[e, j] - margin[e, k])
                if reach > found and (reach < bar or (reach == bar and e > who)):
                    found, last = reach, e
        bar, who = found, last
        if last < 0:
            break
    return bar, who


@compiled(nogil=True)
def _link(margin: Float, value: Float, j: int, k: int, e: int, link: Int64, slope: Float) -> None:
    """Note where a supremum lies, between nodes j and k, and how it moves with the strike of buyer e at both."""
    link[0], link[1], link[2] = j, k, e
    rise, whole = value[k] - value[j], margin[e, j] - margin[e, k]
    slope[0] = rise * margin[e, k] / whole**2
    slope[1] = -rise * margin[e, j] / whole**2


@compiled(nogil=True)
def _suprema(
    margin: Float,
    best: Float,
    value: Float,
    nodes: int,
    dims: int,
    first: int,
    top: Float,
    link: Int64,
    slope: Float,
    units: int,
) -> None:
    """One state against buyer k's fine grid, flattened: his suprema ``top`` by node of his first level (one if
    ``first`` < 0), located between neighbouring nodes where the last of the earlier buyers starts to lose. margin:
    (E, nodes**dims), V_j less theta_j of every earlier buyer; best: their maxima. ``link`` (bins, 3): those two nodes
    and the buyer; ``slope`` (bins, 2): the derivatives in his strike at the two. Not a bound, unlike ``Suprema``."""
    top[:] = -np.inf
    link[:] = 0
    slope[:] = 0.0
    for j in range(len(value) - 1, -1, -1):  # values mostly rise: the supremum is met early
        if best[j] <= 0.0:
            continue
        b = (j // nodes ** (dims - 1 - first)) % nodes if first >= 0 else 0
        if value[j] > top[b]:
            top[b] = value[j]
            slope[b, 0], slope[b, 1] = 0.0, 0.0
        stride = 1
        for _ in range(dims):
            place = (j // stride) % nodes
            for move in (-1, 1):
                k = j + move * stride
                if 0 <= place + move < nodes and value[k] > top[b]:
                    found, last = _reach(margin, value, j, k, units)
                    if last >= 0 and found > top[b]:
                        top[b] = found
                        _link(margin, value, j, k, last, link[b], slope[b])
            stride *= nodes
    for b in range(len(top) - 2, -1, -1):
        if top[b + 1] > top[b]:
            top[b] = top[b + 1]
            link[b] = link[b + 1]
            slope[b] = slope[b + 1]


@compiled(nogil=True)
def _chance(margin: float, width: float) -> float:
    """A smooth step of the given width."""
    ratio = margin / width
    if ratio > 30.0:
        return 1.0
    if ratio < -30.0:
        return 0.0
    return 1.0 / (1.0 + np.exp(-ratio))


@compiled(nogil=True)
def _margins(
    lead: Float, strikes: Float, column: Int64, weight: Float, margin: Float, best: Float, units: int
) -> None:
    """Fills ``margin`` (E, nodes**dims): every earlier buyer's value less his strike, which is interpolated; and their
    maxima ``best``, of k units the k-th largest of them."""
    buyers, places = lead.shape
    best[:] = -np.inf
    for e in range(buyers):
        for j in range(places):
            strike = 0.0
            for c in range(column.shape[1]):
                strike += weight[j, c] * strikes[e, column[j, c]]
            margin[e, j] = lead[e, j] - strike
            best[j] = max(best[j], margin[e, j])
    if units > 1:
        for j in range(places):
            best[j] = np.sort(margin[:, j])[buyers - units] if buyers >= units else -np.inf


@compiled(nogil=True)
def rough_kernel(
    values: Float,
    given: Float,
    column: Int64,
    weights: Float,
    nodes: int,
    dims: int,
    first: int,
    units: int,
    found: Float,
) -> None:
    """Fills ``found`` (P, nodes if first >= 0 else 1) with the suprema of one later buyer in P states, by node of his
    first level. values: (P, E + 1, nodes**dims) on his grid, of his E earlier buyers and then his own. given: their
    strikes on the mesh of his levels (P, E, mesh), to be interpolated with ``weights`` at ``column``."""
    bins, earlier = found.shape[1], given.shape[1]
    margin, best = np.empty((earlier, values.shape[2])), np.empty(values.shape[2])
    link, slope = np.zeros((bins, 3), dtype=np.int64), np.zeros((bins, 2))
    for i in range(len(values)):
        _margins(values[i, :earlier], given[i], column, weights, margin, best, units)
        _suprema(margin, best, values[i, earlier], nodes, dims, first, found[i], link, slope, units)


@compiled(nogil=True)
def welfare_gradient(
    lead: Float,
    strikes: Float,
    column: Int64,
    weights: Float,
    fine: Float,
    nodes: int,
    dims: int,
    first: int,
    value: Float,
    gain: Float,
    given: Float,
    cell: Int64,
    part: Float,
    level: Float,
    width: float,
    grad: Float,
    link: Int64,
    push: Float,
    units: int,
) -> float:
    """The mean welfare from one buyer over P states of the others and Q own types, with steps smoothed over ``width``
    (unit: values).

    lead: values of his E earlier buyers on his fine grid, (P, E, nodes**dims). strikes: their given strikes on the mesh
    of his levels, (P, E, mesh), to be interpolated with ``weights`` at ``column``, both (nodes**dims, 2**dims). fine:
    (P, nodes**dims), his own value (not read if E = 0). value, gain: (P, Q). given: (P, rows), his own given strike
    by node of his first level, -inf for the last buyer. cell, part: (Q,) where his types lie between those rows.
    level: (Q,), their first level.
    Adds to ``grad`` (P, rows): derivatives in his given strikes. Fills ``link`` (P, bins, 3) and ``push`` (P, bins, 2):
    two nodes of the fine grid and an earlier buyer (by place), and the derivatives in that buyer's strike at these
    nodes; bins = nodes if first >= 0, else 1, also where E = 0."""
    points, types = value.shape
    bins = link.shape[1]
    top, weight = np.full(bins, -np.inf), np.empty(bins)
    slope = np.zeros((bins, 2))
    link[:] = 0
    welfare, later = 0.0, lead.shape[1] > 0
    margin, best = np.empty(lead.shape[1:]), np.empty(lead.shape[2])
    rows = given.shape[1]
    for i in range(points):
        if later:
            _margins(lead[i], strikes[i], column, weights, margin, best, units)
            _suprema(margin, best, fine[i], nodes, dims, first, top, link[i], slope, units)
        weight[:] = 0.0
        for q in range(types):
            place = level[q] * (bins - 1)
            b = min(int(place), max(bins - 2, 0))
            after = min(b + 1, bins - 1)
            share = place - b if np.isfinite(top[after]) else 0.0
            strike = top[b] if share == 0.0 else (1.0 - share) * top[b] + share * top[after]
            near, far = cell[q], min(cell[q] + 1, rows - 1)
            own = given[i, near]
            if part[q] > 0.0:
                own = (1.0 - part[q]) * own + part[q] * given[i, far]
            chance = _chance(value[i, q] - max(strike, own), width)
            welfare += gain[i, q] * chance
            change = -gain[i, q] * chance * (1.0 - chance) / width
            if own > strike:
                grad[i, near] += (1.0 - part[q]) * change
                grad[i, far] += part[q] * change
            else:
                weight[b] += (1.0 - share) * change
                weight[after] += share * change
        for b in range(bins):
            push[i, b, 0], push[i, b, 1] = weight[b] * slope[b, 0], weight[b] * slope[b, 1]
    return welfare / (points * types)
