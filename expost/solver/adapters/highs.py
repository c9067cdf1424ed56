"""HiGHS: the linear program for up to two blocks (totally unimodular), branch and bound for more."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from expost._typing import Int8
from expost.errors import SolverError
from expost.solver.adapters.highs_run import load, run
from expost.solver.certificate import check
from expost.solver.linear import certificate_of, cost_scale, rows_of
from expost.solver.program import Program
from expost.solver.progress import ProgressCallback
from expost.solver.result import Solution, Status
from expost.tolerances import WELFARE

STATUS = {
    "Optimal": Status.OPTIMAL,
    "time limit": Status.TIME_LIMIT,
    "interrupted": Status.INTERRUPTED,
    "Infeasible": Status.INFEASIBLE,
    "Primal infeasible or unbounded": Status.INFEASIBLE,
}


def solve_highs(
    program: Program,
    *,
    time_limit: float | None = None,
    start: Int8 | None = None,
    progress: ProgressCallback | None = None,
    idle: Callable[[], bool] | None = None,
    **options: Any,
) -> Solution:
    """Solve with HiGHS, gap zero; the answer is audited, and sought again without presolve if it fails.

    options: HiGHS options by name. Up to two blocks the bound is the checker's, from the duals; beyond,
    it is HiGHS's own and ``details["bound_certified"]`` is False. idle: see ``highs_run.run``.
    Raises SolverError when both answers fail.
    """
    failures = []
    for extra in ({}, {"presolve": "off"}):
        if program.n_blocks <= 2:
            solution = _solve_linear(program, time_limit, options | extra)
        else:
            solution = _solve_integer(program, time_limit, start, progress, idle, options | extra)
        failure = _failure(program, solution)
        if failure is None:
            return solution
        failures.append(failure)
    raise SolverError(f"highs failed the audit with presolve and without: {'; '.join(failures)}")


def _solve_linear(program: Program, time_limit: float | None, options: dict[str, Any]) -> Solution:
    """The linear program: its vertices are integral for up to two blocks, its duals a certificate."""
    scale = cost_scale(program)
    # Presolve saves nothing on difference rows, and without it the duals need no postsolve.
    h = load(
        rows_of(program),
        -scale * program.weights,
        integer=False,
        options={"presolve": "off", "dual_feasibility_tolerance": WELFARE} | options,
    )
    status = _status(run(h, time_limit=time_limit))
    if status is Status.INFEASIBLE:
        return Solution("highs", status, bound=-math.inf)
    answer = h.getSolution()
    certificate = certificate_of(program, -np.asarray(answer.row_dual) / scale) if answer.dual_valid else None
    bound = math.inf if certificate is None else check(program, certificate).upper_bound
    x = _rounded(answer.col_value) if status is Status.OPTIMAL else None
    details = {
        "method": "linear program",
        "bound_certified": certificate is not None,
        "simplex_iterations": h.getInfo().simplex_iteration_count,
    }
    return Solution("highs", status, x, bound, certificate, details=details)


def _solve_integer(
    program: Program,
    time_limit: float | None,
    start: Int8 | None,
    progress: ProgressCallback | None,
    idle: Callable[[], bool] | None,
    options: dict[str, Any],
) -> Solution:
    """Branch and bound."""
    scale = cost_scale(program)
    h = load(rows_of(program), -scale * program.weights, integer=True, options=options)
    if start is not None:
        h.setSolution(len(start), np.arange(len(start), dtype=np.int32), start.astype(np.float64))
    status = _status(
        run(h, time_limit=time_limit, progress=progress, scale=scale, constant=program.constant, idle=idle)
    )
    info = h.getInfo()
    if status is Status.INFEASIBLE:
        return Solution("highs", status, bound=-math.inf)
    x = _rounded(h.getSolution().col_value) if math.isfinite(info.objective_function_value) else None
    if info.primal_solution_status != 2:
        x = None
    bound = program.constant - info.mip_dual_bound / scale
    details = {"method": "branch and bound", "bound_certified": False, "nodes": info.mip_node_count}
    # Stopped before its first bound: the sum of the positive weights is one, proved by multipliers of zero.
    certificate = None if math.isfinite(bound) else certificate_of(program, np.zeros(rows_of(program).count))
    return Solution("highs", status, x, bound, certificate, details=details)


def _status(words: str) -> Status:
    """HiGHS's status as ours. Raises SolverError for one that answers nothing."""
    if words not in STATUS:
        raise SolverError(f"highs stopped with the status {words!r}")
    return STATUS[words]


def _rounded(values: Any) -> Int8:
    """Floating-point variables as 0/1."""
    return (np.asarray(values) > 0.5).astype(np.int8)


def _failure(program: Program, solution: Solution) -> str | None:
    """What is wrong with an answer, None if nothing: never believed before this."""
    if solution.x is None:
        return None
    broken = program.violations(solution.x)
    if broken:
        return f"the answer breaks {broken} rows"
    value = program.value(solution.x)
    slack = WELFARE * program.scale
    if value > solution.bound + slack:
        return f"the value {value} exceeds the bound {solution.bound}"
    if solution.status is Status.OPTIMAL and value < solution.bound - slack:
        return f"called optimal at {value} with the bound {solution.bound}"
    return None
