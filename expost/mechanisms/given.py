"""Mechanisms that somebody states: prices or strikes as functions of signals, evaluated on a type space.

The papers' constructions and the user's own formulas are the same kind of thing here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from expost._typing import Bool, Float, Timing
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.mechanisms.mechanism import Mechanism, mechanism_from_prices
from expost.mechanisms.menu import menu_from_rule
from expost.mechanisms.prices import PriceTable, given_prices
from expost.spaces.stages import Stages, stages_of
from expost.spaces.type_space import TypeSpace
from expost.tolerances import TIE, allowance


class PriceFunction(Protocol):
    """Personalized prices in the continuum, one function of the others' signals for each buyer.

    accuracy: how far a price may fall short of what the formula says (unit: values, relative).
    """

    @property
    def name(self) -> str:
        """What the price function is called on the command line."""
        ...

    @property
    def citation(self) -> str:
        """Paper and equation."""
        ...

    @property
    def accuracy(self) -> float:
        """See the class."""
        ...

    def price(self, i: int, signals: Mapping[str, Float]) -> Float:
        """Buyer ``i``'s price at the others' ``signals``, arrays that broadcast together."""
        ...


class StrikeFunction(Protocol):
    """Strikes in the continuum; higher first signals never face higher ones.

    accuracy: how far a strike may fall short of what the formula says (unit: values, relative).
    """

    @property
    def accuracy(self) -> float:
        """See the class."""
        ...

    def strike(self, i: int, first: Float, signals: Mapping[str, Float]) -> Float:
        """Buyer ``i``'s strike at his first signal and the others' ``signals``, all broadcasting together.

        +inf where he may never buy, -inf where he always does at whatever lowest strike there is.
        """
        ...


@dataclass(frozen=True, eq=False)
class Given:
    """A mechanism that is stated, not computed, for one instance.

    build: the mechanism on a type space of the instance; call ``on``.
    prices, strikes: the price or strike functions of the continuum, where the mechanism is made of them.
    formulas: the prices by formula, one of each buyer, where they are that.
    closed_form: whether evaluating them costs next to nothing, however many points are asked for.
    """

    name: str
    citation: str
    timing: Timing
    build: Callable[[TypeSpace], Mechanism]
    prices: PriceFunction | None = None
    strikes: StrikeFunction | None = None
    closed_form: bool = False
    formulas: tuple[str, ...] | None = None

    def on(self, space: TypeSpace) -> Mechanism:
        """The mechanism on ``space``."""
        return self.build(space)


def other_signals(space: TypeSpace, i: int) -> dict[str, Float]:
    """The signals of all buyers but ``i`` over the others' states: each broadcasts to the others' shape."""
    others = [own for k, own in enumerate(space.types) if k != i]
    n = len(others)
    return {
        name: column.reshape((1,) * k + (-1,) + (1,) * (n - k - 1))
        for k, own in enumerate(others)
        for name, column in own.items()
    }


def others_shape(space: TypeSpace, i: int) -> tuple[int, ...]:
    """Types of each buyer but ``i``: the shape of his prices."""
    return space.shape[:i] + space.shape[i + 1 :]


def prices_on(space: TypeSpace, prices: PriceFunction) -> tuple[PriceTable, ...]:
    """The continuum prices at the types of ``space``, one ``PriceTable`` per buyer, of the others' shape."""
    found = []
    for i in range(space.n):
        price = np.broadcast_to(prices.price(i, other_signals(space, i)), others_shape(space, i))
        found.append(given_prices(price.copy(), i))  # ascontiguousarray would give 0-d prices an axis
    return tuple(found)


def tie_of(values: Float, accuracy: float = 0.0) -> float:
    """How close a value has to be to a price to count as equal to it (unit: values)."""
    return allowance(max(TIE, 2.0 * accuracy), values)


def priced_mechanism(space: TypeSpace, prices: PriceFunction) -> Mechanism:
    """The mechanism of the prices on ``space`` under rule (9) of Bikhchandani (2006)."""
    return mechanism_from_prices(
        space.values,
        prices_on(space, prices),
        tie_of(space.values, prices.accuracy),
        space.weights,
        space.units,
    )


def rule_3(values: Float, prices: tuple[PriceTable, ...], tie: float = 0.0) -> Bool:
    """The rule that prices support without tie extension: bool (n, T_1, .., T_n) (Bikhchandani 2006, (3)).

    A buyer wins iff his value exceeds his price; ``values`` has shape (n, T_1, .., T_n).
    """
    return np.stack([value - price.broadcast() > tie for value, price in zip(values, prices, strict=True)])


def first_signal(instance: Instance, i: int) -> str:
    """The signal of buyer ``i``'s first stage. Raises InputError unless it is one, and there is a second stage."""
    stages = instance.stages(i)
    if len(stages) != 2 or len(stages[0]) != 1 or not stages[1]:
        raise InputError(
            f"stages {[list(stage) for stage in stages]}",
            where=f"buyer {instance.buyers[i].name}: stages",
            expected="one signal in the first stage and at least one in the second (Zik 2.1)",
        )
    return stages[0][0]


def space_stages(space: TypeSpace, i: int) -> Stages:
    """The stages of buyer ``i`` on ``space``, as his instance declares them. Raises InputError as ``stages_of``."""
    return stages_of(space.instance, i, [space.grid.size(name) for name in space.instance.buyers[i].signals])


def strikes_on(space: TypeSpace, strikes: StrikeFunction, i: int) -> Float:
    """Buyer ``i``'s strike in every state, of state shape: constant in his second-stage signals."""
    first = space.types[i][first_signal(space.instance, i)]
    levels, at = np.unique(first, return_inverse=True)
    others = {name: column[None] for name, column in other_signals(space, i).items()}
    found = strikes.strike(i, levels.reshape((-1,) + (1,) * (space.n - 1)), others)
    return np.moveaxis(np.broadcast_to(found, (len(levels), *others_shape(space, i)))[at], 0, i)


def strike_mechanism(space: TypeSpace, strikes: StrikeFunction) -> Mechanism:
    """The mechanism of the strikes on ``space``: a type wins iff his value exceeds his strike; menus from that rule."""
    rules = []
    for i, value in enumerate(space.values):
        strike = strikes_on(space, strikes, i)
        rules.append(value > strike + tie_of(value, strikes.accuracy))
    return menu_mechanism(space, np.stack(rules))


def efficient_rule(space: TypeSpace) -> Bool:
    """The first-best rule: the highest positive gains win, as many as there are units, the first buyers where they are
    shared; (n, T_1, .., T_n)."""
    if space.units == 1:
        best = np.argmax(space.gains, axis=0)
        positive = space.gains.max(axis=0) > tie_of(space.gains)
        return np.stack([(best == i) & positive for i in range(len(space.gains))])
    order = np.argsort(-space.gains, axis=0, kind="stable")
    rank = np.argsort(order, axis=0, kind="stable")
    return np.asarray((rank < space.units) & (space.gains > tie_of(space.gains)))


def menu_mechanism(space: TypeSpace, allocation: Bool) -> Mechanism:
    """The mechanism of a rule with a menu for every buyer; the rule is not checked (see ``sequential_audit``)."""
    menus = tuple(
        menu_from_rule(space.values[i], allocation[i], space_stages(space, i), weights=space.weights)
        for i in range(space.n)
    )
    return Mechanism(allocation, menus, space.weights, space.units)
