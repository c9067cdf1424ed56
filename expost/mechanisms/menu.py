"""Menus: for each state of the others, strikes with fees, one option per first-stage type (Zik 2.3.2).

In a fibre the option of first-stage type ``a`` is a strike ``tau(a)``, at which he may buy once he knows
his second-stage signals, and a fee for it. A rule pins each strike down to an interval: at least every
losing value of his own or a higher row, at most every winning value of his own or a lower row. Neighbouring
types share a strike wherever their intervals meet, so a menu has the fewest options that implement the
rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from expost._typing import Bool, Float
from expost.mechanisms.fees import integral_fees, seller_best_fees
from expost.mechanisms.prices import Choice
from expost.spaces.second_stage import expected, given_level
from expost.spaces.stages import Stages
from expost.spaces.weights import Weights


class Fees(StrEnum):
    """Which of the two fee schedules is charged."""

    SELLER_BEST = "seller-best"
    INTEGRAL = "integral"


@dataclass(frozen=True, eq=False)
class Menu:
    """One buyer's menus, one per state of the others; arrays have shape (F, A): fibre, level of the first
    signal.

    lower, upper: the interval of strikes that implement the rule (unit: values); -inf where nothing bounds
    the strike from below, +inf where a type never wins and none below him does.
    strike: the strike charged, not rising in the level, +inf where there is nothing to buy.
    seller_best, integral: the two fee schedules (unit: values; see ``fees``).
    weights: the probability of each of the buyer's types, (A, B), or None where all are equal.
    """

    stages: Stages
    lower: Float = field(repr=False)
    upper: Float = field(repr=False)
    strike: Float = field(repr=False)
    seller_best: Float = field(repr=False)
    integral: Float = field(repr=False)
    weights: Float | None = field(default=None, repr=False)

    @property
    def chances(self) -> Float | None:
        """The probability of each second-stage type given the first signal, (A, B), or None where all are equal."""
        return given_level(self.weights)

    @property
    def buyer(self) -> int:
        """The buyer, counted from 0."""
        return self.stages.buyer

    def fees(self, fees: Fees = Fees.SELLER_BEST) -> Float:
        """The fee of every first-stage type, shape (F, A)."""
        return self.seller_best if fees is Fees.SELLER_BEST else self.integral

    def opens(self) -> Bool:
        """Where a new option begins: bool (F, A); the types up to the next one share it."""
        opens = np.ones(self.strike.shape, dtype=np.bool_)
        np.not_equal(self.strike[:, 1:], self.strike[:, :-1], out=opens[:, 1:])
        return opens

    def exercise(self, wins: Bool) -> Float:
        """The probability that each first-stage type buys, shape (F, A); ``wins`` has state shape."""
        return expected(self.stages.fibres(wins), self.chances)

    def revenue(self, wins: Bool, fees: Fees = Fees.SELLER_BEST, *, weights: Weights | None = None) -> float:
        """Expected payment, fees and strikes, under the rule ``wins`` of state shape."""
        exercise = self.exercise(wins)
        strikes = np.where(exercise > 0.0, self.strike, 0.0)
        payments = self.fees(fees) + strikes * exercise
        if weights is None or self.weights is None:
            own = np.full(payments.shape[1], 1.0 / payments.shape[1])
        else:
            own = self.weights.sum(axis=1)
        if weights is None:
            return float(payments.mean())
        return float((payments * np.outer(weights.others(self.buyer), own)).sum())


def menu_from_rule(
    values: Float,
    wins: Bool,
    stages: Stages,
    choice: Choice = Choice.MIDPOINT,
    weights: Weights | None = None,
) -> Menu:
    """The menu with the fewest options that implements ``wins``; both arrays of state shape.

    weights: how likely the states are, under which the buyer's types are independent of the others'.
    The rule is not checked here (see ``sequential_audit``): where it is not incentive compatible, lower
    exceeds upper.
    """
    own = None if weights is None else weights.types[stages.buyer][stages.types]
    return menu_from_fibres(stages.fibres(values), stages.fibres(wins), stages, choice, own)


def menu_from_fibres(
    values: Float,
    wins: Bool,
    stages: Stages,
    choice: Choice = Choice.MIDPOINT,
    weights: Float | None = None,
) -> Menu:
    """As ``menu_from_rule``, with values and rule already laid out as fibres (F, A, B), and weights (A, B)."""
    lower, upper = strike_intervals(values, wins)
    strike = shared_strikes(lower, upper, choice)
    chances = given_level(weights)
    return Menu(
        stages,
        lower,
        upper,
        strike,
        seller_best_fees(values, strike, chances),
        integral_fees(values, strike, chances),
        weights,
    )


def strike_intervals(values: Float, wins: Bool) -> tuple[Float, Float]:
    """Between which strikes each type's may lie, each (F, A): the best losing value of his own and higher
    rows, the worst winning value of his own and lower rows. Both ends fall in the first signal.
    """
    lose = values.max(axis=2, where=~wins, initial=-np.inf)
    win = values.min(axis=2, where=wins, initial=np.inf)
    lower = np.maximum.accumulate(lose[:, ::-1], axis=1)[:, ::-1]
    return np.ascontiguousarray(lower), np.minimum.accumulate(win, axis=1)


def shared_strikes(lower: Float, upper: Float, choice: Choice = Choice.MIDPOINT) -> Float:
    """Strikes (F, A) within the intervals, not rising, with the fewest different ones.

    Types who cannot buy (upper = +inf) get +inf. An option lasts from one type to the last whose interval
    still meets the first's; where no losing value bounds it from below its strike is its upper end.
    """
    low, opens = lower.copy(), np.ones(lower.shape, dtype=np.bool_)
    for a in range(1, lower.shape[1]):
        opens[:, a] = (upper[:, a] < low[:, a - 1]) | np.isinf(upper[:, a - 1])
        np.copyto(low[:, a], low[:, a - 1], where=~opens[:, a])
    high = upper.copy()
    for a in range(lower.shape[1] - 2, -1, -1):
        np.copyto(high[:, a], high[:, a + 1], where=~opens[:, a + 1])
    inner = np.isfinite(low) & np.isfinite(high)
    ends = {
        Choice.LOWEST: low,
        Choice.HIGHEST: high,
        Choice.MIDPOINT: 0.5 * (np.where(inner, low, 0.0) + np.where(inner, high, 0.0)),
    }
    return np.where(inner, ends[choice], high)
