"""Strikes with one buyer's left out: the lowest schedule that the others' admit.

tau_i(a, s_-i) = sup { V_i(s) : first signal of i >= a, and V_j(s) > tau_j(s) for some j } (of k units, for k others j).
Such a schedule does not rise in a, as Theorem 2 of Zik asks, and removes from i's region the lower closure of the
conflicts and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from expost._typing import Float, Place
from expost.instances.environment import Instance
from expost.mechanisms.given import StrikeFunction, first_signal
from expost.papers.fibres import Fibres, fibres
from expost.papers.levels import Function, highest


@dataclass(frozen=True)
class CompletedStrikes:
    """``strikes``, which ``buyer`` has none in, with his completed.

    accuracy: how far his strikes may fall short (unit: values, relative); see ``levels.highest``.
    """

    instance: Instance
    strikes: StrikeFunction
    buyer: int
    name: str
    citation: str
    accuracy: float = 1e-10

    def strike(self, i: int, first: Float, signals: Mapping[str, Float]) -> Float:
        """Buyer ``i``'s strike at his first signal and the others' ``signals``, all broadcasting together."""
        if i != self.buyer:
            return self.strikes.strike(i, first, signals)
        names = list(signals)
        wide = np.broadcast_arrays(first, *(signals[name] for name in names))
        fibre, shape = fibres(self.instance, i, dict(zip(names, wide[1:], strict=True)))
        fibre = fibre if names else replace(fibre, count=wide[0].size)
        above = replace(fibre, floor=self._floor(wide[0].ravel(), fibre))
        lowest = np.zeros(above.count)
        others = [j for j in range(self.instance.n) if j != i]
        for group in combinations(others, self.instance.units):
            taken = self._deficit(above, group)
            lowest = np.maximum(lowest, highest(above.value(i), taken, above.dims, above.count))
        return lowest.reshape(shape if names else wide[0].shape)

    def _floor(self, first: Float, fibre: Fibres) -> Float:
        """The coordinates above which the first signal is at least ``first``, (d, count)."""
        name = first_signal(self.instance, self.buyer)
        low, high = (np.asarray(end, dtype=np.float64) for end in self.instance.prior(name).support())
        floor = np.zeros((fibre.dims, len(first)))
        place = self.instance.buyers[self.buyer].signals.index(name)
        floor[place] = np.clip((first - low) / (high - low), 0.0, 1.0)
        return floor

    def _deficit(self, fibre: Fibres, group: tuple[int, ...]) -> Function:
        """The largest tau_j - V_j of a group in the completed buyer's fibres: at most zero where all of it may win."""

        def function(x: Float, rows: Place) -> Float:
            signals, found = fibre.signals(x, rows), []
            for j in group:
                own = set(self.instance.buyers[j].signals)
                rest = {name: column for name, column in signals.items() if name not in own}
                strike = self.strikes.strike(j, signals[first_signal(self.instance, j)], rest)
                found.append(strike - self.instance.value(j, signals))
            return np.asarray(np.max(found, axis=0))

        return function
