"""Best prices and strikes against cells of the others' types, compiled: see ``dual_cells``."""

from __future__ import annotations

import numpy as np

from expost._compiled import compiled
from expost._typing import Float, Int32, Int64


@compiled(nogil=True)
def cell_response(
    net: Float,
    part: Float,
    whole: Float,
    most: Float,
    low: Int32,
    high: Int32,
    corner: Int64,
    rows: int,
    bins: int,
    best: Float,
) -> None:
    """Fill ``best`` (F,): for each of F cells of the others the mean, over its corners and over the ends of the own
    first-level cells, of the largest total over prices (rows = 1) or over strikes that do not rise.

    net, part (E, C, A): at each end and each of C corners what an own cell brings that is won as a whole, and the most
    that any part of it can bring; whole, most (F, A) or (1, A) are added to them. low, high (F, A): the bins of an own
    cell's least and largest value, cells ordered by row. corner (F, K): which corners are those of each cell. A price
    in bin k wins the cells whose bins all lie above it, and may win any part of those whose bins it is among."""
    ends, _, cells = net.shape
    count, corners = corner.shape
    columns = cells // rows
    step = np.empty(bins + 2)
    total = np.empty(bins + 2)
    for f in range(count):
        g = f if len(whole) > 1 else 0
        found = 0.0
        for e in range(ends):
            for q in range(corners):
                c = corner[f, q]
                total[:] = 0.0
                for row in range(rows):
                    step[:] = 0.0
                    for a in range(row * columns, (row + 1) * columns):
                        some = max(most[g, a] + part[e, c, a], 0.0)
                        step[high[f, a] + 1] += some
                        step[low[f, a]] += whole[g, a] + net[e, c, a] - some
                    running, top = 0.0, -np.inf
                    for k in range(bins + 1, -1, -1):
                        running += step[k]
                        top = max(top, total[k])
                        total[k] = top + running
                found += total.max()
        best[f] = found / (ends * corners * cells)
