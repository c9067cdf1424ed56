"""Corners of a frontier: optima of one program at shares between two objectives, each with its proof.

Programs that are one minimum cut are solved as a family: the network is built once, and each optimum is looked for only
where it can differ from its neighbours' (``expost.solver.mincut.family``). Others are solved one by one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from expost._typing import Float, Int8, UInt8
from expost.errors import SolverError
from expost.formulations.assemble import Formulation
from expost.formulations.second_best import SecondBest, answer
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.solver.certificate import check
from expost.solver.mincut.family import Cut, Family, Span
from expost.solver.program import Program
from expost.solver.result import Certificate
from expost.solver.rows import Rows
from expost.tolerances import WELFARE


@dataclass(frozen=True, eq=False)
class Corner:
    """One optimum: the share of the first objective at which it was found, what its rule gives of either, its proof.

    bound: on the objective at ``share``, recomputed from the certificate by the independent checker; scale: the size of
    that objective. welfare, revenue, sold: figures of the rule, which was audited by definition. packed: the program's
    variables, one bit each. prove: makes the certificate again, None where the backend has none.
    """

    share: float
    first: float
    second: float
    bound: float
    scale: float
    welfare: float
    revenue: float
    sold: float
    objectives: Objectives = field(repr=False)
    packed: UInt8 = field(repr=False)
    prove: Callable[[], Certificate | None] = field(repr=False)

    @property
    def proved(self) -> bool:
        """Whether the rule is optimal at ``share``: bound and value agree."""
        value = self.share * self.first + (1.0 - self.share) * self.second
        return bool(self.bound - value <= WELFARE * self.scale)

    @property
    def rule(self) -> Int8:
        """The program's variables, int8 (variables,)."""
        return np.unpackbits(self.packed, count=self.objectives.formulation.program.variables).astype(np.int8)

    @property
    def mechanism(self) -> Mechanism:
        """The rule with the terms that implement it."""
        formulation = self.objectives.formulation
        return formulation.mechanism(formulation.allocation(self.rule))

    @property
    def certificate(self) -> Certificate | None:
        """Integer multipliers of the rows that prove ``bound`` for the program at ``share``."""
        return self.prove()

    @property
    def program(self) -> Program:
        """The program whose optimum this is."""
        return self.objectives.at(self.share).program


@dataclass(frozen=True, eq=False)
class Objectives:
    """Two objectives of one program: weights of the variables and the constant of each, by name."""

    formulation: Formulation
    names: tuple[str, str]
    weights: tuple[Float, Float]
    constants: tuple[float, float]

    def at(self, share: float) -> Formulation:
        """The program that maximizes ``share`` times the first plus the rest of the second."""
        rest = 1.0 - share
        program = self.formulation.program.reweighted(
            share * self.weights[0] + rest * self.weights[1],
            share * self.constants[0] + rest * self.constants[1],
        )
        return replace(self.formulation, program=program)

    def values(self, x: Int8) -> tuple[float, float]:
        """What a rule, int8 (variables,), gives of either objective."""
        taken = x.astype(np.float64)
        first, second = (float((weight * taken).sum()) for weight in self.weights)
        return first + self.constants[0], second + self.constants[1]


Left = Callable[[], float | None]
"""Seconds left, None without a limit; raises LimitReached when there are none."""

Found = tuple[Corner, Any, Any]
"""A corner, and what is known on either side of its share."""


class NothingBeyond(Exception):
    """No optimum lies beyond the line."""


ONCE_FREE = 31 << 20
"""Bytes; the C library of Linux learns from no array of 32 MB or more."""


def _keep_freed_memory() -> None:
    """Have the C library keep memory that arrays give back, for the next arrays.

    A corner makes and drops dozens of arrays of about a megabyte. GNU's C library hands memory back to the system as
    soon as more than twice the largest array that it has seen freed is free, and every page that is fetched again
    costs more than what is computed on it: a third of the processor time of a frontier of 100 corners. So it gets to
    see a large array, of which no page is ever touched, freed. Elsewhere this does nothing.
    """
    np.empty(ONCE_FREE, dtype=np.uint8)


class Nested:
    """Corners of a program that is one minimum cut, found in networks that shrink."""

    def __init__(self, objectives: Objectives, left: Left) -> None:
        _keep_freed_memory()
        self.objectives, self.left = objectives, left
        program = objectives.formulation.program
        self.family = Family(program, *objectives.weights)
        self.rows = Rows(program)

    def everything(self) -> Span:
        """What is known at first, of all shares."""
        return self.family.root()

    def corner(self, span: Span, share: float, line: float = -math.inf) -> Found:
        """The optimum at a share of ``span``. Raises NothingBeyond where its value is at most ``line``, LimitReached,
        SolverError when the checker disagrees, AuditError when the rule fails the audit."""
        left = self.left()
        limit = math.inf if left is None else time.perf_counter() + left
        cut = self.family.cut(span, share, limit)
        x, certificate = self.family.answer(cut)
        program = self.objectives.at(share).program
        report, scale = check(program, certificate, x, self.rows), program.scale
        values = self.objectives.values(x)
        value = share * values[0] + (1.0 - share) * values[1]
        if report.violations or not value >= report.upper_bound - WELFARE * scale:
            raise SolverError(f"mincut: {value:.12g} is not optimal: {'; '.join(report.reasons)}")
        if value <= line:
            raise NothingBeyond
        before, after = self.family.split(span, share, cut)
        prove = partial(_proof, self.family, cut)
        corner = _corner(self.objectives, share, x, values, report.upper_bound, scale, prove)
        return corner, before, after


class Apart:
    """Corners by whatever backend, each started from the last one found."""

    def __init__(self, objectives: Objectives, left: Left, backend: str) -> None:
        self.objectives, self.left, self.backend = objectives, left, backend

    def everything(self) -> None:
        """What is known at first: nothing."""

    def corner(self, near: SecondBest | None, share: float, line: float = -math.inf) -> Found:
        """The optimum at a share. near: the answer at another one. Raises NothingBeyond where its value is at most
        ``line``, and what ``answer`` raises."""
        formulation = self.objectives.at(share)
        found = answer(formulation, backend=self.backend, time_limit=self.left(), near=near)
        solution, scale = found.solution, formulation.program.scale
        assert solution.x is not None
        near = replace(found, formulation=self.objectives.formulation)
        values = self.objectives.values(solution.x)
        if share * values[0] + (1.0 - share) * values[1] <= line:
            raise NothingBeyond
        prove = partial(_known, solution.certificate)
        return _corner(self.objectives, share, solution.x, values, solution.bound, scale, prove), near, near


def _proof(family: Family, cut: Cut) -> Certificate:
    return family.answer(cut)[1]


def _known(certificate: Certificate | None) -> Certificate | None:
    return certificate


def _corner(
    objectives: Objectives,
    share: float,
    x: Int8,
    values: tuple[float, float],
    bound: float,
    scale: float,
    prove: Callable[[], Certificate | None],
) -> Corner:
    """The corner of a rule, which is audited by definition. Raises AuditError where it fails."""
    formulation = objectives.formulation
    mechanism = formulation.mechanism(formulation.allocation(x))
    space = formulation.space
    audit_mechanism(space.values, mechanism).require("the frontier")
    return Corner(
        share,
        *values,
        bound,
        scale,
        mechanism.welfare(space.gains, space.seller),
        mechanism.revenue(),
        mechanism.sold,
        objectives,
        np.packbits(x.astype(np.bool_)),
        prove,
    )
