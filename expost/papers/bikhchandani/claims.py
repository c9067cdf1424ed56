"""The claims of Bikhchandani (2006), sections 3 and 4, computed."""

from __future__ import annotations

import numpy as np

from expost.formulations.conditional import allowed_winners, conditional_prices, conditional_rule
from expost.formulations.dominance import dominate
from expost.instances import catalogue
from expost.instances.environment import Instance
from expost.instances.random_instances import random_instance
from expost.mechanisms.given import PriceFunction, priced_mechanism, prices_on, tie_of
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.papers import constructions
from expost.papers.bikhchandani.example2 import ExampleTwoPrices
from expost.papers.bikhchandani.pivotal import LoweredPrices, mutually_pivotal, strongly_mutually_pivotal
from expost.papers.tools import ExampleOnePrices, assumptions, no_single_crossing, one_sided
from expost.papers.verdict import Hypothesis, Relation, Verdict, state_text
from expost.spaces.type_space import TypeSpace, discretize
from expost.tolerances import VANISHING


def theorem_1(quick: bool) -> list[Verdict]:
    """Theorem 1: t* is admissible, incentive compatible and not trivial; without Assumptions 2 or 3 it is trivial."""
    cases: list[tuple[Instance, int]] = [(catalogue.load("jmmz"), 6), (catalogue.load("three-buyers"), 3)]
    for seed in range(2 if quick else 12):
        cases.append((random_instance(seed, buyers=2, signals=2), 6))
    for seed in range(0 if quick else 3):
        cases.append((random_instance(seed, buyers=3, signals=2), 3))
        cases.append((random_instance(seed, buyers=2, signals=3), 3))
    cases += [(no_single_crossing(), 6), (one_sided(), 6)]
    return [_theorem_1_on(instance, grid) for instance, grid in cases]


def _theorem_1_on(instance: Instance, grid: int) -> Verdict:
    space = discretize(instance, grid)
    mechanism = constructions.get("t*", instance).on(space)
    audit = audit_mechanism(space.values, mechanism)
    shares = [*mechanism.allocation.mean(axis=tuple(range(1, space.n + 1))), 1.0 - mechanism.sold]
    frequent = sorted(shares)[-2]
    violation = "" if audit.passed else audit.explain()
    triviality = "the rule is trivial" if frequent == 0.0 else "the rule is not trivial all the same"
    hypotheses = assumptions(instance)
    held = all(h.holds for h in hypotheses)
    return Verdict(
        "B-Theorem-1",
        "Bikhchandani 2006, Theorem 1 and Appendix A",
        instance.name,
        hypotheses,
        "share of states with the second most frequent outcome, the rule passing the audit",
        float(frequent),
        Relation.MORE,
        0.0,
        0.0,
        violation,
        "" if held else triviality,
    )


def theorem_2(quick: bool) -> list[Verdict]:
    """Theorem 2: continuous prices that are not mutually pivotal are dominated, by lowering one buyer's prices."""
    instance = catalogue.load("jmmz")
    return [_theorem_2_on(instance, name, 6 if quick else 12) for name in ("t*", "example2")]


def _theorem_2_on(instance: Instance, name: str, grid: int) -> Verdict:
    prices: PriceFunction = ExampleOnePrices() if name == "t*" else ExampleTwoPrices(instance)
    report = mutually_pivotal(instance, prices, samples=32)
    space = discretize(instance, grid)
    before = priced_mechanism(space, prices)
    after = priced_mechanism(space, LoweredPrices(instance, prices))
    audit = audit_mechanism(space.values, after)
    change = after.state_welfare(space.gains) - before.state_welfare(space.gains)
    worst = np.unravel_index(int(np.argmin(change)), change.shape)
    violation = "" if audit.passed else audit.explain()
    if change.min() < -tie_of(space.gains):
        violation = "worse at " + state_text(space.signals_at(tuple(int(t) for t in worst)))
    held = Hypothesis(
        "prices that are not mutually pivotal (allowed residual less the one found)",
        report.allowed - report.worst,
        0.0,
        "" if not report.holds else "all fibres tried have a pair",
    )
    found = f"residual {report.worst:.4g}"
    if report.own is not None and not report.holds:
        found += " at " + state_text({**report.others, **report.own})
    return Verdict(
        "B-Theorem-2",
        "Bikhchandani 2006, Theorem 2",
        f"jmmz, {name}",
        (held,),
        "expected gain of the lowered prices, better or equal in every state",
        float(change.mean()),
        Relation.MORE,
        0.0,
        tie_of(space.gains),
        violation,
        found,
    )


def theorem_3(quick: bool) -> list[Verdict]:
    """Theorem 3: over strongly mutually pivotal prices the largest dominating gain vanishes with the grid."""
    grids = (4, 8) if quick else (8, 16)
    jmmz, vickrey = catalogue.load("jmmz"), catalogue.load("one-dimensional")
    return [
        _theorem_3_on(jmmz, "example2", grids),
        _theorem_3_on(vickrey, "t*", grids),
        _theorem_3_on(jmmz, "t*", grids),
    ]


