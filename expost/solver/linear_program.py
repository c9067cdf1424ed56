"""A linear (or mixed-integer) program as one sparse matrix, and the bound that multipliers of its rows prove.

    maximize    constant + objective @ x
    subject to  matrix @ x <= upper,   lower_x <= x <= upper_x,   x[v] whole where integral[v]

Every variable lies in a finite box, so any multipliers ``y >= 0`` of the rows prove a bound:

    constant + upper @ y + sum_v max over the box of x_v * (objective_v - matrix[:, v] @ y).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from expost._typing import Bool, Float
from expost.errors import InputError

UNIT = 2.0**-52
"""Twice the unit roundoff of float64: what a single rounding may lose, generously."""


@dataclass(frozen=True, eq=False)
class LinearProgram:
    """A frozen program.

    objective, lower_x, upper_x: float64 (variables,), the box finite. matrix: scipy CSR (rows, variables).
    upper: float64 (rows,). integral: bool (variables,) or None where no variable has to be whole.

    Raises InputError when shapes disagree, a number is not finite, or the box is empty somewhere.
    """

    objective: Float
    matrix: Any = field(repr=False)
    upper: Float = field(repr=False)
    lower_x: Float = field(repr=False)
    upper_x: Float = field(repr=False)
    integral: Bool | None = field(default=None, repr=False)
    constant: float = 0.0

    def __post_init__(self) -> None:
        n, rows = len(self.objective), len(self.upper)
        if self.matrix.shape != (rows, n) or not len(self.lower_x) == len(self.upper_x) == n:
            raise InputError("arrays of different lengths", where="program", expected=f"{rows} x {n}")
        parts = (self.objective, self.matrix.data, self.upper, self.lower_x, self.upper_x)
        if not all(np.isfinite(part).all() for part in parts) or not math.isfinite(self.constant):
            raise InputError(
                "a number that is not finite", where="program", expected="finite float64 numbers"
            )
        if (self.lower_x > self.upper_x).any():
            raise InputError("an empty box", where="program", expected="lower_x <= upper_x")

    @property
    def variables(self) -> int:
        """How many variables there are."""
        return len(self.objective)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.upper)

    @property
    def scale(self) -> float:
        """The size of the objective: the most that its terms can add up to, and the constant."""
        reach = np.maximum(np.abs(self.lower_x), np.abs(self.upper_x))
        return float((np.abs(self.objective) * reach).sum()) + abs(self.constant)

    def value(self, x: Float) -> float:
        """The objective at ``x``."""
        return self.constant + math.fsum(self.objective * x)

    def excess(self, x: Float) -> float:
        """By how much ``x`` breaks the row or the end of the box that it breaks most, 0 if none."""
        parts = (self.matrix @ x - self.upper, self.lower_x - x, x - self.upper_x)
        return max(0.0, *(float(part.max(initial=0.0)) for part in parts))


def dual_bound(program: LinearProgram, multipliers: Float) -> float:
    """The bound that ``multipliers`` (rows,) prove, rounded upwards; whatever is negative or no number counts as 0.

    Every sum carries an allowance for its roundings (each term's product, and one rounding for each addition), so
    the result is an upper bound on the program whose data are these floats, however the multipliers were found.
    """
    usable = np.where(np.isfinite(multipliers) & (multipliers > 0.0), multipliers, 0.0)
    columns = program.matrix.T.tocsr()
    reduced = program.objective - columns @ usable
    terms = np.diff(columns.indptr) + 3.0
    size = np.abs(program.objective) + abs(columns) @ usable
    error = terms * UNIT * size
    ends = np.maximum(reduced * program.lower_x, reduced * program.upper_x)
    reach = np.maximum(np.abs(program.lower_x), np.abs(program.upper_x))
    rows = program.upper * usable
    slack = math.fsum(error * reach * (1.0 + 4.0 * UNIT)) + UNIT * (
        math.fsum(np.abs(ends)) + math.fsum(np.abs(rows)) + abs(program.constant)
    )
    total = math.fsum([program.constant, *rows, *ends])
    return math.nextafter(total + slack * (1.0 + 1e-9), math.inf)
