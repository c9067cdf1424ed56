"""A rule at any time: the flow so far says roughly where the cut will be; a closure is made of that guess.

The label of a node is its distance to an unmet demand. Nodes without excess to spare are near to one, nodes from which
excess no longer gets there are far, and the cut is where labels rise. So the nodes beyond some distance are a guess,
which is completed to a closure: either block is given the best response to the other.
"""

from __future__ import annotations

import numpy as np

from expost._typing import Int8, Int32
from expost.solver.mincut import kernels
from expost.solver.mincut.fixed_nodes import Settled
from expost.solver.mincut.network import Network

SHARES = (0.1, 0.25, 0.5)
"""The distances that are tried are those of these shares of the excess that still reaches a demand."""


class Incumbent:
    """The best closure so far: ``z``, int8 (nodes,), and its integer ``value``. None is no closure yet."""

    def __init__(self, network: Network, settled: Settled) -> None:
        self.network = network
        self.settled = settled
        self.z: Int8 | None = None
        self.value = 0
        # where weights have both signs the best response is not the largest one
        supply, second = network.supply, network.second
        signs = supply[:second].min(initial=0) < 0 or supply[second:].max(initial=0) > 0
        self._mixed = bool(signs) and len(network.graph.xtail) == 0 and settled.one is None
        self._share = 1
        self._room = np.empty(len(network.supply), dtype=np.int32)

    def offer(self, z: Int8) -> None:
        """Keep the closure ``z`` if it is the best so far."""
        value = int(np.dot(self.network.supply, z))
        if self.z is None or value > self.value:
            self.z, self.value = z, value

    def complete(self, guess: Int8) -> None:
        """Offer the closures that come of any guess, int8 (nodes,): as it is, and each block adapted to the other."""
        z = self.settled.complete(guess.copy())
        kernels.close_up(self.network.graph, z, self._room)
        self.offer(z)
        for block in (0, 1):
            self.follow(guess, block)

    def round(self, label: Int32, active: Int32, *, once: bool = False) -> None:
        """Offer closures that the labels suggest; ``active`` lists the nodes with excess, nearest first.

        once: at one distance only, another one than the last time unless that gave the best closure so far.
        """
        if not len(active):
            return
        excess = self.network.graph.node[active, kernels.EXCESS].astype(np.float64)
        total = np.cumsum(np.maximum(excess, 0.0))
        at = np.searchsorted(total, np.array(SHARES) * total[-1])
        distances = label[active[np.minimum(at, len(active) - 1)]]
        if not once:
            for distance in np.unique(distances):
                self.complete((label >= distance).astype(np.int8))
            return
        before, known = self.value, self.z is not None
        self.follow((label >= distances[self._share]).astype(np.int8), 0)
        if known and self.value == before:
            self._share = (self._share + 1) % len(SHARES)

    def follow(self, guess: Int8, block: int) -> Int8:
        """Offer the closure that keeps the guess in ``block`` where it can, the other block adapted, then this one;
        return it."""
        graph, second = self.network.graph, self.network.second
        z = guess.copy()
        for side in (block, 1 - block):
            if side == 0:
                z[second:] = 0
            else:
                z[:second] = 1
            self.settled.complete(z)
            (kernels.close_down if side else kernels.close_up)(graph, z, self._room)
        self.offer(z)
        if self._mixed:
            z = z.copy()
            for low, high in ((0, second), (second, len(z)), (0, second)):
                if high > low:
                    kernels.respond(graph, self.network.supply, z, low, high)
            self.offer(z)
        return z
