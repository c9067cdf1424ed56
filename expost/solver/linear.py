"""A program as one sparse matrix: ``A @ x <= b``, built in bulk for solvers that take matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from expost._typing import Float, Int32
from expost.solver.program import Program
from expost.solver.result import Certificate
from expost.solver.scaling import HEADROOM, multipliers, scale_exponent


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows ``A @ x <= upper`` in CSR form: arcs first, then packing, then covering (negated).

    start: int32 (rows + 1,); index: int32 (entries,); value: float64 (entries,); upper: float64 (rows,).
    lower_x, upper_x: float64 (variables,), the bounds on x with fixings applied.
    """

    start: Int32
    index: Int32
    value: Float
    upper: Float
    lower_x: Float
    upper_x: Float

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.upper)


def rows_of(program: Program) -> Rows:
    """All rows of a program, without a loop over them."""
    parts = [
        (np.stack([program.tails, program.heads], axis=1), np.array([1.0, -1.0]), 0.0),
        (program.packing, np.ones(program.packing.shape[1]), float(program.capacity)),
        (program.covering, -np.ones(program.covering.shape[1]), -1.0),
    ]
    lengths = np.concatenate([np.full(len(index), index.shape[1]) for index, _, _ in parts])
    start = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=start[1:])
    index = np.concatenate([index.ravel() for index, _, _ in parts]).astype(np.int32, copy=False)
    value = np.concatenate([np.tile(pattern, len(index)) for index, pattern, _ in parts])
    upper = np.concatenate([np.full(len(index), limit) for index, _, limit in parts])
    lower_x = (program.fixings == 1).astype(np.float64)
    upper_x = (program.fixings != 0).astype(np.float64)
    return Rows(start, index, value, upper, lower_x, upper_x)


def cost_scale(program: Program) -> float:
    """A power of two that brings the largest weight to between 64 and 128.

    Weights are expectations, of the order of one over the number of states; the absolute tolerances
    of floating-point solvers are made for numbers of ordinary size.
    """
    largest = float(np.abs(program.weights).max()) if program.variables else 0.0
    return 1.0 if largest == 0.0 else float(2.0 ** (6 - np.floor(np.log2(largest))))


def certificate_of(program: Program, duals: Float) -> Certificate:
    """Row multipliers in the unit of the weights, float64 of shape (rows,), rounded to a certificate.

    Any non-negative integers prove a bound; how good it is, the checker says.
    """
    exponent = min(scale_exponent(program.weights), _finest(program, duals))
    rounded = multipliers(duals, exponent)
    arcs, packing = program.arcs, program.arcs + len(program.packing)
    return Certificate(exponent, rounded[:arcs], rounded[arcs:packing], rounded[packing:])


def _finest(program: Program, duals: Float) -> int:
    """The largest exponent at which no variable's multipliers, all added up, leave int64."""
    usable = np.where(np.isfinite(duals), np.maximum(duals, 0.0), 0.0)
    arcs, packing = program.arcs, program.arcs + len(program.packing)
    magnitude = np.abs(program.weights)
    for rows, part in (
        (np.stack([program.tails, program.heads], axis=1), usable[:arcs]),
        (program.packing, usable[arcs:packing]),
        (program.covering, usable[packing:]),
    ):
        for column in rows.T:
            magnitude += np.bincount(column, part, minlength=program.variables)
    largest = float(magnitude.max()) if len(magnitude) else 0.0
    return HEADROOM - 1 - int(np.frexp(largest)[1]) if largest > 0.0 else HEADROOM
