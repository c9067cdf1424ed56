"""The environment: buyers, their signals, what the item is worth to each, what the seller keeps.

Signals are passed as a mapping from signal name to a float64 array; all arrays broadcast together,
and every valuation returns an array of the broadcast shape (Bikhchandani 2006, section 2; Zik,
sections 2.1 and 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.consistency import check_instance
from expost.instances.priors import UNIFORM, Prior
from expost.instances.valuations import Valuation, ValuationLike, as_valuation, number_text

Signals = Mapping[str, Float]


@dataclass(frozen=True)
class Buyer:
    """A buyer: the signals he observes, in order of arrival, and what the item is worth.

    value: V_i, formula text or a callable of the signals that it uses (any buyer's).
    externality: E_i, what society gets on top of V_i when this buyer gets the item.
    stages: the signals of the first and of the second stage; by default the first-listed signal
    comes first and the others second.
    """

    name: str
    signals: tuple[str, ...]
    value: ValuationLike
    externality: ValuationLike = "0"
    stages: tuple[tuple[str, ...], ...] | None = None

    def __post_init__(self) -> None:
        where = f"buyer {self.name}"
        object.__setattr__(self, "signals", _names(self.signals, f"{where}: signals"))
        object.__setattr__(self, "value", _plain(self.value, f"{where}: value"))
        object.__setattr__(self, "externality", _plain(self.externality, f"{where}: externality"))
        if self.stages is not None:
            stages = tuple(_names(stage, f"{where}: stages") for stage in self.stages)
            object.__setattr__(self, "stages", stages)


@dataclass(frozen=True)
class Instance:
    """An instance of the allocation problem: one item, buyers, priors, the seller's value.

    priors: prior of each signal by name, uniform on [0, 1] where none is given.
    seller: V_0, what society gets when the seller keeps the item; may use any signal.
    citation: where the instance comes from (paper, example, equation).

    Raises InputError when a signal is declared twice, used but not declared, or a prior names no signal.
    """

    name: str
    buyers: tuple[Buyer, ...]
    priors: Mapping[str, Prior] = field(default_factory=dict)
    seller: ValuationLike = "0"
    citation: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "buyers", tuple(self.buyers))
        object.__setattr__(self, "priors", dict(self.priors))
        object.__setattr__(self, "seller", _plain(self.seller, "seller: value"))
        check_instance(self)

    @property
    def n(self) -> int:
        """How many buyers there are."""
        return len(self.buyers)

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of all signals, buyer by buyer."""
        return tuple(signal for buyer in self.buyers for signal in buyer.signals)

    def owner(self, signal: str) -> int:
        """The buyer who observes ``signal``, counted from 0. Raises InputError for an unknown signal."""
        for i, buyer in enumerate(self.buyers):
            if signal in buyer.signals:
                return i
        raise InputError(
            f"unknown signal {signal!r}",
            where=f"instance {self.name}",
            expected=f"one of {', '.join(self.signals)}",
        )

    def prior(self, signal: str) -> Prior:
        """The prior of ``signal``."""
        return self.priors.get(signal, UNIFORM)

    def stages(self, i: int) -> tuple[tuple[str, ...], ...]:
        """The stages of buyer ``i`` (counted from 0): as declared, or the first signal and the rest."""
        buyer = self.buyers[i]
        if buyer.stages is not None:
            return buyer.stages
        return (buyer.signals[:1], buyer.signals[1:])

    @cached_property
    def valuations(self) -> tuple[tuple[Valuation, Valuation], ...]:
        """(V_i, E_i) of every buyer."""
        return tuple(
            (
                as_valuation(b.value, where=f"buyer {b.name}: value"),
                as_valuation(b.externality, where=f"buyer {b.name}: externality"),
            )
            for b in self.buyers
        )

    @cached_property
    def seller_valuation(self) -> Valuation:
        """V_0."""
        return as_valuation(self.seller, where="seller: value")

    def valuation(self, i: int) -> Valuation:
        """V_i as a Valuation (i counted from 0)."""
        return self.valuations[i][0]

    def value(self, i: int, signals: Signals) -> Float:
        """V_i(s): what the item is worth to buyer ``i`` (counted from 0)."""
        return self.valuations[i][0](signals)

    def externality(self, i: int, signals: Signals) -> Float:
        """E_i(s): what society gets on top of V_i when ``i`` gets the item."""
        return self.valuations[i][1](signals)

    def seller_value(self, signals: Signals) -> Float:
        """V_0(s): what society gets when the seller keeps the item."""
        return self.seller_valuation(signals)

    def gain(self, i: int, signals: Signals) -> Float:
        """w_i(s) = V_i + E_i - V_0: the planner's gain from giving the item to ``i``."""
        return self.value(i, signals) + self.externality(i, signals) - self.seller_value(signals)


def non_finite_witness(instance: Instance, signals: Signals) -> str | None:
    """Where a value, an externality or the seller's value is NaN or infinite at the given signals:
    a phrase with the first such state, e.g. ``value of buyer 1 is nan at p1 = 0, c1 = 0.5``; else None."""
    parts = [
        (f"{part} of buyer {buyer.name}", valuation)
        for buyer, pair in zip(instance.buyers, instance.valuations, strict=True)
        for part, valuation in zip(("value", "externality"), pair, strict=True)
    ]
    for part, valuation in [*parts, ("value of the seller", instance.seller_valuation)]:
        array = valuation(signals)
        bad = ~np.isfinite(array)
        if bad.any():
            state = np.unravel_index(int(np.argmax(bad)), array.shape)
            at = {name: np.broadcast_to(signals[name], array.shape)[state] for name in valuation.signals}
            return f"{part} is {array[state]} at " + ", ".join(f"{name} = {x:g}" for name, x in at.items())
    return None


def _plain(value: ValuationLike, where: str) -> ValuationLike:
    """Numbers and compiled formulas become text, so that an instance reads back from a file as it was."""
    if isinstance(value, Real) and not isinstance(value, bool):
        return number_text(value, where=where)
    if isinstance(value, Valuation) and value.text is not None:
        return value.text
    return value


def _names(names: object, where: str) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, (tuple, list)):
        raise InputError(f"{names!r}", where=where, expected="a list of names")
    return tuple(names)
