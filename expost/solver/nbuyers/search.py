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
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NoReturn

from expost._typing import Int8
from expost.solver.interrupts import finishing, listening, requested
from expost.solver.mincut.backend import solve_mincut
from expost.solver.nbuyers import efforts
from expost.solver.nbuyers.core import allowance_for, core_size, search_core
from expost.solver.nbuyers.dive import dive
from expost.solver.nbuyers.fixing import Costs, forcing_costs
from expost.solver.nbuyers.kicks import Kicks, descend, nothing_sold, rounded
from expost.solver.nbuyers.lagrangian import price
from expost.solver.nbuyers.layers import Layers, layers
from expost.solver.nbuyers.pairs import Pairs
from expost.solver.nbuyers.relaxation import Relaxation, lifted_price, relax
from expost.solver.nbuyers.standing import Standing
from expost.solver.nbuyers.tightening import Stagnation, Tightened, Tightening
from expost.solver.nbuyers.tree import branch
from expost.solver.processes import prepare
from expost.solver.program import Program
from expost.solver.progress import ProgressCallback
from expost.solver.reduction import Reduction, reduced
from expost.solver.result import Solution, Status


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
    prepare()
    standing = Standing.begin(program, time_limit, progress)
    reduction = reduced(program, program.fixings)
    if reduction is None:
        standing.status = Status.INFEASIBLE
        return standing.solution({})
    search = Search(standing, reduction, seed)
    with listening():
        try:
            search.run(start)
        except KeyboardInterrupt:
            standing.status = Status.INTERRUPTED
    return standing.solution(search.details())


