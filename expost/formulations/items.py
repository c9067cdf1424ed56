"""Several items, optimally: outcomes are allocations of the items, one buyer or nobody for each."""

from __future__ import annotations

import math
from itertools import product

import numpy as np

from expost._typing import Float, Int64
from expost.errors import InputError
from expost.formulations.outcomes import Outcomes
from expost.instances.items import ItemsInstance
from expost.spaces.grid import Grid

MOST_OUTCOMES = 64


def item_signals(instance: ItemsInstance, points: int) -> dict[str, Float]:
    """All signals at midpoints, shaped to broadcast over states: buyer ``i``'s types vary along axis ``i``."""
    n = len(instance.buyers)
    levels = Grid(points).probabilities(instance.signals[0])
    found: dict[str, Float] = {}
    for i, buyer in enumerate(instance.buyers):
        columns = np.meshgrid(*[levels] * len(buyer.signals), indexing="ij")
        shape = [1] * n
        shape[i] = -1
        found |= {name: column.reshape(shape) for name, column in zip(buyer.signals, columns, strict=True)}
    return found


def allocations(instance: ItemsInstance) -> Int64:
    """Every allocation as the bundle of each buyer, (O, n); the first gives nobody anything.

    Raises InputError when there are too many.
    """
    n, items = len(instance.buyers), len(instance.items)
    if (n + 1) ** items > MOST_OUTCOMES:
        raise InputError(
            f"{n} buyers and {items} items, {(n + 1) ** items} allocations in every state",
            where="items",
            expected=f"at most {MOST_OUTCOMES}: three buyers and three items, say",
        )
    rows = [
        [sum(1 << k for k, holder in enumerate(holders) if holder == i + 1) for i in range(n)]
        for holders in product(range(n + 1), repeat=items)
    ]
    return np.array(rows, dtype=np.int64)


def item_outcomes(instance: ItemsInstance, points: int) -> Outcomes:
    """What every allocation is worth in every state of the grid with ``points`` points per signal."""
    bundles = allocations(instance)
    shape = tuple(points ** len(buyer.signals) for buyer in instance.buyers)
    if math.prod(shape) * len(bundles) * len(shape) > 1 << 24:
        raise InputError(
            f"{math.prod(shape)} states", where="grid", expected="a small grid", remedy="use fewer points"
        )
    signals = item_signals(instance, points)
    utility = np.empty((len(shape), *shape, len(bundles)))
    for i in range(len(shape)):
        values = np.stack([np.broadcast_to(v, shape) for v in instance.bundle_values(i, signals)], axis=-1)
        if not np.isfinite(values).all():
            raise InputError(
                "a value that is no number at some signals",
                where=f"buyer {instance.buyers[i].name}",
                expected="finite values in every state of the grid",
            )
        utility[i] = values[..., bundles[:, i]]
    return Outcomes(utility, utility.sum(axis=0))
