# mypy: disable-error-code="untyped-decorator"
"""Compiled kernels for maximum-weight closures: a wave preflow over infinite arcs.

One round searches breadth-first from the unmet demands, backwards over residual arcs, which gives every
node that reaches one a label; then one sweep, farthest node first, pushes each excess to residual
neighbours of smaller label, limited arcs first; then the excess that is stuck wanders on for a while by
labels that rise as they have to. An infinite arc can always be walked forwards, and backwards as far as
its flow goes.

Precedence arcs ``v -> v + 1`` are implicit (a bit and a flow per node), and each node may have one
partner across; all other arcs are explicit. One byte per node says what a search has to know.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from expost._typing import Int32, Int64, UInt8
from expost.solver.mincut.kernel_fetch import fetch

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
SEEN = 64
"""The running search has met the node."""
EXTRA = 128
"""Explicit arcs touch the node."""

FAR = 2**31 - 1
"""Label of a node that the last search has not met."""

FAR_AHEAD, AHEAD = 32, 16
"""How many turns ahead a search fetches a node's data, and what its partner needs."""

EXCESS, ALONG, OVER = 0, 1, 2
"""The columns of ``Graph.node``."""


class Graph(NamedTuple):
    """A network and its flow.

    Compiled functions that pass it on to inlined ones are declared with ``_nrt=False``: they allocate
    nothing, and counting references to all these arrays on every call took two thirds of their time.

    second: where block 1 starts.
    bits: uint8 (nodes,). partner: int32 (nodes,), the node itself where it has none.
    node: int64 (nodes, 3), side by side because they are used together: the EXCESS, the flow ALONG the
    arc to the next node, and, for nodes of block 0, the flow OVER to the partner.
    xtail, xhead: int32 (explicit arcs,), sorted by tail; xflow: int64 (explicit arcs,).
    xout_ptr: int32 (nodes + 1,), where the arcs that leave each node start. xin_ptr: likewise for those
    that enter it, listed in xin, with their tails in xin_tail.
    """

    second: int
    bits: UInt8
    partner: Int32
    node: Int64
    xtail: Int32
    xhead: Int32
    xflow: Int64
    xout_ptr: Int32
    xin_ptr: Int32
    xin: Int32
    xin_tail: Int32


@njit(cache=True, inline="always", _nrt=False)
def mark_excess(g: Graph, v: int, excess: int) -> None:
    """Set the excess of a node, and its bits."""
    g.node[v, EXCESS] = excess
    sign = SUPPLY if excess > 0 else (DEMAND if excess < 0 else 0)
    g.bits[v] = (g.bits[v] & np.uint8(255 - SUPPLY - DEMAND)) | np.uint8(sign)


@njit(cache=True, inline="always", _nrt=False)
def add_chain(g: Graph, v: int, amount: int) -> None:
    """Change the flow from a node to the next."""
    g.node[v, ALONG] += amount
    if g.node[v, ALONG] > 0:
        g.bits[v] |= np.uint8(CARRY)
    else:
        g.bits[v] &= np.uint8(255 - CARRY)


@njit(cache=True, inline="always", _nrt=False)
def add_across(g: Graph, v: int, amount: int) -> None:
    """Change the flow from a node of block 0 to its partner."""
    g.node[v, OVER] += amount
    if g.node[v, OVER] > 0:
        g.bits[v] |= np.uint8(LOADED)
        g.bits[g.partner[v]] |= np.uint8(LOADED)
    else:
        g.bits[v] &= np.uint8(255 - LOADED)
        g.bits[g.partner[v]] &= np.uint8(255 - LOADED)


@njit(cache=True, inline="always", _nrt=False)
def fetch_far(g: Graph, label: Int32, v: int) -> None:
    """Fetch what a node's turn will need."""
    fetch(g.node, 3 * np.intp(v))
    fetch(g.bits, np.intp(v))
    fetch(g.partner, np.intp(v))
    fetch(label, np.intp(v))


@njit(cache=True, inline="always", _nrt=False)
def fetch_near(g: Graph, label: Int32, v: int) -> None:
    """Fetch what a node's turn will need of its partner."""
    w = np.intp(g.partner[v])
    fetch(g.node, 3 * w)
    fetch(g.bits, w)
    fetch(label, w)


@njit(cache=True)
def fill_pairs(g: Graph) -> None:
    """Push across what a node has and its partner lacks, then the same along the explicit arcs."""
    for v in range(g.second):
        if g.bits[v] & ACROSS:
            w = g.partner[v]
            f = min(g.node[v, EXCESS], -g.node[w, EXCESS])
            if f > 0:
                add_across(g, v, f)
                mark_excess(g, v, g.node[v, EXCESS] - f)
                mark_excess(g, w, g.node[w, EXCESS] + f)
    for a in range(len(g.xtail)):
        v, w = g.xtail[a], g.xhead[a]
        f = min(g.node[v, EXCESS], -g.node[w, EXCESS])
        if f > 0:
            g.xflow[a] += f
            mark_excess(g, v, g.node[v, EXCESS] - f)
            mark_excess(g, w, g.node[w, EXCESS] + f)