@dataclass(eq=False)
class Search:
    """The stages of one solve.

    at: where it stands. reduction: the program without what its fixings decide. relaxation: the linear
    bound's point and prices, relaxation_seconds after the beginning. prepared, walk: pairs and kicks, once begun.
    tightening: of the bound by cuts, once begun; dives: how many there were.
    """

    at: Standing
    reduction: Reduction
    seed: int = 0
    relaxation: Relaxation | None = None
    relaxation_seconds: float = math.nan
    prepared: Pairs | None = None
    walk: Kicks | None = None
    tightening: Tightening | None = None
    dives: int = 0

    def run(self, start: Int8 | None) -> None:
        """All stages; the status says how it ended."""
        self.at.offer(start)
        nothing = nothing_sold(self.at.program)
        self.at.offer(None if nothing is None else nothing.x)
        costs = self.relaxed()
        if costs is not None and not self.at.proved():
            self.first_core(costs)
            if not self.large():
                self.round(efforts.TRIES)
            costs = self.tightened() or costs
            self.cases()
        if costs is not None and not self.at.closed():
            self.second_core(costs)
            self.kicks(costs)
            self.last_core(costs)
        if self.at.status is not Status.INFEASIBLE:
            self.at.status = Status.OPTIMAL if self.at.closed() else Status.TIME_LIMIT

    def relaxed(self) -> Costs | None:
        """The linear bound, proved, and the first rules; what forcing costs at its prices. None where that
        takes longer than there is.
        """
        small = self.reduction.program
        self.certify(Relaxation.nothing(small))
        if self.at.left() + efforts.LATE < efforts.PREPARING * small.variables:
            return None
        limit = None if math.isinf(self.at.deadline) else efforts.SHARES["relaxation"] * self.at.left()
        answer = self.relaxation = relax(
            small,
            limit,
            order=self.order,
            forecast=lambda seconds: self.at.report(f"linear bound, {seconds:.0f} s at most"),
        )
        self.relaxation_seconds = time.monotonic() - self.at.begun
        if answer.stopped == "interrupted":
            self.conclude(answer)
        if answer.stopped == "Infeasible":
            self.at.status = Status.INFEASIBLE
            return None
        self.certify(answer)
        self.at.report("linear bound")
        self.round(tries=1)
        if self.at.left() <= 0:
            return None
        priced = price(small, answer.packing, answer.covering, self.at.deadline)
        return None if priced is None else forcing_costs(small, priced, self.order)

    @cached_property
    def order(self) -> Layers:
        """The shape of the reduced program's order."""
        return layers(self.reduction.program)

    def large(self) -> bool:
        """Whether dives come first."""
        return self.reduction.program.variables >= efforts.DIVE_FIRST

    def conclude(self, answer: Relaxation | Tightened | None) -> NoReturn:
        """Prove what was found when Ctrl-C was pressed, as far as a second allows, and stop."""
        if answer is not None:
            with finishing():
                self.certify(answer, min(self.at.deadline, time.monotonic() + efforts.CONCLUSION))
        raise KeyboardInterrupt

    def certify(self, answer: Relaxation | Tightened, deadline: float | None = None) -> None:
        """Keep the certificate that these prices give, if it proves more than the last."""
        deadline = self.at.deadline if deadline is None else deadline
        cuts = answer.cuts if isinstance(answer, Tightened) else None
        priced = lifted_price(
            self.at.program, self.reduction, answer.packing, answer.covering, deadline, cuts
        )
        if priced is not None:
            self.at.prove(priced.certificate)

    def tightened(self) -> Costs | None:
        """The bound with cuts, rules from diving on the way, and what forcing costs at the end.

        The bound is certified whenever its gap has shrunk by a quarter. Ends when the gap is closed, no cut is broken,
        rounds bring too little, or the share of the time is used up.
        """
        small, first = self.reduction.program, self.relaxation
        if self.at.proved() or self.at.left() <= 0 or first is None or first.fractional is None:
            return None
        end = time.monotonic() + min(efforts.SHARES["cuts"] * self.at.left(), efforts.CUTS_LIMIT)
        state = self.tightening = Tightening.begin(
            small, first.packing, first.covering, first.fractional, self.order
        )
        watch = Stagnation(efforts.CUTS_PATIENCE, efforts.CUTS_PROGRESS)
        if self.large():
            self.dive(state, end)
        while time.monotonic() < end and not state.exhausted and not self.at.proved():
            state.round(end)
            if requested():
                self.conclude(state.best)
            bound = math.inf if state.best is None else state.best.bound + small.constant
            gap, fallen = self.at.allowance(), self.at.linear_bound - bound
            done = state.exhausted or watch.stagnates(gap - fallen)
            if state.best is not None and (done or fallen > efforts.CERTIFY * gap):
                self.certify(state.best)
                self.at.report("cuts")
            if state.rounds in efforts.DIVES or done:
                self.dive(state, end)
            if done:
                break
        if state.best is None:
            return None
        self.certify(state.best)
        priced = price(small, state.best.packing, state.best.covering, self.at.deadline, state.best.cuts)
        return None if priced is None else forcing_costs(small, priced, self.order)

    def cases(self) -> None:
        """A proof by cases that the best rule is the optimum, where a small tree gives one."""
        state, at = self.tightening, self.at
        if state is None or at.proved() or at.left() <= 0:
            return
        if at.allowance() > efforts.CASES_GAP * abs(at.linear_bound - at.program.constant):
            return
        limit = min(efforts.SHARES["cases"] * at.left(), efforts.CASES_LIMIT)

        def offer(x: Int8) -> None:
            at.offer(self.reduction.lift(x))

        def best() -> float:
            return -math.inf if at.best is None else at.best.value

        tree = branch(at.program, self.reduction, state, best, offer, time.monotonic() + limit, at.better)
        if tree is not None:
            at.prove(replace(at.certificate, tree=tree))
            at.report("cases")

    def dive(self, state: Tightening, end: float) -> None:
        """Rules from the tightened point, as long as the last dive helped."""
        for _ in range(efforts.DIVES_AT_ONCE):
            if self.at.closed() or time.monotonic() >= end:
                return
            before = self.at.gap()
            rule = dive(self.reduction.program, state, self.pairs(), self.seed + self.dives, end)
            self.dives += 1
            self.at.offer(None if rule is None else self.reduction.lift(rule.x))
            self.at.report("diving")
            if self.at.gap() >= before:
                return

    def round(self, tries: int | None = None) -> None:
        """Rules from cutting the fractional point, each improved by pairs."""
        if self.relaxation is None or self.relaxation.fractional is None or self.at.closed():
            return
        rule = rounded(self.pairs(), self.relaxation.fractional, self.at.deadline, tries)
        self.at.offer(None if rule is None else self.reduction.lift(rule.x))
        self.at.report("rounding")

    def pairs(self) -> Pairs:
        """The pairs of the reduced program, prepared once."""
        if self.prepared is None:
            self.prepared = Pairs(self.reduction.program, self.at.deadline)
        return self.prepared

    def first_core(self, costs: Costs) -> None:
        """A core small enough to be solved at once: it often attains the linear bound."""
        allowance = self.allowance_of(costs, efforts.FIRST_CORE)
        if core_size(self.reduction.program, costs, allowance) <= efforts.LARGEST_CORE // 3:
            limit = 1.0 + 3.0 * self.relaxation_seconds
            if math.isfinite(self.at.deadline):
                limit = min(limit, efforts.SHARES["first core"] * self.at.left())
            self.branch(costs, allowance, limit, "first core")

    def second_core(self, costs: Costs) -> None:
        """A wider core for CBC, which finds good rules in it sooner than HiGHS; kicks meanwhile."""
        self.set_out()
        if self.at.closed() or self.at.left() <= 0:
            return
        allowance = self.allowance_of(costs, efforts.SECOND_CORE)
        if core_size(self.reduction.program, costs, allowance) > efforts.LARGEST_CORE // 2:
            return
        limit = efforts.SECOND_LIMIT
        if math.isfinite(self.at.deadline):
            limit = efforts.SHARES["second core"] * self.at.left()
        self.branch(costs, allowance, limit, "second core", self.idle(), "cbc")

    def allowance_of(self, costs: Costs, size: int) -> float:
        """The allowance of a core of about this size: no more than the best rule leaves, and not nothing."""
        least = efforts.FIRST_ALLOWANCE * abs(self.at.linear_bound - self.at.program.constant)
        return min(max(allowance_for(costs, size), least), self.at.allowance())

    def set_out(self) -> None:
        """Let the walk of kicks begin, or go on, at the best rule."""
        x = None if self.at.best is None else self.reduction.restrict(self.at.best.x)
        if x is None:
            return
        rule = descend(self.pairs(), x, self.at.deadline)
        if self.walk is None:
            self.walk = Kicks(self.pairs(), rule, self.seed)
        else:
            self.walk.move_to(rule)

    def idle(self) -> Callable[[], bool] | None:
        """Kicks to do beside a branch and bound, where there is a second processor."""
        walk = self.walk
        if walk is None or (os.cpu_count() or 1) < 2:
            return None
        return lambda: self.kick(walk)

    def kicks(self, costs: Costs) -> None:
        """Improve the rule until nothing has helped for a while, or the core of better rules is small."""
        self.set_out()
        walk = self.walk
        if walk is None:
            return
        share = time.monotonic() + efforts.SHARES["kicks"] * self.at.left()
        while time.monotonic() < self.at.deadline and not self.at.closed():
            size = core_size(self.reduction.program, costs, self.at.allowance())
            if self.enough(walk, size, time.monotonic() > share):
                break
            self.kick(walk)
            self.at.report("kicks")

    def kick(self, walk: Kicks) -> bool:
        """One kick; whether another makes sense."""
        if walk.kick(self.at.deadline):
            self.at.offer(self.reduction.lift(walk.best.x))
        return walk.stale < efforts.EXHAUSTED and not self.at.closed() and self.at.left() > 0

    def enough(self, walk: Kicks, size: int, late: bool) -> bool:
        """Whether branch and bound on a core of this size promises more than further kicks."""
        if any(size <= largest and walk.stale >= patience for largest, patience in efforts.PATIENCE.items()):
            return True
        if math.isinf(self.at.deadline):
            return walk.stale >= efforts.PATIENCE[efforts.LARGEST_CORE]
        return late and size <= efforts.LARGEST_CORE

    def last_core(self, costs: Costs) -> None:
        """Branch and bound over all rules better than the best, until closed or the deadline."""
        if not self.at.closed() and self.at.left() > 0:
            limit = None if math.isinf(self.at.deadline) else self.at.left()
            self.branch(costs, self.at.allowance(), limit, "branch and bound", self.idle())

    def branch(
        self,
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
        answer = search_core(
            self.reduction.program,
            costs,
            self.at.linear_bound,
            allowance,
            start=None if self.at.best is None else self.reduction.restrict(self.at.best.x),
            time_limit=limit,
            progress=self.at.relay(stage, self.at.linear_bound - allowance),
            idle=idle,
            engine=engine,
        )
        self.at.offer(None if answer.x is None else self.reduction.lift(answer.x))
        self.at.believe(answer)
        self.at.report(stage)
        if answer.status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        if answer.status is Status.INFEASIBLE and self.at.best is None and math.isinf(allowance):
            self.at.status = Status.INFEASIBLE

    def details(self) -> dict[str, Any]:
        """How the answer came about, for the user; nothing here is read by the search."""
        cores = [
            {"free": core.free, "allowance": core.allowance, "status": core.status.value, "bound": core.bound}
            for core in self.at.cores
        ]
        told = {
            "method": "bound, cuts, dives, pairs, core",
            "linear_bound": self.at.linear_bound,
            "cores": cores,
            "kicks": 0 if self.walk is None else self.walk.kicks,
        }
        if self.relaxation is not None:
            told |= {
                "relaxation": self.relaxation.method,
                "iterations": self.relaxation.iterations,
                "relaxation_seconds": self.relaxation_seconds,
            }
        if self.tightening is not None:
            told |= {
                "cuts": len(self.tightening.cuts.prices),
                "cut_rounds": self.tightening.rounds,
                "dives": self.dives,
                "leaves": 0 if self.at.certificate.tree is None else len(self.at.certificate.tree.exponent),
            }
        return told
