"""From a program of one or two blocks to a network whose maximum closure solves it, and back.

The second block is complemented: with ``z = x`` in block 0 and ``z = 1 - x`` in block 1 every row reads
``z[a] <= z[b]``, an arc ``a -> b`` of infinite capacity. A closure is a set of nodes that no arc leaves.
Nodes are numbered so that most arcs lead from a node to the next, and need not be stored: in the order of
the variables, block 1 backwards, or, where that is not enough, along paths of arcs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from expost._typing import Float, Int8, Int32, Int64, UInt8
from expost.errors import InputError
from expost.solver.mincut import kernels
from expost.solver.mincut.kernels import Graph
from expost.solver.program import Program

WEIGHT_BITS = 62
"""The integer weights sum to less than 2**62 in absolute value."""

CYCLE_BITS = 10
"""Where arcs form cycles, flow can run round and pile up, at most by the sum of all weights in a round. When
it does, the weights are scaled 2**CYCLE_BITS times coarser, which leaves room for as many rounds."""

MANY = 20
"""Nodes are numbered anew when more than one arc for every MANY nodes does not lead to the next."""


@dataclass(frozen=True, eq=False)
class Network:
    """The closure problem of a program; ``graph`` starts without flow.

    supply: int64 (nodes,), integer weight of ``z``.
    place: int32 (variables,), the node of each variable.
    chain_arc: int32 (nodes,), the program's arc ``v -> v + 1``, or -1.
    pair_row: int32 (second,), the packing row between ``v`` and its partner, or -1.
    extra_arcs, extra_rows: the program's arcs and packing rows that are explicit. ``explicit`` holds, for
    each explicit arc of the graph, its number among these, followed by the covering rows of two variables.
    scale_exponent: integer weights are ``rint(weights * 2**scale_exponent)``.
    acyclic: whether no way along the arcs leads back to where it began.
    mirrored: whether the network turned round, blocks exchanged, is the same: node v is then the v-th from the end.
    """

    graph: Graph
    supply: Int64
    place: Int32
    chain_arc: Int32
    pair_row: Int32
    extra_arcs: Int32
    extra_rows: Int32
    explicit: Int32
    scale_exponent: int
    acyclic: bool
    mirrored: bool

    @property
    def second(self) -> int:
        """Where block 1 starts."""
        return self.graph.second

    def variables(self, z: Int8) -> Int8:
        """The program's own variables for the closure ``z``, int8 (nodes,)."""
        x = z[self.place]
        x[self.second :] ^= 1
        return x


CHUNK = 1 << 18
"""Numbers that are added up at once: what comes in between stays in a core's cache."""


def positive_sum(values: Int64) -> int:
    """The sum of those of many integers that are positive."""
    chunks = (values[low : low + CHUNK] for low in range(0, len(values), CHUNK))
    return sum(int(np.maximum(chunk, 0).sum()) for chunk in chunks)


def scale(weights: Float, bits: int = WEIGHT_BITS) -> tuple[Int64, int]:
    """Integer weights and the exponent: the finest power of two whose absolute sum stays below ``2**bits``.

    Raises InputError when the weights' sum overflows.
    """
    total = float(np.abs(weights).sum())
    if total == 0.0:
        return np.zeros(len(weights), dtype=np.int64), 0
    if not math.isfinite(total):
        raise InputError("weights whose sum overflows", where="program", expected="a finite sum of weights")
    # the margin covers the rounding of the logarithm and half a unit for each of at most 2**31 weights
    exponent = math.floor(bits - math.log2(total) - 1e-8)
    scaled = np.ldexp(weights, exponent)
    return np.rint(scaled, out=scaled).astype(np.int64), exponent


