"""Branch and bound on a core: the variables that no argument at the linear bound has decided.

Every rule worth at least the proved bound minus an allowance agrees with the fixings that the forcing costs
prove. So an optimum of the core that is worth that much is an optimum of the whole program, and
otherwise the bound comes down to the larger of the core's own bound and bound minus allowance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from expost._typing import Int8
from expost.errors import InputError, SolverError
from expost.solver.adapters.highs import solve_highs
from expost.solver.adapters.pulp import solve_pulp
from expost.solver.answers import never_sells
from expost.solver.nbuyers.fixing import Costs
from expost.solver.program import FREE, Program
from expost.solver.progress import ProgressCallback
from expost.solver.reduction import Reduction, reduced
from expost.solver.result import Solution, Status


@dataclass(frozen=True, eq=False)
class CoreAnswer:
    """What branch and bound on a core showed about the whole program.

    status: why it stopped. x: the best rule found, or None. bound: on the whole program, by branch and bound.
    free: how many variables the core had. allowance: in the unit of the weights.
    """

    status: Status
    x: Int8 | None
    bound: float
    free: int
    allowance: float


def core_size(program: Program, costs: Costs, allowance: float) -> int:
    """How many variables the core has at this allowance."""
    fixed = costs.fixings(program, allowance)
    return 0 if fixed is None else int(np.count_nonzero(fixed == FREE))


def allowance_for(costs: Costs, size: int) -> float:
    """The largest allowance (unit: weights) at which the core has about ``size`` variables."""
    dearer = np.maximum(costs.to_zero, costs.to_one)
    rank = min(size, len(dearer) - 1)
    return math.ldexp(float(np.partition(dearer, rank)[rank]), -costs.exponent)


def search_core(
    program: Program,
    costs: Costs,
    bound: float,
    allowance: float,
    *,
    start: Int8 | None = None,
    time_limit: float | None = None,
    progress: ProgressCallback | None = None,
    idle: Callable[[], bool] | None = None,
    engine: str = "highs",
) -> CoreAnswer:
    """Branch and bound with the fixings that hold within ``allowance`` of the proved ``bound``.

    start: a rule of the program to start from, used where it agrees with the fixings (HiGHS). idle: what to
    do meanwhile on another processor. engine: ``highs``, or ``cbc`` in a process of its own.
    """
    fixed = costs.fixings(program, allowance)
    core = None if fixed is None else reduced(program, fixed)
    if core is None:
        return CoreAnswer(Status.INFEASIBLE, None, bound - allowance, 0, allowance)
    free = len(core.kept)
    if free == 0:
        x = core.lift(np.empty(core.program.variables))
        return CoreAnswer(Status.OPTIMAL, x, max(program.value(x), bound - allowance), 0, allowance)
    begin = None if start is None else core.restrict(start)

    def branch() -> Solution:
        if engine == "cbc":
            return solve_pulp(core.program, time_limit=time_limit, idle=idle)
        return solve_highs(core.program, time_limit=time_limit, start=begin, progress=progress, idle=idle)

    return _concluded(core, bound, allowance, branch)


def _concluded(core: Reduction, bound: float, allowance: float, branch: Callable[[], Solution]) -> CoreAnswer:
    """What branch and bound on a core says about the program; a failure proves nothing and is no answer."""
    free, rest = len(core.kept), bound - allowance
    try:
        answer = branch()
    except (SolverError, InputError):  # it died, or is not installed
        return CoreAnswer(Status.UNKNOWN, None, bound, free, allowance)
    if answer.status is Status.INFEASIBLE:
        if never_sells(core.program):  # so it is not, and the engine has shown nothing
            return CoreAnswer(Status.UNKNOWN, None, bound, free, allowance)
        return CoreAnswer(Status.INFEASIBLE, None, rest, free, allowance)
    x = None if answer.x is None or core.program.violations(answer.x) else core.lift(answer.x)
    return CoreAnswer(answer.status, x, min(bound, max(answer.bound, rest)), free, allowance)
