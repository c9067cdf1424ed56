"""Prices by formula, completed: never under-estimated suprema, the welfare of the paper's prices, saved as text."""

import json

import numpy as np
import pytest

import expost as ex
from expost.brackets.lower.evaluation import states_replicate, welfare_replicate
from expost.errors import AuditError, InputError
from expost.mechanisms.continuum.posted import PostedMechanism
from expost.mechanisms.continuum.saved import load_mechanism
from expost.papers.constructions import get
from expost.spaces.quantile_space import quantile_space, scrambled

NAMES = {"jmmz": 2, "three-buyers": 3, "four-buyers": 4}


def space_of(name):
    return quantile_space(ex.load(name), ("static",) * NAMES[name], (None,) * NAMES[name])


def example_2(name, order=None, precision=1e-4, lower=0.0):
    formulas = tuple(f"{text} - {lower}" for text in get("example2", ex.load(name)).formulas)
    return PostedMechanism(
        space_of(name), "example 2", order or tuple(range(NAMES[name])), formulas, 15, precision
    )


def states_of(mechanism, count, seed=1):
    space = mechanism.space
    return space.split(scrambled(count, sum(space.dims), np.random.default_rng(seed)))


@pytest.mark.parametrize("name", NAMES)
def test_formulas_are_the_prices(name):
    mechanism, prices = example_2(name), get("example2", ex.load(name)).prices
    levels = states_of(mechanism, 64)
    for i in range(mechanism.space.n):
        assert mechanism.given(i, levels) == pytest.approx(prices.price(i, mechanism.space.signals(levels)))


@pytest.mark.parametrize("name", ["jmmz", "three-buyers"])
def test_admissible_prices_are_hardly_raised(name):
    mechanism = example_2(name)
    levels = states_of(mechanism, 64)
    strikes = mechanism.strikes(levels)
    for i in range(mechanism.space.n):
        raised = strikes[i] - mechanism.given(i, levels)
        assert (raised >= 0.0).all() and raised.max() < 1.01e-4
    assert mechanism.audit(256, 3).passed


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_no_type_of_a_later_buyer_wins_where_an_earlier_one_may(order):
    mechanism = example_2("three-buyers", order, lower=0.15)  # too low to be admissible: suprema count
    space, levels = mechanism.space, states_of(mechanism, 24)
    assert mechanism.audit(256, 3).passed
    strikes = mechanism.strikes(levels)
    rng = np.random.default_rng(5)
    for k in order[1:]:
        assert (strikes[k] > mechanism.given(k, levels) + 1e-3).any()
        own = rng.random((24, 4096, 2))
        joint = [
            own if j == k else np.broadcast_to(part[:, None], own.shape) for j, part in enumerate(levels)
        ]
        taken = np.zeros(own.shape[:2], dtype=bool)
        for j in mechanism.earlier(k):
            flat = [part.reshape(-1, 2) for part in joint]
            taken |= space.value(j, joint) > mechanism.given(j, flat).reshape(own.shape[:2])
        highest = np.where(taken, space.value(k, joint), -np.inf).max(axis=1)
        assert (strikes[k] >= highest).all()
        assert (strikes[k] - np.maximum(highest, mechanism.given(k, levels))).mean() < 0.05


def test_strikes_are_known_where_they_are_won_at():
    mechanism = example_2("three-buyers", lower=0.15)
    levels = states_of(mechanism, 48)
    for i in range(3):
        value, strike = mechanism.space.value(i, levels), mechanism.strike(i, levels)
        found, above = mechanism.strike_where(i, levels, value), value > strike
        assert above.any() and found[above] == pytest.approx(strike[above], abs=1e-9)
        assert (found[~above] >= value[~above]).all()


def test_prices_that_rise_and_fall_are_bounded_by_intervals():
    formulas = tuple(f"p{j} + p{k} + (c{j} - 0.5)**2 + c{k}**2 - 0.3" for j, k in ((2, 3), (1, 3), (1, 2)))
    mechanism = PostedMechanism(space_of("three-buyers"), "wavy", (0, 1, 2), formulas, 12, 1e-3)
    assert mechanism.slopes[0, 1] is None and mechanism.audit(256, 1).passed


def test_welfare_is_that_of_states_one_by_one():
    mechanism = example_2("three-buyers", lower=0.1, precision=1e-3)
    quick = [welfare_replicate(one, mechanism, 64) for one in np.random.SeedSequence(1).spawn(8)]
    plain = [states_replicate(mechanism, 16, one) for one in np.random.SeedSequence(2).spawn(8)]
    error = np.hypot(np.std(quick), np.std(plain)) / np.sqrt(8)
    assert abs(np.mean(quick) - np.mean(plain)) < 4.0 * error


def test_two_winners_are_noticed(monkeypatch):
    mechanism = example_2("three-buyers", lower=0.3)
    monkeypatch.setattr(PostedMechanism, "strike", lambda self, i, levels, tick=None: self.given(i, levels))
    with pytest.raises(AuditError, match="more winners than units"):
        welfare_replicate(np.random.SeedSequence(1), mechanism, 512)
    assert mechanism.audit(256).crowded


def test_bad_formulas_are_refused():
    space = space_of("jmmz")
    for formulas in (("p1", "p1"), ("p2 + q", "p1"), ("p2 +", "p1")):
        with pytest.raises(InputError):
            PostedMechanism(space, "bad", (0, 1), formulas, 10, 1e-3)
    in_turn = quantile_space(ex.load("jmmz"), ("sequential",) * 2, ("c1", "c2"))
    with pytest.raises(InputError, match="two stages"):
        PostedMechanism(in_turn, "bad", (0, 1), ("p2", "p1"), 10, 1e-3)


def test_it_is_saved_as_text_and_damage_is_noticed(tmp_path):
    mechanism = example_2("three-buyers", (2, 0, 1))
    mechanism.save(tmp_path)
    again, levels = load_mechanism(tmp_path), states_of(mechanism, 16)
    assert (again.strikes(levels) == mechanism.strikes(levels)).all() and again.order == (2, 0, 1)
    file = tmp_path / "mechanism.json"
    record = json.loads(file.read_text())
    for change in (
        {"precision": -1},
        {"precision": 0},
        {"order": [0, 0, 1]},
        {"formulas": record["formulas"][1:]},
        {"formulas": record["formulas"][::-1]},  # of their own signals
        {"depth": 99},
    ):
        file.write_text(json.dumps(record | change))
        with pytest.raises(InputError):
            load_mechanism(tmp_path)


@pytest.mark.slow
def test_brackets_of_three_buyers_have_them(tmp_path):
    found = ex.bracket("three-buyers", accuracy=0.01, time_limit=40.0, seed=1)
    assert any("example2's prices" in bound.method for bound in found.history)
    folder = found.save(tmp_path / "saved")
    assert ex.verify(folder).passed
