"""Fibres whose types lie in lines on levels of equal value: shadow prices there, and best responses, compiled.

A line runs along the private level of a fibre's buyer and has L types, at (k + shift) / L; the k-th of a line with
``start`` is on the level of value start + k. Types of one level win together."""

from __future__ import annotations

import numpy as np

from expost._compiled import compiled
from expost._typing import Float, Float32, Int32
from expost.brackets.upper.responses import NEVER, falling_path


@compiled(nogil=True)
def fill_lines(
    low: Float,
    rise: Float,
    shift: Float,
    buyer: int,
    floor: float,
    blend: float,
    gains: Float,
    base: Float,
    share: Float32,
    efficient: Float,
) -> None:
    """Fill the buyer's ``gains``, the ``base`` (see ``base_gain``), his ``share`` (see ``units_of``), all (P, K, L),
    and the mean of what he gains where he should win, ``efficient`` (P,), of one unit: from everybody's gains, which
    are ``low`` (n, P, K) where a line begins and straight, higher by ``rise`` where it ends."""
    buyers, fibres, lines = low.shape
    types = gains.shape[2]
    each, kept = 1.0 / types, 1.0 / buyers
    one, first, second = np.empty(types), np.empty(types), np.empty(types)
    before, after = np.empty(types), np.empty(types)
    for f in range(fibres):
        total = 0.0
        for c in range(lines):
            first[:], second[:], before[:], after[:] = -np.inf, -np.inf, -np.inf, -np.inf
            for j in range(buyers):
                start, slope = low[j, f, c] + rise[j, f, c] * shift[f, c] * each, rise[j, f, c] * each
                for q in range(types):
                    one[q] = start + slope * q
                    second[q] = max(second[q], min(first[q], one[q]))
                    first[q] = max(first[q], one[q])
                if j == buyer:
                    gains[f, c] = one
                elif j < buyer:
                    for q in range(types):
                        before[q] = max(before[q], one[q])
                else:
                    for q in range(types):
                        after[q] = max(after[q], one[q])
            for q in range(types):
                own = gains[f, c, q]
                won = 1.0 if own > before[q] and own >= after[q] and own > 0.0 else 0.0
                total += won * own
                share[f, c, q] = won + (kept if first[q] <= 0.0 else 0.0)
                base[f, c, q] = max((1.0 - blend) * second[q] + blend * first[q], floor)
        efficient[f] = total / (lines * types)


@compiled(nogil=True, fastmath=True)
def net_lines(
    mesh: Float,
    outer: Int32,
    outer_weights: Float,
    inner: Int32,
    inner_weights: Float,
    stride: int,
    nodes: int,
    shift: Float,
    base: Float,
    gains: Float,
    share: Float32,
    net: Float,
    cost: Float,
) -> None:
    """Fill ``net`` (P, K, L) with ``gains`` less ``base`` times the function with the values ``mesh`` (others' nodes,
    own nodes), and ``cost`` (P,) with the mean of ``share`` of what is subtracted.

    outer (P, C): the others' nodes around each fibre; inner (K, D): those of a line where its private level is 0, of
    which there are ``nodes``, ``stride`` apart; shift (P, K)."""
    fibres, lines, types = base.shape
    own = mesh.shape[1]
    row, along = np.empty(own), np.empty(nodes)
    for f in range(fibres):
        row[:] = 0.0
        for k in range(outer.shape[1]):
            weight, node = outer_weights[f, k], outer[f, k]
            for j in range(own):
                row[j] += weight * mesh[node, j]
        total = 0.0
        for c in range(lines):
            for a in range(nodes):
                found = 0.0
                for d in range(inner.shape[1]):
                    found += inner_weights[c, d] * row[inner[c, d] + a * stride]
                along[a] = found
            each = (nodes - 1) / types
            for q in range(types):
                place = (q + shift[f, c]) * each
                a = min(int(place), nodes - 2)
                part = place - a
                shadow = base[f, c, q] * ((1.0 - part) * along[a] + part * along[a + 1])
                net[f, c, q] = gains[f, c, q] - shadow
                total += shadow * share[f, c, q]
        cost[f] = total / (lines * types)


