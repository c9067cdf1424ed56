"""One buyer, line by line, against closed forms."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from support.fewer_lines import fewer_lines

import expost as ex
from expost.brackets import search
from expost.brackets.evidence import LineBest, LineWelfare
from expost.brackets.upper.lines import LineSizes, best_on_lines, draw_lines, line_signal
from expost.brackets.upper.responses import falling_path
from expost.brackets.verification import verify_bracket
from expost.instances.catalogue import load
from expost.instances.environment import Buyer, Instance
from expost.mechanisms.continuum.solo import SoloMechanism
from expost.spaces.quantile_space import quantile_space

SIZES = LineSizes(1, 256, 64, 512, 4096)


def lottery_price(t):
    """V = 2a + b and gain 0.05a + b - 0.5: what is gained above the price t, which is at most 1."""
    own = np.polynomial.Polynomial([0.0, 1.0])
    least = t - 2.0 * own
    inner = 0.05 * own * (1.0 - least) + 0.5 * (1.0 - least**2) - 0.5 * (1.0 - least)
    return inner.integ()(t / 2.0) - inner.integ()(0.0) + 0.025 * (1.0 - t * t / 4.0)


def privatization_price(t):
    """What society has with a price, by integrating over the fixed cost in closed form."""

    def inner(m):
        profit = (0.8 + 0.4 * m) ** 2
        least = min(max((t - profit + 0.6) / 0.6, 0.0), 1.0)
        return (1.5 * profit - 1.8) * (1.0 - least) + 0.3 * (1.0 - least**2)

    kinks = [(np.sqrt(max(t + c, 0.64)) - 0.8) / 0.4 for c in (0.0, 0.6)]
    ends = sorted({0.0, 1.0, *(min(max(k, 0.0), 1.0) for k in kinks)})
    return 1.2 + sum(quad(inner, low, high)[0] for low, high in pairwise(ends))


def best(gain, low, high):
    found = minimize_scalar(
        lambda t: -gain(t), bounds=(low, high), method="bounded", options={"xatol": 1e-10}
    )
    return -found.fun


STATIC = best(privatization_price, 0.3, 1.2)
LOTTERY = best(lottery_price, 0.5, 1.0)


def efficient_privatization():
    """E[max(V + E, keep)]."""

    def inner(m):
        profit = (0.8 + 0.4 * m) ** 2
        least = min(max((1.8 - 1.5 * profit) / 0.6, 0.0), 1.0)
        return (1.5 * profit - 1.8) * (1.0 - least) + 0.3 * (1.0 - least**2)

    kinks = [(np.sqrt(c / 1.5) - 0.8) / 0.4 for c in (1.2, 1.8)]
    ends = sorted({0.0, 1.0, *(min(max(k, 0.0), 1.0) for k in kinks)})
    return 1.2 + sum(quad(inner, low, high)[0] for low, high in pairwise(ends))


@pytest.mark.parametrize(
    ("name", "timing", "first", "truth"),
    [
        ("lottery", "static", (), LOTTERY),
        ("lottery", "sequential", (), LOTTERY),  # Zik, Theorem 7
        ("privatization", "static", (), STATIC),  # Appendix A
        ("privatization", "sequential", ("f",), STATIC),  # Theorem 7
        ("privatization", "sequential", ("m",), efficient_privatization()),  # attained
    ],
)
def test_one_buyer_to_a_hundred_thousandth(name, timing, first, truth):
    found = ex.bracket(name, 1e-5, timing=timing, first=first)
    assert found.reached
    assert found.lower.value <= truth <= found.upper.value
    assert found.lower.estimate == pytest.approx(truth, rel=5e-6)
    assert found.upper.estimate == pytest.approx(truth, rel=5e-6)
    assert "along lines" in found.lower.method


@pytest.mark.parametrize("timing", ["static", "sequential"])
def test_more_lines_follow_where_the_first_are_too_few(timing, monkeypatch):
    fewer_lines(monkeypatch, 32)
    found = ex.bracket("lottery", 2e-3, timing=timing)
    assert found.reached
    assert found.lower.value <= LOTTERY <= found.upper.value
    word = "price" if timing == "static" else "strikes"
    assert [bound.method for bound in found.history if bound.side == "upper"][1:] == [
        f"best {word} on {count} lines" for count in (8, 32, 64)
    ]
    lower = [bound.estimate for bound in found.history if "along lines" in bound.method]
    assert sorted(lower) == lower and len(lower) == 3


@pytest.mark.parametrize(
    ("value", "externality", "signals", "truth"),
    [
        ("x", "-0.5", "x", 0.125),
        ("x + y", "-1", "xy", 1.0 / 6.0),
        ("2 - x - y", "-1", "xy", 1.0 / 6.0),  # falls in both
        ("x + y + z", "-1.5", "xyz", 4.875 / 24.0),  # Irwin and Hall
    ],
)
def test_sums_of_uniform_signals(value, externality, signals, truth):
    instance = Instance("sum", (Buyer("1", tuple(signals), value, externality=externality),))
    for timing in ("static", "sequential") if len(signals) > 1 and value[0] == "x" else ("static",):
        first = ("x",) if timing == "sequential" else ()
        found = ex.bracket(instance, 1e-3, timing=timing, first=first)
        assert found.reached and found.lower.value <= truth + 1e-12
        assert found.upper.value >= truth - 1e-12


def test_a_wrong_price_is_worth_less_and_proves_no_less():
    space = quantile_space(load("lottery"), "static", (None,))
    signal = line_signal(space, 64)
    right = best_on_lines(space, signal, SIZES)
    wrong = SoloMechanism(space, "wrong", (0,), right.theta - 0.05, 0)
    seeds = np.random.SeedSequence(1).spawn(4)
    exact = [LineWelfare(right, SIZES).replicate(seed, space) for seed in seeds]
    assert np.mean(exact) == pytest.approx(lottery_price(right.theta[0]), abs=2e-8)
    less = [LineWelfare(wrong, SIZES).replicate(seed, space) for seed in seeds]
    assert np.mean(less) == pytest.approx(lottery_price(wrong.theta[0]), abs=2e-8)
    assert np.mean(less) < LOTTERY - 1e-4
    bounds = [LineBest(wrong, SIZES).replicate(seed, space) for seed in seeds]
    assert LOTTERY - 1e-6 <= np.mean(bounds) <= LOTTERY + 2e-5


def test_strikes_that_do_not_rise_are_the_best_of_all_of_these():
    rng = np.random.default_rng(3)
    for _ in range(50):
        total = rng.random((3, 4))
        truth = max(
            total[0, a] + total[1, b] + total[2, c]
            for a in range(4)
            for b in range(a + 1)
            for c in range(b + 1)
        )
        path = np.empty(3, dtype=np.int32)
        assert falling_path(total.copy(), np.empty(total.shape, dtype=np.int32), path) == pytest.approx(truth)
        assert (np.diff(path) <= 0).all()
        assert total[np.arange(3), path].sum() == pytest.approx(truth)


def test_every_line_is_uniform():
    space = quantile_space(load("lottery"), "sequential", ("a",))
    rows = np.stack(
        [
            draw_lines(space, (1, False), 4, 1, 8, np.random.default_rng(k)).levels[:, 0, 0]
            for k in range(4000)
        ]
    )
    assert (np.diff(rows, axis=1) > 0.0).all()
    assert rows.mean() == pytest.approx(0.5, abs=1e-12)
    assert (rows**2).mean() == pytest.approx(1.0 / 3.0, abs=1e-3)
    assert (rows**6).mean() == pytest.approx(1.0 / 7.0, abs=1e-3)


def test_a_value_that_rises_and_falls_has_no_lines():
    instance = Instance("hill", (Buyer("1", ("x", "y"), "x*(1-x) + y*(1-y)", externality="-0.2"),))
    assert line_signal(quantile_space(instance, "static", (None,)), 64) is None
    assert line_signal(quantile_space(load("jmmz"), "static", (None, None)), 64) is None
    found = ex.bracket(instance, 0.01)
    assert found.reached and any("along lines" in line for line in found.left_out)


def test_gains_that_jump_are_left_to_finite_sets():
    instance = Instance(
        "jump", (Buyer("1", ("x", "y"), "x + y", externality="where(y > 0.37, 0.5, -0.7) - x - y"),)
    )
    found = ex.bracket(instance, 0.01)
    assert found.reached and any("not smooth" in line for line in found.left_out)


def test_lines_can_be_verified(tmp_path):
    ex.bracket("lottery", 1e-4, timing="sequential").save(tmp_path / "one")
    checks = verify_bracket(tmp_path / "one", seed=5)
    assert all(check.passed for check in checks), [check for check in checks if not check.passed]
    assert {"lower, repeated", "upper, repeated", "upper, fresh samples"} <= {check.name for check in checks}
    again = ex.open(tmp_path / "one")
    assert {type(proof.evidence) for proof in again.proofs} >= {LineWelfare, LineBest}


def test_stages_get_finer():
    space = quantile_space(load("lottery"), "sequential", ("a",))
    sizes = [search._line_sizes(space, effort, 64) for effort in search.LINE_EFFORTS]
    assert all(one.rows < other.rows and one.evaluated < other.evaluated for one, other in pairwise(sizes))
