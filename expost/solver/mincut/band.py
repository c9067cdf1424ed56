"""A better rule from a rule: the best of all that are near it.

Most of a rule near the optimum is right, and what is wrong is wrong by a few places in a chain. So all nodes are held
but those near the ends that the closure has in the chains; of these, a few in a hundred, the best choice is a small
minimum cut. A wider band is worth more and takes longer, and what a band allows depends on where it lies: so there are
several, one wider than the other, each around what the last one found.
"""

from __future__ import annotations

import time

import numpy as np

from expost._typing import Array, Bool, Int8, UInt8
from expost.solver.mincut import kernels
from expost.solver.mincut.anytime import Incumbent
from expost.solver.mincut.kernels import CHAIN, EXTRA
from expost.solver.mincut.network import Network
from expost.solver.mincut.pieces import Job, Part
from expost.solver.mincut.preflow import Preflow
from expost.solver.result import Status

WIDTHS = (8, 16, 32)
"""Nodes on either side of an end that are free, band after band. At 32 points per signal of ``jmmz`` these take a rule
that is 0.31% below the optimum to 0.09%."""


def improve(network: Network, incumbent: Incumbent, limit: float) -> None:
    """Offer closures near the best one so far that are worth more. The network must not have any flow yet.

    limit: when to stop, on the clock of ``time.perf_counter``.
    """
    for width in WIDTHS:
        if incumbent.z is None or time.perf_counter() > limit:
            return
        lowest, free = _free(network, incumbent.z, width)
        if not free.any():
            return
        part = Part.of(network.graph, Job(free, 1))
        preflow = Preflow(part.graph)
        if preflow.run(limit) is not Status.OPTIMAL:
            return
        lowest[free.view(np.bool_)] = preflow.smallest()
        incumbent.offer(lowest)


def _free(network: Network, z: Int8, width: int) -> tuple[Int8, UInt8]:
    """The smallest closure that differs from ``z`` only near its ends, and the nodes that others have besides, uint8.

    Any closure of these nodes, as far as arcs between them go, makes one of the whole: all that they lead to besides is
    in the smallest, and all that leads to them besides is not in the largest.
    """
    near = _near(network.graph.bits, z, width)
    room = np.empty(len(z), dtype=np.int32)
    lowest, highest = z.copy(), z.copy()
    lowest[near], highest[near] = 0, 1
    kernels.close_up(network.graph, lowest, room)
    kernels.close_down(network.graph, highest, room)
    return lowest, (highest - lowest).view(np.uint8)


def _near(bits: UInt8, z: Int8, width: int) -> Bool:
    """The nodes that are among the ``width`` ones on either side of where the closure begins in a chain, bool."""
    ends = z[1:] != z[:-1]
    last = (bits[:-1] & (CHAIN | EXTRA)) == 0
    # where nothing of a chain is in the closure, it begins after its last node; where all is, before its first
    ends[last] = (z[:-1][last] == 0) | (z[1:][last] == 1)
    places: Array = np.flatnonzero(ends)[:, None] + np.arange(1 - width, width + 1)
    near = np.zeros(len(z), dtype=np.bool_)
    near[np.clip(places, 0, len(z) - 1)] = True
    return near
