"""The stochastic second best of a type space: solved, turned into lottery menus, audited, its bound recomputed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from expost._typing import Float
from expost.errors import AuditError, LimitReached
from expost.formulations.lotteries import LotteryFormulation, lottery_formulation
from expost.formulations.timing import SEQUENTIAL
from expost.mechanisms.audit import Audit
from expost.mechanisms.lottery_audit import audit_lottery, crowded_states
from expost.mechanisms.lottery_menu import LotteryMenu, largest_fees, payments
from expost.solver.linear_program import dual_bound
from expost.solver.result import Status
from expost.spaces.type_space import TypeSpace
from expost.tolerances import WELFARE


@dataclass(frozen=True, eq=False)
class LotterySecondBest:
    """A stochastic mechanism on a type space, audited by definition, and what bounds it.

    allocation: float64 (n, T_1, .., T_n), everybody's probability of winning. pays: per buyer, as fibres (F, A, B),
    expected payments, fees included. upper_bound: what the multipliers (rows,) prove about every stochastic mechanism.
    point: the program's variables, from which the mechanism follows (``assessed``).
    """

    formulation: LotteryFormulation
    allocation: Float = field(repr=False)
    menus: tuple[LotteryMenu, ...] = field(repr=False)
    pays: tuple[Float, ...] = field(repr=False)
    welfare: float
    upper_bound: float
    status: Status
    audit: Audit
    multipliers: Float = field(repr=False)
    point: Float = field(repr=False)

    @property
    def space(self) -> TypeSpace:
        """The finite type space."""
        return self.formulation.space

    @property
    def revenue(self) -> float:
        """The seller's expected revenue at the largest fees."""
        shape = self.space.shape
        return float(
            sum(
                self.space.mean(b.layout.states(p, shape))
                for b, p in zip(self.formulation.blocks, self.pays, strict=True)
            )
        )

    @property
    def sold(self) -> float:
        """The expected number of units sold; with one unit the probability of a sale."""
        return self.space.mean(self.allocation.sum(axis=0))

    @property
    def random_states(self) -> int:
        """In how many states somebody wins with a probability that is neither 0 nor 1."""
        inner = (self.allocation > WELFARE) & (self.allocation < 1.0 - WELFARE)
        return int(np.count_nonzero(inner.any(axis=0)))


def lottery_second_best(
    space: TypeSpace,
    timing: str | Sequence[str] = SEQUENTIAL,
    first: Sequence[str | None] = (),
    *,
    time_limit: float | None = None,
) -> LotterySecondBest:
    """The best stochastic mechanism of ``space``, with a bound recomputed from the multipliers.

    The fees returned are the largest that keep all choices and leave every first-stage type a non-negative expected
    gain. Raises InputError as ``lottery_formulation``, LimitReached when the limit came before any mechanism,
    AuditError when the mechanism fails the audit by definition.
    """
    from expost.solver.adapters.lp import solve_linear

    formulation = lottery_formulation(space, timing, first)
    answer = solve_linear(formulation.program, time_limit=time_limit)
    if answer.x is None or answer.multipliers is None:
        raise LimitReached(
            f"{space.instance.name}: the linear program stopped ({answer.status}) before it had a mechanism; allow "
            "more time or use a coarser grid"
        )
    return assessed(formulation, answer.x, answer.multipliers, answer.status)


def assessed(
    formulation: LotteryFormulation, x: Float, multipliers: Float, status: Status
) -> LotterySecondBest:
    """The mechanism of a point ``x`` (variables,), audited, with the bound that ``multipliers`` (rows,) prove.

    Raises AuditError when the mechanism is not incentive compatible or not admissible, or beats the bound.
    """
    space = formulation.space
    allocation = formulation.allocation(x)
    menus, pays, audits = [], [], []
    for block in formulation.blocks:
        menu = formulation.menu(block, x)
        if block.layout.stages is not None:
            menu = replace(menu, fee=largest_fees(menu.gains(block.values, block.chances)))
        wins = block.layout.fibres(allocation[block.layout.buyer])
        paid = payments(menu, block.level, wins)
        menus.append(menu)
        pays.append(paid)
        audits.append(
            audit_lottery(space.values[block.layout.buyer], wins, paid, block.layout, block.chances)
        )
    audit = Audit(tuple(audits), *crowded_states(allocation, space.units))
    audit.require("the linear program of lotteries")
    welfare = space.seller + space.mean((allocation * space.gains).sum(axis=0))
    bound = dual_bound(formulation.program, multipliers)
    slack = WELFARE * formulation.program.scale
    if welfare > bound + slack:
        raise AuditError(
            f"the bound {bound} from the multipliers is below the welfare {welfare} of the mechanism"
        )
    if status is Status.OPTIMAL and welfare < bound - slack:
        status = Status.FEASIBLE
    return LotterySecondBest(
        formulation,
        allocation,
        tuple(menus),
        tuple(pays),
        welfare,
        max(bound, welfare),
        status,
        audit,
        multipliers,
        x,
    )
