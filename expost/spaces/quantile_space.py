"""Quantile space: every information state of a continuous instance as levels in the unit cube.

Buyer ``i``'s type is a row of ``d_i`` levels, one per own signal in listed order; under the prior all levels are
independent and uniform (conditional quantiles where a prior depends on an earlier signal, Zik 2.3.1). Functions here
take one array of levels per buyer, of shape (.., d_i), and all leading shapes broadcast together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from expost._typing import Float, Timing
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.spaces.correlation import Normalization, independent, normalization
from expost.spaces.stages import stages_of
from expost.spaces.type_space import Grid, TypeSpace, open_signals

Levels = Sequence[Float]

CLIP = 1e-4
"""Where a support is unbounded, the share of the signal's mass at that end that completions leave out."""


@dataclass(frozen=True)
class QuantileSpace:
    """An instance in quantile levels.

    stated: the instance as it was stated. first: per buyer the place of his first-stage signal among his own, or None
    where he is static.
    """

    stated: Instance
    first: tuple[int | None, ...]

    @cached_property
    def normalization(self) -> Normalization:
        """The mean of the joint density under the priors; 1 where there is none."""
        return normalization(self.stated)

    @cached_property
    def instance(self) -> Instance:
        """The instance with independent signals: a joint density is part of its gains (see ``correlation``)."""
        return independent(self.stated, self.normalization.mean)

    def density(self, signals: Mapping[str, Float]) -> Float:
        """How much likelier states are than under independent priors, at all ``signals``; of mean 1."""
        density = self.stated.density
        return np.ones(()) if density is None else density(signals) / self.normalization.mean

    @property
    def n(self) -> int:
        """How many buyers there are."""
        return self.stated.n

    @property
    def units(self) -> int:
        """How many units there are to sell."""
        return self.stated.units

    @cached_property
    def dims(self) -> tuple[int, ...]:
        """How many signals each buyer has."""
        return tuple(len(buyer.signals) for buyer in self.stated.buyers)

    @cached_property
    def atoms(self) -> tuple[tuple[int | None, ...], ...]:
        """Per buyer and own signal how many atoms its prior has, None where that is not discrete."""
        priors = [[self.stated.prior(name) for name in buyer.signals] for buyer in self.stated.buyers]
        return tuple(tuple(None if p.atoms is None else len(p.atoms[0]) for p in own) for own in priors)

    @cached_property
    def discrete(self) -> bool:
        """Whether any signal has a discrete prior."""
        return any(count is not None for own in self.atoms for count in own)

    @cached_property
    def finite(self) -> bool:
        """Whether all have: then there are finitely many states, and no continuum."""
        return all(count is not None for own in self.atoms for count in own)

    def snapped(self, i: int, levels: Float) -> Float:
        """Levels (.., d_i) of buyer ``i``, those of discrete signals in the middle of their atom's: equal signals have
        equal levels."""
        if all(count is None for count in self.atoms[i]):
            return levels
        found = levels.copy()
        for place, name in enumerate(self.stated.buyers[i].signals):
            if self.atoms[i][place] is not None:
                prior = self.stated.prior(name)
                found[..., place] = prior.level(prior.quantile(levels[..., place]))
        return found

    def split(self, joint: Float) -> list[Float]:
        """Rows of all buyers' levels, (P, sum of d), as one array (P, d_i) per buyer, snapped."""
        parts = np.split(joint, np.cumsum(self.dims)[:-1], axis=1)
        return [self.snapped(i, own) for i, own in enumerate(parts)]

    @property
    def sequential(self) -> bool:
        """Whether any buyer reports in two stages."""
        return any(place is not None for place in self.first)

    def own(self, i: int, levels: Float) -> dict[str, Float]:
        """The signals of buyer ``i`` at ``levels`` (.., d_i), each of shape (..)."""
        own: dict[str, Float] = {}
        for place, name in enumerate(self.stated.buyers[i].signals):
            prior = self.stated.prior(name)
            level = levels[..., place]
            own[name] = level if prior.plain else prior.quantile(level, own)
        return own

    def signals(self, levels: Levels) -> dict[str, Float]:
        """All signals at one array of levels per buyer."""
        return {name: column for i, own in enumerate(levels) for name, column in self.own(i, own).items()}

    def value(self, i: int, levels: Levels) -> Float:
        """V_i at ``levels``."""
        return self.instance.value(i, self.signals(levels))

    def gain(self, i: int, levels: Levels) -> Float:
        """w_i = V_i + E_i - V_0 at ``levels``."""
        return self.instance.gain(i, self.signals(levels))

    def levels(self, signals: dict[str, Float]) -> list[Float]:
        """The levels at which all ``signals`` take the given values: the inverse of ``signals``."""
        found: list[Float] = []
        for buyer in self.stated.buyers:
            columns = [self._level(name, signals) for name in buyer.signals]
            found.append(np.stack(np.broadcast_arrays(*columns), axis=-1))
        return found

    def _level(self, name: str, signals: dict[str, Float]) -> Float:
        prior, value = self.stated.prior(name), np.asarray(signals[name], dtype=np.float64)
        return np.clip(value, 0.0, 1.0) if prior.plain else prior.level(value, signals)

    @cached_property
    def box(self) -> tuple[tuple[Float, Float], ...]:
        """Per buyer the lowest and the highest levels (d_i,) between which signals are finite: 0 and 1, or a little
        inside."""
        return tuple(self._box(i) for i in range(self.n))

    def _box(self, i: int) -> tuple[Float, Float]:
        low, high = np.zeros(self.dims[i]), np.ones(self.dims[i])
        for place in range(self.dims[i]):
            inner = np.full((1, self.dims[i]), 0.5)
            name = self.stated.buyers[i].signals[place]
            for end, corner, inside in ((low, 0.0, CLIP), (high, 1.0, 1.0 - CLIP)):
                inner[0, place] = corner
                if not np.isfinite(self.own(i, inner)[name]).all():
                    end[place] = inside
        return low, high

    @property
    def bounded(self) -> bool:
        """Whether every signal has a bounded support."""
        return all((low == 0.0).all() and (high == 1.0).all() for low, high in self.box)


