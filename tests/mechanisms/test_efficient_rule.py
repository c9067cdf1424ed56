"""The efficient rule: closed-form boundaries, and implementability against the conditions of the papers."""

import numpy as np
import pytest

from expost.errors import InputError
from expost.instances import Buyer, Instance, Prior
from expost.instances.catalogue import load
from expost.papers.zik.efficient import efficient_boundary
from expost.papers.zik.orders import implementability, ratio_conditions


def test_the_boundary_of_example_6_is_a_line_with_the_strike_of_the_formula():
    boundary = efficient_boundary(load("public-rival"), 0, "x", {}, points=201)
    x = boundary.signal
    second = (1.0 - 1.5 * x) / 0.5
    inside = (second > 1e-6) & (second < 1 - 1e-6)
    assert np.isfinite(boundary.second[0][inside]).all()
    assert boundary.second[0][inside] == pytest.approx(second[inside], abs=1e-9)
    assert boundary.strike[0][inside] == pytest.approx((2.0 * x + 1.5 * second)[inside], abs=1e-9)
    assert boundary.mrs_value[0][inside] == pytest.approx(2.0 / 1.5, abs=1e-6)
    assert boundary.mrs_society[0][inside] == pytest.approx(3.0, abs=1e-6)
    low, high = boundary.segment()
    assert low[0] == pytest.approx(1 / 3, abs=1e-2) and high[0] == pytest.approx(2 / 3, abs=1e-2)
    assert boundary.fall == 0.0


def test_jmmz_boundaries_in_both_orders():
    instance, others = load("jmmz"), {"p2": [0.3, 0.6], "c2": [0.5, 0.8]}
    common = efficient_boundary(instance, 0, "c1", others)
    for f, (p2, c2) in enumerate(zip(*others.values(), strict=True)):
        assert common.second[f] == pytest.approx(p2, abs=1e-9)
        assert common.strike[f] == pytest.approx(p2 + common.signal * c2, abs=1e-9)
    private = efficient_boundary(instance, 0, "p1", others)
    assert np.isnan(private.second).all()
    assert (private.upper[0][private.signal < 0.29] == np.inf).all()
    assert np.isnan(private.segment()[0]).all()


def test_rises_are_the_differences_of_the_formula():
    report = implementability(load("jmmz"), others=4)
    common = report.order("c1")
    assert common.rise == pytest.approx(common.witness["c2"], abs=1e-9)
    assert common.mrs_excess == pytest.approx(common.mrs_witness["c2"], abs=1e-6)
    assert report.order("p1").attained and not report.order("p1").attained_statically
    assert report.sequential() == {
        ("p1", "p2"): True,
        ("p1", "c2"): False,
        ("c1", "p2"): False,
        ("c1", "c2"): False,
    }
    assert not report.static


@pytest.mark.parametrize(
    ("name", "orders"),
    [
        ("privatization", {("m",): True, ("f",): False}),
        ("public-rival", {("x",): True, ("y",): False}),
    ],
)
def test_one_buyer_exactly_one_order_attains_the_first_best(name, orders):
    report = implementability(load(name))
    assert report.sequential() == orders and not report.static


def test_example_6_flips_with_the_ratio_and_is_static_at_equality():
    assert implementability(load("public-rival", beta1=1.2, beta2=0.5)).sequential() == {
        ("x",): False,
        ("y",): True,
    }
    equal = implementability(load("public-rival", beta1=1.0, beta2=0.75))
    assert equal.static and equal.sequential() == {("x",): True, ("y",): True}
    assert abs(equal.order("x").mrs_excess) < 1e-9


def linear(alpha, beta):
    def value(i):
        return f"{alpha[i][0]}*x1 + {alpha[i][1]}*y1 + {beta[i][0]}*x2 + {beta[i][1]}*y2"

    return Instance("linear", (Buyer("1", ("x1", "y1"), value(0)), Buyer("2", ("x2", "y2"), value(1))))


