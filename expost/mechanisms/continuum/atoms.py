"""Mechanisms of instances all of whose priors are discrete: a rule stated state by state, ties and all."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from expost._typing import Array, Bool, Float, Int64
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.spaces.quantile_space import Levels, QuantileSpace


@dataclass(frozen=True, eq=False)
class AtomMechanism(ContinuumMechanism):
    """Who wins in each of finitely many states.

    rule: per buyer (states,), 1 where he wins, over the types of all buyers in listed order, last signal fastest.
    table: per buyer his strikes (rows, types of the others): rows = atoms of his first signal, 1 if static. At a strike
    either outcome is incentive compatible, and the rule says which.
    """

    rule: Float = field(repr=False)
    table: tuple[Float, ...] = field(repr=False)

    kind: ClassVar[str] = "atoms"

    def strikes(self, levels: Levels) -> Float:
        """The strikes at P states: see ``ContinuumMechanism``."""
        types = [self._types(i, own) for i, own in enumerate(levels)]
        counts = atom_counts(self.space)
        found = []
        for i in range(self.space.n):
            others = np.zeros(1, dtype=np.int64)
            for j, count in enumerate(counts):
                others = others if j == i else others * count + types[j]
            place = self.space.first[i]
            row = np.zeros(1, dtype=np.int64) if place is None else self._atom(i, place, levels[i])
            found.append(self.table[i][np.broadcast_arrays(row, others)[0], others])
        return np.stack(np.broadcast_arrays(*found))

    def won(self, levels: Levels, values: Float, strikes: Float) -> Bool:
        """Who wins at P states: what the rule says."""
        del values, strikes
        state = np.zeros(1, dtype=np.int64)
        for i, count in enumerate(atom_counts(self.space)):
            state = state * count + self._types(i, levels[i])
        return np.asarray(self.rule[:, state] != 0.0)

    def _types(self, i: int, own: Float) -> Int64:
        found = np.zeros(own.shape[:-1], dtype=np.int64)
        for place, count in enumerate(self.space.atoms[i]):
            found = found * (count or 1) + self._atom(i, place, own)
        return found

    def _atom(self, i: int, place: int, own: Float) -> Int64:
        """Which atom each level (.., d_i) of one signal lies in."""
        prior = self.space.stated.prior(self.space.stated.buyers[i].signals[place])
        assert prior.atoms is not None
        return np.searchsorted(prior.atoms[0], prior.quantile(own[..., place]))

    def arrays(self) -> dict[str, Array]:
        """The rule and the tables."""
        return {"rule": self.rule, **{f"table_{i}": table for i, table in enumerate(self.table)}}

    def facts(self) -> dict[str, Any]:
        """None."""
        return {}


def atom_counts(space: QuantileSpace) -> tuple[int, ...]:
    """Types of each buyer."""
    return tuple(math.prod(count or 1 for count in own) for own in space.atoms)


def atom_shapes(space: QuantileSpace) -> dict[str, tuple[int, ...]]:
    """The shapes of the arrays of an ``AtomMechanism``. Raises ValueError unless all priors are discrete."""
    if not space.finite:
        raise ValueError("a rule on atoms, and a prior without")
    counts = atom_counts(space)
    shapes: dict[str, tuple[int, ...]] = {"rule": (space.n, math.prod(counts))}
    for i, place in enumerate(space.first):
        rows = 1 if place is None else space.atoms[i][place] or 1
        shapes[f"table_{i}"] = (rows, math.prod(counts) // counts[i])
    return shapes
