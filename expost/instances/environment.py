"""The environment: buyers, their signals, what the item is worth to each, what the seller keeps.

Signals are passed as a mapping from signal name to a float64 array; all arrays broadcast together,
and every valuation returns an array of the broadcast shape (Bikhchandani 2006, section 2; Zik,
sections 2.1 and 3.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from expost.errors import InputError
from expost.instances.formula import is_signal_name
from expost.instances.priors import UNIFORM, Prior, nearest
from expost.instances.valuations import Valuation, ValuationLike, as_valuation, number_text

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


def non_finite_witness(instance: Instance, signals: Signals) -> str | None:
    """Where a value, an externality or the seller's value is NaN or infinite at the given signals:
    a phrase with the first such state, e.g. ``value of buyer 1 is nan at p1 = 0, c1 = 0.5``; else None."""
    parts = [
        (f"{part} of buyer {buyer.name}", valuation)
        for buyer, pair in zip(instance.buyers, instance._valuations, strict=True)
        for part, valuation in zip(("value", "externality"), pair, strict=True)
    ]
    for part, valuation in [*parts, ("value of the seller", instance._seller)]:
        array = valuation(signals)
        bad = ~np.isfinite(array)
        if bad.any():
            state = np.unravel_index(int(np.argmax(bad)), array.shape)
            at = {name: np.broadcast_to(signals[name], array.shape)[state] for name in valuation.signals}
            return f"{part} is {array[state]} at " + ", ".join(f"{name} = {x:g}" for name, x in at.items())
    return None


def check_instance(instance: Instance) -> None:
    """Raise InputError unless every name in the instance refers to exactly one thing."""
    if not instance.buyers:
        raise InputError("no buyers", where=f"instance {instance.name}", expected="at least one")
    _check_buyers(instance)
    _check_signals(instance)
    for buyer, valuations in zip(instance.buyers, instance._valuations, strict=True):
        _check_stages(buyer)
        for part, valuation in zip(("value", "externality"), valuations, strict=True):
            _check_uses(instance, valuation, f"buyer {buyer.name}: {part}")
    _check_uses(instance, instance._seller, "seller: value")
    for signal, prior in instance.priors.items():
        if signal not in instance.signals:
            raise InputError(f"a prior of {signal!r}, which no buyer observes", where=f"priors.{signal}",
                             expected=f"one of {', '.join(instance.signals)}",
                             remedy=nearest(signal, list(instance.signals)))
        prior.check(where=f"priors.{signal}")
        _check_conditions(instance, signal, prior)


def _plain(value: ValuationLike, where: str) -> ValuationLike:
    """A number becomes the formula that it is, so that an instance reads back from a file as it was."""
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return number_text(float(value), where=where)
    return value


def _names(names: object, where: str) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, (tuple, list)):
        raise InputError(f"{names!r}", where=where, expected="a list of names")
    return tuple(names)


def _check_buyers(instance: Instance) -> None:
    seen: set[str] = set()
    for buyer in instance.buyers:
        if not isinstance(buyer.name, str) or not buyer.name.strip() or not buyer.name.isprintable():
            raise InputError(f"a buyer named {buyer.name!r}", where=f"instance {instance.name}",
                             expected="a name to print")
        if buyer.name in seen:
            raise InputError(f"two buyers named {buyer.name!r}", where=f"instance {instance.name}",
                             expected="different names")
        seen.add(buyer.name)
        if not buyer.signals:
            raise InputError("no signals", where=f"buyer {buyer.name}: signals", expected="at least one")


def _check_signals(instance: Instance) -> None:
    observer: dict[str, str] = {}
    for buyer in instance.buyers:
        where = f"buyer {buyer.name}: signals"
        for signal in buyer.signals:
            if not isinstance(signal, str) or not is_signal_name(signal):
                raise InputError(f"a signal named {signal!r}", where=where, expected="a name such as p1, made of "
                                 "letters, digits and _, that is neither a function nor a constant of formulas")
            if signal in observer:
                raise InputError(f"signal {signal!r} is declared twice, by buyer {observer[signal]} and by "
                                 f"buyer {buyer.name}", where=where, expected="one buyer for every signal")
            observer[signal] = buyer.name


def _check_stages(buyer: Buyer) -> None:
    if buyer.stages is None:
        return
    where = f"buyer {buyer.name}: stages"
    if not 1 <= len(buyer.stages) <= 2 or not buyer.stages[0]:
        raise InputError(f"{len(buyer.stages)} stages", where=where, expected="a first stage and a second")
    if sorted(map(str, chain(*buyer.stages))) != sorted(buyer.signals):
        raise InputError(f"stages of {', '.join(map(str, chain(*buyer.stages)))}", where=where,
                         expected=f"each of the buyer's signals {', '.join(buyer.signals)} exactly once")


def _check_uses(instance: Instance, valuation: Valuation, where: str) -> None:
    for name in valuation.signals:
        if name not in instance.signals:
            raise InputError(f"uses {name!r}, which no buyer observes", where=where,
                             expected=f"only {', '.join(instance.signals)}",
                             remedy=nearest(name, list(instance.signals)) or "declare it among a buyer's signals")


def _check_conditions(instance: Instance, signal: str, prior: Prior) -> None:
    i = instance.owner(signal)
    own = instance.buyers[i].signals
    earlier = own[: own.index(signal)]
    where = f"priors.{signal}"
    for name in prior.conditions:
        if name not in instance.signals:
            raise InputError(f"uses {name!r}, which no buyer observes", where=where,
                             expected=f"only {', '.join(earlier) or 'numbers'}")
        if name not in own:
            raise InputError(f"depends on {name!r}, a signal of another buyer", where=where,
                             expected=f"only {', '.join(earlier) or 'numbers'}",
                             remedy="with the others' types held fixed, their signals would not stay fixed")
        if name not in earlier:
            raise InputError(f"depends on {name!r}, which does not come before it", where=where,
                             expected=f"only {', '.join(earlier) or 'numbers'}",
                             remedy="list the signals of the buyer in order of arrival")
    first = instance.stages(i)[0]
    if signal in first and any(name not in first for name in prior.conditions):
        raise InputError(f"depends on {', '.join(prior.conditions)}, but {signal!r} arrives in an earlier stage",
                         where=where, expected="conditions on signals of the same or an earlier stage")
