"""The rounds of the wave preflow."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from expost._typing import Int8
from expost.solver.mincut import kernels
from expost.solver.mincut.kernels import Graph
from expost.solver.result import Status

SHARE = 12
LEAST = 100
"""Between two searches, stuck excess wanders for LEAST pushes and one more for every SHARE nodes."""


MOST_FLOW = 2**62
"""Before a round, no arc on a cycle may carry more: a round adds less than as much again."""

Watch = Callable[["Preflow"], bool]


class PiledUpError(Exception):
    """Flow has run round a cycle so often that another round could overflow."""


class Preflow:
    """A preflow on its way to a maximum one; ``rounds`` counts its searches and sweeps, ``found`` the active nodes that
    the last search has met: they are the first in ``active``, nearest first.
    """

    def __init__(self, graph: Graph, acyclic: bool = True) -> None:
        nodes = len(graph.bits)
        self.graph = graph
        self.acyclic = acyclic
        self.rounds = 0
        self.found = 0
        self.label = np.empty(nodes, dtype=np.int32)
        self.order = np.empty(nodes + 4, dtype=np.int32)
        self.active, self.stuck, self.after = (np.empty(nodes, dtype=np.int32) for _ in range(3))
        self.first = np.full(nodes + 1, -1, dtype=np.int32)

    def run(self, limit: float, watch: Watch | None = None) -> Status:
        """Push until no excess reaches a demand, or until the clock (time.perf_counter) shows ``limit``.

        watch: called before each round; the status is GAP when it returns True.
        """
        graph, label, stuck = self.graph, self.label, self.stuck
        # on a cycle, wandering excess could run round and round, and the flow behind it overflow
        pushes = LEAST + len(label) // SHARE if self.acyclic else 0
        left = 0
        try:
            kernels.fill_pairs(graph)
            while True:
                count = self.found = self._search(left)
                if count == 0:
                    return Status.OPTIMAL
                if watch is not None and watch(self):
                    return Status.GAP
                if time.perf_counter() > limit:
                    return Status.TIME_LIMIT
                self.rounds += 1
                if not self.acyclic and self._largest_flow() > MOST_FLOW:
                    raise PiledUpError
                left = kernels.sweep(graph, label, self.active, count, self.first, self.after, stuck)
                left = kernels.wander(graph, label, stuck, left, pushes)
        except KeyboardInterrupt:
            self.found = 0
            return Status.INTERRUPTED

    def excess(self) -> int:
        """The sum of all positive excess: what the flow proves, in integers."""
        return int(np.maximum(self.graph.node[:, kernels.EXCESS], 0).sum())

    def _largest_flow(self) -> int:
        """The largest flow on any arc."""
        graph = self.graph
        flows = (graph.node[:, kernels.ALONG], graph.node[:, kernels.OVER], graph.xflow)
        return max(int(flow.max(initial=0)) for flow in flows)

    def _search(self, wanted: int = 0) -> int:
        """Label the nodes that reach a demand, at least up to ``wanted`` active ones; return how many are active."""
        everything = len(self.label) + 1
        return int(kernels.search_back(self.graph, self.order, self.label, self.active, wanted or everything))

    def largest(self) -> Int8:
        """The closure of the nodes that reach no unmet demand, int8 (nodes,)."""
        self._search()
        return (self.label == kernels.FAR).astype(np.int8)

    def smallest(self) -> Int8:
        """The closure of the nodes that some excess reaches, int8 (nodes,)."""
        kernels.reach(self.graph, self.order)
        return ((self.graph.bits & kernels.SEEN) != 0).astype(np.int8)