def gain_series(instance: Instance, name: str, grids: tuple[int, ...]) -> list[float]:
    """The largest gain over the prices ``name`` on each grid."""
    construction = constructions.get(name, instance)
    spaces = [discretize(instance, grid) for grid in grids]
    return [dominate(space, construction.on(space).allocation).gain for space in spaces]


def _theorem_3_on(instance: Instance, name: str, grids: tuple[int, ...]) -> Verdict:
    prices = (
        ExampleOnePrices()
        if (instance.name, name) == ("jmmz", "t*")
        else constructions.get(name, instance).prices
    )
    assert prices is not None
    report = strongly_mutually_pivotal(instance, prices, samples=6)
    gains = gain_series(instance, name, grids)
    limit = (gains[-1] * grids[-1] - gains[-2] * grids[-2]) / (grids[-1] - grids[-2])
    series = ", ".join(f"{gain:.5f} at {grid}" for gain, grid in zip(gains, grids, strict=True))
    return Verdict(
        "B-Theorem-3",
        "Bikhchandani 2006, Theorem 3",
        f"{instance.name}, {name}",
        (
            Hypothesis(
                f"strongly mutually pivotal, clause {report.clause}",
                report.worst,
                report.allowed,
                state_text(dict(report.others)) if not report.holds else "",
            ),
        ),
        "largest gain of a dominating rule, extrapolated to the continuum",
        limit,
        Relation.EQUAL,
        0.0,
        VANISHING,
        "" if limit > -VANISHING else "the extrapolation is negative",
        f"gains: {series}",
    )


def theorem_4(quick: bool) -> list[Verdict]:
    """Theorem 4: t* is the best conditionally efficient rule: grid prices rise to it, and others sell on subsets."""
    cases = [catalogue.load("jmmz"), *(random_instance(seed, buyers=2) for seed in range(1 if quick else 4))]
    verdicts = [_theorem_4_on(instance, (4, 8) if quick else (4, 8, 16)) for instance in cases]
    return [*verdicts, _theorem_4_on(no_single_crossing(), (4, 8))]


def _theorem_4_on(instance: Instance, grids: tuple[int, ...]) -> Verdict:
    construction = constructions.get("t*", instance)
    assert construction.prices is not None
    gaps, excess, welfare, where = [], -np.inf, [], ""
    for grid in grids:
        space = discretize(instance, grid)
        for i, price in enumerate(prices_on(space, construction.prices)):
            lowest = conditional_prices(space, i)
            above = np.where(np.isfinite(lowest), lowest - price.price, -np.inf)
            excess = max(excess, float(above.max()))
            reached = np.where(np.isfinite(lowest), lowest, space.values[i].min(axis=i))
            gaps.append(float(np.maximum(price.price - reached, 0.0).mean()))
        subset, where = _sells_on_subset(space, where)
        excess = max(excess, subset)
        welfare.append(float(np.where(conditional_rule(space), space.gains, 0.0).sum(axis=0).mean()))
    shrink = gaps[-2] + gaps[-1] - gaps[0] - gaps[1]
    series = ", ".join(f"{w:.4f} at {g}" for w, g in zip(welfare, grids, strict=True))
    allowed = 2.0 * construction.prices.accuracy * 10.0
    violation = where or (
        "" if shrink < 0.0 or gaps[-1] == 0.0 else "the distance to t* does not shrink with the grid"
    )
    return Verdict(
        "B-Theorem-4",
        "Bikhchandani 2006, Theorem 4",
        instance.name,
        assumptions(instance),
        "largest excess of a grid's lowest conditionally efficient price over t*",
        excess,
        Relation.AT_MOST,
        0.0,
        allowed,
        violation,
        f"conditionally efficient welfare: {series}; mean distance of the "
        f"prices to t*: {(gaps[0] + gaps[1]) / 2:.4f}, then {(gaps[-2] + gaps[-1]) / 2:.4f}",
    )


def _sells_on_subset(space: TypeSpace, where: str) -> tuple[float, str]:
    """Random conditionally efficient rules sell on a subset of the states of the best one; 0 and ``where`` if so."""
    rng = np.random.default_rng(space.states)
    best = conditional_rule(space)
    allowed = allowed_winners(space, range(space.n))
    for _ in range(5):
        rule = np.empty_like(best)
        for i in range(space.n):
            floor = conditional_prices(space, i, range(space.n))
            price = np.where(np.isfinite(floor), floor, space.values[i].min(axis=i)) + rng.exponential(
                0.2, floor.shape
            )
            rule[i] = allowed[i] & (space.values[i] > np.expand_dims(price, i))
        outside = rule & ~best
        if outside.any():
            state = tuple(int(t) for t in np.argwhere(outside)[0][1:])
            return np.inf, "sold elsewhere at " + state_text(space.signals_at(state))
    return 0.0, where
