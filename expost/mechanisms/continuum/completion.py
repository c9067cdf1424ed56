"""Completion: strikes for one of two buyers, and the lowest admissible strikes of the other in the whole continuum.

The leader's strike is a multilinear function of the follower's levels (and, sequential, of the leader's first level,
in which it does not rise). Where the leader may win, the follower must lose:

    tau_f(a; s_l) = sup { V_f(s_l, s_f) : first level of s_f >= a, V_l(s_l, s_f) > tau_l(s_l, s_f) }.

The supremum is over a continuum and is computed to a guaranteed over-estimate: a cell of the follower's levels counts
as long as V_l at its most favourable corner exceeds the minimum of tau_l over the cell, and then counts with V_f at
V_f's most favourable corner; cells that cannot matter are dropped, the rest halved, down to ``2**-depth`` of a mesh
cell. So no state has two winners, whatever the signals, provided both valuations are monotone in every level of the
follower (the direction is found on a grid and then relied upon). Where a support is unbounded, follower's types
beyond a share ``CLIP`` of the mass leave the leader out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.mechanisms.continuum.mesh import hats, mesh_cell
from expost.mechanisms.continuum.monotone import directions as found
from expost.mechanisms.continuum.space import Levels, lattice
from expost.mechanisms.continuum.suprema import Suprema

Float = NDArray[np.float64]
Index = NDArray[np.int64]
Bool = NDArray[np.bool_]

CELLS = 1 << 21
"""Cells handled at once."""
RAISE_TYPES = 512
"""Follower's types on which the best price at or above the admissible one is chosen."""


@dataclass(frozen=True, eq=False)
class CompletedMechanism(ContinuumMechanism):
    """Leader's strikes on a mesh, completed.

    leader: the buyer whose strikes are given; the other is the follower.
    theta: (leader's rows, nodes**d_follower); one row when the leader is static, else one per node of his first
    level.
    bins: first-stage bins of the follower's strike (1 when he is static). depth, precision: when cells are no longer
    halved, and by how much the supremum may be over-estimated before (unit: values). raised: whether the follower's
    strike is raised to the best one at or above the admissible (worth it where his gain can be negative).
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
    def directions(self) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """The sign of V_leader and of V_follower in each of the follower's levels."""
        return found(self.space, self.leader, self.follower), found(
            self.space, self.follower, self.follower
        )

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
            mixed = (1.0 - part)[:, None] * at_nodes[row] + part[:, None] * at_nodes[
                np.minimum(row + 1, len(self.theta) - 1)
            ]
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
        parts = [Suprema(self, own[start : start + step]).run() for start in range(0, len(own), step)]
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
        own, others = (
            np.broadcast_to(levels[k], (*shape, self.space.dims[k])) for k in (self.leader, self.follower)
        )
        result = np.empty((2, *shape))
        result[self.leader] = self._paired(own, others)
        schedules = self.schedules(own)
        result[self.follower] = np.take_along_axis(schedules, self.follower_bins(others)[:, None], axis=1)[
            :, 0
        ]
        return result

    def _paired(self, own: Float, others: Float) -> Float:
        row, part = self.leader_rows(own)
        spread = hats(others, self.nodes)
        near = np.asarray(spread.multiply(self.theta[row]).sum(axis=1)).ravel()
        far = np.asarray(
            spread.multiply(self.theta[np.minimum(row + 1, len(self.theta) - 1)]).sum(axis=1)
        ).ravel()
        low, high = self.space.box[self.follower]
        outside = ((others < low) | (others > high)).any(axis=1)
        return np.where(outside, np.inf, (1.0 - part) * near + part * far)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The mesh."""
        return {"theta": self.theta}

    def facts(self) -> dict[str, Any]:
        """Everything else."""
        return {
            "leader": self.leader,
            "nodes": self.nodes,
            "bins": self.bins,
            "depth": self.depth,
            "precision": self.precision,
            "raised": self.raised,
        }
