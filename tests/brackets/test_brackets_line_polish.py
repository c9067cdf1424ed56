"""Strikes polished along lines: suprema, tables, the welfare and its gradient, and what it finds."""

from dataclasses import replace

import numpy as np
import pytest

import expost as ex
from expost.brackets.account import Account
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.effort import efforts
from expost.brackets.lower import line_polish, side
from expost.brackets.lower.evaluation import mechanism_limit
from expost.brackets.lower.line_polish import LinePolishPlan, TabledWelfare, can_polish, polish_on_lines
from expost.brackets.lower.line_polish_kernel import line_suprema, looked_up
from expost.brackets.lower.polish import POLISHED
from expost.brackets.lower.side import LowerSide
from expost.brackets.starts import complete, nothing
from expost.brackets.statistics import Limit
from expost.brackets.upper.side import first_bounds
from expost.brackets.workers import Workers
from expost.spaces.mesh import mesh_points
from expost.spaces.quantile_space import quantile_space

FIRST_BEST = 11 / 12
SMALL = LinePolishPlan(points=16, lines=16, prices=256, places=33, steps=(60, 30), nodes=9)
NEGATIVE = """name = "negative"
[[buyers]]
name = "1"
signals = ["x"]
value = "x - 0.3*y"

[[buyers]]
name = "2"
signals = ["q", "y"]
value = "0.5 - q + 0.4*y - 0.2"
"""


@pytest.fixture(scope="module")
def jmmz():
    return quantile_space(ex.load("jmmz"), "static", (None, None))


def example2(space, nodes=17, order=(0, 1)):
    p, c = mesh_points(nodes, 2).T
    return complete(space, order, [(p + c**2)[None]], nodes, "Example 2", FIRST_BEST, False)


def evaluated(mechanism):
    seed = np.random.SeedSequence(3)
    return mechanism_limit(mechanism, 0.99, seed, FIRST_BEST, replicates=4, points=256).mean


def whole(welfare, theta):
    parts = [welfare.part(fibres, theta) for fibres in welfare.fibres]
    return sum(gain for gain, _ in parts), sum(slope for _, slope in parts)


def test_suprema_are_the_largest_values_at_which_the_leader_wins():
    rng = np.random.default_rng(1)
    own = np.sort(rng.random((20, 5, 6)), axis=2)
    lead, strike = rng.random((20, 5, 6)), rng.random((5, 6))
    top, slope = np.empty(20), np.empty((20, 2))
    line, place = np.empty(20, dtype=np.int64), np.empty(20, dtype=np.int64)
    line_suprema(lead, own, strike, top, line, place, slope)
    at = np.linspace(0.0, 5.0, 5001)
    for p in range(20):
        best = -np.inf
        for m in range(5):
            margin = np.interp(at, np.arange(6), lead[p, m] - strike[m])
            value = np.interp(at, np.arange(6), own[p, m])
            best = max(best, value[margin > 0.0].max(initial=-np.inf))
        assert top[p] == pytest.approx(best, abs=1e-3)
    for k in range(2):  # how they move with the strikes around them
        for p in np.flatnonzero((line >= 0) & (place < 5))[:6]:
            moved, after = strike.copy(), np.empty(20)
            moved[line[p], place[p] + k] += 1e-7
            line_suprema(lead, own, moved, after, line.copy(), place.copy(), np.empty((20, 2)))
            assert slope[p, k] == pytest.approx((after[p] - top[p]) / 1e-7, abs=1e-4)


def test_where_it_is_looked_first_does_not_matter():
    rng = np.random.default_rng(5)
    own = np.sort(rng.random((40, 6, 5), dtype=np.float32), axis=2)
    lead, strike = rng.random((40, 6, 5), dtype=np.float32), rng.random((6, 5))
    found = []
    for guess in (-1, 0, 3, 5, 1 << 40):
        top, slope = np.empty(40), np.empty((40, 2))
        line, place = np.full(40, guess), np.empty(40, dtype=np.int64)
        line_suprema(lead, own, strike, top, line, place, slope)
        found.append((top, line, place, slope))
    for part in zip(*found, strict=True):
        assert all(np.array_equal(part[0], other) for other in part[1:])


