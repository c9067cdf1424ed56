"""From an instance to a proved answer: discretize, formulate, solve, lift, audit, report."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import expost
from expost._typing import Bool, Float
from expost.errors import AuditError, LimitReached, SolverError
from expost.formulations.assemble import Formulation, assemble
from expost.formulations.timing import SEQUENTIAL, STATIC, build_blocks, parse_timing
from expost.instances.environment import Instance
from expost.mechanisms.audit import Audit, allowed_gain
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.runs.memory import peak_memory_mb
from expost.runs.record import SCHEMA_VERSION, Record, finite
from expost.runs.settings import Settings
from expost.runs.terms import mechanism_of
from expost.solver.certificate import check
from expost.solver.program import Program
from expost.solver.progress import ProgressCallback
from expost.solver.result import Solution, Status
from expost.spaces.type_space import TypeSpace, check_memory, discretize
from expost.tolerances import WELFARE

BYTES_PER_BINARY = {STATIC: 175, SEQUENTIAL: 385}
"""Peak memory of a solve by minimum cut, audit and certificate included, in bytes per buyer and state: 170 static at
grid 40 and 381 sequential at grid 24 on jmmz, the 170 MiB of imports apart."""


@dataclass(frozen=True, eq=False)
class Run:
    """A solved instance: what was asked, the program, the solver's answer, the mechanism, the audit, the record."""

    instance: Instance
    settings: Settings
    formulation: Formulation = field(repr=False)
    solution: Solution = field(repr=False)
    mechanism: Mechanism = field(repr=False)
    audit: Audit
    record: Record

    @property
    def space(self) -> TypeSpace:
        """The finite type space."""
        return self.formulation.space

    @property
    def shadow_prices(self) -> Float | None:
        """u(s), what one more item would be worth in each state (unit: values); None without a certificate."""
        certificate = self.solution.certificate
        return None if certificate is None else self.formulation.shadow_prices(certificate)


class Stopwatch:
    """Seconds spent in named phases."""

    def __init__(self) -> None:
        self.started = self.last = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, phase: str) -> None:
        """Charge the time since the last lap to ``phase``."""
        now = time.perf_counter()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self.last
        self.last = now

    def report(self) -> dict[str, float]:
        """Seconds by phase, and in total."""
        return {**self.seconds, "total": time.perf_counter() - self.started}


def formulate(instance: Instance, settings: Settings) -> Formulation:
    """The program of ``instance`` under ``settings``. Raises InputError for unusable input."""
    timings = parse_timing(instance.n, settings.timing)
    check_memory(
        instance, settings.grid.resolve(instance), max(BYTES_PER_BINARY[timing] for timing in timings)
    )
    space = discretize(instance, settings.grid)
    blocks = build_blocks(space, timings, settings.first, revenue=settings.alpha < 1.0)
    return assemble(space, blocks, alpha=settings.alpha, conditional=settings.conditional)


def solve(
    instance: Instance,
    settings: Settings,
    *,
    backend: str = "auto",
    time_limit: float | None = None,
    progress: ProgressCallback | None = None,
    model: Path | None = None,
) -> Run:
    """The best rule of ``instance`` under ``settings``, audited, with its bound.

    model: also write the program there, as .lp or .mps, once it is solved.

    Raises InputError for unusable input, LimitReached when the limit came before any rule, AuditError when the
    rule fails the audit by definition, SolverError when the backend failed.
    """
    from expost.solver.backends import solve_program

    watch = Stopwatch()
    formulation = formulate(instance, settings)
    watch.lap("build")
    solution = solve_program(formulation.program, backend, time_limit=time_limit, progress=progress)
    refuse_nothing(instance, formulation, solution)
    solution = with_certificate(formulation, solution)
    watch.lap("solve")
    assert solution.x is not None
    rule = formulation.allocation(solution.x)
    mechanism, verdict = check_rule(formulation, settings, rule, solution.backend)
    watch.lap("audit")
    record = make_record(settings, formulation, solution, mechanism, verdict, watch)
    if model is not None:
        from expost.solver.adapters.model_files import write_model

        write_model(formulation.program, model)
    return Run(instance, settings, formulation, solution, mechanism, verdict, record)


def refuse_nothing(instance: Instance, formulation: Formulation, solution: Solution) -> None:
    """Raise LimitReached when a limit came before any answer: no rule, or never selling and no bound.

    Raises SolverError when the solver says that there is no rule at all: never selling always is one.
    """
    if solution.status is Status.INFEASIBLE:
        raise SolverError(f"{solution.backend} finds no rule for {instance.name}, but never selling is one")
    nothing = solution.x is None or not formulation.allocation(solution.x).any()
    if solution.x is None or (nothing and math.isinf(solution.bound)):
        raise LimitReached(
            f"{instance.name}: {solution.backend} stopped ({solution.status}) before it had an answer; "
            "allow more time or use a coarser grid"
        )


