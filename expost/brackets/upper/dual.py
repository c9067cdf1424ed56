"""Upper bounds from shadow prices, evaluated on fresh samples; the first best as a control.

For any u >= 0 the dual function D(u) (see ``fit``) is at least the second best. Estimated from random fibres with
random finite sets of own types it is, in expectation, at least D(u): the mean of replicates is an upper bound up to
its standard error."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, Self, TypeVar

import numpy as np

from expost._typing import Float
from expost.brackets.clock import ENDLESS, Clock, OutOfTime
from expost.brackets.statistics import Limit, one_sided
from expost.brackets.upper.basis import ShadowPrices
from expost.brackets.upper.reference import Reference
from expost.brackets.upper.samples import chunks, draw_fibres, fewer, outer_points, respond
from expost.brackets.workers import Workers
from expost.spaces.efficient import best_gains
from expost.spaces.quantile_space import QuantileSpace, scrambled
from expost.spaces.type_space import discretize

MOST_ATOMS = 1 << 20
"""States of discrete priors that are summed instead of sampled, at most."""
FEWEST = 4
"""Replicates without which there is no limit."""
LEAST = 128
"""Fibres of a replicate, at least."""


class Sizes(Protocol):
    """How large an evaluation is."""

    @property
    def replicates(self) -> int:
        """Independent ones."""
        ...

    @property
    def fibres(self) -> int:
        """States of the others in each, for each buyer."""
        ...

    def scaled(self, share: float) -> Self:
        """The same with about ``share`` of the fibres."""
        ...


Size = TypeVar("Size", bound=Sizes)


@dataclass(frozen=True)
class Quadrature:
    """Sizes of an evaluation: ``replicates`` independent ones, each with ``fibres`` states of the others and
    ``types`` own types in ``rows`` first-stage levels (sequential), strikes binned into ``bins``. wide: how many times
    as many fibres answer with a share 1/wide of the types. The mean comes from these, and from the first what few types
    add to it: maxima over few types are too high, and by how much differs far less from fibre to fibre than they do."""

    replicates: int = 16
    fibres: int = 512
    types: int = 8192
    rows: int = 64
    bins: int = 1024
    wide: int = 1

    @property
    def states(self) -> int:
        """Of a fibre."""
        return self.types

    @property
    def pairs(self) -> tuple[int, int]:
        """Types of two buyers on whose pairs a rule's welfare is evaluated."""
        return 2 * self.fibres, max(1, self.types // 4)

    def scaled(self, share: float) -> Quadrature:
        """The same with about ``share`` of its fibres (a power of two)."""
        return replace(self, fibres=fewer(self.fibres, share, LEAST))


def dual_replicate(
    seed: np.random.SeedSequence,
    space: QuantileSpace,
    u: ShadowPrices,
    size: Quadrature,
    clock: Clock = ENDLESS,
    reference: Reference | None = None,
) -> float:
    """D(u) - (first best - E[V_0]) on the sample of one seed. Raises OutOfTime."""
    assert u.blend == 0.0  # scattered types are drawn with the plain base
    rng = np.random.default_rng(seed)
    total = sum(_side(space, u, i, size, rng, clock, reference) for i in range(space.n))
    return total if reference is None else total + _welfare(space, reference, size, rng, clock)


def _welfare(
    space: QuantileSpace, rule: Reference, size: Quadrature, rng: np.random.Generator, clock: Clock
) -> float:
    """The rule's gains less the first best, on fewer states than the maxima take."""
    outer, inner = (outer_points(space, 1 - i, count, rng) for i, count in enumerate(size.pairs))
    total = sum(rule.welfare(space, some, inner) * len(some) for some in chunks(outer, len(inner), clock))
    return total / len(outer)


def _side(
    space: QuantileSpace,
    u: ShadowPrices,
    i: int,
    size: Quadrature,
    rng: np.random.Generator,
    clock: Clock,
    reference: Reference | None,
) -> float:
    """Buyer i's part: by how much his maxima are above the efficient or another rule, all at his gains less u."""

    def mean(outer: Float, types: int) -> float:
        total = 0.0
        for some in chunks(outer, types, clock):
            fibres = draw_fibres(space, i, some, types, size.rows, u.nodes, u.floor, rng, u.ridge)
            if reference is not None:
                fibres = reference.applied(space, fibres)
            net, cost = fibres.net(u)
            best, _ = respond(fibres, net, bins=size.bins)
            total += float((best + cost - fibres.efficient).sum())
        return total / len(outer)

    outer = outer_points(space, i, size.fibres, rng)
    found = mean(outer, size.types)
    if size.wide > 1:
        few = max(1, size.types // size.wide)
        found += mean(outer_points(space, i, size.fibres * size.wide, rng), few) - mean(outer, few)
    return found


def replicated(
    one: partial[float], seeds: list[np.random.SeedSequence], workers: Workers
) -> list[float | None]:
    """``one`` of every seed; None for those that ran out of time. Raises OutOfTime where too few are left."""
    found = workers.map(partial(_in_time, one), seeds)
    if sum(value is not None for value in found) < min(FEWEST, len(seeds)):
        raise OutOfTime
    return found


def _in_time(one: partial[float], seed: np.random.SeedSequence) -> float | None:
    try:
        return one(seed)
    except OutOfTime:
        return None


def first_best(
    space: QuantileSpace,
    confidence: float,
    seed: np.random.SeedSequence,
    *,
    points: int = 1 << 16,
    replicates: int = 24,
    clock: Clock = ENDLESS,
    workers: Workers | None = None,
) -> tuple[Limit, Limit, int]:
    """E[the ``units`` largest positive w_i] and E[V_0] of the continuum, each with the error of its one-sided limits,
    and from how many points a replicate: under a limit of time, as many as a twentieth of it allows."""
    if clock.limited:
        efficient(np.random.SeedSequence(0), space, 2)  # what is done once only does not count
        each = clock.each(lambda few: efficient(np.random.SeedSequence(0), space, few), 256, points)
        while points > 256 and each * points * replicates > 0.05 * clock.left:
            points //= 2
    pairs = (workers or Workers(1)).map(
        partial(efficient, space=space, points=points), seed.spawn(replicates)
    )
    best, kept = zip(*pairs, strict=True)
    for values in (best, kept):
        if not np.isfinite(values).all():
            broken = float(np.mean(values))
            return Limit(broken, np.inf, confidence), Limit(float(np.mean(kept)), np.inf, confidence), points
    return one_sided(list(best), confidence), one_sided(list(kept), confidence), points


def efficient(seed: np.random.SeedSequence, space: QuantileSpace, points: int) -> tuple[float, float]:
    """The means of the efficient gain and of V_0 on the sample of one seed; exact where all priors are discrete."""
    if space.finite and math.prod(count or 1 for own in space.atoms for count in own) <= MOST_ATOMS:
        types = discretize(space.instance, 1)
        return types.first_best - types.seller, types.seller
    joint = scrambled(points, sum(space.dims), np.random.default_rng(seed))
    signals = space.signals(space.split(joint))
    gains = [space.instance.gain(i, signals) for i in range(space.n)]
    best = float(best_gains(np.stack(np.broadcast_arrays(*gains)), space.units).mean())
    return best, float(space.instance.seller_value(signals).mean())


def dual_limit(
    space: QuantileSpace,
    u: ShadowPrices,
    size: Quadrature,
    confidence: float,
    seed: np.random.SeedSequence,
    control: float,
    *,
    clock: Clock = ENDLESS,
    workers: Workers | None = None,
    reference: Reference | None = None,
) -> Limit:
    """D(u) + E[V_0] with the error of its limit; ``control`` is the first best, of which the caller knows the
    error. Raises OutOfTime."""
    one = partial(dual_replicate, space=space, u=u, size=size, clock=clock, reference=reference)
    limit = one_sided(replicated(one, seed.spawn(size.replicates), workers or Workers(1)), confidence)
    return limit.shifted(control)


def affordable(
    one: Callable[[int], object], size: Size, few: int, clock: Clock, jobs: int, share: float
) -> Size:
    """The size, made smaller where a ``share`` of the time that is left would not do. one: evaluates a replicate with
    so many fibres; with a ``few`` it is timed."""
    if not clock.limited:
        return size
    one(1)  # what is compiled by it does not count
    each = clock.each(one, few, few) / jobs
    return size.scaled(share * clock.left / max(each * size.fibres * size.replicates, 1e-9))
