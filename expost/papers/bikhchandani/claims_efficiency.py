"""The claims of Bikhchandani (2006), section 4: constrained (Theorems 2, 3) and conditional efficiency (4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np

from expost._typing import Float
from expost.formulations.dominance import dominate
from expost.instances import catalogue
from expost.instances.environment import Instance
from expost.mechanisms.continuum.admissibility import search_admissibility
from expost.mechanisms.given import PriceFunction, priced_mechanism, tie_of
from expost.papers.bikhchandani.conditional_states import (
    conditional_violation,
    lowest_conditional_prices,
    sells_elsewhere,
)
from expost.papers.bikhchandani.pivotal import LoweredPrices, mutually_pivotal, strongly_mutually_pivotal
from expost.papers.claim import Case, Claim, Mutant
from expost.papers.continuum_welfare import FEW
from expost.papers.hypotheses import assumptions, strict_assumptions
from expost.papers.own_instances import no_single_crossing, strictly_increasing
from expost.papers.stated_prices import PricesOf, ShiftedPrices, prices_named, shifted_by
from expost.papers.verdict import Hypothesis, Outcome, Relation, Verdict, state_text
from expost.spaces.quantile_space import QuantileSpace, scrambled
from expost.spaces.type_space import discretize
from expost.tolerances import VANISHING

Lowering = Callable[[Instance, PriceFunction, int], PriceFunction]
"""``lowering(instance, prices, buyer)``: prices with that buyer's lowered."""
PivotalCheck = Callable[[Instance, PriceFunction, int], Hypothesis]
"""``check(instance, prices, samples)``: whether prices are strongly mutually pivotal."""


def theorem_2(case: Case, lowering: Lowering) -> list[Verdict]:
    """Theorem 2: prices that are not mutually pivotal are dominated, by lowering one buyer's prices."""
    instance = case.instance
    prices = prices_named(case.variant, instance)
    report = mutually_pivotal(instance, prices, samples=8)
    lowered = lowering(instance, prices, report.buyer)
    change, signals = _change(instance, prices, lowered, case.size)
    at = int(np.argmin(change))
    violation = ""
    if change[at] < -1e-9:
        violation = "worse at " + state_text({name: float(column[at]) for name, column in signals.items()})
    found = search_admissibility(instance, lowered.price, accuracy=1e-8, **FEW)
    violation = violation if found.admissible else found.explain()
    told = f"residual {report.worst:.4g}"
    if report.own is not None and not report.holds:
        told += " at " + state_text({**report.others, **report.own})
    return [
        Verdict(
            "B-Theorem-2",
            "Bikhchandani 2006, Theorem 2",
            f"{instance.name}, {case.variant}",
            (
                *strict_assumptions(instance),
                Hypothesis(
                    "prices that are not mutually pivotal (allowed residual less the one found)",
                    report.allowed - report.worst,
                    0.0,
                    "" if not report.holds else "all fibres tried have a pair",
                ),
            ),
            f"mean gain of the lowered prices at {case.size} random states, better or equal in each",
            float(change.mean()),
            Relation.MORE,
            0.0,
            1e-9,
            violation,
            told + "; that prices are continuous is not tested",
        )
    ]


def _change(
    instance: Instance, before: PriceFunction, after: PriceFunction, count: int
) -> tuple[Float, dict[str, Float]]:
    """The gain under ``after`` less that under ``before`` at random states of the continuum, rule (3)."""
    space = QuantileSpace(instance, (None,) * instance.n)
    levels = scrambled(count, sum(space.dims), np.random.default_rng(0))
    signals = space.signals(space.split(levels))
    change = np.zeros(count)
    for i in range(instance.n):
        value, gain = instance.value(i, signals), instance.gain(i, signals)
        slack = tie_of(value, max(before.accuracy, after.accuracy))
        for prices, sign in ((after, 1.0), (before, -1.0)):
            change += sign * np.where(value > prices.price(i, signals) + slack, gain, 0.0)
    return change, signals


