"""An instance refers to everything by exactly one name, and says where it does not."""

import pickle

import numpy as np
import pytest

from expost.errors import InputError
from expost.instances import Buyer, Instance, Prior

ONE = Buyer("1", ("p1", "c1"), "p1 + c1*c2")
TWO = Buyer("2", ("p2", "c2"), "p2 + c1*c2")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Instance("x", ()), "instance x: no buyers"),
        (lambda: Instance("x", (ONE, ONE)), "two buyers named '1'"),
        (lambda: Instance("x", (Buyer("", ("p",), "p"),)), "a buyer named ''"),
        (lambda: Instance("x", (Buyer("a\nb", ("p",), "p"),)), r"a buyer named 'a\\nb'"),
        (lambda: Instance("x", (Buyer("1", (), "0"),)), "buyer 1: signals: no signals"),
        (lambda: Instance("x", (Buyer("1", "p1", "p1"),)), "buyer 1: signals: 'p1'; expected a list"),
        (lambda: Instance("x", (Buyer("1", ("p", "p"), "p"),)), "signal 'p' is declared twice"),
        (
            lambda: Instance("x", (ONE, Buyer("2", ("c1",), "c1"))),
            "'c1' is declared twice, by buyer 1 and by buyer 2",
        ),
        (lambda: Instance("x", (Buyer("1", ("max",), "0"),)), "a signal named 'max'"),
        (lambda: Instance("x", (Buyer("1", ("p 1",), "0"),)), "a signal named 'p 1'"),
        (lambda: Instance("x", (Buyer("1", (3,), "0"),)), "a signal named 3"),
        (lambda: Instance("x", (ONE,)), "buyer 1: value: uses 'c2', which no buyer observes.*only p1, c1"),
        (lambda: Instance("x", (Buyer("1", ("price",), "prise"),)), "uses 'prise'.*did you mean 'price'"),
        (lambda: Instance("x", (ONE, TWO), seller="zz"), "seller: value: uses 'zz'.*declare it"),
        (lambda: Instance("x", (Buyer("1", ("p",), "p", "q"),)), "buyer 1: externality: uses 'q'"),
        (lambda: Instance("x", (Buyer("1", ("p",), lambda q: q),)), "buyer 1: value: uses 'q'"),
        (lambda: Instance("x", (Buyer("1", ("p",), "p +"),)), "buyer 1: value: a syntax error"),
        (
            lambda: Instance("x", (ONE, TWO), {"p3": Prior()}),
            "priors.p3: a prior of 'p3', which no buyer observes",
        ),
        (lambda: Instance("x", (Buyer("1", ("p",), "p", stages=()),)), "buyer 1: stages: 0 stages"),
        (lambda: Instance("x", (Buyer("1", ("p",), "p", stages=((), ("p",))),)), "buyer 1: stages"),
        (lambda: Instance("x", (Buyer("1", ("p", "c"), "p", stages=(("p",), ())),)), "exactly once"),
        (lambda: Instance("x", (Buyer("1", ("p", "c"), "p", stages=(("p",), ("p",))),)), "exactly once"),
        (lambda: Instance("x", (Buyer("1", ("p",), "p", stages=(("p",), (), ())),)), "3 stages"),
        (
            lambda: Instance("x", (Buyer("1", ("p", "c"), "p", stages=("p", "c")),)),
            "stages: 'p'; expected a list",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_line(build, message):
    with pytest.raises(InputError, match=message) as caught:
        build()
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_names_and_stages():
    instance = Instance("x", (ONE, Buyer("2", ["p2", "c2"], "p2", stages=[["c2"], ["p2"]])))
    assert instance.n == 2
    assert instance.signals == ("p1", "c1", "p2", "c2")
    assert instance.stages(0) == (("p1",), ("c1",))
    assert instance.stages(1) == (("c2",), ("p2",))
    assert instance.owner("c2") == 1
    with pytest.raises(InputError, match="unknown signal 'q'"):
        instance.owner("q")


def test_gains_are_value_plus_externality_minus_the_sellers_value():
    rng = np.random.default_rng(3)
    signals = {"p": rng.random((4, 1)), "c": rng.random((1, 5))}
    instance = Instance("x", (Buyer("1", ("p", "c"), "p + c", "p*c"),), seller="0.5*c")
    expected = signals["p"] + signals["c"] + signals["p"] * signals["c"] - 0.5 * signals["c"]
    np.testing.assert_allclose(instance.gain(0, signals), expected, rtol=1e-15)


def test_instances_travel_to_other_processes():
    """joblib pickles what it sends; values, priors and caches must arrive."""
    instance = Instance("x", (ONE, TWO), {"c1": Prior("beta", {"a": "1 + p1", "b": 2.0})}, seller="0.1")
    signals = {name: np.array([0.25, 0.5]) for name in instance.signals}
    before = instance.gain(0, signals)
    copy = pickle.loads(pickle.dumps(instance))
    assert copy == instance
    np.testing.assert_array_equal(copy.gain(0, signals), before)
    np.testing.assert_array_equal(
        copy.prior("c1").quantile(np.float64(0.5), signals),
        instance.prior("c1").quantile(np.float64(0.5), signals),
    )
