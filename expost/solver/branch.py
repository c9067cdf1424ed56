"""Branch and bound behind a certified bound: for programs that are neither a minimum cut nor one unit for few buyers.

The linear relaxation is solved first; its duals, rounded to integers, prove a bound that anybody can check. Where its
point is a rule, that rule is optimal; else HiGHS branches, and the smaller of both bounds counts.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import numpy as np

from expost._typing import Int8
from expost.solver.adapters.highs import minimized, solve_highs
from expost.solver.answers import slack
from expost.solver.certificate import check
from expost.solver.linear import certificate_of, cost_scale
from expost.solver.program import Program
from expost.solver.progress import ProgressCallback
from expost.solver.result import Certificate, Solution, Status
from expost.tolerances import WELFARE

INTEGRAL = 1e-7
"""How far a variable of the linear relaxation may be from 0 or 1 and still be read as that (its rule is checked)."""


def solve_branch(
    program: Program,
    *,
    time_limit: float | None = None,
    start: Int8 | None = None,
    progress: ProgressCallback | None = None,
) -> Solution:
    """Solve by the linear relaxation and, where that leaves something open, by HiGHS's branch and bound.

    Raises SolverError when HiGHS fails.
    """
    begun = time.monotonic()
    scale = cost_scale(program)
    found, reply = minimized(program, scale, time_limit, {"dual_feasibility_tolerance": WELFARE})
    certificate = (
        None if found is None or found.duals is None else certificate_of(program, -found.duals / scale)
    )
    bound = math.inf if certificate is None else check(program, certificate).upper_bound
    rule = None if found is None else _rule(program, found.point)
    if rule is not None and program.value(rule) >= bound - slack(program):
        details = {"method": "linear program", "bound_certified": True}
        return Solution("branch", Status.OPTIMAL, rule, bound, certificate, details=details)
    if reply.stopped == "interrupted":
        return Solution("branch", Status.INTERRUPTED, start, bound, certificate)
    left = None if time_limit is None else max(time_limit - (time.monotonic() - begun), 0.01)
    searched = solve_highs(program, time_limit=left, start=start, progress=progress)
    return _together(searched, bound, certificate)


def _rule(program: Program, point: Any) -> Int8 | None:
    """The rule that a point of the relaxation is, if it is one."""
    x = np.asarray(point, dtype=np.float64)
    if x.shape != (program.variables,) or float(np.abs(x - np.rint(x)).max(initial=0.0)) > INTEGRAL:
        return None
    rounded = np.rint(x).astype(np.int8)
    return None if program.violations(rounded) else rounded


def _together(searched: Solution, bound: float, certificate: Certificate | None) -> Solution:
    """The answer of the search with the proved bound beside it."""
    details = {**searched.details, "linear_bound": bound}
    if certificate is None:
        return replace(searched, backend="branch", details=details)
    smaller = min(searched.bound, bound)
    return replace(searched, backend="branch", bound=smaller, certificate=certificate, details=details)
