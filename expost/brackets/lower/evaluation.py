"""Lower bounds: the welfare of a continuum mechanism on fresh samples, the first best as a control."""

from __future__ import annotations

from functools import partial

import numpy as np

from expost._typing import Bool, Float
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.lower.posted import posted_replicate
from expost.brackets.lower.rough import rough_strikes
from expost.brackets.statistics import Limit, one_sided
from expost.brackets.upper.dual import replicated
from expost.brackets.workers import Workers
from expost.errors import AuditError
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.mechanisms.continuum.posted import PostedMechanism
from expost.spaces.efficient import best_gains, should_win
from expost.spaces.mesh import hats
from expost.spaces.quantile_space import Levels, QuantileSpace, lattice, scrambled

OWN_TYPES = 128
"""Own types in each state of the others on which a completion of three buyers or more is evaluated."""
WIDE = 16
"""States of the others with rough suprema for each point; with exact ones there is one for four points. Of
``three-buyers``, ``c`` first, 1,024 and 16 leave standard deviations of 0.0013 and 0.0006 after about as much work."""
FEWEST = 8
"""States with exact suprema, at least."""
AT_ONCE = 1 << 10
"""States of the others with rough suprema handled at once."""
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
    clock: Clock = ENDLESS,
    workers: Workers | None = None,
) -> Limit:
    """Expected welfare less E[V_0] with the error of its limit; ``control`` is the first best, of which the caller
    knows the error.

    In each replicate completions of two buyers are evaluated at ``points`` x 4 ``points`` types of the first and the
    last, of more buyers at the ``fibre_states`` of the others for each buyer, other mechanisms at 16 ``points`` states.
    Raises AuditError when a state has more winners than units, OutOfTime."""
    one = partial(welfare_replicate, mechanism=mechanism, points=points, clock=clock)
    limit = one_sided(replicated(one, seed.spawn(replicates), workers or Workers(1)), confidence)
    return limit.shifted(control)


def welfare_replicate(
    seed: np.random.SeedSequence,
    mechanism: ContinuumMechanism,
    points: int,
    clock: Clock = ENDLESS,
) -> float:
    """Welfare less first best on the sample of one seed: see ``mechanism_limit``."""
    if isinstance(mechanism, PostedMechanism):
        return posted_replicate(mechanism, points, seed, clock)
    if not isinstance(mechanism, CompletedMechanism):
        return states_replicate(mechanism, points, seed, clock)
    return (_pairs if in_pairs(mechanism) else fibres_replicate)(mechanism, points, seed, clock)


def in_pairs(mechanism: CompletedMechanism) -> bool:
    """Whether one supremum serves a whole row of pairs of types."""
    return mechanism.space.n == 2 and mechanism.space.units == 1


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


def fibre_states(points: int) -> tuple[int, int]:
    """How many states of each buyer's others ``fibres_replicate`` takes: with rough suprema, and with exact ones."""
    return WIDE * points, max(points // 4, FEWEST)


def fibres_replicate(
    mechanism: CompletedMechanism, points: int, seed: np.random.SeedSequence, clock: Clock = ENDLESS
) -> float:
    """Welfare less first best, buyer by buyer: where he wins less where he should, over own types in each state of the
    others. Most states have rough suprema; what exact ones add comes from a few, where it differs far less from state
    to state than what is won does."""
    rng, space = np.random.default_rng(seed), mechanism.space
    many, few = (scrambled(count, sum(space.dims), rng) for count in fibre_states(points))
    total, winners = 0.0, np.zeros(len(few), dtype=np.int64)
    for k in range(space.n):
        total += _roughly(mechanism, k, many, rng, clock)
        added, wins = _added(mechanism, k, few, rng, clock)
        total, winners = total + added, winners + wins
    if (winners > space.units).any():
        raise AuditError(f"{mechanism.method}: a state with more winners than units")
    return total


def _roughly(
    mechanism: CompletedMechanism, k: int, joint: Float, rng: np.random.Generator, clock: Clock
) -> float:
    """What buyer ``k`` gains at his rough strikes less what he gains where he should win: the mean over states of the
    others and own types."""
    space, total = mechanism.space, 0.0
    for start in range(0, len(joint), AT_ONCE):
        clock.check()
        levels = space.split(joint[start : start + AT_ONCE])
        own = _own_types(space, k, len(levels[k]), rng)
        signals = _along(space, k, levels, own)
        gains = np.stack(
            [np.broadcast_to(space.instance.gain(i, signals), own.shape[:2]) for i in range(space.n)]
        )
        wins = space.instance.value(k, signals) > rough_strikes(mechanism, k, levels, own)
        total += float((gains[k] * (wins.astype(np.float64) - should_win(gains, k, space.units))).sum())
    return total / (len(joint) * OWN_TYPES)


def _added(
    mechanism: CompletedMechanism, k: int, joint: Float, rng: np.random.Generator, clock: Clock
) -> tuple[float, Bool]:
    """What buyer ``k`` gains at his strikes less what he does at rough ones, the mean over states of the others and own
    types; and in which of the states he wins as the type that he is there."""
    space, total, wins = mechanism.space, 0.0, []
    for start in range(0, len(joint), BETWEEN):
        clock.check()
        levels = space.split(joint[start : start + BETWEEN])
        own = np.concatenate([levels[k][:, None], _own_types(space, k, len(levels[k]), rng)], axis=1)
        signals = _along(space, k, levels, own)
        value = space.instance.value(k, signals)
        won = value > mechanism.strikes_along(k, levels, own, clock.check)
        more = won.astype(np.int8) - (value > rough_strikes(mechanism, k, levels, own))
        total += float((space.instance.gain(k, signals) * more)[:, 1:].sum())
        wins.append(won[:, 0])
    return total / (len(joint) * OWN_TYPES), np.concatenate(wins)


def _own_types(space: QuantileSpace, k: int, count: int, rng: np.random.Generator) -> Float:
    """Types of buyer ``k`` for each of so many states of the others, (count, OWN_TYPES, d_k): shifted lattices."""
    types = lattice(OWN_TYPES, space.dims[k], np.zeros(space.dims[k]))
    return np.asarray((types + rng.random((count, 1, space.dims[k]))) % 1.0)


def _along(space: QuantileSpace, k: int, levels: Levels, own: Float) -> dict[str, Float]:
    """Signals at P states of the others of buyer ``k`` and his types ``own`` (P, Q, d_k)."""
    return space.signals([own if j == k else rest[:, None] for j, rest in enumerate(levels)])


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
