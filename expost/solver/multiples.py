"""The checker's own reading of a grain: where every rule is worth a whole multiple of it, bounds can be rounded down.

Weights are floating-point numbers, so they are multiples up to a rest only. Exactly, in integers: a weight is a
multiple of the grain plus a rest. Every rule is then worth a multiple of the grain plus some of the rests, hence no
more than the largest multiple that the bound and the negative rests leave room for, plus all positive ones. That is a
bound whatever the grain is; it is a better one only where the rests are small.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from expost._typing import Float, Int64
from expost.solver.program import Program
from expost.solver.result import Grain

SAFE = 1 << 62
"""Half of what int64 holds."""

LARGEST_EXPONENT = 1200
"""Scales beyond 2**1200 either way leave nothing of int64 or of the weights."""


def multiple_below(program: Program, grain: Grain, upper: float, reasons: list[str]) -> float:
    """What an upper bound on the optimum (with the constant) comes down to, never more than ``upper``.

    Where the grain is none, ``upper`` itself, and a reason.
    """
    if not isinstance(grain, Grain):
        reasons.append(f"a grain of type {type(grain).__name__}: expected Grain")
        return upper
    numerator, exponent = grain.numerator, grain.exponent
    if not 0 < numerator < SAFE or abs(exponent) > LARGEST_EXPONENT:
        reasons.append(f"a grain of {numerator} * 2**{-exponent}: expected a positive one within range")
        return upper
    if not math.isfinite(upper):
        return upper
    with np.errstate(over="ignore", under="ignore"):
        scaled = np.ldexp(program.weights, exponent)
    nearest = np.rint(scaled)
    if not (np.abs(nearest) < float(SAFE)).all():
        reasons.append(f"weights scaled by 2**{exponent} do not fit into int64")
        return upper
    whole = nearest.astype(np.int64)
    rest = whole - (whole + numerator // 2) // numerator * numerator
    lost = scaled - nearest
    some = program.fixings != 0
    hidden = 1 if exponent < 0 else 0  # digits of denormal weights
    above, below = (hidden + _total(sign * rest[some], sign * lost[some]) for sign in (1, -1))
    room = (Fraction(upper) - Fraction(program.constant)) * Fraction(2) ** exponent
    count = math.floor((room + below) / numerator)
    exact = Fraction(program.constant) + Fraction(count * numerator + above) / Fraction(2) ** exponent
    if exact >= Fraction(upper):
        return upper
    value = float(exact)
    return value if Fraction(value) >= exact else math.nextafter(value, math.inf)


def _total(rest: Int64, lost: Float) -> int:
    """At least the sum of the positive ones, in units of the scale."""
    positive = np.maximum(rest, 0)
    high, low = int((positive >> 32).sum()), int((positive & 0xFFFFFFFF).sum())
    return (high << 32) + low + math.ceil(float(np.maximum(lost, 0.0).sum()) * (1.0 + 1e-6))
