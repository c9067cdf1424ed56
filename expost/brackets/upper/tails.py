"""Tails: do gains have a mean and a variance where a support is unbounded?

Towards an unbounded end a gain that grows like p**(-g), p the mass beyond, grows by the factor 2**g when p is halved:
its mean is finite only if the factor is below 2, its variance only if it is below the root of 2.
"""

from __future__ import annotations

import numpy as np

from expost._typing import Float
from expost.spaces.quantile_space import QuantileSpace, lattice

MASS = 2.0**-30
"""How far a tail is followed: the mass beyond."""
STATES = 64
"""States of the other signals at which it is followed."""
NO_MEAN, NO_VARIANCE = 2.0 * 0.999, 2.0**0.5 * 0.999
"""Factors from which there is no finite mean, no finite variance; a little less, for they are approached from below."""


def tail_growth(space: QuantileSpace) -> dict[str, float]:
    """For every signal with an unbounded support, the largest factor by which the size of a gain, or of the seller's
    value, grows when the mass beyond the signal is halved from ``MASS``; infinite where it is not finite there."""
    growth: dict[str, float] = {}
    for i, buyer in enumerate(space.instance.buyers):
        for place, name in enumerate(buyer.signals):
            low, high = (end[place] for end in space.box[i])
            if low > 0.0:
                growth[name] = _factor(space, i, place, MASS, MASS / 2.0)
            if high < 1.0:
                upwards = _factor(space, i, place, 1.0 - MASS, 1.0 - MASS / 2.0)
                growth[name] = max(growth.get(name, 0.0), upwards)
    return growth


def _sizes(space: QuantileSpace, i: int, place: int, level: float) -> Float:
    """The absolute gains and the seller's value, (n + 1, STATES), with one signal of buyer ``i`` at a level."""
    count = sum(space.dims)
    joint = lattice(STATES, count, np.full(count, 0.5))
    joint[:, sum(space.dims[:i]) + place] = level
    signals = space.signals(space.split(joint))
    amounts = [space.instance.gain(k, signals) for k in range(space.n)]
    return np.abs(np.stack(np.broadcast_arrays(*amounts, space.instance.seller_value(signals))))


def _factor(space: QuantileSpace, i: int, place: int, level: float, further: float) -> float:
    """The largest growth from one level to another."""
    near, far = (_sizes(space, i, place, where) for where in (level, further))
    if not np.isfinite(far).all():
        return np.inf
    return float(np.divide(far, near, out=np.ones_like(far), where=near > 0.0).max())
