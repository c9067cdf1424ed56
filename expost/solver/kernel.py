# mypy: disable-error-code="untyped-decorator"
# ruff: noqa: PLR0917  (compiled functions take their arrays one by one)
"""Compiled kernels for maximum-weight closures: a wave preflow on the network of infinite arcs.

A network has nodes with a signed integer ``excess`` (positive: supply not yet placed, negative: demand
not yet met) and arcs ``tail -> head`` of infinite capacity that carry ``flow >= 0``; an arc can be
walked backwards as far as its flow goes. One round searches breadth-first from the unmet demands,
which gives every node that reaches one a position, and then sweeps the nodes farthest first, each
pushing its excess to residual neighbours of smaller position.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int = NDArray[np.int64]
Index = NDArray[np.int32]

UNREACHED = np.int32(2**31 - 1)


@njit(cache=True)
def adjacency(nodes: int, ends: Index, pointer: Index, arcs: Index) -> None:
    """Fill ``pointer`` (nodes + 1,) and ``arcs`` (arcs,): the arcs that have node v as their end, by node."""
    pointer[:] = 0
    for a in range(len(ends)):
        pointer[ends[a] + 1] += 1
    for v in range(nodes):
        pointer[v + 1] += pointer[v]
    for a in range(len(ends) - 1, -1, -1):
        v = ends[a] + 1
        pointer[v] -= 1
        arcs[pointer[v]] = a
    # every pointer[v + 1] now is the start of v; shift back
    for v in range(nodes):
        pointer[v] = pointer[v + 1]
    pointer[nodes] = len(ends)


@njit(cache=True)
def fill_cells(tails: Index, heads: Index, excess: Int, flow: Int) -> None:
    """Push along each arc what its tail has and its head lacks."""
    for a in range(len(tails)):
        e, d = excess[tails[a]], -excess[heads[a]]
        if e > 0 and d > 0:
            f = min(e, d)
            flow[a] += f
            excess[tails[a]] -= f
            excess[heads[a]] += f


@njit(cache=True)
def search_back(
    tails: Index, heads: Index, out_ptr: Index, out_arc: Index, in_ptr: Index, in_arc: Index,
    excess: Int, flow: Int, position: Index, order: Index,
) -> tuple[int, int]:
    """Number the nodes that reach an unmet demand, nearest first; return how many, and how many are active."""
    position[:] = UNREACHED
    count = 0
    active = 0
    for v in range(len(excess)):
        if excess[v] < 0:
            position[v] = count
            order[count] = v
            count += 1
    done = 0
    while done < count:
        v = order[done]
        done += 1
        if excess[v] > 0:
            active += 1
        for k in range(in_ptr[v], in_ptr[v + 1]):
            t = tails[in_arc[k]]
            if position[t] == UNREACHED:
                position[t] = count
                order[count] = t
                count += 1
        for k in range(out_ptr[v], out_ptr[v + 1]):
            a = out_arc[k]
            if flow[a] > 0:
                h = heads[a]
                if position[h] == UNREACHED:
                    position[h] = count
                    order[count] = h
                    count += 1
    return count, active


@njit(cache=True)
def sweep(
    tails: Index, heads: Index, out_ptr: Index, out_arc: Index, in_ptr: Index, in_arc: Index,
    excess: Int, flow: Int, position: Index, order: Index, count: int,
) -> None:
    """Push every excess, farthest first, to residual neighbours of smaller position: limited arcs first."""
    for i in range(count - 1, -1, -1):
        v = order[i]
        e = excess[v]
        if e <= 0:
            continue
        for k in range(in_ptr[v], in_ptr[v + 1]):
            a = in_arc[k]
            f = flow[a]
            if f > 0 and position[tails[a]] < i:
                f = min(e, f)
                flow[a] -= f
                excess[tails[a]] += f
                e -= f
                if e == 0:
                    break
        if e > 0:
            for k in range(out_ptr[v], out_ptr[v + 1]):
                a = out_arc[k]
                if position[heads[a]] < i:
                    flow[a] += e
                    excess[heads[a]] += e
                    e = 0
                    break
        excess[v] = e


@njit(cache=True)
def search_forward(
    tails: Index, heads: Index, out_ptr: Index, out_arc: Index, in_ptr: Index, in_arc: Index,
    excess: Int, flow: Int, reached: NDArray[np.int8], order: Index,
) -> int:
    """Mark in ``reached`` the nodes that some excess reaches over residual arcs; return how many."""
    reached[:] = 0
    count = 0
    for v in range(len(excess)):
        if excess[v] > 0:
            reached[v] = 1
            order[count] = v
            count += 1
    done = 0
    while done < count:
        v = order[done]
        done += 1
        for k in range(out_ptr[v], out_ptr[v + 1]):
            h = heads[out_arc[k]]
            if reached[h] == 0:
                reached[h] = 1
                order[count] = h
                count += 1
        for k in range(in_ptr[v], in_ptr[v + 1]):
            a = in_arc[k]
            if flow[a] > 0:
                t = tails[a]
                if reached[t] == 0:
                    reached[t] = 1
                    order[count] = t
                    count += 1
    return count


@njit(cache=True)
def force(
    out_ptr: Index, out_arc: Index, ends: Index, forced: NDArray[np.int8], order: Index, parent: Index
) -> int:
    """Spread ``forced`` along the arcs of ``out_arc`` towards ``ends``.

    ``order`` lists the forced nodes, roots first; ``parent`` holds the arc that forced each (-1: a root).
    """
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
        for k in range(out_ptr[v], out_ptr[v + 1]):
            a = out_arc[k]
            w = ends[a]
            if not forced[w]:
                forced[w] = 1
                parent[w] = a
                order[count] = w
                count += 1
    return count


@njit(cache=True)
def supply(order: Index, count: int, parent: Index, origin: Index, need: Int, flow: Int) -> None:
    """Send along the forest what each forced node needs beyond its own; roots keep their total need.

    need: int64 (nodes,), negative where a node has some to spare (which is then not passed on).
    """
    for i in range(count - 1, -1, -1):
        v = order[i]
        a = parent[v]
        if a >= 0 and need[v] > 0:
            flow[a] += need[v]
            need[origin[a]] += need[v]
