# mypy: disable-error-code="untyped-decorator"
"""Compiled kernels that lay a program out as a network, and that settle what its fixings decide."""

from __future__ import annotations

import numpy as np
from numba import njit

from expost._typing import Int32, Int64, UInt8
from expost.solver.mincut.kernel import (
    ACROSS,
    CHAIN,
    EXCESS,
    EXTRA,
    Graph,
    add_across,
    add_chain,
    mark_excess,
)


@njit(cache=True)
def link(tails: Int32, heads: Int32, bits: UInt8, chain_arc: Int32, extra: Int32) -> int:
    """Make each first arc ``v -> v + 1`` implicit; list the others in ``extra`` and return how many.

    Arcs from a node to itself say nothing and are left out: they never carry flow.
    """
    count = 0
    for a in range(len(tails)):
        v = tails[a]
        if heads[a] == v:
            continue
        if heads[a] == v + 1 and chain_arc[v] < 0:
            chain_arc[v] = a
            bits[v] |= np.uint8(CHAIN)
        else:
            extra[count] = a
            count += 1
    return count


@njit(cache=True)
def cover(tails: Int32, heads: Int32, nodes: int, second: int, place: Int32) -> None:
    """Number the nodes along paths of arcs, so that many arcs lead from a node to the next.

    The paths take each node's first arc to a node that is not yet on one, arcs ``v -> v + 1`` before all
    others. ``place`` gets the new number of each node; block 0 keeps the numbers below ``second``.
    """
    follower = np.full(nodes, -1, dtype=np.int32)
    led = np.zeros(nodes, dtype=np.uint8)
    for near in (True, False):
        for a in range(len(tails)):
            v, w = tails[a], heads[a]
            if (w == v + 1) == near and v != w and follower[v] < 0 and not led[w]:
                follower[v] = w
                led[w] = 1
    place[:] = -1
    count = 0
    for low, high in ((0, second), (second, nodes)):
        # the second pass opens the cycles that no path begins
        for starts in (True, False):
            for v in range(low, high):
                if place[v] >= 0 or (starts and led[v]):
                    continue
                w = v
                while w >= 0 and place[w] < 0:
                    place[w] = count
                    count += 1
                    w = follower[w]


@njit(cache=True)
def couple(tails: Int32, heads: Int32, bits: UInt8, partner: Int32, row_of: Int32, extra: Int32) -> int:
    """Make each first packing row of its two nodes a partnership; list the others and return how many."""
    count = 0
    for r in range(len(tails)):
        v, w = tails[r], heads[r]
        if partner[v] == v and partner[w] == w:
            partner[v], partner[w], row_of[v] = w, v, r
            bits[v] |= np.uint8(ACROSS)
            bits[w] |= np.uint8(ACROSS)
        else:
            extra[count] = r
            count += 1
    return count


@njit(cache=True)
def adjacency(ends: Int32, bits: UInt8, pointer: Int32, arcs: Int32) -> None:
    """Fill ``pointer`` (nodes + 1,) and ``arcs``: the explicit arcs by the node that is in ``ends``."""
    nodes = len(pointer) - 1
    pointer[:] = 0
    for v in ends:
        pointer[v + 1] += 1
        bits[v] |= np.uint8(EXTRA)
    for v in range(nodes):
        pointer[v + 1] += pointer[v]
    for a in range(len(ends) - 1, -1, -1):
        v = ends[a] + 1
        pointer[v] -= 1
        arcs[pointer[v]] = a
    # pointer[v + 1] now is where v starts
    for v in range(nodes):
        pointer[v] = pointer[v + 1]
    pointer[nodes] = len(ends)


@njit(cache=True)
def is_acyclic(g: Graph) -> bool:  # noqa: PLR0912
    """Whether no way along the arcs leads back to where it began."""
    nodes = len(g.bits)
    before = np.zeros(nodes, dtype=np.int32)
    ready = np.empty(nodes, dtype=np.int32)
    count = 0
    for v in range(nodes):
        if g.bits[v] & EXTRA:
            before[v] += g.xin_ptr[v + 1] - g.xin_ptr[v]
        if v > 0 and (g.bits[v - 1] & CHAIN):
            before[v] += 1
        if v >= g.second and (g.bits[v] & ACROSS):
            before[v] += 1
        if before[v] == 0:
            ready[count] = v
            count += 1
    done = 0
    while done < count:
        v = ready[done]
        done += 1
        b = g.bits[v]
        for k in range(2 + (g.xout_ptr[v + 1] - g.xout_ptr[v] if b & EXTRA else 0)):
            if k == 0:
                if not (b & CHAIN):
                    continue
                w = v + 1
            elif k == 1:
                if v >= g.second or not (b & ACROSS):
                    continue
                w = int(g.partner[v])
            else:
                w = int(g.xhead[g.xout_ptr[v] + k - 2])
            before[w] -= 1
            if before[w] == 0:
                ready[count] = w
                count += 1
    return count == nodes


