"""The checker's own reading of inequalities that are half a sum of rows: coefficients and right-hand sides.

Shares nothing with the code that finds them. If ``sum of rows: c @ x <= b`` with integers c and b, then
``floor(c / 2) @ x <= c @ x / 2 <= b / 2`` because x >= 0, and the left side is an integer at every 0/1 point:
``floor(c / 2) @ x <= floor(b / 2)``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from expost._typing import Int64
from expost.solver.program import Program
from expost.solver.result import HalfSums


class Derived(NamedTuple):
    """Inequalities ``sum of coefficient * x[variable] over the entries of a cut <= limit[cut]``, all int64."""

    cut: Int64
    variable: Int64
    coefficient: Int64
    limit: Int64


def malformed(program: Program, sums: object) -> list[str]:
    """What is wrong with the lists of rows before any arithmetic."""
    if not isinstance(sums, HalfSums):
        return [f"cuts of type {type(sums).__name__}: expected HalfSums"]
    for name in ("start", "rows", "multiplier"):
        array = getattr(sums, name)
        if not isinstance(array, np.ndarray) or array.dtype != np.int64 or array.ndim != 1:
            return [f"cuts whose {name} is no list of int64"]
    start, rows, count = sums.start, sums.rows, program.arcs + len(program.packing) + len(program.covering)
    if len(start) != len(sums.multiplier) + 1 or start[0] != 0 or start[-1] != len(rows):
        return [f"{len(sums.multiplier)} cuts between {len(start)} places in {len(rows)} rows"]
    if (np.diff(start) < 0).any():
        return ["cuts that overlap"]
    if len(rows) and (int(rows.min()) < 0 or int(rows.max()) >= count):
        return [f"a cut with a row out of range: expected 0 .. {count - 1}"]
    if len(sums.multiplier) and int(sums.multiplier.min()) < 0:
        return [f"a negative multiplier of a cut ({int(sums.multiplier.min())})"]
    return []


def derive(program: Program, sums: HalfSums) -> Derived:
    """The inequalities: rows added up cut by cut, halved, rounded down."""
    lengths = np.diff(sums.start)
    cut = np.repeat(np.arange(len(lengths)), lengths)
    entries = [_entries(program, kind, cut, sums.rows) for kind in range(3)]
    owner, variable, sign, right = (np.concatenate(part) for part in zip(*entries, strict=True))
    order = np.lexsort((variable, owner))
    owner, variable, sign = owner[order], variable[order], sign[order]
    fresh = np.ones(len(owner), dtype=np.bool_)
    fresh[1:] = (np.diff(owner) != 0) | (np.diff(variable) != 0)
    first = np.flatnonzero(fresh)
    total = np.add.reduceat(sign, first) if len(first) else sign
    limit = np.zeros(len(lengths), dtype=np.int64)
    np.add.at(limit, owner, right[order])
    return Derived(owner[first], variable[first], np.floor_divide(total, 2), np.floor_divide(limit, 2))


def _entries(program: Program, kind: int, cut: Int64, rows: Int64) -> tuple[Int64, Int64, Int64, Int64]:
    """Cut, variable and sign of every entry of the rows of one kind; a row's right-hand side is on its first entry."""
    width = (program.arcs, len(program.packing), len(program.covering))
    low = sum(width[:kind])
    mine = (rows >= low) & (rows < low + width[kind])
    at, owner = rows[mine] - low, cut[mine]
    if kind == 0:
        members = np.stack([program.tails[at], program.heads[at]], axis=1)
        signs, bound = np.array([1, -1]), 0
    else:
        members = (program.packing if kind == 1 else program.covering)[at]
        signs = np.full(members.shape[1], 1 if kind == 1 else -1)
        bound = program.capacity if kind == 1 else -1
    right = np.zeros(members.shape, dtype=np.int64)
    right[:, :1] = bound
    return (
        np.repeat(owner, members.shape[1]),
        members.ravel().astype(np.int64),
        np.tile(signs, len(at)).astype(np.int64),
        right.ravel(),
    )
