"""The search that looks at 64 nodes at once, against a search of the residual arcs one by one."""

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order
from support.programs import random_program

from expost.formulations.second_best import formulate
from expost.formulations.settings import Settings
from expost.instances.catalogue import load
from expost.solver.mincut import kernels
from expost.solver.mincut.network import build, graph_of
from expost.solver.mincut.preflow import Preflow
from expost.solver.program import Program
from expost.spaces.type_space import Grid, discretize


def jmmz(points: int, timing: str = "static", *first: str) -> Program:
    """The program of jmmz; values tie at 6 points."""
    grid = Grid(points)
    return formulate(discretize(load("jmmz"), grid), Settings(grid, timing, first)).program


PROGRAMS = {
    "static": lambda: jmmz(5),
    "ties": lambda: jmmz(6),
    "many ties": lambda: jmmz(12),
    "sequential": lambda: jmmz(5, "sequential", "c1", "c2"),
} | {
    f"random {seed}": lambda seed=seed: random_program(np.random.default_rng(seed), 2, 7) for seed in range(6)
}


def residual(graph: kernels.Graph) -> tuple[np.ndarray, np.ndarray]:
    """Tails and heads of all arcs that can take more."""
    chain = np.flatnonzero(graph.bits & kernels.CHAIN)
    left = np.flatnonzero(graph.bits[: graph.second] & kernels.ACROSS)
    tails = np.concatenate([chain, left, graph.xtail])
    heads = np.concatenate([chain + 1, graph.partner[left], graph.xhead])
    flow = np.concatenate([graph.node[chain, kernels.ALONG], graph.node[left, kernels.OVER], graph.xflow])
    back = flow > 0
    return np.concatenate([tails, heads[back]]), np.concatenate([heads, tails[back]])


@pytest.mark.parametrize("rounds", [0, 1, 4, 12])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_search_meets_what_reaches_a_demand_and_labels_fall_on_the_way(name, rounds):
    network = build(PROGRAMS[name]())
    graph = network.graph
    kernels.start(graph, network.supply)
    preflow = Preflow(graph, network.acyclic)
    kernels.fill_pairs(graph)
    kernels.mark(graph)
    for _ in range(rounds):
        preflow.search()
        preflow._push()
    assert_search(preflow)
    between = preflow.between()
    assert (between == (preflow.reached() & (preflow.label != kernels.FAR))).all()
    assert between.any() == (preflow.found > 0)


def assert_search(preflow):
    """A search meets what a search of the residual arcs meets, and labels fall on some way to a demand."""
    graph, found = preflow.graph, preflow.search()
    label, excess = preflow.label.astype(np.int64), graph.node[:, kernels.EXCESS]
    tails, heads = residual(graph)

    nodes, demands = len(label), np.flatnonzero(excess < 0)
    backwards = coo_array(
        (
            np.ones(len(tails) + len(demands)),
            (
                np.concatenate([heads, np.full(len(demands), nodes)]),
                np.concatenate([tails, demands]),
            ),
        ),
        shape=(nodes + 1, nodes + 1),
    )
    reached = breadth_first_order(backwards.tocsr(), nodes, return_predecessors=False)
    met = np.zeros(nodes + 1, dtype=np.bool_)
    met[reached] = True
    np.testing.assert_array_equal(label != kernels.FAR, met[:-1])
    assert preflow.touched == np.count_nonzero(met[:-1])

    smallest = np.full(nodes, kernels.FAR)
    np.minimum.at(smallest, tails, label[heads])
    assert (smallest < label)[met[:-1] & (excess >= 0)].all()
    active = preflow.active[:found]
    np.testing.assert_array_equal(np.sort(active), np.flatnonzero(met[:-1] & (excess > 0)))
    assert (np.diff(label[active]) >= 0).all()


def test_what_ties_is_numbered_together():
    graph = build(jmmz(6)).graph
    assert len(graph.xtail)
    assert np.abs(graph.xhead - graph.xtail).max() < 6


NEARLY_TIES = {
    "a tie": ([0, 2], [(0, 2, 0), (1, 3, 0)]),
    "flow that can go back": ([0, 2], [(0, 2, 5), (1, 3, 5)]),
    "something else leads to its end": ([0, 2], [(0, 2, 0), (1, 3, 0), (5, 3, 0)]),
    "something else leads to its last": ([0, 2], [(0, 2, 0), (1, 3, 0), (5, 2, 0)]),
    "its first leads elsewhere": ([0, 2], [(0, 2, 0), (1, 3, 0), (1, 4, 5)]),
    "its start leads elsewhere": ([0, 3], [(0, 2, 0), (0, 6, 0), (5, 3, 0), (1, 4, 0), (2, 4, 0)]),
}
"""Nodes with an arc to the next, and explicit arcs with their flow."""


@pytest.mark.parametrize("demand", [2, 3])
@pytest.mark.parametrize("name", NEARLY_TIES)
def test_what_is_nearly_a_tie_is_searched_arc_by_arc(name, demand):
    chain, arcs = NEARLY_TIES[name]
    bits = np.zeros(7, dtype=np.uint8)
    bits[chain] = kernels.CHAIN
    tails, heads, flow = (np.array(part, dtype=np.int32) for part in zip(*arcs, strict=True))
    graph, order = graph_of(7, bits, np.arange(7, dtype=np.int32), tails, heads)
    graph.xflow[:] = flow[order]
    supply = np.ones(7, dtype=np.int64)
    supply[demand] = -9
    kernels.start(graph, supply)
    kernels.mark(graph)
    assert_search(Preflow(graph))


def test_ties_are_known_by_their_bits():
    graph = build(jmmz(12)).graph
    ties = np.zeros((-(-len(graph.bits) // 64), 6), dtype=np.uint64)
    kernels.find_ties(graph, ties)

    first, tied, ends, met = (
        np.flatnonzero(np.unpackbits(ties[:, column].copy().view(np.uint8), bitorder="little"))
        for column in range(4)
    )

    # each leads to one node after it, which is the same for all that are side by side
    own = np.isin(graph.xtail, first)
    assert len(first)
    assert np.isin(graph.xhead[own], ends).all()
    assert np.isin(first, tied).all()
    assert not np.isin(ends, tied).any()
    assert not (graph.bits[first] & kernels.CHAIN).any()
    # most ties lie within a word, and nothing else leads to their nodes
    assert np.isin(graph.xhead, met).mean() > 0.8
    from_outside = np.isin(graph.xhead, tied)
    assert np.isin(graph.xhead[from_outside] - 1, tied).all()
