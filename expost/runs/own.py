"""Whatever names a mechanism, as the mechanism itself: a construction's name, prices of one's own, a file, a line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from expost._typing import Timing
from expost.errors import InputError
from expost.formulations.room import room_for_solve
from expost.instances.environment import Instance
from expost.mechanisms.given import Given, priced_mechanism, strike_mechanism
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.own import OwnPrices, OwnStrikes, Prices, Strikes, parse_stated, read_stated
from expost.papers.bikhchandani.pivotal import LoweredPrices
from expost.papers.zik.completed_strikes import CompletedStrikes
from expost.runs.arguments import GridLike, Words, grid_of, words_of
from expost.spaces.type_space import TypeSpace, discretize

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
        stated_ = own.bind(instance)
        strikes = completed_strikes(stated_)
        return Given(
            own.name,
            OWN,
            Timing.SEQUENTIAL,
            lambda space: strike_mechanism(space, strikes),
            strikes=strikes,
            closed_form=not stated_.open,
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
    _require_one(prices, "price")
    return LoweredPrices(prices.instance, prices, prices.open[0], prices.name, OWN)


def completed_strikes(strikes: OwnStrikes) -> OwnStrikes | CompletedStrikes:
    """The strikes with the open buyer's the lowest that the others' admit.

    Raises InputError where more than one buyer is open.
    """
    if not strikes.open:
        return strikes
    _require_one(strikes, "strike")
    return CompletedStrikes(strikes.instance, strikes, strikes.open[0], strikes.name, OWN)


def _require_one(own: OwnPrices | OwnStrikes, what: str) -> None:
    """Raise InputError unless one buyer of several is open."""
    if len(own.open) > 1 or own.instance.n == 1:
        names = ", ".join(own.instance.buyers[i].name for i in own.open)
        raise InputError(
            f"no {what} for buyers {names}" if own.instance.n > 1 else f"no {what} for the only buyer",
            where=f"{what}s",
            expected=f"at most one buyer to complete, given the {what}s of all others",
        )


@dataclass(frozen=True, eq=False)
class Allocated:
    """A stated mechanism on a grid: who wins where, and on what terms."""

    instance: Instance
    space: TypeSpace
    mechanism: Mechanism

    @property
    def share(self) -> float | None:
        """The part of the first-best gain that the rule reaches on the grid; None where that is nothing."""
        best = self.space.first_best - self.space.seller
        realized = self.mechanism.welfare(self.space.gains, self.space.seller) - self.space.seller
        return realized / best if best > 0.0 else None


def allocated(instance: Instance, mechanism: MechanismLike, grid: GridLike, first: Words = ()) -> Allocated:
    """A stated mechanism on a grid. Raises InputError where it is not defined, or the grid is too large."""
    ordered, given = given_in_order(instance, mechanism, first)
    points = grid_of(grid)
    room_for_solve(ordered, points, (Timing(given.timing),))
    space = discretize(ordered, points)
    return Allocated(ordered, space, given.on(space))


def given_in_order(instance: Instance, mechanism: MechanismLike, first: Words = ()) -> tuple[Instance, Given]:
    """The instance with ``first`` arriving first, and the mechanism for it.

    Raises InputError where the mechanism is not defined there, and for an order of prices, which know none.
    """
    names = words_of(first, "first")
    ordered = with_first(instance, names)
    given = given_of(mechanism, ordered)
    if names and Timing(given.timing) is not Timing.SEQUENTIAL:
        raise InputError(
            "signals that arrive first", where="first", expected="nothing: a static price knows no order"
        )
    return ordered, given


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
