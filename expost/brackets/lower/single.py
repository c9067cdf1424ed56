"""One buyer: the second best is a price, or strikes that do not rise, with nobody's shadow price in the way."""

from __future__ import annotations

import numpy as np

from expost._typing import Float
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.lower.evaluation import mechanism_limit
from expost.brackets.lower.polish import falling
from expost.brackets.memory import room
from expost.brackets.upper.basis import ShadowPrices, constant_prices
from expost.brackets.upper.responses import sequential_response
from expost.brackets.upper.samples import draw_fibres
from expost.mechanisms.continuum.solo import SoloMechanism
from expost.spaces.quantile_space import QuantileSpace

ROWS = 128
"""Mesh cells of the first level on which strikes are sought."""
LEVELS = 1 << 22
"""Levels (types times signals) of one random set, at most."""
BYTES = 200
"""Of memory for each level of one random set."""


def largest_set(space: QuantileSpace, types: int) -> int:
    """So many types, or as many as are no larger than ``LEVELS`` levels and fit into the memory: a power of two."""
    dims = sum(space.dims)
    while types * dims > LEVELS or not room(BYTES * types * dims):
        types //= 2
    return types


def no_prices(space: QuantileSpace) -> ShadowPrices:
    """u = 0: one buyer needs no shadow price."""
    return constant_prices(space.dims, 0, 0.0, 0.0)


def solo_mechanism(
    space: QuantileSpace,
    types: int,
    rng: np.random.Generator,
    *,
    samples: int = 8,
    bins: int = 8192,
    clock: Clock = ENDLESS,
) -> SoloMechanism:
    """The mean of the best strikes on ``samples`` random finite sets of about ``types`` types of the only buyer."""
    found = []
    for _ in range(samples):
        clock.check()
        found.append(_strikes(space, types, rng, bins))
    theta = falling(np.mean(found, axis=0)[:, None])[:, 0]
    word = "one price" if len(theta) == 1 else "strikes"
    return SoloMechanism(space, f"best {word} of one buyer", (0,), theta, 0)


def best_solo(
    space: QuantileSpace,
    types: int,
    rng: np.random.Generator,
    seed: np.random.SeedSequence,
    clock: Clock = ENDLESS,
) -> SoloMechanism:
    """The better, on a sample of its own, of strikes by first level and of one price for all (Zik, Theorem 7)."""
    found = [solo_mechanism(space, types, rng, clock=clock)]
    if space.sequential:
        single = solo_mechanism(QuantileSpace(space.stated, (None,)), types, rng, clock=clock)
        found.append(SoloMechanism(space, single.method, (0,), single.theta, 0))
    points = min(types >> 2, 1 << 12)
    return max(
        found,
        key=lambda one: mechanism_limit(one, 0.5, seed, 0.0, replicates=4, points=points, clock=clock).mean,
    )


def _strikes(space: QuantileSpace, types: int, rng: np.random.Generator, bins: int) -> Float:
    """A single price, or strikes at the nodes of a mesh of the first level."""
    fibres = draw_fibres(space, 0, np.zeros((1, 0)), types, ROWS, 0, 0.0, rng)
    best = np.empty(1)
    if fibres.rows == 1:
        ranked = fibres.values[0, fibres.order[0]]
        total = np.cumsum(fibres.gains[0, fibres.order[0]][::-1])[::-1]
        at = int(total.argmax())
        if total[at] <= 0.0:
            return np.array([np.inf])
        return np.array([ranked[at] if at == 0 else 0.5 * (ranked[at - 1] + ranked[at])])
    wins, strikes = np.empty(fibres.gains.shape), np.empty((1, fibres.rows))
    sequential_response(
        fibres.gains, fibres.values, fibres.order, fibres.rows, bins, True, wins, best, strikes
    )
    middle = strikes[0]
    inner = 0.5 * (middle[:-1] + middle[1:])
    return np.concatenate([[middle[0]], inner, [middle[-1]]])
