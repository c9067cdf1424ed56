"""Figures of prices or strikes in the continuum: welfare, revenue, probability of sale, each with its error.

Buyer by buyer, over many own types in each of many random states of the others: a price is computed once a state, and
averaging over own types takes out most of the noise. Points are scrambled Sobol' points for the others and a randomly
shifted lattice for own types, so that every replicate is unbiased.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from expost._typing import Float
from expost.instances.environment import Instance
from expost.mechanisms.given import PriceFunction, StrikeFunction
from expost.spaces.efficient import best_gains, should_win
from expost.spaces.quantile_space import QuantileSpace, lattice, scrambled

REPLICATES = 16
OWN_TYPES = 512
"""Own types against each state of the others: the indicator of winning makes these the noise, not the others."""
ROWS = 16
"""First levels of own types against a state of the others, where strikes are searches of their own."""
FEWEST, MOST, GROWTH = 2**8, 2**12, 4
"""States of the others in a replicate: what one begins with, the most, and how many times more come next."""
CONFIDENCE = 0.99
BATCH = 2**15
"""Types that are looked at together: so few that what is computed of them stays in a core's cache."""


@dataclass(frozen=True)
class Figures:
    """Expectations in the continuum (unit: values; ``sold`` is a probability, of several units their mean number).

    first_best, no_sale: of the efficient rule and of never selling. error: the half width of a confidence interval of
    99% for ``welfare`` (Student's t over independent replicates). states: pairs of a type and the others' state.
    """

    welfare: float
    error: float
    revenue: float
    sold: float
    first_best: float
    no_sale: float
    states: int

    @property
    def share(self) -> float | None:
        """(welfare - no sale) / (first best - no sale); None where even the first best gains nothing."""
        gain = self.first_best - self.no_sale
        return (self.welfare - self.no_sale) / gain if gain > 0.0 else None


def continuum_figures(
    instance: Instance,
    *,
    prices: PriceFunction | None = None,
    strikes: StrikeFunction | None = None,
    first: tuple[str | None, ...] = (),
    accuracy: float = 1.5e-4,
    seed: int = 0,
    most: int = MOST,
    sparse: bool = False,
    left: Callable[[], float] = lambda: math.inf,
) -> Figures:
    """The figures of ``prices`` (static) or ``strikes`` (``first``: each buyer's first signal), until the error of
    welfare is at most ``accuracy`` times the first best, or ``most`` states of the others a replicate. sparse: strikes
    are searches of their own, and computed at a few first signals against each state of the others. left: seconds that
    are left; samples grow only while they last.

    Revenue of strikes counts what is paid for the item, not fees. Raises InputError for a joint density that is none.
    The mechanism is not checked here: see ``admissibility``.
    """
    from scipy.stats import t

    space = QuantileSpace(instance, (None,) * instance.n)
    count, seeds = min(FEWEST, most), np.random.SeedSequence(seed)
    first_best, no_sale = _benchmarks(space, seeds.spawn(1)[0])
    factor = float(t.ppf(0.5 + 0.5 * CONFIDENCE, REPLICATES - 1)) / REPLICATES**0.5
    while True:
        started = time.perf_counter()
        found = np.array(
            [
                _replicate(space, prices, strikes, first, count, child, sparse)
                for child in seeds.spawn(REPLICATES)
            ]
        )
        error = factor * float(found[:, 0].std(ddof=1))
        if error <= accuracy * max(abs(first_best), 1e-300) or count >= most:
            break
        if left() < GROWTH * (time.perf_counter() - started):
            break
        count *= GROWTH
    lost, revenue, sold = found.mean(axis=0)
    states = REPLICATES * count * OWN_TYPES * instance.n
    return Figures(first_best + float(lost), error, float(revenue), float(sold), first_best, no_sale, states)


