"""Does every name of an instance refer to exactly one thing? One InputError, with its place, when not."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import NamedTuple

from expost.errors import InputError
from expost.instances.buyer import Buyer
from expost.instances.formula import is_signal_name
from expost.instances.given_priors import AnyPrior
from expost.instances.parameters import Parameters
from expost.instances.valuations import Valuation
from expost.instances.words import LONGEST_NAME, is_printable_name, nearest


class Parts(NamedTuple):
    """The names of an instance: its own, its buyers with their signals and stages, its parameters."""

    name: str
    buyers: tuple[Buyer, ...]
    parameters: Parameters

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of all signals, buyer by buyer."""
        return tuple(signal for buyer in self.buyers for signal in buyer.signals)

    @property
    def words(self) -> str:
        """What a formula may use, in words."""
        return ", ".join((*self.signals, *self.parameters))


def check_names(parts: Parts) -> None:
    """Raise InputError unless all names can be shown and no two things share one."""
    if not is_printable_name(parts.name):
        raise InputError(
            f"an instance named {parts.name!r:.60}",
            where="name",
            expected=f"a name to print, of at most {LONGEST_NAME} characters",
        )
    if not parts.buyers:
        raise InputError("no buyers", where=f"instance {parts.name}", expected="at least one")
    _check_buyers(parts)
    _check_signals(parts)
    for name in parts.parameters:
        if name in parts.signals:
            raise InputError(
                f"{name!r} is a signal and a parameter",
                where="parameters",
                expected="different names",
                remedy="rename one of them",
            )
    for buyer in parts.buyers:
        _check_stages(buyer)


def check_uses(parts: Parts, valuations: Mapping[str, Valuation]) -> None:
    """Raise InputError when a function uses what is neither a signal nor a parameter; ``valuations`` by place."""
    for where, valuation in valuations.items():
        for name in valuation.signals:
            if name not in parts.signals:
                known = [*parts.signals, *parts.parameters]
                raise InputError(
                    f"uses {name!r}, which no buyer observes",
                    where=where,
                    expected=f"only {parts.words}",
                    remedy=nearest(name, known)
                    or "declare it among a buyer's signals, or give the parameter a value",
                )


def check_priors(parts: Parts, priors: Mapping[str, AnyPrior], bound: Mapping[str, AnyPrior]) -> None:
    """Raise InputError unless every prior is one of a signal and uses only what comes before it."""
    for signal in priors:
        if signal not in parts.signals:
            raise InputError(
                f"a prior of {signal!r}, which no buyer observes",
                where=f"priors.{signal}",
                expected=f"one of {', '.join(parts.signals)}",
                remedy=nearest(str(signal), list(parts.signals)),
            )
        bound[signal].check(where=f"priors.{signal}")
        _check_conditions(parts, signal, bound[signal])


def _check_buyers(parts: Parts) -> None:
    seen: set[str] = set()
    for buyer in parts.buyers:
        if not is_printable_name(buyer.name):
            raise InputError(
                f"a buyer named {buyer.name!r:.60}",
                where=f"instance {parts.name}",
                expected=f"a name to print, of at most {LONGEST_NAME} characters",
            )
        if buyer.name in seen:
            raise InputError(
                f"two buyers named {buyer.name!r}",
                where=f"instance {parts.name}",
                expected="different names",
            )
        seen.add(buyer.name)
        if not buyer.signals:
            raise InputError("no signals", where=f"buyer {buyer.name}: signals", expected="at least one")
    for buyer in parts.buyers:
        _check_winners(buyer, sorted(seen - {buyer.name}))


def _check_winners(buyer: Buyer, others: list[str]) -> None:
    for winner in buyer.loses_to:
        if winner not in others:
            raise InputError(
                f"{winner!r:.60} is no other buyer",
                where=f"buyer {buyer.name}: loses_to",
                expected=f"of {', '.join(others)}" if others else "nobody: there is one buyer",
                remedy=nearest(winner, others),
            )


def _check_signals(parts: Parts) -> None:
    observer: dict[str, str] = {}
    for buyer in parts.buyers:
        where = f"buyer {buyer.name}: signals"
        for signal in buyer.signals:
            if not isinstance(signal, str) or not is_signal_name(signal):
                raise InputError(
                    f"a signal named {signal!r:.60}",
                    where=where,
                    expected="a name like p1 (letters, digits, _) "
                    "that is no function or constant of formulas",
                )
            if signal in observer:
                raise InputError(
                    f"signal {signal!r} is declared twice, by buyer {observer[signal]} and by "
                    f"buyer {buyer.name}",
                    where=where,
                    expected="one buyer for every signal",
                )
            observer[signal] = buyer.name


def _check_stages(buyer: Buyer) -> None:
    if buyer.stages is None:
        return
    where = f"buyer {buyer.name}: stages"
    if not 1 <= len(buyer.stages) <= 2 or not buyer.stages[0]:
        raise InputError(f"{len(buyer.stages)} stages", where=where, expected="a first stage and a second")
    if sorted(map(str, chain(*buyer.stages))) != sorted(buyer.signals):
        raise InputError(
            f"stages of {', '.join(map(str, chain(*buyer.stages)))}",
            where=where,
            expected=f"each of the buyer's signals {', '.join(buyer.signals)} exactly once",
        )


def _check_conditions(parts: Parts, signal: str, prior: AnyPrior) -> None:
    buyer = next(buyer for buyer in parts.buyers if signal in buyer.signals)
    own = buyer.signals
    earlier = own[: own.index(signal)]
    where, expected = f"priors.{signal}", f"only {', '.join((*earlier, *parts.parameters)) or 'numbers'}"
    for name in prior.conditions:
        if name not in parts.signals:
            raise InputError(f"uses {name!r}, which no buyer observes", where=where, expected=expected)
        if name not in own:
            raise InputError(
                f"depends on {name!r}, a signal of another buyer",
                where=where,
                expected=expected,
                remedy="with the others' types held fixed, their signals would not stay fixed",
            )
        if name not in earlier:
            raise InputError(
                f"depends on {name!r}, which does not come before it",
                where=where,
                expected=expected,
                remedy="list the signals of the buyer in order of arrival",
            )
    first = buyer.signals[:1] if buyer.stages is None else buyer.stages[0]
    if signal in first and any(name not in first for name in prior.conditions):
        raise InputError(
            f"depends on {', '.join(prior.conditions)}, which arrives in a later stage",
            where=where,
            expected="conditions on signals of the same or an earlier stage",
        )
