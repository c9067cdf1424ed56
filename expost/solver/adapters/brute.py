"""Exact enumeration of a small program: the reference that every other backend is tested against."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from expost._typing import Bool, Int8
from expost.errors import InputError
from expost.solver.program import FREE, Program
from expost.solver.result import Solution, Status

LARGEST = 1 << 21
"""Keeping this many partial rules of a few dozen variables takes seconds and some hundred megabytes."""


def feasible_rules(program: Program) -> Int8:
    """Every feasible rule, int8 of shape (rules, variables).

    Built variable by variable, dropping at once what breaks a row, so that the work follows the
    number of feasible partial rules. Raises InputError when these exceed LARGEST.
    """
    rules = np.zeros((1, 0), dtype=np.int8)
    for v in range(program.variables):
        if len(rules) > LARGEST:
            raise InputError(
                f"more than {LARGEST} partial rules at variable {v} of {program.variables}",
                where="backend brute",
                expected="a tiny program",
                remedy="use another backend",
            )
        fixed = program.fixings[v]
        choices = [0, 1] if fixed == FREE else [int(fixed)]
        column = np.repeat(np.array(choices, dtype=np.int8), len(rules))[:, None]
        rules = np.hstack([np.tile(rules, (len(choices), 1)), column])
        rules = rules[_consistent(program, rules, v)]
    return rules


def _consistent(program: Program, rules: Int8, v: int) -> Bool:
    """Which partial rules keep all rows whose last variable is ``v``."""
    arcs = np.maximum(program.tails, program.heads) == v
    keep: Bool = np.all(rules[:, program.tails[arcs]] <= rules[:, program.heads[arcs]], axis=1)
    if len(program.packing):
        rows = program.packing[program.packing.max(axis=1) == v]
        keep &= (rules[:, rows].sum(axis=2) <= program.capacity).all(axis=1)
    if len(program.covering):
        rows = program.covering[program.covering.max(axis=1) == v]
        keep &= (rules[:, rows].sum(axis=2) >= 1).all(axis=1)
    return keep


def optimal_rules(program: Program) -> Int8:
    """Every optimal rule, exactly: ties are decided by rational arithmetic on the weights as given."""
    rules = feasible_rules(program)
    if not len(rules):
        return rules
    values = rules.astype(np.float64) @ program.weights
    slack = 1e-9 * max(1.0, float(np.abs(program.weights).sum()))
    candidates = rules[values >= values.max() - slack]
    exact = [_exact_value(program, x) for x in candidates]
    best = max(exact)
    optimal = np.array([value == best for value in exact])
    return np.asarray(candidates[optimal], dtype=np.int8)


def _exact_value(program: Program, x: Int8) -> Fraction:
    return sum((Fraction(float(w)) for w in program.weights[x == 1]), Fraction(0))


def solve_brute(program: Program, **_: Any) -> Solution:
    """Enumerate. ``smallest`` and ``largest`` come for up to two blocks, where the optima form a lattice."""
    optima = optimal_rules(program)
    if not len(optima):
        return Solution("brute", Status.INFEASIBLE, bound=-math.inf)
    smallest, largest = _extremes(program, optima)
    x = optima[0]
    return Solution(
        "brute",
        Status.OPTIMAL,
        x,
        program.value(x),
        smallest=smallest,
        largest=largest,
        details={"optima": len(optima)},
    )


def _extremes(program: Program, optima: Int8) -> tuple[Int8 | None, Int8 | None]:
    """The optima with fewest of block 0 and most of block 1, and the reverse."""
    if program.n_blocks > 2:
        return None, None
    first = program.blocks[1] if program.n_blocks else 0
    low, high = optima.min(axis=0), optima.max(axis=0)
    smallest, largest = low.copy(), high.copy()
    smallest[first:], largest[first:] = high[first:], low[first:]
    return smallest, largest