def build(program: Program, spare_bits: int = 0) -> Network:
    """The network of ``program``, its weights ``2**spare_bits`` times coarser than they could be.

    Raises InputError for more than two blocks.
    """
    if program.n_blocks > 2:
        raise InputError(
            f"a program with {program.n_blocks} buyers",
            where="backend mincut",
            expected="at most two: a packing row over three variables is no difference of two, so the "
            "program is not a minimum cut (its linear relaxation can be fractional)",
            remedy='use backend="highs" or backend="auto"',
        )
    nodes = program.variables
    second = int(program.blocks[1]) if program.n_blocks == 2 else nodes
    alike = 2 * second == nodes and np.array_equal(program.weights[:second], program.weights[second:])
    place = np.arange(nodes, dtype=np.int32)
    place[second:] = place[second:][::-1]
    tails, heads = _precedence(program, place, second)
    bits, chain_arc, extra_arcs = _chains(tails, heads, nodes)
    if len(extra_arcs) * MANY > nodes:
        moved, follower, guest = (np.full(nodes, -1, dtype=np.int32) for _ in range(3))
        kernels.cover(tails, heads, second, moved, follower, np.zeros(nodes, dtype=np.uint8), guest)
        del follower, guest
        if alike:  # equal values may come in another order in the other block
            moved[second:] = nodes - 1 - moved[:second][::-1]
        place, tails, heads = moved[place], moved[tails], moved[heads]
        bits, chain_arc, extra_arcs = _chains(tails, heads, nodes)
    partner, pair_row = np.arange(nodes, dtype=np.int32), np.full(second, -1, dtype=np.int32)
    over, under = pairs(program.packing, place)
    extra_rows = np.empty(len(over), dtype=np.int32)
    extra_rows = extra_rows[: kernels.couple(over, under, bits, partner, pair_row, extra_rows)].copy()
    covering = pairs(program.covering, place)
    xtail = np.concatenate([tails[extra_arcs], over[extra_rows], covering[1]])
    xhead = np.concatenate([heads[extra_arcs], under[extra_rows], covering[0]])
    order = by_head(xhead, bits) if alike and len(xhead) else np.arange(len(xhead), dtype=np.int32)
    graph, explicit = graph_of(second, bits, partner, xtail[order], xhead[order])
    explicit = order[explicit]
    weights, exponent = scale(program.weights, WEIGHT_BITS - spare_bits)
    weights[second:] *= -1
    supply = np.empty_like(weights)
    supply[place] = weights
    return Network(
        graph,
        supply,
        place,
        chain_arc,
        pair_row,
        extra_arcs,
        extra_rows,
        explicit,
        exponent,
        _acyclic(graph),
        alike and _mirrored(graph),
    )


def _acyclic(graph: Graph) -> bool:
    """Whether no way along the arcs leads back to where it began."""
    nodes = len(graph.bits)
    if (graph.xtail < graph.xhead).all():  # as all other arcs do, to a later node
        return True
    before, ready = np.zeros(nodes, dtype=np.int32), np.empty(nodes, dtype=np.int32)
    return bool(kernels.is_acyclic(graph, before, ready))


def _mirrored(graph: Graph) -> bool:
    """Whether the arcs are their own mirror image; explicit ones have to be sorted by tail, then by head."""
    last = len(graph.bits) - 1
    partner = graph.partner
    return (
        not ((graph.bits[:-1] ^ graph.bits[-2::-1]) & kernels.CHAIN).any()
        and bool((partner == last - partner[::-1]).all())
        # those that lead to a node come in the order of those that leave its image; so tails agree where heads do
        and bool((graph.xhead == last - graph.xin_tail[::-1]).all())
    )


def _precedence(program: Program, place: Int32, second: int) -> tuple[Int32, Int32]:
    """The precedence arcs between nodes: as they are in block 0, turned round in block 1."""
    tails, heads = place[program.tails], place[program.heads]
    turned = program.tails >= second
    if turned.any():
        return np.where(turned, heads, tails), np.where(turned, tails, heads)
    return tails, heads


def _chains(tails: Int32, heads: Int32, nodes: int) -> tuple[UInt8, Int32, Int32]:
    """The nodes' bits and arcs to their next node, and the list of all other arcs."""
    bits = np.zeros(nodes, dtype=np.uint8)
    chain_arc = np.full(nodes, -1, dtype=np.int32)
    extra = np.empty(len(tails), dtype=np.int32)
    return bits, chain_arc, extra[: kernels.link(tails, heads, bits, chain_arc, extra)].copy()


def pairs(rows: Int32, place: Int32) -> tuple[Int32, Int32]:
    """The nodes of block 0 and of block 1 of the rows of two variables (rows of one have no arc)."""
    if rows.shape[1] < 2:
        return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int32)
    return place[np.minimum(rows[:, 0], rows[:, 1])], place[np.maximum(rows[:, 0], rows[:, 1])]


def by_head(heads: Int32, bits: UInt8) -> Int32:
    """The order of explicit arcs by the node that they lead to."""
    order = np.empty(len(heads), dtype=np.int32)
    kernels.adjacency(heads, bits, np.zeros(len(bits) + 1, dtype=np.int32), order)
    return order


def graph_of(second: int, bits: UInt8, partner: Int32, xtail: Int32, xhead: Int32) -> tuple[Graph, Int32]:
    """The arrays of a network without flow, and the order in which its explicit arcs are there."""
    nodes, many = len(bits), len(xtail)
    out_ptr, in_ptr = (np.zeros(nodes + 1 if many else 1, dtype=np.int32) for _ in range(2))
    by_tail, by_head = (np.empty(many, dtype=np.int32) for _ in range(2))
    if many:
        kernels.adjacency(xtail, bits, out_ptr, by_tail)
        xtail, xhead = xtail[by_tail], xhead[by_tail]
        kernels.adjacency(xhead, bits, in_ptr, by_head)
    node, flow = np.zeros((nodes, 3), dtype=np.int64), np.zeros(many, dtype=np.int64)
    graph = Graph(second, bits, partner, node, xtail, xhead, flow, out_ptr, in_ptr, by_head, xtail[by_head])
    return graph, by_tail
