"""The claims of Bikhchandani (2006), Appendix B, computed: Lemma 3 and Example 3."""

from __future__ import annotations

import numpy as np

from expost.mechanisms.given import tie_of
from expost.papers.bikhchandani.example3 import COLUMNS, TABLE_1, TABLE_2, equation_15, example_3, table
from expost.papers.bikhchandani.several_items import (
    BundleValue,
    ItemPrices,
    ItemsBuyer,
    ItemsInstance,
    additive,
    decreasing,
    pivotal_item_prices,
    unit_demand,
)
from expost.papers.bikhchandani.several_items_checks import (
    admissibility,
    feasibility,
    incentives,
    subadditivity,
)
from expost.papers.verdict import Hypothesis, Relation, Verdict, state_text
from expost.tolerances import WELFARE

KINDS: dict[str, BundleValue] = {
    "additive": additive,
    "unit demand": unit_demand,
    "decreasing weights": decreasing(1.0, 0.6, 0.3),
    "superadditive": decreasing(1.0, 1.5),
}


def random_items(seed: int, kind: str, *, buyers: int = 2, items: int = 2, signals: int = 2) -> ItemsInstance:
    """Linear values per item that satisfy Assumptions 1* and 2*: a signal counts most for its owner."""
    rng = np.random.default_rng(seed)
    names = [[f"s{i + 1}_{m + 1}" for m in range(signals)] for i in range(buyers)]
    own = rng.uniform(0.5, 1.5, (items, buyers, signals))
    share = rng.uniform(0.0, 0.9, (items, buyers, buyers, signals))
    made = []
    for i in range(buyers):
        values = []
        for k in range(items):
            weights = [
                own[k, j, m] * (1.0 if i == j else share[k, i, j, m])
                for j in range(buyers)
                for m in range(signals)
            ]
            flat = [name for row in names for name in row]
            values.append(
                " + ".join(f"{weight:.6f}*{name}" for weight, name in zip(weights, flat, strict=True))
            )
        made.append(ItemsBuyer(str(i + 1), tuple(names[i]), tuple(values), KINDS[kind]))
    return ItemsInstance(
        f"random items {seed}, {kind}", tuple(f"k{k + 1}" for k in range(items)), tuple(made)
    )


def lemma_3(quick: bool) -> list[Verdict]:
    """Lemma 3: with subadditive values and prices (12) the demand mechanism is feasible and incentive compatible."""
    verdicts = []
    for seed in range(1 if quick else 2):
        for kind in KINDS:
            instance = random_items(seed, kind, items=2 if quick else 2 + seed % 2)
            verdicts.append(_lemma_3_on(instance, pivotal_item_prices(instance), 100 if quick else 600))
    if not quick:
        instance = random_items(7, "decreasing weights", buyers=3)
        verdicts.append(_lemma_3_on(instance, pivotal_item_prices(instance), 200))
    for kind in ("subadditive", "unit demand"):
        instance = example_3(kind)
        verdicts += [
            _lemma_3_on(instance, equation_15(instance, literal=literal), 4000) for literal in (True, False)
        ]
    return verdicts


def _lemma_3_on(instance: ItemsInstance, prices: ItemPrices, states: int) -> Verdict:
    sub, fits = subadditivity(instance, states=states), admissibility(instance, prices, states=states)
    seen = feasibility(instance, prices, states=states)
    deviation = incentives(instance, prices, fibres=16, types=32)
    scale = tie_of(np.array([1.0]), prices.accuracy)
    violation = (
        "" if deviation.worst <= 10.0 * scale else f"{deviation.what} at {state_text(deviation.witness)}"
    )
    if seen.witness is not None:
        violation = "an item goes to two buyers at " + state_text(seen.witness)
    hypotheses = tuple(
        Hypothesis(
            f.condition, f.worst, scale, f"{f.what} at {state_text(f.witness)}" if f.worst > scale else ""
        )
        for f in (sub, fits)
    )
    name = instance.name + (", prices (15)" if prices.accuracy == 0.0 and fits.worst > scale else "")
    return Verdict(
        "B-Lemma-3",
        "Bikhchandani 2006, Lemma 3",
        name,
        hypotheses,
        f"states of {states} in which an item goes to two buyers",
        float(seen.crowded),
        Relation.EQUAL,
        0.0,
        0.0,
        violation,
        f"best deviation {deviation.worst:.2g}; {seen.outcomes} different allocations with single demands",
    )


def tables(quick: bool) -> list[Verdict]:
    """Example 3: Table 2 digit by digit, and the three allocations stated for Table 1."""
    del quick
    second = table("unit demand", COLUMNS[:2])
    printed = np.array(TABLE_2["numbers"])
    computed = np.concatenate([np.concatenate([second.values[i], second.prices[i]]) for i in range(3)])
    off = np.abs(computed - printed)
    row, column = (int(t) for t in np.unravel_index(int(np.argmax(off)), off.shape))
    wrong = "" if second.bundles == TABLE_2["bundles"] else f"allocations {second.bundles}"
    first = table("subadditive", COLUMNS)
    differ = sum(
        a != b for rows in zip(first.bundles, TABLE_1, strict=True) for a, b in zip(*rows, strict=True)
    )
    single = "" if first.unique.all() and second.unique.all() else "a demand set has several bundles"
    return [
        Verdict(
            "B-Example-3",
            "Bikhchandani 2006, Table 2",
            "example 3, unit demand",
            (),
            "largest difference to a printed number",
            float(off.max()),
            Relation.EQUAL,
            0.0,
            WELFARE,
            wrong or single,
            f"24 numbers; largest difference in row {row + 1}, column {column + 1}",
        ),
        Verdict(
            "B-Example-3",
            "Bikhchandani 2006, Table 1",
            "example 3, subadditive",
            (),
            "bundles that differ from the allocations stated in the text",
            float(differ),
            Relation.EQUAL,
            0.0,
            0.0,
            single,
            "; ".join(
                f"buyer 1 at {c}: {', '.join(b)}"
                for c, b in zip(COLUMNS, zip(*first.bundles, strict=True), strict=True)
            ),
        ),
    ]
