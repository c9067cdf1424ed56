"""The rounds of the wave preflow."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property

import numpy as np

from expost._typing import Int8, Int32
from expost.solver.mincut import kernels
from expost.solver.mincut.kernels import Graph
from expost.solver.result import Status

SHARE = 12
LEAST = 100
"""After a search, stuck excess wanders for LEAST pushes and one more for every SHARE nodes that it met."""

NEAR, MOST, TURNS, CROWD = 0.1, 0.6, 3, 0.5
"""Most nodes are near to a demand, most excess is far from any. The nearest labels, up to those of a share NEAR of the
active nodes, are kept where these are more than a share MOST of all: for TURNS searches, which then go over the rest
only. A new search of everything comes earlier when more than a share CROWD of the active nodes is stuck among them."""

MOST_FLOW = 2**62
"""Before a round, no arc on a cycle may carry more: a round adds less than as much again."""

Watch = Callable[["Preflow"], bool]


class PiledUpError(Exception):
    """Flow has run round a cycle so often that another round could overflow."""


class Preflow:
    """A preflow on its way to a maximum one.

    rounds: how many there were. found: how many active nodes the last search has met; they are the first in ``active``,
    nearest first. touched: how many nodes it went over, and work: how many all searches did. finished: the labels are
    those of a search that met no active node.
    """

    def __init__(self, graph: Graph, acyclic: bool = True) -> None:
        self.graph = graph
        self.nodes = len(graph.bits)
        self.acyclic = acyclic
        self.rounds = 0
        self.found = 0
        self.touched = 0
        self.finished = False
        self.work = 0
        self._met = 0
        self._kept = (0, 0)

    @cached_property
    def label(self) -> Int32:
        """The labels of the nodes."""
        return np.full(self.nodes, kernels.FAR, dtype=np.int32)

    @cached_property
    def order(self) -> Int32:
        """The nodes as the last search met them."""
        return np.empty(self.nodes + 4, dtype=np.int32)

    @cached_property
    def active(self) -> Int32:
        """The active nodes first, nearest first."""
        return np.empty(self.nodes, dtype=np.int32)

    @cached_property
    def stuck(self) -> Int32:
        """Room for the nodes that keep an excess after a sweep."""
        return np.empty(self.nodes, dtype=np.int32)

    @cached_property
    def _buckets(self) -> tuple[Int32, Int32]:
        """The first node of each bucket of a sweep, and after each node the next."""
        return np.zeros(self.nodes + 1, dtype=np.int32), np.empty(self.nodes, dtype=np.int32)

    def run(self, limit: float, watch: Watch | None = None) -> Status:
        """Push until no excess reaches a demand, or until the clock (time.perf_counter) shows ``limit``.

        watch: called before each round; the status is GAP when it returns True.
        """
        try:
            kernels.fill_pairs(self.graph)
            kernels.mark(self.graph)
            wanted = 0
            while True:
                self.search(wanted)
                if self.found == 0:
                    return Status.OPTIMAL
                edge = self._keep()
                near = turn = 0
                while True:
                    if watch is not None and watch(self):
                        return Status.GAP
                    if time.perf_counter() > limit:
                        return Status.TIME_LIMIT
                    left, near = self._push(near, edge)
                    turn += 1
                    if edge == 0 or turn == TURNS or near > CROWD * left or not self._search_beyond(edge):
                        break
                # after several turns, excess may be stuck that the last of them did not see
                wanted = left if turn == 1 else 0
        except KeyboardInterrupt:
            self.found = 0
            return Status.INTERRUPTED

    def _push(self, near: int, edge: int) -> tuple[int, int]:
        """One round: a sweep from the active nodes, then what is stuck wanders, with the ``near`` first in ``stuck``.

        Returns how many nodes keep an excess, and how many of these have a label below ``edge``.
        """
        graph, label, stuck = self.graph, self.label, self.stuck
        first, after = self._buckets
        self.rounds += 1
        if not self.acyclic and self._largest_flow() > MOST_FLOW:
            raise PiledUpError
        left = kernels.sweep(graph, label, self.active, self.found, first, after, stuck, near)
        # on a cycle, wandering excess could run round and round, and the flow behind it overflow
        pushes = LEAST + self.touched // SHARE if self.acyclic else 0
        left, near = kernels.wander(graph, label, stuck, left, pushes, edge, after)
        return int(left), int(near)

    def forget(self) -> None:
        """Free the labels and all other room: they take as much memory as the network."""
        for name in ("label", "order", "active", "stuck", "_buckets"):
            self.__dict__.pop(name, None)
        self.finished, self.found = False, 0

    def excess(self) -> int:
        """The sum of all positive excess: what the flow proves, in integers."""
        return int(np.maximum(self.graph.node[:, kernels.EXCESS], 0).sum())

    def _largest_flow(self) -> int:
        """The largest flow on any arc."""
        graph = self.graph
        flows = (graph.node[:, kernels.ALONG], graph.node[:, kernels.OVER], graph.xflow)
        return max(int(flow.max(initial=0)) for flow in flows)

    def search(self, wanted: int = 0) -> int:
        """Label the nodes that reach a demand, at least up to ``wanted`` active ones; return how many are active."""
        return self._from(wanted or self.nodes + 1, 0, 0, 0)

    def _search_beyond(self, edge: int) -> int:
        """The same for the nodes that are not kept."""
        return self._from(self.nodes + 1, *self._kept, edge)

    def _from(self, wanted: int, begin: int, keep: int, edge: int) -> int:
        found, met, done = kernels.search_back(
            self.graph, self.order, self.label, self.active, wanted, begin, keep, self._met, edge
        )
        self.found, self._met, self.touched = int(found), int(met), int(done) - begin
        self.work += self.touched
        self.finished = keep == 0 and self.found == 0
        return self.found

    def _keep(self) -> int:
        """Choose the nodes whose labels are kept; return the label from which on they are not, 0 to keep none."""
        edge = int(self.label[self.active[int(NEAR * self.found)]])
        if edge <= 2:
            return 0
        begin, keep = (kernels.level(self.order, self.label, self.touched, at) for at in (edge - 1, edge))
        self._kept = int(begin), int(keep)
        return edge if keep > MOST * self.touched else 0

    def largest(self) -> Int8:
        """The closure of the nodes that reach no unmet demand, int8 (nodes,)."""
        if not self.finished:
            self.search()
        return (self.label == kernels.FAR).astype(np.int8)

    def smallest(self) -> Int8:
        """The closure of the nodes that some excess reaches, int8 (nodes,)."""
        kernels.reach(self.graph, self.order)
        return ((self.graph.bits & kernels.SEEN) != 0).astype(np.int8)