def strongly_pivotal(instance: Instance, prices: PriceFunction, samples: int) -> Hypothesis:
    """The definition before Theorem 3, tested."""
    report = strongly_mutually_pivotal(instance, prices, samples=samples)
    return Hypothesis(
        f"strongly mutually pivotal, clause {report.clause}",
        report.worst,
        report.allowed,
        state_text(dict(report.others)) if not report.holds else "",
    )


def nearly_pivotal(instance: Instance, prices: PriceFunction, samples: int) -> Hypothesis:
    """Wrong: residuals of up to a tenth pass."""
    return replace(strongly_pivotal(instance, prices, samples), allowed=0.1)


def theorem_3(case: Case, check: PivotalCheck) -> list[Verdict]:
    """Theorem 3: over strongly mutually pivotal prices nothing gains: not lowering a buyer's prices in the continuum,
    and on grids less and less."""
    instance = case.instance
    prices = prices_named(case.variant, instance)
    hypotheses = (*strict_assumptions(instance), check(instance, prices, 6))
    return [
        _nothing_to_lower(case, prices, hypotheses),
        _vanishing_gain(case, prices, hypotheses),
    ]


STATES = 2**10
"""Random states of the continuum at which lowered prices are compared."""


def _nothing_to_lower(case: Case, prices: PriceFunction, hypotheses: tuple[Hypothesis, ...]) -> Verdict:
    instance = case.instance
    best, told = -np.inf, ""
    for buyer in range(instance.n):
        change, signals = _change(instance, prices, LoweredPrices(instance, prices, buyer), STATES)
        if change.mean() > best:
            best, at = float(change.mean()), int(np.argmax(change))
            where = state_text({name: float(column[at]) for name, column in signals.items()})
            told = f"most at {where}, by {change[at]:.4g}" if change[at] > 0 else "no state gains"
    return Verdict(
        "B-Theorem-3",
        "Bikhchandani 2006, Theorem 3",
        f"{instance.name}, {case.variant}",
        hypotheses,
        f"mean gain of lowering one buyer's prices as far as the other's allow, {STATES} states of the continuum",
        best,
        Relation.EQUAL,
        0.0,
        1e-6,
        "",
        told,
    )


