"""Many minimum cuts with the same rows: each is solved only where it can differ from what is known.

A family has two weight vectors; at a share it weighs ``share`` times the one plus the rest of the other. In integers
every node's weight moves one way as the share rises, so that between two shares it lies between its weights at these.
Let ``least`` and ``most`` be the smallest and the largest weights of every node there. A best closure of ``least`` is
contained in a best closure of any weights between, and those in one of ``most`` (closures of larger weights are larger:
for closures A of the lower and B of the upper weights, the union is as good as B, the intersection as good as A). What
these two agree on is settled for all shares between. And so is its proof: the flow of ``least`` leaves no node of its
closure a negative excess, the more so when weights are larger; that of ``most`` leaves none outside its closure a
positive one; and no flow crosses the borders. What is left is a *ring* of nodes, a network of its own; its flow and the
settled ones together are the certificate of the whole.

Where all weights rise with the share, as with shares of two buyers' gains, ``least`` and ``most`` are those of the
ends, the closures nest, and two shares that have been solved settle what lies between them at no cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from expost._typing import Bool, Float, Int8, Int32, Int64
from expost.errors import LimitReached, SolverError
from expost.solver.mincut import kernels
from expost.solver.mincut.kernels import ACROSS, ALONG, CHAIN, EXTRA, OVER, Graph
from expost.solver.mincut.network import build, graph_of
from expost.solver.mincut.preflow import Preflow
from expost.solver.program import FREE, Program
from expost.solver.result import Certificate, Status


class Flow(NamedTuple):
    """What a closure takes of some nodes, and the flow that leaves them, in the program's own numbers.

    ones: int32, the variables that are 1. rows, carried: int32 and int64, rows (arcs, then packing)
    with their multipliers, where these are positive.
    """

    ones: Int32
    rows: Int32
    carried: Int64


class Settled(NamedTuple):
    """A flow that is settled, and those that were before."""

    flow: Flow
    before: Settled | None


@dataclass(frozen=True, eq=False)
class Ring:
    """The nodes that are not settled between two shares, with their network and what is settled around it.

    nodes: int32 (k,), their numbers in the whole network, increasing. graph: without flow. rows: int32 (k + nodes in
    block 0 + explicit arcs,), the program's row (arcs first, then packing rows) of each node's arc to the next, of that
    to its partner, and of each explicit arc, -1 where there is none. width: between the shares that settled it.
    """

    nodes: Int32
    graph: Graph
    rows: Int32
    settled: Settled | None
    width: float


@dataclass(frozen=True, eq=False)
class Cut:
    """An optimal closure in a ring at one share, the smallest, int8 (k,), and what the arcs of ``ring.rows`` carry."""

    ring: Ring
    z: Int8
    carried: Int64
    rounds: int


@dataclass(eq=False)
class Span:
    """The shares between two, and what is known about them.

    ring: what is not settled. at_low, at_high: optimal closures in it at the ends, bool (k,), None where none is known.
    inside, outside: cuts whose inside and outside are settled, but not yet taken out. new: whether nobody has tried to
    settle more of the ring.
    """

    low: float
    high: float
    ring: Ring
    at_low: Bool | None = None
    at_high: Bool | None = None
    new: bool = True
    inside: Cut | None = None
    outside: Cut | None = None


SPARE_BITS = 4
"""Weights are so much coarser than int64 allows: sums over a variable's few rows then fit without a closer look."""

FEW = 10_000
"""Smaller rings are solved as they are: two more solves would take longer than they save."""

NARROW = 0.65
"""Where weights do not all rise, a ring is settled anew once the shares are nearer to each other by this factor: that
takes two more solves."""


