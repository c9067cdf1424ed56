"""Taking fixed variables out of a program: what they imply, the smaller program, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from expost._typing import Int8, Int32, Place
from expost.solver.program import FREE, Program, block_of


@dataclass(frozen=True, eq=False)
class Reduction:
    """A smaller program and its inverse.

    program: over the free variables and, last in each block, one variable fixed to 0 that stands for
    members of packing and covering rows that are fixed to 0. kept: int32, the original variable of each
    free one. place: int32, where each of these is in the smaller program. fixed: int8, the original
    variables, FREE or the value that the fixings imply. arcs, packing_rows, covering_rows: which rows are left.
    """

    program: Program
    kept: Int32
    place: Int32
    fixed: Int8
    arcs: Place
    packing_rows: Place
    covering_rows: Place

    def lift(self, x: NDArray[np.generic]) -> Int8:
        """The rule of the original program."""
        full = self.fixed.copy()
        full[self.kept] = x[self.place].astype(np.int8)
        return full

    def restrict(self, x: NDArray[np.generic]) -> Int8 | None:
        """The rule in the smaller program; None when it goes against the fixings."""
        if ((self.fixed != FREE) & (self.fixed != x)).any():
            return None
        small = np.zeros(self.program.variables, dtype=np.int8)
        small[self.place] = x[self.kept].astype(np.int8)
        return small


def implied(program: Program, fixed: Int8) -> Int8 | None:
    """All that fixings imply through the rows, int8 (variables,); None when they contradict each other."""
    fixed = fixed.copy()
    while True:
        before = int(np.count_nonzero(fixed == FREE))
        one, zero = fixed == 1, fixed == 0
        ones = [program.heads[one[program.tails]]]
        zeros = [program.tails[zero[program.heads]]]
        for rows in (program.packing,):
            full = one[rows].any(axis=1)
            zeros.append(rows[full][~one[rows[full]]])
        short = (~zero[program.covering]).sum(axis=1) == 1
        ones.append(program.covering[short][~zero[program.covering[short]]])
        fixed[np.concatenate(ones)] = 1
        new_zero = np.concatenate(zeros)
        if (fixed[new_zero] == 1).any() or _clash(program, fixed):
            return None
        fixed[new_zero] = 0
        if int(np.count_nonzero(fixed == FREE)) == before:
            return None if _clash(program, fixed) else fixed


def _clash(program: Program, fixed: Int8) -> bool:
    """Whether fixed variables alone break a row or the program's own fixings."""
    one, zero = fixed == 1, fixed == 0
    own = program.fixings
    return bool(
        (one[program.tails] & zero[program.heads]).any()
        or (one[program.packing].sum(axis=1) > 1).any()
        or zero[program.covering].all(axis=1).any()
        or ((own != FREE) & (fixed != FREE) & (own != fixed)).any()
    )


def reduced(program: Program, fixed: Int8) -> Reduction | None:
    """The program without the variables that ``fixed`` decides; None when there is no rule at all."""
    settled = implied(program, fixed)
    if settled is None:
        return None
    free = settled == FREE
    kept = np.flatnonzero(free).astype(np.int32)
    block = block_of(program, kept)
    # Each block's stand-in comes after its own free variables, hence after one for each earlier block.
    place = (np.arange(len(kept)) + block).astype(np.int32)
    counts = np.bincount(block, minlength=program.n_blocks)
    starts = np.concatenate([[0], np.cumsum(counts + 1)]).astype(np.int64)
    to = np.empty(program.variables, dtype=np.int32)
    to[:] = (starts[1:] - 1)[block_of(program, np.arange(program.variables, dtype=np.int32))]
    to[kept] = place
    arcs = np.flatnonzero(free[program.tails] & free[program.heads])
    packing = np.flatnonzero(free[program.packing].sum(axis=1) > 1)
    packing = packing[~(settled[program.packing[packing]] == 1).any(axis=1)]
    covering = np.flatnonzero(~(settled[program.covering] == 1).any(axis=1))
    weights = np.zeros(int(starts[-1]))
    weights[place] = program.weights[kept]
    stand_ins = np.full(len(weights), FREE, dtype=np.int8)
    stand_ins[starts[1:] - 1] = 0
    small = Program(
        weights,
        starts,
        to[program.tails[arcs]],
        to[program.heads[arcs]],
        to[program.packing[packing]],
        to[program.covering[covering]],
        stand_ins,
        program.value(settled == 1),
    )
    return Reduction(small, kept, place, settled, arcs, packing, covering)
