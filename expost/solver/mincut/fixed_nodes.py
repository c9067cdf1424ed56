"""What fixings and covering rows of one variable decide in a network, and the flow that proves it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from expost._typing import Int8, Int32, Int64, UInt8
from expost.solver.mincut import kernels
from expost.solver.mincut.kernels import EXCESS
from expost.solver.mincut.network import Network
from expost.solver.program import FREE, Program

CLASH = 2


@dataclass(frozen=True, eq=False)
class Settled:
    """The nodes that are decided, and what they are worth.

    one, zero: uint8 (nodes,), or None where nothing is.
    gain: integer weight of the forced ones.
    covering: int64 multipliers of covering rows of one variable, None when the rows have two.
    """

    one: UInt8 | None
    zero: UInt8 | None
    gain: int
    covering: Int64 | None

    def complete(self, z: Int8) -> Int8:
        """The closure ``z`` with the decided nodes put right."""
        if self.one is not None and self.zero is not None:
            z[self.one == 1] = 1
            z[self.zero == 1] = 0
        return z


def demanded(program: Program) -> Int8 | None:
    """The values of the variables that are demanded (FREE, 0, 1 or CLASH), None when all are free."""
    width, rows = program.covering.shape[1], len(program.covering)
    x = program.fixings
    if width == 0 and rows:
        return np.full(program.variables, CLASH, dtype=np.int8)
    if width == 1 and rows:
        x = x.copy()
        must = program.covering[:, 0]
        x[must] = np.where(x[must] == 0, CLASH, 1)
    return None if (x == FREE).all() else x


def settle(network: Network, x: Int8 | None, covering: Int32) -> Settled | None:
    """Decide what follows from the demanded values ``x``; None when they clash.

    The decided nodes lose their excess: flow within them proves their worth. ``covering`` holds the
    program's covering rows, of which those of one variable get a multiplier here.
    """
    if x is None:
        return Settled(None, None, 0, None)
    graph, second = network.graph, network.second
    turned = x.copy()
    turned[second:] = np.where((x[second:] == 0) | (x[second:] == 1), 1 - x[second:], x[second:])
    z = np.empty_like(turned)
    z[network.place] = turned
    one, zero = (z == 1).astype(np.uint8), (z == 0).astype(np.uint8)
    orders = [np.empty(len(z), dtype=np.int32) for _ in range(2)]
    parents = [np.empty(len(z), dtype=np.int32) for _ in range(2)]
    ones = kernels.force_ones(graph, one, orders[0], parents[0])
    zeros = kernels.force_zeros(graph, zero, orders[1], parents[1])
    if (z == CLASH).any() or (one & zero).any():
        return None
    kernels.settle_ones(graph, orders[0], ones, parents[0])
    kernels.settle_zeros(graph, orders[1], zeros, parents[1])
    multipliers = _at_roots(network, z, covering) if covering.shape[1] == 1 else None
    kernels.calm(graph, orders[0][:ones])
    kernels.calm(graph, orders[1][:zeros])
    return Settled(one, zero, int(network.supply[one == 1].sum()), multipliers)


def _at_roots(network: Network, z: Int8, covering: Int32) -> Int64:
    """What each demanded variable lacks is the multiplier of the first covering row that demands it."""
    multipliers = np.zeros(len(covering), dtype=np.int64)
    must, first = np.unique(covering[:, 0], return_index=True)
    nodes = network.place[must]
    excess = network.graph.node[nodes, EXCESS]
    lack = np.where(z[nodes] == 1, -excess, excess)
    multipliers[first] = np.maximum(lack, 0)
    return multipliers
