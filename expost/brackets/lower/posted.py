"""The welfare of posted prices: of the formulas on many states of the others, and what the suprema add on a few.

A supremum costs a search, a formula next to nothing. Where formulas are admissible, or nearly, suprema hardly exceed
them: what is won at the one price and not at the other differs little from state to state, and a few tell it."""

from __future__ import annotations

from functools import partial

import numpy as np

from expost._typing import Float
from expost.brackets.clock import ENDLESS, Clock
from expost.errors import AuditError
from expost.mechanisms.continuum.posted import PostedMechanism
from expost.spaces.efficient import should_win
from expost.spaces.quantile_space import lattice, scrambled

WIDE = 32
"""States without suprema for each point."""
OWN_TYPES = 128
"""Own types in each state of the others."""
BETWEEN = 256
"""States handled at once."""


def posted_replicate(
    mechanism: PostedMechanism, points: int, seed: np.random.SeedSequence, clock: Clock = ENDLESS
) -> float:
    """Welfare less first best on the sample of one seed, from 32 x ``points`` states of the others without suprema and
    an eighth of ``points`` with them, 8 at least.

    Raises AuditError when a state has more winners than units, OutOfTime."""
    rng, space = np.random.default_rng(seed), mechanism.space
    few, many = (scrambled(count, sum(space.dims), rng) for count in (max(points // 8, 8), WIDE * points))
    total, winners = 0.0, np.zeros(len(few), dtype=np.int64)
    for k in range(space.n):
        prices = mechanism.strike(k, space.split(few), clock.check)
        gained = partial(_gained, mechanism, k, rng=rng, clock=clock)
        stated = mechanism.given(k, space.split(few))
        total += float(gained(many, [mechanism.given(k, space.split(many))])[0])
        total += float(np.diff(gained(few, [stated, prices]))[0])
        winners += space.value(k, space.split(few)) > prices
    if (winners > space.units).any():
        raise AuditError(f"{mechanism.method}: a state with more winners than units")
    return total


def _gained(
    mechanism: PostedMechanism,
    k: int,
    joint: Float,
    prices: list[Float],
    rng: np.random.Generator,
    clock: Clock,
) -> Float:
    """What buyer k gains at each of some ``prices`` (P,) less what he gains where he should win: the mean over states
    of the others and own types."""
    space = mechanism.space
    found = np.zeros(len(prices))
    types = lattice(OWN_TYPES, space.dims[k], np.zeros(space.dims[k]))
    for start in range(0, len(joint), BETWEEN):
        clock.check()
        levels = space.split(joint[start : start + BETWEEN])
        own = (types + rng.random((len(levels[k]), 1, space.dims[k]))) % 1.0
        signals = space.signals([own if j == k else rest[:, None] for j, rest in enumerate(levels)])
        gains = np.stack(
            [np.broadcast_to(space.instance.gain(i, signals), own.shape[:2]) for i in range(space.n)]
        )
        value = space.instance.value(k, signals)
        should = float((gains[k] * should_win(gains, k, space.units)).sum())
        for place, price in enumerate(prices):
            found[place] += float((gains[k] * (value > price[start : start + BETWEEN, None])).sum()) - should
    return found / (len(joint) * OWN_TYPES)
