# mypy: disable-error-code="untyped-decorator"

"""Compiled kernel that lets stuck excess wander on between two searches: push and relabel, in a queue."""

from __future__ import annotations

from numba import njit

from expost._typing import Int32
from expost.solver.mincut.kernel import (
    ACROSS,
    ALONG,
    CARRY,
    CHAIN,
    EXCESS,
    EXTRA,
    FAR,
    LOADED,
    OVER,
    Graph,
    add_across,
    add_chain,
    fetch_far,
    fetch_near,
    mark_excess,
)

BACK, ON, OVER_ON, OVER_BACK, EXPLICIT_ON = 0, 1, 2, 3, 4
"""Over which arc an excess goes; from EXPLICIT_ON upwards, forwards and backwards over explicit arcs."""

FAR_AHEAD, AHEAD = 8, 4
"""How many turns ahead a node's data is fetched, and what its partner needs."""


@njit(cache=True, _nrt=False)
def wander(g: Graph, label: Int32, ring: Int32, count: int, pushes: int) -> int:  # noqa: PLR0912
    """Push the excess of ``ring[:count]``, first come first served, each time to the smallest label around.

    A node whose smallest neighbour is not below it is first labelled one above that neighbour. Stops
    after ``pushes`` pushes; returns how many nodes with an excess there are left. ``ring`` has room for
    all nodes. Labels only guide: a wrong one costs time, never correctness.
    """
    size = len(ring)
    first = 0
    lost = 0
    while count > 0 and pushes > 0:
        if count > FAR_AHEAD and first + FAR_AHEAD < size:
            fetch_far(g, label, ring[first + FAR_AHEAD])
            fetch_near(g, label, ring[first + AHEAD])
        v = int(ring[first])
        first = first + 1 if first + 1 < size else 0
        count -= 1
        e = g.node[v, EXCESS]
        if e <= 0:
            continue
        mark_excess(g, v, 0)
        while e > 0:
            pushes -= 1
            w, how, f, d = lowest(g, label, v, e)
            if w < 0:
                lost += 1
                break
            if d >= label[v]:
                label[v] = d + 1
            if how == BACK:
                add_chain(g, w, -f)
            elif how == ON:
                add_chain(g, v, f)
            elif how == OVER_ON:
                add_across(g, v, f)
            elif how == OVER_BACK:
                add_across(g, w, -f)
            elif (how - EXPLICIT_ON) & 1:
                g.xflow[(how - EXPLICIT_ON) >> 1] -= f
            else:
                g.xflow[(how - EXPLICIT_ON) >> 1] += f
            e -= f
            before = g.node[w, EXCESS]
            mark_excess(g, w, before + f)
            if before <= 0 and before + f > 0:
                last = first + count
                ring[last if last < size else last - size] = w
                count += 1
        mark_excess(g, v, e)
    return count + lost


@njit(cache=True, inline="always", _nrt=False)
def lowest(g: Graph, label: Int32, v: int, e: int) -> tuple[int, int, int, int]:
    """The residual neighbour of ``v`` with the smallest label (-1: none was met), how to get there, how much
    of ``e`` fits, and that label.
    """
    b = g.bits[v]
    best, how, room, to = FAR, -1, e, -1
    if v > 0 and (g.bits[v - 1] & CARRY) and label[v - 1] < best:
        best, how, room, to = label[v - 1], BACK, min(e, g.node[v - 1, ALONG]), v - 1
    if (b & CHAIN) and label[v + 1] < best:
        best, how, room, to = label[v + 1], ON, e, v + 1
    if b & ACROSS:
        w = int(g.partner[v])
        if label[w] < best:
            if v < g.second:
                best, how, room, to = label[w], OVER_ON, e, w
            elif b & LOADED:
                best, how, room, to = label[w], OVER_BACK, min(e, g.node[w, OVER]), w
    if b & EXTRA:
        for k in range(g.xout_ptr[v], g.xout_ptr[v + 1]):
            a = int(k)
            w = int(g.xhead[a])
            if label[w] < best:
                best, how, room, to = label[w], EXPLICIT_ON + 2 * a, e, w
        for k in range(g.xin_ptr[v], g.xin_ptr[v + 1]):
            a = int(g.xin[k])
            w = int(g.xin_tail[k])
            if g.xflow[a] > 0 and label[w] < best:
                best, how, room, to = label[w], EXPLICIT_ON + 2 * a + 1, min(e, g.xflow[a]), w
    return to, how, room, best
