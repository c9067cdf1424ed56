"""Integer scaling of weights: a power of two, as fine as int64 sums allow.

Solvers use this; the checker of certificates rounds for itself.
"""

from __future__ import annotations

import math

import numpy as np

from expost._typing import Float, Int64

HEADROOM = 62
"""The absolute integer weights sum to less than 2**HEADROOM."""


def scale_exponent(weights: Float, headroom: int = HEADROOM, finest: int = 900) -> int:
    """The largest ``k <= finest`` with ``sum(|rint(weights * 2**k)|) < 2**headroom``.

    Negative where the weights themselves are too large: a coarser scale, to be reported, instead of
    an overflow. Rounding adds at most one half for each weight, which is allowed for.
    """
    total = float(np.abs(weights).sum())
    room = 2.0**headroom * (1.0 - 1e-9) - len(weights)
    if total <= 0.0:
        return 0
    if not math.isfinite(total):
        return headroom - 1024 - math.ceil(math.log2(len(weights) + 1)) - 1
    exponent = math.floor(math.log2(room) - math.log2(total))
    while math.ldexp(total / room, exponent) >= 1.0:
        exponent -= 1
    return min(exponent, finest)


def scaled(weights: Float, exponent: int) -> Int64:
    """``rint(weights * 2**exponent)`` as int64; ``exponent`` comes from ``scale_exponent``."""
    return np.rint(np.ldexp(weights, exponent)).astype(np.int64)


def multipliers(duals: Float, exponent: int) -> Int64:
    """Floating-point duals as non-negative integers at this scale; garbage (NaN, too large) becomes 0.

    Any non-negative integers prove a bound, so nothing has to be right about them but their sign.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        scaled_duals = np.rint(np.ldexp(duals, exponent))
    usable = np.isfinite(scaled_duals) & (scaled_duals > 0) & (scaled_duals < 2.0**HEADROOM)
    return np.where(usable, scaled_duals, 0.0).astype(np.int64)
