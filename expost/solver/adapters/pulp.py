"""PuLP: its bundled CBC by default, any solver that it finds by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from expost.errors import SolverError
from expost.solver.linear import cost_scale, rows_of
from expost.solver.processes import call
from expost.solver.program import Program
from expost.solver.result import Solution, Status

UNHURRIED = 0.5
"""Part of the time limit within which a solver that says infeasible is believed."""

RUN = "expost.solver.adapters.pulp_run"


def installed_solvers() -> list[str]:
    """The names of the solvers that PuLP finds on this machine."""
    return list(call(f"{RUN}:installed", who="pulp").answer or ())


def solve_pulp(
    program: Program,
    *,
    solver: str = "cbc",
    time_limit: float | None = None,
    idle: Callable[[], bool] | None = None,
    **options: Any,
) -> Solution:
    """Solve through PuLP. solver: a name that PuLP knows, or ``cbc``, ``highs``. options: of PuLP's solver class.

    The bound of an answer that the solver calls optimal is its value; at a limit it is CBC's own where
    its log tells, infinite otherwise. Never certified. CBC does not look at the clock inside a linear program: it
    is ended where it overruns its limit, or after Ctrl-C, and what it had is lost. idle: what to do meanwhile, again
    and again; False when there is nothing left to do. Raises InputError for a solver that is not installed,
    SolverError when it dies.
    """
    reply = call(
        f"{RUN}:solve",
        who=f"pulp:{solver}",
        seconds=time_limit,
        idle=idle,
        rows=rows_of(program),
        weights=program.weights,
        scale=cost_scale(program),
        solver=solver,
        options=options,
    )
    if reply.answer is None:
        details = {"solver": solver, "bound_certified": False, "overran": True}
        return Solution("pulp", Status(reply.stopped), details=details)
    hurried = time_limit is not None and reply.answer.solve_seconds > UNHURRIED * time_limit
    return _solution(program, reply.answer, _status(reply.answer, hurried))


def _status(found: Any, hurried: bool) -> Status:
    """PuLP 3 says Optimal at a time limit, too: only ``sol_status`` tells the two apart. hurried: whether the limit was
    near; CBC, when it runs out of time while preprocessing, says infeasible."""
    if found.infeasible:
        return Status.TIME_LIMIT if hurried else Status.INFEASIBLE
    return Status.OPTIMAL if found.optimal else Status.TIME_LIMIT


def _solution(program: Program, found: Any, status: Status) -> Solution:
    """Read the answer off; what a limit or an infeasible run left behind is not believed."""
    details = {"solver": found.solver, "build_seconds": found.build_seconds, "bound_certified": False}
    if status is Status.INFEASIBLE:
        return Solution("pulp", status, bound=-math.inf, details=details)
    x = None if found.values is None else (found.values > 0.5).astype(np.int8)
    if status is Status.OPTIMAL:
        if x is None:
            raise SolverError(f"pulp:{found.solver} reports optimal without an answer")
        return Solution("pulp", status, x, program.value(x), details=details)
    if x is not None and program.violations(x):
        x = None
    return Solution("pulp", status, x, program.constant - found.lower / found.scale, details=details)
