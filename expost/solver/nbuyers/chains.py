"""A program cut into chains that a projection handles exactly, and rows that need prices.

Where the levels of a fibre are completely joined (static timing) the fibre is one chain of groups, and all its
precedence rows are in it. Elsewhere (sequential timing) the order is covered by paths of single variables, each a
chain; the arcs between paths are rows with prices of their own, like packing and covering.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from expost._typing import Bool, Float, Int8, Int32, Place
from expost.solver.nbuyers.kernels import Chains, match
from expost.solver.nbuyers.layers import Layers
from expost.solver.nbuyers.odd_cycles import Cuts
from expost.solver.program import FREE, Program


@dataclass(frozen=True, eq=False)
class Cover:
    """Chains, and the way back to the program.

    variable: int32 (positions,), the variable at each position. scale: weights in the chains are the program's
    times this. rows of the chains: packing, covering, then ``between``, int32, the arcs between chains. gates: the
    variables of weight zero that were left out because the groups on either side imply them.
    """

    chains: Chains
    variable: Int32
    scale: float
    between: Place
    gates: Bool

    def point(self, program: Program, x: Float) -> Float:
        """The variables of the program, float64, from positions; gates are as low as their tails let them."""
        full = np.zeros(program.variables)
        full[self.variable] = x
        into = np.flatnonzero(self.gates[program.heads])
        tails, heads = program.tails[into], program.heads[into]
        while (full[tails] > full[heads]).any():  # a gate may lead to a gate
            np.maximum.at(full, heads, full[tails])
        return full


def cover(program: Program, order: Layers, *, whole: bool = False) -> Cover:
    """Chains for a reduced program, whose only fixed variables are isolated and fixed to 0.

    whole: leave no variable out, since cuts may have any.
    """
    free = program.fixings == FREE
    series = order.joined[order.fibre]
    gates = _gates(program, order, series) & free & (not whole)
    following = _paths(program, np.flatnonzero(~series[program.tails] & order.acyclic))
    head, place = _along(following)
    # Chains of fibres come first, then paths; inside, by level or by the place along the path.
    chain = np.where(series, order.fibre.astype(np.int64), order.fibres + head.astype(np.int64))
    rung = np.where(series, order.level, place)
    kept = np.flatnonzero(free & ~gates)
    kept = kept[np.lexsort((rung[kept], chain[kept]))]
    starts = np.flatnonzero(np.diff(chain[kept], prepend=-1))
    opens = np.diff(rung[kept], prepend=-1) != 0
    opens[starts] = True
    start = np.append(starts, len(kept)).astype(np.int32)
    tied = np.add.reduceat(~opens, starts) > 0 if len(starts) else np.zeros(0, dtype=np.bool_)
    mean = float(np.abs(program.weights[kept]).mean()) if len(kept) else 0.0
    scale = 1.0 if mean == 0.0 else 1.0 / mean
    between = np.flatnonzero(~series[program.tails] & (following[program.tails] != program.heads))
    where = np.full(program.variables, -1, dtype=np.int32)
    where[kept] = np.arange(len(kept), dtype=np.int32)
    rows = _rows(program, where, between)
    single = bool((np.diff(rows.at_start) == 1).all() and (rows.at_sign == 1).all())
    weight = program.weights[kept] * scale
    pace = np.ones(len(rows.limit))
    chains = Chains(start, opens.astype(np.uint8), tied.astype(np.uint8), weight, *rows, pace, single)
    return Cover(chains, kept.astype(np.int32), scale, between, gates)


def with_cuts(base: Cover, program: Program, cuts: Cuts) -> Cover:
    """The same chains with further rows, last."""
    chains = base.chains
    where = np.full(program.variables, -1, dtype=np.int32)
    where[base.variable] = np.arange(len(base.variable), dtype=np.int32)
    position, count = where[cuts.variable], len(chains.limit)
    cut = np.repeat(np.arange(len(cuts.limit)), np.diff(cuts.start)) + count
    inside = position >= 0
    old = np.repeat(np.arange(count), np.diff(chains.row_start))
    row = np.concatenate([old, cut[inside]]).astype(np.int32)
    position = np.concatenate([chains.row_position, position[inside]])
    sign = np.concatenate([chains.row_sign, cuts.coefficient[inside].astype(np.int8)])
    limit = np.concatenate([chains.limit, cuts.limit.astype(np.float64)])
    size = np.bincount(row, sign.astype(np.float64) ** 2, minlength=len(limit))
    pace = np.minimum(1.0, program.n_blocks / np.maximum(size, 1.0))
    rows = _both_ways(row, position, sign, limit, len(base.variable))
    return replace(base, chains=chains._replace(**rows._asdict(), pace=pace, single=False))


def restricted(base: Cover, settled: Int8) -> tuple[Cover, Place, Place]:
    """The chains of what is still free: the cover, and which positions and rows of ``base`` it has, int64.

    settled: int8 (positions,), FREE or a value, with all that follows; rows without free members are left out.
    """
    chains, free = base.chains, settled == FREE
    kept = np.flatnonzero(free)
    chain = np.repeat(np.arange(len(chains.start) - 1), np.diff(chains.start))[kept]
    starts = np.flatnonzero(np.diff(chain, prepend=-1))
    opens = np.diff(np.cumsum(chains.opens)[kept], prepend=0) != 0
    tied = np.add.reduceat(~opens, starts) > 0 if len(starts) else np.zeros(0, dtype=np.bool_)
    count = len(chains.limit)
    row = np.repeat(np.arange(count), np.diff(chains.row_start))
    inside = free[chains.row_position]
    used = chains.row_sign * (settled[chains.row_position] == 1)
    limit = chains.limit - np.bincount(row, used, minlength=count)
    rows = np.flatnonzero(np.bincount(row[inside], minlength=count))
    number, place = np.zeros(count, dtype=np.int32), np.zeros(len(free), dtype=np.int32)
    number[rows], place[kept] = np.arange(len(rows)), np.arange(len(kept))
    left = _both_ways(
        number[row[inside]],
        place[chains.row_position[inside]],
        chains.row_sign[inside],
        limit[rows],
        len(kept),
    )
    few = Chains(
        np.append(starts, len(kept)).astype(np.int32),
        opens.astype(np.uint8),
        tied.astype(np.uint8),
        chains.weight[kept],
        *left,
        chains.pace[rows],
        chains.single,
    )
    return replace(base, chains=few, variable=base.variable[kept]), kept, rows


def _gates(program: Program, order: Layers, series: Bool) -> Bool:
    """Variables without weight or rows that are alone on their level of a joined fibre."""
    used = program.weights != 0.0
    used[program.packing.ravel()] = True
    used[program.covering.ravel()] = True
    key = order.fibre.astype(np.int64) * order.depth + order.level
    alone = np.bincount(key, minlength=order.fibres * order.depth)[key] == 1
    inner = np.zeros(program.variables, dtype=np.bool_)
    inner[program.heads] = True
    return ~used & alone & series & inner


def _paths(program: Program, arcs: Place) -> Int32:
    """A next variable for each, -1 where none: arcs such that nobody has two predecessors.

    Greedily, short arcs first (in the numbering, which keeps neighbours in the order together).
    """
    following = np.full(program.variables, -1, dtype=np.int32)
    arcs = arcs[np.argsort(np.abs(program.heads[arcs] - program.tails[arcs]), kind="stable")]
    match(program.tails[arcs], program.heads[arcs], following)
    return following


def _along(following: Int32) -> tuple[Int32, Int32]:
    """The first variable of each one's path, and its place along it: pointers doubled until all have arrived."""
    size = len(following)
    before = np.arange(size, dtype=np.int32)
    has = np.flatnonzero(following >= 0)
    before[following[has]] = has
    place = (before != np.arange(size)).astype(np.int32)
    while True:
        place = place + place[before]
        further = before[before]
        if (further == before).all():
            return before, place
        before = further


