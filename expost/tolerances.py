"""Every tolerance of the project, with its unit. Nothing else in the package states one.

Arithmetic on programs and certificates is exact (integers); these are for comparisons of values. Ties, incentives and
welfares are compared relative to the largest absolute value at hand, so that the unit in which an instance is stated
changes nothing.
"""

from __future__ import annotations

import math

import numpy as np

from expost._typing import Float

TIE = 1e-12
"""Two neighbouring values of one fibre, in increasing order, are equal when they differ by at most TIE times the
largest absolute value of that buyer."""

INCENTIVE = 1e-9
"""A deviation must gain more than INCENTIVE times the largest absolute value of that buyer before it counts as
profitable."""

PROBABILITY = 1e-9
"""Probabilities of a state that add up to at most 1 + PROBABILITY add up to 1: linear programs are solved in floating
point (unit: none)."""

WELFARE = 1e-9
"""Two expected welfares agree when they differ by at most WELFARE times the sum of the program's absolute weights."""

ASSUMPTION = 1e-9
"""A monotonicity or single-crossing inequality of the papers is violated when it fails by more than ASSUMPTION
times the largest absolute value."""

PIVOTAL = 1e-6
"""A pair of signals is mutually pivotal when its equalities hold to PIVOTAL times the larger of 1 and the
largest price: the search minimizes a largest deviation, which no search resolves better (unit: values,
relative)."""

MRS = 1e-5
"""Two marginal rates of substitution agree when they differ by at most MRS: they come from difference
quotients (unit: none)."""

VANISHING = 5e-3
"""A gain extrapolated from two grids vanishes when it is at most VANISHING (unit: expected value)."""


def allowance(tolerance: float, *values: Float | float) -> float:
    """What ``tolerance`` allows among ``values``: itself times their largest absolute value (unit: values).

    At least the last digit of that, which matters among denormal numbers only.
    """
    largest = max((float(np.abs(value).max(initial=0.0)) for value in values), default=0.0)
    return max(tolerance * largest, math.ulp(largest)) if 0.0 < largest < math.inf else tolerance * largest
