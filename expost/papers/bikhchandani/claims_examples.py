"""Bikhchandani's Examples 1 and 2 in the continuum, and his equation (15) with one item."""

from __future__ import annotations

import numpy as np

from expost.instances import catalogue
from expost.mechanisms.given import prices_on, tie_of
from expost.papers import constructions
from expost.papers.bikhchandani.example2 import ExampleTwoPrices
from expost.papers.continuum_welfare import Integral, continuum_first_best, continuum_welfare
from expost.papers.verdict import Hypothesis, Relation, Verdict, state_text
from expost.spaces.type_space import discretize
from expost.tolerances import WELFARE

FIRST_BEST, EXAMPLE_2, T_STAR = 11 / 12, 86 / 105, 43 / 72
"""Expected welfare of jmmz with uniform signals, in the continuum; derived in docs/bikhchandani.md."""
QUADRATURE = 1e-6
"""The accuracy asked of quadrature (absolute)."""


def examples_welfare(quick: bool) -> list[Verdict]:
    """Examples 1 and 2: the expected welfare of the first best, of Example 2's prices and of t* in the continuum."""
    instance = catalogue.load("jmmz")
    prices = {name: constructions.get(name, instance).prices for name in ("example2", "t*")}
    computed: list[tuple[str, Integral, float]] = [("first best", continuum_first_best(instance), FIRST_BEST)]
    for name, theory in (("example2", EXAMPLE_2), ("t*", T_STAR)):
        function = prices[name]
        assert function is not None
        accuracy = 1e-4 if quick else QUADRATURE
        computed.append((f"prices {name}", continuum_welfare(instance, function, accuracy), theory))
    return [
        Verdict(
            "B-Examples-1-2",
            "Bikhchandani 2006, Examples 1 and 2",
            "jmmz",
            (Hypothesis("estimated quadrature error", integral.error, 1e-4 if quick else QUADRATURE),),
            f"expected welfare, {name}",
            integral.value,
            Relation.EQUAL,
            theory,
            1e-5 if quick else QUADRATURE,
        )
        for name, integral, theory in computed
    ]


def equation_15_prices(quick: bool) -> list[Verdict]:
    """Equation (15) with one item: admissible for two buyers, not for three; the repaired prices are."""
    cases = (
        (catalogue.load("jmmz"), True),
        (catalogue.load("three-buyers"), True),
        (catalogue.load("three-buyers"), False),
    )
    verdicts = []
    for instance, literal in cases:
        space = discretize(instance, 3 if quick else 4)
        prices = prices_on(space, ExampleTwoPrices(instance, literal))
        margin = np.stack([v - p.broadcast() for v, p in zip(space.values, prices, strict=True)])
        second = np.sort(margin, axis=0)[-2]
        state = tuple(int(t) for t in np.unravel_index(int(np.argmax(second)), second.shape))
        wrong = second.max() > tie_of(space.values)
        buyers = Hypothesis("two buyers, or the repaired prices", float(instance.n - 2 if literal else 0))
        verdicts.append(
            Verdict(
                "B-Equation-15",
                "Bikhchandani 2006, equation (15), with one item",
                f"{instance.name}, {'(15)' if literal else 'repaired'}",
                (buyers,),
                "largest second margin V - t: positive where two buyers win",
                float(second.max()),
                Relation.AT_MOST,
                0.0,
                WELFARE,
                "two buyers win at " + state_text(space.signals_at(state)) if wrong else "",
                "the paper states (15) for three buyers, where it is not admissible" if wrong else "",
            )
        )
    return verdicts
