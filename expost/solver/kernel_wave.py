# mypy: disable-error-code="untyped-decorator"
# ruff: noqa: PLR0917  (compiled functions take their arrays one by one)
"""Compiled kernel of the sweep: every excess moves to smaller ranks, farthest first.

``queue`` is a bit set over ranks, 64 to a word: the nodes with an excess that have not had their turn.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from expost.solver.kernel import (
    ACROSS,
    ALONG,
    CARRY,
    CHAIN,
    EXCESS,
    EXTRA,
    LOADED,
    OVER,
    RANK,
    Graph,
    Index,
    Words,
    add_across,
    add_chain,
    mark_excess,
)

@njit(cache=True, _nrt=False)
def sweep(g: Graph, order: Index, count: int, place: Index, queue: Words, stuck: Index) -> int:
    """Push every queued excess to residual neighbours of smaller rank; list in ``stuck`` the nodes that keep one.

    An excess that comes to a node without any goes on at once, while the node is at hand; where there
    is some already, it waits for that node's turn.
    """
    left = 0
    for word in range((count - 1) >> 6, -1, -1):
        bit = 63
        while queue[word]:
            while not (queue[word] >> np.uint64(bit)) & np.uint64(1):
                bit -= 1
            queue[word] ^= np.uint64(1) << np.uint64(bit)
            i = (word << 6) + bit
            v = int(order[i])
            e = g.node[v, EXCESS]
            mark_excess(g, v, 0)
            while e > 0:
                e = retreat(g, v, i, e, place, queue)
                if e == 0:
                    break
                w = advance(g, v, i, e, place)
                if w < 0:
                    mark_excess(g, v, e)
                    stuck[left] = v
                    left += 1
                    break
                v, i = w, int(place[w, RANK])
                if g.node[v, EXCESS] != 0:
                    receive(g, v, e, i, queue)
                    break
    return left


@njit(cache=True, inline="always", _nrt=False)
def receive(g: Graph, w: int, amount: int, i: int, queue: Words) -> None:
    """Add to the excess of ``w``, which stands at ``i``; queue it when it has some."""
    e = g.node[w, EXCESS] + amount
    mark_excess(g, w, e)
    queue[i >> 6] |= np.uint64(e > 0) << np.uint64(i & 63)


@njit(cache=True, inline="always", _nrt=False)
def retreat(g: Graph, v: int, i: int, e: int, place: Index, queue: Words) -> int:
    """Undo flow into ``v`` from neighbours of rank below ``i``; return what is left of ``e``."""
    b = g.bits[v]
    if v > 0 and (g.bits[v - 1] & CARRY) and place[v - 1, RANK] < i:
        f = min(e, g.node[v - 1, ALONG])
        add_chain(g, v - 1, -f)
        receive(g, v - 1, f, place[v - 1, RANK], queue)
        e -= f
    if e > 0 and v >= g.second and (b & LOADED):
        w = g.partner[v]
        if place[w, RANK] < i:
            f = min(e, g.node[w, OVER])
            add_across(g, w, -f)
            receive(g, w, f, place[w, RANK], queue)
            e -= f
    if e > 0 and (b & EXTRA):
        for k in range(g.xin_ptr[v], g.xin_ptr[v + 1]):
            a = g.xin[k]
            f = min(e, g.xflow[a])
            w = g.xtail[a]
            if f > 0 and place[w, RANK] < i:
                g.xflow[a] -= f
                receive(g, w, f, place[w, RANK], queue)
                e -= f
    return e


@njit(cache=True, inline="always", _nrt=False)
def advance(g: Graph, v: int, i: int, e: int, place: Index) -> int:
    """Send ``e`` over one infinite arc to a neighbour of rank below ``i``; return it, -1 if there is none."""
    b = g.bits[v]
    to = -1
    if (b & CHAIN) and place[v + 1, RANK] < i:
        to = v + 1
        add_chain(g, v, e)
    elif v < g.second and (b & ACROSS) and place[g.partner[v], RANK] < i:
        to = int(g.partner[v])
        add_across(g, v, e)
    elif b & EXTRA:
        for k in range(g.xout_ptr[v], g.xout_ptr[v + 1]):
            a = g.xout[k]
            if to < 0 and place[g.xhead[a], RANK] < i:
                to = int(g.xhead[a])
                g.xflow[a] += e
    return to
