"""Externalities in the buyers' values, and incentives up to epsilon (Bikhchandani's last remark; Jehiel et al. 2006).

A buyer may care who else gets the item: ``loses_to[i][j]`` is what buyer ``i`` feels when ``j`` wins, and society
counts it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.formulations.outcomes import Outcomes
from expost.instances.valuations import ValuationLike, as_valuation
from expost.spaces.type_space import TypeSpace, open_signals

LosesTo = Mapping[str, Mapping[str, ValuationLike]]


def winner_outcomes(space: TypeSpace, loses_to: LosesTo | None = None, epsilon: float = 0.0) -> Outcomes:
    """Outcomes 0 (nobody) and 1 .. n (who wins), with what each is worth to every buyer and to society.

    loses_to: by buyer's name, by winner's name, a formula or a function of the signals. Raises InputError for an
    unknown name, a signal that nobody has, unequal weights, several units, or an epsilon that is negative.
    """
    if not 0.0 <= epsilon < float("inf"):
        raise InputError(f"{epsilon}", where="epsilon", expected="0 or a positive number (unit: values)")
    if space.weights is not None or space.units != 1:
        raise InputError(
            "states that are not equally likely, or several units",
            where="epsilon",
            expected="continuous priors, independent buyers and one unit",
        )
    names = [buyer.name for buyer in space.instance.buyers]
    utility = np.zeros((space.n, *space.shape, space.n + 1))
    welfare = np.zeros((*space.shape, space.n + 1))
    for j in range(space.n):
        utility[j, ..., j + 1] = space.values[j]
        welfare[..., j + 1] += space.gains[j]
    for loser, felt in (loses_to or {}).items():
        for winner, formula in felt.items():
            i, j = _place(loser, names), _place(winner, names)
            if i == j:
                raise InputError(
                    f"buyer {loser} when he wins himself", where="loses_to", expected="two buyers"
                )
            feeling = _on(space, formula, f"buyer {loser}: loses_to.{winner}")
            utility[i, ..., j + 1] += feeling
            welfare[..., j + 1] += feeling
    return Outcomes(utility, welfare + space.seller, epsilon)


def _place(name: str, names: list[str]) -> int:
    if str(name) not in names:
        raise InputError(f"no buyer {name!r}", where="loses_to", expected=f"of {', '.join(names)}")
    return names.index(str(name))


def _on(space: TypeSpace, formula: ValuationLike, where: str) -> Float:
    valuation = as_valuation(formula, where=where)
    unknown = [name for name in valuation.signals if name not in space.instance.signals]
    if unknown:
        raise InputError(
            f"unknown signal {unknown[0]!r}", where=where, expected=f"of {', '.join(space.instance.signals)}"
        )
    return np.broadcast_to(valuation(open_signals(space.types)), space.shape)
