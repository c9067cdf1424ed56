"""Polish the strikes of a leader without samples: what they earn is integrated along lines.

Two static buyers, each with a signal in which his value always moves one way (see ``upper/fibre_lines``). Against any
type of the other a buyer's gain above a price is then a function of one variable, integrated once and kept in a table:
the welfare of a completion is the mean of what the leader gains above his strikes and the follower above his suprema,
over equally spaced types of the other, a function of the strikes without noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from operator import itemgetter

import numpy as np
from scipy import sparse

from expost._typing import Float, Float32, Int64
from expost.brackets.clock import ENDLESS, Clock, OutOfTime
from expost.brackets.lower.line_polish_kernel import line_suprema, looked_up
from expost.brackets.lower.polish import POLISHED
from expost.brackets.memory import room
from expost.brackets.upper.basis import constant_prices
from expost.brackets.upper.fibre_lines import Along, draw_line_fibres, fibre_signals
from expost.brackets.workers import Threads, Workers
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.spaces.mesh import hats, mesh_points
from expost.spaces.quantile_space import QuantileSpace, lattice

PARTS = 4
"""Of each buyer's fibres, each handled by one thread."""
PANELS = 16
"""Of a line that a table is integrated along."""
BYTES = 12
"""Of memory for a pair of types on the lines of the follower, while these are made."""
DIPS = (0.0, 0.25, 0.5)
"""Of the spread of the leader's values: by how much strikes are lowered at the other's highest levels, in proportion to
the product of all his levels, before they are polished. Where the welfare has a kink in every direction, as with
Example 2's strikes, steps leave it slowly or not at all."""
TRIED = 0.15
"""Of the steps: after so many the best of the lowered strikes goes on alone."""
GUARD = 1e-3
"""Of a step's size, relative to the root mean square of the gradient."""


@dataclass(frozen=True)
class LinePolishPlan:
    """How one polish proceeds.

    points: types of the other per level against which each buyer is looked at. lines: of a fibre. prices: of a table.
    places: lines of the follower's types per other level, on which suprema are looked for. steps: how many, at first
    and then shorter ones. rate: length of their first step (relative to the spread of the leader's values); it falls to
    0 with the square of what is left. nodes: corrections are multilinear on a mesh of that many per level. evaluated:
    types of the leader in a replicate of the bound; the rougher strikes get, the more of them it takes. anew: what
    polishes the strikes to start from, unpolished ones then, for where short polishes end few types lead astray."""

    points: int = 48
    lines: int = 32
    prices: int = 512
    places: int = 129
    steps: tuple[int, int] = (600, 400)
    rate: tuple[float, float] = (0.027, 0.006)
    nodes: int = 17
    evaluated: int = 1024
    anew: LinePolishPlan | None = None


@dataclass(frozen=True, eq=False)
class _Fibres:
    """Some fibres of a buyer: hats of the strikes that he faces or, for the follower, the values on his lines, and on
    which of them (P,) the last suprema were; and the table of what he gains above prices."""

    table: Float = field(repr=False)
    least: Float = field(repr=False)
    step: Float = field(repr=False)
    spread: sparse.csr_array | None = field(repr=False, default=None)
    lead: Float32 | None = field(repr=False, default=None)
    own: Float32 | None = field(repr=False, default=None)
    line: Int64 = field(repr=False, default_factory=lambda: np.empty(0, dtype=np.int64))

    def gain(self, price: Float) -> tuple[Float, Float]:
        """What is gained above the ``price`` of each fibre, and how that moves with it."""
        gain, slope = np.empty(len(price)), np.empty(len(price))
        looked_up(self.table, self.least, self.step, price, gain, slope)
        return gain, slope


