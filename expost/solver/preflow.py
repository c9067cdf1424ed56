"""The rounds of the wave preflow."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from expost.solver import kernel, kernel_wander, kernel_wave
from expost.solver.kernel import Graph
from expost.solver.result import Status

Bits = NDArray[np.int8]


SHARE = 16
"""Between two searches, stuck excess wanders for one push for every SHARE nodes."""


class Preflow:
    """A preflow on its way to a maximum one; ``rounds`` counts its searches and sweeps."""

    def __init__(self, graph: Graph) -> None:
        nodes = len(graph.bits)
        self.graph = graph
        self.rounds = 0
        self.order = np.empty(nodes + 4, dtype=np.int32)
        self.place = np.empty((nodes, 2), dtype=np.int32)
        self.stuck = np.empty(nodes, dtype=np.int32)
        self.queue = np.zeros(nodes // 64 + 1, dtype=np.uint64)

    def run(self, limit: float) -> Status:
        """Push until no excess reaches a demand, or until the clock (time.perf_counter) shows ``limit``."""
        graph, order, place, queue = self.graph, self.order, self.place, self.queue
        everything = len(place) + 1
        left = everything
        try:
            kernel.fill_pairs(graph)
            while True:
                count, active = kernel.search_back(graph, order, place, queue, left or everything)
                if active == 0:
                    return Status.OPTIMAL
                if time.perf_counter() > limit:
                    return Status.TIME_LIMIT
                self.rounds += 1
                left = kernel_wave.sweep(graph, order, count, place, queue, self.stuck)
                left = kernel_wander.wander(graph, place, self.stuck, left, len(place) // SHARE)
        except KeyboardInterrupt:
            return Status.INTERRUPTED

    def largest(self) -> Bits:
        """The closure of the nodes that reach no unmet demand, int8 (nodes,)."""
        everything = len(self.place) + 1
        kernel.search_back(self.graph, self.order, self.place, self.queue, everything)
        return (self.place[:, kernel.RANK] == kernel.FAR).astype(np.int8)

    def smallest(self) -> Bits:
        """The closure of the nodes that some excess reaches, int8 (nodes,)."""
        kernel.reach(self.graph, self.order)
        return ((self.graph.bits & kernel.SEEN) != 0).astype(np.int8)
