"""The efficient rule of so many units: who should win, and what the highest positive gains come to."""

from __future__ import annotations

import numpy as np

from expost._typing import Bool, Float


def best_gains(gains: Float, units: int) -> Float:
    """The sum of the ``units`` largest positive ``gains`` (n, ..) in each state."""
    if units == 1:
        return np.maximum(gains.max(axis=0), 0.0)
    if units >= len(gains):
        return np.asarray(np.maximum(gains, 0.0).sum(axis=0))
    largest = np.partition(gains, -units, axis=0)[-units:]
    return np.asarray(np.maximum(largest, 0.0).sum(axis=0))


def should_win(gains: Float, i: int, units: int) -> Bool:
    """Where buyer ``i``'s gain is positive and among the ``units`` largest, the first buyers' of equal ones."""
    if units == 1:  # reductions over so short and so distant an axis are slow: compare in pairs
        wins = gains[i] > 0.0
        for k, gain in enumerate(gains):
            if k != i:
                wins = wins & (gain < gains[i] if k < i else gain <= gains[i])
        return np.asarray(wins)
    better = (gains[:i] >= gains[i]).sum(axis=0) + (gains[i + 1 :] > gains[i]).sum(axis=0)
    return np.asarray((better < units) & (gains[i] > 0.0))


def last_margin(margins: Float, units: int) -> Float:
    """The largest margin but ``units``, (n, ..) to (..): positive exactly where more buyers win than there are units;
    -inf where there are as many units as buyers."""
    if units >= len(margins):
        return np.full(margins.shape[1:], -np.inf)
    if units == len(margins) - 1:
        return np.asarray(margins.min(axis=0))
    if units == 1:  # in pairs, as above: a sort of so short and so distant an axis is slow
        first, second = np.maximum(margins[0], margins[1]), np.minimum(margins[0], margins[1])
        for margin in margins[2:]:
            second = np.maximum(second, np.minimum(first, margin))
            first = np.maximum(first, margin)
        return np.asarray(second)
    return np.asarray(np.partition(margins, -units - 1, axis=0)[-units - 1])
