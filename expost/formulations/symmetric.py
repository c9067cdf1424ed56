"""Symmetric rules: exchangeable buyers are treated alike, q_i(s) = q_1(s with buyers 1 and i exchanged).

One buyer's variables are enough: q(a, b), his outcome with type ``a`` against the others' types ``b`` in any order.
Admissibility binds him to himself: q(a, b) + q(b, a) <= 1 with two buyers, one row for each set of different types;
who meets his like never wins. Averaging a rule with its mirror images shows that the linear relaxation is worth as much
as without symmetry, so the unrestricted second best bounds the symmetric one; the integer program has odd cycles and is
a real one (``mathematics``: symmetric rules).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, combinations_with_replacement, permutations

import numpy as np
from numpy.typing import NDArray

from expost._typing import Bool, Float, Int8, Int32, Int64, Place
from expost.errors import AuditError, InputError
from expost.formulations.assemble import Formulation
from expost.formulations.blocks import Block, tie_width
from expost.formulations.conditional import allowed_winners
from expost.formulations.exchangeable import require_exchangeable
from expost.formulations.sequential import sequential_block
from expost.formulations.sequential_order import sequential_order
from expost.formulations.static import static_block
from expost.formulations.timing import buyer_stages
from expost.solver.program import FREE, Program
from expost.solver.result import Certificate, Solution
from expost.spaces.stages import Stages
from expost.spaces.type_space import TypeSpace


@dataclass(frozen=True, eq=False)
class SymmetricFormulation(Formulation):
    """A program in the variables of the first buyer, and the way back to a rule for all.

    rivals: the others' types of each fibre, in increasing order, (F, n - 1). fibre: the fibre of the others' types in
    any order, shape (T, .., T). orbits: the types of each packing row, (rows, n).
    """

    rivals: Place = field(kw_only=True, repr=False)
    fibre: Place = field(kw_only=True, repr=False)
    orbits: Place = field(kw_only=True, repr=False)

    def allocation(self, x: NDArray[np.generic]) -> Bool:
        """The rule of a 0/1 vector ``x`` of shape (variables,): bool (n, T, .., T)."""
        own = (x[self.blocks[0].index] != 0)[:, self.fibre]
        return np.stack([np.moveaxis(own, 0, i) for i in range(self.space.n)])

    def vector(self, allocation: Bool) -> Int8:
        """The 0/1 vector of a symmetric rule, read off its first buyer. Raises AuditError where others differ."""
        (block,) = self.blocks
        self._require_symmetric(allocation)
        x = np.zeros(self.program.variables, dtype=np.int8)
        x[block.index] = allocation[0][(slice(None), *self.rivals.T)]
        auxiliary = np.ones(self.program.variables, dtype=np.bool_)
        auxiliary[block.index] = False
        arcs = auxiliary[self.program.heads]
        tails, heads = self.program.tails[arcs], self.program.heads[arcs]
        while (x[tails] > x[heads]).any():
            np.maximum.at(x, heads, x[tails])
        return x

    def _require_symmetric(self, allocation: Bool) -> None:
        own = allocation[0]
        alike = all((np.moveaxis(own, 0, i) == rule).all() for i, rule in enumerate(allocation))
        if not alike or (self.space.n == 3 and (own != np.swapaxes(own, 1, 2)).any()):
            raise AuditError("a rule that does not treat the buyers alike")

    def shadow_prices(self, certificate: Certificate) -> Float:
        """u(s) >= 0, what one more unit in ``s`` and all states that differ from it by names is worth (unit: values),
        state shape; 0 where a buyer meets his like."""
        space = self.space
        scaled = certificate.packing.astype(np.float64) * 2.0 ** (-certificate.scale_exponent)
        prices = np.zeros(space.shape)
        for order in permutations(range(space.n)):
            states = tuple(self.orbits[:, k] for k in order)
            chances = 1.0 / space.states if space.weights is None else space.weights.chances[states]
            total = math.factorial(space.n) * np.broadcast_to(chances, scaled.shape)
            prices[states] = np.divide(scaled, total, out=np.zeros(len(scaled)), where=total > 0.0)
        return prices


def symmetric_formulation(
    space: TypeSpace,
    timings: tuple[str, ...],
    first: Sequence[str | None] = (),
    *,
    alpha: float = 1.0,
    conditional: bool = False,
) -> SymmetricFormulation:
    """The program of the best rule that treats all buyers alike, for two and three exchangeable buyers and one unit.

    timings, first: as in ``build_blocks``. alpha, conditional: as in ``assemble``.
    Raises InputError where buyers are not exchangeable, with the reason and a state, and for several units.
    """
    if space.units > 1:
        raise InputError(f"symmetric rules with {space.units} units", where="symmetric", expected="one unit")
    stages = buyer_stages(space, timings, first)
    require_exchangeable(space, stages)
    types, n = space.shape[0], space.n
    rivals = np.array(list(combinations_with_replacement(range(types), n - 1)), dtype=np.intp)
    fibre = np.empty((types,) * (n - 1), dtype=np.intp)
    for order in permutations(range(n - 1)):
        fibre[tuple(rivals[:, k] for k in order)] = np.arange(len(rivals))
    chances = _collected(_chances(space), fibre, len(rivals))
    block, starts = _by_fibre(_block(space, stages[0], rivals, chances, alpha), len(rivals))
    orbits = np.array(list(combinations(range(types), n)), dtype=np.intp).reshape(-1, n)
    return SymmetricFormulation(
        space,
        (block,),
        Program(
            weights=_weights(space, block, fibre, len(rivals), alpha),
            blocks=starts,
            tails=block.tails,
            heads=block.heads,
            packing=_packing(block, orbits, fibre),
            fixed=_fixings(space, block, rivals, conditional),
            constant=alpha * space.seller,
        ),
        alpha,
        stages,
        rivals=rivals,
        fibre=fibre,
        orbits=orbits,
    )


def symmetric_start(formulation: SymmetricFormulation, smallest: Bool) -> Int8:
    """A symmetric rule of two buyers made of an unrestricted optimum: ``smallest`` is the rule of its extreme closure
    that sells least to the first. Both get what he gets there: admissible, for the mirror image of that closure sells
    least to the second."""
    own = smallest[0]
    return formulation.vector(np.stack([np.moveaxis(own, 0, i) for i in range(formulation.space.n)]))


def cost_of_symmetry(free: Solution, symmetric_value: float) -> float:
    """What treating buyers alike costs on the grid at most: the unrestricted bound less the symmetric rule's value."""
    return max(free.bound - symmetric_value, 0.0)


