"""Odd-cycle inequalities of the linear relaxation: found exactly, as half the sum of the rows along a closed walk.

Rows ``x_a + x_b (+ x_c) <= 1`` say that two literals differ, arcs ``x_a <= x_b`` that they agree. Along a closed walk
over variables with an odd number of rows of the first kind, every variable is met twice, so all coefficients of the
sum of the rows are even but those of bystanders, and the right-hand side is odd: halved and rounded down, the sum is
an inequality that every rule satisfies and a fractional point may not. A point breaks it by half of what
the total slack of the rows falls short of 1. Shortest walks in the graph with two copies of each variable (even, odd)
find one wherever there is one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from expost._typing import Bool, Float, Int32, Int64
from expost.solver.nbuyers.kernels import Steps, odd_cycles
from expost.solver.program import Program
from expost.solver.result import HalfSums

NEAR = 1e-4
"""Variables closer than this to 0 or 1 are no sources: a walk that is broken meets a fractional variable."""

TOLL = 2e-3
"""What a step costs on top of its slack: of two walks that are broken alike, the shorter is the better cut."""

BROKEN = 0.9
"""Total slack, tolls included, below which a walk is worth a cut."""

OFTEN = 2
"""Walks through a variable after which it is no source any more, in one search."""

EFFORT = 5_000_000
"""Steps looked at in one search: a quarter of a second."""

ROOM = 60
"""Rows a cut on average for which there is room."""


@dataclass(frozen=True, eq=False)
class PricedCuts:
    """Cuts with their prices in the unit of the weights, float64 (cuts,)."""

    sums: HalfSums
    prices: Float

    def kept(self, keep: Bool) -> PricedCuts:
        """Those cuts for which ``keep``, bool (cuts,), is true."""
        lengths = np.diff(self.sums.start)
        rows = self.sums.rows[np.repeat(keep, lengths)]
        start = np.concatenate([[0], np.cumsum(lengths[keep])])
        return PricedCuts(HalfSums(start, rows, self.sums.multiplier[keep]), self.prices[keep])

    def joined(self, other: HalfSums) -> PricedCuts:
        """With further cuts, at no price."""
        sums = HalfSums(
            np.concatenate([self.sums.start, other.start[1:] + self.sums.start[-1]]),
            np.concatenate([self.sums.rows, other.rows]),
            np.concatenate([self.sums.multiplier, other.multiplier]),
        )
        return PricedCuts(sums, np.concatenate([self.prices, np.zeros(len(other.multiplier))]))


NO_CUTS = PricedCuts(
    HalfSums(np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)),
    np.zeros(0),
)


def separate(program: Program, x: Float, most: int, seed: int, effort: int = EFFORT) -> HalfSums:
    """At most ``most`` inequalities that ``x`` (float64, (variables,)) breaks; none where no walk is short enough.

    effort: steps looked at, after which the search ends with what it has.
    """
    sources = np.flatnonzero((x > NEAR) & (x < 1.0 - NEAR)).astype(np.int32)
    np.random.default_rng(seed).shuffle(sources)
    start, rows = odd_cycles(steps_of(program, x), sources, BROKEN, TOLL, OFTEN, most, ROOM * most, effort)
    count = len(start) - 1
    found = PricedCuts(HalfSums(start.astype(np.int64), rows.astype(np.int64), _none(count)), np.zeros(count))
    return found.kept(_different(found.sums, program)).sums


def _none(count: int) -> Int64:
    return np.zeros(count, dtype=np.int64)


def _different(sums: HalfSums, program: Program) -> Bool:
    """Which cuts no earlier one has the rows of: random numbers of rows, added up, tell them apart."""
    count = program.arcs + len(program.packing) + len(program.covering)
    number = np.random.default_rng(count).integers(0, 1 << 40, count)
    total = np.bincount(
        np.repeat(np.arange(len(sums.start) - 1), np.diff(sums.start)),
        number[sums.rows].astype(np.float64),
        minlength=len(sums.start) - 1,
    )
    different = np.zeros(len(total), dtype=np.bool_)
    different[np.unique(total, return_index=True)[1]] = True
    return different


def steps_of(program: Program, x: Float) -> Steps:
    """Every pair of variables of every row, both ways, where the row alone does not use up the limit."""
    sides = [(program.tails, program.heads, 0, x[program.heads] - x[program.tails], 0)]
    # Two of three items in one state conflict with nothing: only rows with one item make their variables differ.
    packing = program.packing if program.capacity == 1 else program.packing[:0]
    for rows, first, sign in (
        (packing, program.arcs, 1.0),
        (program.covering, program.arcs + len(program.packing), -1.0),
    ):
        width = rows.shape[1]
        for a in range(width):
            for b in range(a + 1, width):
                one, other = rows[:, a], rows[:, b]
                sides.append((one, other, 1, sign * (1.0 - x[one] - x[other]), first))
    tails = np.concatenate([side[0] for side in sides])
    heads = np.concatenate([side[1] for side in sides])
    flips = np.repeat(np.array([side[2] for side in sides], dtype=np.uint8), [len(side[0]) for side in sides])
    slack = np.maximum(np.concatenate([side[3] for side in sides]), 0.0)
    row = np.concatenate([np.arange(len(side[0]), dtype=np.int32) + np.int32(side[4]) for side in sides])
    kept = slack < BROKEN
    tails, heads, flips, slack, row = tails[kept], heads[kept], flips[kept], slack[kept], row[kept]
    ends, to = np.concatenate([tails, heads]), np.concatenate([heads, tails])
    by = np.argsort(ends, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=program.variables))]).astype(np.int32)
    twice = by % len(tails)
    return Steps(start, to[by], flips[twice], slack[twice], row[twice])


@dataclass(frozen=True, eq=False)
class Cuts:
    """Inequalities ``sum(coefficient * x[variable]) <= limit``: entries compressed by cut.

    start: int64 (cuts + 1,). variable: int64 (entries,). coefficient: int64 (entries,). limit: int64 (cuts,).
    """

    start: Int64
    variable: Int64
    coefficient: Int64
    limit: Int64


def inequalities(program: Program, sums: HalfSums) -> Cuts:
    """Half the sum of the rows of each cut, coefficients and limit rounded down."""
    count, n = len(sums.start) - 1, program.variables
    cut = np.repeat(np.arange(count), np.diff(sums.start))
    first, last = program.arcs, program.arcs + len(program.packing)
    arc, pack = sums.rows < first, (sums.rows >= first) & (sums.rows < last)
    cover = sums.rows >= last
    parts: list[tuple[Int64, Int32, int]] = [
        (cut[arc], program.tails[sums.rows[arc]], 1),
        (cut[arc], program.heads[sums.rows[arc]], -1),
        *((cut[pack], column, 1) for column in program.packing[sums.rows[pack] - first].T),
        *((cut[cover], column, -1) for column in program.covering[sums.rows[cover] - last].T),
    ]
    key = np.concatenate([where * n + variable for where, variable, _ in parts])
    sign = np.concatenate([np.full(len(where), s, dtype=np.int64) for where, _, s in parts])
    keys, inverse = np.unique(key, return_inverse=True)
    total = np.zeros(len(keys), dtype=np.int64)
    np.add.at(total, inverse, sign)
    half = total >> 1  # rounds down
    keys, half = keys[half != 0], half[half != 0]
    limit = program.capacity * np.bincount(cut[pack], minlength=count) - np.bincount(
        cut[cover], minlength=count
    )
    start = np.searchsorted(keys, np.arange(count + 1) * n)
    return Cuts(start.astype(np.int64), keys % n, half, limit.astype(np.int64) >> 1)
