"""In which direction a valuation moves with each level, found on a grid of quantile space."""

from __future__ import annotations

import numpy as np

from expost._typing import Int8
from expost.spaces.quantile_space import QuantileSpace, lattice
from expost.tolerances import ASSUMPTION, allowance

LINES, STEPS = 256, 33
"""Random lines along each level, and points on each, ends included."""


class NotMonotone(Exception):
    """A valuation rises and falls in a level; the message is one line."""


def directions(space: QuantileSpace, i: int, j: int, *, gain: bool = False) -> Int8:
    """The sign (1 or -1; 1 where flat) of V_i, or of w_i with ``gain``, in each level of buyer ``j``: (d_j,).

    Raises NotMonotone, naming the signal, where it rises at one place and falls at another.
    """
    signs = [_direction(space, i, j, place, gain) for place in range(space.dims[j])]
    return np.array(signs, dtype=np.int8)


def _direction(space: QuantileSpace, i: int, j: int, place: int, gain: bool) -> int:
    levels = []
    joint = lattice(LINES, sum(space.dims), np.full(sum(space.dims), 0.5))
    for k, own in enumerate(np.split(joint, np.cumsum(space.dims)[:-1], axis=1)):
        low, high = space.box[k]
        points = np.repeat((low + (high - low) * own)[:, None, :], STEPS, axis=1)
        if k == j:
            points[:, :, place] = np.linspace(low[place], high[place], STEPS)
        levels.append(points)
    values = space.gain(i, levels) if gain else space.value(i, levels)
    steps = np.diff(values, axis=1)
    slack = allowance(ASSUMPTION, values)
    rises, falls = bool((steps > slack).any()), bool((steps < -slack).any())
    if rises and falls:
        what = "w" if gain else "V"
        signal, buyer = space.instance.buyers[j].signals[place], space.instance.buyers[i].name
        raise NotMonotone(f"{what} of buyer {buyer} both rises and falls in {signal}")
    return -1 if falls else 1
