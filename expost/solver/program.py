"""The 0/1 program: weights, precedence, packing, covering, fixings. Pure combinatorics.

    maximize    constant + weights @ x,   x binary
    subject to  x[tails[k]] <= x[heads[k]]        for every arc k         (precedence)
                sum(x[packing[r]]) <= capacity    for every row r         (as many as there are units)
                sum(x[covering[r]]) >= 1          for every row r         (at least one)
                x[v] == fixed[v]                  where fixed[v] >= 0

Variables come in consecutive blocks: precedence stays inside a block, and a packing or covering row
takes at most one variable from each block. With at most two blocks every row is, after the second
block is complemented, a difference of two variables: the program is then a maximum-weight closure.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from expost._typing import Float, Int8, Int32, Int64
from expost.errors import InputError

FREE = -1
FEW_BLOCKS = 16
"""Up to so many blocks one comparison each finds the block of a variable fastest."""


def _no_rows(width: int = 2) -> Int32:
    return np.empty((0, width), dtype=np.int32)


@dataclass(frozen=True, eq=False)
class Program:
    """A frozen 0/1 program.

    weights: float64 (variables,).
    blocks: int64 (blocks + 1,), block ``b`` holds the variables ``blocks[b] .. blocks[b + 1] - 1``.
    tails, heads: int32 (arcs,), meaning ``x[tail] <= x[head]``.
    packing, covering: int32 (rows, k), variable indices; k may be the number of blocks or less.
    fixed: int8 (variables,), ``FREE`` (-1), 0 or 1.
    constant: added to the objective.
    capacity: the right-hand side of all packing rows.

    Raises InputError when an index is out of range, a weight is not finite, or a row crosses blocks
    in a way that the description above forbids.
    """

    weights: Float
    blocks: Int64
    tails: Int32
    heads: Int32
    packing: Int32 = field(default_factory=_no_rows)
    covering: Int32 = field(default_factory=_no_rows)
    fixed: Int8 | None = None
    constant: float = 0.0
    capacity: int = 1

    def __post_init__(self) -> None:
        if self.fixed is None:
            object.__setattr__(self, "fixed", np.full(self.variables, FREE, dtype=np.int8))
        _check(self)
        for name in ("weights", "blocks", "tails", "heads", "packing", "covering", "fixed"):
            getattr(self, name).flags.writeable = False

    def reweighted(self, weights: Float, constant: float) -> Program:
        """The same rows with other weights, float64 (variables,). Raises InputError unless they are finite."""
        if weights.shape != self.weights.shape:
            raise InputError(
                f"weights of shape {weights.shape}", where="program", expected=f"{self.weights.shape}"
            )
        _finite(weights)
        other = copy.copy(self)
        weights.flags.writeable = False
        object.__setattr__(other, "weights", weights)
        object.__setattr__(other, "constant", constant)
        return other

    @property
    def variables(self) -> int:
        """How many binary variables there are, auxiliary ones included."""
        return len(self.weights)

    @property
    def arcs(self) -> int:
        """How many precedence rows there are."""
        return len(self.tails)

    @property
    def n_blocks(self) -> int:
        """How many blocks of variables there are."""
        return len(self.blocks) - 1

    @property
    def fixings(self) -> Int8:
        """``fixed`` as an array that is always there."""
        assert self.fixed is not None
        return self.fixed

    @property
    def scale(self) -> float:
        """The size of the objective: the sum of the absolute weights, and of the constant."""
        return float(np.abs(self.weights).sum()) + abs(self.constant)

    def value(self, x: NDArray[np.generic]) -> float:
        """The objective at ``x``, shape (variables,)."""
        # Not a BLAS product: its threads wait for each other on a busy machine, and sums are less accurate.
        return self.constant + float((self.weights * x.astype(np.float64)).sum())

    def violations(self, x: NDArray[np.generic]) -> int:
        """How many rows and fixings a 0/1 vector ``x`` of shape (variables,) breaks."""
        bits = x.astype(np.int8)
        broken = int(np.count_nonzero(bits[self.tails] > bits[self.heads]))
        broken += int(np.count_nonzero(bits[self.packing].sum(axis=1) > self.capacity))
        broken += int(np.count_nonzero(bits[self.covering].sum(axis=1) < 1))
        return broken + int(np.count_nonzero((self.fixings != FREE) & (bits != self.fixings)))


def _check(program: Program) -> None:
    """Raise InputError unless the arrays describe a program."""
    n, blocks = program.variables, program.blocks
    _finite(program.weights)
    if blocks[0] != 0 or blocks[-1] != n or (np.diff(blocks) < 0).any():
        raise InputError(f"blocks {blocks.tolist()}", where="program", expected=f"0 .. {n}, in order")
    if program.capacity < 1:
        raise InputError(f"capacity {program.capacity}", where="program", expected="a positive whole number")
    if program.fixings.shape != (n,) or program.tails.shape != program.heads.shape:
        raise InputError(
            "arrays of different lengths", where="program", expected="one entry a variable or arc"
        )
    for name in ("tails", "heads", "packing", "covering"):
        rows = getattr(program, name)
        if rows.size and (rows.min() < 0 or rows.max() >= n):
            raise InputError(f"{name} with an index out of range", where="program", expected=f"0 .. {n - 1}")
    if program.arcs and (block_of(program, program.tails) != block_of(program, program.heads)).any():
        raise InputError(
            "a precedence arc between two blocks", where="program", expected="arcs inside a block"
        )
    for name in ("packing", "covering"):
        rows = getattr(program, name)
        if len(rows) and (np.diff(np.sort(block_of(program, rows), axis=1), axis=1) == 0).any():
            raise InputError(
                f"a {name} row with two variables of one block",
                where="program",
                expected="at most one variable of each block in a row",
            )


def _finite(weights: Float) -> None:
    """Raise InputError where a weight is infinite or no number."""
    if not np.isfinite(weights).all():
        raise InputError("a weight that is not finite", where="program", expected="finite float64 weights")


def block_of(program: Program, variables: Int32) -> Int8 | Int32:
    """The block of each variable, same shape as ``variables``."""
    if program.n_blocks > FEW_BLOCKS:
        found = np.searchsorted(program.blocks[1:-1], variables, side="right")
        return np.asarray(found, dtype=np.int32)
    block = np.zeros(variables.shape, dtype=np.int8)
    for start in program.blocks[1:-1]:
        block += variables >= start
    return block
