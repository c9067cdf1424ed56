"""Prices, rule (9) and the audit by definition against literal deviations, one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expost.errors import AuditError
from expost.mechanisms.mechanism import Mechanism, audit_static, mechanism_from_prices, static_mechanism
from expost.mechanisms.prices import Choice, given_prices, implementing_prices


def literal_gain(values, mechanism):
    """The best gain of any buyer, in any state, from any report or from staying out."""
    shape = mechanism.allocation.shape[1:]
    best = 0.0
    for i, terms in enumerate(mechanism.terms):
        wins, price = mechanism.allocation[i], np.broadcast_to(terms.broadcast(), shape)
        for state in itertools.product(*map(range, shape)):
            payoff = values[i][state] - price[state] if wins[state] else 0.0
            best = max(best, 0.0 - payoff)
            for report in range(shape[i]):
                lie = (*state[:i], report, *state[i + 1 :])
                if wins[lie]:
                    best = max(best, values[i][state] - price[state] - payoff)
    return best


def random_rule(seed, shape, levels=5):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, levels, size=(len(shape), *shape)).astype(float)
    winner = rng.integers(0, len(shape) + 1, size=shape)
    return values, np.stack([winner == i + 1 for i in range(len(shape))])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(3, 4), (5,), (2, 3, 2)]), st.sampled_from(list(Choice)))
def test_the_audit_finds_the_best_literal_deviation(seed, shape, choice):
    values, allocation = random_rule(seed, shape)
    mechanism = static_mechanism(values, allocation, choice)
    assert audit_static(values, mechanism).worst_gain == pytest.approx(literal_gain(values, mechanism))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_rules_made_by_prices_pass_and_their_prices_lie_in_the_interval(seed):
    rng = np.random.default_rng(seed)
    values = rng.random((2, 4, 5))
    prices = (given_prices(rng.random(5), 0), given_prices(rng.random(4), 1))
    mechanism = mechanism_from_prices(values, prices)
    mechanism.allocation[1] &= ~mechanism.allocation[0]
    for i in range(2):
        wins = values[i] > prices[i].broadcast()
        implied = implementing_prices(values[i], wins, i)
        assert (implied.lower <= prices[i].price).all() and (prices[i].price <= implied.upper).all()


def test_each_choice_of_price_implements_the_rule():
    values, _ = random_rule(3, (6, 6), levels=40)
    allocation = np.stack([values[0] > 20, np.zeros((6, 6), dtype=bool)])
    for choice in Choice:
        mechanism = static_mechanism(values, allocation, choice)
        assert audit_static(values, mechanism).passed
        again = mechanism_from_prices(values, mechanism.terms)
        if choice is Choice.MIDPOINT:
            assert np.array_equal(again.allocation, allocation)


def test_prices_are_infinite_where_a_buyer_never_wins_and_the_worst_winning_value_where_he_always_does():
    values = np.array([[1.0, 2.0], [3.0, 4.0]])
    wins = np.array([[False, True], [False, True]])
    prices = implementing_prices(values, wins, 0)
    assert prices.price[0] == np.inf and prices.lower[0] == 3.0
    assert prices.price[1] == 2.0 and prices.lower[1] == -np.inf


def test_rule_9_gives_a_tie_to_the_first_buyer_and_only_where_nobody_is_above():
    values = np.array([[[1.0, 1.0]], [[1.0, 2.0]]])
    prices = (given_prices(np.array([1.0, 1.0]), 0), given_prices(np.array([1.0]), 1))
    allocation = mechanism_from_prices(values, prices).allocation
    assert allocation[:, 0, 0].tolist() == [True, False]
    assert allocation[:, 0, 1].tolist() == [False, True]


def test_planted_violations_are_found_where_they_are():
    rng = np.random.default_rng(1)
    values = rng.random((2, 6, 6))
    allocation = np.stack([values[0] > 0.5, np.zeros((6, 6), dtype=bool)])
    mechanism = static_mechanism(values, allocation)
    assert audit_static(values, mechanism).passed
    best = np.unravel_index(np.argmax(np.where(allocation[0], values[0], -1)), (6, 6))
    allocation[0][best] = False
    verdict = audit_static(values, mechanism)
    assert not verdict.passed and verdict.buyers[0].state == tuple(best)
    with pytest.raises(AuditError, match="buyer 1"):
        verdict.require("the test")


def test_two_winners_are_found():
    allocation = np.ones((2, 2, 2), dtype=bool)
    verdict = audit_static(np.ones((2, 2, 2)), static_mechanism(np.ones((2, 2, 2)), allocation))
    assert verdict.crowded == 4 and not verdict.passed


def test_a_price_that_is_not_a_number_fails():
    values = np.ones((1, 3))
    mechanism = Mechanism(np.array([[True, True, False]]), (given_prices(np.array(np.nan), 0),))
    assert not audit_static(values, mechanism).passed


def test_revenue_sale_and_welfare_of_a_small_rule():
    values = np.array([[[3.0, 1.0], [5.0, 4.0]], [[0.0, 2.0], [0.0, 0.0]]])
    allocation = np.array([[[True, False], [True, True]], [[False, True], [False, False]]])
    mechanism = static_mechanism(values, allocation)
    assert mechanism.sold == 1.0
    assert mechanism.revenue() == pytest.approx((3 + 3 + 2.5 + 1.0) / 4)
    assert mechanism.welfare(values, 0.25) == pytest.approx(0.25 + (3 + 5 + 4 + 2) / 4)
