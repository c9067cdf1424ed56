"""Laying the flow and the rule of a nearby program into a network."""

from __future__ import annotations

import numpy as np

from expost._typing import Float, Int8, Int32
from expost.solver.mincut import kernels
from expost.solver.mincut.fixed_nodes import Settled
from expost.solver.mincut.network import Network
from expost.solver.nearby import Nearby

MOST = 2.0**62
"""No sum of flows may come near to what int64 holds; else there is no start."""


def begin(network: Network, settled: Settled, start: Nearby) -> bool:
    """Lay the flow into the network, which has none but that of ``settled``; return whether that was possible.

    Flow on cycles piles up, and decided nodes have a flow of their own: neither gets a start.
    """
    if start.prices is None or not network.acyclic or settled.one is not None:
        return False
    graph = network.graph
    arcs = np.zeros(0) if start.arcs is None else start.arcs
    along = _at(arcs, network.chain_arc)
    over = _at(start.prices, network.pair_row)
    rows = [_at(arcs, network.extra_arcs), start.prices[network.extra_rows]]
    explicit = np.concatenate([*rows, np.zeros(len(graph.xtail) - len(rows[0]) - len(rows[1]))])
    with np.errstate(over="ignore"):
        flows = [
            np.rint(np.ldexp(np.maximum(flow, 0.0), network.scale_exponent))
            for flow in (along, over, explicit[network.explicit])
        ]
    if not _fits(network, *flows):
        return False
    kernels.lay(graph, *(flow.astype(np.int64) for flow in flows))
    kernels.settle_chains(graph, np.empty(len(network.supply), dtype=np.int64))
    return True


def _at(multipliers: Float, places: Int32) -> Float:
    """The multipliers at these places; 0 where a place is -1, or where none are known."""
    if not len(multipliers):
        return np.zeros(len(places))
    return np.where(places >= 0, multipliers[places], 0.0)


def _fits(network: Network, along: Float, over: Float, explicit: Float) -> bool:
    """Whether nothing can overflow: not at a node, nor all the excess on one arc."""
    graph, nodes = network.graph, len(network.supply)
    excess = network.supply.astype(np.float64)
    size = np.abs(excess)
    moves = (
        (np.arange(nodes - 1), np.arange(1, nodes), along[:-1]),
        (np.arange(network.second), graph.partner[: network.second], over),
        (graph.xtail, graph.xhead, explicit),
    )
    for tails, heads, flow in moves:
        out, into = np.bincount(tails, flow, nodes), np.bincount(heads, flow, nodes)
        excess += into - out
        size += into + out
    return bool(size.max(initial=0.0) < MOST and np.maximum(excess, 0.0).sum() + size.max(initial=0.0) < MOST)


def guess(network: Network, rule: Int8) -> Int8:
    """The rule as closure nodes, int8 (nodes,): block 1 complemented."""
    turned = (rule != 0).astype(np.int8)
    turned[network.second :] ^= 1
    z = np.empty_like(turned)
    z[network.place] = turned
    return z
