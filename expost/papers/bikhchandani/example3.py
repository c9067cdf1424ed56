"""Bikhchandani's Example 3: three buyers, two items, the prices (15), Tables 1 and 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from expost._typing import Bool, Float
from expost.papers.bikhchandani.example2 import ExampleTwoPrices
from expost.papers.bikhchandani.several_items import (
    BundleValue,
    ItemPrices,
    ItemsBuyer,
    ItemsInstance,
    demand,
    stated,
    unit_demand,
)

WEIGHTS = {"a": 1.0, "b": 1.5}
FIXED = {"pa2": 0.4, "pb2": 0.1, "c2": 0.4, "pa3": 0.1, "pb3": 0.4, "c3": 0.4}
"""The signals of buyers 2 and 3 in both tables."""
COLUMNS = ((0.9, 0.1, 0.5), (0.1, 0.9, 0.5), (0.9, 0.9, 0.5))
"""Buyer 1's signals (p_a1, p_b1, c_1); Table 2 has the first two."""
BUNDLES = ("∅", "a", "b", "ab")


def example_3(kind: str = "subadditive") -> ItemsInstance:
    """The instance of Example 3; ``kind`` is ``subadditive`` (V^ab = p_a + p_b + 2 c max c') or ``unit demand``."""
    buyers = []
    for i in (1, 2, 3):
        others = [j for j in (1, 2, 3) if j != i]
        common = f"c{i}*max(c{others[0]}, c{others[1]})"
        bundle: BundleValue = unit_demand
        if kind == "subadditive":
            bundle = stated({3: f"pa{i} + pb{i} + 2*{common}"})
        values = tuple(f"p{k}{i} + {weight}*{common}" for k, weight in WEIGHTS.items())
        buyers.append(ItemsBuyer(str(i), (f"pa{i}", f"pb{i}", f"c{i}"), values, bundle))
    return ItemsInstance(f"example 3, {kind}", ("a", "b"), tuple(buyers), "Bikhchandani 2006, Example 3")


def equation_15(instance: ItemsInstance, *, literal: bool = True) -> ItemPrices:
    """The prices (15) of the example; ``literal=False`` repairs them (see ``constructions.example2``)."""
    return ItemPrices(tuple(ExampleTwoPrices(instance.item(k), literal) for k in range(len(instance.items))))


@dataclass(frozen=True, eq=False)
class Table:
    """One of the tables: a column per signal of buyer 1; arrays (buyers, items, columns) and (buyers, columns).

    bundles are names; unique says whether the demand set is a single bundle.
    """

    columns: tuple[tuple[float, float, float], ...]
    values: Float
    prices: Float
    both: Float
    bundles: tuple[tuple[str, ...], ...]
    unique: Bool


def table(kind: str, columns: tuple[tuple[float, float, float], ...], *, literal: bool = True) -> Table:
    """Table 1 (``subadditive``) or Table 2 (``unit demand``) at buyer 1's signals ``columns``, computed."""
    instance = example_3(kind)
    signals = {name: np.full(len(columns), value) for name, value in FIXED.items()}
    signals |= {name: np.array([c[at] for c in columns]) for at, name in enumerate(("pa1", "pb1", "c1"))}
    found = demand(instance, equation_15(instance, literal=literal), signals)
    every = np.stack([instance.bundle_values(i, signals) for i in range(3)])
    names = tuple(tuple(BUNDLES[bundle] for bundle in row) for row in found.bundles)
    return Table(columns, every[:, 1:3], found.prices, every[:, 3], names, found.unique)


TABLE_1 = (("a", "b", "ab"), ("∅", "a", "∅"), ("b", "∅", "∅"))
"""The bundles that the text states for Table 1: a row per buyer, a column per signal of buyer 1."""


class Printed(TypedDict):
    """A table as printed."""

    numbers: tuple[tuple[float, float], ...]
    bundles: tuple[tuple[str, str], ...]


TABLE_2: Printed = {
    "numbers": (
        (1.1, 0.3),
        (0.4, 1.2),
        (0.56, 0.56),
        (0.64, 0.64),
        (0.6, 0.6),
        (0.4, 0.4),
        (1.15, 0.35),
        (0.64, 1.275),
        (0.3, 0.3),
        (0.7, 0.7),
        (1.15, 0.56),
        (0.475, 1.275),
    ),
    "bundles": (("a", "b"), ("∅", "a"), ("b", "∅")),
}
"""Table 2 as printed: for each buyer V^a, V^b, t^a, t^b, and his bundle, at the two signals of buyer 1."""
