"""The registry of backends, what each can do, and the one door through which programs are solved.

Whatever a backend answers is audited here, from the program: a failing answer is that backend's
failure, never an answer. Backends are imported when first used.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from expost._typing import Int8
from expost.errors import InputError
from expost.solver.answers import audited
from expost.solver.magnitude import magnified
from expost.solver.nearby import Nearby
from expost.solver.program import Program
from expost.solver.progress import ProgressCallback, check_gap, check_time_limit
from expost.solver.result import Solution

MANY = 8
"""More blocks than anybody has buyers, and fewer than symmetric rules make."""
ANY = 1 << 30
"""As many blocks as the program has."""


@dataclass(frozen=True)
class Backend:
    """A backend and what it can do, as data.

    call: ``module:function``. needs: the distribution's module that has to be installed.
    blocks: the largest number of blocks. certifies: the bound comes with a certificate up to so many blocks.
    start: takes a feasible rule to start from. time_limit: stops there. bound_at_limit: has a finite
    bound then, too. progress: reports it. extremes: the smallest and the largest optimal closure up to
    so many blocks. solvers: drives other solvers by name (``pulp:NAME``). units: takes packing rows with room for more
    than one. gap: stops at a given gap. nearby: starts from the solution of a nearby program.
    """

    name: str
    call: str
    needs: str
    about: str
    blocks: int = ANY
    certifies: int = 0
    start: bool = False
    time_limit: bool = True
    bound_at_limit: bool = True
    progress: bool = False
    extremes: int = 0
    solvers: bool = False
    units: bool = False
    gap: bool = False
    nearby: bool = False

    @property
    def installed(self) -> bool:
        """Whether what it needs can be imported."""
        return importlib.util.find_spec(self.needs) is not None


BACKENDS: dict[str, Backend] = {
    backend.name: backend
    for backend in (
        Backend(
            "mincut",
            "expost.solver.mincut.backend:solve_mincut",
            "numba",
            "minimum cut, one or two buyers",
            blocks=2,
            certifies=2,
            progress=True,
            extremes=2,
            gap=True,
            nearby=True,
        ),
        Backend(
            "nbuyers",
            "expost.solver.nbuyers.search:solve_nbuyers",
            "highspy",
            "certified bound, rounding, pairwise minimum cuts, branch and bound on what is left",
            blocks=MANY,
            certifies=ANY,
            start=True,
            progress=True,
        ),
        Backend(
            "highs",
            "expost.solver.adapters.highs:solve_highs",
            "highspy",
            "HiGHS: linear program or branch and bound",
            certifies=2,
            start=True,
            progress=True,
            units=True,
        ),
        Backend(
            "branch",
            "expost.solver.branch:solve_branch",
            "highspy",
            "HiGHS: a certified bound from the linear program, then branch and bound",
            certifies=ANY,
            start=True,
            progress=True,
            units=True,
        ),
        Backend(
            "pdlp",
            "expost.solver.nbuyers.pdlp:solve_pdlp",
            "highspy",
            "first-order linear program: a certified bound and a rounded rule",
            blocks=MANY,
            certifies=ANY,
            solvers=True,
        ),
        Backend(
            "pulp",
            "expost.solver.adapters.pulp:solve_pulp",
            "pulp",
            "any solver that PuLP finds, CBC by default",
            bound_at_limit=False,
            solvers=True,
            units=True,
        ),
        Backend(
            "cvxpy",
            "expost.solver.adapters.cvxpy:solve_cvxpy",
            "cvxpy",
            "any mixed-integer solver that cvxpy finds, HiGHS by default",
            bound_at_limit=False,
            solvers=True,
            units=True,
        ),
        Backend(
            "brute",
            "expost.solver.adapters.brute:solve_brute",
            "numpy",
            "enumeration, for tests",
            time_limit=False,
            extremes=2,
            units=True,
        ),
    )
}


def installed_backends() -> tuple[str, ...]:
    """The names that ``solve_program`` takes on this machine, ``auto`` first."""
    return ("auto", *(name for name, backend in BACKENDS.items() if backend.installed))


def solve_program(
    program: Program,
    backend: str = "auto",
    time_limit: float | None = None,
    start: Int8 | None = None,
    progress: ProgressCallback | None = None,
    gap: float | None = None,
    nearby: Nearby | None = None,
) -> Solution:
    """Solve a program with a backend by name and audit the answer.

    backend: ``auto`` (the minimum cut where it is exact, ``nbuyers`` for more blocks, ``branch`` for several units
    and for rules that bind the same buyer in several states), a name in ``BACKENDS``, ``pulp:NAME`` and ``cvxpy:NAME``
    for a solver behind these, ``pdlp:hipdlp`` and ``pdlp:chains`` for other first-order methods. time_limit: seconds.
    start: a feasible 0/1 vector of shape (variables,). progress: called now and then with a ``Progress``, by the
    backends that report it. gap: stop when the bound is at most this share of its size above the rule's value, status
    GAP. nearby: what the solution of a nearby program says. What a backend cannot use of these is listed in
    ``details["ignored"]``.

    Raises InputError for an unknown, uninstalled or unfit backend and for an unusable start, gap or time
    limit; SolverError when the solver dies or its answer fails the audit.
    """
    check_time_limit(time_limit)
    check_gap(gap)
    _check_start(program, start)
    chosen, solver = select(program, backend)
    at = magnified(program)
    told = at.progress(progress) if chosen.progress else None
    given: dict[str, Any] = {"time_limit": time_limit, "start": start, "progress": told, "gap": gap}
    given["nearby"] = None if at.shift else nearby  # its prices are in the unit of the weights as they were
    given = {name: value for name, value in given.items() if value is not None}
    ignored = [name for name in given if not getattr(chosen, name)]
    arguments = {name: value for name, value in given.items() if name not in ignored}
    if solver:
        arguments["solver"] = solver
    module, function = chosen.call.split(":")
    asked = _joined(at.program) if chosen.name == "mincut" else at.program
    solution = getattr(importlib.import_module(module), function)(asked, **arguments)
    return audited(program, at.solution(solution), chosen.name + (f":{solver}" if solver else ""), ignored)


def select(program: Program, name: str) -> tuple[Backend, str]:
    """The backend for a name and the solver behind it (or ""). Raises InputError where there is none."""
    backend, solver = known_backend(_best(program) if name == "auto" else name)
    base = backend.name
    if program.capacity > 1 and len(program.packing) and not backend.units:
        raise InputError(
            f"{base} asked for {program.capacity} units",
            where="backend",
            expected="one unit: with several, admissibility is no minimum cut and no clique",
            remedy="use auto, branch, highs, pulp or cvxpy",
        )
    if program.n_blocks > backend.blocks and not (base == "mincut" and _apart(program)):
        raise InputError(
            f"{base} asked for {program.n_blocks} {'buyers' if program.n_blocks <= MANY else 'blocks'}",
            where="backend",
            expected=f"at most {backend.blocks}: beyond, admissibility is no minimum cut",
            remedy="use auto, highs, pulp or cvxpy",
        )
    return backend, solver


def known_backend(name: str) -> tuple[Backend, str]:
    """The backend of that name, whatever the program, and the solver behind it (or ""). Raises InputError."""
    base, colon, solver = name.partition(":") if isinstance(name, str) else ("", "", "")
    backend = BACKENDS.get(base)
    known = f"one of {', '.join(installed_backends())}"
    if backend is None:
        raise InputError(f"unknown backend {name!r:.60}", where="backend", expected=known)
    if not backend.installed:
        raise InputError(
            f"backend {base!r} needs {backend.needs}, which is not installed", where="backend", expected=known
        )
    if colon and not (solver and backend.solvers):
        raise InputError(
            f"{name!r:.60} names no solver behind {base!r}",
            where="backend",
            expected="pulp:NAME, cvxpy:NAME or pdlp:METHOD",
        )
    return backend, solver


def _best(program: Program) -> str:
    """What ``auto`` stands for: the minimum cut wherever the program is one, else what bounds and branches best."""
    if _apart(program) or (program.n_blocks <= 2 and program.capacity == 1):
        return "mincut"
    return "nbuyers" if program.capacity == 1 and program.n_blocks <= MANY else "branch"


def _apart(program: Program) -> bool:
    """Whether no row joins two blocks: every block is a maximum-weight closure of its own."""
    return not len(program.packing) and not len(program.covering)


def _joined(program: Program) -> Program:
    """Blocks that nothing joins as one block: a single closure, solved by one minimum cut."""
    if program.n_blocks <= 2 or not _apart(program):
        return program
    return replace(program, blocks=np.array([0, program.variables], dtype=np.int64))


def _check_start(program: Program, start: Int8 | None) -> None:
    """Raise InputError unless the start is a feasible rule."""
    if start is None:
        return
    if start.shape != (program.variables,) or not np.isin(start, (0, 1)).all():
        raise InputError(
            f"a start of shape {start.shape}",
            where="solver",
            expected=f"a 0/1 vector of shape {(program.variables,)}",
        )
    broken = program.violations(start)
    if broken:
        raise InputError(f"a start that breaks {broken} rows", where="solver", expected="a feasible rule")
