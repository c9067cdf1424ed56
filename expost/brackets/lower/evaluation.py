"""Lower bounds: the welfare of a continuum mechanism on fresh samples, the first best as a control."""

from __future__ import annotations

from functools import partial

import numpy as np

from expost._typing import Float
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.lower.posted import posted_replicate
from expost.brackets.statistics import Limit, one_sided
from expost.brackets.upper.dual import replicated
from expost.brackets.workers import Workers
from expost.errors import AuditError
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.mechanisms.continuum.posted import PostedMechanism
from expost.spaces.efficient import best_gains, should_win
from expost.spaces.mesh import hats
from expost.spaces.quantile_space import lattice, scrambled

OWN_TYPES = 256
"""Own types in each state of the others on which a completion of three buyers or more is evaluated."""
STATES = 1 << 18
"""States handled at once."""
BETWEEN = 128
"""States whose suprema are computed between two looks at the clock."""


def mechanism_limit(
    mechanism: ContinuumMechanism,
    confidence: float,
    seed: np.random.SeedSequence,
    control: float,
    *,
    replicates: int = 16,
    points: int = 1024,
    crossed: bool = False,
    clock: Clock = ENDLESS,
    workers: Workers | None = None,
) -> Limit:
    """Expected welfare less E[V_0] with the error of its limit; ``control`` is the first best, of which the caller
    knows the error.

    In each replicate completions of two buyers are evaluated at ``points`` x 4 ``points`` types of the first and the
    last, of more buyers at 4 ``points`` states of the others for each buyer (``crossed``: of all buyers' types, as many
    of each), other mechanisms at 16 ``points`` states.
    Raises AuditError when a state has more winners than units, OutOfTime."""
    one = partial(welfare_replicate, mechanism=mechanism, points=points, clock=clock, crossed=crossed)
    limit = one_sided(replicated(one, seed.spawn(replicates), workers or Workers(1)), confidence)
    return limit.shifted(control)


def welfare_replicate(
    seed: np.random.SeedSequence,
    mechanism: ContinuumMechanism,
    points: int,
    clock: Clock = ENDLESS,
    crossed: bool = False,
) -> float:
    """Welfare less first best on the sample of one seed: see ``mechanism_limit``."""
    if isinstance(mechanism, PostedMechanism):
        return posted_replicate(mechanism, points, seed, clock)
    if not isinstance(mechanism, CompletedMechanism):
        return states_replicate(mechanism, points, seed, clock)
    pairs = mechanism.space.n == 2 and mechanism.space.units == 1
    several = crossed_replicate if crossed else fibres_replicate
    return (_pairs if pairs else several)(mechanism, points, seed, clock)


