"""Two buyers at a time: with the others fixed, the best response of two blocks jointly is a minimum cut."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from expost._typing import Float, Int8, Int32, Int64
from expost.solver.interrupts import stop_if_requested
from expost.solver.mincut.backend import solve_mincut
from expost.solver.program import Program, block_of
from expost.solver.result import Status

ABSENT = -1


@dataclass(frozen=True, eq=False)
class _Pair:
    """What of a program belongs to two blocks, in variables of the pair."""

    members: Int32
    blocks: Int64
    tails: Int32
    heads: Int32
    packing: Int32
    covering: Int32


class Pairs:
    """The pairs of blocks of a program with three or more, prepared once and solved many times.

    names: the pairs of blocks, in order. deadline: on ``time.monotonic``, for every response; one that is cut off
    there is a rule all the same, if not the best.
    """

    def __init__(self, program: Program, deadline: float = math.inf) -> None:
        self.program, self.deadline = program, deadline
        self.names = list(combinations(range(program.n_blocks), 2))
        packing, covering = (_by_block(program, rows) for rows in (program.packing, program.covering))
        self._pairs = {name: _pair(program, name, packing, covering) for name in self.names}

    def respond(self, x: Int8, name: tuple[int, int], weights: Float | None = None) -> Int8 | None:
        """The best rule that differs from ``x`` in the two blocks only; None when there is none.

        weights: instead of the program's, shape (variables,). Raises KeyboardInterrupt when interrupted.
        """
        stop_if_requested()
        pair = self._pairs[name]
        weights = self.program.weights if weights is None else weights
        left = None if math.isinf(self.deadline) else max(self.deadline - time.monotonic(), 0.01)
        answer = solve_mincut(self._program(pair, x, weights), time_limit=left, extremes=False)
        if answer.status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        if answer.x is None:
            return None
        better = x.copy()
        better[pair.members] = answer.x
        return better

    def _program(self, pair: _Pair, x: Int8, weights: Float) -> Program:
        """The two-block program that remains when the other blocks do as in ``x``."""
        others = x.copy()
        others[pair.members] = 0
        fixed = self.program.fixings[pair.members].copy()
        taken = others[self.program.packing].any(axis=1)
        blocked = pair.packing[taken].ravel()
        fixed[blocked[blocked != ABSENT]] = 0
        both = (pair.packing != ABSENT).all(axis=1)
        needed = pair.covering[~others[self.program.covering].any(axis=1)]
        alone = needed[(needed == ABSENT).sum(axis=1) == 1]
        fixed[alone[alone != ABSENT]] = 1
        return Program(
            weights[pair.members],
            pair.blocks,
            pair.tails,
            pair.heads,
            pair.packing[both & ~taken],
            needed[(needed != ABSENT).all(axis=1)],
            fixed,
        )


def _by_block(program: Program, rows: Int32) -> Int32:
    """The variable of each block in each row, ABSENT where there is none: int32 (rows, blocks)."""
    table = np.full((len(rows), program.n_blocks), ABSENT, dtype=np.int32)
    block = block_of(program, rows)
    for column in range(rows.shape[1]):
        table[np.arange(len(rows)), block[:, column]] = rows[:, column]
    return table


def _pair(program: Program, name: tuple[int, int], packing: Int32, covering: Int32) -> _Pair:
    """Cut two blocks out of a program."""
    spans = [np.arange(program.blocks[b], program.blocks[b + 1], dtype=np.int32) for b in name]
    members = np.concatenate(spans)
    # One entry more, so that ABSENT (-1) finds itself.
    place = np.full(program.variables + 1, ABSENT, dtype=np.int32)
    place[members] = np.arange(len(members), dtype=np.int32)
    inside = place[program.tails] != ABSENT
    blocks = np.array([0, len(spans[0]), len(members)])
    return _Pair(
        members,
        blocks,
        place[program.tails[inside]],
        place[program.heads[inside]],
        place[packing[:, name]],
        place[covering[:, name]],
    )
