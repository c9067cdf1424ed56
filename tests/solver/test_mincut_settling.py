"""What a start settles before anything is searched: excess meets the demands ahead of it, through ties as well."""

import networkx as nx
import numpy as np
import pytest

from expost.solver.mincut import kernels, network
from expost.solver.program import Program


def chains(rng: np.random.Generator, count: int) -> Program:
    """A block of chains, types of equal value in groups; a group that follows one of several has a gate before it."""
    tails, heads, size = [], [], 0
    for _ in range(count):
        before = []
        for many in [1, *rng.integers(1, 6, rng.integers(1, 7)), 1]:
            if len(before) > 1 and many > 1:
                tails += before
                heads += [size] * len(before)
                before, size = [size], size + 1
            group = list(range(size, size + many))
            size += many
            tails += [v for v in before for _ in group]
            heads += [w for _ in before for w in group]
            before = group
    weights = rng.integers(-5, 6, size).astype(float)
    return Program(weights, np.array([0, size]), *(np.array(ends, dtype=np.int32) for ends in (tails, heads)))


def arcs_of(graph):
    """Tail, head and flow of every arc."""
    chained = np.flatnonzero(graph.bits & kernels.CHAIN)
    return [
        *((int(v), int(v) + 1, int(graph.node[v, kernels.ALONG])) for v in chained),
        *zip(graph.xtail.tolist(), graph.xhead.tolist(), graph.xflow.tolist(), strict=True),
    ]


def met_at_most(net: network.Network) -> int:
    """How much excess can meet a demand at all, by networkx."""
    flow = nx.DiGraph()
    flow.add_nodes_from(["s", "t"])
    for v, supply in enumerate(net.supply.tolist()):
        flow.add_edge(*(("s", v) if supply > 0 else (v, "t")), capacity=abs(supply))
    flow.add_edges_from((v, w) for v, w, _ in arcs_of(net.graph))
    return int(nx.maximum_flow_value(flow, "s", "t"))


@pytest.mark.parametrize("seed", range(25))
def test_all_excess_that_can_meet_a_demand_of_its_chain_does(seed):
    net = network.build(chains(np.random.default_rng(seed), 4))
    graph = net.graph
    kernels.start(graph, net.supply)
    kernels.settle_chains(graph, np.empty(len(net.supply), dtype=np.int64))
    balance = net.supply.copy()
    for v, w, f in arcs_of(graph):
        assert f >= 0
        balance[v] -= f
        balance[w] += f
    left = graph.node[:, kernels.EXCESS]
    assert (left == balance).all()
    assert (left[net.supply > 0] >= 0).all() and (left[net.supply <= 0] <= 0).all()
    assert net.supply[net.supply > 0].sum() - left[left > 0].sum() == met_at_most(net)
    alone = graph.bits & kernels.CHAIN == 0
    assert not graph.node[alone, kernels.ALONG].any()
    assert graph.xflow.any()  # through ties
