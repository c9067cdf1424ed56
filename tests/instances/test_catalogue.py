"""The catalogue: every instance is cited, and is what its paper says it is."""

from importlib.resources import files

import numpy as np
import pytest

from expost.errors import InputError
from expost.instances import catalogue
from expost.instances.assumptions import assumption_1, assumption_2, assumption_3, own_signals_increasing

NAMES = (
    "common-value",
    "example3-a",
    "example3-b",
    "four-buyers",
    "jmmz",
    "linear",
    "linear-three",
    "lottery",
    "one-dimensional",
    "privatization",
    "public-rival",
    "three-buyers",
)
LINE = np.linspace(0.0, 1.0, 41)
SQUARE = np.meshgrid(LINE, LINE, indexing="ij")


def test_names():
    assert catalogue.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_instance_is_cited_and_described(name):
    instance = catalogue.load(name)
    entry = next(entry for entry in catalogue.describe() if entry.name == name)
    assert instance.name == name
    assert instance.citation == entry.citation
    assert entry.citation.startswith(("Bikhchandani (2006), ", "Zik, "))
    assert "\n" not in entry.description
    assert entry.buyers == tuple(buyer.name for buyer in instance.buyers)
    assert entry.signals == tuple(buyer.signals for buyer in instance.buyers)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_moves_a_value(name):
    entry = next(entry for entry in catalogue.describe() if entry.name == name)
    text = files(catalogue).joinpath(f"{name}.toml").read_text()
    for parameter, default in entry.parameters.items():
        assert text.count(parameter) > 1
        assert catalogue.load(name, **{parameter: default}) == catalogue.load(name)
        assert catalogue.load(name, **{parameter: -default - 0.125}) != catalogue.load(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_assumptions_hold(name):
    instance = catalogue.load(name)
    for assumption in (assumption_1, assumption_2, assumption_3):
        assert assumption(instance, points=4).holds
    for i in range(instance.n):
        assert own_signals_increasing(instance, i, points=4, ends=False).holds


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("jmmy", {}, "no instance 'jmmy'.*did you mean 'jmmz'"),
        ("three-buyers", {"a": 1.0}, "unknown parameter 'a'; expected no parameters"),
        ("jmmz", {"a": 1.0}, "unknown parameter 'a'; expected one of k"),
        ("linear", {"alpha": 1.0}, "unknown parameter 'alpha'; expected one of alpha11"),
        ("linear", {"alpha11": "2"}, "alpha11 = '2'; expected a number"),
        ("linear", {"alpha11": True}, "alpha11 = True"),
        ("linear", {"alpha11": float("inf")}, "alpha11 = inf; expected a finite number"),
        ("linear", {"alpha11": 10**400}, "alpha11"),
        ("linear", {"alpha11": 1e200}, "astronomically large"),
        ("../linear", {}, "no instance '../linear'"),
    ],
)
def test_what_the_catalogue_refuses(name, parameters, message):
    with pytest.raises(InputError, match=message):
        catalogue.load(name, **parameters)


def test_jmmz_is_example_1():
    instance = catalogue.load("jmmz")
    s = {"p1": np.float64(0.3), "c1": np.float64(0.5), "p2": np.float64(0.2), "c2": np.float64(0.8)}
    assert instance.value(0, s) == pytest.approx(0.3 + 0.4)
    assert instance.value(1, s) == pytest.approx(0.2 + 0.4)


def test_privatization_is_a_monopoly_with_linear_demand():
    """Profit and consumer surplus against a search over quantities (Zik, Example 5)."""
    instance = catalogue.load("privatization")
    quantity = np.linspace(0.0, 4.0, 40_001)
    price = 2.0 - 0.25 * quantity
    for m, f in ((0.0, 0.0), (0.4, 0.7), (1.0, 1.0)):
        profit = (price - (1.2 - 0.4 * m)) * quantity - (0.6 - 0.6 * f)
        best = int(np.argmax(profit))
        assert quantity[best] > 0.0
        surplus = np.trapezoid(price[: best + 1] - price[best], quantity[: best + 1])
        s = {"m": np.float64(m), "f": np.float64(f)}
        assert instance.value(0, s) == pytest.approx(profit[best], abs=1e-6)
        assert instance.externality(0, s) == pytest.approx(surplus, abs=1e-3)


def test_privatization_meets_the_conditions_of_example_5():
    instance = catalogue.load("privatization")
    s = dict(zip(("m", "f"), SQUARE, strict=True))
    value, social = instance.value(0, s), instance.value(0, s) + instance.externality(0, s)
    assert value.min() > 0.0
    for axis, compare in ((0, np.greater), (1, np.isclose)):
        steps, social_steps = np.diff(value, axis=axis), np.diff(social, axis=axis)
        assert (steps > 0).all()
        assert compare(social_steps, steps).all()
    boundary = _boundary(instance, s)
    assert len(boundary) > 10
    assert (np.diff(boundary) < 0).all()


