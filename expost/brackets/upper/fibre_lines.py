"""Fibres line by line: all own signals but one are drawn, the last is integrated out.

Two static buyers. Along a line a buyer's value rises, so he wins beyond one place, and what he gains above a price is
an integral of one variable: with gains less shadow prices by parabolas, a smooth function of the price. Maxima over
prices then have next to no noise, where those over few random types are too high. Nor does anything have to be compared
with a rule. What is random are the states of the others and on which lines the own signals lie."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse

from expost._typing import Float
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.upper.basis import ShadowPrices, base_gain
from expost.brackets.upper.line_kernel import line_maxima, line_response, line_tables
from expost.brackets.upper.lines import STEEP, spread_evenly
from expost.brackets.upper.ridge import RidgeSample
from expost.brackets.upper.samples import chunks, draw_ridge, fewer, levels_along, outer_points, split_levels
from expost.spaces.mesh import hats
from expost.spaces.quantile_space import QuantileSpace, scrambled

PLACES = 33
"""Places on a line at which it is looked whether the value rises."""
RIDGE_LINES = 4
"""Lines of a fibre for each one on a surface, where a surface takes more than one line."""
LEAST = 128
"""Fibres of a replicate, at least."""
CHUNK = 1 << 17
"""States evaluated at once by one worker, with the usual panels."""

Along = tuple[tuple[int, bool], tuple[int, bool]]
"""For each buyer the place of the signal that is integrated out, and whether his value falls in it."""


@dataclass(frozen=True)
class LineQuadrature:
    """Sizes of an evaluation: ``replicates`` independent ones, each with ``fibres`` states of the others of both buyers
    and ``lines`` in each (one where there is no other signal), of ``panels`` each, at ``prices``."""

    replicates: int = 16
    fibres: int = 1024
    lines: int = 64
    panels: int = 16
    prices: int = 512

    @property
    def states(self) -> int:
        """Of a fibre."""
        return self.lines * (2 * self.panels + 1)

    def scaled(self, share: float) -> LineQuadrature:
        """The same with about ``share`` of its fibres (a power of two), ``LEAST`` at least."""
        return replace(self, fibres=fewer(self.fibres, share, LEAST))


def fibre_signals(space: QuantileSpace) -> Along | None:
    """What can be integrated out: for each buyer the signal in which his value always moves one way, from place to
    place on each of some random lines, of several the one with the largest least step. None where a buyer has no such
    signal, or with other than two static buyers, one unit, continuous priors and bounded supports."""
    if space.n != 2 or space.units > 1 or space.sequential or space.discrete or not space.bounded:
        return None
    one, other = (_steepest(space, i) for i in range(2))
    return None if one is None or other is None else (one, other)


def _steepest(space: QuantileSpace, i: int) -> tuple[int, bool] | None:
    found: list[tuple[float, tuple[int, bool]]] = []
    for place, (levels, at) in enumerate(levels_along(space, i, PLACES)):
        value = np.broadcast_to(space.value(i, levels), at.shape)
        if not np.isfinite(value).all():
            continue
        steps = np.diff(value, axis=1) / np.diff(at, axis=1) / (PLACES - 1)
        for falls, rise in ((False, steps.min()), (True, -steps.max())):
            if rise > STEEP * float(np.ptp(value)):
                found.append((float(rise), (place, falls)))
    return max(found)[1] if found else None


@dataclass(frozen=True, eq=False)
class LineFibres:
    """P fibres of buyer ``buyer``, each with the same lines of N = 2 x panels + 1 types, Q = lines x N, and R more on
    the ridge, in lines of their own.

    values (P, L, N), rising along each line, those on the ridge last. gains, base (P, Q). weight (L,), rule (N,): of a
    line, and of a place on it, in integrals over the fibre. prices: how many are tried, equally spaced between the
    least and the largest value. outer, inner, ridge: as in ``FibreSample``."""

    buyer: int
    values: Float = field(repr=False)
    gains: Float = field(repr=False)
    base: Float = field(repr=False)
    weight: Float = field(repr=False)
    rule: Float = field(repr=False)
    prices: int
    outer: sparse.csr_array = field(repr=False)
    inner: sparse.csr_array = field(repr=False)
    ridge: RidgeSample | None = None

    @property
    def measures(self) -> tuple[Float, ...]:
        """What the base counts in its mean over all fibres, off the ridge (P, Q) and on it (P, R)."""
        each = np.multiply.outer(self.weight, self.rule).ravel() / len(self.values)
        off = self.base.shape[1]
        if self.ridge is None:
            return (self.base * each,)
        return self.base * each[:off], self.ridge.base * each[off:]

    @property
    def efficient(self) -> Float:
        """The mean of the buyer's gains where he should win, about (P,)."""
        each = np.multiply.outer(self.weight, self.rule).ravel()[: self.base.shape[1]]
        return np.asarray((self.gains * (self.gains > self.base)) @ each)

    def net(self, u: ShadowPrices) -> tuple[Float, Float]:
        """Gains less u at every type (P, L, N), and half of the mean of u (P,): the other buyer bears the rest."""
        each = np.multiply.outer(self.weight, self.rule).ravel()
        shadow = u.evaluate(self.buyer, self.outer, self.inner, self.base)
        off = shadow.shape[1]
        net, cost = self.gains - shadow, 0.5 * (shadow @ each[:off])
        if self.ridge is not None and u.ridge is not None:
            pile = u.ridge.evaluate(self.buyer, self.ridge)
            net, cost = np.concatenate([net, -pile], axis=1), cost + 0.5 * (pile @ each[off:])
        return net.reshape(self.values.shape), cost

    def _prices(self) -> tuple[Float, Float]:
        """The lowest price and the distance between them, both (P,)."""
        least = self.values[:, :, 0].min(axis=1)
        return least, (self.values[:, :, -1].max(axis=1) - least) / (self.prices - 1)

    def gained(self) -> tuple[Float, Float, Float]:
        """What the buyer gains above each of the prices, (P, prices), without shadow prices and surfaces; the lowest
        price, and the distance between them, both (P,)."""
        least, step = self._prices()
        total = np.empty((len(least), self.prices))
        line_tables(self.gains.reshape(self.values.shape), self.values, self.weight, least, step, total)
        return total, least, step

    def worth(self, u: ShadowPrices) -> Float:
        """The maxima of the fibres at u and the buyer's half of E[u], (P,)."""
        net, cost = self.net(u)
        best = np.empty(len(net))
        line_maxima(net, self.values, self.weight, *self._prices(), self.prices, best)
        return best + cost

    def slopes(self, u: ShadowPrices, smoothing: float) -> tuple[Float, ...]:
        """How the mean of ``worth``, smoothed, moves with u as a multiple of the base: off the ridge (P, Q), on it
        (P, R)."""
        net, _ = self.net(u)
        wins = np.empty(net.shape)
        line_response(net, self.values, self.weight, *self._prices(), self.prices, smoothing, wins)
        off = self.base.shape[1]
        half = 0.5 * np.multiply.outer(self.weight, self.rule).ravel()
        share = (half - wins.reshape(len(net), -1)) / len(net)
        if self.ridge is None:
            return (self.base * share,)
        return self.base * share[:, :off], self.ridge.base * share[:, off:]


