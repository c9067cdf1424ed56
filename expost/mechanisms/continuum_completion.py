"""Completion: strikes for one of two buyers, and the lowest admissible strikes of the other in the whole continuum.

The leader's strike is a multilinear function of the follower's levels (and, sequential, of the leader's first level, in which it
does not rise). Where the leader may win, the follower must lose:

    tau_f(a; s_l) = sup { V_f(s_l, s_f) : first level of s_f >= a, V_l(s_l, s_f) > tau_l(s_l, s_f) }.

The supremum is over a continuum and is computed to a guaranteed over-estimate: a cell of the follower's levels counts as long as
V_l at its most favourable corner exceeds the minimum of tau_l over the cell, and then counts with V_f at V_f's most favourable
corner; cells that cannot matter are dropped, the rest halved, down to ``2**-depth`` of a mesh cell. So no state has two
winners, whatever the signals, provided both valuations are monotone in every level of the follower (the direction is found on a
grid and then relied upon). Where a support is unbounded, follower's types beyond a share ``CLIP`` of the mass leave the leader out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from expost.mechanisms.continuum import ContinuumMechanism
from expost.mechanisms.continuum_mesh import box_minimum, hats, mesh_cell
from expost.mechanisms.continuum_monotone import directions
from expost.mechanisms.continuum_space import Levels, lattice

Float = NDArray[np.float64]
Index = NDArray[np.int64]
Bool = NDArray[np.bool_]

SLACK = 1e-12
"""Added to suprema for the rounding of computed values (unit: values, relative)."""
CELLS = 1 << 21
"""Cells handled at once."""
RAISE_TYPES = 512
"""Follower's types on which the best price at or above the admissible one is chosen."""


