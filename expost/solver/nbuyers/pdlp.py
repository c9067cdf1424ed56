"""The linear relaxation as a backend: a certified bound by a first-order method, and a rounded rule."""

from __future__ import annotations

import math
import time

from expost._typing import Int8
from expost.errors import InputError
from expost.solver.answers import slack
from expost.solver.certificate import check
from expost.solver.nbuyers import efforts
from expost.solver.nbuyers.kicks import nothing_sold, rounded
from expost.solver.nbuyers.lagrangian import Priced
from expost.solver.nbuyers.pairs import Pairs
from expost.solver.nbuyers.relaxation import METHODS, Relaxation, lifted_price, relax
from expost.solver.program import Program
from expost.solver.reduction import Reduction, reduced
from expost.solver.result import Solution, Status


def solve_pdlp(program: Program, *, time_limit: float | None = None, solver: str = "pdlp") -> Solution:
    """HiGHS's PDLP on the linear relaxation: its prices as a certificate, its point rounded to a rule.

    solver: ``pdlp``, or HiGHS's newer ``hipdlp``, or any other of ``relaxation.METHODS``.

    The status is OPTIMAL where the rule attains the certified bound, FEASIBLE where it does not, UNKNOWN
    where no rule was found. ``details["linear_value"]`` is the value of the fractional point: for three
    buyers or more it is what randomized rules can reach, up to the method's tolerance.
    """
    if solver not in METHODS:
        raise InputError(
            f"pdlp with the method {solver!r}", where="backend", expected=f"one of {', '.join(METHODS)}"
        )
    name = "pdlp" if solver == "pdlp" else f"pdlp:{solver}"
    deadline = math.inf if time_limit is None else time.monotonic() + time_limit
    reduction = reduced(program, program.fixings)
    if reduction is None:
        return Solution(name, Status.INFEASIBLE, bound=-math.inf)
    limit = None if time_limit is None else efforts.SHARES["relaxation"] * time_limit
    answer = relax(reduction.program, limit, solver)
    if answer.stopped == "Infeasible":
        return Solution(name, Status.INFEASIBLE, bound=-math.inf)
    priced = lifted_price(program, reduction, answer.packing, answer.covering, deadline)
    if priced is None:
        return Solution(name, Status.INFEASIBLE, bound=-math.inf)
    bound = check(program, priced.certificate).upper_bound
    x = _rule(program, reduction, answer, priced, deadline)
    details = {
        "linear_value": _linear_value(reduction.program, answer),
        "iterations": answer.iterations,
        "stopped": answer.stopped,
    }
    return Solution(
        name, _status(program, x, bound, answer.stopped), x, bound, priced.certificate, details=details
    )


def _linear_value(program: Program, answer: Relaxation) -> float | None:
    """The objective at the fractional point, None without one."""
    if answer.fractional is None:
        return None
    return program.constant + float(program.weights @ answer.fractional)


def _rule(
    program: Program, reduction: Reduction, answer: Relaxation, priced: Priced, deadline: float
) -> Int8 | None:
    """The best rule that rounding finds: for one block the best response to the prices is one already."""
    small = reduction.program
    candidates = [priced.closure]
    if answer.fractional is not None and small.n_blocks > 1:
        rule = rounded(Pairs(small, deadline), answer.fractional, deadline)
        candidates += [] if rule is None else [reduction.lift(rule.x)]
    nothing = nothing_sold(program)
    candidates += [] if nothing is None else [nothing.x]
    feasible = [x for x in candidates if program.violations(x) == 0]
    return max(feasible, key=program.value, default=None)


def _status(program: Program, x: Int8 | None, bound: float, stopped: str) -> Status:
    """What was shown."""
    if x is not None and program.value(x) >= bound - slack(program):
        return Status.OPTIMAL
    if stopped in ("time limit", "interrupted"):
        return Status.TIME_LIMIT if stopped == "time limit" else Status.INTERRUPTED
    return Status.UNKNOWN if x is None else Status.FEASIBLE
