"""Strikes given by formulas, evaluated on a type space: Zik's constructions as ordinary mechanisms with menus."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from expost.mechanisms.constructions.prices_on import Space, other_signals, tie_of
from expost.mechanisms.constructions.strikes import StrikeFunction, first_signal
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.menu import menu_from_rule
from expost.mechanisms.stages import Stages, stages_of

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]


class Sizes(Protocol):
    """How many points a grid has on each signal (``formulations.discretization.Grid`` is one)."""

    def size(self, signal: str) -> int:
        """Points on ``signal``."""
        ...


class GridSpace(Space, Protocol):
    """A type space that knows its grid."""

    @property
    def grid(self) -> Sizes:
        """The grid."""
        ...


def space_stages(space: GridSpace, i: int) -> Stages:
    """The stages of buyer ``i`` on ``space``, as his instance declares them. Raises InputError as ``stages_of``."""
    return stages_of(space.instance, i, [space.grid.size(name) for name in space.instance.buyers[i].signals])


def strikes_on(space: GridSpace, strikes: StrikeFunction, i: int) -> Float:
    """Buyer ``i``'s strike in every state, of state shape: constant in his second-stage signals."""
    first = space.types[i][first_signal(space.instance, i)]
    levels, at = np.unique(first, return_inverse=True)
    others = {name: column[None] for name, column in other_signals(space, i).items()}
    n_others = len(space.types) - 1
    found = strikes.strike(i, levels.reshape((-1,) + (1,) * n_others), others)
    shape = tuple(len(next(iter(own.values()))) for k, own in enumerate(space.types) if k != i)
    return np.moveaxis(np.broadcast_to(found, (len(levels), *shape))[at], 0, i)


def strike_mechanism(space: GridSpace, strikes: StrikeFunction) -> Mechanism:
    """The mechanism of the strikes on ``space``: a type wins iff his value exceeds his strike; menus from that rule."""
    rules = []
    for i, value in enumerate(space.values):
        strike = strikes_on(space, strikes, i)
        rules.append(value > strike + tie_of(value, strikes.accuracy))
    return menu_mechanism(space, np.stack(rules))


def efficient_rule(space: Space) -> Bool:
    """The first-best rule: the highest positive gain wins, the first buyer where it is shared; (n, T_1, .., T_n)."""
    best = np.argmax(space.gains, axis=0)
    positive = space.gains.max(axis=0) > tie_of(space.gains)
    return np.stack([(best == i) & positive for i in range(len(space.gains))])


def menu_mechanism(space: GridSpace, allocation: Bool) -> Mechanism:
    """The mechanism of a rule with a menu for every buyer; the rule is not checked (see ``sequential_audit``)."""
    menus = tuple(
        menu_from_rule(space.values[i], allocation[i], space_stages(space, i))
        for i in range(len(space.types))
    )
    return Mechanism(allocation, menus)
