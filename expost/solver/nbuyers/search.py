"""Three or more buyers: a certified bound, a good rule, and branch and bound on what is left between them.

1. The linear relaxation (first-order method) gives prices of admissibility; they prove a bound by integer arithmetic.
2. Cutting the fractional rule and letting two buyers at a time respond exactly (minimum cuts) gives a rule.
3. What forcing a variable costs at these prices fixes most of the program for every rule near the bound: branch
   and bound on that core alone often proves that the linear bound is attained.
4. Otherwise the rule is improved by kicks, and the core of all better rules is searched until it closes, with
   further kicks on a second processor.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable

import numpy as np

from expost._typing import Float, Int8
from expost.solver.beside import cbc_available
from expost.solver.certificate import check
from expost.solver.interrupts import listening
from expost.solver.mincut.backend import solve_mincut
from expost.solver.nbuyers.core import allowance_for, core_size, search_core
from expost.solver.nbuyers.fixing import Costs, forcing_costs
from expost.solver.nbuyers.kicks import Kicks, descend, nothing_sold, rounded
from expost.solver.nbuyers.lagrangian import price
from expost.solver.nbuyers.layers import layers
from expost.solver.nbuyers.pairs import Pairs
from expost.solver.nbuyers.relaxation import lifted_price, relax
from expost.solver.nbuyers.state import SearchState
from expost.solver.program import Program
from expost.solver.progress import ProgressCallback
from expost.solver.reduction import Reduction, reduced
from expost.solver.result import Solution, Status

FIRST_CORE = 4000
"""Variables of the first core, which settles programs whose linear bound is attained."""

FIRST_ALLOWANCE = 1e-6
"""Part of the linear bound that the first core allows for at least."""

SECOND_CORE = 20_000
"""Variables of the second core, which gives better rules where the linear bound is not attained."""

SECOND_LIMIT = 60.0
"""Seconds for the second core when there is no time limit."""

LARGEST_CORE = 60_000
"""Variables beyond which branch and bound within a time limit does not get through its first linear program."""

PATIENCE = {FIRST_CORE: 0, 2 * FIRST_CORE: 20, LARGEST_CORE: 60}
"""Kicks without improvement after which branch and bound takes over, by the size of the core."""

EXHAUSTED = 2000
"""Kicks without improvement after which there are no more beside branch and bound."""

SHARES = {
    "relaxation": 0.6,
    "first core": 0.15,
    "second core": 0.5,
    "kicks": 0.15 if (os.cpu_count() or 1) > 1 else 0.6,
}
"""Parts of the time limit: of the whole for the relaxation, of what then remains for the others."""


def solve_nbuyers(
    program: Program,
    *,
    time_limit: float | None = None,
    start: Int8 | None = None,
    progress: ProgressCallback | None = None,
    seed: int = 0,
) -> Solution:
    """Solve a program of any number of blocks; up to two it is a minimum cut.

    time_limit: seconds for everything. start: a feasible rule. seed: of the kicks. The certificate proves
    ``details["certified_bound"]``; a bound below that rests on HiGHS's or CBC's branch and bound. Ctrl-C returns
    the best rule so far with its bound and the status INTERRUPTED.
    """
    if program.n_blocks <= 2:
        answer = solve_mincut(program, time_limit=time_limit)
        return Solution(
            "nbuyers",
            answer.status,
            answer.x,
            answer.bound,
            answer.certificate,
            answer.smallest,
            answer.largest,
            answer.details | {"method": "minimum cut"},
        )
    search = _Search(program, time_limit, progress, seed)
    with listening():
        try:
            search.run(start)
        except KeyboardInterrupt:
            search.status = Status.INTERRUPTED
    return search.solution()


class _Search(SearchState):
    """The stages of one solve."""

    def run(self, start: Int8 | None) -> None:
        """All stages; the status says how it ended."""
        reduction = reduced(self.program, self.program.fixings)
        if reduction is None:
            self.status = Status.INFEASIBLE
            return
        self.offer(start)
        nothing = nothing_sold(self.program)
        self.offer(None if nothing is None else nothing.x)
        costs = self.relaxed(reduction)
        if self.status is not Status.INFEASIBLE and not self.closed() and costs is not None:
            self.first_core(reduction, costs)
            self.round(reduction)
            self.second_core(reduction, costs)
            self.kicks(reduction, costs)
            self.last_core(reduction, costs)
        if self.status is not Status.INFEASIBLE:
            self.status = Status.OPTIMAL if self.closed() else Status.TIME_LIMIT

    def relaxed(self, reduction: Reduction) -> Costs | None:
        """The linear bound, proved, and the first rules; what forcing costs at its prices."""
        small = reduction.program
        self.certify(reduction, np.zeros(len(small.packing)), np.zeros(len(small.covering)))
        limit = None if math.isinf(self.deadline) else SHARES["relaxation"] * self.left()
        answer = relax(small, limit)
        self.details |= {
            "relaxation": answer.method,
            "iterations": answer.iterations,
            "relaxation_seconds": time.monotonic() - self.begun,
        }
        if answer.stopped == "interrupted":
            raise KeyboardInterrupt
        if answer.stopped == "Infeasible":
            self.status = Status.INFEASIBLE
            return None
        self.certify(reduction, answer.packing, answer.covering)
        self.report("linear bound")
        self.fractional = answer.fractional
        self.round(reduction, tries=1)
        priced = price(small, answer.packing, answer.covering)
        return None if priced is None else forcing_costs(small, priced, layers(small))

    def certify(self, reduction: Reduction, packing: Float, covering: Float) -> None:
        """Keep the certificate that these prices give, if it proves more than the last."""
        priced = lifted_price(self.program, reduction, packing, covering)
        if priced is None:
            return
        bound = check(self.program, priced.certificate).upper_bound
        if bound < self.bound:
            self.certificate, self.bound = priced.certificate, bound
            self.details["linear_bound"] = bound

    def round(self, reduction: Reduction, tries: int | None = None) -> None:
        """Rules from cutting the fractional point, each improved by pairs."""
        if self.fractional is None or self.closed():
            return
        rule = rounded(self.pairs(reduction), self.fractional, self.deadline, tries)
        self.offer(None if rule is None else reduction.lift(rule.x))
        self.report("rounding")

    def pairs(self, reduction: Reduction) -> Pairs:
        """The pairs of the reduced program, prepared once."""
        if self.prepared is None:
            self.prepared = Pairs(reduction.program)
        return self.prepared

    def first_core(self, reduction: Reduction, costs: Costs) -> None:
        """A core small enough to be solved at once: it often attains the linear bound."""
        least = FIRST_ALLOWANCE * abs(self.details["linear_bound"] - self.program.constant)
        allowance = min(max(allowance_for(costs, FIRST_CORE), least), self.allowance())
        if core_size(reduction.program, costs, allowance) <= LARGEST_CORE // 3:
            limit = 1.0 + 3.0 * self.details["relaxation_seconds"]
            limit = min(limit, SHARES["first core"] * self.left()) if math.isfinite(self.deadline) else limit
            self.search(reduction, costs, allowance, limit, "first core")

    def second_core(self, reduction: Reduction, costs: Costs) -> None:
        """A wider core for CBC, which finds good rules in it sooner than HiGHS; kicks meanwhile."""
        self.set_out(reduction)
        if self.closed() or self.left() <= 0 or not cbc_available():
            return
        least = FIRST_ALLOWANCE * abs(self.details["linear_bound"] - self.program.constant)
        allowance = min(max(allowance_for(costs, SECOND_CORE), least), self.allowance())
        if core_size(reduction.program, costs, allowance) > LARGEST_CORE // 2:
            return
        limit = SHARES["second core"] * self.left() if math.isfinite(self.deadline) else SECOND_LIMIT
        self.search(reduction, costs, allowance, limit, "second core", self.idle(reduction), "cbc")

    def set_out(self, reduction: Reduction) -> None:
        """Let the walk of kicks begin, or go on, at the best rule."""
        x = None if self.best is None else reduction.restrict(self.best.x)
        if x is None:
            return
        pairs = self.pairs(reduction)
        rule = descend(pairs, x, self.deadline)
        if self.walk is None:
            self.walk = Kicks(pairs, rule, self.seed)
        else:
            self.walk.move_to(rule)

    def idle(self, reduction: Reduction) -> Callable[[], bool] | None:
        """Kicks to do beside a branch and bound, where there is a second processor."""
        walk = self.walk
        if walk is None or (os.cpu_count() or 1) < 2:
            return None
        return lambda: self.kick(reduction, walk)

    def kicks(self, reduction: Reduction, costs: Costs) -> None:
        """Improve the rule until nothing has helped for a while, or the core of better rules is small."""
        self.set_out(reduction)
        walk = self.walk
        if walk is None:
            return
        share = time.monotonic() + SHARES["kicks"] * self.left()
        while time.monotonic() < self.deadline and not self.closed():
            size = core_size(reduction.program, costs, self.allowance())
            if self.enough(walk, size, time.monotonic() > share):
                break
            self.kick(reduction, walk)
            self.report("kicks")

    def kick(self, reduction: Reduction, walk: Kicks) -> bool:
        """One kick; whether another makes sense."""
        if walk.kick(self.deadline):
            self.offer(reduction.lift(walk.best.x))
        self.details["kicks"] = walk.kicks
        return walk.stale < EXHAUSTED and not self.closed() and self.left() > 0

    def enough(self, walk: Kicks, size: int, late: bool) -> bool:
        """Whether branch and bound on a core of this size promises more than further kicks."""
        if any(size <= largest and walk.stale >= patience for largest, patience in PATIENCE.items()):
            return True
        if math.isinf(self.deadline):
            return walk.stale >= PATIENCE[LARGEST_CORE]
        return late and size <= LARGEST_CORE

    def last_core(self, reduction: Reduction, costs: Costs) -> None:
        """Branch and bound over all rules better than the best, until closed or the deadline."""
        if not self.closed() and self.left() > 0:
            limit = None if math.isinf(self.deadline) else self.left()
            self.search(reduction, costs, self.allowance(), limit, "branch and bound", self.idle(reduction))

    def search(
        self,
        reduction: Reduction,
        costs: Costs,
        allowance: float,
        limit: float | None,
        stage: str,
        idle: Callable[[], bool] | None = None,
        engine: str = "highs",
    ) -> None:
        """Branch and bound on one core, and what follows from it."""
        if limit is not None and limit <= 0:
            return
        linear = float(self.details["linear_bound"])
        start = None if self.best is None else reduction.restrict(self.best.x)
        answer = search_core(
            reduction.program,
            costs,
            linear,
            allowance,
            start=start,
            time_limit=limit,
            progress=self.relay(stage, linear - allowance),
            idle=idle,
            engine=engine,
        )
        self.note(answer)
        self.offer(None if answer.x is None else reduction.lift(answer.x))
        self.bound = min(
            self.bound, answer.bound if self.best is None else max(answer.bound, self.best.value)
        )
        self.report(stage)
        if answer.status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        if answer.status is Status.INFEASIBLE and self.best is None and math.isinf(allowance):
            self.status = Status.INFEASIBLE
