"""Several items (Bikhchandani 2006, Appendix B): personalized prices per item, and the demand mechanism.

A bundle is a bit mask over the items: item k is in bundle L iff ``L >> k & 1``. Values per item are as in an instance
of one item; how a buyer values bundles is a function of his values for their items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from expost._typing import Bool, Float, Int64
from expost.errors import InputError
from expost.instances.environment import Buyer, Instance
from expost.instances.valuations import Valuation, ValuationLike, as_valuation
from expost.mechanisms.given import PriceFunction, tie_of
from expost.papers.bikhchandani.pivotal_prices import PivotalPrices

Signals = Mapping[str, Float]

MOST_ITEMS = 12

BundleValue = Callable[[Float, int, Signals], Float]
"""``f(singles, bundle, signals)``: ``singles`` (K, ..) the buyer's values per item, ``bundle`` of two items or more."""


def additive(singles: Float, bundle: int, signals: Signals) -> Float:
    """The sum of the values of the bundle's items."""
    del signals
    return singles[_members(bundle, len(singles))].sum(axis=0)


def unit_demand(singles: Float, bundle: int, signals: Signals) -> Float:
    """The highest value of the bundle's items."""
    del signals
    return singles[_members(bundle, len(singles))].max(axis=0)


def decreasing(*weights: float) -> BundleValue:
    """The r-th highest value of the bundle's items counts ``weights[r]`` (the last weight from there on).

    With weights that start at 1 and fall this is subadditive; (1,) is additive and (1, 0) unit demand.
    """

    def value(singles: Float, bundle: int, signals: Signals) -> Float:
        del signals
        ranked = -np.sort(-singles[_members(bundle, len(singles))], axis=0)
        each = np.array([weights[min(r, len(weights) - 1)] for r in range(len(ranked))])
        return np.tensordot(each, ranked, axes=1)

    return value


def stated(formulas: Mapping[int, ValuationLike]) -> BundleValue:
    """Int64 with a formula each, by mask. Raises InputError for a bundle without one."""
    compiled = {
        bundle: as_valuation(formula, where=f"bundle {bundle:b}") for bundle, formula in formulas.items()
    }

    def value(singles: Float, bundle: int, signals: Signals) -> Float:
        del singles
        if bundle not in compiled:
            raise InputError(
                f"no value for bundle {bundle:b}", where="several items", expected="one for every bundle"
            )
        return compiled[bundle](signals)

    return value


def _members(bundle: int, items: int) -> list[int]:
    return [k for k in range(items) if bundle >> k & 1]


@dataclass(frozen=True)
class ItemsBuyer:
    """A buyer of several items: his signals, his value for each item alone, and how he values bundles."""

    name: str
    signals: tuple[str, ...]
    values: tuple[ValuationLike, ...]
    bundle: BundleValue = additive

    @cached_property
    def valuations(self) -> tuple[Valuation, ...]:
        """V_i^k for each item k."""
        return tuple(
            as_valuation(value, where=f"buyer {self.name}: item {k}") for k, value in enumerate(self.values)
        )


@dataclass(frozen=True)
class ItemsInstance:
    """Buyers of several items (Bikhchandani 2006, Appendix B); all signals lie in [0, 1].

    Raises InputError when a buyer has not one value per item, or there are too many items to enumerate bundles.
    """

    name: str
    items: tuple[str, ...]
    buyers: tuple[ItemsBuyer, ...]
    citation: str = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.items) <= MOST_ITEMS:
            raise InputError(f"{len(self.items)} items", where=self.name, expected=f"1 to {MOST_ITEMS}")
        for buyer in self.buyers:
            if len(buyer.values) != len(self.items):
                raise InputError(
                    f"{len(buyer.values)} values for {len(self.items)} items",
                    where=f"{self.name}: buyer {buyer.name}",
                    expected="one value per item",
                )

    @property
    def bundles(self) -> int:
        """How many bundles there are, the empty one included."""
        return 1 << len(self.items)

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of all signals, buyer by buyer."""
        return tuple(signal for buyer in self.buyers for signal in buyer.signals)

    def item(self, k: int) -> Instance:
        """The instance of item ``k`` alone, with the signals that matter for it (at least one per buyer)."""
        used = {name for buyer in self.buyers for name in buyer.valuations[k].signals}
        buyers = tuple(
            Buyer(b.name, tuple(name for name in b.signals if name in used) or b.signals[:1], b.values[k])
            for b in self.buyers
        )
        return Instance(f"{self.name}: item {self.items[k]}", buyers)

    def bundle_values(self, i: int, signals: Signals) -> Float:
        """V_i^L(s) for every bundle L, shape (2^K, ..); 0 for the empty one."""
        singles = np.stack([value(signals) for value in self.buyers[i].valuations])
        values = np.zeros((self.bundles, *singles.shape[1:]))
        for bundle in range(1, self.bundles):
            members = _members(bundle, len(self.items))
            alone = len(members) == 1
            values[bundle] = singles[members[0]] if alone else self.buyers[i].bundle(singles, bundle, signals)
        return values


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


def pivotal_item_prices(instance: ItemsInstance) -> ItemPrices:
    """t_i^k = max_j V^{m,k}_ij(lambda^k_ij), equation (12): the prices t* of each item alone."""
    return ItemPrices(tuple(PivotalPrices(instance.item(k)) for k in range(len(instance.items))))


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
