"""A proof by cases of a mixed-integer program's bound: 0/1 variables settled one by one, multipliers for each case.

The proof of a linear relaxation is the case without any: one leaf that settles nothing. Whoever checks a proof needs
the program alone: that the leaves leave no case out, and for each what its multipliers prove (``dual_bound``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from expost._typing import Float, Int8
from expost.solver.adapters.lp import LinearAnswer, solve_linear
from expost.solver.linear_program import LinearProgram, dual_bound
from expost.solver.result import Status

FREE = -1
MOST = 256
"""Cases that a proof is made of, at most."""
WHOLE = 1e-6
"""A whole variable this close to 0 or 1 settles nothing when it is settled."""

Solve = Callable[..., LinearAnswer]


@dataclass(frozen=True, eq=False)
class Leaves:
    """fixed: int8 (leaves, variables), 0 or 1 where a case settles a variable, -1 elsewhere. multipliers: float64
    (leaves, rows)."""

    fixed: Int8 = field(repr=False)
    multipliers: Float = field(repr=False)

    def __len__(self) -> int:
        return len(self.fixed)


def root(program: LinearProgram, multipliers: Float) -> Leaves:
    """The proof of one case, the whole program, by ``multipliers`` (rows,)."""
    return Leaves(np.full((1, program.variables), FREE, dtype=np.int8), multipliers[None])


def proved_bound(program: LinearProgram, leaves: Leaves) -> float:
    """The bound that the proof proves; infinite where its cases leave one out, or settle what may be fractional."""
    fractional = np.ones(program.variables, np.bool_) if program.integral is None else ~program.integral
    odd = (leaves.fixed < FREE) | (leaves.fixed > 1) | (fractional & (leaves.fixed != FREE))
    if odd.any() or not covers(leaves.fixed):
        return float("inf")
    return max(
        dual_bound(narrowed(program, fixed), own)
        for fixed, own in zip(leaves.fixed, leaves.multipliers, strict=True)
    )


def covers(fixed: Int8) -> bool:
    """Whether every way to settle all variables belongs to one of the cases (leaves, variables) of a tree."""
    waiting = [np.arange(len(fixed))]
    while waiting:
        rows = waiting.pop()
        if not len(rows):
            return False
        part = fixed[rows]
        if (part == FREE).all(axis=1).any():
            continue
        settled = np.flatnonzero((part != FREE).all(axis=0))
        if not len(settled):
            return False
        variable = settled[0]
        fixed = fixed.copy()
        for value in (0, 1):
            own = rows[part[:, variable] == value]
            waiting.append(own)
        fixed[rows, variable] = FREE
    return True


def narrowed(program: LinearProgram, fixed: Int8) -> LinearProgram:
    """The linear program of a case; variables that it settles are numbers."""
    low = np.where(fixed == FREE, program.lower_x, fixed)
    high = np.where(fixed == FREE, program.upper_x, fixed)
    return replace(program, lower_x=low, upper_x=high, integral=None)


def prove(
    program: LinearProgram, enough: float, seconds: float | None = None, solve: Solve = solve_linear
) -> Leaves | None:
    """Cases whose multipliers prove that no whole point is worth more than ``enough``; None where more than ``MOST``
    cases or ``seconds`` would be needed."""
    ends = None if seconds is None else time.monotonic() + seconds
    done: list[tuple[Int8, Float]] = []
    waiting = [np.full(program.variables, FREE, dtype=np.int8)]
    while waiting:
        left = None if ends is None else ends - time.monotonic()
        if len(done) + len(waiting) > MOST or (left is not None and left <= 0.0):
            return None
        fixed = waiting.pop()
        case = narrowed(program, fixed)
        answer = solve(case, time_limit=left)
        if answer.status is Status.INFEASIBLE:
            own = refutation(case, enough, left, solve)
            if own is None:
                return None
            done.append((fixed, own))
        elif answer.multipliers is None or answer.x is None:
            return None
        elif answer.bound <= enough:
            done.append((fixed, answer.multipliers))
        else:
            split = _splits(program, fixed, answer.x)
            if split is None:
                return None
            waiting += split
    return Leaves(*(np.stack(column) for column in zip(*done, strict=True)))


def refutation(case: LinearProgram, enough: float, seconds: float | None, solve: Solve) -> Float | None:
    """Multipliers that prove a bound of at most ``enough`` for a program without any point: those of the least that the
    rows have to give way, as large as it takes."""
    from scipy.sparse import csr_array, hstack

    give = float(
        np.abs(case.matrix @ case.upper_x).max(initial=0.0) + abs(case.matrix).sum(axis=1).max() + 1.0
    )
    column = csr_array(-np.ones((case.rows, 1)))
    phase = LinearProgram(
        np.append(np.zeros(case.variables), -1.0),
        hstack([case.matrix, column]).tocsr(),
        case.upper,
        np.append(case.lower_x, 0.0),
        np.append(case.upper_x, give),
    )
    answer = solve(phase, time_limit=seconds)
    if answer.multipliers is None or answer.bound >= 0.0:
        return None
    own = answer.multipliers * (4.0 * (case.scale + abs(enough) + 1.0) / -answer.bound)
    return own if dual_bound(case, own) <= enough else None


def _splits(program: LinearProgram, fixed: Int8, x: Float) -> list[Int8] | None:
    """Both cases of the whole variable that is furthest from whole; None where all are whole."""
    away = np.minimum(x, 1.0 - x)
    away[fixed != FREE] = 0.0
    if program.integral is not None:
        away[~program.integral] = 0.0
    variable = int(np.argmax(away))
    if away[variable] <= WHOLE:
        return None
    cases = []
    for value in (0, 1):
        case = fixed.copy()
        case[variable] = value
        cases.append(case)
    return cases
