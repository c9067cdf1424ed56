"""A block: one buyer's variables and the precedence that incentives impose on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from expost.tolerances import TIE, allowance

Float = NDArray[np.float64]
Index = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Block:
    """One buyer's part of a program, in variables counted from 0 inside the block.

    index: int32, state shape, the variable of ``q_i(s)``; auxiliary variables follow the states.
    size: variables of the block, auxiliary ones included.
    tails, heads: int32 (arcs,), ``x[tail] <= x[head]``.
    revenue: float64 (size,), weights whose sum over a feasible rule is the sum over states of the
    buyer's payment at the highest implementing prices; None where the rule does not determine it.
    """

    index: Index
    size: int
    tails: Index
    heads: Index
    revenue: Float | None = None


def tie_width(values: Float) -> float:
    """How far two values of one buyer may differ and still count as equal (unit: values)."""
    return allowance(TIE, values)
