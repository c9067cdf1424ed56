"""The papers' constructions by name: what each is, where it comes from, and its mechanism on a type space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from expost.errors import InputError
from expost.instances.environment import Instance
from expost.instances.priors import nearest
from expost.mechanisms.constructions.example2 import ExampleTwoPrices
from expost.mechanisms.constructions.improved_strikes import ImprovedStrikes
from expost.mechanisms.constructions.pivotal_prices import PivotalPrices
from expost.mechanisms.constructions.prices_on import PriceFunction, priced_mechanism
from expost.mechanisms.constructions.static_second_best import StaticSecondBest
from expost.mechanisms.constructions.strikes import (
    EnvelopeStrikes,
    StepStrikes,
    StrikeFunction,
    first_signal,
)
from expost.mechanisms.constructions.strikes_on import (
    GridSpace,
    efficient_rule,
    menu_mechanism,
    strike_mechanism,
)
from expost.mechanisms.mechanism import Mechanism

Float = NDArray[np.float64]

STATIC, SEQUENTIAL = "static", "sequential"


@dataclass(frozen=True, eq=False)
class Construction:
    """One construction for one instance.

    timing: ``static`` (its terms are prices) or ``sequential`` (menus).
    build: the mechanism on a type space of the instance; call ``on``.
    prices, strikes: the price or strike functions of the continuum, where the construction is made of them.
    """

    name: str
    citation: str
    timing: str
    build: Callable[[GridSpace], Mechanism]
    prices: PriceFunction | None = None
    strikes: StrikeFunction | None = None

    def on(self, space: GridSpace) -> Mechanism:
        """The mechanism of the construction on ``space``."""
        return self.build(space)


def _priced(make: Callable[[Instance], PriceFunction]) -> Callable[[Instance], Construction]:
    def construct(instance: Instance) -> Construction:
        prices = make(instance)
        return Construction(
            prices.name, prices.citation, STATIC, lambda space: priced_mechanism(space, prices), prices
        )

    return construct


def _theorem_7(instance: Instance) -> Construction:
    prices = StaticSecondBest(instance)
    first_signal(instance, 0)
    strikes = _SingleStrike(prices)
    return Construction(
        "theorem7",
        "Zik, Theorem 7: one strike for all first signals",
        SEQUENTIAL,
        lambda space: strike_mechanism(space, strikes),
        prices,
        strikes,
    )


@dataclass(frozen=True)
class _SingleStrike:
    """The same strike for everybody: the best static price."""

    prices: StaticSecondBest

    @property
    def accuracy(self) -> float:
        return self.prices.accuracy

    def strike(self, i: int, first: Float, signals: Mapping[str, Float]) -> Float:
        del i, signals
        return np.full(np.shape(first), self.prices.level)


def _struck(
    name: str, citation: str, make: Callable[[Instance], StrikeFunction]
) -> Callable[[Instance], Construction]:
    def construct(instance: Instance) -> Construction:
        strikes = make(instance)
        return Construction(
            name, citation, SEQUENTIAL, lambda space: strike_mechanism(space, strikes), None, strikes
        )

    return construct


def _boundary(instance: Instance) -> Construction:
    for i in range(instance.n):
        first_signal(instance, i)
    return Construction(
        "boundary",
        "Zik, section 2.4: the efficient rule, its strikes V(a, theta2(a))",
        SEQUENTIAL,
        lambda space: menu_mechanism(space, efficient_rule(space)),
    )


CONSTRUCTIONS: dict[str, Callable[[Instance], Construction]] = {
    "t*": _priced(PivotalPrices),
    "example2": _priced(ExampleTwoPrices),
    "static-second-best": _priced(StaticSecondBest),
    "theorem7": _theorem_7,
    "theorem8": _struck("theorem8", "Zik, proof of Theorem 8", ImprovedStrikes),
    "section3.3": _struck("section3.3", "Zik, section 3.3: one step below t*", StepStrikes),
    "envelope": _struck(
        "envelope",
        "Zik, section 3.3, carried to the limit: the best conditionally efficient strikes",
        EnvelopeStrikes,
    ),
    "boundary": _boundary,
}
"""Name to a function of the instance, which raises InputError where the construction is not defined.

``boundary`` is incentive compatible only where the efficient rule is implementable (Zik, Corollary 4): audit it.
"""


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