@dataclass(frozen=True, eq=False)
class CompletedMechanism(ContinuumMechanism):
    """Leader's strikes on a mesh, completed.

    leader: the buyer whose strikes are given; the other is the follower.
    theta: (leader's rows, nodes**d_follower); one row when the leader is static, else one per node of his first level.
    bins: first-stage bins of the follower's strike (1 when he is static). depth, precision: when cells are no longer halved, and
    by how much the supremum may be over-estimated before (unit: values). raised: whether the follower's strike is raised
    to the best one at or above the admissible (worth it where his gain can be negative).
    """

    leader: int
    theta: Float = field(repr=False)
    nodes: int
    bins: int
    depth: int
    precision: float
    raised: bool

    kind: ClassVar[str] = "completion"

    @property
    def follower(self) -> int:
        """The other buyer."""
        return 1 - self.leader

    @cached_property
    def _directions(self) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """The sign of V_leader and of V_follower in each of the follower's levels."""
        return directions(self.space, self.leader, self.follower), directions(self.space, self.follower, self.follower)

    def leader_rows(self, own: Float) -> tuple[Index, Float]:
        """Which rows of ``theta`` the leader's types (P, d) lie between, and how far along."""
        place = self.space.first[self.leader]
        if place is None:
            return np.zeros(len(own), dtype=np.int64), np.zeros(len(own))
        return mesh_cell(own[:, place], self.theta.shape[0])

    def leader_strikes(self, own: Float, others: Float) -> Float:
        """tau_l at every pair of leader's types (P, d_l) and follower's types (Q, d_f): (P, Q)."""
        at_nodes = np.asarray((hats(others, self.nodes) @ self.theta.T).T)
        low, high = self.space.box[self.follower]
        at_nodes[:, ((others < low) | (others > high)).any(axis=1)] = np.inf
        row, part = self.leader_rows(own)
        if self.theta.shape[0] == 1:
            return np.broadcast_to(at_nodes, (len(own), len(others)))
        with np.errstate(invalid="ignore"):
            mixed = (1.0 - part)[:, None] * at_nodes[row] + part[:, None] * at_nodes[np.minimum(row + 1, len(self.theta) - 1)]
        return np.where(np.isnan(mixed), np.inf, mixed)

    def follower_bins(self, levels: Float) -> Index:
        """The bin of each follower's type (.., d_f) in the schedules of ``schedules``; bins are closed above."""
        place = self.space.first[self.follower]
        if place is None:
            return np.zeros(levels.shape[:-1], dtype=np.int64)
        return np.clip(np.ceil(levels[..., place] * self.bins).astype(np.int64) - 1, 0, self.bins - 1)

    def schedules(self, own: Float) -> Float:
        """The follower's strikes against each of the leader's types ``own`` (P, d_l): (P, bins), not rising."""
        step = max(1, CELLS // ((self.nodes - 1) ** self.space.dims[self.follower]))
        parts = [Suprema(self, own[start: start + step]).run() for start in range(0, len(own), step)]
        strikes = np.concatenate(parts) if parts else np.empty((0, self.bins))
        return self._raise(own, strikes) if self.raised else strikes

    def _raise(self, own: Float, strikes: Float) -> Float:
        """Lift each schedule to the floor that earns most; a floor keeps it from rising."""
        j = self.follower
        types = lattice(RAISE_TYPES, self.space.dims[j], np.full(self.space.dims[j], 0.5))
        levels = [own[:, None], types[None]] if self.leader == 0 else [types[None], own[:, None]]
        signals = self.space.signals(levels)
        value, gain = self.space.instance.value(j, signals), self.space.instance.gain(j, signals)
        allowed = value > strikes[:, self.follower_bins(types)]
        order = np.argsort(-value, axis=1)
        ranked = np.take_along_axis(value, order, axis=1)
        total = np.cumsum(np.take_along_axis(np.where(allowed, gain, 0.0), order, axis=1), axis=1)
        best = total.argmax(axis=1)[:, None]
        nothing = np.take_along_axis(total, best, axis=1) <= 0.0
        below = np.take_along_axis(ranked, np.minimum(best + 1, RAISE_TYPES - 1), axis=1)
        floor = np.where(nothing, np.inf, np.where(best + 1 < RAISE_TYPES, below, -np.inf))
        return np.maximum(strikes, floor)

    def strikes(self, levels: Levels) -> Float:
        """The strikes at P states: see ``ContinuumMechanism``."""
        shape = (max(len(own) for own in levels),)
        own, others = (np.broadcast_to(levels[k], shape + (self.space.dims[k],)) for k in (self.leader, self.follower))
        result = np.empty((2, *shape))
        result[self.leader] = self._paired(own, others)
        schedules = self.schedules(own)
        result[self.follower] = np.take_along_axis(schedules, self.follower_bins(others)[:, None], axis=1)[:, 0]
        return result

    def _paired(self, own: Float, others: Float) -> Float:
        row, part = self.leader_rows(own)
        spread = hats(others, self.nodes)
        near = np.asarray(spread.multiply(self.theta[row]).sum(axis=1)).ravel()
        far = np.asarray(spread.multiply(self.theta[np.minimum(row + 1, len(self.theta) - 1)]).sum(axis=1)).ravel()
        low, high = self.space.box[self.follower]
        outside = ((others < low) | (others > high)).any(axis=1)
        return np.where(outside, np.inf, (1.0 - part) * near + part * far)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The mesh."""
        return {"theta": self.theta}

    def facts(self) -> dict[str, Any]:
        """Everything else."""
        return {"leader": self.leader, "nodes": self.nodes, "bins": self.bins, "depth": self.depth,
                "precision": self.precision, "raised": self.raised}


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
        line = np.stack(np.meshgrid(*([np.arange(cells)] * self.dims), indexing="ij"), axis=-1).reshape(-1, self.dims)
        point = np.repeat(np.arange(len(self.own)), len(line))
        place = np.tile(line, (len(self.own), 1))
        for depth in range(self.m.depth + 1):
            point, place, value = self._sift(point, place, cells << depth)
            if depth == self.m.depth or not len(point):
                break
            halves = np.stack(np.meshgrid(*([np.arange(2)] * self.dims), indexing="ij"), axis=-1).reshape(-1, self.dims)
            place = (2 * place[:, None, :] + halves[None]).reshape(-1, self.dims)
            point = np.repeat(point, len(halves))
        if len(point):
            np.maximum.at(self.possible, (point, self._bin(place, cells << self.m.depth)), value)
        found = np.isfinite(self.certain)
        bound = np.maximum(self._settled(self.possible), np.where(found, self.certain + self.m.precision, -np.inf))
        bound = np.maximum(bound, self._lowest()[:, None])
        return bound + SLACK * np.maximum(1.0, np.abs(bound))

    def _lowest(self) -> Float:
        """Less than the follower's lowest value against each type: the strike where he may always win."""
        index = np.arange(len(self.own))
        corner = np.where(self.m._directions[1] > 0, self.low, self.high)
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

    def _minimum(self, point: Index, place: Index, cells: int, low: Float | float, high: Float | float) -> Float:
        """The minimum of tau_l over the part from ``low`` to ``high`` (in cells) of each cell."""
        per = cells // (self.m.nodes - 1)
        mesh = place // per
        out = np.empty(len(place))
        inside = place - mesh * per
        box_minimum(self.m.theta, self.row[point], self.part[point], mesh, (inside + low) / per, (inside + high) / per,
                    self.m.nodes, out)
        return out

    def _corner(self, place: Index, cells: int, direction: NDArray[np.int8]) -> Float:
        return np.clip((place + (direction > 0)) / cells, self.low, self.high)

    def _sift(self, point: Index, place: Index, cells: int) -> tuple[Index, Index, Float]:
        """Drop the cells where the leader cannot win or that cannot raise the supremum by more than the precision."""
        of_leader, of_follower = self.m._directions
        best = self._value(self.m.leader, point, self._corner(place, cells, of_leader))
        open_ = best > self._minimum(point, place, cells, 0.0, 1.0)
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
