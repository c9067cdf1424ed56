"""From a program of one or two blocks to a maximum-weight closure, and back.

The second block is complemented: with ``z = x`` in block 0 and ``z = 1 - x`` in block 1 every row reads
``z[a] <= z[b]``, an arc ``a -> b`` of infinite capacity. A closure is a set of nodes that no arc leaves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from expost.errors import InputError
from expost.solver.program import FREE, Program

Int = NDArray[np.int64]
Index = NDArray[np.int32]
Bits = NDArray[np.int8]

WEIGHT_BITS = 61
"""The integer weights sum to less than 2**62 in absolute value."""


@dataclass(frozen=True, eq=False)
class Network:
    """The closure problem of a program.

    tails, heads: int32 (arcs,): first the precedence arcs in the program's order, then the packing rows,
    then the covering rows; rows of one variable are left out (``packing_rows``, ``covering_rows`` list
    the program's rows that are there).
    supply: int64 (nodes,), integer weight of ``z``.
    forced: int8 (nodes,), FREE, or the value of ``z`` that a fixing or a covering row of one variable
    demands; 2 where they disagree.
    second: where block 1 starts.
    scale_exponent: integer weights are ``rint(weights * 2**scale_exponent)``.
    """

    tails: Index
    heads: Index
    supply: Int
    forced: Bits
    second: int
    scale_exponent: int
    packing_rows: Index
    covering_rows: Index

    def program_bits(self, z: Bits) -> Bits:
        """The program's own variables for the closure ``z``, int8 (nodes,)."""
        x = z.astype(np.int8, copy=True)
        x[self.second :] = 1 - x[self.second :]
        return x


def scale(weights: NDArray[np.float64]) -> tuple[Int, int]:
    """Integer weights and the exponent: the finest power of two whose absolute sum stays below 2**62."""
    total = float(np.abs(weights).sum())
    if total == 0.0:
        return np.zeros(len(weights), dtype=np.int64), 0
    if not math.isfinite(total):
        raise InputError("weights whose sum overflows", where="program", expected="a finite sum of weights")
    # the margin covers the rounding of the logarithms and half a unit for each weight
    exponent = math.floor(WEIGHT_BITS + 1 - math.log2(total) - 1e-9)
    if len(weights) > 2**30:
        exponent -= 1
    return np.rint(np.ldexp(weights, exponent)).astype(np.int64), exponent


def build(program: Program) -> Network:
    """The network of ``program``. Raises InputError for more than two blocks."""
    if program.n_blocks > 2:
        raise InputError(
            f"a program with {program.n_blocks} buyers", where="backend mincut",
            expected="at most two: a packing row over three variables is no difference of two, so the "
            "program is not a minimum cut (its linear relaxation can be fractional)",
            remedy="use --backend highs or --backend auto",
        )
    weights, exponent = scale(program.weights)
    second = int(program.blocks[1]) if program.n_blocks == 2 else program.variables
    turned = program.tails >= second
    tails = np.where(turned, program.heads, program.tails)
    heads = np.where(turned, program.tails, program.heads)
    packing_rows, packing = _pairs(program.packing)
    covering_rows, covering = _pairs(program.covering)
    supply = weights
    supply[second:] *= -1
    return Network(
        np.concatenate([tails, packing[:, 0], covering[:, 1]]).astype(np.int32, copy=False),
        np.concatenate([heads, packing[:, 1], covering[:, 0]]).astype(np.int32, copy=False),
        supply, _forced(program, second), second, exponent, packing_rows, covering_rows,
    )


def _pairs(rows: Index) -> tuple[Index, Index]:
    """The rows of two variables: their indices, and the pairs with block 0 first."""
    if rows.shape[1] < 2:
        return np.empty(0, dtype=np.int32), np.empty((0, 2), dtype=np.int32)
    if (rows[:, 0] > rows[:, 1]).any():
        rows = np.sort(rows, axis=1)
    return np.arange(len(rows), dtype=np.int32), rows


def _forced(program: Program, second: int) -> Bits:
    """The values of ``z`` that fixings and covering rows of one variable demand; 2 where they disagree."""
    x = program.fixings.copy()
    if program.covering.shape[1] == 1:
        must = program.covering[:, 0]
        x[must] = np.where(x[must] == 0, 2, 1)
    flip = x[second:]
    x[second:] = np.where((flip == 0) | (flip == 1), 1 - flip, flip)
    return x


def is_infeasible_row(program: Program) -> bool:
    """Whether a covering row has no variable at all."""
    return program.covering.shape[1] == 0 and len(program.covering) > 0


def free_everywhere(forced: Bits) -> bool:
    """Whether nothing is forced."""
    return bool((forced == FREE).all())
