"""The papers' constructions by name: what each is, where it comes from, and its mechanism on a type space."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from expost._typing import Float, Timing
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.instances.load import load
from expost.instances.words import nearest
from expost.mechanisms.given import (
    Given,
    PriceFunction,
    StrikeFunction,
    efficient_rule,
    first_signal,
    menu_mechanism,
    priced_mechanism,
    strike_mechanism,
)
from expost.papers.bikhchandani.example2 import ExampleTwoPrices
from expost.papers.bikhchandani.fillers import FillerPrices
from expost.papers.bikhchandani.pivotal_prices import PivotalPrices
from expost.papers.zik.improved_strikes import ImprovedStrikes
from expost.papers.zik.static_second_best import StaticSecondBest
from expost.papers.zik.strikes import EnvelopeStrikes, StepStrikes


def _priced(
    make: Callable[[Instance], PriceFunction], closed_form: bool = False
) -> Callable[[Instance], Given]:
    def construct(instance: Instance) -> Given:
        prices = make(instance)
        return Given(
            prices.name,
            prices.citation,
            Timing.STATIC,
            lambda space: priced_mechanism(space, prices),
            prices,
            closed_form=closed_form,
            formulas=getattr(prices, "formulas", None),
        )

    return construct


def _theorem_7(instance: Instance) -> Given:
    prices = StaticSecondBest(instance)
    first_signal(instance, 0)
    strikes = _SingleStrike(prices)
    return Given(
        "theorem7",
        "Zik, Theorem 7: one strike for all first signals",
        Timing.SEQUENTIAL,
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
) -> Callable[[Instance], Given]:
    def construct(instance: Instance) -> Given:
        strikes = make(instance)
        return Given(
            name, citation, Timing.SEQUENTIAL, lambda space: strike_mechanism(space, strikes), None, strikes
        )

    return construct


def _boundary(instance: Instance) -> Given:
    for i in range(instance.n):
        first_signal(instance, i)
    return Given(
        "boundary",
        "Zik, section 2.4: the efficient rule, its strikes V(a, theta2(a))",
        Timing.SEQUENTIAL,
        lambda space: menu_mechanism(space, efficient_rule(space)),
    )


CONSTRUCTIONS: dict[str, Callable[[Instance], Given]] = {
    "t*": _priced(PivotalPrices),
    "example2": _priced(ExampleTwoPrices, closed_form=True),
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


def get(name: str, instance: Instance) -> Given:
    """The construction ``name`` for ``instance``.

    Raises InputError for an unknown name, and for an instance on which the construction is not defined.
    """
    if name not in CONSTRUCTIONS:
        raise InputError(
            f"unknown construction {name!r}",
            where="prices",
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


STARTS = (*(CONSTRUCTIONS[name] for name in ("example2", "t*", "envelope")), _priced(FillerPrices))
"""What a bracket's lower side may start from, where it is defined: constructions of the papers, and prices of ours."""


def starts(instance: Instance) -> Iterator[Given]:
    """Those of ``STARTS`` that are defined for ``instance``, made as they are asked for."""
    for construct in STARTS:
        with suppress(InputError):
            yield construct(instance)


def constructions(instance: Instance | str) -> tuple[str, ...]:
    """The names of the papers' constructions that are defined for ``instance``."""
    return names(load(instance))