class _Rows(NamedTuple):
    """The rows of the chains, as ``Chains`` has them."""

    at_start: Int32
    at_row: Int32
    at_sign: Int8
    row_start: Int32
    row_position: Int32
    row_sign: Int8
    limit: Float


def _rows(program: Program, where: Int32, between: Place) -> _Rows:
    """Packing, covering and arcs between chains, compressed both ways, with their limits."""
    arcs = np.stack([program.tails[between], program.heads[between]], axis=1)
    parts = [(program.packing, 1, float(program.capacity)), (program.covering, -1, -1.0), (arcs, 0, 0.0)]
    first = np.cumsum([0, *(len(part) for part, _, _ in parts)])
    row = np.concatenate(
        [
            np.repeat(np.arange(a, b), part.shape[1])
            for (part, _, _), (a, b) in zip(parts, pairwise(first), strict=True)
        ]
    ).astype(np.int32)
    position = np.concatenate([where[part.ravel()] for part, _, _ in parts])
    sign = np.concatenate(
        [np.full(part.size, s) if s else np.tile([1, -1], len(part)) for part, s, _ in parts]
    ).astype(np.int8)
    limit = np.concatenate([np.full(len(part), bound) for part, _, bound in parts])
    inside = position >= 0
    return _both_ways(row[inside], position[inside], sign[inside], limit, int((where >= 0).sum()))


def _both_ways(row: Int32, position: Int32, sign: Int8, limit: Float, positions: int) -> _Rows:
    """Entries, row by row, compressed by position too."""
    by = np.argsort(position, kind="stable")
    starts = _pointers(position, positions), _pointers(row, len(limit))
    return _Rows(starts[0], row[by], sign[by], starts[1], position, sign, limit)


def _pointers(index: Int32, count: int) -> Int32:
    """Where the entries of each of ``count`` begin, once sorted: int32 (count + 1,)."""
    return np.concatenate([[0], np.cumsum(np.bincount(index, minlength=count))]).astype(np.int32)
