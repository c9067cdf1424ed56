"""Best responses of fibres to shadow prices: the inner maxima of the dual function, compiled.

A fibre is one row of own types at fixed signals of the others, with net gains ``w - u``. Static: the best price, i.e.
the best upper set of the order of values. Sequential: the best strikes that do not rise in the first signal.
Responses add to ``wins`` the chance that each type wins; maxima are per type (already divided by the types of a
fibre)."""

from __future__ import annotations

import numpy as np

from expost._compiled import compiled
from expost._typing import Float, Int32

NEVER = 36.0
"""A price is not drawn whose total is as many times the smoothing behind the largest: its chance is below rounding."""


@compiled(nogil=True, fastmath=True)
def static_response(
    net: Float, value: Float, order: Int32, width: float, smoothing: float, wins: Float, best: Float
) -> None:
    """``net``, ``value``, ``order`` (F, T): types of each fibre by increasing value; fills ``best`` (F,) with the
    maxima over prices. Types whose values differ by at most ``width`` are free of each other at a price.

    With ``smoothing`` > 0 (unit: values) also ``wins`` (F, T): the chance to win when prices are drawn with probability
    proportional to exp(total / smoothing), whose expectation is a gradient of the smoothed maximum.
    """
    fibres, types = net.shape
    total = np.empty(types + 1)
    for f in range(fibres):
        running, top, free = 0.0, 0.0, 0.0
        last = value[f, order[f, types - 1]]
        total[types] = 0.0
        for k in range(types - 1, -1, -1):
            j = order[f, k]
            if last - value[f, j] > width:
                free = running
            last = value[f, j]
            running += net[f, j]
            free += max(net[f, j], 0.0)
            total[k] = running / types
            top = max(top, free / types)
        best[f] = top
        if smoothing > 0.0:
            mass, peak = 0.0, total.max()
            for k in range(types + 1):
                behind = (peak - total[k]) / smoothing
                total[k] = np.exp(-behind) if behind < NEVER else 0.0
                mass += total[k]
            below = 0.0
            for k in range(types):
                below += total[k]
                wins[f, order[f, k]] = below / mass


@compiled(nogil=True, fastmath=True)
def _row_totals(
    net: Float, value: Float, order: Int32, low: float, scale: float, total: Float, cut: Int32
) -> None:
    """The best total of one row for a threshold in each bin of values, and how many types lose at it.

    Within a bin every row is free to choose its own threshold: a relaxation, so that maxima are never too low.
    """
    types, bins = len(net), len(total)
    at, running = bins - 1, 0.0
    total[at], cut[at] = 0.0, types
    for k in range(types - 1, -1, -1):
        j = order[k]
        b = min(bins - 1, max(0, int((value[j] - low) * scale)))
        while at > b:
            at -= 1
            total[at], cut[at] = running, k + 1
        running += net[j]
        if running > total[at]:
            total[at], cut[at] = running, k
    while at > 0:
        at -= 1
        total[at], cut[at] = running, 0


@compiled(nogil=True, fastmath=True)
def falling_path(total: Float, chosen: Int32, path: Int32) -> float:
    """The largest sum of one entry of each row of ``total`` (R, T), at places that do not rise: fills ``path`` (R,).
    ``total`` is summed up in place; ``chosen`` (R, T) is room."""
    rows, places = total.shape
    for r in range(1, rows):
        top, arg = -1e300, 0
        for k in range(places - 1, -1, -1):
            if total[r - 1, k] > top:
                top, arg = total[r - 1, k], k
            total[r, k] += top
            chosen[r, k] = arg
    at = 0
    for k in range(1, places):
        if total[rows - 1, k] > total[rows - 1, at]:
            at = k
    best = total[rows - 1, at]
    for r in range(rows - 1, -1, -1):
        path[r] = at
        if r > 0:
            at = chosen[r, at]
    return best


@compiled(nogil=True, fastmath=True)
def sequential_response(
    net: Float,
    value: Float,
    order: Int32,
    rows: int,
    bins: int,
    respond: bool,
    wins: Float,
    best: Float,
    strikes: Float,
) -> None:
    """``net``, ``value`` (F, rows x B): first-stage types in increasing order, each with B second-stage types;
    ``order`` (F, rows x B) sorts each row's types by value. Fills ``best`` (F,) with the maxima over strikes that do
    not rise.

    With ``respond``, fills ``wins`` (F, rows x B) with a best rule and ``strikes`` (F, rows) with the lower end of
    the bin of each row's strike (unit: values)."""
    fibres, types = net.shape
    seconds = types // rows
    total = np.empty((rows, bins))
    cut = np.empty((rows, bins), dtype=np.int32)
    chosen = np.empty((rows, bins), dtype=np.int32)
    path = np.empty(rows, dtype=np.int32)
    for f in range(fibres):
        low, high = value[f].min(), value[f].max()
        scale = bins / max(high - low, 1e-300)
        for a in range(rows):
            here = slice(a * seconds, (a + 1) * seconds)
            _row_totals(net[f, here], value[f, here], order[f, here], low, scale, total[a], cut[a])
        best[f] = falling_path(total, chosen, path) / types
        if respond:
            for a in range(rows):
                at = path[a]
                strikes[f, a] = low + at / scale
                for k in range(seconds):
                    wins[f, a * seconds + order[f, a * seconds + k]] = 1.0 if k >= cut[a, at] else 0.0
