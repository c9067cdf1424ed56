"""Prices that the claims are tried on: the papers' by name, formulas, and the same shifted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from expost._typing import Float
from expost.instances.environment import Instance
from expost.instances.formula import Formula
from expost.mechanisms.given import PriceFunction
from expost.papers.bikhchandani.example1 import ExampleOnePrices
from expost.papers.bikhchandani.example2 import ExampleTwoPrices
from expost.papers.bikhchandani.pivotal_prices import PivotalPrices

PricesOf = Callable[[str, Instance], PriceFunction]
"""``prices(name, instance)``: the prices of that name."""

FORMULAS = {
    "pivotal": ("1.1*p2 + 0.3*c2 + c2**2", "1.1*p1 + 0.3*c1 + c1**2"),
    "steep": ("1.1*p2 + 0.3*c2 + c2", "1.1*p1 + 0.3*c1 + c1"),
    "half": ("p2 + 0.5*c2**1.5", "p1 + 0.5*c1**1.5"),
}
"""Prices for ``own_instances.strictly_increasing``; and ``half`` for jmmz, which no mechanism has."""


@dataclass(frozen=True)
class FormulaPrices:
    """Prices by formulas of the others' signals, one a buyer."""

    name: str
    texts: tuple[str, ...]
    citation: str = "ours"
    accuracy: float = 0.0

    def price(self, i: int, signals: Mapping[str, Float]) -> Float:
        """The price of buyer ``i``."""
        return Formula(self.texts[i])(signals)


@dataclass(frozen=True)
class ShiftedPrices:
    """Other prices, each ``by`` higher."""

    prices: PriceFunction
    by: float

    @property
    def name(self) -> str:
        """Theirs, and by how much they were shifted."""
        return f"{self.prices.name} {self.by:+g}"

    @property
    def citation(self) -> str:
        """Theirs."""
        return self.prices.citation

    @property
    def accuracy(self) -> float:
        """Theirs."""
        return self.prices.accuracy

    def price(self, i: int, signals: Mapping[str, Float]) -> Float:
        """The price of buyer ``i``."""
        return self.prices.price(i, signals) + self.by


def prices_named(name: str, instance: Instance) -> PriceFunction:
    """``t*`` (in closed form where there is one), ``example2``, ``equation 15`` or one of ``FORMULAS``; a number behind
    the name shifts them (``example2 +0.01``)."""
    base, _, shift = name.partition(" +")
    if shift:
        return ShiftedPrices(prices_named(base, instance), float(shift))
    if base in FORMULAS:
        return FormulaPrices(base, FORMULAS[base])
    if base == "t*":
        stated = instance.name == "jmmz" and instance.parameters.get("k", 1.0) == 1.0
        return ExampleOnePrices() if stated else PivotalPrices(instance)
    return ExampleTwoPrices(instance, literal=base == "equation 15")


def shifted_by(by: float) -> PricesOf:
    """The same prices, wrong by ``by``: a mutant."""
    return lambda name, instance: ShiftedPrices(prices_named(name, instance), by)
