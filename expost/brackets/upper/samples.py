"""Samples of fibres: random states of the others, each with a random finite set of own types.

Every own type and every state of the others is uniform in quantile space, so averages are unbiased; a maximum over
the prices of a finite set of types is, in expectation, at least the continuum's (a continuum rule restricted to the
set is feasible there)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from expost._typing import Bool, Float, Float32, Int32
from expost.brackets.clock import Clock
from expost.brackets.upper.basis import ShadowPrices, base_gain
from expost.brackets.upper.responses import sequential_response, static_response
from expost.brackets.upper.ridge import Ridge, RidgeSample
from expost.formulations.blocks import tie_width
from expost.spaces.efficient import should_win
from expost.spaces.mesh import hats
from expost.spaces.quantile_space import QuantileSpace, lattice, scrambled

RIDGE_SHARE = 4
"""Types of a fibre for each one on the surface. Few of them make maxima over prices too large, for a price may pass
just by one: with 16 a fit on 128 fibres of 2,048 types of ``jmmz`` is worth 0.8274, with 4 it is worth 0.8266 after as
much work."""
RIDGE_FEWEST = 8
"""Types of a fibre on the surface, at least."""
PROBES = 256
"""States at which it is looked how values move."""
CHUNK = 1 << 18
"""States evaluated at once by one worker."""


@dataclass(frozen=True, eq=False)
class FibreSample:
    """P fibres of buyer ``i`` with Q own types each, and R more on the ridge; arrays (P, Q) in the order of the sample.

    values (P, Q + R). order (P, Q + R): own types by increasing value within each row (rows = 1 unless sequential).
    share (P, Q), float32: the buyer's of what u costs in a state: a unit where he should win, and an n-th of what
    nobody should. efficient (P,): the mean of his gains where he should win. levels: of the others (P, their
    dimensions) and the own ones (Q, d_i).
    """

    buyer: int
    rows: int
    values: Float = field(repr=False)
    gains: Float = field(repr=False)
    base: Float = field(repr=False)
    share: Float32 = field(repr=False)
    efficient: Float = field(repr=False)
    order: Int32 = field(repr=False)
    outer: sparse.csr_array = field(repr=False)
    inner: sparse.csr_array = field(repr=False)
    levels: tuple[Float, Float] = field(repr=False)
    ridge: RidgeSample | None = None

    @property
    def measures(self) -> tuple[Float, ...]:
        """What the base counts in its mean over all fibres, off the ridge (P, Q) and on it (P, R)."""
        bases = (self.base,) if self.ridge is None else (self.base, self.ridge.base)
        return tuple(base / base.size for base in bases)

    @property
    def shares(self) -> tuple[Float32, ...]:
        """The shares off the ridge (P, Q), and on it (P, R) where there is one."""
        return (self.share,) if self.ridge is None else (self.share, self.ridge.share)

    def net(self, u: ShadowPrices) -> tuple[Float, Float]:
        """Gains less u at every type (P, Q + R), such that their mean over a fibre is what it gains in all; and the
        mean of the buyer's share of u (P,)."""
        shadow = u.evaluate(self.buyer, self.outer, self.inner, self.base)
        cost = (shadow * self.share).mean(axis=1)
        if self.ridge is None or u.ridge is None:
            return self.gains - shadow, cost
        pile = u.ridge.evaluate(self.buyer, self.ridge)
        off, on = shadow.shape[1], pile.shape[1]
        net = np.concatenate([(self.gains - shadow) / off, pile / -on], axis=1) * (off + on)
        return net, cost + (pile * self.ridge.share).mean(axis=1)

    def slopes(self, u: ShadowPrices, smoothing: float) -> tuple[Float, ...]:
        """How the mean over all fibres of their smoothed maxima and of the buyer's share of u moves with u as a
        multiple of the base: base x (share - chance to win), off the ridge (P, Q) and on it (P, R). Nothing where he
        wins what he should."""
        _, wins = respond(self, self.net(u)[0], smoothing=smoothing, bins=128, rule=self.rows > 1)
        split = np.split(wins, [self.gains.shape[1]], axis=1)
        return tuple(
            measure * (share - won)
            for measure, share, won in zip(self.measures, self.shares, split, strict=False)
        )