class Family:
    """The programs with the rows of ``program`` and weights between two, float64 (variables,) each.

    Raises InputError for more than two blocks. ``usable`` says which programs it is for.
    """

    def __init__(self, program: Program, first: Float, second: Float) -> None:
        self.program = program
        largest = np.maximum(np.abs(first), np.abs(second))
        self.network = build(program.reweighted(largest, 0.0), SPARE_BITS)
        self.start = self._nodes(second)
        self.step = (self._nodes(first) - self.start).astype(np.float64)
        rises, falls = bool((self.step > 0).any()), bool((self.step < 0).any())
        self.way = 0 if rises and falls else -1 if falls else 1
        graph = self.network.graph
        bits = graph.bits & np.uint8(CHAIN | ACROSS | EXTRA)
        nodes = np.arange(len(bits), dtype=np.int32)
        self.whole = Ring(nodes, graph._replace(bits=bits), self._rows(), None, 1.0)
        self.variable = np.empty(len(bits), dtype=np.int32)
        self.variable[self.network.place] = nodes

    @staticmethod
    def usable(program: Program) -> bool:
        """Whether the program is a single minimum cut in which nothing is demanded."""
        free = program.n_blocks <= 2 and program.capacity == 1 and not len(program.covering)
        return free and bool((program.fixings == FREE).all())

    def root(self) -> Span:
        """All shares, nothing settled."""
        return Span(0.0, 1.0, self.whole)

    def cut(self, span: Span, share: float, limit: float = math.inf) -> Cut:
        """The smallest optimal closure at a share of the span. limit: when to stop (time.perf_counter).

        Raises LimitReached then.
        """
        return self._cut(self._ring(span, limit), share, limit)

    def split(self, span: Span, share: float, cut: Cut) -> tuple[Span, Span]:
        """The shares on either side of one that has been solved."""
        here = cut.z == 1
        low = Span(span.low, share, cut.ring, span.at_low, here)
        high = Span(share, span.high, cut.ring, here, span.at_high)
        if self.way:
            smaller, larger = (low, high) if self.way > 0 else (high, low)
            smaller.outside, larger.inside = cut, cut
        return low, high

    def answer(self, cut: Cut) -> tuple[Int8, Certificate]:
        """The program's variables, int8 (variables,), and the flow of the whole network as multipliers of its rows."""
        arcs = self.program.arcs
        x = np.zeros(len(self.start), dtype=np.int8)
        multipliers = np.zeros(arcs + len(self.program.packing), dtype=np.int64)
        for flow in self._flows(cut):
            x[flow.ones] = 1
            multipliers[flow.rows] = flow.carried
        none = np.empty(0, dtype=np.int64)
        return x, Certificate(self.network.scale_exponent, multipliers[:arcs], multipliers[arcs:], none)

    def _nodes(self, weights: Float) -> Int64:
        """Integer weights of the nodes, int64 (nodes,)."""
        whole = np.rint(np.ldexp(weights, self.network.scale_exponent)).astype(np.int64)
        whole[self.network.second :] *= -1
        nodes = np.empty_like(whole)
        nodes[self.network.place] = whole
        return nodes

    def _rows(self) -> Int32:
        """The rows of the whole network's arcs, as a ring has them."""
        network, arcs = self.network, self.program.arcs
        pairs = np.where(network.pair_row >= 0, network.pair_row + arcs, -1)
        explicit = np.concatenate([network.extra_arcs, network.extra_rows + arcs])[network.explicit]
        return np.concatenate([network.chain_arc, pairs, explicit]).astype(np.int32)

    def _flows(self, cut: Cut) -> list[Flow]:
        """What a ring's cut says about its nodes, and what is settled around it."""
        flows, rest = [self._part(cut, np.ones(len(cut.z), dtype=np.bool_))], cut.ring.settled
        while rest is not None:
            flows.append(rest.flow)
            rest = rest.before
        return flows

    def _part(self, cut: Cut, kept: Bool) -> Flow:
        """What a cut says about the nodes that are ``kept``, bool (k,)."""
        ring, second = cut.ring, self.network.second
        variables = self.variable[ring.nodes[kept]]
        leaving = np.concatenate([kept, kept[: ring.graph.second], kept[ring.graph.xtail]]) & (
            cut.carried > 0
        )
        ones = variables[(cut.z[kept] == 1) == (variables < second)]
        return Flow(ones, ring.rows[leaving], cut.carried[leaving])

    def _supply(self, nodes: Int32, share: float | Float) -> Int64:
        """The integer weights of nodes at a share; monotone in it, for rounding is."""
        moved = share * self.step.take(nodes)
        return self.start.take(nodes) + np.rint(moved, out=moved).astype(np.int64)

    def _ring(self, span: Span, limit: float) -> Ring:
        """The ring of a span, as small as it is worth the work."""
        if span.inside is not None or span.outside is not None:
            span.ring = self._narrowed(span.ring, span.inside, span.outside, span.high - span.low)
            span.inside = span.outside = None
        elif self._worth_enclosing(span):
            self._enclose(span, limit)
        span.new = False
        return span.ring

    def _worth_enclosing(self, span: Span) -> bool:
        if self.way or not span.new or len(span.ring.nodes) < FEW:
            return False
        return span.high - span.low <= NARROW * span.ring.width

    def _enclose(self, span: Span, limit: float) -> None:
        """Leave in the ring what is between best closures of the least and of the most weights in the span.

        Weights at an end are neither less nor more: what its closure leaves out is left out by the least weights' too,
        what it contains is contained in the most weights'.
        """
        ring, rises = span.ring, self.step[span.ring.nodes] >= 0.0
        kept, settled = np.ones(len(ring.nodes), dtype=np.bool_), ring.settled
        for up in (True, False):
            within = np.ones(len(kept), dtype=np.bool_)
            for end in (span.at_low, span.at_high):
                within &= True if end is None else end == up
            share = np.where(rises == up, span.low, span.high)[within]
            cut = self._cut(restricted(ring, within, settled, ring.width), share, limit)
            decided = cut.z == up
            settled = Settled(self._part(cut, decided), settled)
            kept[np.flatnonzero(within)[decided]] = False
        span.ring = restricted(ring, kept, settled, span.high - span.low)
        span.at_low, span.at_high = (
            None if end is None else end[kept] for end in (span.at_low, span.at_high)
        )

    def _narrowed(self, ring: Ring, inside: Cut | None, outside: Cut | None, width: float) -> Ring:
        """The ring without what is inside the one closure or outside the other; both are cuts in this ring."""
        kept, settled = np.ones(len(ring.nodes), dtype=np.bool_), ring.settled
        for cut, value in ((inside, 1), (outside, 0)):
            if cut is not None:
                decided = cut.z == value
                settled = Settled(self._part(cut, decided), settled)
                kept &= ~decided
        return restricted(ring, kept, settled, width)

    def _cut(self, ring: Ring, share: float | Float, limit: float) -> Cut:
        """The smallest optimal closure in a ring at a share, or at one for each of its nodes.

        Raises LimitReached when the clock shows ``limit`` before.
        """
        supply, base = self._supply(ring.nodes, share), ring.graph
        graph = base._replace(
            bits=base.bits.copy(),
            node=np.zeros((len(supply), 3), dtype=np.int64),
            xflow=np.zeros(len(base.xflow), dtype=np.int64),
        )
        kernels.start(graph, supply)
        preflow = Preflow(graph, self.network.acyclic)
        status = preflow.run(limit)
        if status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        if status is not Status.OPTIMAL:
            raise LimitReached("the limit came before a minimum cut")
        z = preflow.smallest()
        if preflow.excess() != int(np.dot(supply, z)):
            raise SolverError("mincut: flow and cut disagree; please report this program")
        return Cut(ring, z, _carried(graph), preflow.rounds)


