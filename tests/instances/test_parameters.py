"""Parameters: numbers by name in formulas, functions, priors and densities; set anew; refused in one line."""

import pickle

import numpy as np
import pytest
import scipy.stats

from expost.errors import InputError
from expost.instances import (
    Buyer,
    Instance,
    Prior,
    instance_from_toml,
    instance_to_toml,
    load,
    write_instance,
)

BUYERS = [Buyer("1", ["p1", "c1"], "p1 + k*c1*c2"), Buyer("2", ["p2", "c2"], "p2 + k*c1*c2", "m*p2")]
STATE = {name: np.array([0.2, 0.6]) for name in ("p1", "c1", "p2", "c2")}


def stated(**given):
    fields = {"parameters": {"k": 2, "m": 0.5}, "seller": "m/10"} | given
    return Instance("mine", BUYERS, **fields)


def test_formulas_use_parameters():
    instance = stated()
    literal = Instance(
        "mine",
        [Buyer("1", ["p1", "c1"], "p1 + 2*c1*c2"), Buyer("2", ["p2", "c2"], "p2 + 2*c1*c2", "0.5*p2")],
        seller="0.5/10",
    )
    for i in (0, 1):
        assert instance.gain(i, STATE).tolist() == literal.gain(i, STATE).tolist()
    assert pickle.loads(pickle.dumps(instance)).value(0, STATE).tolist() == instance.value(0, STATE).tolist()


def test_functions_take_parameters_by_name():
    def value(p1, k, m=7.0, other=1.0):
        return other * p1 + 10 * k + 100 * m

    instance = stated().with_parameters(k=3.0)
    buyers = [Buyer("1", ["p1", "c1"], value), instance.buyers[1]]
    function = Instance("f", buyers, parameters={"k": 3.0, "m": 0.5})
    assert function.valuation(0).signals == ("p1",)
    assert function.value(0, STATE).tolist() == (STATE["p1"] + 30 + 50).tolist()
    assert function.with_parameters(k=1.0).value(0, STATE).tolist() == (STATE["p1"] + 10 + 50).tolist()


def test_priors_take_parameters():
    priors = {
        "p1": Prior("beta", {"a": "1 + k", "b": 2.0}),
        "c1": Prior("uniform", {"scale": "m + 0.5*p1"}),
    }
    instance = stated(priors=priors)
    levels = np.array([0.1, 0.7])
    np.testing.assert_allclose(
        instance.prior("p1").quantile(levels), scipy.stats.beta(3, 2).ppf(levels), rtol=1e-14
    )
    assert instance.prior("p1").conditions == ()
    assert instance.prior("c1").conditions == ("p1",)
    assert instance.prior("c1").quantile(np.float64(1.0), {"p1": np.float64(1.0)}) == 1.0
    changed = instance.with_parameters(k=0.0, m=1.0)
    assert changed.prior("p1").quantile(0.5) == pytest.approx(scipy.stats.beta(1, 2).ppf(0.5))
    assert changed.priors == instance.priors


def test_parameters_round_trip_and_can_be_set_when_loading(tmp_path):
    instance = stated(priors={"p1": Prior("beta", {"a": "1 + k", "b": 2.0})}, joint="1 + m*c1*c2", units=2)
    assert instance_from_toml(instance_to_toml(instance)) == instance
    write_instance(instance, tmp_path / "mine.toml")
    read = load(tmp_path / "mine.toml", k=5.0)
    assert read == instance.with_parameters(k=5.0)
    assert read.parameters == {"k": 5.0, "m": 0.5}
    assert load(read, m=0.25).parameters == {"k": 5.0, "m": 0.25}
    assert load(read) is read
    assert load("linear", beta21=4.0) == load("linear").with_parameters(beta21=4.0)


def test_a_default_that_does_not_work_can_be_replaced(tmp_path):
    text = 'name = "x"\n[parameters]\nk = 0\n[[buyers]]\nname = "1"\nsignals = ["p"]\nvalue = "p + 1/k"\n'
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(InputError, match="without a finite value"):
        load(tmp_path / "x.toml")
    assert load(tmp_path / "x.toml", k=2.0).value(0, {"p": np.zeros(1)}) == 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: stated(parameters={"k": 1.0}), "externality: uses 'm', which no buyer observes; .*k"),
        (lambda: stated(parameters={"k": None, "m": 1.0}), "parameters: k without a value"),
        (lambda: stated(parameters={"k": "1", "m": 1.0}), "parameters: k = '1'; expected a number"),
        (lambda: stated(parameters={"k": float("nan"), "m": 1}), "k = nan; expected a finite number"),
        (lambda: stated(parameters={"k": True, "m": 1}), "k = True"),
        (lambda: stated(parameters={"k": 1e200, "m": 1}), "astronomically large"),
        (lambda: stated(parameters={"k": 1, "m": 1, "p1": 1}), "'p1' is a signal and a parameter"),
        (lambda: stated(parameters={"k": 1, "m": 1, "exp": 1}), "a parameter named 'exp'"),
        (lambda: stated(parameters={"k": 1, "m": 1, "a b": 1}), "a parameter named 'a b'"),
        (lambda: stated(parameters=[1.0]), "parameters: list; expected numbers by name"),
        (lambda: stated().with_parameters(q=1.0), "unknown parameter 'q'; expected one of k, m"),
        (lambda: load("three-buyers", k=1.0), "unknown parameter 'k'; expected no parameters"),
        (lambda: load(3), "instance: an instance of type int"),
        (lambda: stated(units=0), "units: 0 units; expected a positive whole number"),
        (lambda: stated(units=True), "units: True units"),
        (lambda: stated(joint="1 + q"), "joint: density: uses 'q'"),
        (lambda: Instance("x" * 101, BUYERS), "name: an instance named 'x.*at most 100 characters"),
        (lambda: Instance("a\x1bb", [Buyer("1", ["p"], "p")]), "name: an instance named"),
        (lambda: Instance("x", [Buyer("1" * 200, ["p"], "p")]), "a buyer named"),
        (lambda: Instance("x", [Buyer("1", ["p" * 200], "1")]), "a signal named"),
        (lambda: Instance("x", "buyers"), "instance x: buyers 'buyers'"),
        (lambda: Buyer("1", "p1", "p1"), "signals: 'p1'; expected a list of names"),
        (lambda: Buyer("1", ["p1"], "p1", stages="p1"), "stages: 'p1'; expected a list"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_messages_stay_short_whatever_is_given():
    long = "x" * 100_000
    text = f'name = "x"\n{long} = 3\n[[buyers]]\nname = "1"\nsignals = ["p"]\nvalue = "p"\n'
    for make in (
        lambda: instance_from_toml(text),
        lambda: load(long),
        lambda: load(long + ".toml"),
        lambda: load("/" * 5000 + "x.toml"),
        lambda: load("linear", **{long: 1.0}),
        lambda: Instance(long, BUYERS),
        lambda: stated(parameters={long: 1.0}),
        lambda: stated(priors={long: Prior()}),
    ):
        with pytest.raises(InputError) as caught:
            make()
        assert len(str(caught.value)) < 1000
