"""Assumption reports against brute force over all comparable pairs of states, and on instances made to fail."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expost.errors import InputError
from expost.instances import Buyer, Instance, Prior, catalogue, check_assumptions, random_instance
from expost.instances.assumptions import (
    assumption_1,
    assumption_2,
    assumption_3,
    first_stage_monotone,
    own_signals_increasing,
)


def instance_of(*formulas, priors=None):
    buyers = tuple(Buyer(str(i + 1), (f"p{i + 1}", f"c{i + 1}"), text) for i, text in enumerate(formulas))
    return Instance("x", buyers, priors or {})


def worst_pair(function, signals, raised, points):
    """The largest fall of ``function`` between a state and one at least as high in ``raised``, equal elsewhere."""
    states = list(itertools.product(np.linspace(0.0, 1.0, points), repeat=len(signals)))
    values = [function(dict(zip(signals, state, strict=True))) for state in states]
    worst = -np.inf
    for low, before in zip(states, values, strict=True):
        for high, after in zip(states, values, strict=True):
            above = all(
                b >= a if name in raised else a == b for name, a, b in zip(signals, low, high, strict=True)
            )
            if above and low != high:
                worst = max(worst, before - after)
    return worst


WILD = "0.7*{a}*{b} - {c}*({a} - 0.3)**2 + 0.4*sin({k}*{b}) - 0.2*{d}"


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.permutations(["p1", "c1", "p2", "c2"]))
def test_worst_violations_are_those_of_brute_force(k, m, order):
    a, b, c, d = order
    instance = instance_of(WILD.format(a=a, b=b, c=c, d=d, k=k), WILD.format(a=d, b=c, c=a, d=b, k=m))

    def value(i):
        return lambda s: float(instance.value(i, {name: np.float64(x) for name, x in s.items()}))

    report = assumption_1(instance, points=3)
    expected = max(worst_pair(value(i), instance.signals, instance.signals, 3) for i in (0, 1))
    assert report.violation == pytest.approx(expected, abs=1e-12)
    assert report.states == 81
    check_witness(instance, report, value(int(report.subject[2]) - 1))

    def lead(i):
        return lambda s: value(i)(s) - value(1 - i)(s)

    report = assumption_2(instance, points=3)
    expected = max(worst_pair(lead(i), instance.signals, instance.buyers[i].signals, 3) for i in (0, 1))
    assert report.violation == pytest.approx(expected, abs=1e-12)
    check_witness(instance, report, lead(int(report.subject[2]) - 1))


def check_witness(instance, report, function):
    low, high = report.witness
    assert function(low) - function(high) == pytest.approx(report.violation, abs=1e-12)
    assert all(low[name] <= high[name] for name in instance.signals)
    assert report.holds == (report.violation <= report.tolerance)


def test_a_violation_of_single_crossing_is_placed():
    report = assumption_2(instance_of("p1 + c1*c2", "p2 + 3*c1*c2"))
    assert not report.holds
    assert report.subject == "V_1 - V_2"
    assert report.violation == pytest.approx(2.0)
    low, high = report.witness
    assert (low["c1"], high["c1"], low["c2"], high["c2"]) == (0.0, 1.0, 1.0, 1.0)
    assert "worst for V_1 - V_2, by 2, between (p1 = " in str(report)


def test_a_fall_is_measured_from_the_top_of_the_rise_before_it():
    report = assumption_1(instance_of("p1*(1 - p1) + c1", "p2"))
    low, high = report.witness
    assert report.violation == pytest.approx(0.25)
    assert (low["p1"], high["p1"]) == (0.5, 1.0)


def test_strict_variants():
    jmmz = catalogue.load("jmmz")
    assert assumption_1(jmmz).holds
    assert not assumption_1(jmmz, strict=True).holds  # V_1 does not rise in p2
    assert not assumption_2(jmmz, strict=True).holds  # c1 raises both values alike
    assert not own_signals_increasing(jmmz, 0).holds  # c1 is worth nothing where c2 = 0
    assert own_signals_increasing(jmmz, 0, ends=False).holds
    assert own_signals_increasing(jmmz, 0, strict=False).holds
    linear = catalogue.load("linear")
    assert assumption_1(linear, strict=True).holds
    assert assumption_2(linear, strict=True).holds
    assert assumption_2(linear, strict=True).violation == pytest.approx(
        -0.125
    )  # alpha12 - alpha22 = 0.5 by a quarter


def test_trivial_instances():
    report = assumption_3(instance_of("1 + p1", "p2"))
    assert not report.holds
    assert report.subject == "V_2"
    assert report.violation == pytest.approx(0.0)
    equal = assumption_3(instance_of("p1 + p2", "p1 + p2"))
    assert not equal.holds
    assert equal.violation == 0.0
    assert assumption_3(instance_of("p1", "p2", "0*p3")).holds  # two of three suffice (Appendix A)
    assert not assumption_3(instance_of("1 + p1", "p2", "p3")).holds


def test_one_buyer_has_nobody_to_cross():
    assert [report.holds for report in check_assumptions(catalogue.load("privatization"))] == [
        True,
        True,
        True,
    ]


def test_the_first_stage_at_fixed_quantiles():
    """Zik 2.3.1: V = second signal, whose distribution moves down in the first."""
    falling = Prior("uniform", {"loc": "-p1"})
    rising = Prior("beta", {"a": "1 + p1", "b": 2.0})
    for prior, holds in ((falling, False), (rising, True), (Prior(), True)):
        report = first_stage_monotone(instance_of("c1", "p2", priors={"c1": prior}), 0)
        assert report.holds is holds
    report = first_stage_monotone(instance_of("c1", "p2", priors={"c1": falling}), 0)
    assert report.violation == pytest.approx(1.0)
    low, high = report.witness
    assert (low["p1"], high["p1"], low["c1"] - high["c1"]) == (0.0, 1.0, pytest.approx(1.0))
    assert not first_stage_monotone(instance_of("c1", "p2"), 0, strict=True).holds
    assert first_stage_monotone(instance_of("c1 + p1", "p2"), 0, strict=True).holds


def test_unbounded_supports_are_sampled_inside():
    report = assumption_1(instance_of("exp(p1) + c1", "p2", priors={"p1": Prior("norm")}))
    assert report.holds
    assert all(np.isfinite(list(state.values())).all() for state in report.witness)


def test_conditional_supports_are_covered():
    priors = {"c1": Prior("uniform", {"loc": "2*p1"})}
    low, high = assumption_1(instance_of("-c1", "p2", priors=priors)).witness
    assert (low["c1"], high["c1"]) == (0.0, 3.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: assumption_1(catalogue.load("jmmz"), points=1), "1 points per signal"),
        (lambda: assumption_1(catalogue.load("jmmz"), points=2.5), "2.5 points"),
        (
            lambda: assumption_1(catalogue.load("four-buyers"), points=20),
            "2.56e.10 states.*take fewer points",
        ),
        (lambda: assumption_2(instance_of("1/p1", "p2")), "value of buyer 1 is inf at p1 = 0"),
    ],
)
def test_unusable_tests_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.parametrize("points", [2, 3, 6])
def test_scaling_the_values_scales_the_violation(points):
    formula = "p1*(1.2 - p1) + c1*p2"
    one = assumption_1(instance_of(formula, "p2"), points=points).violation
    seven = assumption_1(instance_of(f"7*({formula})", "7*p2"), points=points).violation
    assert seven == pytest.approx(7 * one)


def test_relabelling_the_buyers_changes_nothing():
    instance = random_instance(5, family="not-single-crossing")
    turned = Instance("x", instance.buyers[::-1])
    for assumption in (assumption_1, assumption_2, assumption_3):
        assert assumption(instance).violation == pytest.approx(assumption(turned).violation)
