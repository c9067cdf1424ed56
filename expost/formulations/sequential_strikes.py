"""One buyer under sequential timing: the best rule of every fibre on its own, by a dynamic program over
strikes.

A rule of a fibre is feasible when there are thresholds, not rising in the first signal, such that types
above their row's threshold win and types below it lose; types exactly at it are free. Row by row, the best
value at each threshold is what the row earns there plus the best that lower rows earn at this or a higher
threshold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from expost._typing import Bool, Float, Int32
from expost.formulations.blocks import tie_width
from expost.formulations.sequential import sequential_stages
from expost.formulations.sequential_checks import check_stages
from expost.formulations.sequential_order import rank_types
from expost.spaces.type_space import TypeSpace

CHUNK = 1 << 21
"""Entries of the table (fibres x thresholds x rows) that are kept at once."""


class Strikes(NamedTuple):
    """The best rule of each fibre: its total gain (F,), who wins (F, A, B) and the threshold of each row,
    as the number of groups of equal value of the fibre that lie below it (F, A)."""

    gain: Float
    wins: Bool
    threshold: Int32


def strike_program(values: Float, gains: Float, width: float | None = None) -> Strikes:
    """The rules that maximize the total of ``gains`` in each fibre; ``values`` and ``gains`` have shape (F,
    A, B).

    width: values closer than this are equal (by default as in ``tie_width``). Exact up to the rounding of
    sums; agrees with the minimum cut. Types at a threshold win where their gain is positive.
    """
    width = tie_width(values) if width is None else width
    n_fibres, rows, seconds = values.shape
    step = max(1, CHUNK // max(1, rows * rows * seconds))
    parts = [
        _solve(values[start : start + step], gains[start : start + step], width)
        for start in range(0, n_fibres, step)
    ]
    return Strikes(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def strike_rule(space: TypeSpace, first: str | None = None) -> tuple[float, Bool]:
    """The sequential second best of a one-buyer type space: expected welfare, and the rule as an allocation
    (1, T).

    Raises InputError as ``sequential_block`` does.
    """
    assert space.n == 1
    stages = sequential_stages(space, 0, first)
    fibres = stages.fibres(space.values[0])
    check_stages(space, stages, fibres)
    gains = space.gains[0] if space.weights is None else space.gains[0] * space.weights.chances
    best = strike_program(fibres, stages.fibres(gains))
    rule = stages.states(best.wins, space.shape)[None]
    return space.seller + space.mean(np.where(rule[0], space.gains[0], 0.0)), rule


def _solve(values: Float, gains: Float, width: float) -> Strikes:
    n_fibres, rows, seconds = values.shape
    ranked = rank_types(values, width)
    group = np.empty(ranked.order.shape, dtype=np.int32)
    np.put_along_axis(group, ranked.order.astype(np.intp), ranked.group, axis=1)
    group = group.reshape(values.shape)
    best = np.zeros((n_fibres, rows * seconds + 1))
    choices = np.empty((rows, n_fibres, rows * seconds + 1), dtype=np.int32)
    for row in range(rows):
        best, choices[row] = _best_from_above(best)
        best = best + _earnings(group[:, row], gains[:, row], best.shape[1])
    threshold = np.empty((n_fibres, rows), dtype=np.int32)
    now = best.argmax(axis=1).astype(np.int32)
    gain = np.take_along_axis(best, now[:, None].astype(np.intp), axis=1)[:, 0]
    for row in range(rows - 1, -1, -1):
        threshold[:, row] = now
        now = np.take_along_axis(choices[row], now[:, None].astype(np.intp), axis=1)[:, 0]
    at = threshold[:, :, None]
    wins = (group > at) | ((group == at) & (gains > 0.0))
    return Strikes(gain, wins, threshold)


def _earnings(group: Int32, gains: Float, thresholds: int) -> Float:
    """What a row (F, B) earns at each threshold: the gains of higher groups, the positive ones of the group."""
    shape = (len(group), thresholds)
    at = (group + (np.arange(len(group)) * thresholds)[:, None]).ravel()
    total = np.bincount(at, weights=gains.ravel(), minlength=shape[0] * thresholds).reshape(shape)
    free = np.bincount(at, weights=np.maximum(gains, 0.0).ravel(), minlength=total.size).reshape(shape)
    return np.asarray(np.cumsum(total[:, ::-1], axis=1)[:, ::-1] - total + free, dtype=np.float64)


def _best_from_above(best: Float) -> tuple[Float, Int32]:
    """The largest entry at each threshold or a higher one, and where it is."""
    backward = best[:, ::-1]
    top = np.maximum.accumulate(backward, axis=1)
    places = np.where(backward == top, np.arange(best.shape[1], dtype=np.int32), np.int32(-1))
    where = np.maximum.accumulate(places, axis=1)
    return top[:, ::-1], np.int32(best.shape[1] - 1) - where[:, ::-1]
