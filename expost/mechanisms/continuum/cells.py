"""Strikes constant on cells of the others' levels: admissible because every cell counts with its most favourable
corner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from expost._typing import Array, Float, Int64
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.spaces.quantile_space import Levels, QuantileSpace


@dataclass(frozen=True, eq=False)
class CellMechanism(ContinuumMechanism):
    """Strikes of every buyer on ``points`` equal cells of each level; a discrete signal has a cell for each atom.

    table: per buyer (rows, cells of the others in C order): rows = cells of his first level, 1 if static. Admissible
    when, over every cell of states, at most one buyer's value at his most favourable corner exceeds his strike.
    """

    points: int
    table: tuple[Float, ...] = field(repr=False)

    kind: ClassVar[str] = "cells"

    def strikes(self, levels: Levels) -> Float:
        """The strikes at P states: see ``ContinuumMechanism``."""
        cells = [self._cells(i, own) for i, own in enumerate(levels)]
        result = []
        for i in range(self.space.n):
            others = np.zeros(1, dtype=np.int64)
            for j in range(self.space.n):
                counts = cell_counts(self.space, j, self.points) if j != i else ()
                for place, count in enumerate(counts):
                    others = others * count + cells[j][:, place]
            first = self.space.first[i]
            row = cells[i][:, first] if first is not None else np.zeros(1, dtype=np.int64)
            result.append(self.table[i][np.broadcast_arrays(row, others)[0], others])
        return np.stack(np.broadcast_arrays(*result))

    def _cells(self, i: int, own: Float) -> Int64:
        """The cell of each of buyer ``i``'s levels, same shape."""
        found = np.minimum((own * self.points).astype(np.int64), self.points - 1)
        for place, name in enumerate(self.space.stated.buyers[i].signals):
            atoms = self.space.stated.prior(name).atoms
            if atoms is not None:
                value = self.space.stated.prior(name).quantile(own[..., place])
                found[..., place] = np.searchsorted(atoms[0], value)
        return found

    def arrays(self) -> dict[str, Array]:
        """The tables."""
        return {f"table_{i}": table for i, table in enumerate(self.table)}

    def facts(self) -> dict[str, Any]:
        """Everything else."""
        return {"points": self.points}


def cell_counts(space: QuantileSpace, i: int, points: int) -> tuple[int, ...]:
    """Cells of each of buyer ``i``'s levels: ``points``, or one for each atom."""
    return tuple(points if count is None else count for count in space.atoms[i])