@njit(cache=True)
def start(g: Graph, supply: Int64) -> None:
    """Give every node its supply as excess."""
    for v in range(len(supply)):
        mark_excess(g, v, supply[v])


@njit(cache=True)
def force_ones(g: Graph, forced: UInt8, order: Int32, parent: Int32) -> int:
    """Spread ``forced`` forwards; ``parent`` says over what: -1 a root, -2 the chain, -3 across, else an arc."""
    count = 0
    for v in range(len(forced)):
        if forced[v]:
            order[count] = v
            parent[v] = -1
            count += 1
    done = 0
    while done < count:
        v = order[done]
        done += 1
        b = g.bits[v]
        if (b & CHAIN) and not forced[v + 1]:
            forced[v + 1], parent[v + 1], order[count] = 1, -2, v + 1
            count += 1
        if (b & ACROSS) and v < g.second and not forced[g.partner[v]]:
            w = g.partner[v]
            forced[w], parent[w], order[count] = 1, -3, w
            count += 1
        if b & EXTRA:
            for k in range(g.xout_ptr[v], g.xout_ptr[v + 1]):
                w = g.xhead[k]
                if not forced[w]:
                    forced[w], parent[w], order[count] = 1, k, w
                    count += 1
    return count


@njit(cache=True)
def force_zeros(g: Graph, forced: UInt8, order: Int32, parent: Int32) -> int:
    """Spread ``forced`` backwards; ``parent`` as in ``force_ones``."""
    count = 0
    for v in range(len(forced)):
        if forced[v]:
            order[count] = v
            parent[v] = -1
            count += 1
    done = 0
    while done < count:
        v = order[done]
        done += 1
        b = g.bits[v]
        if v > 0 and (g.bits[v - 1] & CHAIN) and not forced[v - 1]:
            forced[v - 1], parent[v - 1], order[count] = 1, -2, v - 1
            count += 1
        if (b & ACROSS) and v >= g.second and not forced[g.partner[v]]:
            w = g.partner[v]
            forced[w], parent[w], order[count] = 1, -3, w
            count += 1
        if b & EXTRA:
            for k in range(g.xin_ptr[v], g.xin_ptr[v + 1]):
                w = g.xin_tail[k]
                if not forced[w]:
                    forced[w], parent[w], order[count] = 1, g.xin[k], w
                    count += 1
    return count


@njit(cache=True)
def settle_ones(g: Graph, order: Int32, count: int, parent: Int32) -> None:
    """Send down the forest what forced ones lack; each root keeps the total as a negative excess."""
    for i in range(count - 1, -1, -1):
        v = order[i]
        lack = -g.node[v, EXCESS]
        how = parent[v]
        if lack <= 0 or how == -1:
            continue
        if how == -2:
            w = v - 1
            add_chain(g, w, lack)
        elif how == -3:
            w = g.partner[v]
            add_across(g, w, lack)
        else:
            w = g.xtail[how]
            g.xflow[how] += lack
        mark_excess(g, v, 0)
        mark_excess(g, w, g.node[w, EXCESS] - lack)


@njit(cache=True)
def settle_zeros(g: Graph, order: Int32, count: int, parent: Int32) -> None:
    """Send up the forest what forced zeros have; each root keeps the total as a positive excess."""
    for i in range(count - 1, -1, -1):
        v = order[i]
        e = g.node[v, EXCESS]
        how = parent[v]
        if e <= 0 or how == -1:
            continue
        if how == -2:
            w = v + 1
            add_chain(g, v, e)
        elif how == -3:
            w = g.partner[v]
            add_across(g, v, e)
        else:
            w = g.xhead[how]
            g.xflow[how] += e
        mark_excess(g, v, 0)
        mark_excess(g, w, g.node[w, EXCESS] + e)


@njit(cache=True)
def calm(g: Graph, nodes: Int32) -> None:
    """Take the excess away from ``nodes``: they are settled."""
    for v in nodes:
        mark_excess(g, v, 0)
