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

from expost._typing import Bool, Float, Int32


class Ranked(NamedTuple):
    """The types of every fibre by increasing value, rows in order among equals; int32 arrays (F, T).

    order: the type (row x B + second) at each place. row: its row. group: which group of equal values it is
    in, counted from 0 in its fibre. tied: whether any group of any fibre has two members.
    """

    order: Int32
    row: Int32
    group: Int32
    tied: bool


class Order(NamedTuple):
    """Variables and arcs of all fibres: the variable of each type (F, A, B), their number, gates last, and
    the arcs."""

    variable: Int32
    size: int
    tails: Int32
    heads: Int32


def sequential_order(values: Float, width: float) -> Order:
    """The precedence of fibres ``values`` of shape (F, A, B); values closer than ``width`` are equal.

    Variables are numbered fibre by fibre, so that neighbours in the order mostly are neighbours in memory
    (see ``_numbers``); gates come last.
    """
    ranked = rank_types(values, width)
    place = np.argsort(ranked.row, axis=1, kind="stable").reshape(values.shape)
    number = np.empty(ranked.row.shape, dtype=np.int32)
    listed = _numbers(values)
    np.put_along_axis(number, place.reshape(number.shape), listed.reshape(number.shape), axis=1)
    tails, heads = _records(ranked, place.astype(np.int32), listed)
    entry, size, gate_tails, gate_heads = _gates(ranked, number.ravel())
    variable = np.empty(number.shape, dtype=np.int32)
    np.put_along_axis(variable, ranked.order.astype(np.intp), number, axis=1)
    return Order(
        variable.reshape(values.shape),
        size,
        np.concatenate([tails, gate_tails]),
        np.concatenate([entry[heads], gate_heads]),
    )


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


def _numbers(values: Float) -> Int32:
    """The variables of the types of each row by increasing value, int32 (F, A, B).

    Consecutive along the rows, or across them where that is the smaller step in value: the smaller step
    is a generator, and the solver walks arcs between consecutive variables fastest.
    """
    n_fibres, rows, seconds = values.shape
    numbers = np.arange(values.size, dtype=np.int32)
    ranked = np.sort(values, axis=2)
    along, across = (float(np.abs(np.diff(ranked, axis=axis)).sum()) for axis in (2, 1))
    if rows > 1 and seconds > 1 and across / (rows - 1) / seconds < along / (seconds - 1) / rows:
        return np.ascontiguousarray(numbers.reshape(n_fibres, seconds, rows).swapaxes(1, 2))
    return numbers.reshape(values.shape)


def _records(ranked: Ranked, place: Int32, number: Int32) -> tuple[Int32, Int32]:
    """The generators: the variable of each tail, and the place (fibre x T + place) of its head.

    place, number: int32 (F, A, B), places and variables of the types row by row, by increasing value. Row
    after row, the first higher value is kept where it lies below all those kept before it.
    """
    (n_fibres, rows, _), n_types = place.shape, ranked.row.shape[1]
    group = np.concatenate([ranked.group, np.full((n_fibres, 1), n_types, dtype=np.int32)], axis=1)
    fibre = np.arange(n_fibres, dtype=np.int32)[:, None, None]
    padding = fibre * np.int32(n_types + 1)
    above = np.take(_above(ranked), place + fibre * np.int32(n_types)) + padding
    lowest = np.full(place.shape, n_types, dtype=np.int32)
    tails, heads = [], []
    for row in range(rows):
        nearest = _next_in_row(place[:, row], n_types)
        found = np.take(nearest, above[:, : row + 1])
        level = np.take(group, found + padding) if ranked.tied else found
        kept = level < lowest[:, : row + 1]
        np.copyto(lowest[:, : row + 1], level, where=kept)
        tails.append(number[:, : row + 1][kept])
        heads.append((found + fibre * np.int32(n_types))[kept])
    return np.concatenate(tails), np.concatenate(heads)


def _next_in_row(places: Int32, n_types: int) -> Int32:
    """The first place of the row at or after each place, (F, T + 1); T where there is none."""
    marks = np.full((len(places), n_types + 1), n_types, dtype=np.int32)
    np.put_along_axis(marks, places.astype(np.intp), places, axis=1)
    return np.ascontiguousarray(np.minimum.accumulate(marks[:, ::-1], axis=1)[:, ::-1])


def _above(ranked: Ranked) -> Int32:
    """The first place of the next higher group, (F, T); T in the highest group."""
    n_types = ranked.group.shape[1]
    opens = np.full(ranked.group.shape, n_types, dtype=np.int32)
    np.copyto(opens[:, :-1], np.arange(1, n_types, dtype=np.int32), where=np.diff(ranked.group, axis=1) > 0)
    return np.ascontiguousarray(np.minimum.accumulate(opens[:, ::-1], axis=1)[:, ::-1])


def _gates(ranked: Ranked, number: Int32) -> tuple[Int32, int, Int32, Int32]:
    """Where arcs to each place lead (its variable, or a gate where equals of its row or a later one exist),
    the block's size, and the arcs of the gates. ``number``: the variable of each place."""
    if not ranked.tied:
        none = np.empty(0, dtype=np.int32)
        return number, number.size, none, none
    group_opens = _changes(ranked.group)
    part_opens = (group_opens | _changes(ranked.row)).ravel()
    part = np.cumsum(part_opens, dtype=np.int32) - np.int32(1)
    start = np.flatnonzero(part_opens).astype(np.int32)
    members = np.diff(start, append=np.int32(part.size))
    last = np.append(group_opens.ravel()[start[1:]], True)
    shared = ~(last & (members == 1))
    size = part.size + int(np.count_nonzero(shared))
    gate = number[start]
    gate[shared] = np.arange(part.size, size, dtype=np.int32)
    inside, onward = np.flatnonzero(shared[part]), np.flatnonzero(~last)
    tails = np.concatenate([gate[part[inside]], gate[onward]])
    return gate[part], size, tails, np.concatenate([number[inside], gate[onward + 1]])


def _changes(array: Int32) -> Bool:
    """Where an entry differs from the one before it in its fibre; the first of a fibre always does."""
    changes = np.ones(array.shape, dtype=np.bool_)
    np.not_equal(array[:, 1:], array[:, :-1], out=changes[:, 1:])
    return changes
