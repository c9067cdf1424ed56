"""Upper bounds from shadow prices, evaluated on fresh samples; the first best as a control.

For any u >= 0 the dual function D(u) (see ``fit``) is at least the second best. Estimated from random fibres with
random finite sets of own types it is, in expectation, at least D(u): the mean of replicates is an upper bound up to
its standard error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed

from expost.brackets.statistics import Limit, one_sided
from expost.brackets.upper.basis import ShadowPrices
from expost.brackets.upper.samples import draw_fibres, outer_points, respond
from expost.spaces.quantile_space import QuantileSpace, scrambled

CHUNK = 1 << 19
"""States evaluated at once by one worker."""


@dataclass(frozen=True)
class Quadrature:
    """Sizes of an evaluation: ``replicates`` independent ones, each with ``fibres`` states of the others and
    ``types`` own types in ``rows`` first-stage levels (sequential), strikes binned into ``bins``."""

    replicates: int = 16
    fibres: int = 512
    types: int = 8192
    rows: int = 64
    bins: int = 1024
    jobs: int = 2


def dual_replicates(
    space: QuantileSpace, u: ShadowPrices, size: Quadrature, seeds: list[np.random.SeedSequence]
) -> list[float]:
    """D(u) - (first best - E[V_0]), one value per seed."""
    run = Parallel(n_jobs=size.jobs, prefer="threads")
    return list(run(delayed(_replicate)(space, u, size, seed) for seed in seeds))


def _replicate(
    space: QuantileSpace, u: ShadowPrices, size: Quadrature, seed: np.random.SeedSequence
) -> float:
    rng = np.random.default_rng(seed)
    return sum(_side(space, u, i, size, rng) for i in range(space.n))


def _side(space: QuantileSpace, u: ShadowPrices, i: int, size: Quadrature, rng: np.random.Generator) -> float:
    """Buyer i's part: his maxima, and an n-th of E[u] less the control."""
    outer = outer_points(space, i, size.fibres, rng)
    step = max(1, CHUNK // size.types)
    total = 0.0
    for start in range(0, len(outer), step):
        fibres = draw_fibres(
            space, i, outer[start : start + step], size.types, size.rows, u.nodes, u.floor, rng
        )
        shadow = fibres.prices(u)
        best, _ = respond(fibres, shadow, bins=size.bins)
        total += float((best + (shadow.mean(axis=1) - fibres.best_gain) / space.n).sum())
    return total / len(outer)


def first_best(
    space: QuantileSpace,
    confidence: float,
    seed: np.random.SeedSequence,
    *,
    points: int = 1 << 16,
    replicates: int = 24,
) -> tuple[Limit, Limit]:
    """E[max(0, max_i w_i)] and E[V_0] of the continuum, each with the error of its one-sided limits."""
    best, kept = [], []
    for child in seed.spawn(replicates):
        rng = np.random.default_rng(child)
        joint = scrambled(points, sum(space.dims), rng)
        signals = space.signals(np.split(joint, np.cumsum(space.dims)[:-1], axis=1))
        gains = [space.instance.gain(i, signals) for i in range(space.n)]
        best.append(float(np.maximum(np.max(gains, axis=0), 0.0).mean()))
        kept.append(float(space.instance.seller_value(signals).mean()))
        if not np.isfinite([best[-1], kept[-1]]).all():
            return Limit(best[-1], np.inf, confidence), Limit(kept[-1], np.inf, confidence)
    return one_sided(best, confidence), one_sided(kept, confidence)


def dual_limit(
    space: QuantileSpace,
    u: ShadowPrices,
    size: Quadrature,
    confidence: float,
    seed: np.random.SeedSequence,
    control: float,
) -> Limit:
    """D(u) + E[V_0] with the error of its limit; ``control`` is the first best, of which the caller knows the
    error."""
    limit = one_sided(dual_replicates(space, u, size, seed.spawn(size.replicates)), confidence)
    return Limit(limit.mean + control, limit.error, confidence)
