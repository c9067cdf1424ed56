"""The pipeline: from a type space to a proved and audited second best. Everything that solves a grid stands on it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

from expost._limits import NotCompiled, in_time
from expost._typing import Int8
from expost.errors import LimitReached, SolverError
from expost.formulations.assemble import Formulation, assemble
from expost.formulations.coarser import Known, coarse_start, start_from
from expost.formulations.room import LARGE, require_time, room_for_solve
from expost.formulations.settings import Settings
from expost.formulations.symmetric import symmetric_formulation
from expost.formulations.timing import build_blocks, buyer_stages, parse_timing
from expost.instances.environment import Instance
from expost.mechanisms.audit import Audit
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.solver.answers import slack
from expost.solver.nearby import Nearby, nearby
from expost.solver.progress import ProgressCallback
from expost.solver.result import Solution, Status
from expost.spaces.type_space import TypeSpace, discretize


@dataclass(frozen=True, eq=False)
class SecondBest:
    """A rule that a solver found, lifted to a mechanism and audited by definition.

    seconds: spent on the solve and on lifting and auditing.
    """

    formulation: Formulation = field(repr=False)
    solution: Solution = field(repr=False)
    mechanism: Mechanism = field(repr=False)
    audit: Audit
    seconds: dict[str, float]

    @property
    def welfare(self) -> float:
        """Expected welfare of the rule, recomputed from the rule and the instance."""
        space = self.formulation.space
        return self.mechanism.welfare(space.gains, space.seller)


def second_best(
    space: TypeSpace,
    settings: Settings,
    *,
    backend: str = "auto",
    time_limit: float | None = None,
    progress: ProgressCallback | None = None,
) -> SecondBest:
    """The best rule on ``space`` under ``settings``; raises what ``formulate``, ``require_time``, ``answer`` raise."""
    begun = time.perf_counter()
    formulation = formulate(space, settings)
    if time_limit is not None:
        spent = time.perf_counter() - begun
        require_time(formulation, spent, time_limit)
        time_limit = max(time_limit - spent, 1e-3)
    return answer(formulation, backend=backend, time_limit=time_limit, progress=progress)


def type_space(instance: Instance, settings: Settings, limit: float | None = None) -> TypeSpace:
    """The type space of a solve. Raises InputError when the grid is unfit, and what ``room_for_solve`` raises."""
    timings = parse_timing(instance.n, settings.timing)
    room_for_solve(instance, settings.grid, timings, limit, settings.first)
    return discretize(instance, settings.grid)


def formulate(space: TypeSpace, settings: Settings) -> Formulation:
    """The program of ``space`` under ``settings``, with the way back. Raises InputError for unusable settings,
    LimitReached where a large one is not built before the limit."""
    timings = parse_timing(space.n, settings.timing)
    _in_time(space)
    if settings.symmetric:
        return symmetric_formulation(
            space, timings, settings.first, alpha=settings.alpha, conditional=settings.conditional
        )
    blocks = build_blocks(space, timings, settings.first, revenue=settings.alpha < 1.0)
    _in_time(space)
    return assemble(
        space,
        blocks,
        stages=buyer_stages(space, timings, settings.first),
        alpha=settings.alpha,
        conditional=settings.conditional,
        settings=settings,
    )


def _in_time(space: TypeSpace) -> None:
    """Raise LimitReached after the limit, where what comes next takes a while."""
    if space.states * space.n >= LARGE:
        in_time()


def answer(
    formulation: Formulation,
    *,
    backend: str = "auto",
    time_limit: float | None = None,
    progress: ProgressCallback | None = None,
    start: Int8 | None = None,
    gap: float | None = None,
    near: SecondBest | Known | None = None,
) -> SecondBest:
    """Solve, lift, audit. start: a feasible 0/1 vector of shape (variables,), for backends that take one.

    gap: stop when the bound is at most this share of its size above the rule's value. near: the answer to a program
    with the same rows and other weights, or what is known of another instance with the same types, to start from.

    Raises LimitReached when a limit came before any rule, AuditError when the rule fails the audit by definition,
    SolverError when the backend failed.
    """
    from expost.solver.backends import select, solve_program

    begun = time.perf_counter()
    guess: Nearby | None = nearby(near.solution) if isinstance(near, SecondBest) else None
    if guess is None and select(formulation.program, backend)[0].nearby:
        known = start_from(formulation, near) if isinstance(near, Known) else None
        guess = known or coarse_start(formulation, time_limit)
    if time_limit is not None:
        time_limit = max(time_limit - (time.perf_counter() - begun), 1e-3)
    solution = solve_program(formulation.program, backend, time_limit, start, progress, gap=gap, nearby=guess)
    _refuse_nothing(formulation, solution)
    solution = _with_certificate(formulation, solution)
    solved = time.perf_counter()
    assert solution.x is not None
    mechanism = formulation.mechanism(formulation.allocation(solution.x))
    verdict = audit_mechanism(formulation.space.values, mechanism)
    verdict.require(solution.backend)
    seconds = {"solve": solved - begun, "audit": time.perf_counter() - solved}
    return SecondBest(formulation, solution, mechanism, verdict, seconds)


def _refuse_nothing(formulation: Formulation, solution: Solution) -> None:
    """Raise LimitReached when a limit came before any answer: no rule, or never selling and no bound.

    Raises SolverError when the solver says that there is no rule at all where never selling is one.
    """
    name = formulation.space.instance.name
    if solution.status is Status.INFEASIBLE:
        raise SolverError(f"{solution.backend} finds no rule for {name}, but there is one")
    nothing = solution.x is None or not formulation.allocation(solution.x).any()
    if solution.x is None or (nothing and math.isinf(solution.bound)):
        raise LimitReached(
            f"{name}: {solution.backend} stopped ({solution.status}) before it had an answer; "
            "allow more time or use a coarser grid"
        )


def _with_certificate(formulation: Formulation, solution: Solution) -> Solution:
    """The solution with a certificate wherever optimality can have one.

    With one or two buyers the linear program is exact, so what a backend without certificates calls optimal can be
    proved: by the flow of the minimum cut. Raises SolverError when that flow disproves it.
    """
    from expost.solver.backends import solve_program

    program = formulation.program
    if solution.certificate is not None or solution.status is not Status.OPTIMAL or program.n_blocks > 2:
        return solution
    try:
        flow = solve_program(program, "mincut")
    except NotCompiled:  # the answer stands without
        return solution
    assert solution.x is not None and flow.x is not None
    if program.value(solution.x) < flow.bound - slack(program):
        raise SolverError(
            f"{solution.backend} calls {program.value(solution.x):.12g} optimal; the minimum cut finds "
            f"{program.value(flow.x):.12g}"
        )
    details = {**solution.details, "certificate_by": flow.backend}
    return replace(
        solution, certificate=flow.certificate, bound=flow.bound, details=details, certified=flow.certified
    )
