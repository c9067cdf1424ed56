"""Fibres whose own types lie on levels of equal value, common to all lines of a fibre.

Where V_i = slope x (one own level, the private one) + what the rest gives, own types are taken in lines along that
level, L equally spaced ones on each, moved such that the values of all lines of a fibre are on one grid: slope (k +
offset) / L, with one random offset for each fibre. On every line they are a uniformly shifted grid, whatever the rest
is: so they are uniform, and the maximum over prices between the levels of value is in expectation at least that of the
continuum, as with any random finite set of types (``samples``). But types of one level win together, and what is gained
above a price is a sum over whole lines, not a count of scattered types: maxima have little noise to be too high by."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from expost._typing import Float, Float32, Int32
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.upper.basis import ShadowPrices, Sided, base_gain
from expost.brackets.upper.level_kernel import (
    fill_lines,
    gather_lines,
    net_lines,
    sequential_levels,
    static_levels,
)
from expost.brackets.upper.mesh_kernel import Corners, corners_at
from expost.brackets.upper.samples import chunks, fewer, levels_along, outer_points, split_levels, units_of
from expost.errors import AuditError
from expost.spaces.efficient import should_win
from expost.spaces.quantile_space import QuantileSpace, lattice
from expost.tolerances import ASSUMPTION, allowance

GOLDEN = 0.5 * (math.sqrt(5.0) - 1.0)
PLACES = 9
"""Places of a level in which values are looked at for a private one."""


@dataclass(frozen=True)
class Private:
    """A buyer's private level, by place, and by how much his value rises along it. straight: whether everybody's gain
    is straight along it, too, and there is one unit."""

    place: int
    slope: float
    straight: bool = False


def private_levels(space: QuantileSpace) -> tuple[Private, ...] | None:
    """Each buyer's private level: not of the first stage, and his value rises straight along it, by as much in every
    state; of several the one with the steepest rise. None where a buyer has none, or with discrete priors."""
    if space.discrete:
        return None
    found = [_private(space, i) for i in range(space.n)]
    usable = tuple(one for one in found if one is not None)
    return usable if len(usable) == space.n else None


def _private(space: QuantileSpace, i: int) -> Private | None:
    found: list[Private] = []
    for place, (levels, at) in enumerate(levels_along(space, i, PLACES)):
        value = np.broadcast_to(space.value(i, levels), at.shape)
        slope = float((value[:, -1] - value[:, 0]).mean())
        if place == space.first[i] or not np.isfinite(value).all() or not slope > 0.0:
            continue
        if np.abs(value - value[:, :1] - slope * at).max() <= allowance(ASSUMPTION, value):
            gains = [np.broadcast_to(space.gain(j, levels), at.shape) for j in range(space.n)]
            straight = space.units == 1 < space.n and all(
                _bent(gain, at) <= allowance(ASSUMPTION, gain) for gain in gains
            )
            found.append(Private(place, slope, straight))
    return max(found, key=lambda one: one.slope, default=None)


def _bent(gain: Float, at: Float) -> float:
    """By how much gains at places ``at`` (.., K) are off the straight line from the first, at 0, to the last, at 1."""
    low, high = gain[..., :1], gain[..., -1:]
    return float(np.abs(gain - low - at * (high - low)).max())


@dataclass(frozen=True)
class Lines:
    """The types of a fibre: so many ``lines`` with so many ``types`` each. The lines of a buyer with two stages are
    those of as many first-stage levels, or, with three signals and more, of about the square root of that."""

    lines: int
    types: int

    @property
    def states(self) -> int:
        """Of a fibre."""
        return self.lines * self.types

    def halved(self) -> Lines:
        """Half as many of both."""
        return Lines(max(1, self.lines // 2), max(1, self.types // 2))


@dataclass(frozen=True, eq=False)
class LevelFibres:
    """P fibres of ``buyer`` with K lines of L types each, (P, K, L) in this order.

    rows: the lines are those of so many first-stage levels. share: the buyer's of what u costs in a state (see
    ``FibreSample``). efficient (P,): the mean of his gains where he should win. start (P, K): the level of value of
    each line's first type; shift (P, K): of the line, in parts of the distance of types. outer: the others' nodes,
    inner: the own ones where the private level is 0, ``stride`` apart along it, on a mesh of ``nodes`` per signal."""

    buyer: int
    rows: int
    nodes: int
    stride: int
    gains: Float = field(repr=False)
    base: Float = field(repr=False)
    share: Float32 = field(repr=False)
    efficient: Float = field(repr=False)
    start: Int32 = field(repr=False)
    shift: Float = field(repr=False)
    outer: Corners = field(repr=False)
    inner: Corners = field(repr=False)

    @property
    def measures(self) -> tuple[Float]:
        """What the base counts in its mean over all fibres (P, K, L)."""
        return (self.base / self.base.size,)

    def folded(self, others: Int32) -> LevelFibres:
        """The same among exchangeable buyers, of whose joint nodes each is in one of the sets ``others``."""
        return replace(self, outer=Corners(others[self.outer.nodes], self.outer.weights))

    def slopes(self, u: Sided, smoothing: float) -> tuple[Float]:
        """How the mean over all fibres of their maxima and of the buyer's share of u moves with u as a multiple of the
        base, (P, K, L): base x (share - chance to win)."""
        _, wins = self.respond(self.net(u)[0], smoothing, rule=True)
        np.subtract(self.share, wins, out=wins)
        wins *= self.base
        wins /= self.base.size
        return (wins,)

    def net(self, u: Sided) -> tuple[Float, Float]:
        """Gains less u (P, K, L), and the mean of the buyer's share of u (P,)."""
        net, cost = np.empty(self.base.shape), np.empty(len(self.base))
        net_lines(
            u.slices(self.buyer),
            *self.outer,
            *self.inner,
            self.stride,
            self.nodes,
            self.shift,
            self.base,
            self.gains,
            self.share,
            net,
            cost,
        )
        return net, cost

    def respond(self, net: Float, smoothing: float = 0.0, *, rule: bool = False) -> tuple[Float, Float]:
        """The maxima of the fibres (P,) at gains ``net`` of shadow prices, and a response (P, K, L) with ``rule``
        (static: smoothed, see ``static_levels``), else an empty array."""
        best = np.empty(len(net))
        wins = np.empty(net.shape if rule else (0, 0, 0))
        if self.rows == 1:
            static_levels(net, self.start, smoothing if rule else 0.0, wins, best)
        else:
            sequential_levels(net, self.start, self.rows, rule, wins, best)
        return best, wins

    def gathered(self, u: ShadowPrices, weights: Float) -> Float:
        """``weights`` (P, K, L) of the types at the nodes of the mesh, in its shape."""
        own = u.mesh.shape[self.buyer]
        others = [count for j, count in enumerate(u.mesh.shape) if j != self.buyer]
        at_nodes = self.gathered_side((math.prod(others), own), weights)
        return np.moveaxis(at_nodes.reshape(*others, own), -1, self.buyer)

    def gathered_side(self, shape: tuple[int, int], weights: Float) -> Float:
        """The same from the buyer's side: ``shape`` (others' nodes, or sets of them; own nodes)."""
        at_nodes = np.zeros(shape)
        gather_lines(weights, *self.outer, *self.inner, self.stride, self.nodes, self.shift, at_nodes)
        return at_nodes


