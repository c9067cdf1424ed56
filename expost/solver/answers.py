"""The audit of answers: everything a backend says is recomputed from the program before it is passed on."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from expost._typing import Int8
from expost.errors import SolverError
from expost.solver.certificate import check
from expost.solver.program import Program
from expost.solver.result import Solution, Status
from expost.tolerances import WELFARE

NEEDS_RULE = (Status.OPTIMAL, Status.FEASIBLE)


def slack(program: Program) -> float:
    """By how much two values of the program's objective may differ and still agree."""
    # Values are sums of floats: the constant has a last digit, and so has each weight where they are denormal.
    last = 4.0 * math.ulp(abs(program.constant) + program.scale) + program.variables * math.ulp(0.0)
    return WELFARE * program.scale + last


def never_sells(program: Program) -> bool:
    """Whether the rule that gives nobody anything is one: then no solver may call the program infeasible."""
    return not program.violations(np.zeros(program.variables, dtype=np.int8))


def audited(program: Program, solution: Solution, name: str, ignored: list[str] | None = None) -> Solution:
    """The solution with a bound that is re-checked. Raises SolverError, naming the solver, where it fails.

    Checked: the rule and both extremes are feasible, the certificate is valid, the value is at most the
    bound, and equals it where the status says optimal; nobody says infeasible where never selling is a
    rule. ``details`` gains ``value``, ``bound_certified`` (the bound is what the certificate proves) and
    ``certified_bound``.
    """
    if solution.status is Status.INFEASIBLE:
        if never_sells(program):
            raise SolverError(f"{name} calls a program infeasible in which never selling is a rule")
        return replace(solution, details=solution.details | {"ignored": ignored or []})
    if solution.x is None and solution.status in NEEDS_RULE:
        raise SolverError(f"{name} reports {solution.status.value} without an answer")
    certified = _certified(program, solution, name)
    bound = min(solution.bound, certified)
    if math.isnan(bound):
        raise SolverError(f"{name} returned a bound that is not a number")
    value = _value(program, solution.x, name)
    _check_extremes(program, solution, value, name)
    if value is not None and value > bound + slack(program):
        raise SolverError(f"{name} returned a rule worth {value:.12g}, more than its bound {bound:.12g}")
    if solution.status is Status.OPTIMAL and value is not None and value < bound - slack(program):
        raise SolverError(f"{name} calls {value:.12g} optimal under the bound {bound:.12g}")
    facts = {
        "value": value,
        "certified_bound": certified,
        "ignored": ignored or [],
        "bound_certified": math.isfinite(certified) and certified <= bound + slack(program),
    }
    return replace(solution, bound=bound, details=solution.details | facts, certified=certified)


def _certified(program: Program, solution: Solution, name: str) -> float:
    """What the certificate proves, infinite without one."""
    if solution.certificate is None:
        return math.inf
    report = check(program, solution.certificate)
    if not report.valid:
        raise SolverError(f"{name} returned an invalid certificate: {'; '.join(report.reasons)}")
    return report.upper_bound


def _value(program: Program, x: Int8 | None, name: str) -> float | None:
    """The value of a rule, recomputed. Raises SolverError unless it is feasible."""
    if x is None:
        return None
    if x.shape != (program.variables,) or not ((x == 0) | (x == 1)).all():
        raise SolverError(f"{name} returned garbage: expected a 0/1 vector of shape {(program.variables,)}")
    broken = program.violations(x)
    if broken:
        raise SolverError(f"{name} returned a rule that breaks {broken} rows")
    return program.value(x)


def _check_extremes(program: Program, solution: Solution, value: float | None, name: str) -> None:
    """Raise SolverError unless both extremes are feasible and worth as much as the rule."""
    for extreme in (solution.smallest, solution.largest):
        worth = _value(program, extreme, name)
        if worth is not None and (value is None or abs(worth - value) > slack(program)):
            raise SolverError(f"{name} returned an extreme rule worth {worth:.12g} beside one worth {value}")