def _benchmarks(space: QuantileSpace, seed: np.random.SeedSequence) -> tuple[float, float]:
    """The first best and never selling, by scrambled Sobol' points (smooth integrands)."""
    rng = np.random.default_rng(seed)
    best, kept = [], []
    for _ in range(REPLICATES):
        joint = scrambled(2**15, sum(space.dims), rng)
        signals = space.signals(space.split(joint))
        seller = space.instance.seller_value(signals)
        gains = np.stack([space.instance.gain(i, signals) for i in range(space.n)])
        kept.append(float(np.mean(seller)))
        best.append(kept[-1] + float(best_gains(gains, space.units).mean()))
    return float(np.mean(best)), float(np.mean(kept))


def _replicate(
    space: QuantileSpace,
    prices: PriceFunction | None,
    strikes: StrikeFunction | None,
    first: tuple[str | None, ...],
    count: int,
    seed: np.random.SeedSequence,
    sparse: bool,
) -> Float:
    """Welfare less first best, revenue and probability of sale of one replicate: (3,)."""
    rng, total = np.random.default_rng(seed), np.zeros(3)
    for i in range(space.n):
        others = [k for k in range(space.n) if k != i]
        joint = scrambled(count, max(sum(space.dims[k] for k in others), 1), rng)
        types = lattice(OWN_TYPES, space.dims[i], np.zeros(space.dims[i]))
        step = max(1, BATCH // OWN_TYPES)
        for start in range(0, count, step):
            some = joint[start : start + step]
            own = types + rng.random((len(some), 1, space.dims[i]))
            own -= own >= 1.0  # a remainder takes twenty times as long
            rows = _in_rows(space, i, own, first) if prices is None and sparse else own.shape[1]
            signals = _signals(space, i, others, some, own)
            total += _buyer(space, i, signals, prices, strikes, first, rows)
    return total / (count * OWN_TYPES)


def _in_rows(space: QuantileSpace, i: int, own: Float, first: tuple[str | None, ...]) -> int:
    """Give runs of own types (P, types, d) one first level each, spread evenly; returns how many runs. Each type stays
    uniform."""
    name = first[i]
    assert name is not None
    place = space.stated.buyers[i].signals.index(name)
    shift = own[:, :1, place]
    level = (np.repeat(np.arange(ROWS), own.shape[1] // ROWS) / ROWS + shift / ROWS) % 1.0
    own[:, :, place] = level
    return ROWS


def _signals(space: QuantileSpace, i: int, others: list[int], joint: Float, own: Float) -> dict[str, Float]:
    """All signals: the others' of shape (P, 1), the buyer's own (P, types)."""
    signals, place = space.own(i, own), 0
    for k in others:
        width = space.dims[k]
        signals |= {
            name: column[:, None] for name, column in space.own(k, joint[:, place : place + width]).items()
        }
        place += width
    return signals


def _buyer(
    space: QuantileSpace,
    i: int,
    signals: Mapping[str, Float],
    prices: PriceFunction | None,
    strikes: StrikeFunction | None,
    first: tuple[str | None, ...],
    rows: int,
) -> Float:
    """Sums over states of one buyer: gains won less gains that he should win, payments, sales."""
    instance, mine = space.instance, space.stated.buyers[i].signals
    rest = {name: column for name, column in signals.items() if name not in mine}
    value = instance.value(i, signals)
    if prices is not None:
        posted = prices.price(i, rest)
    else:
        name = first[i]
        assert strikes is not None and name is not None
        step = value.shape[1] // rows
        posted = np.broadcast_to(strikes.strike(i, signals[name][:, ::step], rest), (len(value), rows))
        posted = np.repeat(posted, step, axis=1)
    gains = np.stack([np.broadcast_to(instance.gain(k, signals), value.shape) for k in range(instance.n)])
    wins = value > posted
    should = should_win(gains, i, space.units)
    weight = space.density(signals)  # gains have it already
    paid = np.where(wins, np.where(np.isfinite(posted), posted, 0.0), 0.0) * weight
    lost = float((gains[i] * (wins.astype(np.float64) - should)).sum())
    return np.array([lost, float(paid.sum()), float((wins * weight).sum())])
