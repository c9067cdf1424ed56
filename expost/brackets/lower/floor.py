"""A floor under a completion's welfare (lower, rigorous): its strikes bounded from above on boxes of others' levels.

On every box B of the others' levels (and in every cell of a sequential buyer's first level) buyer k faces at most the
strike T: the largest of his given strike, and of what he can be worth where somebody earlier may win, everything at its
most favourable corner. The mechanism that asks for T on the whole box is admissible wherever the completion with exact
suprema is: a buyer's own strike may always be raised, for those after him it is the given one that counts. It wins

    every type of the box whose value, at its least over B, exceeds T,

which along one own level in which V_k moves is all of it beyond one place: that place is solved for, the other own
levels are cut into cells. What is won counts with its mean gain where gains are straight (affine along every level),
that at the middle, else with its least one, slice by slice. Types that win on a part of B or a cell only count where
their gain may be negative.

Of the first buyer, where his value is straight and nobody's gain is negative, the strike is taken as it is: value less
strike is affine along every level of a box, hence positive in it where it is at its corners."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from expost._typing import Bool, Float, Int64
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.workers import Workers
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.mechanisms.continuum.monotone import directions, straight
from expost.mechanisms.continuum.ranges import Course, Ranges
from expost.mechanisms.continuum.suprema import Conflicts, Suprema
from expost.spaces.mesh import hats, mesh_points
from expost.spaces.quantile_space import Levels, QuantileSpace

AT_ONCE = 1 << 20
"""Boxes times own cells handled at once, at most."""
SLICES = 8
"""Of what is won, each counted with its least gain where gains are not straight."""
FLOORS = 24
"""Lowest strikes that are tried for the last buyer where gains may be negative."""
HALVINGS = 20
"""Of the level that is solved for, where values are not straight."""
BEYOND = 1e-9
"""How far beyond the place at which value and strike are computed to be equal types are tested (unit: levels)."""


@dataclass(frozen=True)
class FloorSizes:
    """boxes: per level of the others; own: cells per own level but the one that is solved for."""

    boxes: int
    own: int


def completion_floor(
    mechanism: CompletedMechanism, sizes: FloorSizes, clock: Clock = ENDLESS, workers: Workers | None = None
) -> float:
    """A floor under the welfare less E[V_0] of the completion with exact suprema. ``sizes.boxes`` is rounded up to a
    multiple of the given strikes' cells. Raises NotMonotone, OutOfTime."""
    boxes = _rounded(mechanism, sizes)
    total = 0.0
    for k in mechanism.order:
        buyer = _Buyer(mechanism, k, boxes, sizes.own)
        chunks = np.array_split(np.arange(boxes**buyer.levels), max(1, boxes**buyer.levels // buyer.at_once))
        found = (workers or Workers(1)).map(partial(_chunk, buyer, clock), chunks)
        total += sum(found) / boxes**buyer.levels
    return total


def _rounded(mechanism: CompletedMechanism, sizes: FloorSizes) -> int:
    per = mechanism.nodes - 1
    return -(-sizes.boxes // per) * per


def most_levels(space: QuantileSpace) -> int:
    """Of the others, at most."""
    return max(sum(space.dims) - own for own in space.dims)


def rounded_boxes(mechanism: CompletedMechanism, sizes: FloorSizes) -> int:
    """How many boxes of the others there are for one buyer, at most."""
    return int(_rounded(mechanism, sizes) ** most_levels(mechanism.space))


def _chunk(buyer: _Buyer, clock: Clock, chunk: Int64) -> float:
    clock.check()
    return buyer.total(chunk, clock)


class _Buyer:
    """Buyer ``k``'s side: boxes of the others by cells of his own levels but one. Raises NotMonotone."""

    def __init__(self, mechanism: CompletedMechanism, k: int, boxes: int, own: int) -> None:
        space = mechanism.space
        self.m, self.space, self.k, self.boxes, self.own = mechanism, space, k, boxes, own
        self.others, self.row = mechanism.others(k), space.first[k]
        self.levels = sum(space.dims[j] for j in self.others)
        self.value, self.gain = Ranges(space, k), Ranges(space, k, gain=True)
        self.signs = {
            (j, i): directions(space, j, i) for j in (*mechanism.earlier(k), k) for i in range(space.n)
        }
        self.solved = self._steepest()
        self.up = bool(self.signs[k, k][self.solved] > 0)
        self.even = straight(space, k, (k,), gain=False)
        self.cut = [place for place in range(space.dims[k]) if place != self.solved]
        self.row_at = -1 if self.row is None else self.cut.index(self.row)
        self.cells = mesh_points(own, len(self.cut)) * (own - 1) / own if self.cut else np.zeros((1, 0))
        self.at_once = max(1, AT_ONCE // len(self.cells))
        everywhere = [(np.zeros((1, d)), np.ones((1, d))) for d in space.dims]
        self.negative = float(self.gain.on(everywhere).low[0]) < 0.0
        least, largest = (float(end[0]) for end in self.value.on(everywhere))
        self.precision = max(mechanism.precision, 0.02 * (largest - least) / boxes)
        self.floors = np.linspace(least, largest, FLOORS)

    def _steepest(self) -> int:
        """The own level in which the value moves most at the middle of all others, a first-stage one left out."""
        line = np.repeat(np.full((1, self.space.dims[self.k]), 0.5), 2 * self.space.dims[self.k], axis=0)
        for place in range(self.space.dims[self.k]):
            line[2 * place : 2 * place + 2, place] = 0.0, 1.0
        levels = [line if j == self.k else np.full((1, d), 0.5) for j, d in enumerate(self.space.dims)]
        moves = np.abs(np.diff(self.value.at(levels).reshape(-1, 2), axis=1))[:, 0]
        if self.row is not None:
            moves[self.row] = -1.0
        return int(np.argmax(moves))

    def total(self, chunk: Int64, clock: Clock) -> float:
        """What he gains for certain in a chunk of boxes, summed."""
        places = np.stack(np.unravel_index(chunk, (self.boxes,) * self.levels), axis=1)
        low, high = places / self.boxes, (places + 1) / self.boxes
        first, last = np.zeros((len(chunk), len(self.cells))), np.zeros((len(chunk), len(self.cells)))
        if self.k != self.m.last:
            first, last = self._given(low, high)
        if self.k == self.m.order[0]:
            return float(self._welfare(low, high, first, last).sum())
        strikes = self._suprema(low, high, clock)
        if self.k != self.m.last or not self.negative:
            return float(self._welfare(low, high, *self._beyond(low, high, strikes, first, last)).sum())
        best = np.zeros(len(chunk))
        for floor in self.floors:
            raised = self._beyond(low, high, np.maximum(strikes, floor), first, last)
            best = np.maximum(best, self._welfare(low, high, *raised))
        return float(best.sum())

    def _beyond(
        self, low: Float, high: Float, strikes: Float, first: Float, last: Float
    ) -> tuple[Float, Float]:
        """From where on he wins in a part, and as a whole, at strikes (P, Q) constant on boxes."""
        worst, best = (self._corners(low, high, up=up) for up in (False, True))
        certain = self._solve(*worst, strikes, inside=False)
        possible = self._solve(*best, strikes, inside=True) if self.negative else certain
        return np.maximum(first, possible), np.maximum(last, certain)

    def _given(self, low: Float, high: Float) -> tuple[Float, Float]:
        """The same at his given strike: box by box its largest; where his value is straight, corner by corner."""
        own_low, own_high = self.cells, self.cells + 1.0 / self.own
        if self.value.course is not Course.STRAIGHT:
            at = [self._theta(corner, row) for corner, row in self._ends(low, high)]
            first, last = self._beyond(low, high, np.max(at, axis=0), np.zeros(()), np.zeros(()))
            if self.negative:  # the strike may be lower than its largest in a part of the box
                first, _ = self._beyond(low, high, np.min(at, axis=0), np.zeros(()), np.zeros(()))
            return first, last
        first, last = np.ones(()), np.zeros(())
        signs = self.signs[self.k, self.k][self.cut] > 0
        for corner, row in self._ends(low, high):
            others, strikes = self._split(corner), self._theta(corner, row)
            for up in (False, True) if self.negative else (False,):
                own = np.where(signs == up, own_high, own_low)
                if row is not None:
                    own[:, self.row_at] = row
                found = self._solve(others, own, strikes, inside=up)
                if up:
                    first = np.minimum(first, found)
                else:
                    last = np.maximum(last, found)
        return (first if self.negative else last), last

    def _ends(self, low: Float, high: Float) -> Iterator[tuple[Float, Float | None]]:
        """Every corner of each box, with either end of each own cell's first level where there is one: (P, levels) and
        (Q,)."""
        rows: list[Float | None] = [None]
        if self.row is not None:
            start = self.cells[:, self.row_at]
            rows = [start, start + 1.0 / self.own]
        for up in itertools.product((False, True), repeat=self.levels):
            for row in rows:
                yield np.where(up, high, low), row

    def _theta(self, others: Float, row: Float | None) -> Float:
        """His given strike at P points of the others and own cells' first levels: (P, Q) or (P, 1)."""
        given, nodes = self.m.given(self.k), self.m.nodes
        rows = np.asarray(hats(others, nodes) @ given.T)
        if row is None:
            return rows
        return np.asarray((hats(row[:, None], len(given)) @ rows.T).T)

    def _suprema(self, low: Float, high: Float, clock: Clock) -> Float:
        """His strike where somebody earlier may win, on every box and own cell: (P, Q) or (P, 1)."""
        earlier = self.m.earlier(self.k)
        ends = [self._filled(corner) for corner in (low, high)]
        reach = {
            j: [np.where(self.signs[j, i] > 0, ends[1][i], ends[0][i]) for i in range(self.space.n)]
            for j in (*earlier, self.k)
        }
        conflicts = Conflicts(
            self.space,
            self.k,
            {j: self._least(j, ends) for j in earlier},
            {j: self.signs[j, self.k] for j in (*earlier, self.k)},
            self.m.nodes,
            self.m.bins_of(self.k),
            self.m.depth,
            self.precision,
        )
        found = Suprema(conflicts, ends[0], reach).run(clock.check)
        if self.row is None:
            return found
        return found[
            :,
            np.minimum((self.cells[:, self.row_at] * found.shape[1]).astype(int), found.shape[1] - 1),
        ]

    def _least(self, j: int, ends: Sequence[Levels]) -> Float:
        """The least of buyer ``j``'s given strike over a box at every node of buyer k's levels, at a corner of what
        it depends on besides: (P, nodes)."""
        free = [
            (i, place)
            for i in self.others
            for place in range(self.space.dims[i])
            if i != j or place == self.space.first[j]
        ]
        found = None
        for up in itertools.product((0, 1), repeat=len(free)):
            levels = [own.copy() for own in ends[0]]
            for (i, place), end in zip(free, up, strict=True):
                levels[i][:, place] = ends[end][i][:, place]
            slices = self.m.slices(j, self.k, levels)
            found = slices if found is None else np.minimum(found, slices)
        return np.ascontiguousarray(found)

    def _filled(self, others: Float) -> list[Float]:
        """Levels of everybody, (P, d): his own do not matter."""
        found = self._split(others)
        return [
            np.zeros((len(others), d)) if i == self.k else found[i] for i, d in enumerate(self.space.dims)
        ]

    def _split(self, others: Float) -> dict[int, Float]:
        parts = np.split(others, np.cumsum([self.space.dims[j] for j in self.others])[:-1], axis=1)
        return dict(zip(self.others, parts, strict=True))

    def _corners(self, low: Float, high: Float, *, up: bool) -> tuple[dict[int, Float], Float]:
        """The corners of boxes and own cells at which his value is largest, or least: (P, d) each, (Q, cut levels)."""
        ends = self._split(low), self._split(high)
        others = {j: np.where((self.signs[self.k, j] > 0) == up, ends[1][j], ends[0][j]) for j in self.others}
        rising = (self.signs[self.k, self.k][self.cut] > 0) == up
        return others, np.where(rising, self.cells + 1.0 / self.own, self.cells)

    def _levels(self, others: dict[int, Float], own: Float, place: Float) -> list[Float]:
        """Levels of everybody at P boxes and Q own cells, ``place`` (P, Q) along the level that is solved for: from
        where he loses, 0, to where he wins, 1."""
        count = max(len(part) for part in others.values())
        mine = np.empty((count, len(own), self.space.dims[self.k]))
        mine[..., self.cut] = own
        mine[..., self.solved] = place if self.up else 1.0 - place
        return [mine if i == self.k else others[i][:, None] for i in range(self.space.n)]

    def _solve(self, others: dict[int, Float], own: Float, strikes: Float, *, inside: bool) -> Float:
        """The place beyond which his value exceeds the strikes, tested: it does there (1 where it never does), or,
        ``inside``, it does not yet (0 where it always does): (P, Q)."""

        def wins(place: Float) -> Bool:
            return np.asarray(self.value.at(self._levels(others, own, place)) > strikes)

        shape = (max(len(part) for part in others.values()), len(own))
        below, above = np.zeros(shape), np.ones(shape)
        if self.even:
            ends = [self.value.at(self._levels(others, own, end)) for end in (below, above)]
            guess = (strikes - ends[0]) / np.maximum(ends[1] - ends[0], 1e-300)
            place = np.clip(guess - BEYOND if inside else guess + BEYOND, 0.0, 1.0)
            if inside:
                return np.where(wins(place), 0.0, place)
            return np.where(ends[0] > strikes, 0.0, np.where(wins(place), place, 1.0))
        for _ in range(HALVINGS):
            middle = 0.5 * (below + above)
            won = wins(middle)
            below, above = np.where(won, below, middle), np.where(won, middle, above)
        if inside:
            return below
        return np.where(wins(np.zeros(shape)), 0.0, above)

    def _welfare(self, low: Float, high: Float, first: Float, last: Float) -> Float:
        """A floor under what he gains on each box, (P,): he wins beyond ``last``, and maybe beyond ``first``."""
        first = np.minimum(first, last)
        own = self.cells, self.cells + 1.0 / self.own
        if self.gain.course is Course.STRAIGHT:
            middle = self._levels(
                self._split(0.5 * (low + high)), 0.5 * (own[0] + own[1]), 0.5 * (last + 1.0)
            )
            found = self.gain.at(middle) * (1.0 - last)
        else:
            steps = [last + (1.0 - last) * step / SLICES for step in range(SLICES + 1)]
            slices = [
                self._least_gain(low, high, *ends) * (ends[1] - ends[0]) for ends in itertools.pairwise(steps)
            ]
            found = np.sum(slices, axis=0)
        if self.negative:
            found = found + np.minimum(self._least_gain(low, high, first, last), 0.0) * (last - first)
        return np.asarray(found.mean(axis=1))

    def _least_gain(self, low: Float, high: Float, start: Float, end: Float) -> Float:
        """The least gain between two places along the solved level, on every box and own cell."""
        places = (start, end) if self.up else (end, start)
        boxes = zip(
            self._levels(self._split(low), self.cells, places[0]),
            self._levels(self._split(high), self.cells + 1.0 / self.own, places[1]),
            strict=True,
        )
        return self.gain.on(list(boxes)).low
