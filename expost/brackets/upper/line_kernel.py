"""The best price of fibres that are given line by line, and the response to it, compiled.

Along a line the value rises. In each of its panels the net gain is the parabola through both ends and the middle, the
value straight between the ends; so what is gained above a price is a sum of cubics, and a smooth function of it."""

from __future__ import annotations

import numpy as np

from expost._compiled import compiled
from expost._typing import Float

NEVER = 36.0
"""A price is not drawn whose total is as many times the smoothing behind the largest: its chance is below rounding."""


@compiled(nogil=True, fastmath=True)
def _beyond(part: float) -> tuple[float, float, float]:
    """What the two ends and the middle of a panel of length 1 count in the integral over its last ``part``: lower end,
    middle, upper end."""
    square, cube = part * part, part * part * part
    return (
        2.0 * cube / 3.0 - 0.5 * square,
        2.0 * square - 4.0 * cube / 3.0,
        part - 1.5 * square + 2.0 * cube / 3.0,
    )


@compiled(nogil=True, fastmath=True)
def line_totals(net: Float, value: Float, weight: Float, least: float, step: float, total: Float) -> None:
    """What one fibre gains above each of the prices ``least`` + k ``step``: fills ``total`` (K,). net, value: (L,
    2 x panels + 1) along each line; weight (L,) of the lines."""
    panels, prices = (net.shape[1] - 1) // 2, len(total)
    total[:] = 0.0
    for line in range(len(net)):
        share = weight[line] / panels
        above, k = 0.0, prices - 1
        for panel in range(panels - 1, -1, -1):
            low, high = value[line, 2 * panel], value[line, 2 * panel + 2]
            first, middle, last = net[line, 2 * panel], net[line, 2 * panel + 1], net[line, 2 * panel + 2]
            while k >= 0 and least + k * step >= high:
                total[k] += share * above
                k -= 1
            while k >= 0 and least + k * step >= low:
                lower, centre, upper = _beyond((high - least - k * step) / (high - low))
                total[k] += share * (above + first * lower + middle * centre + last * upper)
                k -= 1
            above += (first + 4.0 * middle + last) / 6.0
        while k >= 0:
            total[k] += share * above
            k -= 1


@compiled(nogil=True, fastmath=True)
def line_tables(net: Float, value: Float, weight: Float, least: Float, step: Float, total: Float) -> None:
    """``line_totals`` of every fibre: fills ``total`` (F, K)."""
    for f in range(len(net)):
        line_totals(net[f], value[f], weight, least[f], step[f], total[f])


@compiled(nogil=True, fastmath=True)
def line_wins(chance: Float, value: Float, weight: Float, least: float, step: float, wins: Float) -> None:
    """The transpose of ``line_totals``: fills ``wins`` (L, 2 x panels + 1) with what net gains count when prices have
    the chances ``chance`` (K,)."""
    panels, prices = (value.shape[1] - 1) // 2, len(chance)
    for line in range(len(value)):
        share = weight[line] / panels
        below, k = 0.0, 0
        wins[line] = 0.0
        for panel in range(panels):
            low, high = value[line, 2 * panel], value[line, 2 * panel + 2]
            while k < prices and least + k * step < low:
                below += chance[k]
                k += 1
            first, middle, last = below / 6.0, below * 4.0 / 6.0, below / 6.0
            while k < prices and least + k * step < high:
                lower, centre, upper = _beyond((high - least - k * step) / (high - low))
                first += chance[k] * lower
                middle += chance[k] * centre
                last += chance[k] * upper
                below += chance[k]
                k += 1
            wins[line, 2 * panel] += share * first
            wins[line, 2 * panel + 1] += share * middle
            wins[line, 2 * panel + 2] += share * last


@compiled(nogil=True, fastmath=True)
def line_maxima(
    net: Float, value: Float, weight: Float, least: Float, step: Float, prices: int, best: Float
) -> None:
    """The maxima over prices of the fibres, ``best`` (F,), from ``prices`` of them each, at least[f] + k step[f].

    Between prices tried totals are taken to be above the straight line by no more than they are in the middle of two
    intervals together: four times what a parabola is."""
    total = np.empty(prices)
    for f in range(len(net)):
        line_totals(net[f], value[f], weight, least[f], step[f], total)
        best[f] = 0.0
        for k in range(prices):
            best[f] = max(best[f], total[k])
        for k in range(1, prices - 1):
            above = total[k] - 0.5 * (total[k - 1] + total[k + 1])
            if above > 0.0:
                best[f] = max(best[f], max(total[k - 1], total[k], total[k + 1]) + above)


@compiled(nogil=True, fastmath=True)
def line_response(
    net: Float,
    value: Float,
    weight: Float,
    least: Float,
    step: Float,
    prices: int,
    smoothing: float,
    wins: Float,
) -> None:
    """Fill ``wins`` (F, L, 2 x panels + 1) with what net gains count when prices are drawn with probability
    proportional to exp(total / smoothing), whose expectation is a gradient of the smoothed maximum."""
    total = np.empty(prices)
    for f in range(len(net)):
        line_totals(net[f], value[f], weight, least[f], step[f], total)
        peak, mass = total.max(), 0.0
        for k in range(prices):
            behind = (peak - total[k]) / smoothing
            total[k] = np.exp(-behind) if behind < NEVER else 0.0
            mass += total[k]
        for k in range(prices):
            total[k] /= mass
        line_wins(total, value[f], weight, least[f], step[f], wins[f])
