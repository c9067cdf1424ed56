"""The environment: buyers, their signals, what the item is worth to each, what the seller keeps.

Signals are passed as a mapping from signal name to a float64 array; all arrays broadcast together,
and every valuation returns an array of the broadcast shape (Bikhchandani 2006, section 2; Zik,
sections 2.1 and 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.buyer import Buyer
from expost.instances.consistency import Parts, check_names, check_priors, check_uses
from expost.instances.given_priors import AnyPrior, as_prior
from expost.instances.parameters import Parameters, checked_parameters, overridden
from expost.instances.priors import UNIFORM
from expost.instances.valuations import Valuation, ValuationLike, as_valuation, plain_valuation

__all__ = ["Buyer", "Instance", "Signals", "non_finite_witness"]

Signals = Mapping[str, Float]


@dataclass(frozen=True, init=False)
class Instance:
    """An instance of the allocation problem: identical units of one item, buyers, priors, the seller's value.

    priors: prior of each signal by name, uniform on [0, 1] where none is given; a frozen distribution of scipy.stats
    will do.
    seller: V_0, what society gets when the seller keeps the item; may use any signal.
    citation: where the instance comes from (paper, example, equation).
    parameters: numbers by name that values, priors' parameters and the joint density may use.
    joint: a density of all signals relative to the priors, formula or callable; None where signals are independent
    but for conditional priors. It need not be normalized.
    units: how many identical units there are; each buyer wants one.

    Raises InputError when a signal is declared twice, used but not declared, or a prior names no signal.
    """

    name: str
    buyers: tuple[Buyer, ...]
    priors: Mapping[str, AnyPrior]
    seller: ValuationLike
    citation: str
    parameters: Parameters
    joint: ValuationLike | None
    units: int

    def __init__(
        self,
        name: str,
        buyers: Sequence[Buyer],
        priors: Mapping[str, Any] | None = None,
        seller: ValuationLike = "0",
        citation: str = "",
        *,
        parameters: Mapping[str, float] | None = None,
        joint: ValuationLike | None = None,
        units: int = 1,
    ) -> None:
        fields: dict[str, Any] = {
            "name": name,
            "buyers": _buyers(buyers, name),
            "priors": {
                signal: as_prior(prior, where=f"priors.{signal}") for signal, prior in _table(priors).items()
            },
            "seller": plain_valuation(seller, "seller: value"),
            "citation": citation,
            "parameters": checked_parameters(parameters),
            "joint": None if joint is None else plain_valuation(joint, "joint: density"),
            "units": _units(units),
        }
        for field, content in fields.items():
            object.__setattr__(self, field, content)
        parts = Parts(name, self.buyers, self.parameters)
        check_names(parts)
        check_uses(parts, self._everything())
        check_priors(parts, self.priors, self._bound)

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

    def prior(self, signal: str) -> AnyPrior:
        """The prior of ``signal``, parameters of the instance in their places."""
        return self._bound.get(signal, UNIFORM)

    @cached_property
    def _bound(self) -> dict[str, AnyPrior]:
        return {signal: _bound(signal, prior, self.parameters) for signal, prior in self.priors.items()}

    def with_parameters(self, **parameters: float) -> Instance:
        """The same instance with other parameters. Raises InputError for one that it does not have."""
        given = overridden(self.parameters, parameters, f"parameters of {self.name}")
        return replace(self, parameters=given)

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
                self._valuation(b.value, f"buyer {b.name}: value"),
                self._valuation(b.externality, f"buyer {b.name}: externality"),
            )
            for b in self.buyers
        )

    @cached_property
    def seller_valuation(self) -> Valuation:
        """V_0."""
        return self._valuation(self.seller, "seller: value")

    @cached_property
    def density(self) -> Valuation | None:
        """The joint density relative to the priors, not normalized; None where there is none."""
        return None if self.joint is None else self._valuation(self.joint, "joint: density")

    @cached_property
    def feelings(self) -> dict[tuple[int, int], Valuation]:
        """What buyer i feels when buyer j wins, by (i, j); nothing where he does not care."""
        names = [buyer.name for buyer in self.buyers]
        return {
            (i, names.index(winner)): self._valuation(felt, f"buyer {buyer.name}: loses_to.{winner}")
            for i, buyer in enumerate(self.buyers)
            for winner, felt in buyer.loses_to.items()
        }

    def _valuation(self, value: ValuationLike, where: str) -> Valuation:
        return as_valuation(value, where=where, parameters=self.parameters)

    def _everything(self) -> dict[str, Valuation]:
        """Every function of the instance by the place where it stands."""
        found = {
            f"buyer {buyer.name}: {part}": valuation
            for buyer, pair in zip(self.buyers, self.valuations, strict=True)
            for part, valuation in zip(("value", "externality"), pair, strict=True)
        }
        for (i, j), felt in self.feelings.items():
            found[f"buyer {self.buyers[i].name}: loses_to.{self.buyers[j].name}"] = felt
        found["seller: value"] = self.seller_valuation
        return found if self.density is None else {**found, "joint: density": self.density}

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
        value, externality = self.valuations[i]
        found = value(signals)
        if not externality.is_zero:
            found = found + externality(signals)
        return found if self.seller_valuation.is_zero else found - self.seller_valuation(signals)


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


def _buyers(buyers: Any, name: str) -> tuple[Buyer, ...]:
    if not isinstance(buyers, Sequence) or not all(isinstance(buyer, Buyer) for buyer in buyers):
        raise InputError(
            f"buyers {buyers!r:.60}",
            where=f"instance {name}",
            expected='a list of buyers: [Buyer("1", ["p1"], "p1"), ...]',
        )
    return tuple(buyers)


def _table(priors: Any) -> Mapping[str, Any]:
    if priors is None:
        return {}
    if not isinstance(priors, Mapping):
        raise InputError(f"{priors!r:.60}", where="priors", expected="priors by signal: {'p1': ...}")
    return priors


def _bound(signal: str, prior: AnyPrior, parameters: Parameters) -> AnyPrior:
    try:
        return prior.bound(parameters)
    except InputError as error:
        where = f"priors.{signal}.{error.where}"
        raise InputError(error.found, where=where, expected=error.expected, remedy=error.remedy) from None


def _units(units: Any) -> int:
    if isinstance(units, bool) or not isinstance(units, int | np.integer) or units < 1:
        raise InputError(f"{units!r:.40} units", where="units", expected="a positive whole number")
    return int(units)
