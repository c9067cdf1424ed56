"""PuLP: its bundled CBC by default, any solver that it finds by name."""

from __future__ import annotations

import math
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from expost._typing import Int8
from expost.errors import InputError, SolverError
from expost.solver.children import watchdog
from expost.solver.linear import Rows, cost_scale, rows_of
from expost.solver.program import Program
from expost.solver.quiet import quiet
from expost.solver.result import Solution, Status

DEFAULT = "PULP_CBC_CMD"
ALIASES = {"cbc": DEFAULT, "highs": "HiGHS"}

OVERRUN, GRACE = 1.5, 5.0
"""CBC does not look at the clock inside a linear program: after so many times the limit, and so many seconds
for reading the model, its process is ended, and what it had is lost.
"""

UNHURRIED = 0.5
"""Part of the time limit within which a solver that says infeasible is believed."""

SHARPEN = 2.0**14
"""CBC calls values equal that differ by 1e-5: weights are scaled up by so much more than for HiGHS."""


def installed_solvers() -> list[str]:
    """The names of the solvers that PuLP finds on this machine."""
    import pulp

    with quiet():
        return [str(name) for name in pulp.listSolvers(onlyAvailable=True)]


def solve_pulp(
    program: Program, *, solver: str = DEFAULT, time_limit: float | None = None, **options: Any
) -> Solution:
    """Solve through PuLP. solver: a name that PuLP knows, or ``cbc``, ``highs``. options: of PuLP's solver class.

    The bound of an answer that the solver calls optimal is its value; at a limit it is CBC's own where
    its log tells, infinite otherwise. Never certified. Raises InputError for a solver that is not
    installed, SolverError when it dies.
    """
    import pulp

    engine = _engine(solver, time_limit, options)
    scale = cost_scale(program) * (SHARPEN if engine.name == DEFAULT else 1.0)
    begun = time.perf_counter()
    with quiet(), tempfile.TemporaryDirectory() as folder:
        problem, variables = build(program, rows_of(program), scale)
        built = time.perf_counter() - begun
        log = Path(folder) / "log.txt"
        if engine.name == DEFAULT:
            engine.optionsDict["logPath"] = str(log)
            engine.tmpDir = folder
        patience = None if time_limit is None else OVERRUN * time_limit + GRACE
        set_out = time.perf_counter()
        try:
            with watchdog(patience) as watch:
                problem.solve(engine)
        except (pulp.PulpError, OSError, ValueError, KeyError) as error:
            if watch.overran:
                return Solution("pulp", Status.TIME_LIMIT, details={"solver": engine.name, "overran": True})
            raise SolverError(f"pulp:{engine.name} died: {' '.join(str(error).split())[:200]}") from error
        hurried = time_limit is not None and time.perf_counter() - set_out > UNHURRIED * time_limit
        status = _status(pulp, problem, hurried)
        lower = _lower_bound(log)
    return _solution(
        program,
        status,
        variables,
        program.constant - lower / scale,
        {"solver": engine.name, "build_seconds": built, "bound_certified": False},
    )


def build(program: Program, rows: Rows, scale: float) -> tuple[Any, list[Any]]:
    """A PuLP problem that minimizes minus ``scale`` times the weights, row by row but without its operators."""
    import pulp

    bounds = zip(rows.lower_x.tolist(), rows.upper_x.tolist(), strict=True)
    variables = [pulp.LpVariable(f"x{k}", low, high, pulp.LpInteger) for k, (low, high) in enumerate(bounds)]
    problem = pulp.LpProblem("expost", pulp.LpMinimize)
    problem.setObjective(
        pulp.LpAffineExpression(zip(variables, (-scale * program.weights).tolist(), strict=True))
    )
    starts, index, value = rows.start.tolist(), rows.index.tolist(), rows.value.tolist()
    for row, upper in enumerate(rows.upper.tolist()):
        span = range(starts[row], starts[row + 1])
        terms = pulp.LpAffineExpression([(variables[index[k]], value[k]) for k in span])
        problem.addConstraint(pulp.LpConstraint(terms, pulp.LpConstraintLE, f"r{row}", upper))
    return problem, variables


def _engine(name: str, time_limit: float | None, options: dict[str, Any]) -> Any:
    """PuLP's solver object, gaps zero, quiet. Raises InputError unless it is installed."""
    import pulp

    wanted = ALIASES.get(name.lower(), name)
    known = {solver.lower(): solver for solver in installed_solvers()}
    if wanted.lower() not in known:
        raise InputError(
            f"pulp finds no solver {name!r}", where="backend", expected=f"one of {', '.join(known.values())}"
        )
    settings = {"msg": False, "gapRel": 0.0, "gapAbs": 0.0, "timeLimit": time_limit} | options
    with quiet():
        try:
            return pulp.getSolver(known[wanted.lower()], **settings)
        except TypeError as error:
            raise InputError(f"options that pulp:{name} does not take ({error})", where="backend") from error


def _status(pulp: Any, problem: Any, hurried: bool) -> Status:
    """PuLP 3 says Optimal at a time limit, too: only ``sol_status`` tells the two apart. hurried: whether the limit was
    near; CBC, when it runs out of time while preprocessing, says infeasible."""
    infeasible = problem.status == pulp.LpStatusInfeasible or problem.sol_status == pulp.LpSolutionInfeasible
    if infeasible:
        return Status.TIME_LIMIT if hurried else Status.INFEASIBLE
    if problem.sol_status == pulp.LpSolutionOptimal:
        return Status.OPTIMAL
    return Status.TIME_LIMIT


def _lower_bound(log: Path) -> float:
    """CBC's bound (of the minimization) at a limit, minus infinity where the log has none."""
    text = log.read_text(errors="replace") if log.is_file() else ""
    found = re.findall(r"(?:Lower bound:|best possible)\s+(-?[\d.eE+]+)", text)
    try:
        return float(found[-1]) if found else -math.inf
    except ValueError:
        return -math.inf


def _solution(
    program: Program, status: Status, variables: list[Any], bound: float, details: dict[str, Any]
) -> Solution:
    """Read the answer off PuLP's variables; what a limit or an infeasible run left behind is not believed."""
    if status is Status.INFEASIBLE:
        return Solution("pulp", status, bound=-math.inf, details=details)
    values = [variable.varValue for variable in variables]
    missing = any(value is None for value in values)
    if status is Status.OPTIMAL:
        if missing:
            raise SolverError(f"pulp:{details['solver']} reports optimal without an answer")
        x = _bits(values)
        return Solution("pulp", status, x, program.value(x), details=details)
    found = None if missing else _bits(values)
    if found is not None and program.violations(found):
        found = None
    return Solution("pulp", status, found, bound, details=details)


def _bits(values: list[float]) -> Int8:
    """Floating-point variables as 0/1."""
    return (np.array(values) > 0.5).astype(np.int8)
