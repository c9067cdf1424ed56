"""The continuum's stochastic second best: both sides, and the explicit menu that beats Theorem 7."""

from dataclasses import replace

import numpy as np
import pytest

import expost as ex
from expost.brackets.lotteries.lower import best_deviation, welfare_replicate
from expost.brackets.lotteries.tables import stage_of
from expost.brackets.lotteries.upper import dual_value
from expost.formulations.lotteries_solve import lottery_second_best
from expost.papers.claims import validate
from expost.papers.zik.lotteries import best_single_price, explicit_menu
from expost.spaces.type_space import Grid, discretize


@pytest.mark.parametrize(("options", "types"), [(100, 256), pytest.param(200, 512, marks=pytest.mark.slow)])
def test_the_explicit_menu_is_incentive_compatible_and_beats_the_best_price(options, types):
    stage = stage_of(ex.load("lottery"))
    menu = explicit_menu(stage, options)
    assert best_deviation(stage, menu, types) < 1e-8
    assert welfare_replicate(stage, menu, np.random.default_rng(0)) > 0.0696
    price, welfare = best_single_price(stage)
    assert (price, welfare) == (pytest.approx(0.9763, abs=2e-3), pytest.approx(0.06466, abs=1e-5))


@pytest.mark.slow
def test_theorem_7_is_not_claimed_of_lotteries():
    assert [v.outcome for v in validate("Z-Theorem-7-lotteries", quick=True)] == ["confirmed", "not claimed"]


def test_another_menu_of_the_family_is_worse_or_not_incentive_compatible():
    stage = stage_of(ex.load("lottery"))
    rng = np.random.default_rng(1)
    best = welfare_replicate(stage, explicit_menu(stage, 100), rng)
    assert welfare_replicate(stage, explicit_menu(stage, 100, start=0.3), rng) < best - 1e-4
    menu = explicit_menu(stage, 100)
    wrong = menu.fee + 0.01 * np.arange(100) / 100
    assert best_deviation(stage, replace(menu, fee=wrong), 512) > 1e-4


@pytest.mark.parametrize("accuracy", [0.1, pytest.param(0.06, marks=pytest.mark.slow)])
def test_the_bracket_encloses_the_explicit_menu(accuracy):
    found = ex.lottery_bracket("lottery", accuracy=accuracy, time_limit=60)
    assert found.lower.value < 0.06963
    assert found.upper.value > 0.06960
    assert found.lower.value > 0.06466  # beats every deterministic mechanism
    assert found.width <= accuracy * found.upper.value
    assert found.incentive_gain < 1e-7
    assert found.to_dict()["reached"]


def test_the_dual_of_a_grid_is_the_program_of_that_grid():
    space = discretize(ex.load("lottery"), Grid({"a": 5, "b": 6}))
    found = lottery_second_best(space)
    rows = 5 * 4
    flows = np.zeros((5, 5))
    flows[~np.eye(5, dtype=bool)] = found.multipliers[-rows:]
    dual = dual_value(space.values[0].reshape(5, 6), space.gains[0].reshape(5, 6), flows)
    assert dual == pytest.approx(found.upper_bound, abs=1e-9)


def test_one_buyer_in_two_stages_is_asked_for():
    with pytest.raises(ex.InputError, match="one buyer"):
        ex.lottery_bracket("jmmz")
    with pytest.raises(ex.InputError, match="accuracy"):
        ex.lottery_bracket("lottery", accuracy=0.0)
