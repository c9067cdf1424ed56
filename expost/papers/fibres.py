"""A buyer's own signals as a unit cube, the others' signals fixed: the fibres of the constructions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from expost._typing import Float, Place
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.papers.levels import Function

ROUNDING = 4 * float(np.finfo(np.float64).eps)
"""Comparisons of two computed values allow for this much rounding (relative); it is not a tolerance."""


def own_signals(instance: Instance, i: int, x: Float) -> dict[str, Float]:
    """The signals of buyer ``i`` at the points ``x`` (d, P) of the unit cube, stretched over their supports.

    Raises InputError when a support is unbounded: the constructions need a lowest and a highest signal.
    """
    own: dict[str, Float] = {}
    for name, place in zip(instance.buyers[i].signals, x, strict=True):
        prior = instance.prior(name)
        if prior.distribution == "uniform" and not prior.parameters:
            own[name] = place
            continue
        lowest, highest = prior.support(own)
        if not (np.isfinite(lowest).all() and np.isfinite(highest).all()):
            raise InputError(
                f"the support of {name} is unbounded",
                where=f"instance {instance.name}",
                expected="a lowest and a highest value of every signal (Bikhchandani 2006, section 2)",
                remedy="truncate the prior, for example truncnorm instead of norm",
            )
        own[name] = lowest + place * (highest - lowest)
    return own


@dataclass(frozen=True, eq=False)
class Fibres:
    """Buyer ``i``'s fibres at ``count`` signals of the others; ``others`` maps each of them to (count,).

    floor: the lowest coordinates of each fibre, (d, count); the cube is then what lies above them.
    flipped: coordinates run downwards, so that what rises in the signals falls in the coordinates; a floor then
    is a ceiling on the signals, stated as 1 less the ceiling.
    tick: called at every evaluation; it raises when time is up.
    """

    instance: Instance
    i: int
    others: Mapping[str, Float]
    count: int
    floor: Float | None = None
    flipped: bool = False
    tick: Callable[[], object] | None = None

    @property
    def dims(self) -> int:
        """How many signals the buyer has."""
        return len(self.instance.buyers[self.i].signals)

    def signals(self, x: Float, rows: Place) -> dict[str, Float]:
        """All signals at points ``x`` (d, P) of the buyer's cube, in the fibres ``rows`` (P,)."""
        if self.tick is not None:
            self.tick()
        place = x if self.floor is None else self.floor[:, rows] + x * (1.0 - self.floor[:, rows])
        own = own_signals(self.instance, self.i, 1.0 - place if self.flipped else place)
        return {**own, **{name: column[rows] for name, column in self.others.items()}}

    def value(self, j: int) -> Function:
        """V_j in these fibres; ``j`` = -1 means the seller's V_0."""

        def function(x: Float, rows: Place) -> Float:
            signals = self.signals(x, rows)
            return self.instance.seller_value(signals) if j < 0 else self.instance.value(j, signals)

        return function

    def difference(self, j: int) -> Function:
        """V_i - V_j less rounding: at most zero where ``j`` values the item at least as much as ``i``."""

        def function(x: Float, rows: Place) -> Float:
            signals = self.signals(x, rows)
            own = self.instance.value(self.i, signals)
            rival = self.instance.seller_value(signals) if j < 0 else self.instance.value(j, signals)
            return own - rival - ROUNDING * np.abs(own)

        return function

    def surplus(self) -> Function:
        """w_i - max(0, max_j w_j) less rounding: at most zero where selling to ``i`` is not better than all else."""

        def function(x: Float, rows: Place) -> Float:
            signals = self.signals(x, rows)
            own = self.instance.gain(self.i, signals)
            best = np.zeros(own.shape)
            for j in range(self.instance.n):
                if j != self.i:
                    np.maximum(best, self.instance.gain(j, signals), out=best)
            return own - best - ROUNDING * np.abs(own)

        return function

    def at(self, corner: float, function: Function) -> Float:
        """``function`` at the point ``corner`` * 1 of every fibre: (count,)."""
        return function(np.full((self.dims, self.count), corner), np.arange(self.count))

    def subset(self, rows: Place) -> Fibres:
        """Only the fibres ``rows``."""
        others = {name: column[rows] for name, column in self.others.items()}
        floor = None if self.floor is None else self.floor[:, rows]
        return replace(self, others=others, count=len(rows), floor=floor)


def fibres(instance: Instance, i: int, signals: Mapping[str, Float]) -> tuple[Fibres, tuple[int, ...]]:
    """Buyer ``i``'s fibres at the others' ``signals`` (arrays that broadcast together), and their shape.

    Raises InputError when a signal of another buyer is missing.
    """
    needed = [name for k, buyer in enumerate(instance.buyers) if k != i for name in buyer.signals]
    missing = [name for name in needed if name not in signals]
    if missing:
        raise InputError(
            f"no values of {', '.join(missing)}",
            where=f"price of buyer {instance.buyers[i].name}",
            expected="an array for every signal of the other buyers",
        )
    arrays = np.broadcast_arrays(*(np.asarray(signals[name], dtype=np.float64) for name in needed))
    shape: tuple[int, ...] = arrays[0].shape if needed else ()
    others = {name: array.ravel() for name, array in zip(needed, arrays, strict=True)}
    return Fibres(instance, i, others, int(np.prod(shape, dtype=np.int64))), shape
