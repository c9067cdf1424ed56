"""The prices t* of Bikhchandani (4)-(6) and Appendix A against closed forms, linear programs and multistart search."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from expost.errors import InputError
from expost.instances import catalogue
from expost.instances.environment import Buyer, Instance
from expost.instances.priors import Prior
from expost.instances.random_instances import random_instance
from expost.papers import levels
from expost.papers.bikhchandani.pivotal_prices import (
    PivotalPrices,
    curve_index,
    diagonal_value,
    largest_on_curve,
    single_crossing_gap,
)
from expost.papers.fibres import fibres


def draws(instance, count, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.random(count) for name in instance.signals}


def test_example_1_at_a_thousand_signals():
    instance = catalogue.load("jmmz")
    prices, signals = PivotalPrices(instance), draws(instance, 1000)
    found = [prices.price(i, signals) for i in range(2)]
    for i in range(2):
        assert np.abs(found[i] - signals[f"p{2 - i}"] - signals[f"c{2 - i}"]).max() < 1e-8


def linear_instance(rng, buyers, signals):
    """Random linear values in which a signal counts at least as much for its owner as for others."""
    own = rng.uniform(0.3, 1.5, (buyers, signals))
    weights = own[None] * rng.uniform(0.0, 0.95, (buyers, buyers, signals))
    for i in range(buyers):
        weights[i, i] = own[i]
    names = [[f"s{i}_{m}" for m in range(signals)] for i in range(buyers)]
    flat = [name for row in names for name in row]
    made = tuple(
        Buyer(
            str(i),
            tuple(names[i]),
            " + ".join(f"{w:.12f}*{n}" for w, n in zip(weights[i].ravel(), flat, strict=True)),
        )
        for i in range(buyers)
    )
    return Instance("linear", made), np.round(weights, 12)


def linear_price(weights, i, j, others):
    """t*_ij of linear values by definition: V_i where V_j reaches it, else the rival's value at a corner."""
    base = [float((weights[k] * others).sum()) for k in (i, j)]
    own, rival = weights[i, i], weights[j, i]
    if base[0] + own.sum() < base[1] + rival.sum():
        return base[1] + rival.sum()
    if base[0] > base[1]:
        return base[1]
    answer = linprog(-own, A_ub=[own - rival], b_ub=[base[1] - base[0]], bounds=[(0, 1)] * len(own))
    return base[0] - answer.fun


@pytest.mark.parametrize(
    ("buyers", "signals"),
    [(2, 1), (2, 2), (2, 3), (3, 2), pytest.param(3, 3, marks=pytest.mark.slow), (2, 4)],
)
def test_linear_values_against_linear_programs(buyers, signals):
    rng = np.random.default_rng(buyers * 10 + signals)
    for _ in range(4 if buyers * signals < 6 else 2):
        instance, weights = linear_instance(rng, buyers, signals)
        at = draws(instance, 8, seed=3)
        values = np.array([at[name] for name in instance.signals]).reshape(buyers, signals, -1)
        for i in range(buyers):
            found = PivotalPrices(instance).price(i, at)
            for k in range(8):
                others = values[:, :, k].copy()
                others[i] = 0.0
                expected = max(linear_price(weights, i, j, others) for j in range(buyers) if j != i)
                assert found[k] == pytest.approx(expected, abs=1e-8)


