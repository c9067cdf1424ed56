# mypy: disable-error-code="untyped-decorator"
"""Compiled steps through the fibres of a program whose precedence is chains of groups: what they are, what they are
worth at prices, the best response to what others have.

A chain is a sequence of groups of variables, consecutive in their numbering, every member of a group at most every
member of the next. A group of several has a gate, a variable without weight that every member implies and that implies
every member of the next group; a group of one implies them itself, and the last group nobody.
"""

from __future__ import annotations

import numpy as np

from expost._compiled import compiled
from expost._typing import Bool, Float, Int8, Int32, Int64, UInt8

INSIDE, GROUP, CHAIN, GATE = 0, 1, 2, 3
"""What a variable is: a further member of a group, the first one of a group, the first one of a chain, a gate."""
WRONG = 4
"""Nothing that chains of groups have."""


@compiled(nogil=True, _nrt=False)
def find_gates(tails: Int32, heads: Int32, before: Int32, out: Int32, kind: UInt8) -> bool:
    """Note the arc that leads to each variable, and whether it is a gate, to which several lead; whether every variable
    leads to one gate at most, and no gate to a gate."""
    for e in range(len(tails)):
        if before[heads[e]] >= 0:
            kind[heads[e]] = GATE
        before[heads[e]] = e
    for e in range(len(tails)):
        if kind[heads[e]] == GATE:
            if out[tails[e]] >= 0 or kind[tails[e]] == GATE:
                return False
            out[tails[e]] = e
    return True


@compiled(nogil=True, _nrt=False)
def place(
    v: int,
    first: int,
    last: int,
    tails: Int32,
    heads: Int32,
    before: Int32,
    out: Int32,
    kind: UInt8,
    used: Bool,
) -> int:
    """What variable ``v`` is, no gate, after a group that begins with ``first`` and has come to ``last`` (-1: after a
    gate, or the first of all). used: bool (variables,), the gates that something has followed."""
    gate = heads[out[v]] if out[v] >= 0 else -1
    other = heads[out[last]] if last >= 0 and out[last] >= 0 else -1
    if before[v] < 0:
        if last >= 0 and before[last] < 0 and gate >= 0 and gate == other:
            return INSIDE
        return CHAIN if other < 0 else WRONG  # a gate that nothing follows
    if last < 0:
        return WRONG
    lower = tails[before[v]]
    if before[last] >= 0 and tails[before[last]] == lower:
        return INSIDE if gate == other else WRONG
    if kind[lower] == GATE:
        if used[lower] or other != lower:
            return WRONG
        used[lower] = True
        return GROUP
    return GROUP if lower == last and first == last and other < 0 else WRONG


@compiled(nogil=True)
def recognize(tails: Int32, heads: Int32, before: Int32, out: Int32, kind: UInt8) -> bool:
    """Whether these arcs are those of chains of groups, and nothing else.

    before, out: int32 (variables,), begin at -1 and become the arc that leads to a variable, and the one from a member
    to its gate. kind: uint8 (variables,), begins at INSIDE.
    """
    if not find_gates(tails, heads, before, out, kind):
        return False
    used = np.zeros(len(kind), dtype=np.bool_)
    first, last = -1, -1
    for v in range(len(kind)):
        if kind[v] == GATE:
            if last >= 0 and out[last] >= 0:
                return False
            last = -1
            continue
        kind[v] = place(v, first, last, tails, heads, before, out, kind, used)
        if kind[v] == WRONG:
            return False
        first = v if kind[v] != INSIDE else first
        last = v
    return last < 0 or out[last] < 0


@compiled(nogil=True)
def worth(
    kind: UInt8,
    weights: Float,
    factor: float,
    prices: Int64,
    row: Int32,
    before: Int32,
    out: Int32,
    arcs: Int64,
    low: int,
    high: int,
) -> int:
    """What the fibres of the variables ``low .. high - 1`` are worth, summed, at prices, int64 (rows,), of the row that
    each variable is in (-1: none): what of the positive reduced weights does not drain into negative ones further up.

    Weights are ``rint(factor * weights)``. arcs: int64, becomes the flow.
    """
    reduced = np.empty(high - low, dtype=np.int64)
    total, carried = 0, 0
    v = low
    while v < high:
        if kind[v] == GATE:
            total += carried
            carried = 0
            v += 1
            continue
        if kind[v] == CHAIN:
            total += carried
            carried = 0
        over, under = 0, 0
        end = v
        while end == v or (end < high and kind[end] == INSIDE):
            r = int(np.rint(factor * weights[end]))
            if row[end] >= 0:
                r -= prices[row[end]]
            reduced[end - v] = r
            if r > 0:
                over += r
            else:
                under -= r
            end += 1
        left = max(carried - under, 0)
        for w in range(v, end):
            r = reduced[w - v]
            taken = min(carried, max(-r, 0))
            carried -= taken
            if w == end - 1:  # what no member takes goes through one of them
                taken += carried
            if before[w] >= 0:
                arcs[before[w]] = taken
            if out[w] >= 0:
                arcs[out[w]] = max(r + taken, 0)
        carried = left + over
        v = end
    return total + carried


@compiled(nogil=True)
def respond(
    kind: UInt8, gain: Float, row: Int32, taken: UInt8, x: Int8, won: UInt8, low: int, high: int
) -> None:
    """Give the variables ``low .. high - 1`` what is worth most of what is in the fibres' order and leaves out all
    whose row, -1 where there is none, is taken. Where two are worth the same, the one with fewer groups.

    gain: float64 (high - low,). taken, won: uint8 (rows,), 1 where the other block has the unit, and becomes 1 where
    this one does.
    """
    stop = high
    while stop > low:
        if kind[stop - 1] == GATE:
            stop -= 1
            continue
        best, above, chosen, chosen_end, closed = 0.0, 0.0, stop, stop, False
        end = stop
        while True:  # groups from the top of a chain down
            start = end
            whole, part = 0.0, 0.0
            while start == end or kind[start] == INSIDE:
                start -= 1
                if row[start] >= 0 and taken[row[start]]:
                    closed = True
                else:
                    whole += gain[start - low]
                    part += max(gain[start - low], 0.0)
            if above + part > best:
                best, chosen, chosen_end = above + part, start, end
            above += whole
            end = start
            if closed or kind[start] == CHAIN:
                break
        while kind[end] != CHAIN:
            end -= 1
        for v in range(end, stop):
            r = row[v]
            free = r < 0 or not taken[r]
            wins = v >= chosen_end or (v >= chosen and free and gain[v - low] > 0.0)
            x[v] = wins
            if r >= 0:
                won[r] = wins
        stop = end
