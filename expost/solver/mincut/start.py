"""Laying the flow and the rule of a nearby program into a network."""

from __future__ import annotations

import numpy as np

from expost._typing import Float, Int8, Int32, Int64, UInt8
from expost.solver.mincut import kernels
from expost.solver.mincut.fixed_nodes import Settled
from expost.solver.mincut.kernels import ALONG, EXCESS, OVER, Graph
from expost.solver.mincut.network import Network, positive_sum
from expost.solver.nearby import Nearby

MOST = 2.0**62
"""No sum of flows may come near to what int64 holds; else there is no start."""


def begin(network: Network, settled: Settled, start: Nearby, piece: UInt8 | None = None) -> bool:
    """Lay the flow into the network, which has none but that of ``settled``; return whether that was possible.

    Flow on cycles piles up, and decided nodes have a flow of their own: neither gets a start. Where the nodes are in
    pieces, nothing flows from one to another, and chains are settled later, in each piece by itself.
    """
    if start.prices is None or not network.acyclic or settled.one is not None:
        return False
    graph, second, exponent = network.graph, network.second, network.scale_exponent
    prices = _scaled(start.prices, exponent)
    over = _at(prices, network.pair_row)
    along, own = _NONE, _NONE
    if start.arcs is not None:
        arcs = _scaled(start.arcs, exponent)
        along, own = _at(arcs, network.chain_arc), arcs[network.extra_arcs]
    explicit = np.zeros(len(graph.xtail))
    explicit[: len(own)] = own
    first = len(network.extra_arcs)
    explicit[first : first + len(network.extra_rows)] = prices[network.extra_rows]
    explicit = explicit[network.explicit]
    if piece is not None:
        along[:-1][piece[: len(along)][:-1] != piece[1 : len(along)]] = 0.0
        over[piece[:second] != piece[graph.partner[:second]]] = 0.0
        explicit[piece[graph.xtail] != piece[graph.xhead]] = 0.0
    if not _fits(network, along, over, explicit):
        return False
    _lay(graph, *(flow.astype(np.int64) for flow in (along, over, explicit)))
    if piece is None:
        kernels.settle_chains(graph, np.empty(len(network.supply), dtype=np.int64))
    return True


def _lay(graph: Graph, along: Int64, over: Int64, explicit: Int64) -> None:
    """Send flow to the next node, across and along explicit arcs; ``along`` may be empty. The bits need ``mark``."""
    excess = graph.node[:, EXCESS]
    if len(along):
        graph.node[:, ALONG] += along
        excess -= along
        excess[1:] += along[:-1]
    graph.node[: graph.second, OVER] += over
    excess[: graph.second] -= over
    excess[graph.partner[: graph.second]] += over
    # few, and what nobody has written to takes no memory yet
    used = np.flatnonzero(explicit)
    graph.xflow[used] += explicit[used]
    np.subtract.at(excess, graph.xtail[used], explicit[used])
    np.add.at(excess, graph.xhead[used], explicit[used])


_NONE = np.zeros(0)


def _scaled(flow: Float, exponent: int) -> Float:
    """The flow in whole units of the network, none of it negative; infinite where it overflows."""
    with np.errstate(over="ignore"):
        scaled = np.ldexp(np.maximum(flow, 0.0), exponent)
    return np.rint(scaled, out=scaled)


def _at(multipliers: Float, places: Int32) -> Float:
    """The multipliers at these places; 0 where a place is -1."""
    if not len(multipliers):
        return np.zeros(len(places))
    found = multipliers[places]
    found[places < 0] = 0.0
    return found


def _fits(network: Network, along: Float, over: Float, explicit: Float) -> bool:
    """Whether nothing can overflow: not at a node, nor all the excess on one arc. ``along`` may be empty."""
    supply = network.supply
    rest = float(along.sum() + explicit.sum())
    largest = max(int(supply.max(initial=0)), -int(supply.min(initial=0)))
    most = largest + float(over.max(initial=0.0)) + rest
    if positive_sum(supply) + float(over.sum()) + rest + most < MOST:
        return True
    excess, size = (_totals(network, along, over, explicit, sign) for sign in (-1.0, 1.0))
    return bool(size.max(initial=0.0) < MOST and np.maximum(excess, 0.0).sum() + size.max(initial=0.0) < MOST)


def _totals(network: Network, along: Float, over: Float, explicit: Float, sign: float) -> Float:
    """At each node what flows in and ``sign`` times what flows out, with its supply, or the size of that."""
    graph, nodes, second = network.graph, len(network.supply), network.second
    total = network.supply.astype(np.float64)
    if sign > 0.0:
        np.abs(total, out=total)
    if len(along):
        total += sign * along
        total[1:] += along[:-1]
    total[:second] += sign * over
    total[graph.partner[:second]] += over
    total += sign * np.bincount(graph.xtail, explicit, nodes)
    total += np.bincount(graph.xhead, explicit, nodes)
    return total


def guess(network: Network, rule: Int8) -> Int8:
    """The rule as closure nodes, int8 (nodes,): block 1 complemented."""
    turned = (rule != 0).astype(np.int8)
    turned[network.second :] ^= 1
    z = np.empty_like(turned)
    z[network.place] = turned
    return z