class TabledWelfare:
    """The welfare of a mechanism's strikes, and its gradient."""

    def __init__(
        self,
        mechanism: CompletedMechanism,
        plan: LinePolishPlan,
        clock: Clock = ENDLESS,
    ) -> None:
        """Raises OutOfTime."""
        space, along = mechanism.space, fibre_signals(mechanism.space)
        assert along is not None
        self.leader, self.follower = mechanism.order
        place, falls = along[self.follower]
        levels = _lines(space.dims[self.follower], place, plan.places, plan.nodes)
        if falls:
            levels[..., place] = 1.0 - levels[..., place]
        self.shape, types = levels.shape[:2], levels.reshape(-1, space.dims[self.follower])
        self.on_lines = hats(types, mechanism.nodes)
        self.fibres: list[_Fibres] = []
        self.count = {}
        for k, other in (mechanism.order, mechanism.order[::-1]):
            points = _centres(plan.points, space.dims[other])
            self.count[k] = len(points)
            for outer in np.array_split(points, PARTS):
                clock.check()
                table = _table(space, along, k, outer, plan, raised=k == self.follower)
                if k == self.leader:
                    self.fibres.append(_Fibres(*table, spread=hats(outer, mechanism.nodes)))
                    continue
                states = [outer[:, None], types[None]]
                pair = states if self.leader == 0 else states[::-1]
                lead, own = (
                    np.broadcast_to(space.value(j, pair), (len(outer), len(types))).astype(np.float32)
                    for j in (self.leader, k)
                )
                shape, line = (len(outer), *self.shape), np.zeros(len(outer), dtype=np.int64)
                self.fibres.append(
                    _Fibres(*table, lead=lead.reshape(shape), own=own.reshape(shape), line=line)
                )

    def part(self, fibres: _Fibres, theta: Float) -> tuple[float, Float]:
        """What some fibres add to the welfare of strikes ``theta`` (nodes,), and its gradient."""
        if fibres.spread is not None:
            gain, slope = fibres.gain(np.asarray(fibres.spread @ theta))
            share = 1.0 / self.count[self.leader]
            return share * float(gain.sum()), np.asarray(fibres.spread.T @ (share * slope))
        assert fibres.lead is not None and fibres.own is not None
        strike = np.asarray(self.on_lines @ theta).reshape(self.shape)
        count, share = len(fibres.lead), 1.0 / self.count[self.follower]
        top, moves = np.empty(count), np.empty((count, 2))
        line, place = fibres.line, np.empty(count, dtype=np.int64)
        line_suprema(fibres.lead, fibres.own, strike, top, line, place, moves)
        gain, slope = fibres.gain(top)
        push = np.zeros(self.shape)
        there = line >= 0
        for k in range(2):
            at = line[there], np.minimum(place[there] + k, self.shape[1] - 1)
            np.add.at(push, at, (share * slope * moves[:, k])[there])
        return share * float(gain.sum()), np.asarray(self.on_lines.T @ push.ravel())


Evaluated = Callable[[Float], tuple[float, Float]]
"""Welfare and gradient of strikes (nodes,)."""


def _climb(
    at: Evaluated, theta: Float, onto: sparse.csr_array, steps: int, rate: float, clock: Clock
) -> tuple[float, Float]:
    """Adam's steps along the gradient, ever shorter: the best strikes on the way, and their welfare."""
    mean, square = np.zeros(onto.shape[1]), np.zeros(onto.shape[1])
    best = (-math.inf, theta)
    for step, done in clock.paced(steps):
        welfare, slope = at(theta)
        best = max(best, (welfare, theta), key=itemgetter(0))
        gradient = onto.T @ slope
        mean += 0.1 * (gradient - mean)
        square += 0.01 * (gradient**2 - square)
        size = np.sqrt(square / (1.0 - 0.99 ** (step + 1)))
        least = GUARD * math.sqrt(float((size**2).mean())) + 1e-300
        length = rate * (1.0 - done) ** 2 / (1.0 - 0.9 ** (step + 1))
        theta = theta + onto @ (length * mean / (size + least))
    return best


def _evaluated(welfare: TabledWelfare, pool: Threads, theta: Float) -> tuple[float, Float]:
    """Welfare and gradient on one sample."""
    gains, slopes = zip(*pool.map(partial(welfare.part, theta=theta), welfare.fibres), strict=True)
    return sum(gains), np.asarray(sum(slopes))