@compiled(nogil=True, fastmath=True)
def gather_lines(
    weights: Float,
    outer: Int32,
    outer_weights: Float,
    inner: Int32,
    inner_weights: Float,
    stride: int,
    nodes: int,
    shift: Float,
    mesh: Float,
) -> None:
    """The transpose: add ``weights`` (P, K, L) of the types to ``mesh`` (others' nodes, own nodes)."""
    fibres, lines, types = weights.shape
    own = mesh.shape[1]
    row, along = np.empty(own), np.empty(nodes)
    for f in range(fibres):
        row[:] = 0.0
        for c in range(lines):
            along[:] = 0.0
            each = (nodes - 1) / types
            for q in range(types):
                place = (q + shift[f, c]) * each
                a = min(int(place), nodes - 2)
                part = place - a
                along[a] += (1.0 - part) * weights[f, c, q]
                along[a + 1] += part * weights[f, c, q]
            for a in range(nodes):
                for d in range(inner.shape[1]):
                    row[inner[c, d] + a * stride] += inner_weights[c, d] * along[a]
        for k in range(outer.shape[1]):
            weight, node = outer_weights[f, k], outer[f, k]
            for j in range(own):
                mesh[node, j] += weight * row[j]


@compiled(nogil=True, fastmath=True)
def static_levels(net: Float, start: Int32, smoothing: float, wins: Float, best: Float) -> None:
    """The maxima over one price between levels of value, ``best`` (P,), of ``net`` (P, K, L) per type; ``start``
    (P, K).

    With ``smoothing`` > 0 (unit: values) also ``wins`` (P, K, L): the chance to win when prices are drawn with
    probability proportional to exp(total / smoothing)."""
    fibres, lines, types = net.shape
    each = 1.0 / (lines * types)
    for f in range(fibres):
        low = start[f].min()
        levels = start[f].max() - low + types
        total = np.zeros(levels + 1)
        for c in range(lines):
            first = start[f, c] - low
            for q in range(types):
                total[first + q] += each * net[f, c, q]
        top = 0.0
        for b in range(levels - 1, -1, -1):
            total[b] += total[b + 1]
            top = max(top, total[b])
        best[f] = top
        if smoothing > 0.0:
            mass, below = 0.0, 0.0
            for b in range(levels + 1):
                behind = (top - total[b]) / smoothing
                total[b] = np.exp(-behind) if behind < NEVER else 0.0
                mass += total[b]
            for b in range(levels + 1):
                below += total[b]
                total[b] = below / mass
            for c in range(lines):
                first = start[f, c] - low
                for q in range(types):
                    wins[f, c, q] = total[first + q]


@compiled(nogil=True, fastmath=True)
def sequential_levels(net: Float, start: Int32, rows: int, respond: bool, wins: Float, best: Float) -> None:
    """The maxima over strikes that do not rise from row to row, each between levels of value: the K lines of ``net``
    (P, K, L) are those of ``rows`` first-stage levels, one after the other. With ``respond`` also ``wins`` (P, K, L),
    1 where a best rule sells."""
    fibres, lines, types = net.shape
    per = lines // rows
    each = 1.0 / (lines * types)
    path = np.empty(rows, dtype=np.int32)
    for f in range(fibres):
        low = start[f].min()
        levels = start[f].max() - low + types
        total = np.zeros((rows, levels + 1))
        chosen = np.empty((rows, levels + 1), dtype=np.int32)
        for c in range(lines):
            first = start[f, c] - low
            for q in range(types):
                total[c // per, first + q] += each * net[f, c, q]
        for r in range(rows):
            for b in range(levels - 1, -1, -1):
                total[r, b] += total[r, b + 1]
        best[f] = falling_path(total, chosen, path)
        if respond:
            for c in range(lines):
                first, strike = start[f, c] - low, path[c // per]
                for q in range(types):
                    wins[f, c, q] = 1.0 if first + q >= strike else 0.0
