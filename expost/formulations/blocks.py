"""A block: one buyer's variables and the precedence that incentives impose on them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from expost._typing import Float, Int32
from expost.tolerances import TIE, allowance


@dataclass(frozen=True, eq=False)
class Block:
    """One buyer's part of a program, in variables counted from 0 inside the block.

    index: int32, state shape, the variable of ``q_i(s)``; auxiliary variables follow the states.
    size: variables of the block, auxiliary ones included.
    tails, heads: int32 (arcs,), ``x[tail] <= x[head]``.
    revenue: float64 (size,), weights whose sum over a feasible rule is the sum over states of the
    buyer's payment at the highest implementing prices (where states are not equally likely: his expected payment);
    None where the rule does not determine it.
    tie_spread: by how much values that count as equal differ at most (unit: values).
    """

    index: Int32
    size: int
    tails: Int32
    heads: Int32
    revenue: Float | None = None
    tie_spread: float = 0.0

    def without_rows(self) -> Block:
        """The block without what a program that was made of it has anyway: its arcs and its weights."""
        return replace(self, tails=_NONE, heads=_NONE, revenue=None)


_NONE = np.empty(0, dtype=np.int32)


def tie_width(values: Float) -> float:
    """How far two values of one buyer may differ and still count as equal (unit: values)."""
    return allowance(TIE, values)
