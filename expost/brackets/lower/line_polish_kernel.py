"""What completions of two buyers earn, from tables, and suprema on lines with their derivatives, compiled."""

from __future__ import annotations

import numpy as np

from expost._compiled import compiled
from expost._typing import Float, Float32, Int64


@compiled(nogil=True)
def looked_up(table: Float, least: Float, step: Float, price: Float, gain: Float, slope: Float) -> None:
    """Fill ``gain`` and ``slope`` (P,) with what is gained above the ``price`` (P,) of each fibre, and how that moves
    with it: ``table`` (P, K) at the prices least[p] + k step[p], straight between them, constant beyond."""
    last = table.shape[1] - 1
    for p in range(len(table)):
        place = (price[p] - least[p]) / step[p]
        slope[p] = 0.0
        if place <= 0.0:
            gain[p] = table[p, 0]
        elif place >= last:
            gain[p] = table[p, last]
        else:
            k = int(place)
            gain[p] = table[p, k] + (place - k) * (table[p, k + 1] - table[p, k])
            slope[p] = (table[p, k + 1] - table[p, k]) / step[p]


@compiled(nogil=True)
def line_suprema(
    lead: Float32, own: Float32, strike: Float, top: Float, line: Int64, place: Int64, slope: Float
) -> None:
    """The follower's suprema against P types of the leader: on each of M lines of his types, of J places each, along
    which his value ``own`` (P, M, J) rises, the value at the last place where the leader's value ``lead`` (P, M, J)
    exceeds his ``strike`` (M, J), straight between places; and of all lines the largest. On ``line`` (P,) it is looked
    first, where that is one: lines need not be followed below what was found.

    Fills ``top`` (P,), -inf where the leader never wins; on which ``line`` and after which ``place`` it lies (-1:
    nowhere); and how it moves with the strikes at this place and the next, ``slope`` (P, 2)."""
    count, lines, places = lead.shape
    for p in range(count):
        guess = line[p] if 0 <= line[p] < lines else 0
        top[p], line[p], place[p], slope[p, 0], slope[p, 1] = -np.inf, -1, 0, 0.0, 0.0
        for n in range(lines):
            m = guess if n == 0 else n - (n <= guess)
            j = places - 1
            while j >= 0 and lead[p, m, j] <= strike[m, j]:
                j = j - 1 if own[p, m, j] > top[p] else -1
            if j < 0:
                continue
            found, first, second = float(own[p, m, j]), 0.0, 0.0
            if j < places - 1:
                here, there = lead[p, m, j] - strike[m, j], lead[p, m, j + 1] - strike[m, j + 1]
                rise, whole = float(own[p, m, j + 1]) - own[p, m, j], here - there
                found += rise * here / whole
                first, second = rise * there / whole**2, -rise * here / whole**2
            if found > top[p]:
                top[p], line[p], place[p], slope[p, 0], slope[p, 1] = found, m, j, first, second
