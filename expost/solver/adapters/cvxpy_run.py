"""cvxpy in a worker: the program in matrix form, solved by whatever cvxpy finds. Nothing else imports cvxpy."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import cvxpy
import numpy as np
from cvxpy.reductions.solvers.defines import INSTALLED_MI_SOLVERS
from scipy.sparse import csr_array

from expost._typing import Float
from expost.errors import InputError, SolverError
from expost.solver.linear import Rows
from expost.solver.worker import Line

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


@dataclass(frozen=True)
class Found:
    """What a solver behind cvxpy found: cvxpy's status, x and the duals of the rows (None without), the objective."""

    solver: str
    status: str
    x: Float | None
    duals: Float | None
    value: float
    build_seconds: float


def solve(
    line: Line, *, rows: Rows, cost: Float, solver: str | None, boolean: bool, options: dict[str, Any]
) -> Found:
    """Minimize ``cost @ x`` over the rows, 0/1 or relaxed. Raises InputError for a solver that is not installed or
    takes no limit, SolverError when it dies."""
    name = _known(solver) if boolean and solver else solver
    begun = time.monotonic()
    problem, x, constraint = build(rows, cost, boolean=boolean)
    built = time.monotonic() - begun
    settings = dict(GAPS.get(name, {})) if boolean and name else {}
    if math.isfinite(line.deadline):
        settings |= _limit(name, line.left())
    status = _run(line, problem, name, settings | options)
    return Found(
        name or "default",
        status,
        None if x.value is None else np.asarray(x.value),
        None if constraint.dual_value is None else np.asarray(constraint.dual_value),
        math.nan if problem.value is None else float(problem.value),
        built,
    )


def installed(_: Line) -> list[str]:
    """The mixed-integer solvers that cvxpy finds on this machine."""
    return [str(name) for name in INSTALLED_MI_SOLVERS if name in cvxpy.installed_solvers()]


def build(rows: Rows, cost: Float, *, boolean: bool) -> tuple[Any, Any, Any]:
    """Problem, variable and row constraint: one sparse matrix, no loop over rows."""
    matrix = csr_array((rows.value, rows.index, rows.start), shape=(rows.count, len(cost)))
    x = cvxpy.Variable(len(cost), boolean=boolean)
    constraint = matrix @ x <= rows.upper
    box = [x >= rows.lower_x, x <= rows.upper_x]
    return cvxpy.Problem(cvxpy.Minimize(cost @ x), [constraint, *box]), x, constraint


def _known(solver: str) -> str:
    """cvxpy's spelling of an installed solver. Raises InputError for others."""
    known = {
        str(name).lower(): str(name) for name in INSTALLED_MI_SOLVERS if name in cvxpy.installed_solvers()
    }
    if solver.lower() not in known:
        raise InputError(
            f"cvxpy finds no mixed-integer solver {solver!r}",
            where="backend",
            expected=f"one of {', '.join(known.values())}",
        )
    return known[solver.lower()]


def _limit(name: str | None, seconds: float) -> dict[str, Any]:
    """A time limit in the solver's own words. Raises InputError where these are not known."""
    if name not in LIMITS:
        raise InputError(
            f"a time limit for cvxpy:{name}",
            where="backend",
            expected=f"one of {', '.join(LIMITS)}",
            remedy="or no time limit",
        )
    if name == "SCIPY":
        return {"scipy_options": GAPS["SCIPY"]["scipy_options"] | {LIMITS[name]: seconds}}
    if name == "SCIP":
        return {"scip_params": GAPS["SCIP"]["scip_params"] | {LIMITS[name]: seconds}}
    return {LIMITS[name]: seconds}


def _run(line: Line, problem: Any, solver: str | None, settings: dict[str, Any]) -> str:
    """Solve; the status. Raises SolverError when the solver dies."""
    try:
        with line.dying_with_parent():
            problem.solve(solver=solver, **settings)
        return str(problem.status)
    except (
        cvxpy.error.SolverError,
        cvxpy.error.DCPError,
        ValueError,
        TypeError,
        KeyError,
        RuntimeError,
    ) as error:
        if (
            time.monotonic() > line.deadline
        ):  # scipy's solver, out of time without a rule, has failed for cvxpy
            return "user_limit"
        raise SolverError(
            f"cvxpy:{solver or 'default'} died: {' '.join(str(error).split())[:200]}"
        ) from error
