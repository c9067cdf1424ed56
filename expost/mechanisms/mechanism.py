"""A mechanism on a type space: who wins in each state, and on what terms each buyer gets the item."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from expost._typing import Array, Bool, Float
from expost.mechanisms.audit import Audit, BuyerAudit, audit_admissibility, audit_prices
from expost.mechanisms.prices import Choice, PriceTable, allocation_from_prices, implementing_prices
from expost.spaces.weights import Weights


class Terms(Protocol):
    """What one buyer is offered: prices (static) or menus of strikes and fees (sequential)."""

    @property
    def buyer(self) -> int:
        """The buyer, counted from 0."""
        ...

    def revenue(self, wins: Bool, *, weights: Weights | None = None) -> float:
        """Expected payment under the rule ``wins`` of state shape."""
        ...


@dataclass(frozen=True, eq=False)
class Mechanism:
    """An allocation rule with each buyer's terms.

    allocation: bool (n, T_1, .., T_n).
    terms: one per buyer, in the order of the buyers.
    weights: how likely the states are; None where all are equally likely.
    units: how many units there are to sell.
    """

    allocation: Bool = field(repr=False)
    terms: tuple[Terms, ...]
    weights: Weights | None = field(default=None, repr=False)
    units: int = 1

    def mean(self, array: Array) -> float:
        """The expectation of an array of state shape."""
        return float(array.mean()) if self.weights is None else self.weights.mean(array)

    @property
    def sold(self) -> float:
        """The probability of a sale; of several units, how many are sold on average."""
        if self.units == 1:
            return self.mean(np.asarray(self.allocation.any(axis=0)))
        return self.mean(self.allocation.sum(axis=0, dtype=np.float64))

    def revenue(self) -> float:
        """The seller's expected revenue."""
        pairs = zip(self.terms, self.allocation, strict=True)
        return sum(terms.revenue(wins, weights=self.weights) for terms, wins in pairs)

    def state_welfare(self, gains: Float) -> Float:
        """The gain realized in each state, state shape; ``gains`` has shape (n, T_1, .., T_n)."""
        return np.where(self.allocation, gains, 0.0).sum(axis=0)

    def welfare(self, gains: Float, seller: float) -> float:
        """Expected welfare, E[V_0] + E[sum_i w_i q_i], recomputed from the rule."""
        return seller + self.mean(self.state_welfare(gains))


def static_mechanism(values: Float, allocation: Bool, choice: Choice = Choice.MIDPOINT) -> Mechanism:
    """The mechanism of a static rule: implementing prices in every fibre."""
    return Mechanism(
        allocation,
        tuple(implementing_prices(values[i], allocation[i], i, choice) for i in range(len(values))),
    )


def mechanism_from_prices(
    values: Float,
    prices: tuple[PriceTable, ...],
    tie: float = 0.0,
    weights: Weights | None = None,
    units: int = 1,
) -> Mechanism:
    """The mechanism that prices support on a type space (Bikhchandani 2006, rule (9))."""
    return Mechanism(allocation_from_prices(values, prices, tie, units), prices, weights, units)


def audit_static(values: Float, mechanism: Mechanism) -> Audit:
    """The audit of a mechanism all of whose terms are prices; ``values`` has shape (n, T_1, .., T_n)."""
    buyers: list[BuyerAudit] = []
    for terms, value, wins in zip(mechanism.terms, values, mechanism.allocation, strict=True):
        assert isinstance(terms, PriceTable)
        buyers.append(audit_prices(value, wins, terms))
    return Audit(
        tuple(buyers), *audit_admissibility(mechanism.allocation, mechanism.units), units=mechanism.units
    )