def quantile_space(
    instance: Instance, timing: str | Sequence[str], first: Sequence[str | None]
) -> QuantileSpace:
    """The quantile space of ``instance`` under a timing for all buyers or one for each; ``first`` per buyer overrides
    his declared first signal.

    Raises InputError when sequential timing asks for stages that an instance does not have, and under a joint density.
    """
    timings = (timing,) * instance.n if isinstance(timing, str) else timing
    if instance.joint is not None and any(word != Timing.STATIC for word in timings):
        raise InputError(
            "signals that a density correlates",
            where="joint: density",
            expected="independent buyers under sequential timing, whose second stages have laws of their own",
            remedy='use timing="static", or a prior that depends on the first signal where one buyer\'s are correlated',
        )
    places: list[int | None] = []
    for i, buyer in enumerate(instance.buyers):
        if timings[i] == Timing.STATIC:
            places.append(None)
            continue
        stages = stages_of(instance, i, (1,) * len(buyer.signals), first[i])
        places.append(buyer.signals.index(stages.first))
    return QuantileSpace(instance, tuple(places))


def finite_space(space: QuantileSpace, levels: Levels) -> TypeSpace:
    """The type space of any finite set of types per buyer, each equally likely: ``levels`` (T_i, d_i). It has no
    grid: only static timing can use it."""
    types = tuple(space.own(i, own) for i, own in enumerate(levels))
    signals = open_signals(types)
    shape = tuple(len(own) for own in levels)

    def on_states(array: Float) -> Float:
        return np.ascontiguousarray(np.broadcast_to(array, shape))

    instance = space.instance
    values = np.stack([on_states(instance.value(i, signals)) for i in range(space.n)])
    gains = np.stack([on_states(instance.gain(i, signals)) for i in range(space.n)])
    seller = float(on_states(instance.seller_value(signals)).mean())
    return TypeSpace(instance, Grid(1), types, values, gains, seller)


MANTISSA = 53
"""Bits of a sample point. With scipy's default of 30 every point lies 2**-31 too low on average, a bias that no
replication shows and that an upper bound cannot afford."""


def scrambled(points: int, dims: int, rng: np.random.Generator) -> Float:
    """A scrambled Sobol' sample of the unit cube, shape (points, dims), ``points`` a power of two for its best
    spread.

    Each point is uniform, so averages over the sample are unbiased.
    """
    from scipy.stats.qmc import Sobol

    sobol = Sobol(dims, scramble=True, bits=MANTISSA, rng=rng)
    return np.asarray(sobol.random_base2(max(points - 1, 1).bit_length())[:points])


def lattice(points: int, dims: int, shift: Float) -> Float:
    """A randomly shifted Kronecker lattice in the unit cube, shape (points, dims).

    With a uniform ``shift`` (dims,) each point is uniform, so averages over the lattice are unbiased.
    """
    root = 2.0
    for _ in range(60):
        root = (1.0 + root) ** (1.0 / (dims + 1))
    steps = root ** -np.arange(1.0, dims + 1)
    return (np.arange(points)[:, None] * steps + shift) % 1.0