def _vanishing_gain(case: Case, prices: PriceFunction, hypotheses: tuple[Hypothesis, ...]) -> Verdict:
    grids = (case.size, case.size * 3 // 2, case.size * 2)
    gains = [_dominating_gain(case.instance, prices, grid) for grid in grids]
    limits = [
        (right * n - left * m) / (n - m)
        for (m, left), (n, right) in combinations(zip(grids, gains, strict=True), 2)
    ]
    series = ", ".join(f"{gain:.5f} at {grid}" for gain, grid in zip(gains, grids, strict=True))
    return Verdict(
        "B-Theorem-3",
        "Bikhchandani 2006, Theorem 3",
        f"{case.instance.name}, {case.variant}, on grids",
        hypotheses,
        "limit of the largest gain of a dominating rule, the middle one of those by every pair of grids",
        float(np.median(limits)),
        Relation.AT_MOST,
        0.0,
        VANISHING,
        "" if gains[-1] <= gains[0] + VANISHING else "the gain does not fall as the grid grows",
        f"gains: {series}; limits between {min(limits):.4f} and {max(limits):.4f}",
        decisive=min(limits) > VANISHING,
    )


def _dominating_gain(instance: Instance, prices: PriceFunction, grid: int) -> float:
    space = discretize(instance, grid)
    return dominate(space, priced_mechanism(space, prices).allocation).gain


def gain_series(instance: Instance, name: str, grids: tuple[int, ...]) -> list[float]:
    """The largest gain over the prices ``name`` on each grid."""
    return [_dominating_gain(instance, prices_named(name, instance), grid) for grid in grids]


def theorem_4(case: Case, prices_of: PricesOf) -> list[Verdict]:
    """Theorem 4: no conditionally efficient price is below t*, and t* is one."""
    instance = case.instance
    prices = prices_of("t*", instance)
    most = lowest_conditional_prices(instance, prices, case.size, case.seed)
    sold_lower = conditional_violation(instance, prices, 64 if prices.accuracy else 2**12)
    return [
        Verdict(
            "B-Theorem-4",
            "Bikhchandani 2006, Theorem 4",
            instance.name,
            assumptions(instance),
            f"largest distance of t* to the highest value at which a rival is worth more, {case.size} fibres a buyer",
            most.distance,
            Relation.AT_MOST,
            0.0,
            most.resolution,
            sold_lower or sells_elsewhere(instance, case.seed),
            f"largest at {state_text(dict(most.witness))}; on a grid the optimum of random objectives over "
            "conditionally efficient rules sells in no state in which the best such rule does not",
        )
    ]


def _strict(variant: str, size: int) -> Case:
    return Case(strictly_increasing(), size, variant)


def _theorem_2_cases(quick: bool, seed: int) -> list[Case]:
    del seed
    size = 256 if quick else 1024
    jmmz = catalogue.load("jmmz")
    return [
        _strict("steep", size),
        _strict("pivotal +0.05", size),
        *([] if quick else [_strict("steep +0.1", size)]),
        _strict("pivotal", size),
        Case(jmmz, size, "t*"),
        Case(jmmz, size, "example2"),
    ]


def _theorem_3_cases(quick: bool, seed: int) -> list[Case]:
    del seed
    size = 4 if quick else 6
    jmmz = catalogue.load("jmmz")
    return [
        _strict("pivotal", size),
        Case(catalogue.load("one-dimensional"), size, "t*"),
        Case(jmmz, size, "example2"),
        Case(jmmz, size, "t*"),
        _strict("pivotal +0.01", size),
    ]


def _theorem_4_cases(quick: bool, seed: int) -> list[Case]:
    from expost.instances.random_instances import random_instance

    size = 8 if quick else 24
    cases = [
        Case(catalogue.load("jmmz"), size),
        *(Case(random_instance(seed + k), size, seed=seed) for k in range(1 if quick else 3)),
    ]
    return [*cases, Case(no_single_crossing(), size)]


def _not_lowered(instance: Instance, prices: PriceFunction, buyer: int) -> PriceFunction:
    del instance, buyer
    return prices


def _lowered_too_far(instance: Instance, prices: PriceFunction, buyer: int) -> PriceFunction:
    return ShiftedPrices(LoweredPrices(instance, prices, buyer), -0.2)


def _example_2_on(instance: Instance, quick: bool) -> list[Case]:
    """Example 2's prices where they are defined; else nothing is claimed of prices that nobody named."""
    return [Case(instance, 64 if quick else 256, "example2")]


CLAIMS = (
    Claim(
        "B-Theorem-2",
        "prices that are not mutually pivotal are dominated",
        LoweredPrices,
        _theorem_2_cases,
        theorem_2,
        (
            Mutant("prices that were not lowered", _not_lowered, partial(_strict, "steep", 64)),
            Mutant("prices lowered too far", _lowered_too_far, partial(_strict, "steep", 64)),
        ),
        _example_2_on,
    ),
    Claim(
        "B-Theorem-3",
        "strongly mutually pivotal prices are constrained efficient",
        strongly_pivotal,
        _theorem_3_cases,
        theorem_3,
        (
            Mutant(
                "residuals of up to a tenth pass",
                nearly_pivotal,
                partial(_strict, "pivotal +0.02", 4),
                turns_from=Outcome.NOT_CLAIMED,
            ),
        ),
        lambda instance, _: [Case(instance, 4, "example2")],
    ),
    Claim(
        "B-Theorem-4",
        "t* is the best conditionally efficient rule",
        prices_named,
        _theorem_4_cases,
        theorem_4,
        (
            Mutant("prices 0.02 too high", shifted_by(0.02), lambda: Case(catalogue.load("jmmz"), 8)),
            Mutant("prices 0.02 too low", shifted_by(-0.02), lambda: Case(catalogue.load("jmmz"), 8)),
        ),
        lambda instance, quick: [Case(instance, 4 if quick else 12)],
    ),
)