@pytest.mark.parametrize("seed", range(7))
def test_linear_values_attain_the_first_best_exactly_under_the_ratio_conditions(seed):
    rng = np.random.default_rng(seed)
    alpha, beta = (np.sort(rng.uniform(0.2, 3.0, (2, 2)), axis=0) for _ in range(2))
    alpha = alpha[::-1]
    conditions = ratio_conditions(alpha, beta)
    orders = implementability(linear(alpha, beta), others=6, rows=61)
    assert orders.sequential()[("x1", "x2")] == conditions.sequential
    assert orders.order("x1").attained == (conditions.first >= 0)
    assert orders.order("y1").attained == (conditions.first <= 0)
    assert orders.order("x2").attained == (conditions.second >= 0)
    assert orders.order("y2").attained == (conditions.second <= 0)
    assert (orders.order("x1").mrs_excess <= 1e-9) == (conditions.first >= 0)
    assert not orders.static


def test_linear_values_with_equal_ratios_are_static():
    alpha, beta = np.array([[2.0, 1.0], [1.0, 0.5]]), np.array([[0.5, 0.25], [1.0, 0.5]])
    conditions = ratio_conditions(alpha, beta)
    assert conditions.first == conditions.second == 0.0
    assert implementability(linear(alpha, beta), others=4).static


def test_the_worst_state_of_the_others_is_searched_for_from_the_corners_inwards():
    """At midpoints of 4, 8 and 16 cells per signal these weights look attained; near the corner they are not."""
    weights = {"alpha11": 0.6, "alpha12": 0.7, "alpha21": 0.5, "alpha22": 0.5}
    weights |= {"beta11": 0.5, "beta12": 0.5, "beta21": 10.0, "beta22": 10.0}
    report = implementability(load("linear", **weights), others=4)
    assert not report.sequential()["x1", "x2"]
    worst = report.order("x1")
    assert worst.rise > 0.1 and max(worst.witness["x2"], worst.witness["y2"]) < 0.05
    again = efficient_boundary(
        load("linear", **weights), 0, "x1", {k: worst.witness[k] for k in ("x2", "y2")}, points=101
    )
    rises = again.lower - np.minimum.accumulate(again.upper, axis=1)
    assert rises.max() == pytest.approx(worst.rise)


def test_equal_rates_and_static_implementability_go_together():
    assert implementability(load("public-rival", beta1=1.0, beta2=0.75)).order("x").mrs_gap < 1e-6
    assert implementability(load("public-rival")).order("x").mrs_gap == pytest.approx(5 / 3, abs=1e-6)


def test_one_signal_needs_no_second_stage():
    report = implementability(load("one-dimensional"))
    assert report.static and report.sequential() == {("s1", "s2"): True}


def test_dependent_stages_are_compared_in_quantiles():
    prior = {"y": Prior("norm", {"loc": "2*x", "scale": 1.0})}
    instance = Instance("dependent", (Buyer("1", ("x", "y"), "y", "0.5*x"),), prior)
    report = implementability(instance)
    assert [order.first for order in report.orders] == ["x"]
    assert report.orders[0].attained
    taxed = Instance("taxed", (Buyer("1", ("x", "y"), "y", "-0.5*x"),), prior)
    assert implementability(taxed).orders[0].rise == pytest.approx(0.5, abs=1e-6)


def test_falling_values_are_reported():
    instance = Instance("falls", (Buyer("1", ("x", "y"), "x - y"),))
    assert implementability(instance).orders[0].fall > 0.05


def test_bad_requests():
    with pytest.raises(InputError, match="2 second-stage signals"):
        implementability(Instance("three", (Buyer("1", ("x", "y", "z"), "x+y+z"),)))
    with pytest.raises(InputError, match="no value for c2"):
        efficient_boundary(load("jmmz"), 0, "p1", {"p2": 0.5})
    with pytest.raises(InputError, match="first signal"):
        efficient_boundary(load("jmmz"), 0, "p2", {"p2": 0.5, "c2": 0.1})
    with pytest.raises(InputError, match="at most a million"):
        implementability(load("four-buyers"), others=20)
