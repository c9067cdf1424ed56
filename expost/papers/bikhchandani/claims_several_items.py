"""The claims of Bikhchandani (2006), Appendix B, computed: Lemma 3 and Example 3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from expost._typing import Float
from expost.mechanisms.given import tie_of
from expost.papers.bikhchandani.example3 import (
    COLUMNS,
    TABLE_1,
    TABLE_2,
    Table,
    equation_15,
    example_3,
    table,
)
from expost.papers.bikhchandani.several_items import (
    BundleValue,
    Demand,
    ItemPrices,
    ItemsBuyer,
    ItemsInstance,
    additive,
    decreasing,
    demand,
    pivotal_item_prices,
    unit_demand,
)
from expost.papers.bikhchandani.several_items_checks import (
    DemandMechanism,
    admissibility,
    feasibility,
    incentives,
    subadditivity,
)
from expost.papers.claim import Case, Claim, Mutant
from expost.papers.verdict import Hypothesis, Relation, Verdict, state_text
from expost.tolerances import WELFARE

TableOf = Callable[[str, tuple[tuple[float, float, float], ...]], Table]
"""``table_of(kind, columns)``: a table at buyer 1's signals ``columns``."""

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


def lemma_3(case: Case, mechanism: DemandMechanism) -> list[Verdict]:
    """Lemma 3: with subadditive values and prices (12) the demand mechanism is feasible and incentive compatible."""
    instance = case.instance
    prices = (
        equation_15(instance, literal=case.variant == "equation 15")
        if case.variant
        else pivotal_item_prices(instance)
    )
    return [_lemma_3_on(instance, prices, case.size, mechanism)]


def _lemma_3_on(
    instance: ItemsInstance, prices: ItemPrices, states: int, mechanism: DemandMechanism
) -> Verdict:
    sub, fits = subadditivity(instance, states=states), admissibility(instance, prices, states=states)
    seen = feasibility(instance, prices, states=states, mechanism=mechanism)
    deviation = incentives(instance, prices, fibres=12, types=24, mechanism=mechanism)
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


def tables(case: Case, table_of: TableOf) -> list[Verdict]:
    """Example 3: Table 2 digit by digit, and the three allocations stated for Table 1."""
    del case
    second = table_of("unit demand", COLUMNS[:2])
    printed = np.array(TABLE_2["numbers"])
    computed = np.concatenate([np.concatenate([second.values[i], second.prices[i]]) for i in range(3)])
    off = np.abs(computed - printed)
    row, column = (int(t) for t in np.unravel_index(int(np.argmax(off)), off.shape))
    wrong = "" if second.bundles == TABLE_2["bundles"] else f"allocations {second.bundles}"
    first = table_of("subadditive", COLUMNS)
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


def _lemma_3_cases(quick: bool, seed: int) -> list[Case]:
    states = 60 if quick else 150
    cases = [Case(random_items(seed, kind), states) for kind in KINDS]
    cases += [] if quick else [Case(random_items(seed + 7, "decreasing weights", items=3), 60)]
    for kind in ("subadditive", "unit demand"):
        cases += [Case(example_3(kind), 4000, variant) for variant in ("equation 15", "repaired")]
    return cases


def _without_the_first_item(instance: ItemsInstance, prices: ItemPrices, signals: dict[str, Float]) -> Demand:
    """Wrong: nobody gets the first item, whatever he demands."""
    found = demand(instance, prices, signals)
    return replace(found, bundles=found.bundles & ~1)


def _everything_to_the_first(
    instance: ItemsInstance, prices: ItemPrices, signals: dict[str, Float]
) -> Demand:
    """Wrong: the first buyer gets all items in every state, on top of what the others demand."""
    found = demand(instance, prices, signals)
    bundles = found.bundles.copy()
    bundles[0] = instance.bundles - 1
    return replace(found, bundles=bundles)


def _columns_swapped(kind: str, columns: tuple[tuple[float, float, float], ...]) -> Table:
    """Wrong: buyer 1's signals in the other order."""
    return table(kind, columns[::-1])


def _unit_demand() -> Case:
    return Case(example_3("unit demand"), 400, "repaired")


def _example_3() -> Case:
    return Case(example_3("unit demand"), 0)


CLAIMS = (
    Claim(
        "B-Lemma-3",
        "the demand mechanism is feasible for subadditive values",
        demand,
        _lemma_3_cases,
        lemma_3,
        (
            Mutant("nobody gets the first item", _without_the_first_item, _unit_demand),
            Mutant("the first buyer gets everything", _everything_to_the_first, _unit_demand),
        ),
    ),
    Claim(
        "B-Example-3",
        "Tables 1 and 2",
        table,
        lambda *_: [_example_3()],
        tables,
        (Mutant("columns swapped", _columns_swapped, _example_3),),
    ),
)
