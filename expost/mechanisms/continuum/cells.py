"""Strikes constant on cells of the others' levels: admissible because every cell counts with its most favourable
corner."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from expost._typing import Array, Float
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.spaces.quantile_space import Levels


@dataclass(frozen=True, eq=False)
class CellMechanism(ContinuumMechanism):
    """Strikes of every buyer on ``points`` equal cells of each level.

    table: per buyer (rows, cells of the others in C order): rows = cells of his first level, 1 if static. Admissible
    when, over every cell of states, at most one buyer's value at his most favourable corner exceeds his strike.
    """

    points: int
    table: tuple[Float, ...] = field(repr=False)

    kind: ClassVar[str] = "cells"

    def strikes(self, levels: Levels) -> Float:
        """The strikes at P states: see ``ContinuumMechanism``."""
        cells = [np.minimum((own * self.points).astype(np.int64), self.points - 1) for own in levels]
        result = []
        for i in range(self.space.n):
            others = np.zeros(1, dtype=np.int64)
            for j in range(self.space.n):
                for place in range(self.space.dims[j] if j != i else 0):
                    others = others * self.points + cells[j][:, place]
            first = self.space.first[i]
            row = cells[i][:, first] if first is not None else np.zeros(1, dtype=np.int64)
            result.append(self.table[i][np.broadcast_arrays(row, others)[0], others])
        return np.stack(np.broadcast_arrays(*result))

    def arrays(self) -> dict[str, Array]:
        """The tables."""
        return {f"table_{i}": table for i, table in enumerate(self.table)}

    def facts(self) -> dict[str, Any]:
        """Everything else."""
        return {"points": self.points}
