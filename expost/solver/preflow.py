"""The rounds of the wave preflow: whole ones while much moves, then local ones around the few active nodes."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from expost.solver import kernel
from expost.solver.kernel import Graph
from expost.solver.result import Status

Bits = NDArray[np.int8]

FEW = 400
"""A local round is tried when fewer than one node in FEW is active."""

NEAR = 8
"""A local round is given up when it has to look at more than one node in NEAR."""


class Preflow:
    """A preflow on its way to a maximum one.

    rounds: how many searches and sweeps there were; local_rounds: how many of them were local.
    """

    def __init__(self, graph: Graph) -> None:
        nodes = len(graph.bits)
        self.graph = graph
        self.rounds = 0
        self.local_rounds = 0
        self.order = np.empty(nodes, dtype=np.int32)
        self.region = np.empty(nodes, dtype=np.int32)
        self.position = np.full(nodes, kernel.FAR, dtype=np.int32)

    def run(self, limit: float) -> Status:
        """Push until no excess reaches a demand, or until the clock (time.perf_counter) shows ``limit``."""
        try:
            kernel.fill_pairs(self.graph)
            patience = 0
            while True:
                count = self._search()
                active = kernel.select_among(self.graph, kernel.SUPPLY, self.order[:count], self.region)
                if active == 0:
                    return Status.OPTIMAL
                if time.perf_counter() > limit:
                    return Status.TIME_LIMIT
                if patience == 0 and active * FEW < len(self.order):
                    done = self._stay_local(active, limit)
                    patience = 0 if done else 4
                    if done:
                        continue
                    count = self._search()
                patience = max(patience - 1, 0)
                self.rounds += 1
                kernel.sweep(self.graph, self.order, count, self.position)
        except KeyboardInterrupt:
            return Status.INTERRUPTED

    def _search(self) -> int:
        """Number every node that reaches an unmet demand; return how many there are."""
        self.position.fill(kernel.FAR)
        kernel.open_all(self.graph)
        seeds = kernel.select(self.graph, kernel.DEMAND, self.order)
        return int(kernel.search_back(self.graph, self.order, seeds, self.position))

    def _stay_local(self, active: int, limit: float) -> int:
        """Rounds within what the nodes ``region[:active]`` reach first; return how many were made."""
        graph, region, order = self.graph, self.region, self.order
        kernel.close_all(graph)
        self.position.fill(kernel.FAR)
        made = 0
        most = len(order) // NEAR
        while active and time.perf_counter() <= limit:
            enough = int(graph.excess[region[:active]].sum())
            size, seen, _ = kernel.search_forward(graph, region, active, enough, most)
            if seen < enough:
                break
            seeds = kernel.select_among(graph, kernel.DEMAND, region[:size], order)
            count = kernel.search_back(graph, order, seeds, self.position)
            kernel.sweep(graph, order, count, self.position)
            kernel.forget(self.position, order[:count])
            kernel.shut(graph, region[:size])
            active = kernel.select_among(graph, kernel.SUPPLY, region[:size], region)
            made += 1
        self.rounds += made
        self.local_rounds += made
        return made

    def largest(self) -> Bits:
        """The closure of the nodes that reach no unmet demand, int8 (nodes,)."""
        self._search()
        return ((self.graph.bits & kernel.OPEN) != 0).astype(np.int8)

    def smallest(self) -> Bits:
        """The closure of the nodes that some excess reaches, int8 (nodes,)."""
        kernel.close_all(self.graph)
        seeds = kernel.select(self.graph, kernel.SUPPLY, self.order)
        kernel.search_forward(self.graph, self.order, seeds, np.iinfo(np.int64).max, len(self.order) + 1)
        return ((self.graph.bits & kernel.OPEN) != 0).astype(np.int8)
