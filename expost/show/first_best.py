"""The efficient rule, to hold the second best against."""

from __future__ import annotations

import numpy as np

from expost._typing import Bool
from expost.spaces.type_space import TypeSpace


def efficient_rule(space: TypeSpace) -> Bool:
    """The first best: in each state the ``units`` largest positive gains win, of equal ones the first buyer's; bool
    (n, T_1, .., T_n)."""
    rank = np.argsort(np.argsort(-space.gains, axis=0, kind="stable"), axis=0, kind="stable")
    return np.asarray((rank < space.units) & (space.gains > 0.0))