def multistart(instance, i, j, others, starts=25):
    """max V_i subject to V_j >= V_i over own signals, by many local searches; V_j at the top if it is higher there."""
    names, rng = instance.buyers[i].signals, np.random.default_rng(5)

    def at(x):
        return {
            **{n: np.array([v]) for n, v in zip(names, x, strict=True)},
            **{n: np.array([v]) for n, v in others.items()},
        }

    def own(x):
        return float(instance.value(i, at(x))[0])

    top = at(np.ones(len(names)))
    if instance.value(i, top)[0] < instance.value(j, top)[0]:
        return float(instance.value(j, top)[0])
    best = -np.inf
    for _ in range(starts):
        answer = minimize(
            lambda x: -own(x),
            rng.random(len(names)),
            bounds=[(0, 1)] * len(names),
            method="SLSQP",
            constraints={"type": "ineq", "fun": lambda x: float(instance.value(j, at(x))[0]) - own(x)},
            options={"ftol": 1e-13, "maxiter": 200},
        )
        if float(instance.value(j, at(answer.x))[0]) - own(answer.x) > -1e-9:
            best = max(best, own(answer.x))
    return best


@pytest.mark.parametrize(
    "instance",
    [
        Instance(
            "curved three",
            (
                Buyer("1", ("a1", "b1", "c1"), "a1 + b1**2 + 0.5*c1*c2 + 0.2*a2*b1"),
                Buyer("2", ("a2", "b2", "c2"), "a2 + sqrt(b2+0.1) + 0.5*c2*c1 + 0.05*(b1+a1)**2"),
            ),
        ),
        Instance(
            "curved two",
            (
                Buyer("1", ("a1", "b1"), "a1 + 0.8*b1 + 0.5*a1*b1 + 0.3*a2"),
                Buyer("2", ("a2", "b2"), "a2 + 0.7*b2 + 0.5*sqrt(a1+0.1) + 0.3*b1**2"),
            ),
        ),
        Instance(
            "three buyers",
            (
                Buyer("1", ("a1", "b1"), "a1 + b1**2 + 0.3*exp(a2)*0.5 + 0.1*a3"),
                Buyer("2", ("a2", "b2"), "1.2*a2 + b2 + 0.4*a1*b1 + 0.2*a3"),
                Buyer("3", ("a3", "b3"), "a3 + b3 + 0.3*a1**2 + 0.3*b1**2"),
            ),
        ),
    ],
    ids=lambda instance: instance.name,
)
def test_curved_values_against_multistart_search(instance):
    at = draws(instance, 5, seed=9)
    found = PivotalPrices(instance).price(0, at)
    for k in range(5):
        others = {
            name: float(column[k]) for name, column in at.items() if name not in instance.buyers[0].signals
        }
        expected = max(multistart(instance, 0, j, others) for j in range(1, instance.n))
        assert found[k] == pytest.approx(expected, abs=1e-7)


def test_corners_always_and_never():
    """The rival always below: the price is his most on the lowest curve; always above: his value at the top."""
    low = Instance(
        "always", (Buyer("1", ("a1", "b1"), "2 + a1 + b1"), Buyer("2", ("a2", "b2"), "(a2+b2+0.1*a1)/2"))
    )
    at = {"a2": np.array([0.4]), "b2": np.array([0.2])}
    assert PivotalPrices(low).price(0, at)[0] == pytest.approx(0.3)
    high = Instance(
        "never", (Buyer("1", ("a1", "b1"), "a1 + b1"), Buyer("2", ("a2", "b2"), "3 + a2 + b2 + 0.5*a1"))
    )
    assert PivotalPrices(high).price(0, at)[0] == pytest.approx(4.1)


def test_thick_curves_take_the_largest_rival_value_on_them():
    """With c2 = 0 the lowest curve of buyer 1 is a whole edge."""
    instance = Instance(
        "thick",
        (Buyer("1", ("p1", "c1"), "1 + p1 + c1*c2"), Buyer("2", ("p2", "c2"), "p2 + 0.5*c1*c2 + 0.3*c1")),
    )
    found = PivotalPrices(instance).price(0, {"p2": np.array([0.2]), "c2": np.array([0.0])})
    assert found[0] == pytest.approx(0.5)


def test_identical_values_along_the_curve():
    instance = Instance(
        "common", (Buyer("1", ("a1", "b1"), "a1 + b1 + a2"), Buyer("2", ("a2", "b2"), "a2 + b2 + a1 + b1"))
    )
    found = PivotalPrices(instance).price(0, {"a2": np.array([0.3, 0.3]), "b2": np.array([0.0, 0.2])})
    assert found == pytest.approx([2.3, 2.5])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