def own_types(
    space: QuantileSpace, i: int, types: int, rows: int, rng: np.random.Generator
) -> tuple[Float, int]:
    """About ``types`` own types of buyer ``i``, (Q, d_i), and their rows: a shifted lattice, or, where he reports in
    two stages, ``rows`` levels of the first signal each with its own shifted lattice of the second stage."""
    dims, place = space.dims[i], space.first[i]
    if place is None:
        return space.snapped(i, lattice(types, dims, rng.random(dims))), 1
    seconds = max(1, types // rows)
    levels = np.empty((rows, seconds, dims))
    others = [k for k in range(dims) if k != place]
    levels[:, :, place] = ((np.arange(rows) + rng.random()) / rows)[:, None]
    points = lattice(seconds, dims - 1, np.zeros(dims - 1))
    levels[:, :, others] = (points[None] + rng.random((rows, 1, dims - 1))) % 1.0
    return space.snapped(i, levels.reshape(-1, dims)), rows


def split_levels(space: QuantileSpace, i: int, outer: Float, inner: Float) -> list[Float]:
    """Levels of all buyers over the states of P fibres, to broadcast: ``outer`` (P, sum of the others' d), and the own
    ones ``inner``, the same in every fibre (Q, d_i), or each fibre's (P, .., d_i)."""
    if inner.ndim == 2:
        inner = inner[None]
    axes = (1,) * (inner.ndim - 2)
    ends = np.cumsum([dims for j, dims in enumerate(space.dims) if j != i], dtype=np.intp)
    levels = [part.reshape(len(part), *axes, -1) for part in np.split(outer, ends, axis=1)[:-1]]
    return [*levels[:i], inner, *levels[i:]]


def levels_along(space: QuantileSpace, i: int, places: int) -> Iterator[tuple[list[Float], Float]]:
    """Of each of buyer i's signals in turn everybody's levels at ``places`` levels of it, in ``PROBES`` random states
    otherwise, (PROBES, places, d) each; and these levels (PROBES, places): both ends and one near each of equally
    spaced places, at random, so that nothing is seen at the same places everywhere."""
    rng = np.random.default_rng(0)
    joint = scrambled(PROBES, sum(space.dims), rng)
    for place in range(space.dims[i]):
        at = np.tile(np.linspace(0.0, 1.0, places), (PROBES, 1))
        at[:, 1:-1] += rng.uniform(-0.45, 0.45, (PROBES, places - 2)) / (places - 1)
        levels = [own[:, None].repeat(places, axis=1) for own in space.split(joint)]
        levels[i][..., place] = at
        yield levels, at


def chunks(outer: Float, states: int, clock: Clock, most: int = CHUNK) -> Iterator[Float]:
    """The others' states of some fibres at a time, at most ``most`` states of ``states`` a fibre. Raises OutOfTime."""
    step = max(1, most // states)
    for start in range(0, len(outer), step):
        clock.check()
        yield outer[start : start + step]


def fewer(fibres: int, share: float, least: int) -> int:
    """About ``share`` of the fibres, halved and halved again, ``least`` at least."""
    while share < 0.7 and fibres > least:
        fibres //= 2
        share *= 2.0
    return fibres


def draw_fibres(
    space: QuantileSpace,
    i: int,
    outer: Float,
    types: int,
    rows: int,
    nodes: int,
    floor: float,
    rng: np.random.Generator,
    ridge: Ridge | None = None,
) -> FibreSample:
    """Fibres of buyer ``i`` at the others' levels ``outer`` (P, their dimensions), each with the same random own
    types, and some on the surface of ``ridge``."""
    inner, rows = own_types(space, i, types, rows, rng)
    signals = space.signals(split_levels(space, i, outer, inner))
    shape = (len(outer), len(inner))
    gains = np.stack([np.broadcast_to(space.instance.gain(j, signals), shape) for j in range(space.n)])
    values = np.broadcast_to(space.instance.value(i, signals), shape)
    should = should_win(gains, i, space.units)
    pile = None
    if ridge is not None:
        free = space.dims[i] - 1
        count = max(RIDGE_FEWEST, types // RIDGE_SHARE)
        rest = lattice(count, free, rng.random(free)) if free else np.zeros((1, 0))
        pile = draw_ridge(space, i, outer, rest, ridge, floor)
    if pile is not None:
        values = np.concatenate([values, pile.values], axis=1)
    order = np.argsort(values.reshape(len(outer), rows, -1), axis=2).astype(np.int32).reshape(values.shape)
    joint = hats(outer, nodes) if nodes and outer.shape[1] else sparse.csr_array(np.ones((len(outer), 1)))
    return FibreSample(
        i,
        rows,
        np.ascontiguousarray(values),
        np.ascontiguousarray(gains[i]),
        base_gain(gains, floor, space.units),
        units_of(should, gains, space.units),
        (gains[i] * should).mean(axis=1),
        order,
        joint,
        hats(inner, max(nodes, 1)),
        (outer, inner),
        pile,
    )


def units_of(should: Bool, gains: Float, units: int) -> Float32:
    """A buyer's of the units in each state, ``gains`` (n, ..): one where he ``should`` win, and an n-th of those that
    nobody should have. They add up to all units; that they follow the efficient rule keeps the sum over buyers,
    each on a sample of his own, from being noise."""
    share = should.astype(np.float32)
    left = units - (gains > 0.0).sum(axis=0)
    if left.max() > 0:
        share += (np.maximum(left, 0) / len(gains)).astype(np.float32)
    return share


def draw_ridge(
    space: QuantileSpace,
    i: int,
    outer: Float,
    rest: Float,
    ridge: Ridge,
    floor: float,
) -> RidgeSample:
    """Types of buyer ``i`` on the surface, at the rival's levels ``outer`` (P, d_j), all other own levels ``rest``
    (R, d_i - 1)."""
    own_place, rival_place = ridge.places[i], ridge.places[1 - i]
    count, free = rest.shape
    common = outer[:, rival_place]
    inner = np.empty((len(outer), count, space.dims[i]))
    inner[..., [k for k in range(space.dims[i]) if k != own_place]] = rest
    inner[..., own_place] = common[:, None]
    rivals = np.broadcast_to(outer[:, None], (len(outer), count, outer.shape[1]))
    levels = [inner, rivals] if i == 0 else [rivals, inner]
    signals = space.signals(levels)
    shape = inner.shape[:2]
    gains = np.stack([np.broadcast_to(space.instance.gain(j, signals), shape) for j in range(2)])
    moved = np.concatenate([np.delete(outer, rival_place, axis=1), common[:, None]], axis=1)
    return RidgeSample(
        base_gain(gains, floor),
        np.broadcast_to(space.instance.value(i, signals), shape),
        units_of(should_win(gains, i, 1), gains, 1),
        hats(moved, ridge.nodes),
        hats(rest, ridge.nodes) if free else sparse.csr_array(np.ones((1, 1))),
        inner,
    )


def respond(
    fibres: FibreSample, net: Float, *, smoothing: float = 0.0, bins: int = 512, rule: bool = False
) -> tuple[Float, Float]:
    """The maxima of the fibres (P,) at gains ``net`` of shadow prices (P, Q + R), and a response (P, Q + R) when asked
    for by ``smoothing`` (static) or ``rule`` (sequential), else an empty array."""
    best = np.empty(len(net))
    wanted = smoothing > 0.0 or rule
    wins = np.empty(net.shape) if wanted else np.empty((0, 0))
    if fibres.rows == 1:
        static_response(net, fibres.values, fibres.order, tie_width(fibres.values), smoothing, wins, best)
    else:
        strikes = np.empty((len(net), fibres.rows)) if wanted else np.empty((0, 0))
        sequential_response(net, fibres.values, fibres.order, fibres.rows, bins, wanted, wins, best, strikes)
    return best, wins


def outer_points(space: QuantileSpace, i: int, points: int, rng: np.random.Generator) -> Float:
    """Levels of the others of buyer ``i``, (points, their dimensions), a scrambled sample; one row when there are
    none."""
    dims = sum(space.dims) - space.dims[i]
    if not dims:
        return np.zeros((1, 0))
    joint, start = scrambled(points, dims, rng), 0
    for j in range(space.n):
        if j != i:
            end = start + space.dims[j]
            joint[:, start:end] = space.snapped(j, joint[:, start:end])
            start = end
    return joint
