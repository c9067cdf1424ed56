"""Who wins, as one array of state shape: numbers of buyers for one unit, sets of buyers for several."""

from __future__ import annotations

import numpy as np

from expost._typing import Array, Bool
from expost.errors import InputError

MOST_BUYERS = 64
"""Buyers that a set in 64 bits can hold."""


def winners(allocation: Bool, units: int = 1) -> Array:
    """Who wins in each state; ``allocation`` is bool (n, T_1, .., T_n).

    One unit: uint8, 0 nobody, k the k-th buyer. Several: uint64, bit k - 1 set where the k-th buyer wins.
    """
    n = len(allocation)
    if units == 1:
        numbers = np.arange(1, n + 1, dtype=np.uint8)
    elif n > MOST_BUYERS:
        raise InputError(
            f"{n} buyers and {units} units", where="units", expected=f"at most {MOST_BUYERS} buyers"
        )
    else:
        numbers = np.left_shift(np.uint64(1), np.arange(n, dtype=np.uint64))
    spread = numbers.reshape((-1,) + (1,) * (allocation.ndim - 1))
    return np.asarray((allocation * spread).sum(axis=0, dtype=numbers.dtype))


def rule_of(array: Array, n: int, units: int = 1) -> Bool:
    """The rule that ``winners`` wrote, bool (n, T_1, .., T_n).

    Raises ValueError for another type of array, and for buyers whom nobody knows.
    """
    wanted = np.uint8 if units == 1 else np.uint64
    if array.dtype != wanted:
        raise ValueError(f"is {array.dtype}, not {np.dtype(wanted)}")
    if units == 1:
        if array.max(initial=0) > n:
            raise ValueError(f"names buyer {array.max()} of {n}")
        return np.stack([array == k + 1 for k in range(n)])
    if n < MOST_BUYERS and (array >> np.uint64(n)).any():
        raise ValueError(f"names a buyer beyond the {n} there are")
    return np.stack([(array >> np.uint64(k)) & np.uint64(1) != 0 for k in range(n)])
