"""A mechanism of one's own: stated, tested, fitted."""

import json

import numpy as np
import pytest

import expost as ex
from expost.cli import run_command

WRONG = "1: p2 + 0.5*c2**1.5; 2: p1 + 0.5*c1**1.5"
FAMILY = {"1": "p2 + a*c2**b", "2": "p1 + a*c1**b"}
EXAMPLE_2 = 86 / 105


def test_prices_that_two_buyers_meet_are_refuted_with_a_state_that_shows_it():
    found = ex.check("jmmz", WRONG, grid=3)
    assert found.admissible is False and found.welfare is None and found.how == "refuted"
    p1, c1, p2, c2 = (found.witness[name] for name in ("p1", "c1", "p2", "c2"))
    assert p1 + c1 * c2 > p2 + 0.5 * c2**1.5 and p2 + c1 * c2 > p1 + 0.5 * c1**1.5
    assert found.worst_violation == pytest.approx(0.5, abs=1e-6) and found.on_grid.admissible is False


def test_example_2_typed_in_is_what_the_paper_says():
    found = ex.check("jmmz", ex.Prices(FAMILY, a=1.0, b=2.0), grid=4)
    assert found.admissible and abs(found.welfare - EXAMPLE_2) < 2e-4 and found.error < 2e-4
    assert found.share == pytest.approx(EXAMPLE_2 / (11 / 12), abs=4e-4)
    assert found.condition("strongly mutually pivotal").holds
    assert found.on_grid.incentive_compatible and found.on_grid.outcomes


@pytest.mark.slow
def test_raised_prices_are_admissible_worth_less_and_not_pivotal():
    raised = ex.check("jmmz", "1: p2 + c2**2 + 0.01; 2: p1 + c1**2 + 0.01", grid=3)
    assert raised.admissible and raised.worst_violation == pytest.approx(-0.01, abs=1e-6)
    assert raised.welfare < EXAMPLE_2 - 3e-3
    assert not raised.condition("mutually pivotal").holds


def test_prices_far_from_touching_are_proved_admissible():
    found = ex.check("jmmz", "1: p2 + 1.2; 2: p1 + 1.2", grid=2)
    assert found.how == "proved" and found.admissible


def test_functions_and_completed_buyers():
    own = ex.Prices({"1": lambda p2, c2, k: p2 + c2**k}, k=2.0)
    grid = ex.dominate("jmmz", own, grid=4)
    stated = ex.dominate("jmmz", "1: p2 + c2**2; 2: p1 + c1**2", grid=4)
    assert grid.welfare == pytest.approx(stated.welfare, abs=1e-9)


def test_strikes_that_rise_are_said_to_rise():
    falling = ex.Strikes({"firm": "0.9 - 0.5*m"})
    rising = ex.Strikes({"firm": "0.3 + 0.5*m"})
    assert ex.check("privatization", falling, grid=4).condition("strikes do not rise").holds
    assert not ex.check("privatization", rising, grid=4).condition("strikes do not rise").holds


@pytest.mark.slow  # docs/own.md runs the same fit
def test_fit_finds_example_2():
    found = ex.fit("jmmz", ex.Prices(FAMILY, a=0.7, b=1.0), over={"a": (0.5, 2), "b": (0.5, 4)})
    assert abs(found.parameters["a"] - 1) < 0.02 and abs(found.parameters["b"] - 2) < 0.02
    assert found.admissible and found.welfare == pytest.approx(EXAMPLE_2, abs=2e-4)


@pytest.mark.slow
def test_fit_with_a_completed_buyer_is_admissible_whatever_the_parameters():
    found = ex.fit("jmmz", ex.Prices({"1": "p2 + a*c2**2"}, a=1.0), over={"a": (0.0, 2.0)})
    assert found.admissible and found.drawn_back == 0.0 and abs(found.parameters["a"] - 1) < 0.1


