"""Branch and bound for completions: guaranteed over-estimates of suprema over a continuum of types."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from expost.mechanisms.continuum.mesh import box_minimum
from expost.tolerances import TIE

if TYPE_CHECKING:
    from expost.mechanisms.continuum.completion import CompletedMechanism

Float = NDArray[np.float64]
Index = NDArray[np.int64]

SLACK = TIE
"""For the rounding of computed values, in comparisons and on suprema (unit: values, relative)."""
OPEN_CELLS = 1024
"""Cells per leader's type beyond which they are no longer halved: the over-estimate stays, only coarser."""


class Suprema:
    """Branch and bound for the follower's strikes against a batch of the leader's types."""

    def __init__(self, mechanism: CompletedMechanism, own: Float) -> None:
        self.m, self.own = mechanism, own
        self.low, self.high = mechanism.space.box[mechanism.follower]
        self.dims = mechanism.space.dims[mechanism.follower]
        self.row, self.part = mechanism.leader_rows(own)
        self.certain = np.full((len(own), mechanism.bins), -np.inf)
        self.possible = np.full((len(own), mechanism.bins), -np.inf)

    def run(self) -> Float:
        """(P, bins): at least the supremum of every bin."""
        cells = self.m.nodes - 1
        line = np.stack(np.meshgrid(*([np.arange(cells)] * self.dims), indexing="ij"), axis=-1).reshape(
            -1, self.dims
        )
        point = np.repeat(np.arange(len(self.own)), len(line))
        place = np.tile(line, (len(self.own), 1))
        for depth in range(self.m.depth + 1):
            point, place, value = self._sift(point, place, cells << depth)
            if depth == self.m.depth or not len(point) or len(point) > OPEN_CELLS * len(self.own):
                break
            halves = np.stack(np.meshgrid(*([np.arange(2)] * self.dims), indexing="ij"), axis=-1).reshape(
                -1, self.dims
            )
            place = (2 * place[:, None, :] + halves[None]).reshape(-1, self.dims)
            point = np.repeat(point, len(halves))
        if len(point):
            np.maximum.at(self.possible, (point, self._bin(place, cells << depth)), value)
        found = np.isfinite(self.certain)
        bound = np.maximum(
            self._settled(self.possible), np.where(found, self.certain + self.m.precision, -np.inf)
        )
        bound = np.maximum(bound, self._lowest()[:, None])
        return bound + SLACK * np.maximum(1.0, np.abs(bound))

    def _lowest(self) -> Float:
        """Less than the follower's lowest value against each type: the strike where he may always win."""
        index = np.arange(len(self.own))
        corner = np.where(self.m.directions[1] > 0, self.low, self.high)
        value = self._value(self.m.follower, index, np.broadcast_to(corner, (len(index), self.dims)))
        return value - 2.0 * SLACK * np.maximum(1.0, np.abs(value))

    def _settled(self, array: Float) -> Float:
        """Running maximum from the highest bin down: a strike must cover every type from its bin up."""
        return np.maximum.accumulate(array[:, ::-1], axis=1)[:, ::-1]

    def _bin(self, place: Index, cells: int) -> Index:
        """The highest bin that a cell reaches into (exact: cells and bins are powers of two)."""
        first = self.m.space.first[self.m.follower]
        if first is None:
            return np.zeros(len(place), dtype=np.int64)
        return np.clip(-((-(place[:, first] + 1) * self.m.bins) // cells) - 1, 0, self.m.bins - 1)

    def _value(self, buyer: int, point: Index, levels: Float) -> Float:
        own = self.own[point]
        pair = [own, levels] if self.m.leader == 0 else [levels, own]
        return self.m.space.value(buyer, pair)

    def _minimum(
        self, point: Index, place: Index, cells: int, low: Float | float, high: Float | float
    ) -> Float:
        """The minimum of tau_l over the part from ``low`` to ``high`` (in cells) of each cell."""
        per = cells // (self.m.nodes - 1)
        mesh = place // per
        out = np.empty(len(place))
        inside = place - mesh * per
        box_minimum(
            self.m.theta,
            self.row[point],
            self.part[point],
            mesh,
            (inside + low) / per,
            (inside + high) / per,
            self.m.nodes,
            out,
        )
        return out

    def _corner(self, place: Index, cells: int, direction: NDArray[np.int8]) -> Float:
        return np.clip((place + (direction > 0)) / cells, self.low, self.high)

    def _sift(self, point: Index, place: Index, cells: int) -> tuple[Index, Index, Float]:
        """Drop the cells where the leader cannot win or that cannot raise the supremum by more than the precision."""
        of_leader, of_follower = self.m.directions
        best = self._value(self.m.leader, point, self._corner(place, cells, of_leader))
        rounding = SLACK * np.maximum(1.0, np.abs(best))
        open_ = best > self._minimum(point, place, cells, 0.0, 1.0) - rounding
        point, place = point[open_], place[open_]
        self._certify(point, place, cells)
        value = self._value(self.m.follower, point, self._corner(place, cells, of_follower))
        worth = value > self.certain[point, self._bin(place, cells)] + self.m.precision
        return point[worth], place[worth], value[worth]

    def _certify(self, point: Index, place: Index, cells: int) -> None:
        """Where the leader wins at a cell's middle, the supremum is at least the follower's value there."""
        middle = np.clip((place + 0.5) / cells, self.low, self.high)
        wins = self._value(self.m.leader, point, middle) > self._minimum(point, place, cells, 0.5, 0.5)
        point, middle = point[wins], middle[wins]
        place_of = self.m.space.first[self.m.follower]
        bins = np.zeros(len(point), dtype=np.int64) if place_of is None else self.m.follower_bins(middle)
        np.maximum.at(self.certain, (point, bins), self._value(self.m.follower, point, middle))
        self.certain = self._settled(self.certain)
