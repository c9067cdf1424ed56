"""Mutually and strongly mutually pivotal prices, with witnesses (Bikhchandani 2006, section 4)."""

import numpy as np
import pytest

from expost.instances import catalogue
from expost.instances.environment import Buyer, Instance
from expost.mechanisms.given import priced_mechanism
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.papers import constructions
from expost.papers.bikhchandani.example1 import ExampleOnePrices
from expost.papers.bikhchandani.example2 import ExampleTwoPrices
from expost.papers.bikhchandani.pivotal import (
    LoweredPrices,
    mutually_pivotal,
    pivotal_fibres,
    strongly_mutually_pivotal,
)
from expost.spaces.type_space import discretize


def test_example_2_prices_are_strongly_mutually_pivotal_at_equal_signals():
    instance = catalogue.load("jmmz")
    prices = ExampleTwoPrices(instance)
    assert mutually_pivotal(instance, prices).holds
    report = strongly_mutually_pivotal(instance, prices)
    assert report.holds
    assert report.tried == report.pivotal == 64
    j = 2 - report.buyer
    assert report.own[f"p{3 - j}"] == pytest.approx(report.others[f"p{j}"], abs=1e-5)
    assert report.own[f"c{3 - j}"] == pytest.approx(report.others[f"c{j}"], abs=1e-5)


def test_t_star_is_not_mutually_pivotal_and_says_where():
    """The residual reported is the one at the witness."""
    instance = catalogue.load("jmmz")
    report = mutually_pivotal(instance, ExampleOnePrices())
    assert not report.holds
    i, j = report.buyer + 1, 2 - report.buyer
    at = {**report.others, **report.own}
    on_curve = at[f"p{i}"] + at[f"c{i}"] * at[f"c{j}"]
    assert on_curve == pytest.approx(at[f"p{j}"] + at[f"c{j}"], abs=report.worst + 1e-9)
    residual = at[f"p{i}"] + at[f"c{i}"] - at[f"p{j}"] - at[f"c{i}"] * at[f"c{j}"]
    assert max(residual, abs(on_curve - at[f"p{j}"] - at[f"c{j}"])) == pytest.approx(report.worst, abs=1e-9)


@pytest.mark.slow
def test_the_numerical_prices_give_the_same_verdict_as_the_closed_form():
    instance = catalogue.load("jmmz")
    numerical = constructions.get("t*", instance).prices
    left = mutually_pivotal(instance, numerical, samples=2)
    right = mutually_pivotal(instance, ExampleOnePrices(), samples=2)
    assert left.worst == pytest.approx(right.worst, abs=1e-6)


def test_the_generalized_vickrey_auction_is_strongly_mutually_pivotal():
    instance = catalogue.load("one-dimensional")
    assert strongly_mutually_pivotal(instance, constructions.get("t*", instance).prices).holds


@pytest.mark.slow
def test_clauses_ii_and_iii_decide_where_there_is_no_pivotal_signal():
    instance = Instance(
        "one-sided",
        (Buyer("1", ("a1", "b1"), "a1 + b1 + 2"), Buyer("2", ("a2", "b2"), "(a2 + b2 + 0.1*a1)/2")),
    )
    prices = constructions.get("t*", instance).prices
    sides = pivotal_fibres(instance, prices, 0, {"a2": np.array([0.1, 0.9]), "b2": np.array([0.5, 0.5])})
    assert sides.tolist() == [-1, -1]
    assert strongly_mutually_pivotal(instance, prices, samples=2).holds

    class TooHigh:
        name, citation, accuracy = "too high", "", 0.0

        def price(self, i, signals):
            return np.full(np.broadcast_shapes(*(np.shape(a) for a in signals.values())), 9.0)

    report = strongly_mutually_pivotal(instance, TooHigh(), samples=2)
    assert not report.holds
    assert report.clause == "(iii)"
    assert report.own is None


def test_lowered_prices_dominate_in_every_state():
    instance = catalogue.load("jmmz")
    space = discretize(instance, 8)
    before = priced_mechanism(space, ExampleOnePrices())
    for buyer in range(2):
        after = priced_mechanism(space, LoweredPrices(instance, ExampleOnePrices(), buyer))
        assert audit_mechanism(space.values, after).passed
        change = after.state_welfare(space.gains) - before.state_welfare(space.gains)
        assert change.min() >= 0.0
        assert change.max() > 0.5
