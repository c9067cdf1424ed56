"""The constructions as mechanisms on type spaces: audited, efficient where they claim it, refused where undefined."""

from functools import cache

import numpy as np
import pytest

from expost.errors import InputError
from expost.instances import catalogue
from expost.instances.environment import Buyer, Instance
from expost.instances.priors import Prior
from expost.instances.random_instances import random_instance
from expost.mechanisms.given import priced_mechanism, prices_on, rule_3
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.papers import constructions
from expost.papers.bikhchandani.example2 import ExampleTwoPrices
from expost.papers.bikhchandani.pivotal_prices import PivotalPrices
from expost.papers.own_instances import reversed_signals
from expost.papers.zik.improved_strikes import ImprovedStrikes
from expost.papers.zik.static_second_best import StaticSecondBest, gain_at_value
from expost.papers.zik.strikes import EnvelopeStrikes
from expost.spaces.type_space import discretize

CASES = [
    ("jmmz", 3),
    ("linear", 3),
    ("common-value", 3),
    ("one-dimensional", 9),
    pytest.param("three-buyers", 2, marks=pytest.mark.slow),
    pytest.param("privatization", 12, marks=pytest.mark.slow),
]


@cache
def built(construction, name, grid):
    """A construction on a grid of a catalogue instance, or of a random one by its seed, built once for all tests."""
    instance = random_instance(name, buyers=2) if isinstance(name, int) else catalogue.load(name)
    space = discretize(instance, grid)
    return space, constructions.get(construction, instance).on(space)


@pytest.mark.parametrize(("name", "grid"), CASES)
def test_every_construction_passes_the_audit(name, grid):
    found = constructions.names(catalogue.load(name))
    assert found
    for construction in found:
        space, mechanism = built(construction, name, grid)
        assert audit_mechanism(space.values, mechanism).passed, construction
        assert mechanism.welfare(space.gains, space.seller) <= space.first_best + 1e-12


@pytest.mark.parametrize("construction", ["t*", "section3.3", "envelope"])
@pytest.mark.parametrize("name", ["jmmz", "linear", pytest.param(3, marks=pytest.mark.slow)])
def test_conditionally_efficient_constructions_sell_only_to_the_highest_value(construction, name):
    space, mechanism = built(construction, name, 3)
    rule = mechanism.allocation
    sold_for = np.where(rule, space.gains, -np.inf).max(axis=0)
    sold = rule.any(axis=0)
    assert sold.any()
    assert (sold_for[sold] >= space.gains.max(axis=0)[sold] - 1e-9).all()


def test_sequential_constructions_sell_more_and_more():
    """t*, a step of the envelope, the envelope: each sells where the one before does."""
    rules = [built(name, "linear", 3)[1].allocation for name in ("t*", "section3.3", "envelope")]
    assert (rules[0] <= rules[1]).all()
    assert (rules[1] <= rules[2]).all()
    assert rules[2].sum() > rules[0].sum()


def test_the_envelope_starts_at_the_pivotal_price_and_never_rises():
    instance = random_instance(5, buyers=2)
    rng = np.random.default_rng(0)
    others = {name: rng.random(6) for name in instance.buyers[1].signals}
    first = np.linspace(0.0, 1.0, 7)[:, None]
    strikes = EnvelopeStrikes(instance).strike(0, first, others)
    assert strikes[0] == pytest.approx(PivotalPrices(instance).price(0, others), abs=1e-9)
    assert (strikes[1:] <= strikes[:-1] + 1e-9).all()


def test_the_boundary_fails_the_audit_in_the_wrong_order_of_arrival():
    instance = reversed_signals(catalogue.load("jmmz"))
    space = discretize(instance, 6)
    mechanism = constructions.get("boundary", instance).on(space)
    assert mechanism.welfare(space.gains, space.seller) == pytest.approx(space.first_best)
    assert not audit_mechanism(space.values, mechanism).passed


def test_equation_15_crowds_with_three_buyers_and_its_repair_does_not():
    instance = catalogue.load("three-buyers")
    point = {"p1": 1 / 6, "c1": 1 / 2, "p2": 1 / 2, "c2": 1 / 6, "p3": 1 / 2, "c3": 1 / 6}
    at = {name: np.array([value]) for name, value in point.items()}
    for literal, winners in ((True, 2), (False, 0)):
        prices = ExampleTwoPrices(instance, literal)
        wins = sum(bool((instance.value(i, at) > prices.price(i, at))[0]) for i in range(3))
        assert wins == winners
    assert instance.value(1, at)[0] == pytest.approx(7 / 12)
    assert ExampleTwoPrices(instance, True).price(1, at)[0] == pytest.approx(19 / 36)


