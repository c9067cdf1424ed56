"""Does every name of an instance refer to exactly one thing? One InputError, with its place, when not."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from expost.errors import InputError
from expost.instances.formula import is_signal_name
from expost.instances.priors import Prior, nearest
from expost.instances.valuations import Valuation

if TYPE_CHECKING:
    from expost.instances.environment import Buyer, Instance


def check_instance(instance: Instance) -> None:
    """Raise InputError unless every name in the instance refers to exactly one thing."""
    if not instance.buyers:
        raise InputError("no buyers", where=f"instance {instance.name}", expected="at least one")
    _check_buyers(instance)
    _check_signals(instance)
    for buyer, valuations in zip(instance.buyers, instance.valuations, strict=True):
        _check_stages(buyer)
        for part, valuation in zip(("value", "externality"), valuations, strict=True):
            _check_uses(instance, valuation, f"buyer {buyer.name}: {part}")
    _check_uses(instance, instance.seller_valuation, "seller: value")
    for signal, prior in instance.priors.items():
        if signal not in instance.signals:
            raise InputError(
                f"a prior of {signal!r}, which no buyer observes",
                where=f"priors.{signal}",
                expected=f"one of {', '.join(instance.signals)}",
                remedy=nearest(signal, list(instance.signals)),
            )
        prior.check(where=f"priors.{signal}")
        _check_conditions(instance, signal, prior)


def _check_buyers(instance: Instance) -> None:
    seen: set[str] = set()
    for buyer in instance.buyers:
        if not isinstance(buyer.name, str) or not buyer.name.strip() or not buyer.name.isprintable():
            raise InputError(
                f"a buyer named {buyer.name!r}", where=f"instance {instance.name}", expected="a name to print"
            )
        if buyer.name in seen:
            raise InputError(
                f"two buyers named {buyer.name!r}",
                where=f"instance {instance.name}",
                expected="different names",
            )
        seen.add(buyer.name)
        if not buyer.signals:
            raise InputError("no signals", where=f"buyer {buyer.name}: signals", expected="at least one")


def _check_signals(instance: Instance) -> None:
    observer: dict[str, str] = {}
    for buyer in instance.buyers:
        where = f"buyer {buyer.name}: signals"
        for signal in buyer.signals:
            if not isinstance(signal, str) or not is_signal_name(signal):
                raise InputError(
                    f"a signal named {signal!r}",
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


def _check_uses(instance: Instance, valuation: Valuation, where: str) -> None:
    for name in valuation.signals:
        if name not in instance.signals:
            raise InputError(
                f"uses {name!r}, which no buyer observes",
                where=where,
                expected=f"only {', '.join(instance.signals)}",
                remedy=nearest(name, list(instance.signals)) or "declare it among a buyer's signals",
            )


def _check_conditions(instance: Instance, signal: str, prior: Prior) -> None:
    i = instance.owner(signal)
    own = instance.buyers[i].signals
    earlier = own[: own.index(signal)]
    where, expected = f"priors.{signal}", f"only {', '.join(earlier) or 'numbers'}"
    for name in prior.conditions:
        if name not in instance.signals:
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
    first = instance.stages(i)[0]
    if signal in first and any(name not in first for name in prior.conditions):
        raise InputError(
            f"depends on {', '.join(prior.conditions)}, which arrives in a later stage",
            where=where,
            expected="conditions on signals of the same or an earlier stage",
        )
