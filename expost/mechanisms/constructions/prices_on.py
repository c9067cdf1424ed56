"""Prices given by formulas, evaluated on a type space: the papers' constructions as ordinary mechanisms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from expost.instances.environment import Instance
from expost.mechanisms.mechanism import Mechanism, mechanism_from_prices
from expost.mechanisms.prices import Prices, given_prices
from expost.tolerances import TIE, allowance

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]


class PriceFunction(Protocol):
    """Personalized prices in the continuum, one function of the others' signals for each buyer.

    accuracy: how far a price may fall short of what the formula says (unit: values, relative).
    """

    @property
    def name(self) -> str:
        """What the price function is called on the command line."""
        ...

    @property
    def citation(self) -> str:
        """Paper and equation."""
        ...

    @property
    def accuracy(self) -> float:
        """See the class."""
        ...

    def price(self, i: int, signals: Mapping[str, Float]) -> Float:
        """Buyer ``i``'s price at the others' ``signals``, arrays that broadcast together."""
        ...


class Space(Protocol):
    """What a construction asks of a finite type space (``formulations.discretization.TypeSpace`` is one)."""

    @property
    def instance(self) -> Instance:
        """The instance."""
        ...

    @property
    def types(self) -> tuple[dict[str, Float], ...]:
        """Per buyer, each own signal at each of his types, shape (T_i,)."""
        ...

    @property
    def values(self) -> Float:
        """V_i, shape (n, T_1, .., T_n)."""
        ...

    @property
    def gains(self) -> Float:
        """w_i, shape (n, T_1, .., T_n)."""
        ...


def other_signals(space: Space, i: int) -> dict[str, Float]:
    """The signals of all buyers but ``i`` over the others' states: each broadcasts to the others' shape."""
    others = [own for k, own in enumerate(space.types) if k != i]
    n = len(others)
    return {
        name: column.reshape((1,) * k + (-1,) + (1,) * (n - k - 1))
        for k, own in enumerate(others)
        for name, column in own.items()
    }


def prices_on(space: Space, prices: PriceFunction) -> tuple[Prices, ...]:
    """The continuum prices at the types of ``space``, one ``Prices`` per buyer, of the others' shape."""
    found = []
    for i in range(len(space.types)):
        shape = tuple(len(next(iter(own.values()))) for k, own in enumerate(space.types) if k != i)
        price = np.broadcast_to(prices.price(i, other_signals(space, i)), shape)
        found.append(given_prices(price.copy(), i))  # ascontiguousarray would give 0-d prices an axis
    return tuple(found)


def tie_of(values: Float, accuracy: float = 0.0) -> float:
    """How close a value has to be to a price to count as equal to it (unit: values)."""
    return allowance(max(TIE, 2.0 * accuracy), values)


def priced_mechanism(space: Space, prices: PriceFunction) -> Mechanism:
    """The mechanism of the prices on ``space`` under rule (9) of Bikhchandani (2006)."""
    return mechanism_from_prices(
        space.values, prices_on(space, prices), tie_of(space.values, prices.accuracy)
    )


def rule_3(values: Float, prices: tuple[Prices, ...], tie: float = 0.0) -> Bool:
    """The rule that prices support without tie extension: bool (n, T_1, .., T_n) (Bikhchandani 2006, (3)).

    A buyer wins iff his value exceeds his price; ``values`` has shape (n, T_1, .., T_n).
    """
    return np.stack([value - price.broadcast() > tie for value, price in zip(values, prices, strict=True)])
