"""A rule from the fractional point, a few thresholds at a time: settle what is nearly decided, let the rest answer.

Where buyers are alike the fractional point is a mean of many rules. A little noise on the weights chooses among them;
then the variables nearest to 1 are settled with all that follows, the first-order method goes on for some steps with
the cuts at work, and so on until little is left to be cut at one half and handed to pairs of buyers.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from expost._typing import Bool, Float, Int8, Int32
from expost.solver.interrupts import stop_if_requested
from expost.solver.nbuyers.chains import Cover, restricted, with_cuts
from expost.solver.nbuyers.first_order import FirstOrder, Progressed
from expost.solver.nbuyers.kernels import Implications, settle_in_turn
from expost.solver.nbuyers.kicks import Rule, descend
from expost.solver.nbuyers.odd_cycles import NO_CUTS, inequalities
from expost.solver.nbuyers.pairs import Pairs
from expost.solver.nbuyers.tightening import Tightening
from expost.solver.program import FREE, Program

NOISE = (1e-3, 1e-4)
"""Standard deviations of the noise, as parts of each weight, dive by dive in turn."""

STEPS = 60
"""Steps of the first-order method between two settlements."""

SURE = 0.98
"""At least so near to 1, a variable is settled."""

SHARE, LEAST = 0.05, 40
"""Part and least number of the fractional variables above one half that are settled at a time."""

FRACTIONAL = 0.02
"""Nearer than this to 0 or 1 a variable counts as decided."""

FEW = 0.01
"""Part of the variables that may be fractional at the end."""

HALF = 1e-4
"""So far above one half a variable has to be to be preferred."""


@dataclass(eq=False)
class Dive:
    """One dive. fixed: int8 (variables,), what is settled. x, prices: where the method is."""

    program: Program
    cover: Cover
    x: Float
    prices: Float
    balance: float
    fixed: Int8
    rows: Implications

    @classmethod
    def begin(cls, program: Program, state: Tightening, seed: int) -> Dive:
        """From where the tightening of the bound stands; the noise is the seed's."""
        random = np.random.default_rng(seed)
        covered, prices = state.base, state.prices[: len(state.base.chains.limit)]
        cuts = NO_CUTS if state.best is None else state.best.cuts
        if len(cuts.prices):
            covered = with_cuts(state.base, program, inequalities(program, cuts.sums))
            prices = np.concatenate([prices, cuts.prices])
        noise = 1.0 + NOISE[seed % len(NOISE)] * random.normal(size=len(state.x))
        covered = replace(covered, chains=covered.chains._replace(weight=covered.chains.weight * noise))
        fixed, rows = program.fixings.copy(), implications(program)
        return cls(program, covered, state.x.copy(), prices.copy(), state.balance, fixed, rows)

    def step(self, deadline: float) -> Float:
        """Some steps of what is not settled: float64 (variables,)."""
        settled = self.fixed[self.cover.variable]
        open_, kept, rows = restricted(self.cover, settled)
        self.x[settled != FREE] = settled[settled != FREE]
        if len(kept) == 0:
            return self.cover.point(self.program, self.x)
        method = FirstOrder.at(open_, self.x[kept], self.prices[rows])
        method.balance = self.balance

        def enough(seen: Progressed) -> str:
            return "steps" if seen.steps >= STEPS else ""

        seen = method.run(enough, deadline)
        self.x[kept], self.prices[rows], self.balance = seen.x, seen.prices, method.balance
        return self.cover.point(self.program, self.x)

    def settle(self, point: Float, open_: Bool) -> bool:
        """Settle those nearest to 1 one by one, each with what follows; False where none can be."""
        chosen = (self.fixed == FREE) & (point >= SURE)
        above = np.flatnonzero(open_ & (point > 0.5 + HALF))
        count = max(LEAST, int(SHARE * len(above)))
        chosen[above[np.argsort(-point[above], kind="stable")][:count]] = True
        if not chosen.any():
            chosen[np.flatnonzero(open_)[0]] = True
        turn = np.flatnonzero(chosen)
        turn = turn[np.argsort(-point[turn], kind="stable")].astype(np.int32)
        return int(settle_in_turn(self.rows, turn, self.fixed)) > 0


def implications(program: Program) -> Implications:
    """The rows of a program by variable, for ``settle_in_turn``."""
    n = program.variables
    widths = program.packing.shape[1], program.covering.shape[1]
    lengths = np.repeat(widths, [len(program.packing), len(program.covering)])
    member = np.concatenate([program.packing.ravel(), program.covering.ravel()])
    row = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    arcs = _by(program.tails, program.heads, n), _by(program.heads, program.tails, n)
    member_start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    at = _by(member, row, n)
    return Implications(*arcs[0], *arcs[1], *at, member_start, member, len(program.packing))


def _by(key: Int32, other: Int32, count: int) -> tuple[Int32, Int32]:
    """``other`` in the order of ``key``, below ``count``, compressed: where each key begins, and the others."""
    start = np.concatenate([[0], np.cumsum(np.bincount(key, minlength=count))]).astype(np.int32)
    return start, other[np.argsort(key, kind="stable")]


def dive(program: Program, state: Tightening, pairs: Pairs, seed: int, deadline: float) -> Rule | None:
    """The best rule at the bottom of one dive, improved by pairs; None where there is none before the deadline.

    Raises KeyboardInterrupt when interrupted.
    """
    run = Dive.begin(program, state, seed)
    while True:
        point = run.step(deadline)
        stop_if_requested()
        open_ = (run.fixed == FREE) & (point > FRACTIONAL) & (point < 1.0 - FRACTIONAL)
        if np.count_nonzero(open_) <= FEW * program.variables or time.monotonic() >= deadline:
            break
        if not run.settle(point, open_):
            break
    x = np.where(run.fixed == FREE, point > 0.5 + HALF, run.fixed == 1).astype(np.int8)
    best: Rule | None = None
    for name in pairs.names:
        start = pairs.respond(x, name)
        if start is None or program.violations(start):
            continue
        rule = descend(pairs, start, deadline)
        if best is None or rule.value > best.value:
            best = rule
    return best