def _lines(dims: int, place: int, lines: int, nodes: int) -> Float:
    """Levels of equally spaced lines of types along ``place``, at the places of the corrections' nodes: (lines, nodes,
    dims)."""
    rest = mesh_points(lines, dims - 1) if dims > 1 else np.zeros((1, 0))
    found = np.empty((len(rest), nodes, dims))
    found[..., place] = np.linspace(0.0, 1.0, nodes)
    found[..., [k for k in range(dims) if k != place]] = rest[:, None]
    return found


def _centres(points: int, dims: int) -> Float:
    """The middles of ``points`` intervals per level, (points**dims, dims)."""
    return (mesh_points(points, dims) * (points - 1) + 0.5) / points


def _table(
    space: QuantileSpace,
    along: Along,
    i: int,
    outer: Float,
    plan: LinePolishPlan,
    *,
    raised: bool,
) -> tuple[Float, Float, Float]:
    """What buyer ``i`` gains above equally spaced prices against types ``outer`` of the other; the least price and
    their distance. raised: above the best price at or above each, which a follower may take."""
    nothing = constant_prices(space.dims, 0, 0.0, 0.0)
    rng = np.random.default_rng(0)
    fibres = draw_line_fibres(space, along, i, outer, plan.lines, PANELS, plan.prices, nothing, rng)
    table, least, step = fibres.gained()
    if raised:
        table = np.maximum(np.maximum.accumulate(table[:, ::-1], axis=1)[:, ::-1], 0.0)
    return np.ascontiguousarray(table), least, step


def can_polish(mechanism: CompletedMechanism, plan: LinePolishPlan) -> bool:
    """Whether there are two static buyers with lines, and memory for the plan."""
    space = mechanism.space
    if space.n != 2 or space.sequential or fibre_signals(space) is None:
        return False
    points = [plan.points ** space.dims[k] for k in (0, 1)]
    follower = space.dims[mechanism.last]
    types = plan.places ** (follower - 1) * plan.nodes
    return room(16 * sum(points) * plan.prices + BYTES * points[mechanism.order[0]] * types)


def polish_on_lines(
    mechanism: CompletedMechanism,
    plan: LinePolishPlan,
    *,
    clock: Clock = ENDLESS,
    workers: Workers | None = None,
) -> CompletedMechanism:
    """The mechanism with the leader's strikes improved, the best on the way; itself where time does not suffice."""
    space, leader = mechanism.space, mechanism.order[0]
    joint = lattice(4096, sum(space.dims), np.full(sum(space.dims), 0.5))
    spread = max(float(np.std(space.value(leader, space.split(joint)))), 1e-300)
    levels = mesh_points(mechanism.nodes, space.dims[mechanism.last])
    coarse = 0 < plan.nodes < mechanism.nodes
    onto = hats(levels, plan.nodes) if coarse else sparse.eye_array(len(levels), format="csr")
    theta = mechanism.theta[0][0]
    best: tuple[float, Float] = (-math.inf, theta)
    with (workers or Workers(1)).threads() as pool, suppress(OutOfTime):
        at = partial(_evaluated, TabledWelfare(mechanism, plan, clock), pool)
        few, rate = max(1, round(TRIED * plan.steps[0])), plan.rate[0] * spread
        for dip in DIPS[: 1 if mechanism.method.endswith(POLISHED) else None]:
            lowered = theta - dip * spread * levels.prod(axis=1)
            found = _climb(at, lowered, onto, few, rate, clock.part(TRIED))
            best = max(best, found, key=itemgetter(0))
        for steps, rate in zip(plan.steps, plan.rate, strict=True):
            found = _climb(at, best[1], onto, steps, rate * spread, clock.part(0.6))
            best = max(best, found, key=itemgetter(0))
    method = mechanism.method.removesuffix(POLISHED) + POLISHED
    return replace(mechanism, theta=(best[1][None],), method=method)
