"""Valuations: formulas, numbers and callables behave as one kind of object."""

import pickle
import warnings

import numpy as np
import pytest

from expost.errors import InputError
from expost.instances import Buyer, Instance, Valuation, as_valuation, instance_to_toml, non_finite_witness

P = np.array([[0.0], [1.0]])
C = np.array([[0.25, 0.5, 0.75]])
SIGNALS = {"p": P, "c": C}


@pytest.mark.parametrize("value", ["p + c**2", lambda p, c: p + c**2, lambda *, c, p: c**2 + p])
def test_text_and_callables_agree(value):
    valuation = as_valuation(value, where="v")
    assert set(valuation.signals) == {"p", "c"}
    np.testing.assert_array_equal(valuation(SIGNALS), P + C**2)


@pytest.mark.parametrize("value", ["2", 2, 2.0, np.float64(2.0), np.int64(2), lambda: 2, lambda p: 2])
def test_constants_fill_the_broadcast_shape(value):
    result = as_valuation(value, where="v")(SIGNALS)
    assert result.shape == (2, 3)
    assert result.dtype == np.float64
    assert (result == 2.0).all()


@pytest.mark.parametrize("value", ["p", lambda p: p])
def test_results_are_fresh_contiguous_arrays(value):
    result = as_valuation(value, where="v")(SIGNALS)
    assert result.shape == (2, 3)
    assert result.flags.c_contiguous
    assert result.flags.writeable
    result += 1.0
    assert P.max() == 1.0


def test_parameters_with_defaults_are_no_signals():
    valuations = [as_valuation(lambda p, k=k: k * p, where="v") for k in (1.0, 2.0)]
    assert [v.signals for v in valuations] == [("p",), ("p",)]
    assert [float(v(SIGNALS).max()) for v in valuations] == [1.0, 2.0]


def test_callables_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isinf(as_valuation(lambda p: 1 / p, where="v")(SIGNALS)).any()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (lambda *signals: 0, "parameter"),
        (lambda p, /: p, "parameter"),
        (lambda **signals: 0, "parameter"),
        (np.add, "parameter"),
        (None, "NoneType"),
        (True, "bool"),
        ([1], "list"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (1e200, "astronomically"),
        (1j, "complex"),
    ],
)
def test_what_is_no_valuation_is_refused(value, reason):
    with pytest.raises(InputError, match=f"^v: .*{reason}"):
        as_valuation(value, where="v")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (lambda p: "high", "returned <U4"),
        (lambda p: p + 1j, "complex"),
        (lambda p: None, "object"),
        (lambda p: np.zeros(5), r"shape \(5,\)"),
        (lambda p: np.zeros((2, 2, 3)), r"shape \(2, 2, 3\)"),
    ],
)
def test_what_a_callable_may_not_return(value, reason):
    with pytest.raises(InputError, match=f"^v: .*{reason}"):
        as_valuation(value, where="v")(SIGNALS)


def test_a_missing_signal_is_named():
    with pytest.raises(InputError, match="no values for q"):
        as_valuation("p + q", where="v")(SIGNALS)


def test_a_valuation_stays_itself():
    valuation = as_valuation("p", where="v")
    assert as_valuation(valuation, where="w") is valuation
    assert isinstance(pickle.loads(pickle.dumps(valuation)), Valuation)


def test_callables_work_in_instances_and_are_refused_by_files():
    instance = Instance("x", (Buyer("1", ("p",), lambda p: p + 1),))
    assert instance.value(0, {"p": np.float64(1.0)}) == 2.0
    with pytest.raises(
        InputError, match=r"buyer 1: value: a Python callable.*give the valuation as a formula"
    ):
        instance_to_toml(instance)


@pytest.mark.parametrize(
    ("instance", "witness"),
    [
        (
            Instance("x", (Buyer("1", ("p", "c"), "p/(c - 0.5)"),)),
            "value of buyer 1 is nan at p = 0, c = 0.5",
        ),
        (Instance("x", (Buyer("1", ("p", "c"), "p", "1/p"),)), "externality of buyer 1 is inf at p = 0"),
        (
            Instance("x", (Buyer("1", ("p", "c"), "p"),), seller="log(p - 1)"),
            "value of the seller is nan at p = 0",
        ),
        (Instance("x", (Buyer("1", ("p", "c"), "p"),)), None),
    ],
)
def test_the_first_value_that_is_not_finite_is_found(instance, witness):
    assert non_finite_witness(instance, SIGNALS) == witness