def _carried(graph: Graph) -> Int64:
    """What the arcs of a ring carry, in the order of its rows."""
    return np.concatenate([graph.node[:, ALONG], graph.node[: graph.second, OVER], graph.xflow])


def restricted(ring: Ring, kept: Bool, settled: Settled | None, width: float) -> Ring:
    """The ring of the nodes that are ``kept``, bool (k,), with what is settled now."""
    graph = ring.graph
    number = np.cumsum(kept, dtype=np.int32) - np.int32(1)
    chained, paired = np.zeros(len(kept), dtype=np.bool_), kept[graph.partner]
    chained[:-1] = kept[1:]
    bits = graph.bits & np.uint8(CHAIN | ACROSS)
    bits[~chained] &= np.uint8(255 - CHAIN)
    bits[~paired] &= np.uint8(255 - ACROSS)
    partner = np.where(paired, number[graph.partner], number)[kept].astype(np.int32)
    arcs = kept[graph.xtail] & kept[graph.xhead]
    second = int(np.count_nonzero(kept[: graph.second]))
    made, order = graph_of(second, bits[kept], partner, number[graph.xtail[arcs]], number[graph.xhead[arcs]])
    along, over, explicit = np.split(ring.rows, [len(kept), len(kept) + graph.second])
    rows = np.concatenate([along[kept], over[kept[: graph.second]], explicit[arcs][order]])
    return Ring(ring.nodes[kept], made, rows, settled, width)
