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
    some = False
    for e in range(len(tails)):
        if before[heads[e]] >= 0:
            kind[heads[e]] = GATE
            some = True
        before[heads[e]] = e
    for e in range(len(tails) if some else 0):
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


TILE = 128
"""Rows next to each other that are handled at once. Along a fibre of the first block rows are so far apart, by a power
of two where grids are, that nearly all of them compete for the same few lines of a cache: so 128 fibres at once."""


@compiled(nogil=True)
def mark_rows(column: Int32, stride: int, marks: UInt8) -> bool:
    """Mark the variables of a column of the rows, int32 (rows,); whether none was marked."""
    for low in range(0, stride, TILE):
        for first in range(low, len(column), stride):
            for r in range(first, min(first + min(TILE, stride - low), len(column))):
                if marks[column[r]]:
                    return False
                marks[column[r]] = 1
    return True


@compiled(nogil=True)
def lay_prices(column: Int32, stride: int, prices: Int64, priced: Int64, origin: int) -> None:
    """Give every variable ``v`` of a column of the rows the price of its row, at ``v - origin``."""
    for low in range(0, stride, TILE):
        for first in range(low, len(column), stride):
            for r in range(first, min(first + min(TILE, stride - low), len(column))):
                priced[column[r] - origin] = prices[r]


@compiled(nogil=True)
def take(winners: Int32, column: Int32, stride: int, x: Int8, taken: UInt8, origin: int) -> None:
    """Note for every variable ``v`` of a column of the rows, at ``v - origin``, whether the other one of its row, of
    the column ``winners``, is 1."""
    for low in range(0, stride, TILE):
        for first in range(low, len(column), stride):
            for r in range(first, min(first + min(TILE, stride - low), len(column))):
                taken[column[r] - origin] = x[winners[r]]


@compiled(nogil=True)
def worth(
    kind: UInt8,
    weights: Float,
    factor: float,
    priced: Int64,
    before: Int32,
    out: Int32,
    arcs: Int64,
    low: int,
    high: int,
) -> int:
    """What the fibres of the variables ``low .. high - 1`` are worth, summed, at prices, int64 (high - low,), of these:
    what of the positive reduced weights does not drain into negative ones further up.

    Weights are ``rint(factor * weights)``. priced: becomes the reduced weights. arcs: int64, becomes the flow.
    """
    total, carried = 0, 0
    v = low
    while v < high:
        if kind[v] >= CHAIN:
            total += carried
            carried = 0
        if kind[v] == GATE:
            v += 1
            continue
        over, under = 0, 0
        end = v
        while end == v or (end < high and kind[end] == INSIDE):
            r = int(np.rint(factor * weights[end])) - priced[end - low]
            priced[end - low] = r
            if r > 0:
                over += r
            else:
                under -= r
            end += 1
        left = max(carried - under, 0)
        for w in range(v, end):
            r = priced[w - low]
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
def respond(kind: UInt8, gain: Float, taken: UInt8, x: Int8, low: int, high: int) -> None:
    """Give the variables ``low .. high - 1`` what is worth most of what is in the fibres' order and leaves out all that
    is taken. Where two are worth the same, the one with fewer groups.

    gain: float64, taken: uint8 (high - low,), 1 where another one has the unit.
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
                if taken[start - low]:
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
        x[end:chosen] = 0
        for v in range(chosen, chosen_end):
            x[v] = not taken[v - low] and gain[v - low] > 0.0
        x[chosen_end:stop] = 1
        stop = end
