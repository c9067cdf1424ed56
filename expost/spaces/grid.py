"""Grids in quantile space: how many points each signal gets, and where they lie.

Point ``k`` of ``m`` on a signal is ``F^{-1}((k + offset) / m)``, ``k = 0 .. m-1``, with offset 0.5
(midpoint) unless asked otherwise; ``endpoint`` is ``F^{-1}(k / (m - 1))``. All points have equal weight.
The points of a signal with a discrete prior are its atoms, with their own weights, whatever the grid says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.environment import Instance

MIDPOINT = 0.5
ENDPOINT = "endpoint"


@dataclass(frozen=True)
class Grid:
    """How many points each signal gets, and where they lie in its quantile cells.

    points: one number for every signal, or one per signal by name.
    offset: in [0, 1], for every signal or by name, or ``"endpoint"``.

    Raises InputError for a number of points that is not a positive integer or an offset outside [0, 1].
    """

    points: int | Mapping[str, int]
    offset: float | str | Mapping[str, float] = MIDPOINT

    def __post_init__(self) -> None:
        counts = self.points.values() if isinstance(self.points, Mapping) else (self.points,)
        for count in counts:
            if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
                raise InputError(
                    f"{count!r} points", where="grid", expected="a positive whole number of points per signal"
                )
        for offset in self.offset.values() if isinstance(self.offset, Mapping) else (self.offset,):
            _check_offset(offset)

    def size(self, signal: str) -> int:
        """Points on ``signal``."""
        return int(self.points[signal] if isinstance(self.points, Mapping) else self.points)

    def probabilities(self, signal: str) -> Float:
        """The quantile levels of the points on ``signal``, shape (size,), increasing."""
        m = self.size(signal)
        offset = self.offset.get(signal, MIDPOINT) if isinstance(self.offset, Mapping) else self.offset
        if offset == ENDPOINT:
            if m == 1:
                raise InputError(
                    f"1 point on {signal}", where="grid", expected='at least 2 points with points="endpoint"'
                )
            return np.linspace(0.0, 1.0, m)
        return (np.arange(m) + float(offset)) / m

    def resolve(self, instance: Instance) -> Grid:
        """The same grid with points by signal name, a discrete prior's atoms counted.

        Raises InputError for unknown signals, and for missing ones whose priors are not discrete.
        """
        named = [part for part in (self.points, self.offset) if isinstance(part, Mapping)]
        unknown = [signal for part in named for signal in part if signal not in instance.signals]
        if unknown:
            raise InputError(
                f"unknown signal {unknown[0]!r}", where="grid", expected=f"of {', '.join(instance.signals)}"
            )
        atoms = {
            signal: len(prior.atoms[0])
            for signal in instance.signals
            if (prior := instance.prior(signal)).atoms is not None
        }
        if not isinstance(self.points, Mapping):
            return Grid(
                {signal: atoms.get(signal, int(self.points)) for signal in instance.signals}, self.offset
            )
        counts = {**self.points, **atoms}
        missing = [signal for signal in instance.signals if signal not in counts]
        if missing:
            raise InputError(
                f"no number of points for {', '.join(missing)}",
                where="grid",
                expected="one number, or one for each signal",
                remedy=f"add {missing[0]}=...",
            )
        return Grid({signal: int(counts[signal]) for signal in instance.signals}, self.offset)

    def describe(self) -> str | int:
        """The grid as the command line writes it: one number, or ``p1=24,c1=12``."""
        if not isinstance(self.points, Mapping):
            return int(self.points)
        counts = set(self.points.values())
        if len(counts) == 1:
            return int(counts.pop())
        return ",".join(f"{signal}={count}" for signal, count in self.points.items())


def _check_offset(offset: object) -> None:
    if offset == ENDPOINT:
        return
    if isinstance(offset, bool) or not isinstance(offset, int | float) or not 0.0 <= offset <= 1.0:
        raise InputError(f"offset {offset!r}", where="grid", expected="a number in [0, 1], or endpoint")
