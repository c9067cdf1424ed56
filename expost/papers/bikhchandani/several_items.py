"""Several items (Bikhchandani 2006, Appendix B): personalized prices per item, and the demand mechanism.

A bundle is a bit mask over the items: item k is in bundle L iff ``L >> k & 1``. Values per item are as in an instance
of one item; how a buyer values bundles is a function of his values for their items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from expost._typing import Bool, Float, Int64
from expost.instances.items import (
    MOST_ITEMS,
    BundleValue,
    ItemsBuyer,
    ItemsInstance,
    additive,
    decreasing,
    stated,
    unit_demand,
)
from expost.mechanisms.given import PriceFunction, tie_of
from expost.papers.bikhchandani.pivotal_prices import PivotalPrices

__all__ = [
    "BundleValue",
    "Demand",
    "ItemPrices",
    "ItemsBuyer",
    "ItemsInstance",
    "additive",
    "bundle_prices",
    "decreasing",
    "demand",
    "other_item_signals",
    "pivotal_item_prices",
    "stated",
    "unit_demand",
]

Signals = Mapping[str, Float]


@dataclass(frozen=True)
class ItemPrices:
    """Personalized prices t_i^k, one price function per item."""

    functions: tuple[PriceFunction, ...]

    def price(self, i: int, signals: Signals) -> Float:
        """(t_i^1, .., t_i^K) at the others' ``signals``: (K, ..)."""
        return np.stack(np.broadcast_arrays(*(function.price(i, signals) for function in self.functions)))

    @property
    def accuracy(self) -> float:
        """The worst of the functions' (unit: values, relative)."""
        return max(function.accuracy for function in self.functions)


def pivotal_item_prices(instance: ItemsInstance, tick: Callable[[], object] | None = None) -> ItemPrices:
    """t_i^k = max_j V^{m,k}_ij(lambda^k_ij), equation (12): the prices t* of each item alone; ``tick`` as there."""
    items = range(len(instance.items))
    return ItemPrices(tuple(PivotalPrices(instance.item(k), tick=tick) for k in items))


@dataclass(frozen=True, eq=False)
class Demand:
    """What the demand mechanism does at given signals; arrays over their shape.

    bundles: int64 (n, ..), the minimal surplus-maximizing bundle of each buyer. surplus: (n, ..), its surplus.
    unique: bool (n, ..), whether the demand set is a single bundle. prices: (n, K, ..).
    """

    bundles: Int64
    surplus: Float
    unique: Bool
    prices: Float

    def holders(self, item: int) -> Int64:
        """How many buyers get ``item``, over the states."""
        return (self.bundles >> item & 1).sum(axis=0)

    @property
    def feasible(self) -> Bool:
        """Where no item goes to two buyers."""
        return np.all([self.holders(k) <= 1 for k in range(self.prices.shape[1])], axis=0)


def demand(instance: ItemsInstance, prices: ItemPrices, signals: Signals) -> Demand:
    """The demand mechanism at ``signals``, arrays that broadcast together (Bikhchandani 2006, Appendix B).

    Every buyer gets a smallest bundle among those that maximize his surplus at his prices; the lowest mask of those.
    """
    full = dict(zip(signals, np.broadcast_arrays(*signals.values()), strict=True))
    parts = [_buyer_demand(instance, prices, i, signals, full) for i in range(len(instance.buyers))]
    bundles, surplus, unique, price = (np.stack(column) for column in zip(*parts, strict=True))
    return Demand(bundles, surplus, unique, price)


def _buyer_demand(
    instance: ItemsInstance, prices: ItemPrices, i: int, signals: Signals, full: Signals
) -> tuple[Int64, Float, Bool, Float]:
    """Bundle, surplus, uniqueness and prices of one buyer; ``full`` are the ``signals`` broadcast."""
    values = instance.bundle_values(i, full)
    offered = prices.price(i, other_item_signals(instance, i, signals))
    padded = offered.reshape(len(offered), *[1] * (values.ndim - offered.ndim), *offered.shape[1:])
    price = np.broadcast_to(padded, (len(offered), *values.shape[1:]))
    surplus = values - bundle_prices(price)
    tie = tie_of(values, prices.accuracy)
    best = surplus >= surplus.max(axis=0) - tie
    size = np.array([bundle.bit_count() for bundle in range(instance.bundles)])
    size = size.reshape((-1,) + (1,) * (surplus.ndim - 1))
    chosen = np.argmin(np.where(best, size, MOST_ITEMS + 1), axis=0)
    return (
        chosen.astype(np.int64),
        np.take_along_axis(surplus, chosen[None], axis=0)[0],
        best.sum(axis=0) == 1,
        price,
    )


def other_item_signals(instance: ItemsInstance, i: int, signals: Signals) -> dict[str, Float]:
    """The signals of all buyers but ``i``."""
    own = set(instance.buyers[i].signals)
    return {name: column for name, column in signals.items() if name not in own}


def bundle_prices(price: Float) -> Float:
    """The price of every bundle, (2^K, ..), from prices per item (K, ..)."""
    items = len(price)
    member = np.array(
        [[bundle >> k & 1 for k in range(items)] for bundle in range(1 << items)], dtype=np.float64
    )
    return np.tensordot(member, price, axes=1)
