"""Branch and bound for completions: guaranteed over-estimates of suprema over a continuum of types.

A cell of the later buyer's levels counts as long as some earlier buyer's value at its most favourable corner exceeds
the minimum of his given strike over the cell, and then counts with the later buyer's value at that value's most
favourable corner; cells that cannot matter are dropped, the rest halved, down to ``2**-depth`` of a mesh cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from expost._typing import Float, Int64
from expost.spaces.mesh import box_minimum
from expost.spaces.quantile_space import Levels
from expost.tolerances import TIE

if TYPE_CHECKING:
    from expost.mechanisms.continuum.completion import CompletedMechanism


SLACK = TIE
"""For the rounding of computed values, in comparisons and on suprema (relative to the largest value at hand)."""
OPEN_CELLS = 1024
"""Cells per state beyond which they are no longer halved: the over-estimate stays, only coarser."""


class Suprema:
    """Branch and bound for the strikes of one later buyer ``k`` in a batch of states, all of shape (P, d)."""

    def __init__(self, mechanism: CompletedMechanism, k: int, levels: Levels) -> None:
        self.m, self.k, self.levels = mechanism, k, levels
        self.count = len(levels[k])
        self.low, self.high = mechanism.space.box[k]
        self.dims, self.bins = mechanism.space.dims[k], mechanism.bins_of(k)
        self.given = {j: mechanism.slices(j, k, levels) for j in mechanism.earlier(k)}
        self.rounding = SLACK * max(
            float(np.abs(self._everywhere(j, corner)).max())
            for j in (*self.given, k)
            for corner in (self.low, self.high)
        )
        self.certain = np.full((self.count, self.bins), -np.inf)
        self.possible = np.full((self.count, self.bins), -np.inf)

    def run(self) -> Float:
        """(P, bins): at least the supremum of every bin."""
        cells, dims = self.m.nodes - 1, self.dims
        line = np.stack(np.meshgrid(*([np.arange(cells)] * dims), indexing="ij"), axis=-1).reshape(-1, dims)
        halves = np.stack(np.meshgrid(*([np.arange(2)] * dims), indexing="ij"), axis=-1).reshape(-1, dims)
        point = np.repeat(np.arange(self.count), len(line))
        place = np.tile(line, (self.count, 1))
        for depth in range(self.m.depth + 1):
            point, place, value = self._sift(point, place, cells << depth)
            if depth == self.m.depth or not len(point) or len(point) > OPEN_CELLS * self.count:
                break
            place = (2 * place[:, None, :] + halves[None]).reshape(-1, dims)
            point = np.repeat(point, len(halves))
        if len(point):
            np.maximum.at(self.possible, (point, self._bin(place, cells << depth)), value)
        found = np.isfinite(self.certain)
        bound = np.maximum(_settled(self.possible), np.where(found, self.certain + self.m.precision, -np.inf))
        bound = np.maximum(bound, self._lowest()[:, None])
        return bound + self.rounding

    def _lowest(self) -> Float:
        """Less than the buyer's lowest value in each state: the strike where he may always win."""
        corner = np.where(self.m.directions[self.k, self.k] > 0, self.low, self.high)
        return self._everywhere(self.k, corner) - 2.0 * self.rounding

    def _everywhere(self, buyer: int, own: Float) -> Float:
        """A buyer's value in every state when ``k`` is of type ``own`` (d_k,)."""
        return self._value(buyer, np.arange(self.count), np.broadcast_to(own, (self.count, self.dims)))

    def _bin(self, place: Int64, cells: int) -> Int64:
        """The highest bin that a cell reaches into (exact: cells and bins are powers of two)."""
        first = self.m.space.first[self.k]
        if first is None:
            return np.zeros(len(place), dtype=np.int64)
        return np.clip(-((-(place[:, first] + 1) * self.bins) // cells) - 1, 0, self.bins - 1)

    def _value(self, buyer: int, point: Int64, own: Float) -> Float:
        return self.m.space.value(
            buyer, [own if j == self.k else rest[point] for j, rest in enumerate(self.levels)]
        )

    def _minimum(self, j: int, point: Int64, place: Int64, cells: int, low: float, high: float) -> Float:
        """The minimum of theta_j over the part from ``low`` to ``high`` (in cells) of each cell."""
        per = cells // (self.m.nodes - 1)
        mesh = place // per
        inside = place - mesh * per
        out = np.empty(len(place))
        given = self.given[j]
        box_minimum(given, point, mesh, (inside + low) / per, (inside + high) / per, self.m.nodes, out)
        return out

    def _corner(self, place: Int64, cells: int, j: int) -> Float:
        """Each cell's most favourable corner for V_j."""
        up = self.m.directions[j, self.k] > 0
        return np.clip((place + up) / cells, self.low, self.high)

    def _sift(self, point: Int64, place: Int64, cells: int) -> tuple[Int64, Int64, Float]:
        """Drop the cells where nobody earlier can win or that cannot raise the supremum by more than the precision."""
        open_ = np.zeros(len(point), dtype=np.bool_)
        for j in self.given:
            best = self._value(j, point, self._corner(place, cells, j))
            open_ |= best > self._minimum(j, point, place, cells, 0.0, 1.0) - self.rounding
        point, place = point[open_], place[open_]
        self._certify(point, place, cells)
        value = self._value(self.k, point, self._corner(place, cells, self.k))
        worth = value > self.certain[point, self._bin(place, cells)] + self.m.precision
        return point[worth], place[worth], value[worth]

    def _certify(self, point: Int64, place: Int64, cells: int) -> None:
        """Where somebody earlier wins at a cell's middle, the supremum is at least the buyer's value there."""
        middle = np.clip((place + 0.5) / cells, self.low, self.high)
        wins = np.zeros(len(point), dtype=np.bool_)
        for j in self.given:
            wins |= self._value(j, point, middle) > self._minimum(j, point, place, cells, 0.5, 0.5)
        point, middle = point[wins], middle[wins]
        np.maximum.at(
            self.certain, (point, self.m.bin_at(self.k, middle)), self._value(self.k, point, middle)
        )
        self.certain = _settled(self.certain)


def _settled(array: Float) -> Float:
    """Running maximum from the highest bin down: a strike must cover every type from its bin up."""
    return np.maximum.accumulate(array[:, ::-1], axis=1)[:, ::-1]
