"""Mechanisms that serve no more buyers than there are units: admissible whatever the valuations, hence a lower bound
that never fails to exist."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from expost._typing import Array, Float
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.spaces.mesh import mesh_cell
from expost.spaces.quantile_space import Levels, lattice

STATES = 1 << 16
"""Pairs of states and own types handled at once: what fits into a processor's cache takes a fifth less time."""


@dataclass(frozen=True, eq=False)
class SoloMechanism(ContinuumMechanism):
    """The ``buyers`` alone can win, at most as many as there are units. theta: the strikes of each on a mesh of his
    first level, not rising (one entry: a single price), the same against all signals of the others; or empty: against
    each, the price that earns most on ``types`` own types."""

    buyers: tuple[int, ...]
    theta: Float = field(repr=False)
    types: int

    kind: ClassVar[str] = "solo"

    def strikes(self, levels: Levels) -> Float:
        """The strikes at P states: see ``ContinuumMechanism``."""
        count = max(len(own) for own in levels)
        result = np.full((self.space.n, count), np.inf)
        for i in self.buyers:
            if self.theta.size == 0:
                step = max(1, STATES // self.types)
                whole = [np.broadcast_to(own, (count, own.shape[-1])) for own in levels]
                parts = [
                    self._best(i, [own[start : start + step] for own in whole])
                    for start in range(0, count, step)
                ]
                result[i] = np.concatenate(parts)
                continue
            place = self.space.first[i]
            own = np.broadcast_to(levels[i], (count, self.space.dims[i]))
            cell, part = mesh_cell(own[:, place or 0], len(self.theta))
            near, far = self.theta[cell], self.theta[np.minimum(cell + 1, len(self.theta) - 1)]
            finite = np.isfinite(near) & np.isfinite(far)
            result[i] = near + part * (np.where(finite, far, 0.0) - np.where(finite, near, 0.0))
        return result

    def _best(self, i: int, levels: Levels) -> Float:
        """Buyer ``i``'s best price against each state of the others."""
        own = lattice(self.types, self.space.dims[i], np.full(self.space.dims[i], 0.5))
        signals = self.space.signals(
            [own[None] if j == i else rest[:, None] for j, rest in enumerate(levels)]
        )
        shape = (max(len(rest) for rest in levels), self.types)
        value = np.broadcast_to(self.space.instance.value(i, signals), shape)
        gain = np.broadcast_to(self.space.instance.gain(i, signals), shape)
        order = np.argsort(value, axis=1)
        ranked = np.take_along_axis(value, order, axis=1)
        total = np.cumsum(np.take_along_axis(gain, order, axis=1)[:, ::-1], axis=1)[:, ::-1]
        best = total.argmax(axis=1)[:, None]
        below = np.take_along_axis(ranked, np.maximum(best - 1, 0), axis=1)[:, 0]
        price = np.where(best[:, 0] > 0, below, -np.inf)
        return np.where(np.take_along_axis(total, best, axis=1)[:, 0] > 0.0, price, np.inf)

    def arrays(self) -> dict[str, Array]:
        """The mesh."""
        return {"theta": self.theta}

    def facts(self) -> dict[str, Any]:
        """Everything else."""
        return {"buyers": list(self.buyers), "rows": len(self.theta), "types": self.types}
