"""``solve``: from an instance to a proved answer, with its record."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from expost._limits import limited
from expost._progress import SOLVE, bar
from expost._version import __version__
from expost.errors import AuditError, InputError
from expost.files import claim_file
from expost.formulations.coarser import Known
from expost.formulations.room import require_time
from expost.formulations.second_best import SecondBest, answer, formulate, type_space
from expost.formulations.settings import Settings
from expost.formulations.symmetric import SymmetricFormulation
from expost.formulations.symmetric_answer import answer_symmetric
from expost.instances.environment import Instance
from expost.instances.functions import function_names
from expost.mechanisms.audit import allowed_gain
from expost.runs.arguments import GridLike, InstanceLike, Words, limit_of, load, settings_of
from expost.runs.memory import MemoryUsed, peak_memory_mb
from expost.runs.record import SCHEMA_VERSION, Record, finite
from expost.runs.run import Run
from expost.runs.solved import Solved, figures, plain
from expost.solver.answers import slack
from expost.solver.backends import select
from expost.solver.program import Program
from expost.solver.progress import ProgressCallback
from expost.solver.result import Solution

if TYPE_CHECKING:
    from expost.runs.lotteries import LotteryRun

_log = logging.getLogger(__name__)


@overload
def solve(
    instance: InstanceLike,
    grid: GridLike,
    timing: Words = ...,
    first: Words = ...,
    *,
    objective: str | float = ...,
    restrict: str | None = ...,
    lotteries: Literal[False] = ...,
    points: str | float | Mapping[str, float] = ...,
    symmetric: bool = ...,
    backend: str = ...,
    time_limit: float | None = ...,
    gap: float | None = ...,
    near: Solved | Known | None = ...,
    progress: ProgressCallback | None = ...,
    write_model: str | Path | None = ...,
) -> Run: ...
@overload
def solve(
    instance: InstanceLike,
    grid: GridLike,
    timing: Words = ...,
    first: Words = ...,
    *,
    objective: str | float = ...,
    restrict: str | None = ...,
    lotteries: Literal[True],
    points: str | float | Mapping[str, float] = ...,
    symmetric: bool = ...,
    backend: str = ...,
    time_limit: float | None = ...,
    gap: float | None = ...,
    near: Solved | Known | None = ...,
    progress: ProgressCallback | None = ...,
    write_model: str | Path | None = ...,
) -> LotteryRun: ...
@limited
def solve(
    instance: InstanceLike,
    grid: GridLike,
    timing: Words = "static",
    first: Words = (),
    *,
    objective: str | float = "welfare",
    restrict: str | None = None,
    lotteries: bool = False,
    points: str | float | Mapping[str, float] = "midpoint",
    symmetric: bool = False,
    backend: str = "auto",
    time_limit: float | None = None,
    gap: float | None = None,
    near: Solved | Known | None = None,
    progress: ProgressCallback | None = None,
    write_model: str | Path | None = None,
) -> Run | LotteryRun:
    """The best mechanism on a grid that ex post incentives allow, audited and with its proof.

    instance: an ``Instance``, a name of the catalogue, or the path of a TOML file.
    grid: points per signal, one number or one for each signal.
    timing: ``static`` or ``sequential``, for all buyers or one word for each. first: the signals that arrive first,
    one per sequential buyer at most; by default as the instance declares.
    objective: ``welfare``, ``revenue``, or the weight on welfare in [0, 1].
    restrict: ``conditional`` allows conditionally efficient rules only (Bikhchandani 2006, section 3).
    lotteries: stochastic mechanisms too, by a linear program (docs/lotteries.md); the answer is a ``LotteryRun``.
    points: where points lie in their quantile cells: ``midpoint``, ``endpoint``, or an offset in [0, 1].
    symmetric: only rules that treat two or three exchangeable buyers alike; ``run.record.details`` says what that
    costs on the grid.
    backend: ``auto``, or one of those in ``docs/backends.md``. time_limit: seconds for the whole call.
    gap: stop as soon as the bound is at most this share of its size above the rule's value (minimum cut).
    near: a run of a nearby instance on the same grid, with other parameters for example, to start from: large programs
    of two buyers are solved faster, and the answer is the same.
    progress: called now and then with where the solve stands; by default a terminal or a notebook shows it once the
    solve has lasted two seconds. write_model: also write the program there, as .lp or
    .mps.

    Raises InputError for unusable input, LimitReached when the limit came before any rule, AuditError when the
    rule fails the audit by definition, SolverError when the backend failed.
    """
    stated = load(instance)
    settings = settings_of(
        stated,
        grid,
        timing=timing,
        first=first,
        objective=objective,
        restrict=restrict,
        points=points,
        symmetric=symmetric,
    )
    if lotteries and settings.symmetric:
        raise InputError(
            "symmetric rules with lotteries",
            where="symmetric",
            expected="one of the two",
            remedy="averaging a lottery over the buyers' names costs nothing: leave out symmetric",
        )
    if lotteries:
        from expost.runs.lotteries import solve_lotteries

        with bar(f"{stated.name} with lotteries", after=SOLVE):
            return solve_lotteries(stated, settings, time_limit)
    return solve_settings(
        stated,
        settings,
        backend=backend,
        time_limit=time_limit,
        gap=gap,
        near=near,
        progress=progress,
        write_model=write_model,
    )


@limited
def solve_settings(
    instance: Instance,
    settings: Settings,
    *,
    backend: str = "auto",
    time_limit: float | None = None,
    gap: float | None = None,
    near: Solved | Known | None = None,
    progress: ProgressCallback | None = None,
    write_model: str | Path | None = None,
) -> Run:
    """As ``solve``, with everything that determines the program in one ``Settings``."""
    with bar(f"{instance.name}: {settings.timing}", after=SOLVE) as shown:
        listener = progress or shown.listener
        return _solved(instance, settings, backend, time_limit, gap, near, listener, write_model)


def _solved(
    instance: Instance,
    settings: Settings,
    backend: str,
    time_limit: float | None,
    gap: float | None,
    near: Solved | Known | None,
    progress: ProgressCallback | None,
    write_model: str | Path | None,
) -> Run:
    limit, begun, memory = limit_of(time_limit), time.perf_counter(), MemoryUsed()
    if write_model is not None:
        claim_file(Path(write_model), where="write_model", suffixes=(".lp", ".mps"))
    formulation = formulate(type_space(instance, settings, limit), settings)
    build = time.perf_counter() - begun
    if limit is not None:
        require_time(formulation, build, limit)
    if near is not None and not isinstance(near, Solved | Known):
        raise InputError(f"a {type(near).__name__}", where="near", expected="a run, as solve returns it")
    if isinstance(near, Solved):
        if near.space.shape != formulation.space.shape:
            raise InputError(
                f"a run with types {near.space.shape}", where="near", expected=f"{formulation.space.shape}"
            )
        near = near.known
    size = formulation.space.states, formulation.program.variables
    _log.info("%s: %d states, %d variables, built in %.2f s", instance.name, *size, build)
    if write_model is not None:
        from expost.solver.adapters.model_files import write_model as write

        write(formulation.program, write_model)
    if select(formulation.program, backend)[0].nearby:
        memory.load("expost.solver.mincut.backend")
    left = None if limit is None else max(limit - (time.perf_counter() - begun), 1e-3)
    if isinstance(formulation, SymmetricFormulation):
        found = answer_symmetric(formulation, settings, backend=backend, time_limit=left, progress=progress)
    else:
        asked: dict[str, Any] = {"backend": backend, "time_limit": left, "gap": gap, "progress": progress}
        found = answer(formulation, near=near, **asked)
    return _run(instance, settings, found, build, begun, memory)


def _run(
    instance: Instance,
    settings: Settings,
    found: SecondBest,
    build: float,
    begun: float,
    memory: MemoryUsed,
) -> Run:
    formulation, solution = found.formulation, found.solution
    extremes = {"smallest": solution.smallest, "largest": solution.largest}
    record = make_record(settings, found, build, begun, memory)
    found_by = record.status, record.backend, record.welfare, record.upper_bound, record.seconds["total"]
    _log.info("%s: %s by %s, welfare %.9g, bound %s, %.2f s", instance.name, *found_by)
    return Run(
        instance,
        settings,
        record,
        formulation,
        found.mechanism,
        solution.certificate,
        {name: formulation.allocation(x) for name, x in extremes.items() if x is not None},
    )


def make_record(
    settings: Settings, found: SecondBest, build: float, begun: float, memory: MemoryUsed
) -> Record:
    """The record of a run; every figure comes from the rule, never from the solver, but for the bound.

    build: seconds until the program stood. begun: ``time.perf_counter()`` at the start. memory: what is
    used since then.
    """
    formulation, solution = found.formulation, found.solution
    program, certificate, space = formulation.program, solution.certificate, formulation.space
    started = time.perf_counter()
    computed = figures(formulation, found.mechanism)
    certified = None if certificate is None else finite(solution.certified)
    now = time.perf_counter()
    seconds = {
        "build": build,
        "solve": found.seconds["solve"],
        "audit": found.seconds["audit"] + now - started,
        "total": now - begun,
    }
    assert computed["value"] is not None
    parts: dict[str, Any] = {
        **settings.to_json(),
        **_bounds(program, solution, certified, computed["value"]),
        **computed,
    }
    return Record(
        schema=SCHEMA_VERSION,
        expost=__version__,
        instance=space.instance.name,
        backend=solution.backend,
        status=str(solution.status),
        states=space.states,
        binaries=space.states * space.n,
        variables=program.variables,
        arcs=program.arcs,
        scale_exponent=None if certificate is None else certificate.scale_exponent,
        rounding=None if certificate is None else certificate.rounding,
        audit_worst_gain=found.audit.worst_gain,
        audit_allowed_gain=allowed_gain(space.values),
        sampled=function_names(space.instance),
        details=plain(
            solution.details
            | {
                "tie_spread": max(block.tie_spread for block in formulation.blocks),
                "bytes_per_binary": memory.bytes_per(space.states * space.n),
            }
        ),
        seconds=seconds,
        peak_memory_mb=peak_memory_mb(),
        **parts,
    )


def _bounds(
    program: Program, solution: Solution, certified: float | None, value: float
) -> dict[str, float | None]:
    """The bounds and the gap of the record. Raises AuditError when a bound is below the value."""
    bound = min(solution.bound, math.inf if certified is None else certified)
    if value > bound + slack(program):
        raise AuditError(
            f"the bound {bound} of {solution.backend} is below the value {value} of its own rule"
        )
    bound = max(bound, value)  # they may cross by the last digit of a sum
    return {
        "upper_bound": finite(bound),
        "certified_upper_bound": certified,
        "gap": finite(bound - value),
    }