@pytest.mark.slow
def test_gap_rises_and_price_sits_at_its_root(seed):
    """Lemma 2, and t* = V_i on the pivotal curve where the root is inside."""
    instance = random_instance(seed % 50, buyers=2, signals=2)
    at = draws(instance, 1, seed=seed)
    index = np.linspace(0.0, 1.0, 9)
    fibre, _ = fibres(instance, 0, {name: np.repeat(column, 9) for name, column in at.items()})
    gap = single_crossing_gap(fibre, 1, index)
    assert (np.diff(gap) > -1e-8).all()
    one = fibre.subset(np.array([0]))
    price = PivotalPrices(instance).price(0, at)
    if gap[0] <= 0.0 <= gap[-1]:
        pivot = curve_index(one, price)
        assert diagonal_value(one, pivot) == pytest.approx(price, abs=1e-9)
        assert largest_on_curve(one, 1, pivot) == pytest.approx(price, abs=1e-6)


def test_scaling_and_relabelling():
    instance = random_instance(4, buyers=2, signals=2)
    at = draws(instance, 20, seed=1)
    scaled = Instance(
        "scaled", tuple(Buyer(b.name, b.signals, f"3*({b.value})") for b in instance.buyers), instance.priors
    )
    swapped = Instance("swapped", instance.buyers[::-1], instance.priors)
    price = PivotalPrices(instance).price(0, at)
    assert PivotalPrices(scaled).price(0, at) == pytest.approx(3.0 * price, abs=1e-8)
    assert PivotalPrices(swapped).price(1, at) == pytest.approx(price, abs=1e-9)


def test_a_prior_with_another_support_stretches_the_cube():
    wide = Prior("uniform", {"loc": 0.0, "scale": 2.0})
    jmmz = catalogue.load("jmmz")
    instance = Instance("wide", jmmz.buyers, dict.fromkeys(jmmz.signals, wide), parameters=jmmz.parameters)
    found = PivotalPrices(instance).price(0, {"p2": np.array([0.5]), "c2": np.array([0.4])})
    assert found[0] == pytest.approx(0.5 + 2 * 0.4)


def test_refusals():
    jmmz = catalogue.load("jmmz")
    with pytest.raises(InputError, match="externality"):
        PivotalPrices(catalogue.load("privatization"))
    with pytest.raises(InputError, match="no values of c2"):
        PivotalPrices(jmmz).price(0, {"p2": np.array([0.5])})
    unbounded = Instance("normal", jmmz.buyers, {"p1": Prior("norm", {})}, parameters=jmmz.parameters)
    with pytest.raises(InputError, match="unbounded"):
        PivotalPrices(unbounded).price(0, {"p2": np.array([0.5]), "c2": np.array([0.5])})


def test_shapes_follow_the_arguments():
    prices = PivotalPrices(catalogue.load("jmmz"))
    grid = {"p2": np.linspace(0, 1, 3)[:, None], "c2": np.linspace(0, 1, 4)[None, :]}
    assert prices.price(0, grid) == pytest.approx(grid["p2"] + grid["c2"], abs=1e-9)


def test_a_second_peak_is_not_missed(monkeypatch):
    """An instance on which the best node of the first grid belongs to a lower peak than the maximum at some signals."""
    instance = random_instance(4, buyers=2, signals=3)
    at = {name: np.random.default_rng(k).random(1000) for k, name in enumerate(instance.signals)}
    few = {name: column[::8] for name, column in at.items()}
    usual = PivotalPrices(instance).price(0, few)
    monkeypatch.setitem(levels.NODES, 3, 21)
    assert usual == pytest.approx(PivotalPrices(instance).price(0, few), abs=1e-8)
