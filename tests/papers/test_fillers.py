"""Prices of three buyers with a filler: never two winners, worth more than Example 2's, hardly raised by completion.

What each check rests on is broken on purpose below it."""

import numpy as np
import pytest

import expost as ex
from expost.errors import InputError
from expost.mechanisms.continuum.posted import PostedMechanism
from expost.papers.bikhchandani import fillers
from expost.papers.bikhchandani.example2 import ExampleTwoPrices
from expost.papers.bikhchandani.fillers import FillerPrices
from expost.papers.constructions import starts
from expost.spaces.quantile_space import quantile_space, scrambled

BUYERS = (1, 2, 3)


def instance_of(weight=1.0, swapped=False):
    """Three buyers whose common parts have a weight, either signal first."""
    buyers = []
    for i in BUYERS:
        j, k = (other for other in BUYERS if other != i)
        names = (f"c{i}", f"p{i}") if swapped else (f"p{i}", f"c{i}")
        buyers.append(ex.Buyer(str(i), names, f"p{i} + {weight}*c{i}*max(c{j}, c{k})"))
    return ex.Instance("weighted", buyers)


def outcome(instance, prices, count=2**17, seed=1):
    """Winners in random states, and their values."""
    names = [name for buyer in instance.buyers for name in buyer.signals]
    signals = dict(zip(names, np.random.default_rng(seed).random((len(names), count)), strict=True))
    values = np.stack([instance.value(i, signals) for i in range(instance.n)])
    wins = np.stack([values[i] > prices.price(i, signals) for i in range(instance.n)])
    return wins.sum(axis=0), (values * wins).sum(axis=0)


@pytest.mark.parametrize("weight", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("swapped", [False, True])
def test_no_state_has_two_winners(weight, swapped):
    instance = instance_of(weight, swapped)
    assert outcome(instance, FillerPrices(instance))[0].max() == 1


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("_answer", lambda y, p, t: f"{y}*max({y}, {t})"),  # Example 2's, whatever the other offers
        ("_supremum", lambda p, c, t: f"-1 + 0*({p} + {c} + {t})"),
        ("_blocking", lambda x, y: f"{x}*({x} - {y}) + 0.1"),
    ],
)
def test_each_price_is_needed(monkeypatch, name, wrong):
    monkeypatch.setattr(fillers, name, wrong)
    instance = instance_of()
    assert outcome(instance, FillerPrices(instance))[0].max() > 1


def test_a_weight_counts_by_its_root(monkeypatch):
    monkeypatch.setattr(fillers.np, "sqrt", lambda weight: weight)
    instance = instance_of(0.5)
    assert outcome(instance, FillerPrices(instance))[0].max() > 1


def gain(instance):
    """Welfare beyond Example 2's, and its standard error, on the same states."""
    _, ours = outcome(instance, FillerPrices(instance))
    _, theirs = outcome(instance, ExampleTwoPrices(instance))
    return (ours - theirs).mean(), (ours - theirs).std() / np.sqrt(len(ours))


def test_fillers_are_worth_what_they_are_said_to_be():
    found, error = gain(ex.load("three-buyers"))
    assert error < 5e-4 and abs(found - 0.0068) < 4.0 * error


@pytest.mark.parametrize(("name", "value"), [("FLAT", 9.0), ("FLAT", -0.3), ("SHIFT", 0.2)])
def test_other_numbers_are_worth_less(monkeypatch, name, value):
    monkeypatch.setattr(fillers, name, value)
    found, error = gain(ex.load("three-buyers"))
    assert found < 0.0068 - 4.0 * error


def test_completion_hardly_raises_them():
    instance = ex.load("three-buyers")
    space = quantile_space(instance, ("static",) * 3, (None,) * 3)
    mechanism = PostedMechanism(space, "fillers", (0, 1, 2), FillerPrices(instance).formulas, 15, 1e-3)
    levels = space.split(scrambled(128, sum(space.dims), np.random.default_rng(1)))
    stated = np.stack([mechanism.given(i, levels) for i in range(space.n)])
    assert (stated == -1.0).any()  # someone fills
    assert (mechanism.strikes(levels) - np.maximum(stated, 0.0)).max() < 1.01e-3


def test_brackets_start_from_them():
    named = [given.name for given in starts(ex.load("three-buyers"))]
    assert named[0] == "example2" and "filler" in named
    for other in ("four-buyers", "jmmz"):
        assert "filler" not in [given.name for given in starts(ex.load(other))]


def test_other_instances_are_refused():
    with pytest.raises(InputError, match="4 buyers"):
        FillerPrices(ex.load("four-buyers"))
    with pytest.raises(InputError, match="another form"):
        FillerPrices(ex.load("linear-three"))
