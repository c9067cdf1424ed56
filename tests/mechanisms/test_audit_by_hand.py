"""Prices and the audits of them by hand: what each says, where, and at the edge of what it allows."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from expost.errors import AuditError
from expost.mechanisms.audit import Audit, BuyerAudit, allowed_gain, audit_admissibility, audit_prices
from expost.mechanisms.lottery_audit import audit_lottery, crowded_states
from expost.mechanisms.lottery_menu import Layout
from expost.mechanisms.mechanism import Mechanism, static_mechanism
from expost.mechanisms.menu import Fees, menu_from_rule
from expost.mechanisms.prices import (
    Choice,
    allocation_from_prices,
    given_prices,
    implementing_prices,
)
from expost.mechanisms.sequential_audit import audit_mechanism, audit_menu
from expost.spaces.stages import Stages
from expost.spaces.weights import Weights
from expost.tolerances import INCENTIVE

VALUES = np.array([[1.0, 4.0], [3.0, 6.0]])
WINS = np.array([[False, False], [True, True]])


# ---- prices


def test_each_choice_is_a_place_between_the_best_loser_and_the_worst_winner():
    for choice, price in ((Choice.LOWEST, [1, 4]), (Choice.MIDPOINT, [2, 5]), (Choice.HIGHEST, [3, 6])):
        found = implementing_prices(VALUES, WINS, 0, choice)
        assert (found.buyer, found.lower.tolist(), found.upper.tolist()) == (0, [1, 4], [3, 6])
        assert found.price.tolist() == price
    assert implementing_prices(VALUES, WINS, 0).price.tolist() == [2, 5]
    never = implementing_prices(VALUES, WINS, 1)
    assert never.lower.tolist() == [4.0, -np.inf] and never.upper.tolist() == [np.inf, 3.0]
    assert never.price.tolist() == [np.inf, 3.0]


def test_payments_and_revenue_with_and_without_weights():
    prices = given_prices(np.array([2.0, 5.0]), 0)
    assert (prices.lower is prices.price) and (prices.upper is prices.price)
    assert prices.broadcast().shape == (1, 2)
    assert given_prices(np.array([2.0, 5.0]), 1).broadcast().shape == (2, 1)
    assert prices.payments(WINS).tolist() == [[0, 0], [2, 5]]
    assert prices.revenue(WINS) == 7 / 4
    weights = Weights((np.array([0.25, 0.75]), np.array([0.9, 0.1])))
    assert prices.revenue(WINS, weights=weights) == pytest.approx(0.75 * (0.9 * 2 + 0.1 * 5))


def test_how_likely_a_win_is_in_each_state_of_the_others():
    prices = given_prices(np.array([2.0, 5.0, 1.0]), 0)
    wins = np.array([[True, False, True], [True, True, False]])
    assert prices.exercise(wins).tolist() == [1.0, 0.5, 0.5]
    density = np.array([[1.0, 1.0, 0.0], [1.0, 3.0, 0.0]])
    weights = Weights((np.array([0.5, 0.5]), np.full(3, 1 / 3)), density)
    assert prices.exercise(wins, weights).tolist() == [1.0, 0.75, 0.0]  # the last never happens
    assert given_prices(np.array([0.0, 0.0]), 1).exercise(wins).tolist() == pytest.approx([2 / 3, 2 / 3])


def test_units_go_to_those_above_their_prices_then_to_the_first_at_theirs():
    values = np.array([[[5.0]], [[3.0]], [[2.0]]]).reshape(3, 1, 1, 1)

    def rule(levels, tie=0.0, units=1):
        prices = tuple(given_prices(np.array([[level]]), i) for i, level in enumerate(levels))
        return allocation_from_prices(values, prices, tie, units).ravel().tolist()

    assert rule([4.0, 3.0, 2.0]) == [True, False, False]
    assert rule([5.0, 3.0, 2.0]) == [True, False, False]
    assert rule([6.0, 3.0, 2.0]) == [False, True, False]
    assert rule([4.0, 3.0, 2.0], units=2) == [True, True, False]
    assert rule([5.0, 3.0, 1.0], units=2) == [True, False, True]
    assert rule([4.0, 2.0, 1.0]) == [True, True, True]  # not admissible: the audit says so
    assert rule([4.95, 3.05, 9.0], tie=0.1) == [True, False, False]
    assert rule([5.05, 2.95, 9.0], tie=0.1) == [True, False, False]
    assert rule([5.2, 3.05, 9.0], tie=0.1) == [False, True, False]
    assert rule([np.inf, np.inf, np.inf], tie=0.1, units=3) == [False] * 3


# ---- static


def test_the_best_deviation_is_named_with_its_state_and_size():
    low = audit_prices(VALUES, WINS, given_prices(np.array([0.5, 5.0]), 0))
    assert (low.buyer, low.gain, low.state) == (0, 0.5, (0, 0))
    assert low.deviation == "a loser who would rather win"
    high = audit_prices(VALUES, WINS, given_prices(np.array([2.0, 6.25]), 0))
    assert (high.gain, high.state, high.deviation) == (0.25, (1, 1), "a winner who would rather lose")
    none = audit_prices(VALUES, WINS, given_prices(np.array([np.nan, 5.0]), 0))
    assert none.gain == np.inf and not none.passed and none.deviation == "a price that is not a number"
    fine = audit_prices(VALUES, WINS, given_prices(np.array([2.0, 5.0]), 0))
    assert fine.gain == 0.0 and fine.passed and fine.allowed == allowed_gain(VALUES)
    # where nobody of a fibre wins there is nothing to report, whatever the price
    assert audit_prices(VALUES, np.zeros_like(WINS), given_prices(np.array([0.0, 0.0]), 0)).gain == 0.0


def test_what_is_allowed_is_allowed_and_grows_with_the_values():
    assert allowed_gain(np.array([1000.0])) == pytest.approx(1000 * INCENTIVE)
    assert BuyerAudit(0, 1e-9, (0,), "", 1e-9).passed and not BuyerAudit(0, 2e-9, (0,), "", 1e-9).passed


def test_verdicts_in_words():
    good = BuyerAudit(0, 1e-12, (0, 1), "none", 1e-9)
    bad = BuyerAudit(1, 0.125, (2, 1), "a loser who would rather win", 1e-9)
    assert Audit((good,), 0, None).passed and Audit((), 0, None).worst_gain == 0.0
    assert Audit((good,), 0, None).explain() == "no deviation gains more than 1e-12"
    assert Audit((good, bad), 0, None).worst_gain == 0.125
    told = "buyer 2 gains 0.125 at state (2, 1) (a loser who would rather win); allowed 1e-09"
    assert Audit((good, bad), 0, None).explain() == told
    crowded = Audit((good,), 3, (1, 1))
    assert (
        not crowded.passed and crowded.explain() == "3 states have more than one winner, for example (1, 1)"
    )
    assert Audit((good,), 3, (1, 1), 2).explain() == "3 states have more than 2 winners, for example (1, 1)"
    with pytest.raises(AuditError, match=r"the rule from a test failed the audit: buyer 2 gains 0\.125"):
        Audit((good, bad), 0, None).require("a test")
    Audit((good,), 0, None).require("a test")


def test_states_with_too_many_winners_are_counted():
    allocation = np.array([[[1, 1], [0, 0]], [[1, 0], [0, 1]], [[1, 1], [0, 1]]], dtype=bool)
    assert audit_admissibility(allocation) == (3, (0, 0))
    assert audit_admissibility(allocation, 2) == (1, (0, 0))
    assert audit_admissibility(allocation, 3) == (0, None)
    assert audit_admissibility(allocation[:, ::-1]) == (3, (1, 0))
    assert audit_admissibility(np.ones((300, 1), dtype=bool), 255) == (1, (0,))


def test_a_mechanism_is_audited_with_its_units():
    values = np.array([VALUES, VALUES])
    both = static_mechanism(values, np.array([WINS, WINS.T]))
    one = audit_mechanism(values, both)
    assert (one.crowded, one.crowded_state, one.units) == (1, (1, 1), 1) and not one.passed
    two = audit_mechanism(values, Mechanism(both.allocation, both.terms, units=2))
    assert (two.crowded, two.crowded_state, two.units) == (0, None, 2) and two.passed
    assert [buyer.buyer for buyer in two.buyers] == [0, 1]


# ---- sequential


def menu():
    """One buyer alone, three first levels of two second types."""
    values = np.array([[1.0, 4.0], [2.0, 5.0], [2.5, 6.0]]).reshape(6)
    wins = np.array([[0, 1], [0, 1], [1, 1]], dtype=bool).reshape(6)
    return values, wins, menu_from_rule(values, wins, Stages(0, ("a", "b"), (3, 2), "a"))


def test_menus_that_are_right_gain_nothing_and_each_wrong_one_is_named():

    values, wins, right = menu()
    assert audit_menu(values, wins, right).passed
    dear = replace(right, seller_best=right.seller_best + np.array([[0.0, 0.5, 0.0]]))
    away = audit_menu(values, wins, dear)
    assert not away.passed and away.state in ((2,), (3,))
    cheap = replace(right, seller_best=right.seller_best - np.array([[0.0, 0.0, 0.75]]))
    found = audit_menu(values, wins, cheap, (Fees.SELLER_BEST,))
    assert found.deviation == "reporting level 2 in the first stage, seller-best fees"
    strike = replace(right, strike=right.strike + np.array([[9.0, 0.0, 0.0]]))
    second = audit_menu(values, wins, strike)
    assert (not second.passed and second.state == (1,)) or second.state == (0,)
    assert audit_menu(values, wins, dear, (Fees.INTEGRAL,)).passed


# ---- lotteries


def literal_lottery(values, wins, pays, layout, chances=None):
    """The best deviation with plain loops over reports and second-stage strategies."""
    fibres, worst = layout.fibres(values), 0.0
    n_fibres, levels, seconds = fibres.shape
    for f in range(n_fibres):
        for a in range(levels):
            chance = np.full(seconds, 1 / seconds) if chances is None else chances[a]
            truth = [wins[f, a, b] * fibres[f, a, b] - pays[f, a, b] for b in range(seconds)]
            if layout.stages is None:
                worst = max(worst, *(-t for t in truth))
            else:
                worst = max(worst, -float(chance @ np.array(truth)))
            for o in range(levels):
                best = [
                    max(wins[f, o, r] * fibres[f, a, b] - pays[f, o, r] for r in range(seconds))
                    for b in range(seconds)
                ]
                if o == a:
                    worst = max(worst, *(x - t for x, t in zip(best, truth, strict=True)))
                if layout.stages is not None:
                    worst = max(worst, float(chance @ (np.array(best) - np.array(truth))))
    return worst


STAGES = [Stages(1, ("a", "b"), (2, 3), first) for first in ("a", "b")]
LAYOUTS = [Layout(1), Layout(0), *(Layout(1, stages) for stages in STAGES)]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(6))
def test_lotteries_against_loops(seed, layout, monkeypatch):
    rng = np.random.default_rng(seed)
    values = rng.random((4, 6))
    shape = layout.fibres(values).shape
    wins = np.round(rng.random(shape), 1)
    pays = wins * layout.fibres(values) * rng.uniform(0.3, 1.0, shape)
    chances = None
    if layout.stages is not None and seed % 2:
        chances = rng.random(shape[1:])
        chances /= chances.sum(axis=1, keepdims=True)
    found = audit_lottery(values, wins, pays, layout, chances)
    assert found.gain == pytest.approx(literal_lottery(values, wins, pays, layout, chances), abs=1e-12)
    assert found.buyer == layout.buyer and found.allowed == allowed_gain(values)
    monkeypatch.setattr("expost.mechanisms.lottery_audit.CHUNK", 1)
    assert audit_lottery(values, wins, pays, layout, chances) == found


def test_lotteries_name_their_worst_deviation():
    values = np.array([[0.2, 0.9]])
    one = np.ones((1, 1, 2))
    layout = Layout(1)
    away = audit_lottery(values, one, one * np.array([0.1, 1.0]), layout)
    assert away.deviation == "another report" and away.state == (0, 1) and away.gain == pytest.approx(0.9)
    alone = audit_lottery(values, one, one * 0.5, layout)
    assert alone.deviation == "staying away" and alone.state == (0, 0) and alone.gain == pytest.approx(0.3)
    stages = Layout(0, Stages(0, ("a", "b"), (2, 2), "a"))
    flat = np.array([0.1, 0.5, 0.2, 0.8])
    sure = np.ones((1, 2, 2))
    first = audit_lottery(flat, sure, np.array([[[0.3, 0.3], [0.1, 0.1]]]), stages)
    assert first.deviation == "reporting level 1 in the first stage" and first.gain == pytest.approx(0.2)
    assert first.state in ((0,), (1,))
    second = audit_lottery(flat, sure, np.array([[[0.0, 0.0], [0.1, 0.0]]]), stages)
    assert second.deviation == "another report in the second stage" and second.state == (2,)
    assert second.gain == pytest.approx(0.1)
    bad = audit_lottery(flat, sure, np.array([[[np.nan, 0.0], [0.0, 0.0]]]), stages)
    assert bad.gain == np.inf and not bad.passed
    none = audit_lottery(flat, sure * 0, sure * 0, stages)
    assert none.gain == 0.0 and none.deviation == "none"


def test_probabilities_that_add_up_to_too_much():
    allocation = np.array([[[0.5, 1.0]], [[0.5, 0.5]]])
    assert crowded_states(allocation) == (1, (0, 1))
    assert crowded_states(allocation, 2) == (0, None)
    assert crowded_states(np.array([[[1.0, 1.0]], [[0.5, 1.0]]])) == (2, (0, 1))


def test_loops_over_small_rules_agree_with_the_audit_of_prices():
    """Every rule of two types of one buyer against two states of the others, every price of a few."""
    values = np.array([[1.0, 2.0], [2.0, 1.0]])
    for flat in itertools.product((False, True), repeat=4):
        wins = np.array(flat).reshape(2, 2)
        for levels in itertools.product((0.5, 1.5, 2.5), repeat=2):
            prices = given_prices(np.array(levels), 0)
            worst = 0.0
            for a, s in itertools.product(range(2), repeat=2):
                truth = values[a, s] - levels[s] if wins[a, s] else 0.0
                worst = max(worst, -truth)
                for r in range(2):
                    worst = max(worst, (values[a, s] - levels[s] if wins[r, s] else 0.0) - truth)
            assert audit_prices(values, wins, prices).gain == pytest.approx(worst, abs=1e-12)


# ---- menus against the same loops: a fee, and the strike for whoever wins


@pytest.mark.parametrize("seed", range(24))
def test_menus_against_loops(seed):
    rng = np.random.default_rng(seed)
    layout = LAYOUTS[2 + seed % 2]
    values = rng.random((4, 6))
    shape = layout.fibres(values).shape
    wins = rng.random(shape) < 0.5
    wins[0], wins[1, 0] = False, True  # whole rows that lose, and one that wins
    fee, strike = rng.uniform(-0.1, 0.05, shape[:2]) * (seed % 3), rng.random(shape[:2])
    menu = replace(
        menu_from_rule(values, layout.states(wins, values.shape), layout.stages),
        seller_best=fee,
        strike=strike,
    )
    pays = fee[:, :, None] + strike[:, :, None] * wins
    found = audit_menu(values, layout.states(wins, values.shape), menu, (Fees.SELLER_BEST,))
    assert found.gain == pytest.approx(literal_lottery(values, wins * 1.0, pays, layout), abs=1e-12)


def test_a_loser_who_would_rather_win_at_the_strike_is_named_with_his_state():
    values, wins = np.array([1.0, 4.0, 2.0, 5.0]), np.array([False, True, False, True])
    right = menu_from_rule(values, wins, Stages(0, ("a", "b"), (2, 2), "a"))
    nothing = np.zeros((1, 2))
    low = replace(right, strike=nothing + 0.5, seller_best=nothing, integral=nothing)
    found = audit_menu(values, wins, low)
    assert found.deviation == "another report in the second stage"
    assert found.state == (2,) and found.gain == pytest.approx(1.5)
    high = audit_menu(values, wins, replace(low, strike=nothing + 4.5))
    assert high.deviation == "another report in the second stage" and high.state == (1,)
    assert high.gain == pytest.approx(0.5)
    fine = audit_menu(values, wins, replace(low, strike=nothing + 3.0))
    assert fine.gain == 0.0 and fine.deviation == "none" and fine.state == (0,)


def test_a_mechanism_with_menus_and_prices_audits_each_by_its_own_terms():
    values = np.array([[[1.0], [4.0], [2.0], [5.0]], [[1.0], [1.0], [1.0], [1.0]]])
    wins = np.array([False, True, False, True]).reshape(4, 1)
    first = menu_from_rule(values[0], wins, Stages(0, ("a", "b"), (2, 2), "a"))
    second = implementing_prices(values[1], ~wins, 1)
    found = audit_mechanism(values, Mechanism(np.stack([wins, ~wins]), (first, second)))
    assert found.passed and [buyer.buyer for buyer in found.buyers] == [0, 1]
    low = replace(first, strike=first.strike * 0.0)
    wrong = audit_mechanism(values, Mechanism(np.stack([wins, ~wins]), (low, second)))
    assert not wrong.passed and wrong.buyers[0] == audit_menu(values[0], wins, low)
