"""Menus and fees: closed form against the linear program, the integral, the audit by definition and planted
violations."""

from dataclasses import replace

import numpy as np
import pytest
from support.fees_program import pair_gains, seller_best_program

from expost.mechanisms.fees import integral_fees, option_gains, seller_best_fees
from expost.mechanisms.menu import Fees, menu_from_rule, shared_strikes, strike_intervals
from expost.mechanisms.prices import Choice
from expost.mechanisms.sequential_audit import audit_menu
from expost.spaces.stages import Stages


def rising(rng, shape, levels):
    return np.sort(np.sort(rng.integers(0, levels, shape), axis=2), axis=1) / levels


def feasible_rule(rng, values):
    """A random rule of the sequential order: types above falling thresholds win, types at them at random."""
    draws = rng.choice(np.append(np.unique(values), [-1.0, 2.0]), values.shape[:2])
    threshold = -np.sort(-draws, axis=1)[:, :, None]
    return (values > threshold) | ((values == threshold) & (rng.random(values.shape) < 0.5))


def menu_case(seed, levels=8, rows=5, seconds=4, choice=Choice.MIDPOINT):
    """Values and a rule in state shape (T, F) with the buyer first, and the menu."""
    rng = np.random.default_rng(seed)
    values = rising(rng, (6, rows, seconds), levels)
    stages = Stages(0, ("a", "b"), (rows, seconds), "a")
    shape = (rows * seconds, 6)
    state_values, wins = (stages.states(x, shape) for x in (values, feasible_rule(rng, values)))
    return state_values, wins, menu_from_rule(state_values, wins, stages, choice), values


CASES = [(seed, [3, 8, 10**6][seed % 3], choice) for seed in range(9) for choice in Choice]


@pytest.mark.parametrize(("seed", "levels", "choice"), CASES)
def test_menus_of_feasible_rules_pass_the_audit_under_both_fees(seed, levels, choice):
    values, wins, menu, fibres = menu_case(seed, levels, choice=choice)
    assert (np.diff(np.where(np.isinf(menu.strike), 9.0, menu.strike), axis=1) <= 0).all()
    rule = menu.stages.fibres(wins)
    strike = menu.strike[:, :, None]
    assert (rule[fibres > strike]).all() and not rule[fibres < strike].any()
    for fees in Fees:
        verdict = audit_menu(values, wins, menu, (fees,))
        assert verdict.passed and verdict.gain <= 1e-12


@pytest.mark.parametrize(("seed", "levels", "choice"), CASES)
def test_the_closed_form_is_the_linear_program(seed, levels, choice):
    _, _, menu, fibres = menu_case(seed, levels, choice=choice)
    program = seller_best_program(fibres, menu.strike)
    assert program == pytest.approx(menu.seller_best, abs=1e-9)
    values, wins, _, _ = menu_case(seed, levels, choice=choice)
    assert audit_menu(values, wins, replace(menu, seller_best=program), (Fees.SELLER_BEST,)).passed


@pytest.mark.parametrize(("seed", "levels", "choice"), CASES)
def test_the_integral_is_the_closed_form_less_the_fee_of_the_cheapest_option(seed, levels, choice):
    _, _, menu, fibres = menu_case(seed, levels, choice=choice)
    assert menu.integral == pytest.approx(menu.seller_best - menu.seller_best[:, :1], abs=1e-12)
    assert (menu.integral >= 0.0).all() and (menu.integral[:, 0] == 0.0).all()
    assert menu.seller_best[:, 0] == pytest.approx(option_gains(fibres, menu.strike)[:, 0])


def test_larger_fees_are_refused_type_by_type():
    values, wins, menu, _ = menu_case(4, 10**6)
    for a in range(menu.strike.shape[1]):
        raised = menu.seller_best.copy()
        raised[:, a:] += 1e-6
        assert not audit_menu(values, wins, replace(menu, seller_best=raised), (Fees.SELLER_BEST,)).passed


