"""Tails: do gains have a mean and a variance where a support is unbounded?

Towards an unbounded end a gain that grows like p**(-g), p the mass beyond, grows by the factor 2**g whenever p is
halved: its mean is finite only if the factor is below 2, its variance only if it is below the root of 2. Of a gain that
changes its sign there is a level at which it is almost nothing, and only from there does it grow by a large factor.
"""

from __future__ import annotations

import numpy as np

from expost._typing import Float
from expost.spaces.quantile_space import QuantileSpace, lattice

HALVINGS = (30, 38)
"""How often the mass beyond is halved, at first and at last, where a tail is followed."""
STILL = 0.03
"""Of a power of the mass, how much may be missing at the last mass: 0.02 of exp(x**2 / 2) of a normal x."""
STATES = 64
"""States of the other signals at which it is followed."""
NO_MEAN, NO_VARIANCE = 2.0 * 0.999, 2.0**0.5 * 0.999
"""Factors from which there is no finite mean, no finite variance; a little less, for they are approached from below."""


def tail_growth(space: QuantileSpace) -> dict[str, float]:
    """For every signal with an unbounded support, the factor by which the size of a gain, or of the seller's value, is
    about to grow far out whenever the mass beyond the signal is halved; infinite where it is not finite there."""
    growth: dict[str, float] = {}
    masses = 2.0 ** -np.arange(HALVINGS[0], HALVINGS[1] + 1.0)
    for i, buyer in enumerate(space.instance.buyers):
        for place, name in enumerate(buyer.signals):
            low, high = (end[place] for end in space.box[i])
            if low > 0.0:
                growth[name] = _factor(space, i, place, masses)
            if high < 1.0:
                growth[name] = max(growth.get(name, 0.0), _factor(space, i, place, 1.0 - masses))
    return growth


def _sizes(space: QuantileSpace, i: int, place: int, level: float) -> Float:
    """The absolute gains and the seller's value, (n + 1, STATES), with one signal of buyer ``i`` at a level."""
    count = sum(space.dims)
    joint = lattice(STATES, count, np.full(count, 0.5))
    joint[:, sum(space.dims[:i]) + place] = level
    signals = space.signals(space.split(joint))
    amounts = [space.instance.gain(k, signals) for k in range(space.n)]
    return np.abs(np.stack(np.broadcast_arrays(*amounts, space.instance.seller_value(signals))))


def _factor(space: QuantileSpace, i: int, place: int, levels: Float) -> float:
    """The largest growth of a mean size from level to level: of a gain the least of all levels, or where it rises
    steadily, as that of exp(x**2 / 2) of a normal x does, what it rises to."""
    sizes = np.stack([_sizes(space, i, place, level) for level in levels])
    if not np.isfinite(sizes).all():
        return np.inf
    largest = sizes.max(axis=(0, 2))
    means = np.divide(sizes, largest[:, None], out=np.zeros_like(sizes), where=largest[:, None] > 0.0).mean(
        axis=2
    )
    some = np.where(means > 0.0, means, 1.0)
    powers = np.where((means > 0.0).all(axis=0), np.diff(np.log2(some), axis=0), 0.0)
    rise = powers[-1] - powers[0]
    # straight in one over the number of halvings, but a constant that a gain outgrows is soon nothing beside it
    ahead = powers[-1] + np.minimum(rise * (HALVINGS[0] + 0.5) / (len(powers) - 1), STILL)
    steady = (np.diff(powers, axis=0) > 0.0).all(axis=0) & (powers[0] > 0.0)
    return float(2.0 ** np.where(steady, ahead, powers.min(axis=0)).max())
