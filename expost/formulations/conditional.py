"""The conditionally efficient second best, fibre by fibre and without a solver (Bikhchandani 2006, section 3).

A conditionally efficient rule sells only to a buyer whose gain is highest, and not negative. In a fibre of buyer i that
forbids some types to win; the price is then at least the highest value among those, and the lowest such price is best,
because every type above it brings a gain of at least zero. Fibres are coupled only in states where two buyers share the
highest gain.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from expost._typing import Bool, Float
from expost.formulations.blocks import tie_width
from expost.spaces.type_space import TypeSpace


def allowed_winners(space: TypeSpace, order: Sequence[int] | None = None) -> Bool:
    """Who may win under conditional efficiency: bool (n, T_1, .., T_n).

    order: buyers by precedence where they share the highest gain; without it all of them may win there.
    """
    width = tie_width(space.gains)
    least = -min(space.units, space.n)  # the lowest of the highest gains, as many as there are units
    best = space.gains.max(axis=0) if least == -1 else np.partition(space.gains, least, axis=0)[least]
    allowed = space.gains >= np.maximum(best, 0.0) - width
    if order is not None:
        taken = np.zeros(space.shape, dtype=np.int16)
        for i in order:
            allowed[i] &= taken < space.units
            taken += allowed[i]
    return allowed


def conditional_rule(space: TypeSpace, order: Sequence[int] | None = None) -> Bool:
    """The best conditionally efficient static rule, shared highest gains given by precedence: bool (n, T_1, .., T_n).

    order: buyers by precedence, in listed order unless given. Optimal where no state has two highest gains; otherwise
    feasible, and at most ``conditional_bound`` away from optimal.
    """
    return _fibre_rule(space, allowed_winners(space, order if order is not None else range(space.n)))


def conditional_bound(space: TypeSpace) -> float:
    """An upper bound on the welfare of conditionally efficient static rules: every fibre on its own.

    A state in which two buyers of equal gain would both win counts once for each; without such states the bound is the
    optimum.
    """
    rule = _fibre_rule(space, allowed_winners(space))
    return space.seller + space.mean(np.where(rule, space.gains, 0.0).sum(axis=0))


def conditional_prices(space: TypeSpace, i: int, order: Sequence[int] | None = None) -> Float:
    """The lowest price of each fibre of buyer ``i`` under conditional efficiency, of the others' shape.

    It is the highest value of a type that must not win; -inf where every type may.
    """
    allowed = allowed_winners(space, order)[i]
    return space.values[i].max(axis=i, where=~allowed, initial=-np.inf)


def _fibre_rule(space: TypeSpace, allowed: Bool) -> Bool:
    """In each fibre: every allowed type whose value is no less than that of any forbidden one."""
    rule = np.empty_like(allowed)
    for i in range(space.n):
        price = space.values[i].max(axis=i, where=~allowed[i], initial=-np.inf, keepdims=True)
        rule[i] = allowed[i] & (space.values[i] >= price - tie_width(space.values[i]))
    return rule