def test_fees_match_the_areas_of_figure_2():
    """V = a + b on a fine grid, strikes 1.2 and 0.8: the step costs the marginal type's area between the
    strikes."""
    b = (np.arange(2000) + 0.5) / 2000
    a = np.array([0.3, 0.4, 0.6])
    values = (a[:, None] + b)[None]
    strikes = np.array([[1.2, 1.2, 0.8]])
    gain = lambda type_, strike: max(0.0, 1 + type_ - strike) ** 2 / 2  # noqa: E731
    fees = integral_fees(values, strikes)[0]
    assert fees[:2] == pytest.approx([0.0, 0.0])
    assert fees[2] == pytest.approx(gain(0.6, 0.8) - gain(0.6, 1.2), abs=1e-6)
    assert seller_best_fees(values, strikes)[0, 0] == pytest.approx(gain(0.3, 1.2), abs=1e-6)


def test_pair_gains_are_expected_gains():
    values = np.array([[[1.0, 3.0], [2.0, 5.0]]])
    assert pair_gains(values, np.array([[2.0, np.inf]])).tolist() == [[[0.5, 0.0], [1.5, 0.0]]]


def test_strikes_lie_in_their_intervals_with_the_fewest_options():
    rng = np.random.default_rng(2)
    values = rising(rng, (40, 6, 5), 50)
    lower, upper = strike_intervals(values, feasible_rule(rng, values))
    for choice in Choice:
        strikes = shared_strikes(lower, upper, choice)
        assert (strikes >= lower - 1e-15).all() and (strikes <= upper + 1e-15).all()
    strikes = shared_strikes(lower, upper)
    for f in range(len(values)):
        finite = np.isfinite(upper[f])
        options, reach = 0, np.inf
        for low, high in zip(lower[f][finite], upper[f][finite], strict=True):
            if options == 0 or high < reach:
                options, reach = options + 1, low
        assert len(np.unique(strikes[f][finite])) == options


def test_a_posted_price_is_a_menu_with_one_strike():
    values = np.add.outer([0.1, 0.4, 0.7], [0.0, 0.5, 0.9])[None]
    stages = Stages(0, ("a", "b"), (3, 3), "a")
    state = stages.states(values, (9,))
    menu = menu_from_rule(state, state > 0.8, stages)
    assert menu.opens().sum() == 1
    assert menu.strike[0, 0] == pytest.approx((0.7 + 0.9) / 2)


def test_never_and_always_winning_types():
    values = np.add.outer([0.0, 0.4, 0.9], [0.1, 0.5])[None]
    wins = np.array([[[False, False], [False, True], [True, True]]])
    stages = Stages(0, ("a", "b"), (3, 2), "a")
    state, rule = stages.states(values, (6,)), stages.states(wins, (6,))
    menu = menu_from_rule(state, rule, stages)
    assert menu.strike[0, 0] == np.inf and menu.seller_best[0, 0] == 0.0
    assert menu.strike[0, 1] == menu.strike[0, 2] == pytest.approx((0.5 + 0.9) / 2)
    expected = (menu.seller_best[0, 1:] + menu.strike[0, 1:] * [0.5, 1.0]).sum() / 3
    assert menu.revenue(rule) == pytest.approx(expected)
    assert menu.revenue(rule, Fees.INTEGRAL) <= menu.revenue(rule)


def planted(kind):
    values, wins, menu, _ = menu_case(7, 10**6)
    rule = menu.stages.fibres(wins)
    share = rule.mean(axis=2)
    fibre = int(np.argmax(((share > 0) & (share < 1)).any(axis=1)))
    level = int(np.argmax((share[fibre] > 0) & (share[fibre] < 1)))
    if kind == "second stage":
        rule[fibre, level] = ~rule[fibre, level]
    elif kind == "rising strikes":
        strike = menu.strike.copy()
        strike[:, ::] = np.sort(np.where(np.isinf(strike), 2.0, strike), axis=1)
        menu = replace(menu, strike=strike)
    elif kind == "fee too high":
        fees = menu.seller_best.copy()
        fees[fibre, level] += 1e-6
        menu = replace(menu, seller_best=fees)
    elif kind == "fee too low":
        fees = menu.seller_best.copy()
        fees[fibre, -1] -= 0.1
        menu = replace(menu, seller_best=fees)
    elif kind == "not a number":
        fees = menu.integral.copy()
        fees[fibre, level] = np.nan
        menu = replace(menu, integral=fees)
    elif kind == "strike out of its interval":
        strike = menu.strike.copy()
        strike[fibre, level] = menu.upper[fibre, level] + 1e-6
        menu = replace(menu, strike=strike)
    return values, menu.stages.states(rule, values.shape), menu


