"""In which direction a valuation moves with each level, found on a grid of quantile space."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from expost._typing import Float, Int8
from expost.spaces.quantile_space import Levels, QuantileSpace, lattice
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


def advantage(space: QuantileSpace, j: int, i: int) -> Int8:
    """The sign (1 or -1; 1 where flat) of w_j - w_i in each level of buyer ``i``: (d_i,).

    Raises NotMonotone, naming the signal, where it rises at one place and falls at another."""
    signs = []
    for place in range(space.dims[i]):
        ahead = _along(space, j, i, place, gain=True) - _along(space, i, i, place, gain=True)
        one, other = space.instance.buyers[j].name, space.instance.buyers[i].name
        signs.append(course(ahead, f"by how much w of buyer {one} exceeds that of {other}", space, i, place))
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
    what = f"{'w' if gain else 'V'} of buyer {space.instance.buyers[i].name}"
    return course(_along(space, i, j, place, gain=gain), what, space, j, place)


def course(values: Float, what: str, space: QuantileSpace, j: int, place: int) -> int:
    """In which direction ``values`` (LINES, STEPS) move along a level of buyer ``j``."""
    steps = np.diff(values, axis=1)
    slack = allowance(ASSUMPTION, values)
    rises, falls = bool((steps > slack).any()), bool((steps < -slack).any())
    if rises and falls:
        raise NotMonotone(f"{what} both rises and falls in {space.instance.buyers[j].signals[place]}")
    return -1 if falls else 1


def _along(space: QuantileSpace, i: int, j: int, place: int, *, gain: bool) -> Float:
    """V_i, or w_i, on random lines along one level of buyer ``j``: (LINES, STEPS)."""
    return along(space, partial(space.gain if gain else space.value, i), j, place)


def along(space: QuantileSpace, function: Callable[[Levels], Float], j: int, place: int) -> Float:
    """A function of everybody's levels on random lines along one level of buyer ``j``: (LINES, STEPS)."""
    levels = []
    joint = lattice(LINES, sum(space.dims), np.full(sum(space.dims), 0.5))
    for k, own in enumerate(space.split(joint)):
        low, high = space.box[k]
        points = np.repeat((low + (high - low) * own)[:, None, :], STEPS, axis=1)
        if k == j:
            points[:, :, place] = np.linspace(low[place], high[place], STEPS)
        levels.append(points)
    return np.broadcast_to(function(levels), (LINES, STEPS))
