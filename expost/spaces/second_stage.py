"""Expectations over the second stage of a buyer, given his first signal: equal weights or his own.

Arrays of fibres have shape (F, A, B): fibre, level of the first signal, second-stage type. ``chances`` is the
probability of each second-stage type given the level, (A, B) with rows that sum to 1, or None where all are equal.
"""

from __future__ import annotations

import numpy as np

from expost._typing import Array, Float

NO_WIDTH = 1e-12
"""Quantile cells narrower than this are what rounding leaves between two equal levels (unit: probability)."""


def given_level(weights: Float | None) -> Float | None:
    """The conditional probabilities (A, B) of second-stage types with joint probabilities ``weights`` (A, B).

    A level of probability zero gets equal ones.
    """
    if weights is None:
        return None
    total = weights.sum(axis=1, keepdims=True)
    equal = np.full(weights.shape, 1.0 / weights.shape[1])
    return np.asarray(np.divide(weights, total, out=equal, where=total > 0.0))


def expected(array: Array, chances: Float | None) -> Float:
    """E_b of ``array`` (.., A, B) given each level, shape (.., A)."""
    if chances is None:
        return np.asarray(array.mean(axis=-1), dtype=np.float64)
    return np.asarray((array * chances).sum(axis=-1), dtype=np.float64)


def common_quantiles(values: Float, chances: Float | None) -> tuple[Float, Float]:
    """The values of every level by increasing quantile of the second stage, (F, A, Q), and how wide the quantile cells
    are, (F, Q) or (1, Q), summing to 1: cell by cell the values of two levels stand at the same quantile."""
    ranked = np.sort(values, axis=2)
    if chances is None:
        return ranked, np.full((1, values.shape[2]), 1.0 / values.shape[2])
    order = np.argsort(values, axis=2, kind="stable")
    width = np.take_along_axis(np.broadcast_to(chances, values.shape), order, axis=2)
    if (width == width[:, :1]).all():
        return ranked, width[:, 0]
    top = np.cumsum(width, axis=2)
    top[:, :, -1] = 1.0
    levels = np.sort(top.reshape(len(values), -1), axis=1)
    cells = np.diff(levels, axis=1, prepend=0.0)
    middle = levels - 0.5 * cells
    shift = (
        2.0 * np.arange(len(values))[:, None]
    )  # fibre by fibre the levels lie apart: one search for all of them
    start = np.arange(len(values))[:, None] * values.shape[2]
    rows = []
    for level in range(values.shape[1]):
        place = np.searchsorted((top[:, level] + shift).ravel(), (middle + shift).ravel())
        within = np.minimum(
            place.reshape(middle.shape) - start,
            values.shape[2] - 1,
        )
        rows.append(np.take_along_axis(ranked[:, level], within, axis=1))
    return np.stack(rows, axis=1), cells
