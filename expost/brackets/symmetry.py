"""Exchangeable buyers: the dual function does not change when they change places, and it is convex, so the mean of
shadow prices over the orders of the buyers is never worse than they are: half the unknowns, and less noise."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from expost._compiled import compiled
from expost._typing import Float, Int32
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


@compiled(nogil=True)
def add_at(numbers: Float, places: Int32, total: Float) -> None:
    """Add each of ``numbers`` to ``total`` at its place: ``bincount`` lets no other thread work meanwhile."""
    for k in range(len(numbers)):
        total[places[k]] += numbers[k]


@compiled(nogil=True)
def take_at(numbers: Float, places: Int32, found: Float) -> None:
    """Fill ``found`` with the ``numbers`` at these places."""
    for k in range(len(found)):
        found[k] = numbers[places[k]]


class Orbits:
    """The nodes of a mesh of this shape, one axis per buyer, in sets that a change of places makes one another's: what
    is symmetric has one number for each.

    From one buyer's side what is symmetric does not change when the others change places, either: ``others`` has for
    each of their joint nodes the set that it is in, and ``side`` (sets of the others, own nodes) the set that the node
    of both is in. With four buyers a side has a fifth of the mesh's numbers."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        # of nodes i <= j <= k .. the number in the list of all such is a sum of binomials: nothing need be sorted but
        # a node's few places, nor compared
        ranked = [np.array(axis) for axis in np.ix_(*(np.arange(count, dtype=np.int16) for count in shape))]
        for last in range(len(ranked) - 1, 0, -1):
            for k in range(last):
                low, high = np.minimum(*ranked[k : k + 2]), np.maximum(*ranked[k : k + 2])
                ranked[k], ranked[k + 1] = low, high
        found = np.zeros(shape, dtype=np.int32)
        for k, place in enumerate(ranked):
            before = [math.comb(node + k, k + 1) for node in range(shape[0])]
            found += np.array(before, dtype=np.int32)[place]
        self.of = found.reshape(-1)
        self.sizes = np.bincount(self.of)
        self.first = np.empty(len(self.sizes), dtype=np.intp)
        self.first[self.of] = np.arange(len(self.of))
        self.shape = shape
        if len(shape) > 2:
            fewer = orbits(shape[1:])
            self.others, count = fewer.of, len(fewer.sizes)
        else:
            count = shape[0]
            self.others = np.arange(count, dtype=np.int32)
        self.side = np.empty((count, shape[-1]), dtype=np.int32)
        self.side[self.others] = self.of.reshape(-1, shape[-1])

    def side_of(self, mesh: Float) -> Float:
        """A symmetric ``mesh`` from any buyer's side."""
        return mesh.reshape(-1)[self.first][self.side]

    def means_of_side(self, sums: Float) -> Float:
        """``means`` of a mesh of which only ``sums`` over each set of the others, (sets, own nodes), are known."""
        total = np.zeros(len(self.sizes))
        add_at(sums.reshape(-1), self.side.reshape(-1), total)
        return total / self.sizes

    def spread_on_side(self, numbers: Float) -> Float:
        """The mesh with these ``numbers``, one for each set, from any buyer's side."""
        found = np.empty(self.side.shape)
        take_at(numbers, self.side.reshape(-1), found.reshape(-1))
        return found

    def means(self, mesh: Float) -> Float:
        """Of ``mesh``, over each set."""
        return np.bincount(self.of, weights=mesh.reshape(-1), minlength=len(self.sizes)) / self.sizes

    def spread(self, numbers: Float) -> Float:
        """The mesh with these ``numbers``, one for each set."""
        return numbers[self.of].reshape(self.shape)


@lru_cache(maxsize=8)
def orbits(shape: tuple[int, ...]) -> Orbits:
    """``Orbits``, kept for the meshes at hand."""
    return Orbits(shape)


def symmetric(mesh: Float) -> bool:
    """Whether ``mesh``, one axis per buyer, is the same, to the last bit, in every order of the buyers."""
    return len(set(mesh.shape)) == 1 and all(
        np.array_equal(mesh, np.swapaxes(mesh, axis, axis + 1)) for axis in range(mesh.ndim - 1)
    )


def symmetrized(mesh: Float) -> Float:
    """The mean of ``mesh``, one axis per buyer, over all orders of the buyers."""
    kinds = orbits(mesh.shape)
    return kinds.spread(kinds.means(mesh))
