"""The papers' constructions by name: what each is, where it comes from, and its mechanism on a type space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from expost.errors import InputError
from expost.instances.environment import Instance
from expost.instances.priors import nearest
from expost.mechanisms.constructions.example2 import ExampleTwoPrices
from expost.mechanisms.constructions.pivotal_prices import PivotalPrices
from expost.mechanisms.constructions.prices_on import PriceFunction, Space, priced_mechanism
from expost.mechanisms.mechanism import Mechanism

Float = NDArray[np.float64]

STATIC, SEQUENTIAL = "static", "sequential"


@dataclass(frozen=True, eq=False)
class Construction:
    """One construction for one instance.

    timing: ``static`` (its terms are prices) or ``sequential`` (menus).
    build: the mechanism on a type space of the instance; call ``on``.
    prices: the price functions of the continuum, for static constructions.
    """

    name: str
    citation: str
    timing: str
    build: Callable[[Space], Mechanism]
    prices: PriceFunction | None = None

    def on(self, space: Space) -> Mechanism:
        """The mechanism of the construction on ``space``."""
        return self.build(space)


def _priced(make: Callable[[Instance], PriceFunction]) -> Callable[[Instance], Construction]:
    def construct(instance: Instance) -> Construction:
        prices = make(instance)
        return Construction(
            prices.name, prices.citation, STATIC, lambda space: priced_mechanism(space, prices), prices
        )

    return construct


CONSTRUCTIONS: dict[str, Callable[[Instance], Construction]] = {
    "t*": _priced(PivotalPrices),
    "example2": _priced(ExampleTwoPrices),
}
"""Name to a function of the instance, which raises InputError where the construction is not defined."""


def get(name: str, instance: Instance) -> Construction:
    """The construction ``name`` for ``instance``.

    Raises InputError for an unknown name, and for an instance on which the construction is not defined.
    """
    if name not in CONSTRUCTIONS:
        raise InputError(
            f"unknown construction {name!r}",
            where="--prices",
            expected=f"one of {', '.join(CONSTRUCTIONS)}",
            remedy=nearest(name, list(CONSTRUCTIONS)),
        )
    return CONSTRUCTIONS[name](instance)


def names(instance: Instance) -> tuple[str, ...]:
    """The constructions that are defined for ``instance``."""
    return tuple(name for name in CONSTRUCTIONS if _defined(name, instance))


def _defined(name: str, instance: Instance) -> bool:
    try:
        CONSTRUCTIONS[name](instance)
    except InputError:
        return False
    return True
