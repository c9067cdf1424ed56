"""Lower bounds: the welfare of a continuum mechanism on fresh samples, the first best as a control."""

from __future__ import annotations

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from expost.errors import AuditError
from expost.formulations.brackets.statistics import Limit, one_sided
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.mechanisms.continuum.space import scrambled

Float = NDArray[np.float64]


def mechanism_limit(
    mechanism: ContinuumMechanism,
    confidence: float,
    seed: np.random.SeedSequence,
    control: float,
    *,
    replicates: int = 16,
    points: int = 1024,
    jobs: int = 2,
) -> Limit:
    """Expected welfare less E[V_0] with the error of its limit; ``control`` is the first best, of which the caller
    knows the error.

    Completed mechanisms are evaluated at ``points`` leader's x 4 ``points`` follower's types in each replicate,
    others at as many random states. Raises AuditError when a state has two winners."""
    one = _pairs if isinstance(mechanism, CompletedMechanism) else _states
    run = Parallel(n_jobs=jobs, prefer="threads")
    found = run(delayed(one)(mechanism, points, child) for child in seed.spawn(replicates))
    limit = one_sided(list(found), confidence)
    return Limit(limit.mean + control, limit.error, confidence)


def _pairs(mechanism: CompletedMechanism, points: int, seed: np.random.SeedSequence) -> float:
    """Welfare less first best over all pairs of leader's and follower's types."""
    rng, space = np.random.default_rng(seed), mechanism.space
    leader, follower = mechanism.leader, mechanism.follower
    own = scrambled(points, space.dims[leader], rng)
    others = scrambled(4 * points, space.dims[follower], rng)
    schedules = mechanism.schedules(own)
    bins = mechanism.follower_bins(others)
    total, step = 0.0, max(1, (1 << 19) // len(others))
    for start in range(0, points, step):
        some = own[start : start + step]
        pair = [some[:, None], others[None]]
        signals = space.signals(pair if leader == 0 else pair[::-1])
        leads = space.instance.value(leader, signals) > mechanism.leader_strikes(some, others)
        follows = space.instance.value(follower, signals) > schedules[start : start + step][:, bins]
        if (leads & follows).any():
            raise AuditError(f"{mechanism.method}: a state with two winners")
        gains = [space.instance.gain(i, signals) for i in range(2)]
        efficient = np.maximum(np.maximum(gains[0], gains[1]), 0.0)
        total += float((gains[leader] * leads + gains[follower] * follows - efficient).sum())
    return total / (points * len(others))


def _states(mechanism: ContinuumMechanism, points: int, seed: np.random.SeedSequence) -> float:
    """Welfare less first best over random states."""
    rng, space = np.random.default_rng(seed), mechanism.space
    joint = scrambled(16 * points, sum(space.dims), rng)
    levels = np.split(joint, np.cumsum(space.dims)[:-1], axis=1)
    wins = mechanism.wins(levels)
    if (wins.sum(axis=0) > 1).any():
        raise AuditError(f"{mechanism.method}: a state with two winners")
    signals = space.signals(levels)
    gains = np.stack([space.instance.gain(i, signals) for i in range(space.n)])
    return float((np.where(wins, gains, 0.0).sum(axis=0) - np.maximum(gains.max(axis=0), 0.0)).mean())