def _pairs(
    mechanism: CompletedMechanism, points: int, seed: np.random.SeedSequence, clock: Clock = ENDLESS
) -> float:
    """Welfare less first best over all pairs of the two buyers' types: one supremum serves a whole row of pairs."""
    rng, space = np.random.default_rng(seed), mechanism.space
    leader, follower = mechanism.order
    own = scrambled(points, space.dims[leader], rng)
    others = scrambled(4 * points, space.dims[follower], rng)
    states: list[Float] = [np.empty(0)] * 2
    states[leader], states[follower] = own, np.full((points, space.dims[follower]), 0.5)
    schedules = []
    for start in range(0, points, BETWEEN):
        clock.check()
        schedules.append(
            mechanism.suprema(follower, [part[start : start + BETWEEN] for part in states], clock.check)
        )
    follows_at = np.concatenate(schedules)
    given = mechanism.slices(leader, follower, states)
    spread, bins = hats(others, mechanism.nodes), mechanism.bin_at(follower, others)
    outside = mechanism.outside(leader, [others, others], without=leader)
    total, step = 0.0, max(1, STATES // len(others))
    for start in range(0, points, step):
        clock.check()
        some = slice(start, start + step)
        pair = [own[some, None], others[None]]
        signals = space.signals(pair if leader == 0 else pair[::-1])
        strikes = np.asarray(spread @ given[some].T).T
        leads = (space.instance.value(leader, signals) > strikes) & ~outside
        follows = space.instance.value(follower, signals) > follows_at[some][:, bins]
        if (leads & follows).any():
            raise AuditError(f"{mechanism.method}: a state with two winners")
        gains = [space.instance.gain(i, signals) for i in range(2)]
        efficient = np.maximum(np.maximum(gains[0], gains[1]), 0.0)
        total += float((gains[leader] * leads + gains[follower] * follows - efficient).sum())
    return total / (points * len(others))


def fibres_replicate(
    mechanism: CompletedMechanism, points: int, seed: np.random.SeedSequence, clock: Clock = ENDLESS
) -> float:
    """Welfare less first best, buyer by buyer: where he wins less where he should, over many own types in each state of
    the others."""
    rng, space = np.random.default_rng(seed), mechanism.space
    joint = scrambled(4 * points, sum(space.dims), rng)
    total, winners = 0.0, np.zeros(len(joint), dtype=np.int64)
    for k in range(space.n):
        shifts = rng.random((len(joint), 1, space.dims[k]))
        types = (lattice(OWN_TYPES, space.dims[k], np.zeros(space.dims[k])) + shifts) % 1.0
        for start in range(0, len(joint), BETWEEN):
            clock.check()
            some = slice(start, start + BETWEEN)
            levels = space.split(joint[some])
            own = np.concatenate(
                [levels[k][:, None], types[some]], axis=1
            )  # the state's own type comes first
            strikes = mechanism.strikes_along(k, levels, own, clock.check)
            signals = space.signals([own if j == k else rest[:, None] for j, rest in enumerate(levels)])
            wins = space.instance.value(k, signals) > strikes
            winners[some] += wins[:, 0]
            gains = np.stack(
                [np.broadcast_to(space.instance.gain(i, signals), wins.shape) for i in range(space.n)]
            )
            should = should_win(gains, k, space.units)
            total += float((gains[k] * (wins.astype(np.float64) - should))[:, 1:].sum())
    if (winners > space.units).any():
        raise AuditError(f"{mechanism.method}: a state with more winners than units")
    return total / (len(joint) * OWN_TYPES)


def crossed_replicate(
    mechanism: CompletedMechanism, points: int, seed: np.random.SeedSequence, clock: Clock = ENDLESS
) -> float:
    """Welfare less first best over all combinations of a few types of each buyer: twice as many suprema as
    ``fibres_replicate`` computes, each of them serving a whole row of states. What one buyer takes from another is
    compared state by state, so where the item is rarely kept little noise is left."""
    rng, space = np.random.default_rng(seed), mechanism.space
    count = max(2, round((8 * points) ** (1.0 / (space.n - 1))))
    own = [scrambled(count, dims, rng) for dims in space.dims]
    places = np.indices((count,) * (space.n - 1)).reshape(space.n - 1, -1)
    wins = np.empty((space.n,) + (count,) * space.n, dtype=np.bool_)
    for k in range(space.n):
        levels = [np.empty(0)] * space.n
        levels[k] = np.full((places.shape[1], space.dims[k]), 0.5)
        for j, place in zip(mechanism.others(k), places, strict=True):
            levels[j] = own[j][place]
        found = []
        for start in range(0, places.shape[1], BETWEEN):
            clock.check()
            some = [part[start : start + BETWEEN] for part in levels]
            types = np.broadcast_to(own[k], (len(some[k]), *own[k].shape))
            strikes = mechanism.strikes_along(k, some, types, clock.check)
            signals = space.signals([types if j == k else rest[:, None] for j, rest in enumerate(some)])
            found.append(space.instance.value(k, signals) > strikes)
        wins[k] = np.moveaxis(np.concatenate(found).reshape((count,) * space.n), -1, k)
    if (wins.sum(axis=0) > space.units).any():
        raise AuditError(f"{mechanism.method}: a state with more winners than units")
    axes = [
        part.reshape((1,) * k + (count,) + (1,) * (space.n - 1 - k) + (space.dims[k],))
        for k, part in enumerate(own)
    ]
    signals = space.signals(axes)
    gains = np.stack(
        [np.broadcast_to(space.instance.gain(k, signals), wins.shape[1:]) for k in range(space.n)]
    )
    return float(((gains * wins).sum(axis=0) - best_gains(gains, space.units)).mean())


def states_replicate(
    mechanism: ContinuumMechanism, points: int, seed: np.random.SeedSequence, clock: Clock = ENDLESS
) -> float:
    """Welfare less first best over random states."""
    rng, space = np.random.default_rng(seed), mechanism.space
    joint = scrambled(16 * points, sum(space.dims), rng)
    total = 0.0
    for start in range(0, len(joint), STATES >> 4):
        clock.check()
        total += _excess(mechanism, joint[start : start + (STATES >> 4)], clock)
    return total / len(joint)


def _excess(mechanism: ContinuumMechanism, joint: Float, clock: Clock) -> float:
    """The sum over states (rows of levels of all buyers)."""
    space = mechanism.space
    levels = space.split(joint)
    wins = mechanism.wins(levels, clock.check)
    if (wins.sum(axis=0) > space.units).any():
        raise AuditError(f"{mechanism.method}: a state with more winners than units")
    signals = space.signals(levels)
    gains = np.stack([space.instance.gain(i, signals) for i in range(space.n)])
    return float((np.where(wins, gains, 0.0).sum(axis=0) - best_gains(gains, space.units)).sum())
