"""The linear bound tightened by odd-cycle inequalities: cuts, some steps of the first-order method, better cuts.

Nothing has to converge in between: whatever the prices of rows and cuts are, they prove a bound. Cuts without a price
go again. The best bound is kept with the prices and cuts that prove it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from expost._typing import Float
from expost.solver.nbuyers.chains import Cover, cover, with_cuts
from expost.solver.nbuyers.first_order import FirstOrder, Progressed
from expost.solver.nbuyers.layers import Layers, layers
from expost.solver.nbuyers.odd_cycles import NO_CUTS, PricedCuts, inequalities, separate
from expost.solver.nbuyers.relaxation import Patience
from expost.solver.program import Program

STEPS = 150
"""Steps of the first-order method between two searches for cuts."""

NEW = 1000
"""Cuts of one search, for a program of ``SIZE`` positions or fewer; in proportion beyond."""

SIZE = 50_000

UNPRICED = 1e-12
"""Price of a cut, as a part of the mean weight, at which it goes again."""


@dataclass(frozen=True, eq=False)
class Tightened:
    """What the cuts prove: bound in the unit of the weights, without the constant; prices of the rows and cuts."""

    bound: float
    packing: Float
    covering: Float
    cuts: PricedCuts


@dataclass(eq=False)
class Tightening:
    """One run. base: the chains without cuts. cuts: those at work. x, prices: where the method is, prices of all rows.

    point: float64 (variables,), the last fractional point. best: the best bound so far. exhausted: no cut is broken
    and the method has converged.
    """

    program: Program
    base: Cover
    x: Float
    prices: Float
    balance: float
    cuts: PricedCuts = NO_CUTS
    best: Tightened | None = None
    rounds: int = 0
    steps: int = 0
    exhausted: bool = False
    point: Float = field(init=False)

    def __post_init__(self) -> None:
        self.point = self.base.point(self.program, self.x)

    @classmethod
    def begin(
        cls,
        program: Program,
        packing: Float,
        covering: Float,
        point: Float,
        order: Layers | None = None,
    ) -> Tightening:
        """From the prices and the point of the linear relaxation of a reduced program. order: its layers, if known."""
        base = cover(program, layers(program) if order is None else order, whole=True)
        between = np.zeros(len(base.chains.limit) - len(packing) - len(covering))
        prices = np.concatenate([packing, covering, between])
        return cls(program, base, point[base.variable], prices, FirstOrder.at(base).balance)

    def round(self, deadline: float) -> None:
        """A search for cuts, and some steps with them."""
        size = max(len(self.base.variable), SIZE)
        new = separate(self.program, self.point, NEW * size // SIZE, self.rounds)
        rows = len(self.base.chains.limit)
        keep = self.prices[rows:] * self.base.scale > UNPRICED
        self.cuts = PricedCuts(self.cuts.sums, self.prices[rows:]).kept(keep).joined(new)
        if len(self.cuts.prices) == 0:
            self.exhausted = True
            return
        covered = with_cuts(self.base, self.program, inequalities(self.program, self.cuts.sums))
        method = FirstOrder.at(covered, self.x, np.concatenate([self.prices[:rows], self.cuts.prices]))
        method.balance = self.balance
        patience = Patience(self.program)

        def enough(seen: Progressed) -> str:
            return patience(seen) or ("steps" if seen.steps >= STEPS else "")

        seen = method.run(enough, deadline)
        self.balance, self.x, self.prices = method.balance, seen.x, seen.prices
        self.rounds, self.steps = self.rounds + 1, self.steps + seen.steps
        self.point = self.base.point(self.program, self.x)
        self.exhausted = seen.stopped == "Optimal" and len(new.multiplier) == 0
        if self.best is None or seen.bound < self.best.bound:
            self.best = self._read(seen, rows)

    def _read(self, seen: Progressed, rows: int) -> Tightened:
        packing, covering = len(self.program.packing), len(self.program.covering)
        return Tightened(
            seen.bound,
            seen.prices[:packing],
            seen.prices[packing : packing + covering],
            PricedCuts(self.cuts.sums, seen.prices[rows:]),
        )


class Stagnation:
    """Whether a gap has stopped shrinking: by less than ``part`` of itself in ``rounds`` rounds."""

    def __init__(self, rounds: int, part: float) -> None:
        self.rounds, self.part = rounds, part
        self.seen: list[float] = []

    def stagnates(self, gap: float) -> bool:
        """Note the gap of a round."""
        self.seen.append(gap)
        return len(self.seen) > self.rounds and gap > (1.0 - self.part) * self.seen[-1 - self.rounds]
