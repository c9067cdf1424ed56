"""The welfare of posted prices: of the formulas on many states, and what the suprema add on a few fibres.

A supremum costs a search, a formula next to nothing. Where formulas are admissible, or nearly, suprema hardly exceed
them: what is won at the one price and not at the other differs little from state to state, and a few tell it."""

from __future__ import annotations

import numpy as np

from expost._typing import Float
from expost.brackets.clock import ENDLESS, Clock
from expost.errors import AuditError
from expost.mechanisms.continuum.posted import PostedMechanism
from expost.spaces.efficient import best_gains
from expost.spaces.quantile_space import lattice, scrambled

WIDE = 2048
"""States without suprema for each point. Fibres of own types would be a waste: for the same work the error of
``four-buyers`` is five times as large."""
OWN_TYPES = 2048
"""Own types in each state of the others that has suprema."""
AT_ONCE = 1 << 14
"""States handled at once."""


def posted_replicate(
    mechanism: PostedMechanism, points: int, seed: np.random.SeedSequence, clock: Clock = ENDLESS
) -> float:
    """Welfare less first best on the sample of one seed, from 2,048 x ``points`` states without suprema and a 32nd
    of ``points`` states of each buyer's others with them, 8 at least.

    Raises AuditError when a state has more winners than units, OutOfTime."""
    rng, space = np.random.default_rng(seed), mechanism.space
    few, many = (scrambled(count, sum(space.dims), rng) for count in (max(points // 32, 8), WIDE * points))
    total, winners = _stated(mechanism, many, clock), np.zeros(len(few), dtype=np.int64)
    for k in range(space.n):
        levels = space.split(few)
        prices = mechanism.strike(k, levels, clock.check)
        total += _added(mechanism, k, few, prices, rng)
        winners += space.value(k, levels) > prices
    if (winners > space.units).any():
        raise AuditError(f"{mechanism.method}: a state with more winners than units")
    return total


def _stated(mechanism: PostedMechanism, joint: Float, clock: Clock) -> float:
    """What the formulas gain less what is gained where it should be: the mean over states."""
    space, total = mechanism.space, 0.0
    for start in range(0, len(joint), AT_ONCE):
        clock.check()
        levels = space.split(joint[start : start + AT_ONCE])
        signals = space.signals(levels)
        shape = (len(levels[0]),)
        gains = np.stack([np.broadcast_to(space.instance.gain(i, signals), shape) for i in range(space.n)])
        total -= float(best_gains(gains, space.units).sum())
        for i, gain in enumerate(gains):
            total += float(gain[space.instance.value(i, signals) > mechanism.given(i, levels)].sum())
    return total / len(joint)


def _added(
    mechanism: PostedMechanism, k: int, joint: Float, prices: Float, rng: np.random.Generator
) -> float:
    """What buyer k gains at ``prices`` (P,) less what he does at his formula's: the mean over states of the others and
    own types."""
    space, levels = mechanism.space, mechanism.space.split(joint)
    stated = mechanism.given(k, levels)
    types = lattice(OWN_TYPES, space.dims[k], np.zeros(space.dims[k]))
    own = (types + rng.random((len(joint), 1, space.dims[k]))) % 1.0
    signals = space.signals([own if j == k else rest[:, None] for j, rest in enumerate(levels)])
    value, gain = space.instance.value(k, signals), space.instance.gain(k, signals)
    won = (value > prices[:, None]).astype(np.int8) - (value > stated[:, None])
    return float((gain * won).mean())
