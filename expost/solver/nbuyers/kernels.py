# mypy: disable-error-code="untyped-decorator"
"""Compiled steps of the first-order method: projection onto chains of groups, prices of rows, the bound.

A chain is a sequence of groups of variables, every member of a group at most every member of the next. The
nearest point of that set: sort each group by its current values (the projection keeps their order), pool adjacent
violators, clip to [0, 1]. Nothing here holds Python's lock, so that two threads share the chains.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np

from expost._compiled import compiled
from expost._typing import Float, Int8, Int32, UInt8


class Chains(NamedTuple):
    """The program in chains: positions are variables laid out chain by chain, group by group upwards.

    start: int32 (chains + 1,), first position of each chain. opens: uint8 (positions,), 1 where a group begins.
    tied: uint8 (chains,), whether some group of the chain has two members. weight: float64 (positions,).
    at_start, at_row, at_sign: the rows of each position, compressed. row_start, row_position, row_sign: the
    positions of each row. limit: float64 (rows,), ``sum(sign * x) <= limit``; for cuts the sign is
    any small integer. pace: float64 (rows,), how much of the dual step each row takes: less where it is long.
    single: every position is in one row, with the sign 1.
    """

    start: Int32
    opens: UInt8
    tied: UInt8
    weight: Float
    at_start: Int32
    at_row: Int32
    at_sign: Int8
    row_start: Int32
    row_position: Int32
    row_sign: Int8
    limit: Float
    pace: Float
    single: bool


@compiled(nogil=True, _nrt=False)
def sort_groups(opens: UInt8, first: int, size: int, value: Float, rank: Int32) -> None:
    """Order every group of a chain by value, starting from the order of the last time."""
    for k in range(1, size):
        m, held = k, rank[first + k]
        while not opens[first + m] and value[rank[first + m - 1]] > value[held]:
            rank[first + m] = rank[first + m - 1]
            m -= 1
        rank[first + m] = held


@compiled(nogil=True, _nrt=False)
def pool(value: Float, size: int, mean: Float, count: Int32) -> None:
    """The nearest increasing sequence in [0, 1], in place. mean, count: scratch.

    It is 0 up to where the sum of the values is least, and 1 from where the sum of the values less 1 is: two scans
    without branches, and pools of violators only between.
    """
    total, least, zeros = 0.0, 0.0, 0
    shifted, ones = 0.0, 0
    for k in range(size):
        total += value[k]
        below = total - (k + 1)
        zeros = k + 1 if total <= least else zeros
        least = min(total, least)
        ones = k + 1 if below < shifted else ones
        shifted = min(below, shifted)
    ones = max(ones, zeros)
    for k in range(zeros):
        value[k] = 0.0
    for k in range(ones, size):
        value[k] = 1.0
    mean[0], pools = -np.inf, 0
    for k in range(zeros, ones):
        m, n = value[k], 1
        while m <= mean[pools]:
            both = n + count[pools]
            m += (mean[pools] - m) * (count[pools] / both)
            n = both
            pools -= 1
        pools += 1
        mean[pools], count[pools] = m, n
    k = zeros
    for q in range(1, pools + 1):
        m = min(max(mean[q], 0.0), 1.0)
        for _ in range(count[q]):
            value[k] = m
            k += 1


@compiled(nogil=True)
def project(
    chains: Chains,
    low: int,
    high: int,
    x: Float,
    anchor: Float,
    mirror: Float,
    prices: Float,
    rank: Int32,
    step: float,
    keep: float,
) -> float:
    """One primal step of the chains ``low .. high - 1``; the sum of squares of what it changes.

    With ``t`` the projection of ``x + step * (weight - price of its rows)``: ``mirror`` becomes ``2 t - x`` and
    ``x`` becomes ``keep * mirror + (1 - keep) * anchor``. rank: the order of the positions, kept for the next call.
    """
    longest = 0
    for c in range(low, high):
        longest = max(longest, chains.start[c + 1] - chains.start[c])
    value, level = np.empty(longest), np.empty(longest)
    mean, count = np.empty(longest + 1), np.empty(longest + 1, dtype=np.int32)
    moved = 0.0
    for c in range(low, high):
        first, size = chains.start[c], chains.start[c + 1] - chains.start[c]
        if chains.single:
            for k in range(size):
                p = first + k
                value[k] = x[p] + step * (chains.weight[p] - prices[chains.at_row[p]])
        else:
            for k in range(size):
                p = first + k
                gain = chains.weight[p]
                for e in range(chains.at_start[p], chains.at_start[p + 1]):
                    gain -= chains.at_sign[e] * prices[chains.at_row[e]]
                value[k] = x[p] + step * gain
        if chains.tied[c]:
            sort_groups(chains.opens, first, size, value, rank)
            for k in range(size):
                level[k] = value[rank[first + k]]
            pool(level, size, mean, count)
            for k in range(size):
                value[rank[first + k]] = level[k]
        else:
            pool(value, size, mean, count)
        for k in range(size):
            p = first + k
            change = value[k] - x[p]
            moved += change * change
            turned = value[k] + change
            mirror[p] = turned
            x[p] = keep * turned + (1.0 - keep) * anchor[p]
    return moved


@compiled(nogil=True)
def reprice(
    chains: Chains,
    low: int,
    high: int,
    mirror: Float,
    prices: Float,
    anchor: Float,
    step: float,
    keep: float,
) -> float:
    """One dual step of the rows ``low .. high - 1`` at ``mirror``; the sum of squares of what it changes.

    With ``t = max(0, price + step * pace * (sum(sign * mirror) - limit))`` the price becomes
    ``keep * (2 t - price) + (1 - keep) * anchor``.
    """
    moved = 0.0
    if chains.single:
        for r in range(low, high):
            over = -chains.limit[r]
            for e in range(chains.row_start[r], chains.row_start[r + 1]):
                over += mirror[chains.row_position[e]]
            change = max(0.0, prices[r] + step * over) - prices[r]
            moved += change * change
            prices[r] = keep * (prices[r] + 2.0 * change) + (1.0 - keep) * anchor[r]
        return moved
    for r in range(low, high):
        over = -chains.limit[r]
        for e in range(chains.row_start[r], chains.row_start[r + 1]):
            over += chains.row_sign[e] * mirror[chains.row_position[e]]
        change = max(0.0, prices[r] + step * chains.pace[r] * over) - prices[r]
        moved += change * change / chains.pace[r]
        prices[r] = keep * (prices[r] + 2.0 * change) + (1.0 - keep) * anchor[r]
    return moved


@compiled(nogil=True)
def best_response(chains: Chains, low: int, high: int, prices: Float) -> float:
    """What the chains ``low .. high - 1`` are worth at these prices: the best threshold of each, added up."""
    total = 0.0
    for c in range(low, high):
        best, above, whole, part = 0.0, 0.0, 0.0, 0.0
        for p in range(chains.start[c + 1] - 1, chains.start[c] - 1, -1):
            gain = chains.weight[p]
            for e in range(chains.at_start[p], chains.at_start[p + 1]):
                gain -= chains.at_sign[e] * prices[chains.at_row[e]]
            whole += gain
            part += max(gain, 0.0)
            if chains.opens[p]:
                best = max(best, above + part)
                above += whole
                whole, part = 0.0, 0.0
        total += best
    return total


@compiled(nogil=True)
def largest_excess(chains: Chains, low: int, high: int, x: Float) -> float:
    """By how much ``x`` breaks the worst of the rows ``low .. high - 1``."""
    worst = 0.0
    for r in range(low, high):
        over = -chains.limit[r]
        for e in range(chains.row_start[r], chains.row_start[r + 1]):
            over += chains.row_sign[e] * x[chains.row_position[e]]
        worst = max(worst, over)
    return worst


@compiled(nogil=True)
def match(tails: Int32, heads: Int32, following: Int32) -> None:
    """Give every variable at most one of its arcs, in their order, so that nobody is led to by two.

    following: begins at -1 and becomes the heads.
    """
    led = np.zeros(len(following), dtype=np.uint8)
    for e in range(len(tails)):
        if following[tails[e]] < 0 and not led[heads[e]]:
            following[tails[e]] = heads[e]
            led[heads[e]] = 1


class Implications(NamedTuple):
    """What a settled variable implies, all int32, compressed.

    up, down: the heads of the arcs from each variable, the tails of those to it. at: the rows that each is in, the
    ``packing`` packing rows first. member: the variables of each row.
    """

    up_start: Int32
    up: Int32
    down_start: Int32
    down: Int32
    at_start: Int32
    at: Int32
    member_start: Int32
    member: Int32
    packing: int


@compiled(nogil=True)
def imply(rows: Implications, w: int, fixed: Int8, trail: Int32, top: int) -> int:
    """Settle what variable ``w`` at its value implies and note it in ``trail`` from ``top``; the new top, or minus one
    less than that at a contradiction.
    """
    one, clash = fixed[w] == 1, False
    start, along = (rows.up_start, rows.up) if one else (rows.down_start, rows.down)
    for e in range(start[w], start[w + 1]):
        h = along[e]
        clash = clash or fixed[h] == 1 - fixed[w]
        if fixed[h] < 0:
            fixed[h], trail[top] = fixed[w], h
            top += 1
    for e in range(rows.at_start[w], rows.at_start[w + 1]):
        r = rows.at[e]
        if one != (
            r < rows.packing
        ):  # ones say nothing about covering rows, zeros nothing about packing rows
            continue
        first, last = rows.member_start[r], rows.member_start[r + 1]
        winners, able = 0, 0
        for k in range(first, last):
            winners += fixed[rows.member[k]] == 1
            able += fixed[rows.member[k]] != 0
        clash = clash or (winners > 1 if one else able == 0)
        if one or able == 1:
            for k in range(first, last):
                m = rows.member[k]
                if fixed[m] < 0:
                    fixed[m], trail[top] = 0 if one else 1, m
                    top += 1
    return -1 - top if clash else top


@compiled(nogil=True)
def settle_in_turn(rows: Implications, order: Int32, fixed: Int8) -> int:
    """Set one variable after the other to 1 with all that follows, in ``fixed`` (-1: free), unless it is settled by
    then or leads to a contradiction; how many were set.
    """
    trail = np.empty(len(fixed), dtype=np.int32)
    count = 0
    for v in order:
        if fixed[v] >= 0:
            continue
        fixed[v], trail[0], top, done = 1, v, 1, 0
        while done < top:
            top = imply(rows, trail[done], fixed, trail, top)
            done += 1
        count += top > 0
        for k in range(-1 - top):
            fixed[trail[k]] = -1
    return count


@compiled(nogil=True)
def longest_paths(start: Int32, heads: Int32, level: Int32) -> int:
    """The length of the longest path of arcs that leads to each variable, into ``level``, which begins at 0.

    start, heads: the arcs compressed by tail. Returns how many variables were reached in order: fewer than there are
    where some imply each other.
    """
    n = len(level)
    waiting = np.zeros(n, dtype=np.int32)
    for h in heads:
        waiting[h] += 1
    order = np.empty(n, dtype=np.int32)
    found = 0
    for v in range(n):
        if waiting[v] == 0:
            order[found] = v
            found += 1
    done = 0
    while done < found:
        v = order[done]
        done += 1
        for e in range(start[v], start[v + 1]):
            h = heads[e]
            level[h] = max(level[h], level[v] + 1)
            waiting[h] -= 1
            if waiting[h] == 0:
                order[found] = h
                found += 1
    return done


class Steps(NamedTuple):
    """Between which variables an odd cycle may step, both ways: compressed by variable.

    start: int32 (variables + 1,). to: int32, the other variable. flips: uint8, 1 for a packing or covering row (the
    two literals differ), 0 for an arc. slack: float64, how far the row is from holding with equality. row: int32.
    """

    start: Int32
    to: Int32
    flips: UInt8
    slack: Float
    row: Int32


class Search(NamedTuple):
    """Scratch of a search over literals ``2 * variable + parity``.

    far: float64 (literals,), distance, infinite where not reached. before, via: int32 (literals,), the literal and the
    step it was reached by. touched: int32, what was reached.
    """

    far: Float
    before: Int32
    via: Int32
    touched: Int32


@compiled(nogil=True)
def half_way(
    steps: Steps, search: Search, source: int, limit: float, toll: float
) -> tuple[int, int, int, int, int]:
    """The shortest walk from (source, even) to (source, odd): its two halves' ends, the step between, or -1.

    By symmetry the second half is a search from (source, even) too, so none goes beyond half of the walk. Also how
    many literals were reached, which the caller has to forget, and how many steps were looked at.
    """
    far, before, via = search.far, search.before, search.via
    queue = [(0.0, np.int64(2 * source))]
    far[2 * source], before[2 * source] = 0.0, -1
    search.touched[0], reached, looked = 2 * source, 1, 0
    best, left, right, join = limit, -1, -1, -1
    while len(queue) > 0:
        here, literal = heapq.heappop(queue)
        node = int(literal)
        if here > far[node]:
            continue
        if 2.0 * here >= best:
            break
        v, odd = node >> 1, node & 1
        for e in range(steps.start[v], steps.start[v + 1]):
            length = here + steps.slack[e] + toll
            after = 2 * np.int64(steps.to[e]) + (odd ^ steps.flips[e])
            if length + far[after ^ 1] < best:
                best, left, right, join = length + far[after ^ 1], node, after ^ 1, e
            if 2.0 * length < best and length < far[after]:
                if far[after] == np.inf:
                    search.touched[reached] = after
                    reached += 1
                far[after], before[after], via[after] = length, node, e
                heapq.heappush(queue, (length, after))
        looked += steps.start[v + 1] - steps.start[v]
    return left, right, join, reached, looked


@compiled(nogil=True)
def retrace(steps: Steps, search: Search, end: int, at: int, rows: Int32, visits: Int32) -> int:
    """Write the rows on the way back from ``end``; the place after the last, or the end of ``rows`` where they do not
    fit.
    """
    node = end
    while search.before[node] >= 0:
        if at >= len(rows):
            return at
        rows[at] = steps.row[search.via[node]]
        visits[node >> 1] += 1
        node = search.before[node]
        at += 1
    return at


@compiled(nogil=True)
def odd_cycles(
    steps: Steps, sources: Int32, limit: float, toll: float, often: int, most: int, room: int, effort: int
) -> tuple[Int32, Int32]:
    """Shortest odd closed walks through the sources, one after the other, with a total slack below ``limit``.

    toll: what a step costs on top of its slack, so that short walks are preferred. often: a source through which
    so many walks lead already is passed over. most, room, effort: walks, rows in all and steps looked at, after which
    it stops. Returns where the walks start and their rows, int32.
    """
    literals = 2 * (len(steps.start) - 1)
    search = Search(
        np.full(literals, np.inf),
        np.full(literals, -1, dtype=np.int32),
        np.full(literals, -1, dtype=np.int32),
        np.empty(literals, dtype=np.int32),
    )
    visits = np.zeros(literals // 2, dtype=np.int32)
    rows = np.empty(room, dtype=np.int32)
    start = np.zeros(most + 1, dtype=np.int32)
    walks, spent = 0, 0
    for source in sources:
        if walks == most or spent > effort:
            break
        if visits[source] >= often:
            continue
        left, right, join, reached, looked = half_way(steps, search, source, limit, toll)
        spent += looked
        if join >= 0:
            at = retrace(steps, search, left, start[walks], rows, visits)
            at = retrace(steps, search, right, at, rows, visits)
            if at >= room:
                break
            rows[at] = steps.row[join]
            visits[source] += 1
            walks += 1
            start[walks] = at + 1
        for k in range(reached):
            search.far[search.touched[k]] = np.inf
    return start[: walks + 1], rows[: start[walks]]