def with_certificate(formulation: Formulation, solution: Solution) -> Solution:
    """The solution with a certificate wherever optimality can have one.

    With one or two buyers the linear program is exact, so what a backend without certificates calls optimal can be
    proved: by the flow of the minimum cut. Raises SolverError when that flow disproves it.
    """
    from expost.solver.backends import solve_program

    program = formulation.program
    if solution.certificate is not None or solution.status is not Status.OPTIMAL or program.n_blocks > 2:
        return solution
    flow = solve_program(program, "mincut")
    assert solution.x is not None and flow.x is not None
    if program.value(solution.x) < flow.bound - WELFARE * program.scale:
        raise SolverError(
            f"{solution.backend} calls {program.value(solution.x):.12g} optimal; the minimum cut finds "
            f"{program.value(flow.x):.12g}"
        )
    details = {**solution.details, "certificate_by": flow.backend}
    return replace(solution, certificate=flow.certificate, bound=flow.bound, details=details)


def check_rule(
    formulation: Formulation, settings: Settings, allocation: Bool, who: str
) -> tuple[Mechanism, Audit]:
    """The mechanism of ``allocation`` and its audit. Raises AuditError unless it passes."""
    mechanism = mechanism_of(formulation.space, settings, allocation)
    verdict = audit_mechanism(formulation.space.values, mechanism)
    verdict.require(who)
    return mechanism, verdict


def figures(formulation: Formulation, mechanism: Mechanism) -> dict[str, float]:
    """The figures of a mechanism, recomputed from the rule and the instance."""
    space = formulation.space
    welfare, revenue = mechanism.welfare(space.gains, space.seller), mechanism.revenue()
    alpha = formulation.alpha
    return {
        "value": welfare if alpha == 1.0 else alpha * welfare + (1.0 - alpha) * revenue,
        "welfare": welfare,
        "revenue": revenue,
        "sold": mechanism.sold,
        "first_best": space.first_best,
        "no_sale": space.seller,
    }


def make_record(
    settings: Settings,
    formulation: Formulation,
    solution: Solution,
    mechanism: Mechanism,
    verdict: Audit,
    watch: Stopwatch,
) -> Record:
    """The record of a run; every figure comes from the rule, never from the solver, but for the bound."""
    program, certificate, space = formulation.program, solution.certificate, formulation.space
    computed = figures(formulation, mechanism)
    certified = None if certificate is None else finite(check(program, certificate, solution.x).upper_bound)
    watch.lap("audit")
    parts: dict[str, Any] = {
        **settings.to_json(),
        **_bounds(program, solution, certified, computed["value"]),
        **computed,
    }
    return Record(
        schema=SCHEMA_VERSION,
        expost=expost.__version__,
        instance=space.instance.name,
        backend=solution.backend,
        status=str(solution.status),
        states=space.states,
        binaries=space.states * space.n,
        variables=program.variables,
        arcs=program.arcs,
        scale_exponent=None if certificate is None else certificate.scale_exponent,
        rounding=None if certificate is None else certificate.rounding,
        audit_worst_gain=verdict.worst_gain,
        audit_allowed_gain=allowed_gain(space.values),
        details=plain(solution.details),
        seconds=watch.report(),
        peak_memory_mb=peak_memory_mb(),
        **parts,
    )


def _bounds(
    program: Program, solution: Solution, certified: float | None, value: float
) -> dict[str, float | None]:
    """The bounds and the gap of the record. Raises AuditError when a bound is below the value."""
    bound = min(solution.bound, math.inf if certified is None else certified)
    if value > bound + WELFARE * program.scale:
        raise AuditError(
            f"the bound {bound} of {solution.backend} is below the value {value} of its own rule"
        )
    bound = max(bound, value)  # they may cross by the last digit of a sum
    return {
        "upper_bound": finite(bound),
        "certified_upper_bound": certified,
        "gap": finite(bound - value),
    }


def plain(details: dict[str, Any]) -> dict[str, Any]:
    """Solver details with numpy scalars as Python ones, and what JSON cannot hold left out."""
    kept: dict[str, Any] = {}
    for key, value in details.items():
        item = value.item() if isinstance(value, np.generic) else value
        if isinstance(item, float) and not np.isfinite(item):
            item = None
        if item is None or isinstance(item, bool | int | float | str):
            kept[key] = item
        elif isinstance(item, list | tuple) and all(isinstance(part, str) for part in item):
            kept[key] = list(item)
    return kept
