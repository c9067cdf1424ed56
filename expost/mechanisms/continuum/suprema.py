"""Branch and bound for completions: guaranteed over-estimates of suprema over a continuum of types.

A cell of the later buyer's levels counts as long as some earlier buyer's value (of k units, k of them) at its most
favourable corner exceeds the minimum of his given strike over the cell, and then counts with the later buyer's value at
that value's most favourable corner; cells that cannot matter are dropped, the rest halved, down to ``2**-depth`` of a
mesh cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from expost._typing import Float, Int8, Int64
from expost.instances.valuations import Valuation
from expost.spaces.mesh import box_minimum
from expost.spaces.quantile_space import Levels, QuantileSpace
from expost.tolerances import TIE

SLACK = TIE
"""For the rounding of computed values, in comparisons and on suprema (relative to the largest value at hand)."""
OPEN_CELLS = 1024
"""Cells of a state beyond which they are no longer halved: the over-estimate stays, only coarser."""
CELLS = 1 << 21
"""Cells handled at once, at most."""


@dataclass(frozen=True, eq=False)
class Conflicts:
    """What the strikes of one later buyer ``k`` have to respect.

    given: for every earlier buyer j his strikes on the mesh of k's levels, one row a state: (P, nodes**d_k).
    directions: the sign in each of k's levels of V_j of every earlier j, and of V_k. bins: of k's first level, 1 if he
    is static. depth, precision: when cells are no longer halved, and by how much a supremum may be over-estimated
    before (unit: values).
    """

    space: QuantileSpace
    k: int
    given: Mapping[int, Float] = field(repr=False)
    directions: Mapping[int, Int8]
    nodes: int
    bins: int
    depth: int
    precision: float


def untimed() -> None:
    """Nobody looks at the clock."""


def bins_at(own: Float, place: int | None, bins: int) -> Int64:
    """The bin of each type (.., d) in the strikes by first level, which is at ``place``; bins are closed above."""
    if place is None:
        return np.zeros(own.shape[:-1], dtype=np.int64)
    return np.clip(np.ceil(own[..., place] * bins).astype(np.int64) - 1, 0, bins - 1)


def batch(nodes: int, dims: int) -> int:
    """How many states are handled at once: no more cells than ``CELLS`` at the start, nor when each is halved."""
    return max(1, CELLS // max((nodes - 1) ** dims, OPEN_CELLS << dims))


class Suprema:
    """Branch and bound for the strikes of one later buyer in a batch of states, all of shape (P, d)."""

    most_open: ClassVar[int] = OPEN_CELLS

    def __init__(
        self, conflicts: Conflicts, levels: Levels, reach: Mapping[int, Levels] | None = None
    ) -> None:
        """reach: the others' levels at which the values of each buyer are taken where these are not ``levels``: the
        most favourable ones of a box of states, of which the suprema are bounded."""
        self.m, self.k, self.levels = conflicts, conflicts.k, levels
        self.count = len(levels[self.k])
        self.low, self.high = conflicts.space.box[self.k]
        self.dims, self.bins, self.given = conflicts.space.dims[self.k], conflicts.bins, conflicts.given
        self.rest = {
            j: self._signals(levels if reach is None else reach[j], conflicts.space.instance.valuation(j))
            for j in (*self.given, self.k)
        }
        self.rounding = SLACK * max(
            float(np.abs(self._everywhere(j, corner)).max())
            for j in (*self.given, self.k)
            for corner in (self.low, self.high)
        )
        self.certain = np.full((self.count, self.bins), -np.inf)
        self.possible = np.full((self.count, self.bins), -np.inf)

    def _signals(self, levels: Levels, valuation: Valuation) -> dict[str, Float]:
        """What a valuation needs of everybody but ``k``."""
        return {
            name: column
            for j, own in enumerate(levels)
            if j != self.k
            for name, column in self.m.space.own(j, own).items()
            if name in valuation.signals
        }

    def run(self, tick: Callable[[], None] = untimed) -> Float:
        """(P, bins): at least the supremum of every bin."""
        cells, dims = self.m.nodes - 1, self.dims
        line = np.stack(np.meshgrid(*([np.arange(cells)] * dims), indexing="ij"), axis=-1).reshape(-1, dims)
        halves = np.stack(np.meshgrid(*([np.arange(2)] * dims), indexing="ij"), axis=-1).reshape(-1, dims)
        point = np.repeat(np.arange(self.count), len(line))
        place = np.tile(line, (self.count, 1))
        for depth in range(self.m.depth + 1):
            tick()
            point, place, value = self._sift(point, place, cells << depth)
            ends = np.bincount(point, minlength=self.count)[point] > self.most_open
            if depth == self.m.depth:
                ends[:] = True
            np.maximum.at(self.possible, (point[ends], self._bin(place[ends], cells << depth)), value[ends])
            point, place = point[~ends], place[~ends]
            if not len(point):
                break
            place = (2 * place[:, None, :] + halves[None]).reshape(-1, dims)
            point = np.repeat(point, len(halves))
        found = np.isfinite(self.certain)
        bound = np.maximum(_settled(self.possible), np.where(found, self.certain + self.m.precision, -np.inf))
        bound = np.maximum(bound, self._lowest()[:, None])
        return bound + self.rounding

    def _lowest(self) -> Float:
        """Less than the buyer's lowest value in each state: the strike where he may always win."""
        corner = np.where(self.m.directions[self.k] > 0, self.low, self.high)
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
        rest = {name: column[point] for name, column in self.rest[buyer].items()}
        return self.m.space.instance.value(buyer, {**rest, **self.m.space.own(self.k, own)})

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
        up = self.m.directions[j] > 0
        return np.clip((place + up) / cells, self.low, self.high)

    def _sift(self, point: Int64, place: Int64, cells: int) -> tuple[Int64, Int64, Float]:
        """Drop the cells where nobody earlier can win or that cannot raise the supremum by more than the precision."""
        count = np.zeros(len(point), dtype=np.int16)
        for j in self.given:
            best = self._value(j, point, self._corner(place, cells, j))
            count += best > self._minimum(j, point, place, cells, 0.0, 1.0) - self.rounding
        open_ = count >= self.m.space.units
        point, place = point[open_], place[open_]
        self._certify(point, place, cells)
        value = self._value(self.k, point, self._corner(place, cells, self.k))
        worth = value > self.certain[point, self._bin(place, cells)] + self.m.precision
        return point[worth], place[worth], value[worth]

    def _certify(self, point: Int64, place: Int64, cells: int) -> None:
        """Where so many earlier buyers win at a cell's middle, the supremum is at least the buyer's value there."""
        middle = np.clip((place + 0.5) / cells, self.low, self.high)
        count = np.zeros(len(point), dtype=np.int16)
        for j in self.given:
            count += self._value(j, point, middle) > self._minimum(j, point, place, cells, 0.5, 0.5)
        wins = count >= self.m.space.units
        point, middle = point[wins], middle[wins]
        np.maximum.at(
            self.certain,
            (point, bins_at(middle, self.m.space.first[self.k], self.bins)),
            self._value(self.k, point, middle),
        )
        self.certain = _settled(self.certain)


def _settled(array: Float) -> Float:
    """Running maximum from the highest bin down: a strike must cover every type from its bin up."""
    return np.maximum.accumulate(array[:, ::-1], axis=1)[:, ::-1]