def test_fit_refuses_a_family_without_any_mechanism():
    with pytest.raises(ex.InputError, match="over"):
        ex.fit("jmmz", ex.Prices({"1": "a", "2": "a"}, a=0.1), over={"a": (0.0, 0.2)})


@pytest.mark.parametrize(
    ("prices", "word"),
    [
        ({"1": "p1"}, "own signals"),
        ({"3": "p2"}, "no buyer"),
        ({"1": "p2 + z"}, "'z'"),
        ({"1": "p2 +"}, "prices.1"),
        ({"1": "complete", "2": "complete"}, "at most one"),
    ],
)
def test_unusable_prices_get_one_line_that_names_the_place(prices, word):
    with pytest.raises(ex.InputError, match=word) as error:
        ex.check("jmmz", ex.Prices(prices), grid=3)
    assert "\n" not in str(error.value) and "--" not in str(error.value)


def test_a_mechanism_file(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text(
        'name = "two"\n[parameters]\na = 1.0\nb = 2.0\n[prices]\n1 = "p2 + a*c2**b"\n2 = "p1 + a*c1**b"\n'
    )
    found, typed = ex.dominate("jmmz", path, grid=3), ex.dominate("jmmz", "example2", grid=3)
    assert found.mechanism == "two" and found.welfare == pytest.approx(typed.welfare, abs=1e-12)
    path.write_text("[fees]\n1 = 3\n")
    with pytest.raises(ex.InputError, match="fees"):
        ex.check("jmmz", path, grid=3)


def test_the_command_line_takes_parameters_of_prices(capsys):
    assert run_command(["check", "jmmz", "--prices", "1: p2 + a*c2**b; 2: p1 + a*c1**b", "--set", "a=0.5,b=1.5",
                        "--grid", "3", "--json"]) == 0  # fmt: skip
    data = json.loads(capsys.readouterr().out)
    assert data["admissible"] is False and set(data["witness"]) == {"p1", "c1", "p2", "c2"}
    assert {
        "how",
        "worst_violation",
        "welfare",
        "error",
        "revenue",
        "sold",
        "share",
        "dominated_gain",
    } <= set(data)


def test_figures_agree_with_plain_sampling():
    from expost.mechanisms.continuum.figures import continuum_figures

    instance = ex.load("jmmz")
    prices = ex.Prices(FAMILY, a=1.1, b=2.0).bind(instance)
    found = continuum_figures(instance, prices=prices, accuracy=1e-3)
    rng = np.random.default_rng(1)
    s = {name: rng.random(400_000) for name in instance.signals}
    value = [s["p1"] + s["c1"] * s["c2"], s["p2"] + s["c1"] * s["c2"]]
    wins = [value[0] > s["p2"] + 1.1 * s["c2"] ** 2, value[1] > s["p1"] + 1.1 * s["c1"] ** 2]
    assert not (wins[0] & wins[1]).any()
    assert found.welfare == pytest.approx((value[0] * wins[0] + value[1] * wins[1]).mean(), abs=4e-3)
    assert found.sold == pytest.approx((wins[0] | wins[1]).mean(), abs=4e-3)


@pytest.mark.slow
def test_jobs_change_nothing_of_a_fit():
    one, two = (
        ex.fit("jmmz", ex.Prices(FAMILY, a=0.9, b=2.0), over={"a": (0.8, 1.2)}, jobs=n) for n in (1, 2)
    )
    assert one.parameters == two.parameters and one.evaluations == two.evaluations


def test_a_limit_leaves_the_verdict_and_names_what_it_left_out():
    found = ex.check("jmmz", "example2", grid=2, time_limit=1e-3)
    assert found.admissible and abs(found.welfare - EXAMPLE_2) < 5e-3
    assert found.left_out and found.lowered is None and found.to_dict()["left_out"] == list(found.left_out)
    assert any("for want of time" in seen for _, _, seen in found.lines())
