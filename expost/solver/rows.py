"""The arithmetic of ``expost.solver.certificate`` compiled, for where hundreds of certificates are checked.

The same definitions once more: in integers, one pass over the rows, and no code shared with any solver. The tests hold
either against the other.
"""

from __future__ import annotations

import numpy as np

from expost._compiled import compiled
from expost._typing import Bool, Int8, Int32, Int64
from expost.solver.certificate import SAFE
from expost.solver.program import FREE, Program
from expost.solver.result import Certificate

HALF = 32
"""Sums are kept in two parts, of so many bits the lower: then neither can overflow."""


class Rows:
    """The rows of a program. degree: how many rows a variable is in at most, and 1 for its weight."""

    def __init__(self, program: Program) -> None:
        self.program = program
        parts = (program.tails, program.heads, program.packing.ravel(), program.covering.ravel())
        counts = sum(np.bincount(part, minlength=program.variables) for part in parts)
        self.degree = 1 + int(np.max(counts, initial=0))

    def bound(self, certificate: Certificate, weights: Int64) -> int | None:
        """The dual bound; None where a reduced weight might not fit into int64, and where there are cuts.

        weights: int64 (variables,).
        """
        if certificate.cuts is not None:
            return None
        program, given = self.program, (certificate.arcs, certificate.packing, certificate.covering)
        largest = max(int(np.abs(weights).max(initial=0)), *(int(part.max(initial=0)) for part in given))
        if largest * self.degree >= SAFE:
            return None
        rows = program.tails, program.heads, program.packing, program.covering
        high, low = _dual(weights, program.fixings, *rows, program.capacity, *given)
        return (int(high) << HALF) + int(low)

    def value(self, weights: Int64 | None, won: Bool) -> tuple[int | None, int]:
        """The weight of a rule, bool (variables,), and how many rows and fixings it breaks."""
        program = self.program
        rows = program.tails, program.heads, program.packing, program.covering
        broken = int(_broken(won, program.fixings, *rows, program.capacity))
        if weights is None:
            return None, broken
        high, low = _weight(weights, won)
        return (int(high) << HALF) + int(low), broken


@compiled()
def _dual(
    weights: Int64,
    fixed: Int8,
    tails: Int32,
    heads: Int32,
    packing: Int32,
    covering: Int32,
    capacity: int,
    arcs: Int64,
    packed: Int64,
    covered: Int64,
) -> tuple[int, int]:
    """Both parts of: the positive reduced weights, and what the multipliers of the rows are worth."""
    reduced = weights.copy()
    high, low = 0, 0
    for row in range(len(arcs)):
        reduced[tails[row]] -= arcs[row]
        reduced[heads[row]] += arcs[row]
    for row in range(len(packed)):
        for k in range(packing.shape[1]):
            reduced[packing[row, k]] -= packed[row]
        high += capacity * (packed[row] >> HALF)
        low += capacity * (packed[row] & 0xFFFFFFFF)
    for row in range(len(covered)):
        for k in range(covering.shape[1]):
            reduced[covering[row, k]] += covered[row]
        high -= covered[row] >> HALF
        low -= covered[row] & 0xFFFFFFFF
    for variable in range(len(reduced)):
        own = (
            reduced[variable]
            if fixed[variable] == 1
            else max(reduced[variable], 0) * (fixed[variable] == FREE)
        )
        high += own >> HALF
        low += own & 0xFFFFFFFF
    return high, low


@compiled()
def _broken(
    won: Bool, fixed: Int8, tails: Int32, heads: Int32, packing: Int32, covering: Int32, capacity: int
) -> int:
    broken = 0
    for row in range(len(tails)):
        broken += int(won[tails[row]]) & (1 - int(won[heads[row]]))
    for row in range(len(packing)):
        taken = 0
        for k in range(packing.shape[1]):
            taken += int(won[packing[row, k]])
        broken += int(taken > capacity)
    for row in range(len(covering)):
        taken = 0
        for k in range(covering.shape[1]):
            taken += int(won[covering[row, k]])
        broken += int(taken < 1)
    for variable in range(len(won)):
        broken += int(fixed[variable] != FREE and fixed[variable] != int(won[variable]))
    return broken


@compiled()
def _weight(weights: Int64, won: Bool) -> tuple[int, int]:
    """Both parts of the sum of the weights that the rule takes."""
    high, low = 0, 0
    for variable in range(len(won)):
        own = weights[variable] * int(won[variable])
        high += own >> HALF
        low += own & 0xFFFFFFFF
    return high, low
