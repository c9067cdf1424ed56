"""Cells (lower, rigorous): the best mechanism with strikes constant on cells, as a program; its welfare bounded cell
by cell.

A cell of states counts as won by a buyer as soon as some point of it is, which is a test of the most
that he can be worth in it; that keeps the mechanism admissible in the whole continuum. A discrete signal has a cell for
each of its atoms, and nothing is lost there. In a row of a fibre, lowering the strike past the corner value v_k hands
over the types with V in (v_{k-1}, v_k]: those are the weights (mathematics.md, sections 4 and 6)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from expost._typing import Bool, Float, Int64
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.lower.cells_pairs import guaranteed_pairs
from expost.brackets.optimum import optimum
from expost.brackets.starts import first_names, timings
from expost.brackets.workers import Workers
from expost.errors import InputError
from expost.formulations.assemble import Formulation, assemble
from expost.formulations.timing import build_blocks
from expost.mechanisms.continuum.cells import CellMechanism, cell_counts
from expost.mechanisms.continuum.ranges import Box, Ranges
from expost.spaces.quantile_space import QuantileSpace
from expost.spaces.type_space import Grid, discretize


def cell_mechanism(space: QuantileSpace, points: int, clock: Clock = ENDLESS) -> CellMechanism:
    """The best strikes on ``points`` cells per level (with three buyers or more, the best found in the time).

    Raises NotMonotone where a value is neither monotone nor a formula, InputError where a support is unbounded or the
    grid too large, OutOfTime.
    """
    if not space.bounded:
        raise InputError("an unbounded support", where="cells", expected="signals with bounded supports")
    boxes = _boxes(space, points, dict.fromkeys(space.stated.signals, 0), 1)
    upper = np.stack([Ranges(space, i).on(boxes).high for i in range(space.n)])
    types = replace(discretize(space.instance, Grid(points)), values=upper)
    formulation = assemble(types, build_blocks(types, timings(space), first_names(space)))
    program = replace(formulation.program, weights=_weights(space, formulation, upper, points, clock))
    solution = optimum(replace(formulation, program=program), clock)
    wins = (
        formulation.allocation(solution.x)
        if solution.x is not None
        else np.zeros(upper.shape, dtype=np.bool_)
    )
    table = tuple(_table(space, i, upper[i], wins[i], points) for i in range(space.n))
    return CellMechanism(space, _method(space, points), points, table)


def _method(space: QuantileSpace, points: int) -> str:
    if space.finite:
        return "best rule on the atoms"
    return f"cells, {points} per signal" + (" and one per atom" if space.discrete else "")


def guaranteed_welfare(
    mechanism: CellMechanism, parts: int, clock: Clock = ENDLESS, workers: Workers | None = None
) -> float:
    """A floor under E[sum_i w_i q_i]: every cell cut into ``parts`` per level and counted with its worst corner.

    Raises NotMonotone where a value or a gain is neither monotone nor a formula, OutOfTime.
    """
    space, points = mechanism.space, mechanism.points
    if (space.n, space.units) == (2, 1) and not space.sequential and not space.discrete:
        return guaranteed_pairs(mechanism, parts, clock, workers)
    total, chances = 0.0, discretize(space.instance, Grid(points))
    for i in range(space.n):
        strike = _spread(space, i, mechanism.table[i], points)
        values, gains = Ranges(space, i), Ranges(space, i, gain=True)
        for part in _parts(space, parts):
            clock.check()
            boxes = _boxes(space, points, part, parts)
            worst, best = values.on(boxes)
            gain = gains.on(boxes).low
            total += chances.mean(
                np.where(worst > strike, gain, np.where(best > strike, np.minimum(gain, 0.0), 0.0))
            )
    return total / sum(1 for _ in _parts(space, parts))


def _parts(space: QuantileSpace, parts: int) -> Iterator[dict[str, int]]:
    """Every part of a cell, by the number of its slice in each signal; atoms have no parts."""
    slices = [range(parts if count is None else 1) for own in space.atoms for count in own]
    for combination in itertools.product(*slices):
        yield dict(zip(space.stated.signals, combination, strict=True))


def _boxes(space: QuantileSpace, points: int, part: dict[str, int], parts: int) -> list[Box]:
    """One part of every cell: boxes of each buyer's levels, on an axis of states of his own; of an atom the levels in
    its middle."""
    found = []
    for j, buyer in enumerate(space.instance.buyers):
        lines = []
        for signal, count in zip(buyer.signals, space.atoms[j], strict=True):
            if count is None:
                start = (np.arange(points) + part[signal] / parts) / points
                lines.append((start, start + 1.0 / (points * parts)))
            else:
                prior = space.stated.prior(signal)
                assert prior.atoms is not None
                lines.append((prior.level(prior.atoms[0]),) * 2)
        ends = [
            np.stack(np.meshgrid(*(line[end] for line in lines), indexing="ij"), axis=-1) for end in (0, 1)
        ]
        shape = [1] * space.n + [space.dims[j]]
        shape[j] = -1
        found.append((ends[0].reshape(shape), ends[1].reshape(shape)))
    return found


def _rows(space: QuantileSpace, i: int, array: NDArray[np.generic], points: int) -> NDArray[np.generic]:
    """A state array as (others' cells, rows, own types of a row)."""
    last = np.moveaxis(array, i, -1)
    others = int(np.prod(last.shape[:-1], dtype=np.int64))
    counts = cell_counts(space, i, points)
    own = last.reshape(others, *counts)
    place = space.first[i]
    if place is None:
        return own.reshape(others, 1, -1)
    return np.moveaxis(own, 1 + place, 1).reshape(others, counts[place], -1)


def _weights(
    space: QuantileSpace, formulation: Formulation, upper: Float, points: int, clock: Clock, parts: int = 2
) -> Float:
    """The gains handed over at each node, by sampling every cell at ``parts`` points per level."""
    weights = np.zeros(formulation.program.variables)
    types = formulation.space
    share = 1.0 / sum(1 for _ in _parts(space, parts))
    chances = np.full(types.shape, 1.0 / types.states) if types.weights is None else types.weights.chances
    orders = []
    for i, block in enumerate(formulation.blocks):
        rows = _rows(space, i, upper[i], points).astype(np.float64)
        order = np.argsort(rows, axis=2)
        index = np.take_along_axis(_rows(space, i, block.index, points), order, axis=2).astype(np.int64)
        orders.append((np.take_along_axis(rows, order, axis=2), index + formulation.program.blocks[i]))
    for part in _parts(space, parts):
        clock.check()
        inner = discretize(
            space.instance, Grid(points, {signal: (k + 0.5) / parts for signal, k in part.items()})
        )
        for i, (ranked, index) in enumerate(orders):
            rank = _ranks(ranked, _rows(space, i, inner.values[i], points).astype(np.float64))
            node = np.take_along_axis(index, np.minimum(rank, index.shape[2] - 1), axis=2)
            gains = _rows(space, i, inner.gains[i], points).astype(np.float64)
            likely = _rows(space, i, chances, points).astype(np.float64)
            weights += np.bincount(node.ravel(), (gains * likely).ravel() * share, minlength=len(weights))
    return weights


def _ranks(ranked: Float, values: Float) -> Int64:
    """How many entries of each row of ``ranked`` lie below each of ``values``, same shapes (.., Q)."""
    both = np.concatenate([values, ranked], axis=2)
    order = np.argsort(both, axis=2, kind="stable")
    below = np.cumsum(order >= values.shape[2], axis=2)
    counts = np.empty(both.shape, dtype=np.int64)
    np.put_along_axis(counts, order, below, axis=2)
    return counts[:, :, : values.shape[2]]


def _table(space: QuantileSpace, i: int, upper: Float, wins: Bool, points: int) -> Float:
    """The lowest strike at which every losing cell of this or a higher row loses: (rows, others' cells)."""
    lose = (
        np.where(_rows(space, i, wins, points), -np.inf, _rows(space, i, upper, points).astype(np.float64))
        .max(axis=2)
        .T
    )
    return np.ascontiguousarray(np.maximum.accumulate(lose[::-1], axis=0)[::-1])


def _spread(space: QuantileSpace, i: int, table: Float, points: int) -> Float:
    """The strike of buyer ``i`` in every cell of states, with axes of length 1 where it does not vary... in state
    shape."""
    others = tuple(math.prod(cell_counts(space, j, points)) for j in range(space.n) if j != i)
    counts, place = cell_counts(space, i, points), space.first[i]
    own = [count if k == place else 1 for k, count in enumerate(counts)]
    strike = np.broadcast_to(table.T.reshape(*others, *own), (*others, *counts))
    return np.moveaxis(strike.reshape(*others, math.prod(counts)), -1, i)