def test_nobody_s_supremum_is_below_everything():
    top, slope = np.empty(1), np.empty((1, 2))
    line, place = np.empty(1, dtype=np.int64), np.empty(1, dtype=np.int64)
    line_suprema(np.zeros((1, 2, 3)), np.ones((1, 2, 3)), np.ones((2, 3)), top, line, place, slope)
    assert top[0] == -np.inf and line[0] == -1 and not slope.any()


def test_tables_are_read_between_prices_and_constant_beyond():
    table = np.array([[3.0, 2.0, 0.0]] * 4)
    gain, slope = np.empty(4), np.empty(4)
    price = np.array([-1.0, 0.25, 0.75, 9.0])
    looked_up(table, np.zeros(4), np.full(4, 0.5), price, gain, slope)
    assert gain == pytest.approx([3.0, 2.5, 1.0, 0.0])
    assert slope == pytest.approx([0.0, -2.0, -4.0, 0.0])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_welfare_is_that_of_the_completion(jmmz, order):
    mechanism = example2(jmmz, order=order)
    plan = LinePolishPlan(points=32, lines=32, places=65, nodes=17)
    welfare = TabledWelfare(mechanism, plan)
    assert whole(welfare, mechanism.theta[0][0])[0] == pytest.approx(evaluated(mechanism), abs=5e-4)


def test_the_gradient_is_one(jmmz):
    mechanism = example2(jmmz, nodes=9)
    welfare = TabledWelfare(mechanism, SMALL)
    p, c = mesh_points(9, 2).T
    theta = p + c**2 - 0.2 * p * c  # Example 2 itself is a kink in every direction
    _, slope = whole(welfare, theta)
    rng = np.random.default_rng(2)
    for _ in range(3):
        step = 1e-5 * rng.normal(size=81)
        rise = whole(welfare, theta + step)[0] - whole(welfare, theta - step)[0]
        assert rise / 2e-5 == pytest.approx(float(slope @ step) / 1e-5, abs=3e-3)


def test_a_follower_takes_the_best_price_above_his_supremum(tmp_path):
    file = tmp_path / "negative.toml"
    file.write_text(NEGATIVE)
    space = quantile_space(ex.load(file), "static", (None, None))
    theta = np.full((1, 81), 0.4)
    mechanism = complete(space, (0, 1), [theta], 9, "constant", 0.3, True)
    welfare = TabledWelfare(mechanism, SMALL)
    follower = [fibres for fibres in welfare.fibres if fibres.own is not None]
    assert all((np.diff(fibres.table, axis=1) <= 0.0).all() for fibres in follower)
    assert all((fibres.own[:, :, -1] > fibres.own[:, :, 0]).all() for fibres in follower)
    seed = np.random.SeedSequence(4)
    limit = mechanism_limit(mechanism, 0.99, seed, 0.0, replicates=4, points=256)
    signals = space.signals(space.split(np.random.default_rng(0).random((1 << 16, 3))))
    best = np.maximum(np.maximum(*(space.instance.gain(i, signals) for i in range(2))), 0.0).mean()
    assert whole(welfare, theta[0])[0] == pytest.approx(limit.mean + best, abs=5e-3)


def test_polishing_comes_near_example_2_from_far(jmmz):
    p, c = mesh_points(17, 2).T
    start = complete(jmmz, (0, 1), [(p + 0.7 * c)[None]], 17, "far", FIRST_BEST, False)
    plan = LinePolishPlan(points=24, lines=16, places=65, steps=(200, 100), nodes=9)
    polished = polish_on_lines(start, plan)
    assert polished.method == "far" + POLISHED and polished.theta[0].shape == start.theta[0].shape
    assert evaluated(start) < 0.79 and evaluated(polished) > 0.81