def draw_levels(
    space: QuantileSpace,
    private: Private,
    i: int,
    outer: Float,
    size: Lines,
    u: ShadowPrices,
    rng: np.random.Generator,
) -> LevelFibres:
    """Fibres of buyer ``i`` at the others' levels ``outer`` (P, their dimensions), all with the same random lines. u:
    its mesh and floor count, not its numbers.

    Raises AuditError where his value does not rise along the private level by as much as it should."""
    own, rows = _own_lines(space, i, private.place, size, rng)
    offset = rng.random((len(outer), 1))
    # on every line elsewhere, and never at a round number
    somewhere = (offset[0] + GOLDEN * np.arange(len(own))) % 1.0
    low, there = (
        np.broadcast_to(space.value(i, split_levels(space, i, outer, moved)), (len(outer), len(own)))
        for moved in (_moved(own, private.place, 0.0), _moved(own, private.place, somewhere))
    )
    if np.abs(there - low - private.slope * somewhere).max() > 10.0 * allowance(ASSUMPTION, there):
        raise AuditError(
            f"the value of buyer {space.instance.buyers[i].name} is not straight in his own level"
        )
    place = low * (size.types / private.slope)
    start = np.ceil(place - offset)
    shift = np.clip(start + offset - place, 0.0, 1.0)
    gains, base, share, efficient = _on_lines(space, private, i, outer, own, shift, size.types, u)
    return LevelFibres(
        i,
        rows,
        u.nodes,
        u.nodes ** (space.dims[i] - 1 - private.place),
        gains,
        base,
        share,
        efficient,
        start.astype(np.int32),
        shift,
        corners_at(outer, u.nodes),
        _line_corners(own, private.place, u.nodes),
    )


def _on_lines(
    space: QuantileSpace,
    private: Private,
    i: int,
    outer: Float,
    own: Float,
    shift: Float,
    types: int,
    u: ShadowPrices,
) -> tuple[Float, Float, Float32, Float]:
    """Gains, base, share (P, K, L) and efficient (P,) of ``LevelFibres``, from the lines ``own`` (K, d_i).

    Raises AuditError where gains that are said to be straight are not."""
    count = 3 if private.straight else types
    middle = 0.25 + 0.5 * shift  # anywhere, for what is straight
    points = np.empty((*shift.shape, count, space.dims[i]))
    points[...] = own[:, None]
    points[..., private.place] = (
        np.stack([np.zeros_like(shift), middle, np.ones_like(shift)], axis=-1)
        if private.straight
        else (np.arange(types) + shift[..., None]) / types
    )
    signals = space.signals(split_levels(space, i, outer, points))
    gains = np.stack(
        [np.broadcast_to(space.instance.gain(j, signals), points.shape[:-1]) for j in range(space.n)]
    )
    if private.straight:
        low, there, high = np.moveaxis(gains, -1, 0)
        if np.abs(there - low - middle * (high - low)).max() > 10.0 * allowance(ASSUMPTION, gains):
            raise AuditError("gains are not straight along the lines of " + space.instance.buyers[i].name)
        shape = (*shift.shape, types)
        found, base, efficient = np.empty(shape), np.empty(shape), np.empty(len(shift))
        share = np.empty(shape, dtype=np.float32)
        fill_lines(low, high - low, shift, i, u.floor, u.blend, found, base, share, efficient)
        return found, base, share, efficient
    should = should_win(gains, i, space.units)
    return (
        np.ascontiguousarray(gains[i]),
        base_gain(gains, u.floor, space.units, u.blend),
        units_of(should, gains, space.units),
        (gains[i] * should).mean(axis=(1, 2)),
    )


