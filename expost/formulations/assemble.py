"""From blocks to a program and back: weights, packing, restrictions; a formulation carries its own inverse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from expost._typing import Bool, Float, Int8, Int32, Int64
from expost.errors import InputError
from expost.formulations.blocks import Block
from expost.formulations.conditional import allowed_winners
from expost.formulations.settings import Settings
from expost.formulations.timing import mixed_mechanism
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.prices import Choice
from expost.solver.program import FREE, Program
from expost.solver.result import Certificate
from expost.spaces.stages import Stages
from expost.spaces.type_space import TypeSpace

AT_ONCE = 64
"""Types of the last buyer whose states are handled at once."""


@dataclass(frozen=True, eq=False)
class Formulation:
    """A program, the type space that it came from, and the way back.

    blocks: where each buyer's variables are; the rows are in the program alone (``Block.without_rows``).
    alpha: the objective is alpha x welfare + (1 - alpha) x revenue.
    stages: the stages of each sequential buyer, None for static ones; empty when all are static.
    settings: what was asked for, None where the program was not made of settings.
    """

    space: TypeSpace
    blocks: tuple[Block, ...]
    program: Program
    alpha: float = 1.0
    stages: tuple[Stages | None, ...] = ()
    settings: Settings | None = None

    def mechanism(self, allocation: Bool) -> Mechanism:
        """The mechanism that implements ``allocation``, bool (n, T_1, .., T_n).

        Prices and strikes lie in the middle of what implements the rule, or at its top when revenue counts.
        """
        choice = Choice.MIDPOINT if self.alpha == 1.0 else Choice.HIGHEST
        return mixed_mechanism(self.space, allocation, self.stages or (None,) * self.space.n, choice)

    def allocation(self, x: NDArray[np.generic]) -> Bool:
        """The rule of a 0/1 vector ``x`` of shape (variables,): bool (n, T_1, .., T_n)."""
        starts = self.program.blocks[:-1]
        return np.stack(
            [
                (x[start : start + block.size] != 0).take(block.index)
                for start, block in zip(starts, self.blocks, strict=True)
            ]
        )

    def vector(self, allocation: Bool) -> Int8:
        """The 0/1 vector of a rule; an auxiliary variable is 1 where a variable that implies it is."""
        x = np.zeros(self.program.variables, dtype=np.int8)
        for start, block, rule in zip(self.program.blocks[:-1], self.blocks, allocation, strict=True):
            own = x[start : start + block.size]
            # some fibres at once: what lies apart by a power of two competes for the same lines of a cache
            for low in range(0, rule.shape[-1], AT_ONCE):
                some = (..., slice(low, low + AT_ONCE))
                own[block.index[some]] = rule[some]
        if self.program.variables == allocation.size:
            return x
        arcs = self._auxiliary()[self.program.heads]
        tails, heads = self.program.tails[arcs], self.program.heads[arcs]
        while len(forced := heads[x[tails] > x[heads]]):  # gates of sequential ties imply further gates
            x[forced] = 1
        return x

    def _auxiliary(self) -> Bool:
        mask = np.zeros(self.program.variables, dtype=np.bool_)
        for start, block in zip(self.program.blocks[:-1], self.blocks, strict=True):
            mask[start + block.index.size : start + block.size] = True  # they follow the states
        return mask

    def shadow_prices(self, certificate: Certificate) -> Float:
        """u(s) >= 0, what one more unit of supply is worth in state ``s`` (unit: values), state shape."""
        if self.space.n == 1:
            return np.zeros(self.space.shape)
        if not len(self.program.packing):  # as many units as buyers
            return np.zeros(self.space.shape)
        scaled = np.ldexp(certificate.packing.astype(np.float64), -certificate.scale_exponent)
        if self.space.weights is None:
            return (scaled * self.space.states).reshape(self.space.shape)
        chances = self.space.weights.chances
        prices = np.zeros(self.space.shape)
        return np.asarray(
            np.divide(scaled.reshape(self.space.shape), chances, out=prices, where=chances > 0.0)
        )


def assemble(
    space: TypeSpace,
    blocks: tuple[Block, ...],
    *,
    stages: tuple[Stages | None, ...] = (),
    alpha: float = 1.0,
    conditional: bool = False,
    settings: Settings | None = None,
) -> Formulation:
    """The program of one block per buyer: packing in every state, weights of the objective, fixings.

    conditional: only a buyer with the highest gain, and no negative one, may win (Bikhchandani 2006, section 3).
    Raises InputError when alpha is outside [0, 1] or asks for revenue that the rule does not determine.
    """
    if not 0.0 <= alpha <= 1.0:
        raise InputError(
            f"objective weight {alpha}", where="objective", expected="a weight on welfare in [0, 1]"
        )
    starts = np.concatenate([[0], np.cumsum([block.size for block in blocks])]).astype(np.int64)
    weights = np.zeros(int(starts[-1]))
    for start, block, gain in zip(starts, blocks, space.gains, strict=False):
        part = weights[start : start + block.size]
        if alpha > 0.0:
            part[block.index] = gain * _shares(space, alpha)
        if alpha < 1.0:
            part += _revenue(block) * ((1.0 - alpha) / (space.states if space.weights is None else 1))
    program = Program(
        weights=weights,
        blocks=starts,
        tails=_joined([block.tails for block in blocks], starts),
        heads=_joined([block.heads for block in blocks], starts),
        packing=_packing(blocks, starts, space.units),
        capacity=space.units if space.units < space.n else 1,
        fixed=_fixings(space, blocks, starts) if conditional else None,
        constant=alpha * space.seller,
    )
    return Formulation(
        space, tuple(block.without_rows() for block in blocks), program, alpha, stages, settings
    )


def _shares(space: TypeSpace, alpha: float) -> Float | float:
    """``alpha`` times the probability of each state."""
    return alpha / space.states if space.weights is None else alpha * space.weights.chances


def _revenue(block: Block) -> Float:
    if block.revenue is None:
        raise InputError(
            "an objective with revenue under sequential timing",
            where="objective",
            expected="welfare",
            remedy="the seller's best strikes and fees are not a function of the rule alone; use "
            'timing="static"',
        )
    return block.revenue


def _joined(parts: list[Int32], starts: Int64) -> Int32:
    return np.concatenate(
        [part + np.int32(start) for part, start in zip(parts, starts, strict=False)]
    ).astype(np.int32, copy=False)


def _packing(blocks: tuple[Block, ...], starts: Int64, units: int) -> Int32:
    """One row per state with every buyer's variable, or none when there are as many units as buyers."""
    if len(blocks) <= units:
        return np.empty((0, 1), dtype=np.int32)
    return np.stack(
        [block.index.ravel() + np.int32(start) for block, start in zip(blocks, starts, strict=False)], axis=1
    )


def _fixings(space: TypeSpace, blocks: tuple[Block, ...], starts: Int64) -> Int8:
    allowed = allowed_winners(space)
    fixed = np.full(int(starts[-1]), FREE, dtype=np.int8)
    for start, block, may_win in zip(starts, blocks, allowed, strict=False):
        fixed[start + block.index[~may_win]] = 0
    return fixed