def test_repaired_prices_are_admissible_at_random_signals():
    rng = np.random.default_rng(15)
    for name in ("jmmz", "three-buyers", "four-buyers"):
        instance = catalogue.load(name)
        at = {signal: rng.random(20_000) for signal in instance.signals}
        prices = ExampleTwoPrices(instance)
        wins = np.stack([instance.value(i, at) > prices.price(i, at) for i in range(instance.n)])
        assert wins.sum(axis=0).max() == 1


def test_example_2_finds_out_which_signal_is_which_and_the_weight():
    swapped = Instance(
        "swapped", (Buyer("1", ("c1", "p1"), "p1 + 1.5*c1*c2"), Buyer("2", ("c2", "p2"), "p2 + 1.5*c1*c2"))
    )
    prices = ExampleTwoPrices(swapped)
    assert prices.roles == ((("p1", "c1"), ("p2", "c2")), pytest.approx(1.5))
    assert prices.price(0, {"p2": np.array([0.2]), "c2": np.array([0.4])})[0] == pytest.approx(
        0.2 + 1.5 * 0.16
    )
    with pytest.raises(InputError, match="another form"):
        ExampleTwoPrices(catalogue.load("linear"))


def test_rule_9_extends_rule_3_on_pivotal_curves_only():
    instance = catalogue.load("jmmz")
    space = discretize(instance, 4)
    prices = prices_on(space, ExampleTwoPrices(instance))
    strict = rule_3(space.values, prices, 1e-12)
    extended = priced_mechanism(space, ExampleTwoPrices(instance)).allocation
    assert (strict <= extended).all()
    added = extended & ~strict
    margin = np.stack([v - p.broadcast() for v, p in zip(space.values, prices, strict=True)])
    assert added.any()
    assert np.abs(margin[added]).max() < 1e-12


def test_static_second_best_of_uniform_sums():
    """V = a + b and w = V - 1.2 + 0.4: the gain rises with the value alone, so W(V*) = 0 at V* = 0.8."""
    instance = Instance("sum", (Buyer("1", ("a", "b"), "a + b"),), seller="0.8")
    assert StaticSecondBest(instance).level == pytest.approx(0.8, abs=1e-9)


@pytest.mark.parametrize("name", ["privatization", "public-rival"])
def test_static_second_best_beats_every_price_on_a_fine_grid(name):
    instance = catalogue.load(name)
    price = StaticSecondBest(instance)
    space = discretize(instance, 300)
    order = np.argsort(space.values[0])
    totals = np.cumsum(space.gains[0][order][::-1])[::-1] / space.states
    best = int(np.argmax(totals))
    assert price.gain(price.level) == pytest.approx(totals[best], abs=2e-4)
    assert price.level == pytest.approx(space.values[0][order][best], abs=2e-2)
    assert abs(gain_at_value(instance, price.level)) < 1e-9


@pytest.mark.slow
def test_theorem_8_lies_between_the_static_price_and_the_boundary():
    improved = ImprovedStrikes(catalogue.load("privatization"))
    price, right, left, outer = improved.steps
    assert left[1] < left[0] <= right[0] + 1e-6 < right[1]
    assert outer[0] < price < outer[1]
    strikes = improved.strike(0, np.linspace(0, 1, 101), {})
    assert (strikes[1:] <= strikes[:-1]).all()
    with pytest.raises(InputError, match="neither condition"):
        ImprovedStrikes(reversed_signals(catalogue.load("privatization")))
    with pytest.raises(InputError, match="2 buyers"):
        ImprovedStrikes(catalogue.load("jmmz"))


def test_unknown_names_and_undefined_constructions_are_refused():
    jmmz = catalogue.load("jmmz")
    with pytest.raises(InputError, match=r"unknown construction 'exampel2'.*did you mean"):
        constructions.get("exampel2", jmmz)
    with pytest.raises(InputError, match="one buyer"):
        constructions.get("theorem7", jmmz)
    assert constructions.names(jmmz) == ("t*", "example2", "section3.3", "envelope", "boundary")
    with pytest.raises(InputError, match="first"):
        constructions.get(
            "envelope", Instance("late", (Buyer("1", ("a", "b"), "a+b", stages=(("b",), ("a",))),))
        )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["section3.3", "envelope"])
def test_strikes_under_unbounded_priors_are_refused_without_a_warning(name):
    instance = Instance(
        "unbounded",
        (Buyer("1", ("a", "b"), "a + b"), Buyer("2", ("c", "d"), "c + d")),
        {"a": Prior("norm"), "c": Prior("norm")},
    )
    with pytest.raises(InputError, match="unbounded"):
        constructions.get(name, instance).on(discretize(instance, 3))
