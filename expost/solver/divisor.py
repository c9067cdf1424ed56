"""The largest number of which all weights are multiples, as far as floating point can tell: a grain of the values.

On grids with rational points the weights are rational with few digits. Found by Euclid's algorithm; how good it is, the
checker finds out (``multiples``).
"""

from __future__ import annotations

import math

import numpy as np

from expost._typing import Float
from expost.solver.program import Program
from expost.solver.result import Grain
from expost.tolerances import WELFARE

FINE = 0.25
"""Grains below this part of what welfares agree to are of no use."""

RESTS = 0.01
"""Parts of the grain that all weights together may miss their multiples by."""

BITS = 61
"""Bits of the largest weight in the integers of the grain."""


def find_grain(program: Program) -> Grain | None:
    """A grain of the program's weights that is coarse enough to be of use, or None."""
    weights = np.unique(np.abs(program.weights[(program.fixings != 0) & (program.weights != 0.0)]))
    if not len(weights):
        return None
    least = FINE * WELFARE * program.scale
    divisor = 0.0
    for weight in weights.tolist():
        divisor = _common(divisor, weight, least)
        if divisor <= least:
            return None
    divisor = _fitted(weights, divisor)
    exponent = BITS - math.frexp(float(weights[-1]))[1]
    if not 0.0 < divisor < math.inf or abs(exponent) > 1100:
        return None
    multiples = program.weights / divisor
    if not np.abs(multiples - np.rint(multiples)).sum() < RESTS:
        return None
    return Grain(round(math.ldexp(divisor, exponent)), exponent)


def _common(a: float, b: float, least: float) -> float:
    """Euclid's algorithm with symmetric remainders; what is below ``least`` counts as zero."""
    while b > least:
        a, b = b, abs(math.remainder(a, b))
    return a


def _fitted(weights: Float, divisor: float) -> float:
    """The divisor that the weights are nearest to multiples of."""
    largest = float(weights[-1])
    times = np.rint(weights / divisor)
    return largest * float((weights / largest * times).sum() / (times * times).sum())
