"""Exchangeable buyers: the dual function does not change when they change places, and it is convex, so the mean of
shadow prices over the orders of the buyers is never worse than they are: half the unknowns, and less noise."""

from __future__ import annotations

import math

import numpy as np

from expost._typing import Float
from expost.spaces.quantile_space import QuantileSpace, lattice
from expost.tolerances import TIE, allowance

STATES = 512
"""States in which buyers are compared."""


def exchangeable(space: QuantileSpace) -> bool:
    """Whether all buyers are alike on a sample of states: same number of signals, timing, values, gains and seller's
    value when two neighbours change places."""
    if len(set(space.dims)) > 1 or len(set(space.first)) > 1 or space.n == 1:
        return False
    joint = lattice(STATES, sum(space.dims), np.full(sum(space.dims), 0.5))
    levels = space.split(joint)
    here = _amounts(space, levels)
    for i in range(space.n - 1):
        order = list(range(space.n))
        order[i], order[i + 1] = i + 1, i
        there = _amounts(space, [levels[k] for k in order])[:, order]
        if np.abs(here - there).max() > 100.0 * allowance(TIE, here):
            return False
    return True


def _amounts(space: QuantileSpace, levels: list[Float]) -> Float:
    """Values and gains, (2, n, states)."""
    pairs = [[space.value(i, levels), space.gain(i, levels)] for i in range(space.n)]
    return np.swapaxes(np.array(pairs), 0, 1)


def symmetrized(mesh: Float) -> Float:
    """The mean of ``mesh``, one axis per buyer, over all orders of the buyers. An order of k + 1 axes is one of the
    first k after the last changed places with one of them, or with none: n (n - 1) / 2 sums, and not n! - 1."""
    total = np.array(mesh)
    for last in range(1, mesh.ndim):
        total = sum((total.swapaxes(last, k) for k in range(last)), total)
    return np.ascontiguousarray(total / math.factorial(mesh.ndim))
