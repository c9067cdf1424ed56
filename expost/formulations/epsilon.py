"""Externalities in the buyers' values, and incentives up to epsilon (Bikhchandani's last remark; Jehiel et al. 2006).

A buyer may care who else gets the item: ``loses_to`` of the instance says what buyer ``i`` feels when ``j`` wins, and
society counts it.
"""

from __future__ import annotations

import numpy as np

from expost.errors import InputError
from expost.formulations.outcomes import Outcomes
from expost.spaces.type_space import TypeSpace, open_signals


def winner_outcomes(space: TypeSpace, epsilon: float = 0.0) -> Outcomes:
    """Outcomes 0 (nobody) and 1 .. n (who wins), with what each is worth to every buyer and to society.

    Raises InputError for unequal weights, several units, feelings that are no numbers somewhere, or an epsilon that is
    negative.
    """
    if not 0.0 <= epsilon < float("inf"):
        raise InputError(f"{epsilon}", where="epsilon", expected="0 or a positive number (unit: values)")
    if space.weights is not None or space.units != 1:
        raise InputError(
            "states that are not equally likely, or several units",
            where="epsilon",
            expected="continuous priors, independent buyers and one unit",
        )
    utility = np.zeros((space.n, *space.shape, space.n + 1))
    welfare = np.zeros((*space.shape, space.n + 1))
    for j in range(space.n):
        utility[j, ..., j + 1] = space.values[j]
        welfare[..., j + 1] += space.gains[j]
    buyers, signals = space.instance.buyers, open_signals(space.types)
    for (i, j), felt in space.instance.feelings.items():
        feeling = np.broadcast_to(felt(signals), space.shape)
        if not np.isfinite(feeling).all():
            raise InputError(
                "a value that is infinite or no number",
                where=f"buyer {buyers[i].name}: loses_to.{buyers[j].name}",
                expected="finite values in every state of the grid",
            )
        utility[i, ..., j + 1] += feeling
        welfare[..., j + 1] += feeling
    return Outcomes(utility, welfare + space.seller, epsilon)
