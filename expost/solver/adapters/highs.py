"""HiGHS: the linear program for up to two blocks (totally unimodular), branch and bound for more."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from expost._typing import Int8
from expost.errors import SolverError
from expost.solver.answers import slack
from expost.solver.certificate import check
from expost.solver.linear import certificate_of, cost_scale, rows_of
from expost.solver.processes import Reply, call
from expost.solver.program import Program
from expost.solver.progress import Progress, ProgressCallback
from expost.solver.result import Certificate, Solution, Status
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
    it is HiGHS's own and ``details["bound_certified"]`` is False. idle: called again and again while HiGHS works,
    on another core; False when there is nothing left to do. Raises SolverError when both answers fail.
    """
    failures: list[str] = []
    deadline = None if time_limit is None else time.monotonic() + time_limit
    for extra in ({}, {"presolve": "off"}):
        if failures and deadline is not None:
            time_limit = max(deadline - time.monotonic(), 0.01)
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
    options = {"presolve": "off", "dual_feasibility_tolerance": WELFARE} | options
    found, reply = minimized(program, scale, time_limit, options)
    if found is None:
        nothing = certificate_of(program, np.zeros(rows_of(program).count))
        return Solution("highs", Status(reply.stopped), certificate=nothing, details=_ended("linear program"))
    status = _status(found, reply)
    if status is Status.INFEASIBLE:
        return Solution("highs", status, bound=-math.inf)
    certificate = None if found.duals is None else certificate_of(program, -found.duals / scale)
    bound = math.inf if certificate is None else check(program, certificate).upper_bound
    x = _rounded(found.point) if status is Status.OPTIMAL else None
    details = {
        "method": "linear program",
        "bound_certified": certificate is not None,
        "simplex_iterations": found.iterations,
    }
    return Solution("highs", status, x, bound, certificate, details=details)


def minimized(
    program: Program, scale: float, time_limit: float | None, options: dict[str, Any]
) -> tuple[Any, Reply]:
    """What HiGHS found on the linear relaxation (``highs_run.Found``; None when it had to be ended), and the reply."""
    reply = call(
        "expost.solver.adapters.highs_run:linear",
        who="highs",
        seconds=time_limit,
        rows=rows_of(program),
        cost=-scale * program.weights,
        options=options,
    )
    return reply.answer, reply


class _Search:
    """What branch and bound tells on its way: kept for the case that it has to be ended."""

    def __init__(self, program: Program, scale: float, progress: ProgressCallback | None) -> None:
        self.program, self.scale, self.progress = program, scale, progress
        self.begun = time.monotonic()
        self.rule: Int8 | None = None
        self.bound = math.inf

    def hear(self, note: tuple[Any, ...]) -> None:
        """Take a note of ``highs_run.integer``."""
        if note[0] == "rule":
            self.rule = note[1]
            return
        constant = self.program.constant
        self.bound = min(self.bound, constant - note[1] / self.scale)
        if self.progress is not None:
            incumbent, elapsed = constant - note[2] / self.scale, time.monotonic() - self.begun
            self.progress(Progress("branch and bound", constant - note[1] / self.scale, incumbent, elapsed))

    def ended(self, status: Status) -> Solution:
        """The answer of a search that had to be ended: the best rule that it told of, if it is one."""
        x = self.rule if self.rule is not None and not self.program.violations(self.rule) else None
        return Solution(
            "highs",
            status,
            x,
            self.bound,
            _certificate_without_bound(self.program, self.bound),
            details=_ended("branch and bound"),
        )


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
    search = _Search(program, scale, progress)
    reply = call(
        "expost.solver.adapters.highs_run:integer",
        who="highs",
        seconds=time_limit,
        heard=search.hear,
        idle=idle,
        rows=rows_of(program),
        cost=-scale * program.weights,
        options=options,
        start=start,
    )
    found = reply.answer
    if found is None:
        return search.ended(Status(reply.stopped))
    status = _status(found, reply)
    if status is Status.INFEASIBLE:
        return Solution("highs", status, bound=-math.inf)
    x = None if found.point is None or not found.feasible else _rounded(found.point)
    bound = program.constant - found.bound / scale
    details = {"method": "branch and bound", "bound_certified": False, "nodes": found.nodes}
    return Solution("highs", status, x, bound, _certificate_without_bound(program, bound), details=details)


def _certificate_without_bound(program: Program, bound: float) -> Certificate | None:
    """Stopped before its first bound: the sum of the positive weights is one, proved by multipliers of zero."""
    return None if math.isfinite(bound) else certificate_of(program, np.zeros(rows_of(program).count))


def _ended(method: str) -> dict[str, Any]:
    """Details of an answer that had to do without the solver's last word."""
    return {"method": method, "bound_certified": False, "overran": True}


def _status(found: Any, reply: Reply) -> Status:
    """HiGHS's status as ours. Raises SolverError for one that answers nothing."""
    if found.stopped == "interrupted":  # told to, for one of two reasons
        return Status(reply.stopped or "interrupted")
    if found.stopped not in STATUS:
        raise SolverError(f"highs stopped with the status {found.stopped!r}")
    return STATUS[found.stopped]


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
    if value > solution.bound + slack(program):
        return f"the value {value} exceeds the bound {solution.bound}"
    if solution.status is Status.OPTIMAL and value < solution.bound - slack(program):
        return f"called optimal at {value} with the bound {solution.bound}"
    return None
