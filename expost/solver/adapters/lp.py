"""HiGHS on a program in matrix form: linear programs with their multipliers, mixed-integer ones with HiGHS's bound."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from expost._typing import Float
from expost.errors import SolverError
from expost.solver.linear import Rows
from expost.solver.linear_program import LinearProgram, dual_bound
from expost.solver.processes import call
from expost.solver.result import Status
from expost.tolerances import WELFARE

FEASIBILITY = 1e-10
"""The smallest primal and dual tolerance that HiGHS takes."""

TOLERANCES = {"primal_feasibility_tolerance": FEASIBILITY, "dual_feasibility_tolerance": FEASIBILITY}
RETRIES: tuple[dict[str, Any], ...] = ({}, dict.fromkeys(TOLERANCES, 1e-8), dict.fromkeys(TOLERANCES, 1e-7))
"""Seen with HiGHS 1.16: degenerate linear programs that simplex leaves without any status ("Not Set") at the smallest
tolerances. Answers are audited and bounds recomputed, so a coarser one costs digits, never truth."""

WORDS = {
    "Optimal": Status.OPTIMAL,
    "time limit": Status.TIME_LIMIT,
    "interrupted": Status.INTERRUPTED,
    "Infeasible": Status.INFEASIBLE,
    "Primal infeasible or unbounded": Status.INFEASIBLE,
}


@dataclass(frozen=True, eq=False)
class LinearAnswer:
    """What HiGHS found: why it stopped, the point (variables,) or None, and a bound.

    multipliers: float64 (rows,), of a linear program, what proves the bound (see ``dual_bound``); None for a
    mixed-integer program, whose bound is HiGHS's own word. nodes: of the branch and bound.
    """

    status: Status
    x: Float | None = field(repr=False)
    bound: float
    multipliers: Float | None = field(default=None, repr=False)
    nodes: int = 0


def solve_linear(
    program: LinearProgram, *, time_limit: float | None = None, start: Float | None = None, **options: Any
) -> LinearAnswer:
    """Solve ``program``; a linear one is bounded by its multipliers alone, never by the solver's objective.

    start: a feasible point of a mixed-integer program. options: HiGHS options by name. Raises SolverError when
    HiGHS stops with a status that answers nothing.
    """
    deadline = None if time_limit is None else time.monotonic() + time_limit
    found = _attempts(program, deadline, start, options)
    if program.integral is None or not _falls_short(program, found):
        return found
    # Seen with HiGHS 1.16: a start is handed back as optimal although presolve had found better, and the bound says so.
    again = _attempts(program, deadline, None, options | {"presolve": "off"})
    if again.x is not None and found.x is not None and program.value(again.x) > program.value(found.x):
        found = replace(again, bound=min(found.bound, again.bound))
    return replace(found, status=Status.FEASIBLE) if _falls_short(program, found) else found


def _falls_short(program: LinearProgram, found: LinearAnswer) -> bool:
    """Whether what is called optimal is not worth its own bound."""
    if found.status is not Status.OPTIMAL or found.x is None:
        return False
    return program.value(found.x) < found.bound - WELFARE * program.scale


def _attempts(
    program: LinearProgram, deadline: float | None, start: Float | None, options: dict[str, Any]
) -> LinearAnswer:
    scale = objective_scale(program)
    integral = program.integral if program.integral is not None and program.integral.any() else None
    fixed = TOLERANCES if integral is None else TOLERANCES | {"mip_feasibility_tolerance": FEASIBILITY}
    word = ""
    for retry in RETRIES:
        left = None if deadline is None else max(deadline - time.monotonic(), 0.01)
        reply = call(
            "expost.solver.adapters.lp_run:minimize",
            who="highs",
            seconds=left,
            rows=_rows(program),
            cost=-scale * program.objective,
            integral=integral,
            options=fixed | retry | options,
            start=start,
        )
        if reply.answer is None:
            return _nothing(program, Status(reply.stopped), integral is None)
        word = reply.answer.stopped
        if word in WORDS:
            return _answer(program, reply.answer, scale, integral is None)
    raise SolverError(f"highs stopped with the status {word!r}")


def _nothing(program: LinearProgram, status: Status, linear: bool) -> LinearAnswer:
    """What is known of a program whose solver had to be ended: the bound of multipliers of zero."""
    zeros = np.zeros(program.rows)
    return LinearAnswer(status, None, dual_bound(program, zeros), zeros if linear else None)


def _answer(program: LinearProgram, found: Any, scale: float, linear: bool) -> LinearAnswer:
    status = WORDS[found.stopped]
    x = found.point if found.feasible else None
    if linear:
        multipliers = np.zeros(program.rows) if found.duals is None else np.maximum(-found.duals / scale, 0.0)
        return LinearAnswer(status, x, dual_bound(program, multipliers), multipliers)
    bound = program.constant - found.bound / scale
    if status is Status.INFEASIBLE:
        bound = -math.inf
    return LinearAnswer(status, x, bound, nodes=found.nodes)


def objective_scale(program: LinearProgram) -> float:
    """A power of two that brings the largest coefficient of the objective to between 64 and 128."""
    largest = float(np.abs(program.objective).max(initial=0.0))
    return 1.0 if largest == 0.0 else float(2.0 ** (6 - np.floor(np.log2(largest))))


def _rows(program: LinearProgram) -> Rows:
    matrix = program.matrix
    return Rows(
        matrix.indptr.astype(np.int32),
        matrix.indices.astype(np.int32),
        matrix.data.astype(np.float64),
        program.upper,
        program.lower_x,
        program.upper_x,
    )
