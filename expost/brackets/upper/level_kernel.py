"""Fibres whose types lie in lines on levels of equal value: shadow prices there, and best responses, compiled.

A line runs along the private level of a fibre's buyer and has L types, at (k + shift) / L; the k-th of a line with
``start`` is on the level of value start + k. Types of one level win together."""

from __future__ import annotations

import numpy as np

from expost._compiled import compiled
from expost._typing import Float, Int32
from expost.brackets.upper.responses import NEVER, falling_path


@compiled(nogil=True, fastmath=True)
def interpolate_lines(
    mesh: Float,
    outer: Int32,
    outer_weights: Float,
    inner: Int32,
    inner_weights: Float,
    stride: int,
    nodes: int,
    shift: Float,
    base: Float,
    out: Float,
) -> None:
    """Fill ``out`` (P, K, L) with ``base`` times the function with the values ``mesh`` (others' nodes, own nodes).

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
        for c in range(lines):
            for a in range(nodes):
                found = 0.0
                for d in range(inner.shape[1]):
                    found += inner_weights[c, d] * row[inner[c, d] + a * stride]
                along[a] = found
            for q in range(types):
                place = (q + shift[f, c]) / types * (nodes - 1)
                a = min(int(place), nodes - 2)
                part = place - a
                out[f, c, q] = base[f, c, q] * ((1.0 - part) * along[a] + part * along[a + 1])


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
            for q in range(types):
                place = (q + shift[f, c]) / types * (nodes - 1)
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