def draw_line_fibres(
    space: QuantileSpace,
    along: Along,
    i: int,
    outer: Float,
    lines: int,
    panels: int,
    prices: int,
    u: ShadowPrices,
    rng: np.random.Generator,
) -> LineFibres:
    """Fibres of buyer ``i`` at the other's levels ``outer`` (P, d_j), each with the same random lines, and some on the
    surface of ``u``'s ridge. u: its mesh, floor and ridge count, not its numbers."""
    place, falls = along[i]
    levels = _own_lines(space.dims[i], place, lines, panels, rng)
    levels[..., place] = 1.0 - levels[..., place] if falls else levels[..., place]
    inner = levels.reshape(-1, space.dims[i])
    signals = space.signals(split_levels(space, i, outer, inner))
    shape = (len(outer), len(inner))
    gains = np.stack([np.broadcast_to(space.instance.gain(j, signals), shape) for j in range(2)])
    values = np.broadcast_to(space.instance.value(i, signals), shape).reshape(len(outer), *levels.shape[:2])
    weight, pile = np.full(len(levels), 1.0 / len(levels)), None
    if u.ridge is not None:
        free = [k for k in range(space.dims[i]) if k != u.ridge.places[i]]
        rest = _own_lines(len(free), free.index(place), max(1, lines // RIDGE_LINES), panels, rng)
        rest[..., free.index(place)] = (
            1.0 - rest[..., free.index(place)] if falls else rest[..., free.index(place)]
        )
        pile = draw_ridge(space, i, outer, rest.reshape(-1, len(free)), u.ridge, u.floor)
        values = np.concatenate([values, pile.values.reshape(len(outer), *rest.shape[:2])], axis=1)
        weight = np.append(weight, np.full(len(rest), 1.0 / len(rest)))
    simpson = np.full(2 * panels + 1, 2.0)
    simpson[1::2], simpson[[0, -1]] = 4.0, 1.0
    return LineFibres(
        i,
        np.ascontiguousarray(values),
        np.ascontiguousarray(gains[i]),
        base_gain(gains, u.floor),
        weight,
        simpson / (6.0 * panels),
        prices,
        hats(outer, max(u.nodes, 1)),
        hats(inner, max(u.nodes, 1)),
        pile,
    )


def _own_lines(dims: int, place: int, lines: int, panels: int, rng: np.random.Generator) -> Float:
    """Levels (lines or 1, 2 x panels + 1, dims) of random lines along the signal at ``place``. One other signal is
    drawn twice in each of equal intervals, once mirrored in its middle: what rises or falls within one is not seen."""
    count = lines if dims > 1 else 1
    found = np.empty((count, 2 * panels + 1, dims))
    found[..., place] = np.linspace(0.0, 1.0, 2 * panels + 1)
    others = [k for k in range(dims) if k != place]
    if len(others) == 1:
        found[..., others[0]] = spread_evenly(count, rng)[:, None]
    elif others:
        found[..., others] = scrambled(count, len(others), rng)[:, None]
    return found


def lines_replicate(
    seed: np.random.SeedSequence,
    space: QuantileSpace,
    u: ShadowPrices,
    size: LineQuadrature,
    clock: Clock = ENDLESS,
) -> float:
    """D(u) less E[V_0] on the fibres of one seed. Raises OutOfTime."""
    rng, along = np.random.default_rng(seed), fibre_signals(space)
    assert along is not None
    total, usual = 0.0, replace(size, panels=LineQuadrature.panels)
    for i in range(2):
        # as many fibres at once whatever the panels are, for lines are drawn anew each time
        for outer in chunks(outer_points(space, i, size.fibres, rng), usual.states, clock, CHUNK):
            fibres = draw_line_fibres(space, along, i, outer, size.lines, size.panels, size.prices, u, rng)
            total += float(fibres.worth(u).sum())
    return total / size.fibres


def enough_panels(
    space: QuantileSpace, u: ShadowPrices, size: LineQuadrature, exact: float, clock: Clock = ENDLESS
) -> LineQuadrature | None:
    """The size with as many panels as make twice as many no better than ``exact`` (unit: welfare), on a few fibres;
    None where four times as many are not enough."""
    few = replace(size, fibres=128)
    for _ in range(3):
        twice = replace(few, panels=2 * few.panels)
        coarse, fine = (
            lines_replicate(np.random.SeedSequence(0), space, u, one, clock) for one in (few, twice)
        )
        if abs(coarse - fine) <= exact:
            return replace(size, panels=few.panels)
        few = twice
    return None
