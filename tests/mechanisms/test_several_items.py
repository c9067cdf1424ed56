"""Several items (Bikhchandani 2006, Appendix B): the demand mechanism, Lemma 3, Example 3."""

import itertools

import numpy as np
import pytest

from expost.errors import InputError
from expost.papers.bikhchandani.claims_several_items import KINDS, random_items
from expost.papers.bikhchandani.example3 import COLUMNS, TABLE_1, TABLE_2, equation_15, example_3, table
from expost.papers.bikhchandani.several_items import (
    ItemPrices,
    ItemsBuyer,
    ItemsInstance,
    additive,
    bundle_prices,
    decreasing,
    demand,
    pivotal_item_prices,
    stated,
    unit_demand,
)
from expost.papers.bikhchandani.several_items_checks import (
    admissibility,
    feasibility,
    incentives,
    random_states,
    subadditivity,
)


def test_table_2_digit_by_digit():
    found = table("unit demand", COLUMNS[:2])
    rows = np.concatenate([np.concatenate([found.values[i], found.prices[i]]) for i in range(3)])
    assert np.array_equal(np.round(rows, 12), np.array(TABLE_2["numbers"]))
    assert found.bundles == TABLE_2["bundles"]
    assert found.unique.all()


@pytest.mark.parametrize("literal", [True, False])
def test_the_allocations_stated_for_table_1(literal):
    found = table("subadditive", COLUMNS, literal=literal)
    assert found.bundles == TABLE_1
    assert found.unique.all()
    assert found.both[1:] == pytest.approx(0.9)


def test_equation_15_is_infeasible_somewhere_and_its_repair_nowhere():
    for kind in ("subadditive", "unit demand"):
        instance = example_3(kind)
        assert subadditivity(instance).worst <= 1e-12
        crowded = feasibility(instance, equation_15(instance))
        assert crowded.crowded > 0
        at = {name: np.array([value]) for name, value in crowded.witness.items()}
        assert not demand(instance, equation_15(instance), at).feasible[0]
        assert feasibility(instance, equation_15(instance, literal=False)).crowded == 0
        assert incentives(instance, equation_15(instance)).worst <= 1e-12


@pytest.mark.parametrize(
    ("kind", "seed", "items"),
    [
        pytest.param(kind, seed, items, marks=[] if items == 2 and kind == "additive" else [pytest.mark.slow])
        for kind in sorted(KINDS)
        for seed, items in ((0, 2), (1, 3))
    ],
)
def test_lemma_3_on_random_instances(kind, seed, items):
    instance = random_items(seed, kind, items=items)
    prices = pivotal_item_prices(instance)
    found = feasibility(instance, prices, states=150)
    assert incentives(instance, prices, fibres=8, types=24).worst <= 1e-8
    assert admissibility(instance, prices, states=150).worst <= 1e-8
    if kind == "superadditive":
        assert subadditivity(instance).worst > 0.1
        assert found.crowded > 0
    else:
        assert subadditivity(instance).worst <= 1e-12
        assert found.crowded == 0
        assert found.outcomes > 1


class FixedPrices:
    """Constant prices, for bundles whose surplus is known."""

    name, citation, accuracy = "fixed", "", 0.0

    def __init__(self, level):
        self.level = level

    def price(self, i, signals):
        return np.asarray(self.level)


def test_demand_is_a_smallest_maximizer():
    """Brute force over bundles on integer values with many ties."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        worth = {bundle: float(rng.integers(0, 4)) for bundle in range(1, 8)}
        instance = ItemsInstance(
            "ties",
            ("x", "y", "z"),
            (
                ItemsBuyer(
                    "1",
                    ("s",),
                    tuple(str(worth[1 << k]) for k in range(3)),
                    stated({b: str(worth[b]) for b in range(1, 8) if b.bit_count() > 1}),
                ),
            ),
        )
        levels = rng.integers(0, 3, 3).astype(float)
        prices = ItemPrices(tuple(FixedPrices(level) for level in levels))
        chosen = int(demand(instance, prices, {"s": np.array([0.5])}).bundles[0, 0])
        surplus = {b: worth.get(b, 0.0) - sum(levels[k] for k in range(3) if b >> k & 1) for b in range(8)}
        best = max(surplus.values())
        assert surplus[chosen] == best
        assert not any(surplus[b] == best and b != chosen and b & chosen == b for b in range(8))


def test_kinds_of_bundles():
    singles = np.array([[3.0], [1.0], [2.0]])
    for bundle in range(1, 8):
        members = [singles[k, 0] for k in range(3) if bundle >> k & 1]
        assert additive(singles, bundle, {})[0] == sum(members)
        assert unit_demand(singles, bundle, {})[0] == max(members)
        assert decreasing(1.0)(singles, bundle, {})[0] == pytest.approx(sum(members))
        assert decreasing(1.0, 0.0)(singles, bundle, {})[0] == pytest.approx(max(members))
    assert decreasing(1.0, 0.5, 0.25)(singles, 7, {})[0] == pytest.approx(3 + 1 + 0.25)
    assert bundle_prices(np.array([1.0, 10.0])).tolist() == [0.0, 1.0, 10.0, 11.0]


def test_additive_values_separate_by_item():
    instance = random_items(3, "additive")
    prices = pivotal_item_prices(instance)
    signals = random_states(instance, 200, 1)
    found = demand(instance, prices, signals)
    for i, k in itertools.product(range(2), range(2)):
        own = instance.buyers[i].valuations[k](signals)
        wins = (found.bundles[i] >> k & 1).astype(bool)
        margin = own - found.prices[i, k]
        assert (wins == (margin > 0))[np.abs(margin) > 1e-9].all()


def test_bad_input():
    with pytest.raises(InputError, match="1 values for 2 items"):
        ItemsInstance("x", ("a", "b"), (ItemsBuyer("1", ("s",), ("s",)),))
    with pytest.raises(InputError, match="13 items"):
        ItemsInstance("x", tuple("abcdefghijklm"), ())
    lacking = ItemsInstance("x", ("a", "b"), (ItemsBuyer("1", ("s",), ("s", "s"), stated({})),))
    with pytest.raises(InputError, match="no value for bundle 11"):
        lacking.bundle_values(0, {"s": np.array([0.5])})
