"""cvxpy: the program in matrix form, for any mixed-integer solver that cvxpy finds; and its relaxation with duals."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from expost._typing import Float
from expost.errors import InputError, SolverError
from expost.solver.certificate import check
from expost.solver.linear import certificate_of, cost_scale, rows_of
from expost.solver.program import Program
from expost.solver.quiet import quiet
from expost.solver.result import Certificate, Solution, Status

DEFAULT = "HIGHS"
GAPS: dict[str, dict[str, Any]] = {
    "HIGHS": {"mip_rel_gap": 0.0, "mip_abs_gap": 0.0},
    "SCIPY": {"scipy_options": {"mip_rel_gap": 0.0}},
    "SCIP": {"scip_params": {"limits/gap": 0.0, "limits/absgap": 0.0}},
    "GUROBI": {"MIPGap": 0.0, "MIPGapAbs": 0.0},
    "CBC": {"allowableGap": 0.0, "ratioGap": 0.0},
}
LIMITS = {
    "HIGHS": "time_limit",
    "SCIPY": "time_limit",
    "GUROBI": "TimeLimit",
    "CBC": "maximumSeconds",
    "SCIP": "limits/time",
}


def installed_solvers() -> list[str]:
    """The mixed-integer solvers that cvxpy finds on this machine."""
    import cvxpy
    from cvxpy.reductions.solvers.defines import INSTALLED_MI_SOLVERS

    return [str(name) for name in INSTALLED_MI_SOLVERS if name in cvxpy.installed_solvers()]


def solve_cvxpy(
    program: Program, *, solver: str = DEFAULT, time_limit: float | None = None, **options: Any
) -> Solution:
    """Solve through cvxpy. solver: a mixed-integer solver that it finds. options: handed to that solver.

    The bound of an answer that the solver calls optimal is its value; at a limit it is infinite, for
    cvxpy reports none. Raises InputError for a solver that is not installed, SolverError when it dies.
    """
    name = _known(solver)
    settings = dict(GAPS.get(name, {})) | _limit(name, time_limit) | options
    begun = time.perf_counter()
    problem, x, _ = build(program, boolean=True)
    details = {"solver": name, "build_seconds": time.perf_counter() - begun, "bound_certified": False}
    _run(problem, name, settings)
    return _solution(program, problem, x, details)


def relax_cvxpy(program: Program, *, solver: str | None = None) -> tuple[float, Float, Certificate]:
    """The linear relaxation through cvxpy: its value, its point (variables,), and its duals as a certificate.

    solver: any that cvxpy takes for linear programs, its own choice by default. Raises SolverError unless
    the relaxation was solved.
    """
    problem, x, constraint = build(program, boolean=False)
    _run(problem, solver, {})
    if x.value is None or constraint.dual_value is None:
        raise SolverError(f"cvxpy:{solver or 'default'} stopped with the status {problem.status!r}")
    scale = cost_scale(program)
    certificate = certificate_of(program, np.asarray(constraint.dual_value) / scale)
    if not check(program, certificate).valid:
        raise SolverError(f"cvxpy:{solver or 'default'} returned duals that prove nothing")
    return program.constant - float(problem.value) / scale, np.asarray(x.value), certificate


def build(program: Program, *, boolean: bool) -> tuple[Any, Any, Any]:
    """Problem, variable and row constraint: one sparse matrix, no loop over rows."""
    import cvxpy
    from scipy.sparse import csr_array

    rows = rows_of(program)
    matrix = csr_array((rows.value, rows.index, rows.start), shape=(rows.count, program.variables))
    x = cvxpy.Variable(program.variables, boolean=boolean)
    constraint = matrix @ x <= rows.upper
    box = [x >= rows.lower_x, x <= rows.upper_x]
    cost = -cost_scale(program) * program.weights
    return cvxpy.Problem(cvxpy.Minimize(cost @ x), [constraint, *box]), x, constraint


def _known(solver: str) -> str:
    """cvxpy's spelling of an installed solver. Raises InputError for others."""
    known = {name.lower(): name for name in installed_solvers()}
    if solver.lower() not in known:
        raise InputError(
            f"cvxpy finds no mixed-integer solver {solver!r}",
            where="backend",
            expected=f"one of {', '.join(known.values())}",
        )
    return known[solver.lower()]


def _limit(name: str, time_limit: float | None) -> dict[str, Any]:
    """A time limit in the solver's own words. Raises InputError where these are not known."""
    if time_limit is None:
        return {}
    if name not in LIMITS:
        raise InputError(
            f"a time limit for cvxpy:{name}",
            where="backend",
            expected=f"one of {', '.join(LIMITS)}",
            remedy="or no time limit",
        )
    if name == "SCIPY":
        return {"scipy_options": GAPS["SCIPY"]["scipy_options"] | {LIMITS[name]: float(time_limit)}}
    if name == "SCIP":
        return {"scip_params": GAPS["SCIP"]["scip_params"] | {LIMITS[name]: float(time_limit)}}
    return {LIMITS[name]: float(time_limit)}


def _run(problem: Any, solver: str | None, settings: dict[str, Any]) -> None:
    """Solve, quietly. Raises SolverError when the solver dies."""
    import cvxpy

    with quiet():
        try:
            problem.solve(solver=solver, **settings)
        except (
            cvxpy.error.SolverError,
            cvxpy.error.DCPError,
            ValueError,
            TypeError,
            KeyError,
            RuntimeError,
        ) as error:
            raise SolverError(
                f"cvxpy:{solver or 'default'} died: {' '.join(str(error).split())[:200]}"
            ) from error


def _solution(program: Program, problem: Any, x: Any, details: dict[str, Any]) -> Solution:
    """cvxpy's answer; what a limit leaves behind may break rows and is then no rule."""
    status = str(problem.status)
    if status in ("infeasible", "infeasible_inaccurate", "infeasible_or_unbounded"):
        return Solution("cvxpy", Status.INFEASIBLE, bound=-math.inf, details=details)
    rule = None if x.value is None else (np.asarray(x.value) > 0.5).astype(np.int8)
    if status == "optimal":
        if rule is None:
            raise SolverError(f"cvxpy:{details['solver']} reports optimal without an answer")
        return Solution("cvxpy", Status.OPTIMAL, rule, program.value(rule), details=details)
    if status not in ("user_limit", "optimal_inaccurate"):
        raise SolverError(f"cvxpy:{details['solver']} stopped with the status {status!r}")
    if rule is not None and program.violations(rule):
        rule = None
    return Solution("cvxpy", Status.TIME_LIMIT, rule, details=details)