def _own_lines(
    space: QuantileSpace, i: int, place: int, size: Lines, rng: np.random.Generator
) -> tuple[Float, int]:
    """Levels (K, d_i) of random lines, and of how many first-stage levels they are. All but the private level are a
    shifted lattice, folded: what is smooth in one of them is integrated with an error of the square of its spacing."""
    first = space.first[i]
    rest = [k for k in range(space.dims[i]) if k not in (place, first)]
    rows, lines = 1 if first is None else size.lines, size.lines if rest and first is None else 1
    if rest and first is not None:
        rows = max(1, math.isqrt(size.lines))
        lines = max(1, size.lines // rows)
    own = np.zeros((rows, lines, space.dims[i]))
    if first is not None:
        own[..., first] = ((np.arange(rows) + rng.random()) / rows)[:, None]
    if rest:
        even = (np.arange(lines) / lines)[:, None]
        points = even if len(rest) == 1 else lattice(lines, len(rest), np.zeros(len(rest)))
        own[..., rest] = 1.0 - np.abs(2.0 * ((points + rng.random((rows, 1, len(rest)))) % 1.0) - 1.0)
    return own.reshape(rows * lines, -1), rows


def _moved(own: Float, place: int, level: float | Float) -> Float:
    found = own.copy()
    found[:, place] = level
    return found


def _line_corners(own: Float, place: int, nodes: int) -> Corners:
    """The own nodes around each line where its private level is 0, and their weights: those of a point there, the half
    that counts."""
    around = corners_at(_moved(own, place, 0.0), nodes)
    stride = nodes ** (own.shape[1] - 1 - place)
    low = (around.nodes // stride) % nodes == 0
    shape = (len(own), around.nodes.shape[1] // 2)
    return Corners(around.nodes[low].reshape(shape), around.weights[low].reshape(shape))


@dataclass(frozen=True)
class LevelQuadrature:
    """Sizes of an evaluation: ``replicates`` independent ones, each with ``fibres`` states of the others with ``lines``
    of ``types`` each (see ``Lines``), and ``wide`` times as many with half of both: the mean comes from these, and from
    the first what halving adds to it."""

    replicates: int = 24
    fibres: int = 512
    lines: int = 32
    types: int = 64
    wide: int = 8

    @property
    def size(self) -> Lines:
        """The types of a fibre."""
        return Lines(self.lines, self.types)

    @property
    def states(self) -> int:
        """Of a fibre."""
        return self.size.states

    def scaled(self, share: float) -> LevelQuadrature:
        """The same with about ``share`` of its fibres (a power of two), 64 at least."""
        return replace(self, fibres=fewer(self.fibres, share, 64))


def levels_replicate(
    seed: np.random.SeedSequence,
    space: QuantileSpace,
    u: ShadowPrices,
    size: LevelQuadrature,
    clock: Clock = ENDLESS,
) -> float:
    """D(u) - (first best - E[V_0]) on the sample of one seed. Raises OutOfTime."""
    rng, private = np.random.default_rng(seed), private_levels(space)
    assert private is not None
    total = 0.0
    for i in range(space.n):
        mean = partial(_mean, space, private[i], i, u, rng=rng, clock=clock)
        outer = outer_points(space, i, size.fibres, rng)
        total += mean(outer, size.size)
        if size.wide > 1:
            few = size.size.halved()
            many = outer_points(space, i, size.wide * size.fibres, rng)
            total += mean(many, few) - mean(outer, few)
    return total


def _mean(
    space: QuantileSpace,
    private: Private,
    i: int,
    u: ShadowPrices,
    outer: Float,
    size: Lines,
    rng: np.random.Generator,
    clock: Clock,
) -> float:
    """By how much buyer i's maxima are above what he gains where he should win, with his share of E[u]."""
    total = 0.0
    others, side = u.others, u.sides[i]
    for some in chunks(outer, size.states, clock):
        fibres = draw_levels(space, private, i, some, size, u, rng)
        net, cost = (fibres if others is None else fibres.folded(others)).net(side)
        best, _ = fibres.respond(net)
        total += float((best + cost - fibres.efficient).sum())
    return total / len(outer)
