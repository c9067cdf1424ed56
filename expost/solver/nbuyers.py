"""Three or more buyers: a certified bound, a good rule, and branch and bound on what is left between them.

1. The linear relaxation (first-order method) gives prices of admissibility; they prove a bound by integer arithmetic.
2. Cutting the fractional rule and letting two buyers at a time respond exactly (minimum cuts) gives a rule.
3. What forcing a variable costs at these prices fixes most of the program for every rule near the bound: branch
   and bound on that core alone often proves that the linear bound is attained.
4. Otherwise the rule is improved by kicks, and the core of all better rules is searched until it closes.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from expost.solver.answers import slack
from expost.solver.certificate import check
from expost.solver.core import CoreAnswer, allowance_for, core_size, search_core
from expost.solver.fixing import Costs, forcing_costs
from expost.solver.improvement import Kicks, Rule, descend, nothing_sold, rounded
from expost.solver.interrupts import listening
from expost.solver.lagrangian import price
from expost.solver.layers import layers
from expost.solver.linear import certificate_of, rows_of
from expost.solver.mincut import solve_mincut
from expost.solver.pairs import Pairs
from expost.solver.program import Program
from expost.solver.progress import Progress, ProgressCallback
from expost.solver.reduction import Reduction, reduced
from expost.solver.relaxation import lifted_price, relax
from expost.solver.result import Solution, Status

Bits = NDArray[np.int8]

FIRST_CORE = 4000
"""Variables of the first core, which settles programs whose linear bound is attained."""

FIRST_ALLOWANCE = 1e-6
"""Part of the linear bound that the first core allows for at least."""

LARGEST_CORE = 20_000
"""Variables beyond which branch and bound within a time limit gains less than kicks do."""

PATIENCE = {FIRST_CORE: 0, 2 * FIRST_CORE: 20, LARGEST_CORE: 60}
"""Kicks without improvement after which branch and bound takes over, by the size of the core."""

SHARES = {"relaxation": 0.6, "first core": 0.15, "kicks": 0.6}
"""Parts of the time limit: of the whole for the relaxation, of what then remains for the others."""


def solve_nbuyers(program: Program, *, time_limit: float | None = None, start: Bits | None = None,
                  progress: ProgressCallback | None = None, seed: int = 0) -> Solution:
    """Solve a program of any number of blocks; up to two it is a minimum cut.

    time_limit: seconds for everything. start: a feasible rule. seed: of the kicks. The certificate proves
    ``details["certified_bound"]``; a bound below that rests on HiGHS's branch and bound. Ctrl-C returns
    the best rule so far with its bound and the status INTERRUPTED.
    """
    if program.n_blocks <= 2:
        answer = solve_mincut(program, time_limit=time_limit)
        return Solution("nbuyers", answer.status, answer.x, answer.bound, answer.certificate, answer.smallest,
                        answer.largest, answer.details | {"method": "minimum cut"})
    search = _Search(program, time_limit, progress, seed)
    with listening():
        try:
            search.run(start)
        except KeyboardInterrupt:
            search.status = Status.INTERRUPTED
    return search.solution()


class _Search:
    """The state of one solve: the rule and the bound so far, and the clock."""

    def __init__(self, program: Program, time_limit: float | None, progress: ProgressCallback | None,
                 seed: int) -> None:
        self.program, self.progress, self.seed = program, progress, seed
        self.begun = time.monotonic()
        self.deadline = math.inf if time_limit is None else self.begun + time_limit
        self.best: Rule | None = None
        # Multipliers of zero prove the sum of the positive weights: a bound from the first moment on.
        self.certificate = certificate_of(program, np.zeros(rows_of(program).count))
        self.bound = check(program, self.certificate).upper_bound
        self.status = Status.UNKNOWN
        self.fractional: NDArray[np.float64] | None = None
        self.prepared: Pairs | None = None
        self.details: dict[str, Any] = {"method": "bound, pairs, core", "cores": [], "kicks": 0,
                                        "linear_bound": self.bound}

    def run(self, start: Bits | None) -> None:
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
        self.details |= {"relaxation": answer.method, "iterations": answer.iterations,
                         "relaxation_seconds": time.monotonic() - self.begun}
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

    def certify(self, reduction: Reduction, packing: NDArray[np.float64], covering: NDArray[np.float64]) -> None:
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
        if core_size(reduction.program, costs, allowance) <= LARGEST_CORE:
            limit = 1.0 + 3.0 * self.details["relaxation_seconds"]
            limit = min(limit, SHARES["first core"] * self.left()) if math.isfinite(self.deadline) else limit
            self.search(reduction, costs, allowance, limit, "first core")

    def kicks(self, reduction: Reduction, costs: Costs) -> None:
        """Improve the rule until nothing has helped for a while, or the core of better rules is small."""
        small = reduction.program
        x = None if self.best is None else reduction.restrict(self.best.x)
        if x is None or self.closed():
            return
        pairs = self.pairs(reduction)
        walk = Kicks(pairs, descend(pairs, x, self.deadline), self.seed)
        share = time.monotonic() + SHARES["kicks"] * self.left()
        while time.monotonic() < self.deadline and not self.closed():
            if self.enough(walk, core_size(small, costs, self.allowance()), time.monotonic() > share):
                break
            if walk.kick(self.deadline):
                self.offer(reduction.lift(walk.best.x))
            self.details["kicks"] = walk.kicks
            self.report("kicks")

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
            self.search(reduction, costs, self.allowance(), limit, "branch and bound")

    def search(self, reduction: Reduction, costs: Costs, allowance: float, limit: float | None,
               stage: str) -> None:
        """Branch and bound on one core, and what follows from it."""
        if limit is not None and limit <= 0:
            return
        linear = float(self.details["linear_bound"])
        start = None if self.best is None else reduction.restrict(self.best.x)
        answer = search_core(reduction.program, costs, linear, allowance, start=start, time_limit=limit,
                             progress=self.relay(stage, linear - allowance))
        self.note(answer)
        self.offer(None if answer.x is None else reduction.lift(answer.x))
        self.bound = min(self.bound, answer.bound if self.best is None else max(answer.bound, self.best.value))
        self.report(stage)
        if answer.status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        if answer.status is Status.INFEASIBLE and self.best is None and math.isinf(allowance):
            self.status = Status.INFEASIBLE

    def note(self, answer: CoreAnswer) -> None:
        """Record what a core did."""
        self.details["cores"].append({"free": answer.free, "allowance": answer.allowance,
                                      "status": answer.status.value, "bound": answer.bound})

    def offer(self, x: Bits | None) -> None:
        """Keep a rule if it is feasible and better than the best."""
        if x is None or self.program.violations(x):
            return
        value = self.program.value(x)
        if self.best is None or value > self.best.value:
            self.best = Rule(x, value)

    def gap(self) -> float:
        """Bound minus best value; infinite without a rule."""
        return math.inf if self.best is None else max(self.bound - self.best.value, 0.0)

    def allowance(self) -> float:
        """Linear bound minus best value: within it lie all better rules, whatever the bound is by now."""
        return math.inf if self.best is None else max(self.details["linear_bound"] - self.best.value, 0.0)

    def closed(self) -> bool:
        """Whether the best rule attains the bound to the rounding of welfares."""
        return self.best is not None and self.gap() <= slack(self.best.value)

    def left(self) -> float:
        """Seconds to the deadline."""
        return self.deadline - time.monotonic()

    def report(self, stage: str) -> None:
        """Tell the caller where the solve stands."""
        if self.progress is not None:
            incumbent = -math.inf if self.best is None else self.best.value
            self.progress(Progress(stage, self.bound, incumbent, time.monotonic() - self.begun))

    def relay(self, stage: str, rest: float) -> ProgressCallback | None:
        """Branch and bound's own progress, in terms of the whole program."""
        if self.progress is None:
            return None
        tell = self.progress

        def relayed(inner: Progress) -> None:
            best = max(inner.incumbent, -math.inf if self.best is None else self.best.value)
            bound = min(self.bound, max(inner.bound, rest, best))
            tell(Progress(stage, bound, best, time.monotonic() - self.begun))

        return relayed

    def solution(self) -> Solution:
        """The answer as it stands."""
        if self.status is Status.INFEASIBLE:
            return Solution("nbuyers", self.status, bound=-math.inf, details=self.details)
        x = None if self.best is None else self.best.x
        return Solution("nbuyers", self.status, x, self.bound, self.certificate, details=self.details)
