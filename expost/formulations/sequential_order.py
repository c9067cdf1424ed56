"""The order that sequential incentives impose on a fibre, by few generators.

In a fibre with own types (a, b): if (a, b) wins, a' >= a and V(a', b') > V(a, b), then (a', b') wins (Zik,
Theorem 2 and Corollary 10). Equal values are free of each other. The generators of (a, b): in the rows a,
a+1, .. in turn, the first higher value, kept only where it is lower than all those kept before it; what is
dropped follows through a kept one. Types of equal value share the arcs that lead to them: every row's group
of equal values has a gate, which implies the group and the gate of the next row that has this value, and
the arcs of others go to the gate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Index = NDArray[np.int32]
Bool = NDArray[np.bool_]


class Ranked(NamedTuple):
    """The types of every fibre by increasing value, rows in order among equals; int32 arrays (F, T).

    order: the type (row x B + second) at each place. row: its row. group: which group of equal values it is
    in, counted from 0 in its fibre. tied: whether any group of any fibre has two members.
    """

    order: Index
    row: Index
    group: Index
    tied: bool


class Order(NamedTuple):
    """Variables and arcs of all fibres: the variable of each type (F, A, B), their number, gates last, and
    the arcs."""

    variable: Index
    size: int
    tails: Index
    heads: Index


def sequential_order(values: Float, width: float) -> Order:
    """The precedence of fibres ``values`` of shape (F, A, B); values closer than ``width`` are equal.

    Variables are numbered fibre by fibre, by increasing value; gates follow.
    """
    ranked = rank_types(values, width)
    tails, heads = _records(ranked, values.shape[1])
    size = ranked.order.size
    if ranked.tied:
        entry, size, gate_tails, gate_heads = _gates(ranked)
        tails, heads = np.concatenate([tails, gate_tails]), np.concatenate([entry[heads], gate_heads])
    variable = np.empty(ranked.order.shape, dtype=np.int32)
    places = np.arange(ranked.order.size, dtype=np.int32).reshape(ranked.order.shape)
    np.put_along_axis(variable, ranked.order.astype(np.intp), places, axis=1)
    return Order(variable.reshape(values.shape), size, tails, heads)


def rank_types(values: Float, width: float) -> Ranked:
    """The types of fibres ``values`` (F, A, B) by increasing value; groups as in static timing."""
    n_fibres, rows, seconds = values.shape
    flat = values.reshape(n_fibres, rows * seconds)
    order = np.argsort(flat, axis=1, kind="stable")
    group = np.zeros(flat.shape, dtype=np.int32)
    np.cumsum(np.diff(np.take_along_axis(flat, order, axis=1), axis=1) > width, axis=1, out=group[:, 1:])
    tied = bool((group[:, -1] < rows * seconds - 1).any())
    if (
        tied
    ):  # values that differ by less than the width were sorted by value: put each group in the order of rows
        order = np.take_along_axis(
            order, np.argsort(group * np.int64(rows * seconds) + order, axis=1), axis=1
        )
    return Ranked(order.astype(np.int32), order.astype(np.int32) // np.int32(seconds), group, tied)


def _records(ranked: Ranked, rows: int) -> tuple[Index, Index]:
    """The generators as pairs of places (fibre x T + place): row by row, the first higher value below all
    before it."""
    n_fibres, n_types = ranked.row.shape
    group = np.concatenate([ranked.group, np.full((n_fibres, 1), n_types, dtype=np.int32)], axis=1)
    offset = (np.arange(n_fibres, dtype=np.int32) * np.int32(n_types + 1))[:, None]
    above = _above(ranked) + offset
    lowest = np.full(ranked.row.shape, n_types, dtype=np.int32)
    places = np.arange(n_types, dtype=np.int32)
    marks = np.empty((n_fibres, n_types + 1), dtype=np.int32)
    marks[:, -1] = n_types
    number = np.arange(n_fibres * n_types, dtype=np.int32).reshape(n_fibres, n_types)
    tails, heads = [], []
    for row in range(rows):
        marks[:, :-1] = np.where(ranked.row == row, places, np.int32(n_types))
        nearest = np.minimum.accumulate(marks[:, ::-1], axis=1)[:, ::-1]
        found = np.take(nearest, above)
        level = np.take(group, found + offset) if ranked.tied else found
        kept = (level < lowest) & (ranked.row <= row)
        np.copyto(lowest, level, where=kept)
        tails.append(number[kept])
        heads.append((number - places + found)[kept])
    return np.concatenate(tails), np.concatenate(heads)


def _above(ranked: Ranked) -> Index:
    """The first place of the next higher group, (F, T); T in the highest group."""
    n_types = ranked.group.shape[1]
    opens = np.full(ranked.group.shape, n_types, dtype=np.int32)
    np.copyto(opens[:, :-1], np.arange(1, n_types, dtype=np.int32), where=np.diff(ranked.group, axis=1) > 0)
    return np.ascontiguousarray(np.minimum.accumulate(opens[:, ::-1], axis=1)[:, ::-1])


def _gates(ranked: Ranked) -> tuple[Index, int, Index, Index]:
    """The gate of every place (itself where no equal of its row or a later one exists), the block's size,
    the gates' arcs."""
    group_opens = _changes(ranked.group)
    part_opens = (group_opens | _changes(ranked.row)).ravel()
    part = np.cumsum(part_opens, dtype=np.int32) - np.int32(1)
    start = np.flatnonzero(part_opens).astype(np.int32)
    members = np.diff(start, append=np.int32(part.size))
    last = np.append(group_opens.ravel()[start[1:]], True)
    shared = ~(last & (members == 1))
    size = part.size + int(np.count_nonzero(shared))
    gate = start.copy()
    gate[shared] = np.arange(part.size, size, dtype=np.int32)
    inside = np.flatnonzero(shared[part]).astype(np.int32)
    onward = np.flatnonzero(~last)
    return (
        gate[part],
        size,
        np.concatenate([gate[part[inside]], gate[onward]]),
        np.concatenate([inside, gate[onward + 1]]),
    )


def _changes(array: Index) -> Bool:
    """Where an entry differs from the one before it in its fibre; the first of a fibre always does."""
    changes = np.ones(array.shape, dtype=np.bool_)
    np.not_equal(array[:, 1:], array[:, :-1], out=changes[:, 1:])
    return changes
