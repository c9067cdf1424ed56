"""The best symmetric rule with its two bounds: its own program's, and the unrestricted second best."""

from __future__ import annotations

import time
from dataclasses import replace

from expost.errors import LimitReached
from expost.formulations.second_best import SecondBest, answer, formulate
from expost.formulations.settings import Settings
from expost.formulations.symmetric import SymmetricFormulation, cost_of_symmetry, symmetric_start
from expost.solver.progress import ProgressCallback
from expost.solver.result import Status
from expost.tolerances import WELFARE


def answer_symmetric(
    formulation: SymmetricFormulation,
    settings: Settings,
    *,
    backend: str = "auto",
    time_limit: float | None = None,
    progress: ProgressCallback | None = None,
) -> SecondBest:
    """Solve, lift, audit, as ``answer``; the unrestricted problem is solved first, within half of the limit.

    Its optimum bounds the symmetric one and gives a first symmetric rule. ``details`` gains ``unrestricted_bound`` and
    ``cost_of_symmetry``: no unrestricted rule on this grid is worth more than so much above the symmetric one.
    """
    begun = time.monotonic()
    half = None if time_limit is None else 0.5 * time_limit
    try:
        whole = formulate(formulation.space, replace(settings, symmetric=False))
        free = answer(whole, time_limit=half).solution
    except LimitReached:
        free = None
    start = None
    if free is not None and free.smallest is not None:
        start = symmetric_start(formulation, whole.allocation(free.smallest))
    left = None if time_limit is None else max(time_limit - (time.monotonic() - begun), 1e-3)
    found = answer(formulation, backend=backend, time_limit=left, progress=progress, start=start)
    if free is None:
        return found
    solution, value = (
        found.solution,
        formulation.program.value(formulation.vector(found.mechanism.allocation)),
    )
    bound = min(solution.bound, free.bound)
    attained = value >= bound - WELFARE * formulation.program.scale
    details = {
        **solution.details,
        "unrestricted_bound": free.bound,
        "cost_of_symmetry": cost_of_symmetry(free, value),
    }
    status = Status.OPTIMAL if attained else solution.status
    return replace(found, solution=replace(solution, status=status, bound=bound, details=details))
