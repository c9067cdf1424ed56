"""cvxpy: the program in matrix form, for any mixed-integer solver that cvxpy finds; and its relaxation with duals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from expost._typing import Float
from expost.errors import SolverError
from expost.solver.certificate import check
from expost.solver.linear import certificate_of, cost_scale, rows_of
from expost.solver.processes import Reply, call
from expost.solver.program import Program
from expost.solver.result import Certificate, Solution, Status

DEFAULT = "HIGHS"
RUN = "expost.solver.adapters.cvxpy_run"


def installed_solvers() -> list[str]:
    """The mixed-integer solvers that cvxpy finds on this machine."""
    return list(call(f"{RUN}:installed", who="cvxpy").answer or ())


def solve_cvxpy(
    program: Program, *, solver: str = DEFAULT, time_limit: float | None = None, **options: Any
) -> Solution:
    """Solve through cvxpy. solver: a mixed-integer solver that it finds. options: handed to that solver.

    The bound of an answer that the solver calls optimal is its value; at a limit it is infinite, for
    cvxpy reports none. A solver that overruns its limit, or does not stop after Ctrl-C, is ended. Raises InputError
    for a solver that is not installed, SolverError when it dies.
    """
    reply = _solved(program, solver, time_limit, boolean=True, options=options)
    if reply.answer is None:
        details = {"solver": solver, "bound_certified": False, "overran": True}
        return Solution("cvxpy", Status(reply.stopped), details=details)
    return _solution(program, reply.answer)


def relax_cvxpy(program: Program, *, solver: str | None = None) -> tuple[float, Float, Certificate]:
    """The linear relaxation through cvxpy: its value, its point (variables,), and its duals as a certificate.

    solver: any that cvxpy takes for linear programs, its own choice by default. Raises SolverError unless
    the relaxation was solved.
    """
    found, name = _solved(program, solver, None, boolean=False, options={}).answer, solver or "default"
    if found is None:
        raise KeyboardInterrupt
    if found.x is None or found.duals is None:
        raise SolverError(f"cvxpy:{name} stopped with the status {found.status!r}")
    scale = cost_scale(program)
    certificate = certificate_of(program, found.duals / scale)
    if not check(program, certificate).valid:
        raise SolverError(f"cvxpy:{name} returned duals that prove nothing")
    return program.constant - found.value / scale, found.x, certificate


def _solved(
    program: Program, solver: str | None, time_limit: float | None, *, boolean: bool, options: dict[str, Any]
) -> Reply:
    """What cvxpy answers."""
    return call(
        f"{RUN}:solve",
        who=f"cvxpy:{solver or 'default'}",
        seconds=time_limit,
        rows=rows_of(program),
        cost=-cost_scale(program) * program.weights,
        solver=solver,
        boolean=boolean,
        options=options,
    )


def _solution(program: Program, found: Any) -> Solution:
    """cvxpy's answer; what a limit leaves behind may break rows and is then no rule."""
    details = {"solver": found.solver, "build_seconds": found.build_seconds, "bound_certified": False}
    if found.status in ("infeasible", "infeasible_inaccurate", "infeasible_or_unbounded"):
        return Solution("cvxpy", Status.INFEASIBLE, bound=-math.inf, details=details)
    rule = None if found.x is None else (found.x > 0.5).astype(np.int8)
    if found.status == "optimal":
        if rule is None:
            raise SolverError(f"cvxpy:{found.solver} reports optimal without an answer")
        return Solution("cvxpy", Status.OPTIMAL, rule, program.value(rule), details=details)
    if found.status not in ("user_limit", "optimal_inaccurate"):
        raise SolverError(f"cvxpy:{found.solver} stopped with the status {found.status!r}")
    if rule is not None and program.violations(rule):
        rule = None
    return Solution("cvxpy", Status.TIME_LIMIT, rule, details=details)