def _chances(space: TypeSpace) -> Float:
    if space.weights is None:
        return np.broadcast_to(np.float64(1.0 / space.states), space.shape)
    return space.weights.chances


def _collected(array: Float, fibre: Place, fibres: int) -> Float:
    """An array of state shape summed over the orders of the others' types, (T, F)."""
    flat = array.reshape(len(array), -1)
    at = (np.arange(len(array))[:, None] * fibres + fibre.ravel()).ravel()
    summed = np.bincount(at, weights=flat.ravel(), minlength=len(array) * fibres)
    return np.asarray(summed.reshape(len(array), fibres), dtype=np.float64)


def _block(
    space: TypeSpace,
    stages: Stages | None,
    rivals: Place,
    chances: Float,
    alpha: float,
) -> Block:
    """The first buyer's block over fibres that are sets of rivals; its index has shape (T, F)."""
    values = np.ascontiguousarray(space.values[0][(slice(None), *rivals.T)])
    if stages is None:
        return static_block(values, 0, revenue=alpha < 1.0, chances=chances)
    sequential_block(space, 0, stages.first)  # which refuses what sequential timing cannot take
    order = sequential_order(stages.fibres(values), tie_width(values))
    return Block(stages.states(order.variable, values.shape), order.size, order.tails, order.heads)


def _by_fibre(block: Block, fibres: int) -> tuple[Block, Int64]:
    """The block with its auxiliary variables beside those of their fibre, and where each fibre starts: fibres are what
    packing rows take at most one variable of."""
    home = np.full(block.size, -1, dtype=np.int64)
    home[block.index] = np.arange(fibres)
    for one, other in ((block.tails, block.heads), (block.heads, block.tails)):
        gates = (home[one] < 0) & (home[other] >= 0)
        home[one[gates]] = home[other[gates]]
    assert (home >= 0).all()
    place = np.empty(block.size, dtype=np.int32)
    place[np.argsort(home, kind="stable")] = np.arange(block.size, dtype=np.int32)
    starts = np.concatenate([[0], np.cumsum(np.bincount(home, minlength=fibres))]).astype(np.int64)
    revenue = None
    if block.revenue is not None:
        revenue = np.empty(block.size)
        revenue[place] = block.revenue
    return Block(place[block.index], block.size, place[block.tails], place[block.heads], revenue), starts


def _weights(space: TypeSpace, block: Block, fibre: Place, fibres: int, alpha: float) -> Float:
    """The objective of the rule of all buyers, n times that of the first."""
    weights = np.zeros(block.size)
    if alpha > 0.0:
        gains = _collected(space.gains[0] * _chances(space), fibre, fibres)
        weights[block.index] = gains * (alpha * space.n)
    if alpha < 1.0:
        if block.revenue is None:
            raise InputError(
                "an objective with revenue under sequential timing", where="objective", expected="welfare"
            )
        weights += block.revenue * ((1.0 - alpha) * space.n)
    return weights


def _packing(block: Block, orbits: Place, fibre: Place) -> Int32:
    """One row for each set of different types: any of them against the rest."""
    n = orbits.shape[1]
    columns = [
        block.index[orbits[:, k], fibre[tuple(orbits[:, j] for j in range(n) if j != k)]] for k in range(n)
    ]
    return np.ascontiguousarray(np.stack(columns, axis=1).astype(np.int32))


def _fixings(space: TypeSpace, block: Block, rivals: Place, conditional: bool) -> Int8:
    """Nobody wins against his like; under conditional efficiency nobody wins whose gain is not the highest."""
    fixed = np.full(block.size, FREE, dtype=np.int8)
    types = np.arange(space.shape[0])
    alike = (types[:, None, None] == rivals[None, :, :]).any(axis=2)
    fixed[block.index[alike]] = 0
    if conditional:
        allowed = allowed_winners(space)[0][(slice(None), *rivals.T)]
        fixed[block.index[~allowed]] = 0
    return fixed