@njit(cache=True)
def search_back(g: Graph, order: Int32, label: Int32, active: Int32, wanted: int) -> int:  # noqa: PLR0915
    """Label the nodes that reach an unmet demand with the number of arcs to the nearest one.

    ``label`` is int32 (nodes,), FAR for nodes that were not met. The search ends when it has met ``wanted``
    nodes with an excess; ``active`` lists them, nearest first; returns how many there are. ``order`` has
    room for four more than there are nodes. Whether a neighbour is new is written as arithmetic: as
    branches, half of them would be mispredicted.
    """
    bits, partner, second = g.bits, g.partner, g.second
    last = len(bits) - 1
    explicit = len(g.xtail) > 0
    count = 0
    for v in range(last + 1):
        label[v] = FAR
        demand = (bits[v] & DEMAND) >> 5
        bits[v] = (bits[v] & np.uint8(255 - SEEN)) | np.uint8(demand << 6)
        order[count] = v
        count += demand
    done = 0
    found = 0
    away = 0
    end = count
    while done < count and found < wanted:
        if done == end:
            away += 1
            end = count
        if done + FAR_AHEAD < count:
            v = order[done + FAR_AHEAD]
            fetch(bits, np.intp(v))
            fetch(partner, np.intp(v))
            fetch(label, np.intp(v))
            w = order[done + AHEAD]
            fetch(bits, np.intp(partner[w]))
            if explicit:
                fetch(g.xin_ptr, np.intp(v))
                fetch(g.xout_ptr, np.intp(v))
                fetch(g.xin_tail, np.intp(g.xin_ptr[w]))
                fetch(g.xhead, np.intp(g.xout_ptr[w]))
                fetch(g.xflow, np.intp(g.xout_ptr[w]))
        v = order[done]
        label[v] = away
        done += 1
        b = bits[v]
        if b & SUPPLY:
            active[found] = v
            found += 1
        w = max(v - 1, 0)
        fresh = int((bits[w] & (CHAIN | SEEN)) == CHAIN)
        bits[w] |= np.uint8(fresh << 6)
        order[count] = w
        count += fresh
        w = min(v + 1, last)
        fresh = int((b & CARRY) >> 1) & int((bits[w] & SEEN) == 0)
        bits[w] |= np.uint8(fresh << 6)
        order[count] = w
        count += fresh
        w = partner[v]
        fresh = int(((b & LOADED) >> 3) | int(v >= second)) & int((bits[w] & SEEN) == 0)
        bits[w] |= np.uint8(fresh << 6)
        order[count] = w
        count += fresh
        if b & EXTRA:
            for k in range(g.xin_ptr[v], g.xin_ptr[v + 1]):
                w = g.xin_tail[k]
                fresh = int((bits[w] & SEEN) == 0)
                bits[w] |= np.uint8(SEEN)
                order[count] = w
                count += fresh
            for k in range(g.xout_ptr[v], g.xout_ptr[v + 1]):
                w = g.xhead[k]
                fresh = int(g.xflow[k] > 0) & int((bits[w] & SEEN) == 0)
                bits[w] |= np.uint8(fresh << 6)
                order[count] = w
                count += fresh
    return found


@njit(cache=True)
def reach(g: Graph, order: Int32) -> None:
    """Mark as SEEN the nodes that some excess reaches, and no others."""
    bits = g.bits
    count = 0
    for v in range(len(bits)):
        bits[v] &= np.uint8(255 - SEEN)
        if bits[v] & SUPPLY:
            bits[v] |= np.uint8(SEEN)
            order[count] = v
            count += 1
    done = 0
    while done < count:
        v = order[done]
        done += 1
        b = bits[v]
        if (b & CHAIN) and not (bits[v + 1] & SEEN):
            bits[v + 1] |= np.uint8(SEEN)
            order[count] = v + 1
            count += 1
        if v > 0 and (bits[v - 1] & (CARRY | SEEN)) == CARRY:
            bits[v - 1] |= np.uint8(SEEN)
            order[count] = v - 1
            count += 1
        if (b & ACROSS) and (v < g.second or (b & LOADED)):
            w = g.partner[v]
            if not (bits[w] & SEEN):
                bits[w] |= np.uint8(SEEN)
                order[count] = w
                count += 1
        if b & EXTRA:
            for k in range(g.xout_ptr[v], g.xout_ptr[v + 1]):
                w = g.xhead[k]
                if not (bits[w] & SEEN):
                    bits[w] |= np.uint8(SEEN)
                    order[count] = w
                    count += 1
            for k in range(g.xin_ptr[v], g.xin_ptr[v + 1]):
                w = g.xin_tail[k]
                if not (bits[w] & SEEN) and g.xflow[g.xin[k]] > 0:
                    bits[w] |= np.uint8(SEEN)
                    order[count] = w
                    count += 1
