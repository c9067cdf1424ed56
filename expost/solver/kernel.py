# mypy: disable-error-code="untyped-decorator"
# ruff: noqa: PLR0917  (compiled functions take their arrays one by one)
"""Compiled kernels for maximum-weight closures: a wave preflow over infinite arcs.

One round searches breadth-first from the unmet demands, backwards over residual arcs, which gives every
node that reaches one a position; then one sweep, farthest node first, pushes each excess to residual
neighbours of smaller position, limited arcs first. An infinite arc can always be walked forwards, and
backwards as far as its flow goes.

Precedence arcs ``v -> v + 1`` are implicit (a bit and a flow per node), and each node may have one
partner across; all other arcs are explicit. One byte per node says what a search has to know.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int = NDArray[np.int64]
Index = NDArray[np.int32]
Byte = NDArray[np.uint8]

CHAIN = 1
"""There is an arc from this node to the next."""
CARRY = 2
"""That arc carries flow."""
ACROSS = 4
"""The node has a partner: ``v -> partner[v]`` when v is in block 0, ``partner[v] -> v`` otherwise."""
LOADED = 8
"""The arc between the node and its partner carries flow (set on both)."""
SUPPLY = 16
"""The excess is positive."""
DEMAND = 32
"""The excess is negative."""
OPEN = 64
"""The running search may still visit the node."""
EXTRA = 128
"""Explicit arcs touch the node."""

FAR = 2**31 - 1
"""Position of a node that reaches no unmet demand."""


class Graph(NamedTuple):
    """A network and its flow.

    second: where block 1 starts.
    bits: uint8 (nodes,). partner: int32 (nodes,). excess: int64 (nodes,), supply minus what left.
    chain: int64 (nodes,), flow ``v -> v + 1``. across: int64 (second,), flow ``v -> partner[v]``.
    xtail, xhead: int32 (explicit arcs,); xflow: int64 (explicit arcs,).
    xout_ptr, xout, xin_ptr, xin: the explicit arcs that leave and enter each node.
    """

    second: int
    bits: Byte
    partner: Index
    excess: Int
    chain: Int
    across: Int
    xtail: Index
    xhead: Index
    xflow: Int
    xout_ptr: Index
    xout: Index
    xin_ptr: Index
    xin: Index


@njit(cache=True)
def mark_excess(g: Graph, v: int, excess: int) -> None:
    """Set the excess of a node, and its bits."""
    g.excess[v] = excess
    sign = SUPPLY if excess > 0 else (DEMAND if excess < 0 else 0)
    g.bits[v] = (g.bits[v] & np.uint8(255 - SUPPLY - DEMAND)) | np.uint8(sign)


@njit(cache=True)
def add_chain(g: Graph, v: int, amount: int) -> None:
    """Change the flow from a node to the next."""
    g.chain[v] += amount
    if g.chain[v] > 0:
        g.bits[v] |= np.uint8(CARRY)
    else:
        g.bits[v] &= np.uint8(255 - CARRY)


@njit(cache=True)
def add_across(g: Graph, v: int, amount: int) -> None:
    """Change the flow from a node of block 0 to its partner."""
    g.across[v] += amount
    if g.across[v] > 0:
        g.bits[v] |= np.uint8(LOADED)
        g.bits[g.partner[v]] |= np.uint8(LOADED)
    else:
        g.bits[v] &= np.uint8(255 - LOADED)
        g.bits[g.partner[v]] &= np.uint8(255 - LOADED)


@njit(cache=True)
def fill_pairs(g: Graph) -> None:
    """Push across what a node has and its partner lacks, then the same along the explicit arcs."""
    for v in range(g.second):
        if g.bits[v] & ACROSS:
            w = g.partner[v]
            f = min(g.excess[v], -g.excess[w])
            if f > 0:
                add_across(g, v, f)
                mark_excess(g, v, g.excess[v] - f)
                mark_excess(g, w, g.excess[w] + f)
    for a in range(len(g.xtail)):
        v, w = g.xtail[a], g.xhead[a]
        f = min(g.excess[v], -g.excess[w])
        if f > 0:
            g.xflow[a] += f
            mark_excess(g, v, g.excess[v] - f)
            mark_excess(g, w, g.excess[w] + f)


@njit(cache=True)
def open_all(g: Graph) -> None:
    """Let the next search visit every node."""
    for v in range(len(g.bits)):
        g.bits[v] |= np.uint8(OPEN)


@njit(cache=True)
def close_all(g: Graph) -> None:
    """Let the next search visit no node."""
    for v in range(len(g.bits)):
        g.bits[v] &= np.uint8(255 - OPEN)


@njit(cache=True)
def select(g: Graph, mask: int, found: Index) -> int:
    """List in ``found`` the nodes that have any bit of ``mask``; return how many."""
    count = 0
    for v in range(len(g.bits)):
        if g.bits[v] & mask:
            found[count] = v
            count += 1
    return count


@njit(cache=True)
def select_among(g: Graph, mask: int, nodes: Index, found: Index) -> int:
    """List in ``found`` those of ``nodes`` that have any bit of ``mask``; return how many."""
    count = 0
    for v in nodes:
        if g.bits[v] & mask:
            found[count] = v
            count += 1
    return count


@njit(cache=True)
def search_back(g: Graph, order: Index, count: int, position: Index) -> int:
    """Number the open nodes that reach one of ``order[:count]``, in the order found; close them.

    ``order`` then lists them by position; returns how many there are.
    """
    bits = g.bits
    for i in range(count):
        bits[order[i]] &= np.uint8(255 - OPEN)
        position[order[i]] = i
    done = 0
    while done < count:
        v = order[done]
        done += 1
        b = bits[v]
        if v > 0 and (bits[v - 1] & (CHAIN | OPEN)) == (CHAIN | OPEN):
            bits[v - 1] &= np.uint8(255 - OPEN)
            position[v - 1] = count
            order[count] = v - 1
            count += 1
        if (b & CARRY) and (bits[v + 1] & OPEN):
            bits[v + 1] &= np.uint8(255 - OPEN)
            position[v + 1] = count
            order[count] = v + 1
            count += 1
        if (b & ACROSS) and (v >= g.second or (b & LOADED)):
            w = g.partner[v]
            if bits[w] & OPEN:
                bits[w] &= np.uint8(255 - OPEN)
                position[w] = count
                order[count] = w
                count += 1
        if b & EXTRA:
            for k in range(g.xin_ptr[v], g.xin_ptr[v + 1]):
                w = g.xtail[g.xin[k]]
                if bits[w] & OPEN:
                    bits[w] &= np.uint8(255 - OPEN)
                    position[w] = count
                    order[count] = w
                    count += 1
            for k in range(g.xout_ptr[v], g.xout_ptr[v + 1]):
                w = g.xhead[g.xout[k]]
                if (bits[w] & OPEN) and g.xflow[g.xout[k]] > 0:
                    bits[w] &= np.uint8(255 - OPEN)
                    position[w] = count
                    order[count] = w
                    count += 1
    return count


@njit(cache=True)
def search_forward(g: Graph, order: Index, count: int, enough: int, limit: int) -> tuple[int, int, bool]:
    """Open the closed nodes that one of ``order[:count]`` reaches, nearest first.

    Stops when the demands seen reach ``enough`` or ``limit`` nodes are listed. Returns how many are
    listed in ``order``, the demand seen, and whether nothing was left to visit.
    """
    bits = g.bits
    for i in range(count):
        bits[order[i]] |= np.uint8(OPEN)
    seen = 0
    done = 0
    while done < count and seen < enough and count < limit:
        v = order[done]
        done += 1
        b = bits[v]
        if b & DEMAND:
            seen -= g.excess[v]
        if (b & CHAIN) and not (bits[v + 1] & OPEN):
            bits[v + 1] |= np.uint8(OPEN)
            order[count] = v + 1
            count += 1
        if v > 0 and (bits[v - 1] & (CARRY | OPEN)) == CARRY:
            bits[v - 1] |= np.uint8(OPEN)
            order[count] = v - 1
            count += 1
        if (b & ACROSS) and (v < g.second or (b & LOADED)):
            w = g.partner[v]
            if not (bits[w] & OPEN):
                bits[w] |= np.uint8(OPEN)
                order[count] = w
                count += 1
        if b & EXTRA:
            for k in range(g.xout_ptr[v], g.xout_ptr[v + 1]):
                w = g.xhead[g.xout[k]]
                if not (bits[w] & OPEN):
                    bits[w] |= np.uint8(OPEN)
                    order[count] = w
                    count += 1
            for k in range(g.xin_ptr[v], g.xin_ptr[v + 1]):
                w = g.xtail[g.xin[k]]
                if not (bits[w] & OPEN) and g.xflow[g.xin[k]] > 0:
                    bits[w] |= np.uint8(OPEN)
                    order[count] = w
                    count += 1
    return count, seen, done == count


@njit(cache=True)
def sweep(g: Graph, order: Index, count: int, position: Index) -> None:
    """Push every excess of ``order[:count]``, farthest first, to residual neighbours of smaller position."""
    for i in range(count - 1, -1, -1):
        v = order[i]
        if not (g.bits[v] & SUPPLY):
            continue
        e = retreat(g, v, i, g.excess[v], position)
        if e > 0:
            e = advance(g, v, i, e, position)
        mark_excess(g, v, e)


@njit(cache=True)
def retreat(g: Graph, v: int, i: int, e: int, position: Index) -> int:
    """Undo flow into ``v`` from neighbours of position below ``i``; return what is left of ``e``."""
    if v > 0 and (g.bits[v - 1] & CARRY) and position[v - 1] < i:
        f = min(e, g.chain[v - 1])
        add_chain(g, v - 1, -f)
        mark_excess(g, v - 1, g.excess[v - 1] + f)
        e -= f
    b = g.bits[v]
    if e > 0 and v >= g.second and (b & LOADED):
        w = g.partner[v]
        if position[w] < i:
            f = min(e, g.across[w])
            add_across(g, w, -f)
            mark_excess(g, w, g.excess[w] + f)
            e -= f
    if e > 0 and (b & EXTRA):
        for k in range(g.xin_ptr[v], g.xin_ptr[v + 1]):
            a = g.xin[k]
            f = min(e, g.xflow[a])
            w = g.xtail[a]
            if f > 0 and position[w] < i:
                g.xflow[a] -= f
                mark_excess(g, w, g.excess[w] + f)
                e -= f
    return e


@njit(cache=True)
def advance(g: Graph, v: int, i: int, e: int, position: Index) -> int:
    """Push ``e`` over one infinite arc to a neighbour of position below ``i``; return what is left."""
    b = g.bits[v]
    if (b & CHAIN) and position[v + 1] < i:
        add_chain(g, v, e)
        mark_excess(g, v + 1, g.excess[v + 1] + e)
        return 0
    if v < g.second and (b & ACROSS):
        w = g.partner[v]
        if position[w] < i:
            add_across(g, v, e)
            mark_excess(g, w, g.excess[w] + e)
            return 0
    if b & EXTRA:
        for k in range(g.xout_ptr[v], g.xout_ptr[v + 1]):
            a = g.xout[k]
            w = g.xhead[a]
            if position[w] < i:
                g.xflow[a] += e
                mark_excess(g, w, g.excess[w] + e)
                return 0
    return e


@njit(cache=True)
def forget(position: Index, nodes: Index) -> None:
    """Take their positions from ``nodes``."""
    for v in nodes:
        position[v] = FAR


@njit(cache=True)
def shut(g: Graph, nodes: Index) -> None:
    """Close ``nodes``."""
    for v in nodes:
        g.bits[v] &= np.uint8(255 - OPEN)
