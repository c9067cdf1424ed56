"""Static prices: what a rule's fibres say about them, and the rule back from the prices.

For each buyer and each state of the others there is one price (Bikhchandani 2006, Lemma 1). Any price between
the best losing value and the worst winning value of the fibre implements the rule there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from expost._typing import Bool, Float
from expost.spaces.weights import Weights


class Choice(StrEnum):
    """Which of the implementing prices is charged."""

    MIDPOINT = "midpoint"
    LOWEST = "lowest"
    HIGHEST = "highest"


@dataclass(frozen=True, eq=False)
class PriceTable:
    """One buyer's prices in every fibre; arrays have the shape of the others' states.

    lower: the best losing value, -inf where the buyer always wins.
    upper: the worst winning value, +inf where the buyer never wins.
    price: the price charged, +inf where the buyer never wins; where he always wins there is no losing
    value to bound it from below, and it is the worst winning value.
    """

    buyer: int
    lower: Float = field(repr=False)
    upper: Float = field(repr=False)
    price: Float = field(repr=False)

    def broadcast(self) -> Float:
        """The price with an axis of length 1 for the buyer's own types, to broadcast over states."""
        return np.expand_dims(self.price, self.buyer)

    def payments(self, wins: Bool) -> Float:
        """What the buyer pays in each state under the rule ``wins`` (state shape): the price if he wins, else 0."""
        return np.where(wins, self.broadcast(), 0.0)

    def revenue(self, wins: Bool, *, weights: Weights | None = None) -> float:
        """Expected payment; all states are equally likely unless ``weights`` say otherwise."""
        payments = self.payments(wins)
        return float(payments.mean()) if weights is None else weights.mean(payments)

    def exercise(self, wins: Bool, weights: Weights | None = None) -> Float:
        """The probability that the buyer wins in each state of the others, of the others' shape."""
        if weights is None:
            return np.asarray(wins.mean(axis=self.buyer), dtype=np.float64)
        total = weights.others(self.buyer)
        won = (wins * weights.chances).sum(axis=self.buyer)
        return np.asarray(np.divide(won, total, out=np.zeros(total.shape), where=total > 0.0))


def implementing_prices(
    values: Float, wins: Bool, buyer: int, choice: Choice = Choice.MIDPOINT
) -> PriceTable:
    """The prices that implement ``wins`` for the buyer on axis ``buyer`` with values ``values``, both of state shape.

    The rule is not checked here (see ``audit``): where it is not incentive compatible, lower exceeds upper.
    """
    lower = np.asarray(values.max(axis=buyer, where=~wins, initial=-np.inf))
    upper = np.asarray(values.min(axis=buyer, where=wins, initial=np.inf))
    inner = np.isfinite(lower) & np.isfinite(upper)
    chosen = upper
    if choice is Choice.LOWEST:
        chosen = lower
    elif choice is Choice.MIDPOINT:
        chosen = 0.5 * lower + 0.5 * upper
    price = np.where(inner, chosen, upper)
    return PriceTable(buyer, lower, upper, price)


def given_prices(price: Float, buyer: int) -> PriceTable:
    """Prices stated by somebody (a formula of the papers), of the others' shape; the interval is the point."""
    return PriceTable(buyer, price, price, price)


def allocation_from_prices(
    values: Float, prices: tuple[PriceTable, ...], tie: float = 0.0, units: int = 1
) -> Bool:
    """The rule that prices support: bool (n, T_1, .., T_n) (Bikhchandani 2006, rule (9)).

    A buyer whose value exceeds his price wins; where that leaves units over, the first buyers whose values equal
    their prices (within ``tie``) win them. ``values`` has shape (n, T_1, .., T_n). Inadmissible prices show as
    states with more winners than units; ``audit`` reports them.
    """
    margin = np.stack([value - price.broadcast() for value, price in zip(values, prices, strict=True)])
    above = margin > tie
    left = units - above.sum(axis=0, dtype=np.int16)
    level = (np.abs(margin, where=np.isfinite(margin), out=np.full(margin.shape, np.inf)) <= tie) & ~above
    first = level & (np.cumsum(level, axis=0, dtype=np.int16) <= left)
    return np.asarray(above | first)
