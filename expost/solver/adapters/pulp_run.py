"""PuLP in a worker: builds the problem, drives the solver, reads the answer. Nothing else imports pulp."""

from __future__ import annotations

import contextlib
import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pulp

from expost._typing import Float
from expost.errors import InputError, SolverError
from expost.solver.linear import Rows
from expost.solver.worker import Line

BUNDLED = "PULP_CBC_CMD"
ALIASES = {"cbc": BUNDLED, "highs": "HiGHS"}

SHARPEN = 2.0**14
"""CBC calls values equal that differ by 1e-5: weights are scaled up by so much more than for HiGHS."""


@dataclass(frozen=True)
class Found:
    """What a solver behind PuLP found, in the sense and unit of its problem (it minimizes).

    solver: PuLP's name for it. infeasible, optimal: what it claims. values: (variables,) or None where any is missing.
    lower: CBC's bound at a limit, minus infinity where its log has none. scale: of the objective. seconds: to build
    the problem, and to solve it.
    """

    solver: str
    infeasible: bool
    optimal: bool
    values: Float | None
    lower: float
    scale: float
    build_seconds: float
    solve_seconds: float


def solve(
    line: Line, *, rows: Rows, weights: Float, scale: float, solver: str, options: dict[str, Any]
) -> Found:
    """Minimize minus the scaled weights.

    Raises InputError for a solver that is not installed, SolverError when it dies.
    """
    begun = time.monotonic()
    engine = _engine(solver, options)
    scale *= SHARPEN if engine.name == BUNDLED else 1.0
    problem, variables = build(rows, -scale * weights)
    built = time.monotonic()
    log = Path("log.txt")
    log.unlink(missing_ok=True)
    if engine.name == BUNDLED:
        engine.optionsDict["logPath"] = str(log)
    if math.isfinite(line.deadline):
        # Writing the model for a solver outside, and reading it there, takes about as long as building it did.
        engine.timeLimit = max(line.left() - (built - begun), 0.01)
    try:
        with _guarded(line, engine):
            problem.solve(engine)
    except (pulp.PulpError, OSError, ValueError, KeyError) as error:
        raise SolverError(f"pulp:{engine.name} died: {' '.join(str(error).split())[:200]}") from error
    infeasible = problem.status == pulp.LpStatusInfeasible or problem.sol_status == pulp.LpSolutionInfeasible
    values = [variable.varValue for variable in variables]
    return Found(
        engine.name,
        infeasible,
        problem.sol_status == pulp.LpSolutionOptimal,
        None if any(value is None for value in values) else np.array(values, dtype=np.float64),
        _lower_bound(log),
        scale,
        built - begun,
        time.monotonic() - built,
    )


def installed(_: Line) -> list[str]:
    """The names of the solvers that PuLP finds on this machine."""
    return [str(name) for name in pulp.listSolvers(onlyAvailable=True)]


def build(rows: Rows, cost: Float) -> tuple[Any, list[Any]]:
    """A PuLP problem that minimizes ``cost @ x`` over 0/1 vectors, row by row but without its operators."""
    bounds = zip(rows.lower_x.tolist(), rows.upper_x.tolist(), strict=True)
    variables = [pulp.LpVariable(f"x{k}", low, high, pulp.LpInteger) for k, (low, high) in enumerate(bounds)]
    problem = pulp.LpProblem("expost", pulp.LpMinimize)
    problem.setObjective(pulp.LpAffineExpression(zip(variables, cost.tolist(), strict=True)))
    starts, index, value = rows.start.tolist(), rows.index.tolist(), rows.value.tolist()
    for row, upper in enumerate(rows.upper.tolist()):
        span = range(starts[row], starts[row + 1])
        terms = pulp.LpAffineExpression([(variables[index[k]], value[k]) for k in span])
        problem.addConstraint(pulp.LpConstraint(terms, pulp.LpConstraintLE, f"r{row}", upper))
    return problem, variables


@contextlib.contextmanager
def _guarded(line: Line, engine: Any) -> Iterator[None]:
    """A solver inside this process dies with the parent at once; one outside leaves files, which ``listen`` removes."""
    if isinstance(engine, pulp.LpSolver_CMD):
        yield
        return
    with line.dying_with_parent():
        yield


def _engine(name: str, options: dict[str, Any]) -> Any:
    """PuLP's solver object, gaps zero, quiet. Raises InputError unless it is installed."""
    wanted = ALIASES.get(name.lower(), name)
    known = {solver.lower(): solver for solver in pulp.listSolvers()}
    settings = {"msg": False, "gapRel": 0.0, "gapAbs": 0.0} | options
    try:
        engine = pulp.getSolver(known[wanted.lower()], **settings) if wanted.lower() in known else None
    except TypeError as error:
        raise InputError(f"options that pulp:{name} does not take ({error})", where="backend") from error
    if engine is None or not engine.available():
        names = ", ".join(str(solver) for solver in pulp.listSolvers(onlyAvailable=True))
        raise InputError(f"pulp finds no solver {name!r}", where="backend", expected=f"one of {names}")
    return engine


def _lower_bound(log: Path) -> float:
    """CBC's bound (of the minimization) at a limit, minus infinity where the log has none."""
    text = log.read_text(errors="replace") if log.is_file() else ""
    found = re.findall(r"(?:Lower bound:|best possible)\s+(-?[\d.eE+]+)", text)
    try:
        return float(found[-1]) if found else -math.inf
    except ValueError:
        return -math.inf