def test_without_time_strikes_stay_as_they_are(jmmz):
    start = example2(jmmz)
    assert np.array_equal(polish_on_lines(start, SMALL, clock=Clock(-1.0)).theta[0], start.theta[0])


def test_where_it_can_be_done(jmmz):
    assert can_polish(example2(jmmz), SMALL)
    assert not can_polish(example2(jmmz), LinePolishPlan(points=4096, places=4096))
    space = quantile_space(ex.load("jmmz"), "sequential", ("c1", "c2"))
    theta = np.zeros((9, 81))
    assert not can_polish(complete(space, (0, 1), [theta], 9, "nothing", FIRST_BEST, False), SMALL)


def test_a_search_polishes_along_lines_and_evaluates_as_planned(jmmz, monkeypatch):
    account = Account(jmmz, 0.01, ENDLESS, Workers(1), False, 0, 0.99, None)
    first_bounds(account)
    lower, evaluated = LowerSide(account, nothing), []
    monkeypatch.setattr(side, "polish", None)
    monkeypatch.setattr(side, "polish_on_lines", lambda m, *_, **__: replace(m, method="better"))
    monkeypatch.setattr(lower, "_pilot", lambda m, _: float(m.method == "better"))
    monkeypatch.setattr(lower, "_evaluate", lambda m, points, *_, **__: evaluated.append((m.method, points)))
    lower.completed = [example2(jmmz)]
    late = efforts(2)[4]
    lower._polish(late)
    assert evaluated == [("better", late.line_polish.evaluated)]
    assert late.line_polish.evaluated > late.points


def test_where_memory_is_short_fewer_types_are_polished_against(jmmz, monkeypatch):
    account = Account(jmmz, 0.01, ENDLESS, Workers(1), False, 0, 0.99, None)
    first_bounds(account)
    lower, late = LowerSide(account, nothing), efforts(2)[-1]
    assert lower._on_lines(example2(jmmz), late) is late.line_polish
    monkeypatch.setattr(line_polish, "room", lambda size: size < 3e8)
    small = lower._on_lines(example2(jmmz), late)
    assert small.points < late.line_polish.points and small.evaluated == late.line_polish.evaluated
    monkeypatch.setattr(line_polish, "room", lambda size: False)
    assert lower._on_lines(example2(jmmz), late) is None


def test_corrections_have_several_types_for_each_node():
    """Or they follow the types: 48 per level with 33 nodes."""
    plans = [effort.line_polish for effort in efforts(2)]
    assert all(plan.points >= 2 * (plan.nodes - 1) for plan in plans)
    assert plans[-1].nodes > plans[0].nodes


def test_a_late_polish_begins_anew_from_the_best_unpolished_strikes(jmmz, monkeypatch):
    account = Account(jmmz, 0.01, ENDLESS, Workers(1), False, 0, 0.99, None)
    account.first_best, account.kept = Limit(FIRST_BEST, 0.0, 0.99), Limit(0.0, 0.0, 0.99)
    lower, calls = LowerSide(account, nothing), []
    worse, best, led = (replace(example2(jmmz), method=word) for word in ("worse", "best", "led astray"))
    lower.unpolished, lower.completed = [worse, best], [led]

    def polish(mechanism, plan, **_):
        calls.append((mechanism.method, plan))
        return replace(mechanism, method=mechanism.method + ".")

    worth = {"worse": 0.1, "best": 0.2, "led astray": 0.3, "best..": 0.4}
    monkeypatch.setattr(side, "polish_on_lines", polish)
    monkeypatch.setattr(lower, "_pilot", lambda mechanism, _: worth[mechanism.method])
    monkeypatch.setattr(lower, "_evaluate", lambda *_, **__: None)
    plan = replace(SMALL, anew=replace(SMALL, nodes=5))
    lower._polish(replace(efforts(2)[2], line_polish=plan))
    assert calls == [("best", plan.anew), ("best.", plan)] and lower.best.method == "best.."
    worth["best.."] = 0.25
    lower.completed = [led]
    lower._polish(replace(efforts(2)[2], line_polish=plan))
    assert lower.best.method == "led astray"
