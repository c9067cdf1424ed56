"""From an instance to a proved answer: discretize, formulate, solve, lift, audit, report."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import expost
from expost.errors import AuditError, LimitReached
from expost.formulations.assemble import Formulation, assemble
from expost.formulations.discretization import TypeSpace, check_memory, discretize
from expost.formulations.timing import SEQUENTIAL, STATIC, build_blocks, parse_timing
from expost.instances.environment import Instance
from expost.mechanisms.audit import Audit, allowed_gain
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.runs.memory import peak_memory_mb
from expost.runs.record import SCHEMA_VERSION, Record, finite
from expost.runs.settings import Settings, objective_name
from expost.runs.terms import mechanism_of
from expost.solver.progress import ProgressCallback
from expost.solver.result import Solution
from expost.tolerances import WELFARE

Bool = NDArray[np.bool_]


BYTES_PER_BINARY = {STATIC: 150, SEQUENTIAL: 350}
"""Peak memory of a solve by minimum cut, audit and certificate included, in bytes per buyer and state: 141 static at
grid 40 and 318 sequential at grid 24 on jmmz, what importing takes apart."""


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
    def shadow_prices(self) -> NDArray[np.float64] | None:
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
    check_memory(instance, settings.grid.resolve(instance), max(BYTES_PER_BINARY[timing] for timing in timings))
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

    model: also write the program there, as .lp or .mps.

    Raises InputError for unusable input, LimitReached when the limit came before any rule, AuditError when the
    rule fails the audit by definition, SolverError when the backend failed.
    """
    from expost.solver.backends import solve_program

    watch = Stopwatch()
    formulation = formulate(instance, settings)
    if model is not None:
        from expost.solver.model_files import write_model

        write_model(formulation.program, model)
    watch.lap("build")
    solution = solve_program(formulation.program, backend, time_limit=time_limit, progress=progress)
    watch.lap("solve")
    if solution.x is None:
        raise LimitReached(
            f"{instance.name}: the solver stopped ({solution.status}) before it had any rule; "
            "allow more time or use a coarser grid"
        )
    mechanism, verdict = check_rule(
        formulation, settings, formulation.allocation(solution.x), solution.backend
    )
    watch.lap("audit")
    record = make_record(instance, settings, formulation, solution, mechanism, verdict, watch)
    if record.upper_bound is not None and record.value > record.upper_bound + WELFARE * max(
        1.0, abs(record.value)
    ):
        raise AuditError(
            f"the bound {record.upper_bound} of {solution.backend} is below the value {record.value} of its own rule"
        )
    return Run(instance, settings, formulation, solution, mechanism, verdict, record)


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
    instance: Instance,
    settings: Settings,
    formulation: Formulation,
    solution: Solution,
    mechanism: Mechanism,
    verdict: Audit,
    watch: Stopwatch,
) -> Record:
    """The record of a run; every figure comes from the rule, never from the solver, but for the bound."""
    from expost.solver.certificate import check

    program, certificate = formulation.program, solution.certificate
    computed = figures(formulation, mechanism)
    certified = None
    if certificate is not None:
        certified = finite(check(program, certificate, solution.x).upper_bound)
    watch.lap("audit")
    bound = solution.bound if certified is None else min(solution.bound, certified)
    settled = settings.to_json()
    return Record(
        schema=SCHEMA_VERSION,
        expost=expost.__version__,
        instance=instance.name,
        timing=settled["timing"],
        first=settled["first"],
        grid=settled["grid"],
        points=settled["points"],
        objective=objective_name(settings.alpha),
        restrict=settled["restrict"],
        backend=solution.backend,
        status=str(solution.status),
        upper_bound=finite(bound),
        certified_upper_bound=certified,
        gap=finite(max(bound - computed["value"], 0.0)),
        states=formulation.space.states,
        binaries=formulation.space.states * formulation.space.n,
        variables=program.variables,
        arcs=program.arcs,
        scale_exponent=None if certificate is None else certificate.scale_exponent,
        rounding=None if certificate is None else certificate.rounding,
        audit_worst_gain=verdict.worst_gain,
        audit_allowed_gain=allowed_gain(formulation.space.values),
        details=plain(solution.details),
        seconds=watch.report(),
        peak_memory_mb=peak_memory_mb(),
        **computed,
    )


def plain(details: dict[str, Any]) -> dict[str, Any]:
    """Solver details with numpy scalars as Python ones, and what JSON cannot hold left out."""
    kept: dict[str, Any] = {}
    for key, value in details.items():
        item = value.item() if isinstance(value, np.generic) else value
        if isinstance(item, float) and not np.isfinite(item):
            item = None
        if item is None or isinstance(item, bool | int | float | str):
            kept[key] = item
    return kept
