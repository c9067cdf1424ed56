"""What a strike is worth to a first-stage type of the continuum, and to the planner, over a sample of second stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from expost._typing import Float, Place
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.spaces.quantile_space import QuantileSpace, quantile_space, scrambled

CHUNK = 1 << 21
"""Values that are held at once."""


class Tables(NamedTuple):
    """At first levels (A,) and strikes (K,): ``gain`` E_b[(V - strike)^+] and ``welfare`` E_b[w 1{V > strike}], both
    (A, K)."""

    gain: Float
    welfare: Float


@dataclass(frozen=True)
class Stage:
    """A one-buyer instance by stages: its quantile space, and the place of the first signal among the buyer's."""

    space: QuantileSpace
    place: int

    def sample(self, points: int, rng: np.random.Generator | None) -> Float:
        """Second-stage levels (points, d - 1): midpoints, or a random shift of them; scrambled Sobol' points where
        there are several second signals."""
        dims = self.space.dims[0] - 1
        if dims == 1:
            shift = 0.5 if rng is None else rng.random()
            return ((np.arange(points) + shift) / points)[:, None]
        return scrambled(points, dims, np.random.default_rng(0) if rng is None else rng)

    def outcomes(self, first: Float, second: Float) -> tuple[Float, Float]:
        """V and w at first levels (A,) and second levels (B, d - 1): two arrays (A, B)."""
        levels = np.empty((len(first), len(second), self.space.dims[0]))
        levels[:, :, self.place] = first[:, None]
        others = [k for k in range(self.space.dims[0]) if k != self.place]
        levels[:, :, others] = second[None]
        shape = levels.shape[:2]
        return (
            np.broadcast_to(self.space.value(0, [levels]), shape),
            np.broadcast_to(self.space.gain(0, [levels]), shape),
        )

    def tables(self, first: Float, strikes: Float, second: Float) -> Tables:
        """The tables at first levels (A,) and strikes (K,) over the sample ``second`` (B, d - 1)."""
        step = max(1, CHUNK // len(second))
        parts = [
            _rows(*self.outcomes(first[at : at + step], second), strikes) for at in range(0, len(first), step)
        ]
        return Tables(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def value_range(self) -> tuple[float, float]:
        """The lowest and the highest V on a grid with the ends of all supports (a little inside unbounded ones)."""
        low, high = self.space.box[0]
        lines = [np.linspace(a, b, 33) for a, b in zip(low, high, strict=True)]
        corners = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1) if len(lines) <= 3 else None
        levels = scrambled(1 << 15, len(low), np.random.default_rng(0)) if corners is None else corners
        values = self.space.value(0, [levels])
        return float(values.min()), float(values.max())

    def seller(self, points: int, rng: np.random.Generator) -> float:
        """E[V_0] over a random sample of all signals."""
        keeps = self.space.instance.seller_valuation
        if not keeps.signals:
            return float(keeps({}))
        levels = scrambled(points, self.space.dims[0], rng)
        return float(np.mean(self.space.instance.seller_value(self.space.signals([levels]))))


def stage_of(instance: Instance, first: str | None = None) -> Stage:
    """The stage of a one-buyer instance; ``first`` overrides the signal that arrives first.

    Raises InputError unless there is one buyer with a first signal and at least one more.
    """
    if instance.n != 1:
        raise InputError(
            f"{instance.n} buyers",
            where="lotteries",
            expected="one buyer: stochastic mechanisms of several are solved on grids only",
            remedy="solve on a grid instead",
        )
    space = quantile_space(instance, "sequential", (first,))
    assert space.first[0] is not None
    return Stage(space, space.first[0])


def ranked(values: Float, gains: Float) -> tuple[Float, Float, Float]:
    """Values (A, B) in increasing order, and the totals of values and of gains over the k highest, (A, B + 1)."""
    order = np.argsort(values, axis=1, kind="stable")
    rising = np.take_along_axis(values, order, axis=1)
    totals = [
        np.concatenate([np.zeros((len(values), 1)), np.cumsum(part[:, ::-1], axis=1)], axis=1)
        for part in (rising, np.take_along_axis(gains, order, axis=1))
    ]
    return rising, totals[0], totals[1]


def above(rising: Float, strikes: Float, side: str = "right") -> Place:
    """How many of each row's values exceed each strike (A, K); those equal to it too with ``side`` left."""
    counts = [rising.shape[1] - np.searchsorted(row, strikes, side=side) for row in rising]  # type: ignore[call-overload]
    return np.stack(counts)


def _rows(values: Float, gains: Float, strikes: Float) -> tuple[Float, Float]:
    rising, value_totals, gain_totals = ranked(values, gains)
    count = above(rising, strikes)
    worth = np.take_along_axis(value_totals, count, axis=1) - count * strikes
    return worth / values.shape[1], np.take_along_axis(gain_totals, count, axis=1) / values.shape[1]
