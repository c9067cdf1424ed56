"""Bikhchandani's Examples 1 and 2 in the continuum, and his equation (15) with one item."""

from __future__ import annotations

from functools import partial

from expost.instances import catalogue
from expost.instances.environment import Instance
from expost.mechanisms.continuum.admissibility import search_admissibility
from expost.papers.claim import Case, Claim, Mutant
from expost.papers.continuum_welfare import continuum_first_best, continuum_welfare
from expost.papers.stated_prices import PricesOf, prices_named, shifted_by
from expost.papers.verdict import Hypothesis, Relation, Verdict

WELFARE_OF = {"first best": 11 / 12, "example2": 86 / 105, "t*": 43 / 72}
"""Expected welfare of jmmz with uniform signals, in the continuum; derived in docs/bikhchandani.md."""


def examples_welfare(case: Case, prices_of: PricesOf) -> list[Verdict]:
    """Examples 1 and 2: the expected welfare of the first best, of Example 2's prices and of t* in the continuum, to
    10**-size."""
    accuracy = 10.0**-case.size
    if case.variant == "first best":
        integral = continuum_first_best(case.instance)
    else:
        integral = continuum_welfare(case.instance, prices_of(case.variant, case.instance), accuracy)
    return [
        Verdict(
            "B-Examples-1-2",
            "Bikhchandani 2006, Examples 1 and 2",
            "jmmz",
            (Hypothesis("estimated quadrature error", integral.error, accuracy),),
            f"expected welfare, {case.variant}",
            integral.value,
            Relation.EQUAL,
            WELFARE_OF[case.variant],
            accuracy,
        )
    ]


def equation_15_prices(case: Case, prices_of: PricesOf) -> list[Verdict]:
    """Equation (15) with one item: admissible for two buyers, not for three; the repaired prices are."""
    instance, literal = case.instance, case.variant == "equation 15"
    found = search_admissibility(instance, prices_of(case.variant, instance).price)
    return [
        Verdict(
            "B-Equation-15",
            "Bikhchandani 2006, equation (15), with one item",
            f"{instance.name}, {'(15)' if literal else 'repaired'}",
            (
                Hypothesis(
                    "two buyers, or the repaired prices", float(max(instance.n - 2, 0) if literal else 0)
                ),
            ),
            f"largest second margin V - t found: positive where two buyers win ({found.states} states)",
            found.worst,
            Relation.AT_MOST,
            0.0,
            found.allowed,
            "" if found.admissible else found.explain(),
            "" if found.admissible else "the paper states (15) for three buyers, where it is not admissible",
        )
    ]


def _welfare_cases(quick: bool, seed: int) -> list[Case]:
    del seed
    return [Case(catalogue.load("jmmz"), 4 if quick else 6, rule) for rule in WELFARE_OF]


def _jmmz(variant: str, size: int = 4) -> Case:
    return Case(catalogue.load("jmmz"), size, variant)


def _equation_cases(quick: bool, seed: int) -> list[Case]:
    del quick, seed
    three = catalogue.load("three-buyers")
    return [_jmmz("equation 15"), Case(three, 0, "equation 15"), Case(three, 0, "repaired")]


def _equation_on(instance: Instance, quick: bool) -> list[Case]:
    del quick
    return [Case(instance, 0, "equation 15"), Case(instance, 0, "repaired")]


CLAIMS = (
    Claim(
        "B-Examples-1-2",
        "expected welfare of the first best and of two price pairs",
        prices_named,
        _welfare_cases,
        examples_welfare,
        (
            Mutant("Example 2's prices 0.01 too high", shifted_by(0.01), partial(_jmmz, "example2")),
            Mutant("t* 0.01 too high", shifted_by(0.01), partial(_jmmz, "t*")),
        ),
    ),
    Claim(
        "B-Equation-15",
        "prices (15) with one item",
        prices_named,
        _equation_cases,
        equation_15_prices,
        (Mutant("prices 0.001 too low", shifted_by(-0.001), partial(_jmmz, "equation 15")),),
        _equation_on,
    ),
)
