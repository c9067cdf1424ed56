"""The dual function bounded on cells (upper, rigorous): any number of buyers, static or sequential.

The shadow prices are replaced by u, multilinear on a fine mesh of all levels, with the values of the given ones at its
nodes (what lies on a surface is put on the nodes there, as much as the surface bears): u >= 0, so weak duality holds
for it. E[u] is exact. What is left is, for every cell B of the others' levels,

    the mean over s_-i in B of  max over prices t of  sum over own cells A of  E[(w_i - u) 1{V_i > t}; A].

For a fixed t the sum is at most that over the cells won as a whole, each with its mean net gain, and over those won in
part, each with the mean of the net gain's positive part. Where w_i is convex along every level (affine, say), the net
gain is at most what it is at B's corners, interpolated; so are positive parts, and the maximum over t. So B counts with
the mean over its corners, and an own cell with the mean over its own: errors of second order. Elsewhere w_i counts with
the most that it can be on A x B. Which t may win a part of A is told by the least and the largest value on A x B;
values that are straight (affine along every level) are compared after their mean over own types has been taken off,
which a price can follow.

Sequential: of all types in the cells of first levels, take those at the same place in each. They face strikes that do
not rise from cell to cell, whatever the place; it is one more level along which the net gain is convex, so such cells
count with both of their ends."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial, reduce

import numpy as np

from expost._typing import Float, Int32, Int64
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.upper.basis import ShadowPrices, base_gain
from expost.brackets.upper.cell_kernel import cell_response
from expost.brackets.workers import Workers
from expost.mechanisms.continuum.monotone import NotMonotone, convex
from expost.mechanisms.continuum.ranges import Box, Course, Ranges
from expost.spaces.mesh import hats, mesh_points
from expost.spaces.quantile_space import QuantileSpace

AT_ONCE = 1 << 21
"""Corners times own nodes handled at once, at most."""
Pair = Callable[[Float, Float], Float]
"""What becomes of two neighbours."""


@dataclass(frozen=True)
class CellSizes:
    """mesh: cells per level of the shadow prices and of the others' types. own: own cells per level, a multiple of it.
    bins: of values."""

    mesh: int
    own: int
    bins: int


def guaranteed_dual(
    space: QuantileSpace,
    u: ShadowPrices,
    sizes: CellSizes,
    clock: Clock = ENDLESS,
    workers: Workers | None = None,
) -> float:
    """An upper bound on the second best less E[V_0]. Raises NotMonotone, OutOfTime."""
    total = 0.0
    for i in range(space.n):
        fibres = _Fibres(space, u, i, sizes)
        found = (workers or Workers(1)).map(partial(_block, fibres, clock), fibres.blocks())
        total += sum(found) / sizes.mesh**fibres.levels
    return total


def _block(fibres: _Fibres, clock: Clock, block: tuple[tuple[int, ...], range]) -> float:
    clock.check()
    return fibres.total(block)


class _Fibres:
    """Buyer ``i``'s side: his fibres at the corners of the others' cells, on his own mesh."""

    def __init__(self, space: QuantileSpace, u: ShadowPrices, i: int, sizes: CellSizes) -> None:
        self.space, self.u, self.i, self.sizes = space, u, i, sizes
        self.others = [j for j in range(space.n) if j != i]
        self.levels = sum(space.dims[j] for j in self.others)
        self.value, self.gain = Ranges(space, i), Ranges(space, i, gain=True)
        self.convex = convex(space, i)
        self.nodes = mesh_points(sizes.own + 1, space.dims[i])
        self.coarse = mesh_points(sizes.mesh + 1, space.dims[i])
        self.own_hats = hats(self.coarse, u.nodes) if u.nodes else None
        self.finer = hats(self.nodes, sizes.mesh + 1)
        line = np.full(sizes.mesh + 1, 1.0 / sizes.mesh)
        line[[0, -1]] /= 2.0
        self.shares = reduce(np.multiply.outer, [line] * space.dims[i]).ravel()

    def blocks(self) -> list[tuple[tuple[int, ...], range]]:
        """The cells of the others: those of their first few levels, one each, and a run of the next one's; so many
        that a block is not too large."""
        mesh, fixed = self.sizes.mesh, 0
        each = [2**k * (mesh + 1) ** (self.levels - k - 1) * len(self.nodes) for k in range(self.levels)]
        while fixed < self.levels - 1 and 2 * each[fixed] > AT_ONCE:
            fixed += 1
        run = min(max(AT_ONCE // each[fixed] - 1, 1), mesh)
        runs = [range(start, min(start + run, mesh)) for start in range(0, mesh, run)]
        return list(itertools.product(itertools.product(range(mesh), repeat=fixed), runs))

    def total(self, block: tuple[tuple[int, ...], range]) -> float:
        """The inner maxima, and of the first buyer E[u] besides, summed over the cells of a block."""
        mesh, (fixed, run) = self.sizes.mesh, block
        lines = [np.array([k, k + 1.0]) for k in fixed] + [np.arange(run.start, run.stop + 1.0)]
        lines += [np.arange(mesh + 1.0)] * (self.levels - len(lines))
        corners = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, self.levels) / mesh
        at = np.arange(len(corners)).reshape([len(line) for line in lines])
        corner = np.stack([at[cell].ravel() for cell in self._neighbours(at.ndim)], axis=1)
        shadow = self._shadow(corners)
        net, part, whole, most = self._net(corners, corner, np.asarray((self.finer @ shadow.T).T))
        low, high = self._bins(corners, corner)
        best = np.empty(len(corner))
        place = self.space.first[self.i]
        rows = 1 if place is None else self.sizes.own
        cell_response(net, part, whole, most, low, high, corner, rows, self.sizes.bins, best)
        paid = (shadow @ self.shares)[corner].mean(axis=1).sum() * self.space.units if self.i == 0 else 0.0
        return float(best.sum() + paid)

    @staticmethod
    def _neighbours(axes: int) -> list[tuple[slice, ...]]:
        """Each corner of all cells of an array of nodes, as slices of it."""
        return list(itertools.product((slice(None, -1), slice(1, None)), repeat=axes))

    def _pair(self, others: Float, own: Float) -> list[Float]:
        """Levels of everybody: states as (others, own)."""
        parts = np.split(others, np.cumsum([self.space.dims[j] for j in self.others])[:-1], axis=1)
        found = {j: part[:, None] for j, part in zip(self.others, parts, strict=True)}
        found[self.i] = own[None]
        return [found[j] for j in range(self.space.n)]

    def _shadow(self, corners: Float) -> Float:
        """u at the corners and the own nodes of the mesh: (C, nodes)."""
        if self.own_hats is None:
            return np.zeros((len(corners), len(self.coarse)))
        signals = self.space.signals(self._pair(corners, self.coarse))
        shape = (len(corners), len(self.coarse))
        gains = [np.broadcast_to(self.space.instance.gain(j, signals), shape) for j in range(self.space.n)]
        base = base_gain(np.stack(gains), self.u.floor, self.space.units, self.u.blend)
        shadow = self.u.evaluate(self.i, hats(corners, self.u.nodes), self.own_hats, base)
        return shadow if self.u.ridge is None else shadow + base * self._pile(corners)

    def _pile(self, corners: Float) -> Float:
        """What lies on the surface where two levels are equal, spread over the hats of the nodes there: (C, nodes)."""
        assert self.u.ridge is not None
        mesh, ridge, i = self.sizes.mesh, self.u.ridge, self.i
        pile = ridge.refined(mesh + 1).mesh.transpose((1, 2, 0) if i == 0 else (0, 2, 1))

        def split(levels: Float, place: int) -> tuple[Int64, Int64]:
            steps = np.rint(levels * mesh).astype(np.int64)
            rest = np.delete(steps, place, axis=1)
            powers = (mesh + 1) ** np.arange(rest.shape[1])[::-1]
            return steps[:, place], rest @ powers

        theirs, their_rest = split(corners, ridge.places[1 - i])
        ours, our_rest = split(self.coarse, ridge.places[i])
        found = np.zeros((len(theirs), len(ours)))
        here, own = np.nonzero(theirs[:, None] == ours[None])
        found[here, own] = mesh * pile[their_rest[here], theirs[here], our_rest[own]]
        return found

    def _net(self, corners: Float, corner: Int64, shadow: Float) -> tuple[Float, Float, Float, Float]:
        """``net``, ``part``, ``whole``, ``most`` of the kernel; shadow: at the corners and all own nodes."""
        if self.convex:
            net = self.gain.at(self._pair(corners, self.nodes)) - shadow
            nothing = np.zeros((1, self.sizes.own ** self.space.dims[self.i]))
            return self._ends(net, _mean), self._ends(np.maximum(net, 0.0), _mean), nothing, nothing
        most = self.gain.on(self._boxes(corners, corner)).high
        return self._ends(-shadow, _mean), self._ends(-shadow, np.maximum), most, most

    def _boxes(self, corners: Float, corner: Int64) -> list[Box]:
        """The cells of a block, and the own ones: of everybody, as (others' cells, own cells)."""
        low = self._pair(corners[corner[:, 0]], self._own(self.nodes, first=True))
        high = self._pair(corners[corner[:, -1]], self._own(self.nodes, first=False))
        return list(zip(low, high, strict=True))

    def _own(self, nodes: Float, *, first: bool) -> Float:
        """The lowest or the highest corner of each own cell, cells ordered by row: (A, d)."""
        shape = (self.sizes.own + 1,) * self.space.dims[self.i]
        at = self._neighbours(len(shape))[0 if first else -1]
        return np.stack([self._by_row(column.reshape(shape)[at][None])[0] for column in nodes.T], axis=1)

    def _by_row(self, cells: Float) -> Float:
        """(C, cells of each level) as (C, A), the first level's cells first."""
        place = self.space.first[self.i]
        return np.ascontiguousarray(cells if place is None else np.moveaxis(cells, 1 + place, 1)).reshape(
            len(cells), -1
        )

    def _ends(self, array: Float, over: Pair) -> Float:
        """``over`` the corners of every own cell; where there are rows, of each of both ends of a row: (E, C, A)."""
        d, place = self.space.dims[self.i], self.space.first[self.i]
        nodes = array.reshape(len(array), *(self.sizes.own + 1,) * d)
        ends = (
            [nodes]
            if place is None
            else [np.take(nodes, np.arange(self.sizes.own) + end, axis=1 + place) for end in (0, 1)]
        )
        axes = [axis for axis in range(d) if axis != place]
        return np.stack([self._by_row(_pairwise(end, axes, over)) for end in ends])

    def _bins(self, corners: Float, corner: Int64) -> tuple[Int32, Int32]:
        """The bins of the least and the largest value on every own cell by every cell of a block: (F, A)."""
        if self.value.course is Course.STRAIGHT:
            values = self.value.at(self._pair(corners, self.nodes))
            values -= values.mean(axis=1, keepdims=True)
            values = values.reshape(len(values), *(self.sizes.own + 1,) * self.space.dims[self.i])
            every = range(values.ndim - 1)
            low, high = (
                reduce(over, self._by_row(_pairwise(values, every, over))[corner.T])
                for over in (np.minimum, np.maximum)
            )
        else:
            low, high = self.value.on(self._boxes(corners, corner))
        least, largest = float(low.min()), float(high.max())
        if not math.isfinite(largest - least):
            raise NotMonotone(f"V of buyer {self.space.instance.buyers[self.i].name} has no bounds on a cell")
        scale = self.sizes.bins / max(largest - least, 1e-300)
        low, high = (((ends - least) * scale).astype(np.int32) for ends in (low, high))
        return np.minimum(low, self.sizes.bins - 1), np.minimum(high, self.sizes.bins - 1)


def _mean(one: Float, other: Float) -> Float:
    return 0.5 * (one + other)


def _pairwise(nodes: Float, axes: Iterable[int], over: Pair) -> Float:
    """``over`` neighbours along each of ``axes`` (that of the states not counted) in turn."""
    for axis in axes:
        ends = ((slice(None),) * (1 + axis) + (end,) for end in (slice(None, -1), slice(1, None)))
        nodes = over(*(nodes[end] for end in ends))
    return nodes
