"""The rounds of the wave preflow."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property

import numpy as np

from expost._typing import Int8, Int32, UInt8
from expost.solver.mincut import kernels
from expost.solver.mincut.kernels import Graph, Maps
from expost.solver.mincut.network import positive_sum
from expost.solver.result import Status

SHARE = 12
LEAST = 100
"""After a search, stuck excess wanders for LEAST pushes and one more for every SHARE nodes that it met."""

MOST_FLOW = 2**62
"""Before a round, no arc on a cycle may carry more: a round adds less than as much again."""

Watch = Callable[["Preflow"], bool]


class PiledUpError(Exception):
    """Flow has run round a cycle so often that another round could overflow."""


class Preflow:
    """A preflow on its way to a maximum one.

    rounds: how many there were. found: how many active nodes the last search has met; they are the first in ``active``,
    nearest first. touched: how many nodes it met, and work: how many all searches did. finished: the labels are
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
        self._labels = 0

    @cached_property
    def label(self) -> Int32:
        """The labels of the nodes."""
        return np.full(self.nodes, kernels.FAR, dtype=np.int32)

    @cached_property
    def active(self) -> Int32:
        """The active nodes first, nearest first."""
        return np.empty(self.nodes, dtype=np.int32)

    @cached_property
    def stuck(self) -> Int32:
        """Room for the nodes that keep an excess after a sweep, and for other lists of nodes."""
        return np.empty(self.nodes, dtype=np.int32)

    @cached_property
    def _maps(self) -> Maps:
        """What a search knows of 64 nodes at once."""
        words, explicit = -(-self.nodes // 64), len(self.graph.xtail)
        state, arcs = (np.empty((words, columns), dtype=np.uint64) for columns in (4, 5))
        ties = np.zeros((words if explicit else 0, 6), dtype=np.uint64)
        if explicit:
            kernels.find_ties(self.graph, ties)
        step = kernels.LONG_STEP if explicit else kernels.SHORT_STEP
        lists, tally = np.empty((2, words + 1), dtype=np.int32), np.empty(64, dtype=np.int32)
        return Maps(state, arcs, ties, lists, tally, np.zeros(64, dtype=np.uint8), step)

    @cached_property
    def _after(self) -> Int32:
        """After each node the next in its bucket of a sweep."""
        return np.empty(self.nodes, dtype=np.int32)

    @cached_property
    def _first(self) -> Int32:
        """The first node of each bucket of a sweep: all 0 before and after it."""
        return np.zeros(max(self._labels, self.nodes), dtype=np.int32)

    def run(self, limit: float, watch: Watch | None = None) -> Status:
        """Push until no excess reaches a demand, or until the clock (time.perf_counter) shows ``limit``.

        watch: called before each round; the status is GAP when it returns True.
        """
        try:
            kernels.fill_pairs(self.graph)
            kernels.mark(self.graph)
            wanted = 0
            while self.search(wanted):
                if watch is not None and watch(self):
                    return Status.GAP
                if time.perf_counter() > limit:
                    return Status.TIME_LIMIT
                wanted = self._push()
            return Status.OPTIMAL
        except KeyboardInterrupt:
            self.found = 0
            return Status.INTERRUPTED

    def _push(self) -> int:
        """One round: a sweep from the active nodes, then what is stuck wanders; return how many keep an excess."""
        graph, label, stuck = self.graph, self.label, self.stuck
        self.rounds += 1
        if not self.acyclic and self._largest_flow() > MOST_FLOW:
            raise PiledUpError
        if len(self._first) < self._labels:
            del self._first
        left = kernels.sweep(graph, label, self.active, self.found, self._first, self._after, stuck)
        # on a cycle, wandering excess could run round and round, and the flow behind it overflow
        pushes = LEAST + self.touched // SHARE if self.acyclic else 0
        return int(kernels.wander(graph, label, stuck, left, pushes, self._maps.step // 4))

    def forget(self) -> None:
        """Free the labels and all other room: they take as much memory as the network."""
        for name in ("label", "active", "stuck", "_maps", "_after", "_first"):
            self.__dict__.pop(name, None)
        self.finished, self.found = False, 0

    def excess(self) -> int:
        """The sum of all positive excess: what the flow proves, in integers."""
        return positive_sum(self.graph.node[:, kernels.EXCESS])

    def _largest_flow(self) -> int:
        """The largest flow on any arc."""
        graph = self.graph
        flows = (graph.node[:, kernels.ALONG], graph.node[:, kernels.OVER], graph.xflow)
        return max(int(flow.max(initial=0)) for flow in flows)

    def search(self, wanted: int = 0) -> int:
        """Label the nodes that reach a demand, at least up to ``wanted`` active ones; return how many are active."""
        found, met, labels = kernels.search_back(
            self.graph, self._maps, self.label, self.active, self.stuck, wanted or self.nodes + 1
        )
        self.found, self.touched, self._labels = int(found), int(met), int(labels)
        self.work += self.touched
        self.finished = self.found == 0
        return self.found

    def largest(self) -> Int8:
        """The closure of the nodes that reach no unmet demand, int8 (nodes,)."""
        if not self.finished:
            self.search()
        return (self.label == kernels.FAR).astype(np.int8)

    def smallest(self) -> Int8:
        """The closure of the nodes that some excess reaches, int8 (nodes,)."""
        return self.reached().view(np.int8)

    def reached(self) -> UInt8:
        """The nodes that some excess reaches, uint8 (nodes,)."""
        met = np.zeros(self.nodes, dtype=np.uint8)
        kernels.reach(self.graph, met, self.stuck)
        return met

    def between(self) -> UInt8:
        """The nodes on ways from an excess to a demand, uint8 (nodes,), after a search of everything."""
        beyond = (self.label == kernels.FAR).view(np.uint8)
        met = beyond.copy()
        kernels.reach(self.graph, met, self.stuck)
        return met - beyond
