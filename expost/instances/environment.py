"""The environment: buyers, their signals, what the item is worth to each, what the seller keeps.

Signals are passed as a mapping from signal name to a float64 array; all arrays broadcast together,
and every valuation returns an array of the broadcast shape (Bikhchandani 2006, section 2; Zik,
sections 2.1 and 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from expost.errors import InputError
from expost.instances.priors import UNIFORM, Prior
from expost.instances.valuations import Valuation, ValuationLike, as_valuation

Float = NDArray[np.float64]
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
        raise InputError(f"unknown signal {signal!r}", where=f"instance {self.name}",
                         expected=f"one of {', '.join(self.signals)}")

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
    def _valuations(self) -> tuple[tuple[Valuation, Valuation], ...]:
        return tuple(
            (as_valuation(b.value, where=f"buyer {b.name}: value"),
             as_valuation(b.externality, where=f"buyer {b.name}: externality"))
            for b in self.buyers
        )

    @cached_property
    def _seller(self) -> Valuation:
        return as_valuation(self.seller, where="seller: value")

    def valuation(self, i: int) -> Valuation:
        """V_i as a Valuation (i counted from 0)."""
        return self._valuations[i][0]

    def value(self, i: int, signals: Signals) -> Float:
        """V_i(s): what the item is worth to buyer ``i`` (counted from 0)."""
        return self._valuations[i][0](signals)

    def externality(self, i: int, signals: Signals) -> Float:
        """E_i(s): what society gets on top of V_i when ``i`` gets the item."""
        return self._valuations[i][1](signals)

    def seller_value(self, signals: Signals) -> Float:
        """V_0(s): what society gets when the seller keeps the item."""
        return self._seller(signals)

    def gain(self, i: int, signals: Signals) -> Float:
        """w_i(s) = V_i + E_i - V_0: the planner's gain from giving the item to ``i``."""
        return self.value(i, signals) + self.externality(i, signals) - self.seller_value(signals)


def check_instance(instance: Instance) -> None:
    """Raise InputError unless every name in the instance refers to exactly one thing."""
    raise NotImplementedError
