"""In which direction a valuation moves with each level, found on a grid of quantile space."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from expost._typing import Float, Int8
from expost.spaces.quantile_space import QuantileSpace, lattice
from expost.tolerances import ASSUMPTION, TIE, allowance

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


def straight(space: QuantileSpace, i: int, buyers: Iterable[int], *, gain: bool = True) -> bool:
    """Whether w_i, or V_i without ``gain``, is affine along every level of these buyers, so that its mean over a box of
    their levels is its value at the middle; found on the same grid, and relied upon like the directions."""
    for j in buyers:
        for place in range(space.dims[j]):
            values = _along(space, i, j, place, gain=gain)
            if np.abs(np.diff(values, n=2, axis=1)).max() > allowance(TIE, values) * 10.0:
                return False
    return True


def convex(space: QuantileSpace, i: int, *, gain: bool = True) -> bool:
    """Whether w_i, or V_i without ``gain``, is convex along every level of everybody, affine ones included: then it is
    at most what its values at the corners of a box say, interpolated; found and relied upon like the directions."""
    for j in range(space.n):
        for place in range(space.dims[j]):
            values = _along(space, i, j, place, gain=gain)
            if np.diff(values, n=2, axis=1).min() < -allowance(TIE, values) * 10.0:
                return False
    return True


def _direction(space: QuantileSpace, i: int, j: int, place: int, gain: bool) -> int:
    values = _along(space, i, j, place, gain=gain)
    steps = np.diff(values, axis=1)
    slack = allowance(ASSUMPTION, values)
    rises, falls = bool((steps > slack).any()), bool((steps < -slack).any())
    if rises and falls:
        what = "w" if gain else "V"
        signal, buyer = space.instance.buyers[j].signals[place], space.instance.buyers[i].name
        raise NotMonotone(f"{what} of buyer {buyer} both rises and falls in {signal}")
    return -1 if falls else 1


def _along(space: QuantileSpace, i: int, j: int, place: int, *, gain: bool) -> Float:
    """V_i, or w_i, on random lines along one level of buyer ``j``: (LINES, STEPS)."""
    levels = []
    joint = lattice(LINES, sum(space.dims), np.full(sum(space.dims), 0.5))
    for k, own in enumerate(space.split(joint)):
        low, high = space.box[k]
        points = np.repeat((low + (high - low) * own)[:, None, :], STEPS, axis=1)
        if k == j:
            points[:, :, place] = np.linspace(low[place], high[place], STEPS)
        levels.append(points)
    return space.gain(i, levels) if gain else space.value(i, levels)
