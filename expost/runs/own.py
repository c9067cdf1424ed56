"""Whatever names a mechanism, as the mechanism itself: a construction's name, prices of one's own, a file, a line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from expost._typing import Timing
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.mechanisms.given import Given, priced_mechanism, strike_mechanism
from expost.mechanisms.own import OwnPrices, Prices, Strikes, parse_stated, read_stated
from expost.papers.bikhchandani.pivotal import LoweredPrices

MechanismLike: TypeAlias = "str | Path | Prices | Strikes"

OWN = "the user's own"


def stated(mechanism: MechanismLike) -> str | Prices | Strikes:
    """A construction's name as it is, anything else as prices or strikes.

    A text with a colon is prices on one line (``1: p2 + c2**2; 2: complete``), one that ends in ``.toml`` a file.
    Raises InputError for what is none of these.
    """
    if isinstance(mechanism, Prices | Strikes):
        return mechanism
    if isinstance(mechanism, Path) or (isinstance(mechanism, str) and mechanism.endswith(".toml")):
        return read_stated(Path(mechanism))
    if isinstance(mechanism, str):
        return parse_stated(mechanism) if ":" in mechanism else mechanism
    raise InputError(
        f"{mechanism!r}"[:60],
        where="prices",
        expected="ex.Prices, ex.Strikes, a construction's name, a TOML file, or '1: FORMULA; 2: FORMULA'",
    )


def given_of(mechanism: MechanismLike, instance: Instance) -> Given:
    """The mechanism for ``instance``. Raises InputError where it is not defined there."""
    own = stated(mechanism)
    if isinstance(own, str):
        from expost.papers import constructions

        return constructions.get(own, instance)
    if isinstance(own, Strikes):
        strikes = own.bind(instance)
        return Given(
            own.name,
            OWN,
            Timing.SEQUENTIAL,
            lambda space: strike_mechanism(space, strikes),
            strikes=strikes,
            closed_form=True,
        )
    bound = own.bind(instance)
    prices = completed(bound)
    return Given(
        own.name,
        OWN,
        Timing.STATIC,
        lambda space: priced_mechanism(space, prices),
        prices,
        closed_form=not bound.open,
    )


def completed(prices: OwnPrices) -> OwnPrices | LoweredPrices:
    """The prices with the open buyer's at the lowest that the others' admit (Bikhchandani 2006, proof of Theorem 2).

    Raises InputError where more than one buyer is open.
    """
    if not prices.open:
        return prices
    if len(prices.open) > 1 or prices.instance.n == 1:
        names = ", ".join(prices.instance.buyers[i].name for i in prices.open)
        raise InputError(
            f"no price for buyers {names}" if prices.instance.n > 1 else "no price for the only buyer",
            where="prices",
            expected="at most one buyer to complete, given the prices of all others",
        )
    return LoweredPrices(prices.instance, prices, prices.open[0], prices.name, OWN)


def with_first(instance: Instance, first: list[str]) -> Instance:
    """The instance with these signals arriving first at their owners'. Raises InputError for an unknown signal, and for
    two of one buyer."""
    buyers = list(instance.buyers)
    owners = [instance.owner(name) for name in first]
    for name, i in zip(first, owners, strict=True):
        if owners.count(i) > 1:
            named = " and ".join(other for other, j in zip(first, owners, strict=True) if j == i)
            raise InputError(
                f"{named} of buyer {buyers[i].name}", where="first", expected="one signal a buyer"
            )
        own = buyers[i].signals
        buyers[i] = replace(buyers[i], stages=((name,), tuple(other for other in own if other != name)))
    return replace(instance, buyers=tuple(buyers)) if first else instance