@pytest.mark.parametrize(
    "kind",
    [
        "second stage",
        "rising strikes",
        "fee too high",
        "fee too low",
        "not a number",
        "strike out of its interval",
    ],
)
def test_planted_violations_of_either_stage_are_found(kind):
    values, wins, menu = planted(kind)
    verdict = audit_menu(values, wins, menu)
    assert not verdict.passed
    assert verdict.state != () and verdict.deviation != "none"


def naive_gain(values, wins, menu, fees):
    """The best deviation, with plain loops over reports: (level, strategy) pairs by enumeration of the best
    reply."""
    worst = 0.0
    rule, stages = menu.stages.fibres(wins), menu.stages
    for f, fibre in enumerate(stages.fibres(values)):
        pay = [
            [
                menu.fees(fees)[f, o] + (menu.strike[f, o] if rule[f, o, r] else 0.0)
                for r in range(stages.seconds)
            ]
            for o in range(stages.levels)
        ]
        for a in range(stages.levels):
            truth = [fibre[a, b] * rule[f, a, b] - pay[a][b] for b in range(stages.seconds)]
            worst = max(worst, -np.mean(truth))
            for o in range(stages.levels):
                best = [
                    max(fibre[a, b] * rule[f, o, r] - pay[o][r] for r in range(stages.seconds))
                    for b in range(stages.seconds)
                ]
                worst = max(worst, np.mean(best) - np.mean(truth))
            second = [
                max(fibre[a, b] * rule[f, a, r] - pay[a][r] for r in range(stages.seconds)) - truth[b]
                for b in range(stages.seconds)
            ]
            worst = max(worst, *second)
    return worst


@pytest.mark.parametrize("seed", range(10))
def test_the_audit_finds_what_enumeration_of_all_reports_finds(seed):
    values, wins, menu, _ = menu_case(seed, rows=4, seconds=3)
    rng = np.random.default_rng(seed)
    noisy = replace(
        menu,
        strike=menu.strike + rng.normal(0, 0.1, menu.strike.shape),
        seller_best=menu.seller_best + rng.normal(0, 0.1, menu.strike.shape),
    )
    noisy = replace(noisy, strike=np.where(np.isinf(noisy.strike), 3.0, noisy.strike))
    flipped = wins ^ (rng.random(wins.shape) < 0.1)
    for rule, terms in ((wins, noisy), (flipped, noisy), (flipped, replace(menu, strike=noisy.strike))):
        verdict = audit_menu(values, rule, terms, (Fees.SELLER_BEST,))
        assert verdict.gain == pytest.approx(naive_gain(values, rule, terms, Fees.SELLER_BEST), abs=1e-12)


def test_the_audit_in_chunks_is_the_same(monkeypatch):
    values, wins, menu = planted("fee too high")
    whole = audit_menu(values, wins, menu)
    monkeypatch.setattr("expost.mechanisms.sequential_audit.CHUNK", 1)
    assert audit_menu(values, wins, menu) == whole


def test_fibres_and_states_are_inverse_for_any_first_signal():
    rng = np.random.default_rng(0)
    state = rng.random((5, 24, 3))
    for first in ("x", "y", "z"):
        stages = Stages(1, ("x", "y", "z"), (2, 3, 4), first)
        fibres = stages.fibres(state)
        assert fibres.shape == (15, stages.levels, stages.seconds)
        assert (stages.states(fibres, state.shape) == state).all()
        assert fibres[7, 1, 2] == state[stages.state(7, 1, 2, state.shape)]