def _boundary(instance, s):
    """The buyer's value along the boundary of the efficient rule, one entry per first signal that it meets."""
    gain, value = instance.gain(0, s), instance.value(0, s)
    return np.array(
        [np.interp(0.0, gain[k], value[k]) for k in range(len(gain)) if gain[k, 0] < 0.0 < gain[k, -1]]
    )


@pytest.mark.parametrize(
    ("parameters", "falls"),
    [({}, True), ({"beta1": 1.0, "beta2": 0.5}, False), ({"beta1": 1.0, "beta2": 0.75}, None)],
)
def test_public_rival_is_example_6(parameters, falls):
    """Sequentially attainable iff beta1/beta2 <= alpha1/alpha2, statically iff they are equal."""
    instance = catalogue.load("public-rival", **parameters)
    s = dict(zip(("x", "y"), SQUARE, strict=True))
    values = {"alpha1": 2.0, "alpha2": 1.5, "beta1": 0.5, "beta2": 1.0, **parameters}
    expected = (
        (values["alpha1"] - values["beta1"]) * s["x"] + (values["alpha2"] - values["beta2"]) * s["y"] - 1.0
    )
    np.testing.assert_allclose(instance.gain(0, s), expected, atol=1e-12)
    boundary = _boundary(instance, s)
    assert len(boundary) > 10
    if falls is None:
        np.testing.assert_allclose(boundary, boundary[0], rtol=1e-9)
    else:
        assert ((np.diff(boundary) < 0) == falls).all()


def test_linear_places_each_coefficient():
    names = [f"{greek}{i}{k}" for greek in ("alpha", "beta") for i in (1, 2) for k in (1, 2)]
    chosen = dict(zip(names, (3.0, 5.0, 7.0, 11.0, 13.0, 17.0, 19.0, 23.0), strict=True))
    instance = catalogue.load("linear", **chosen)
    for k, (x, y) in enumerate((("x1", "y1"), ("x2", "y2"))):
        greek = ("alpha", "beta")[k]
        for i in (0, 1):
            for number, signal in ((1, x), (2, y)):
                s = {name: np.float64(name == signal) for name in instance.signals}
                assert instance.value(i, s) == chosen[f"{greek}{i + 1}{number}"]


def test_linear_attains_the_first_best_sequentially_but_not_statically():
    """The two ratio conditions of section 3.2 at the defaults, strictly."""
    c = next(entry for entry in catalogue.describe() if entry.name == "linear").parameters
    for k in (1, 2):
        assert c[f"alpha1{k}"] > c[f"alpha2{k}"] > 0
        assert c[f"beta2{k}"] > c[f"beta1{k}"] > 0
    assert c["alpha11"] / c["alpha12"] > c["alpha21"] / c["alpha22"]
    assert c["beta21"] / c["beta22"] > c["beta11"] / c["beta12"]


def test_one_dimensional_first_best_is_monotone_in_every_fibre():
    instance = catalogue.load("one-dimensional")
    s = dict(zip(("s1", "s2"), SQUARE, strict=True))
    first = instance.value(0, s) > instance.value(1, s)
    assert (np.diff(first.astype(int), axis=0) >= 0).all()
    assert first.any()
    assert not first.all()


def test_common_value_enters_both_values_alike():
    instance = catalogue.load("common-value", common=2.0)
    rng = np.random.default_rng(0)
    s = {name: rng.random(50) for name in instance.signals}
    np.testing.assert_allclose(instance.value(0, s) - instance.value(1, s), s["p1"] - s["p2"], atol=1e-12)


@pytest.mark.parametrize(
    ("name", "private", "weight", "buyers"),
    [
        ("three-buyers", "p", 1.0, 3),
        ("four-buyers", "p", 1.0, 4),
        ("example3-a", "pa", 1.0, 3),
        ("example3-b", "pb", 1.5, 3),
    ],
)
def test_values_with_the_largest_common_part_of_the_others(name, private, weight, buyers):
    instance = catalogue.load(name)
    assert instance.n == buyers
    rng = np.random.default_rng(1)
    s = {signal: rng.random(20) for signal in instance.signals}
    for i in range(buyers):
        rivals = np.max([s[f"c{j + 1}"] for j in range(buyers) if j != i], axis=0)
        expected = s[f"{private}{i + 1}"] + weight * s[f"c{i + 1}"] * rivals
        np.testing.assert_allclose(instance.value(i, s), expected, rtol=1e-12)


def test_linear_three_treats_the_buyers_alike():
    instance = catalogue.load("linear-three", own_second=1.5)
    rng = np.random.default_rng(2)
    s = {signal: rng.random(5) for signal in instance.signals}
    turned = {f"{name[0]}{int(name[1]) % 3 + 1}": array for name, array in s.items()}
    for i in range(3):
        np.testing.assert_allclose(instance.value(i, s), instance.value((i + 1) % 3, turned), rtol=1e-12)
