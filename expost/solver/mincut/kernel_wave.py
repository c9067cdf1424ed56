# mypy: disable-error-code="untyped-decorator"

"""Compiled kernel of the sweep: every excess moves to smaller labels, farthest first.

Nodes that get an excess wait for their turn in buckets, linked lists by label: ``first[d]`` is a node or
-1, ``after[v]`` the one that follows it.
"""

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
    LOADED,
    OVER,
    Graph,
    add_across,
    add_chain,
    fetch_far,
    fetch_near,
    mark_excess,
)

FAR_AHEAD, AHEAD = 8, 4
"""How many turns ahead a node's data is fetched, and what its partner needs."""


@njit(cache=True, _nrt=False)
def sweep(g: Graph, label: Int32, active: Int32, count: int, first: Int32, after: Int32, stuck: Int32) -> int:
    """Push the excess of ``active[:count]``, sorted by label, to residual neighbours of smaller label.

    Lists in ``stuck`` the nodes that keep one and returns how many do. An excess that comes to a node
    without any goes on at once, while the node is at hand; where there is some already, it waits for
    that node's turn.
    """
    left = 0
    d = int(label[active[count - 1]]) if count else -1
    while d >= 0:
        while True:
            if count and label[active[count - 1]] == d:
                count -= 1
                v = int(active[count])
                if count >= FAR_AHEAD:
                    fetch_far(g, label, active[count - FAR_AHEAD])
                    fetch_near(g, label, active[count - AHEAD])
            elif first[d] >= 0:
                v = int(first[d])
                first[d] = after[v]
            else:
                break
            e = g.node[v, EXCESS]
            mark_excess(g, v, 0)
            while e > 0:
                e, left = retreat(g, v, e, label, first, after, stuck, left)
                if e == 0:
                    break
                w = advance(g, v, e, label)
                if w < 0:
                    mark_excess(g, v, e)
                    stuck[left] = v
                    left += 1
                    break
                v = w
                if g.node[v, EXCESS] != 0:
                    left = receive(g, v, e, label, first, after, stuck, left)
                    break
        d -= 1
    return left


@njit(cache=True, inline="always", _nrt=False)
def receive(
    g: Graph, w: int, amount: int, label: Int32, first: Int32, after: Int32, stuck: Int32, left: int
) -> int:
    """Add to the excess of ``w``; if it had none, let it wait for its turn, or be stuck at a met demand."""
    before = g.node[w, EXCESS]
    mark_excess(g, w, before + amount)
    if before <= 0 and before + amount > 0:
        d = label[w]
        if d == 0:
            stuck[left] = w
            left += 1
        else:
            after[w] = first[d]
            first[d] = w
    return left


@njit(cache=True, inline="always", _nrt=False)
def retreat(
    g: Graph, v: int, e: int, label: Int32, first: Int32, after: Int32, stuck: Int32, left: int
) -> tuple[int, int]:
    """Undo flow into ``v`` from smaller labels; return what is left of ``e``, and how many nodes are stuck."""
    b = g.bits[v]
    d = label[v]
    if v > 0 and (g.bits[v - 1] & CARRY) and label[v - 1] < d:
        f = min(e, g.node[v - 1, ALONG])
        add_chain(g, v - 1, -f)
        left = receive(g, v - 1, f, label, first, after, stuck, left)
        e -= f
    if e > 0 and v >= g.second and (b & LOADED):
        w = int(g.partner[v])
        if label[w] < d:
            f = min(e, g.node[w, OVER])
            add_across(g, w, -f)
            left = receive(g, w, f, label, first, after, stuck, left)
            e -= f
    if e > 0 and (b & EXTRA):
        for k in range(g.xin_ptr[v], g.xin_ptr[v + 1]):
            a = g.xin[k]
            f = min(e, g.xflow[a])
            w = int(g.xin_tail[k])
            if f > 0 and label[w] < d:
                g.xflow[a] -= f
                left = receive(g, w, f, label, first, after, stuck, left)
                e -= f
    return e, left


@njit(cache=True, inline="always", _nrt=False)
def advance(g: Graph, v: int, e: int, label: Int32) -> int:
    """Send ``e`` over one infinite arc to a neighbour of smaller label; return it, -1 if there is none."""
    b = g.bits[v]
    d = label[v]
    to = -1
    if (b & CHAIN) and label[v + 1] < d:
        to = v + 1
        add_chain(g, v, e)
    elif v < g.second and (b & ACROSS) and label[g.partner[v]] < d:
        to = int(g.partner[v])
        add_across(g, v, e)
    elif b & EXTRA:
        for k in range(g.xout_ptr[v], g.xout_ptr[v + 1]):
            a = k
            if to < 0 and label[g.xhead[a]] < d:
                to = int(g.xhead[a])
                g.xflow[a] += e
    return to
