import itertools
from dataclasses import replace

import numpy as np
import pytest
from support.bracket_truths import crossing

from expost.brackets.account import Account
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.effort import efforts
from expost.brackets.optimum import optimum
from expost.brackets.records import Bound
from expost.brackets.statistics import Allowance, Limit, one_sided
from expost.brackets.symmetry import exchangeable, symmetrized
from expost.brackets.upper import side
from expost.brackets.upper.basis import ShadowPrices, base_gain, constant_prices
from expost.brackets.upper.dual import Quadrature, dual_limit, dual_replicate, first_best
from expost.brackets.upper.finite import FiniteSets, averaged, extrapolate, finite_sets, mean_limit
from expost.brackets.upper.fit import FitPlan, LevelPlan, fit_prices, largest_nodes, spread
from expost.brackets.upper.responses import sequential_response, static_response
from expost.brackets.upper.samples import draw_fibres, outer_points, units_of
from expost.brackets.upper.side import UpperSide
from expost.brackets.workers import Workers
from expost.formulations.assemble import assemble
from expost.formulations.sequential_strikes import strike_program
from expost.formulations.timing import build_blocks
from expost.instances.catalogue import load
from expost.solver.backends import solve_program
from expost.spaces.efficient import last_margin, should_win
from expost.spaces.mesh import hats, mesh_points
from expost.spaces.quantile_space import QuantileSpace, quantile_space
from expost.spaces.type_space import discretize

SMALL = Quadrature(replicates=4, fibres=128, types=2048, rows=24, bins=512)
EXAMPLE_2 = 86 / 105


def seed(k):
    return np.random.SeedSequence(k)


@pytest.fixture(scope="module")
def jmmz():
    return quantile_space(load("jmmz"), "static", (None, None))


def brute_static(net, value):
    """The best of all rules of one fibre in which a higher value never loses to a lower one."""
    best = 0.0
    for rule in itertools.product((0, 1), repeat=len(net)):
        if all(rule[a] <= rule[b] for a in range(len(net)) for b in range(len(net)) if value[a] < value[b]):
            best = max(best, float(np.dot(net, rule)))
    return best / len(net)


@pytest.mark.parametrize("ties", [False, True])
def test_static_maxima_are_those_of_all_rules(ties):
    rng = np.random.default_rng(1)
    value = rng.integers(0, 3, (40, 7)).astype(float) if ties else rng.random((40, 7))
    net = rng.normal(size=(40, 7))
    best = np.empty(40)
    order = np.argsort(value, axis=1).astype(np.int32)
    static_response(net, value, order, 1e-12, 0.0, np.empty((0, 0)), best)
    assert best == pytest.approx([brute_static(*pair) for pair in zip(net, value, strict=True)])


def test_smoothed_response_is_the_gradient_of_the_smoothed_maximum():
    rng = np.random.default_rng(2)
    value, net = rng.random((1, 9)), rng.normal(size=(1, 9))
    order = np.argsort(value, axis=1).astype(np.int32)

    def smooth(net):
        ranked = net[0, order[0]]
        totals = np.append(np.cumsum(ranked[::-1])[::-1], 0.0) / 9
        return 0.2 * np.log(np.exp(totals / 0.2).sum())

    wins, best = np.empty((1, 9)), np.empty(1)
    static_response(net, value, order, 1e-12, 0.2, wins, best)
    for t in range(9):
        step = np.zeros((1, 9))
        step[0, t] = 1e-6
        assert wins[0, t] / 9 == pytest.approx((smooth(net + step) - smooth(net - step)) / 2e-6, abs=1e-7)


def test_sequential_maxima_match_the_program_over_strikes_and_coarse_bins_only_relax():
    rng = np.random.default_rng(3)
    rows, seconds = 4, 5
    value = np.sort(rng.random((30, rows, seconds)), axis=2)
    net = rng.normal(size=(30, rows * seconds))
    exact = strike_program(value, net.reshape(30, rows, seconds)).gain / (rows * seconds)
    order = np.argsort(value, axis=2).astype(np.int32).reshape(30, -1)
    flat = np.ascontiguousarray(value.reshape(30, -1))
    wins, best, strikes = np.empty(net.shape), np.empty(30), np.empty((30, rows))
    sequential_response(net, flat, order, rows, 1 << 14, True, wins, best, strikes)
    assert best == pytest.approx(exact)
    assert (wins * net).mean(axis=1) == pytest.approx(exact)
    assert (np.diff(strikes, axis=1) <= 0.0).all()
    coarse = np.empty(30)
    sequential_response(net, flat, order, rows, 3, False, np.empty((0, 0)), coarse, np.empty((0, 0)))
    assert (coarse >= exact - 1e-12).all()


def test_gathering_at_nodes_is_the_transpose_of_interpolation(jmmz):
    rng = np.random.default_rng(4)
    for i in range(2):
        fibres = draw_fibres(jmmz, i, outer_points(jmmz, i, 8, rng), 16, 1, 3, 0.0, rng)
        u = ShadowPrices(jmmz.dims, 3, 0.0, rng.random((9, 9)))
        weights = rng.normal(size=fibres.base.shape)
        direct = float(((fibres.gains - fibres.net(u)[0]) * weights).sum())
        assert float((spread(u, fibres, fibres.base * weights) * u.mesh).sum()) == pytest.approx(direct)


@pytest.mark.parametrize("name", ["jmmz", "three-buyers"])
def test_shadow_prices_are_those_of_hat_functions_written_out(name):
    space = quantile_space(load(name), "static", (None,) * load(name).n)
    rng = np.random.default_rng(6)
    mesh = rng.random([3**d for d in space.dims])
    for i in range(space.n):
        outer, inner = outer_points(space, i, 4, rng), rng.random((5, space.dims[i]))
        base = rng.random((4, 5))
        flat = np.moveaxis(mesh, i, -1).reshape(-1, mesh.shape[i])
        tent = [
            np.prod(
                np.maximum(1.0 - 2.0 * np.abs(levels[:, None] - mesh_points(3, levels.shape[1])), 0.0), axis=2
            )
            for levels in (outer, inner)
        ]
        u = ShadowPrices(space.dims, 3, 0.0, mesh)
        found = u.evaluate(i, hats(outer, 3), hats(inner, 3), base)
        assert found == pytest.approx(base * (tent[0] @ flat @ tent[1].T))


def test_prices_that_are_far_behind_are_never_drawn():
    rng = np.random.default_rng(7)
    net, value = rng.normal(size=(20, 50)), rng.random((20, 50))
    order = np.argsort(value, axis=1).astype(np.int32)
    for smoothing in (1e-3, 0.3):
        wins, best = np.empty(net.shape), np.empty(20)
        static_response(net, value, order, 0.0, smoothing, wins, best)
        ranked = np.take_along_axis(net, order, axis=1)
        totals = np.concatenate([ranked[:, ::-1].cumsum(axis=1)[:, ::-1], np.zeros((20, 1))], axis=1) / 50
        chance = np.exp((totals - totals.max(axis=1, keepdims=True)) / smoothing)
        chance = (chance / chance.sum(axis=1, keepdims=True)).cumsum(axis=1)[:, :-1]
        assert np.take_along_axis(wins, order, axis=1) == pytest.approx(chance, abs=1e-12)


def test_refining_a_nested_mesh_keeps_the_function(jmmz):
    rng = np.random.default_rng(5)
    u = ShadowPrices(jmmz.dims, 3, 0.0, rng.random((9, 9)))
    fine = u.refined(5)
    a = draw_fibres(jmmz, 0, np.random.default_rng(0).random((6, 2)), 32, 1, 3, 0.0, np.random.default_rng(9))
    b = draw_fibres(jmmz, 0, np.random.default_rng(0).random((6, 2)), 32, 1, 5, 0.0, np.random.default_rng(9))
    assert a.net(u)[0] == pytest.approx(b.net(fine)[0])


def test_the_base_is_the_second_gain():
    gains = np.array([[3.0, -1.0], [2.0, 5.0], [1.0, -2.0]])
    assert base_gain(gains, 0.0).tolist() == [2.0, 0.0]
    assert base_gain(gains[:1], 0.0).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("timing", ["static", "sequential"])
def test_any_shadow_prices_bound_the_value_of_a_known_mechanism(timing):
    space = quantile_space(load("jmmz"), timing, (None, None) if timing == "static" else ("c1", "c2"))
    rng = np.random.default_rng(6)
    for k in range(2):
        u = ShadowPrices(space.dims, 3, 0.0, rng.exponential(size=(9, 9)))
        assert dual_limit(space, u, SMALL, 0.99, seed(k), 11 / 12).mean > EXAMPLE_2


def test_a_fit_brings_the_dual_down_to_a_few_percent(jmmz):
    start = constant_prices(jmmz.dims, 5, 0.0, 0.5)
    plan = FitPlan(fibres=256, types=256, steps=150)
    fitted, mean = fit_prices(jmmz, start, plan, np.random.default_rng(0))
    before = dual_limit(jmmz, start, SMALL, 0.99, seed(1), 11 / 12).mean
    after = dual_limit(jmmz, fitted, SMALL, 0.99, seed(1), 11 / 12).mean
    assert EXAMPLE_2 < after < 0.856 < before
    assert EXAMPLE_2 < dual_limit(jmmz, mean, SMALL, 0.99, seed(1), 11 / 12).mean < 0.856


@pytest.mark.parametrize("sets", [FiniteSets(6, 12, grid=True), FiniteSets(32, 12, grid=False)])
def test_random_finite_sets_bound_the_first_best_where_it_is_attained(sets):
    instance, truth = crossing(3)
    space = quantile_space(instance, "static", (None, None))
    fb, kept, _ = first_best(space, 0.999, seed(2))
    assert fb.mean == pytest.approx(truth, abs=max(fb.error, 1e-6))
    assert kept.error == 0.0
    found = mean_limit(finite_sets(space, sets, seed(3)), 0.99, fb.mean)
    assert found.mean + found.error + fb.error >= truth - 1e-9
    assert found.mean < truth + 0.05


@pytest.mark.slow
def test_sobol_types_leave_less_noise_than_grids_with_random_offsets(jmmz):
    spread = {}
    for sets in (FiniteSets(64, 16, grid=False), FiniteSets(8, 16, grid=True)):
        spread[sets.points] = np.std([one.excess for one in finite_sets(jmmz, sets, seed(3))], ddof=1)
    assert spread[64] < spread[8]


def test_averaged_shadow_prices_are_a_bound_of_their_own(jmmz):
    sets = FiniteSets(256, 3, grid=False)
    solved = finite_sets(jmmz, sets, seed(4), nodes=5)
    u = averaged(jmmz, solved, 5, 0.0)
    found = dual_limit(jmmz, u, SMALL, 0.99, seed(5), 11 / 12)
    assert EXAMPLE_2 < found.mean < 0.87
    swapped = replace(u, mesh=symmetrized(u.mesh))
    assert dual_limit(jmmz, swapped, SMALL, 0.99, seed(5), 11 / 12).mean < found.mean + 1e-4


def test_exchangeable_buyers_are_told_from_others(jmmz):
    assert exchangeable(jmmz)
    linear = load("linear", beta21=3.0)
    assert not exchangeable(quantile_space(linear, "static", (None, None)))
    assert not exchangeable(QuantileSpace(load("jmmz"), (None, 1)))
    three = quantile_space(load("linear-three"), "static", (None,) * 3)
    assert exchangeable(three)
    mesh = np.random.default_rng(0).random((2, 2, 2))
    even = symmetrized(mesh)
    assert even == pytest.approx(even.transpose(1, 0, 2)) and even.mean() == pytest.approx(mesh.mean())


def test_limits_fail_no_more_often_than_they_say():
    rng = np.random.default_rng(7)
    fails = 0
    for _ in range(4000):
        limit = one_sided(list(rng.normal(size=8)), 0.95)
        fails += limit.mean + limit.error < 0.0
    assert 0.03 < fails / 4000 < 0.065


def test_one_replicate_proves_nothing():
    assert one_sided([1.0], 0.9).error == np.inf


def test_the_allowance_never_runs_out():
    allowance = Allowance(0.99)
    spent = sum(1.0 - allowance.next("upper") for _ in range(500))
    assert 0.0049 < spent < 0.005


def test_extrapolation_is_exact_on_its_own_model_and_never_calls_itself_a_bound():
    grids = tuple((m, 0.8 + 0.3 / m - 0.1 / m**2) for m in (4, 6, 8, 12))
    found = extrapolate(grids)
    assert found.value == pytest.approx(0.8)
    assert found.to_dict()["kind"] == "estimate, not a bound"


def test_meshes_stay_within_their_limit():
    assert largest_nodes((2, 2), 7000) == 9
    assert largest_nodes((1, 1), 700) == 17
    assert largest_nodes((5, 5), 10) == 1
    assert largest_nodes((10, 10), 10**7) == 1  # two to the tenth corners around every point


def test_three_buyers_without_a_limit_have_the_linear_bound_and_a_rule():
    """What brackets without a time limit solve their finite sets by; a failure there would only leave a bound out."""
    types = discretize(load("three-buyers"), 2)
    formulation = assemble(types, build_blocks(types, ("static",) * 3))
    solution = optimum(formulation, ENDLESS)
    assert formulation.program.violations(solution.x) == 0
    assert solution.bound == pytest.approx(
        solve_program(formulation.program).details["linear_bound"], abs=1e-7
    )


@pytest.mark.parametrize("units", [1, 2])
def test_the_buyers_of_the_units_are_all_of_them_and_go_to_who_should_win(units):
    gains = np.random.default_rng(0).normal(size=(3, 200))
    should = [should_win(gains, i, units) for i in range(3)]
    found = np.array([units_of(one, gains, units) for one in should])
    assert found.sum(axis=0) == pytest.approx(units)
    busy = (gains > 0.0).sum(axis=0) >= units
    assert 20 < busy.sum() < 180 and (found[:, busy] == np.array(should)[:, busy]).all()


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("units", [1, 2])
def test_the_last_margin_is_that_of_a_sort(n, units):
    margins = np.random.default_rng(n).integers(0, 4, (n, 500)).astype(float)
    expected = np.sort(margins, axis=0)[n - units - 1] if units < n else np.full(500, -np.inf)
    assert (last_margin(margins, units) == expected).all()


def test_what_is_compared_with_the_efficient_rule_is_little_noise():
    """Three buyers, each on a sample of his own: a third of the first best each would leave 0.003."""
    space = quantile_space(load("three-buyers"), "static", (None,) * 3)
    u = constant_prices(space.dims, 1, 0.0, 0.8)
    size = Quadrature(fibres=128, types=256)
    found = [dual_replicate(one, space, u, size) for one in seed(3).spawn(8)]
    assert np.std(found, ddof=1) < 2e-3


def test_many_fibres_of_few_types_make_the_limit_narrower_and_not_lower():
    space = quantile_space(load("three-buyers"), "static", (None,) * 3)
    u = constant_prices(space.dims, 3, 0.0, 1.0)
    sizes = (
        Quadrature(64, 32, 1024),
        replace(Quadrature(64, 32, 1024), wide=8),
        Quadrature(64, 256, 128),
    )
    narrow, wide, few = (
        np.array([dual_replicate(one, space, u, size) for one in seed(5).spawn(64)]) for size in sizes
    )
    assert wide.std() < 0.75 * narrow.std()
    error = np.hypot(narrow.std(), wide.std()) / 8.0
    assert abs(wide.mean() - narrow.mean()) < 3.5 * error
    assert few.mean() - wide.mean() > 4.0 * error  # what the few types alone are too high by


def test_three_buyers_try_two_lengths_of_steps_once_and_keep_the_better(monkeypatch):
    space = QuantileSpace(load("three-buyers"), (None,) * 3)
    account = Account(space, 0.01, ENDLESS, Workers(1), False, 0, 0.99, None)
    account.first_best = Limit(1.1, 0.0, 0.99)
    upper, tried = UpperSide(account), []

    def fit(_, *, start, plan, **___):
        tried.append(plan.rate)
        return [replace(start, floor=float(len(tried)))]

    monkeypatch.setattr(side, "fit_prices", fit)
    monkeypatch.setattr(upper, "_best", lambda found: max(found, key=lambda u: u.floor))  # the second
    monkeypatch.setattr(upper, "_evaluate", lambda *_, **__: None)
    effort = replace(efforts(3)[0], replicates_of_sets=0, mesh=100)
    upper.stage(effort)
    upper.stage(effort)
    first, last = effort.level_fit.rate
    assert tried[0] == (first, last) and tried[1] == pytest.approx((0.1 * first, 0.1 * last))
    assert tried[2:] == [pytest.approx((0.04 * first, 0.1 * last))]


@pytest.mark.parametrize(
    ("seconds", "alone", "fitted", "evaluated"),
    [(1000.0, False, 450.0, 0.5), (1000.0, True, 850.0, 0.7), (39.0, True, 17.55, 0.5)],
)
def test_a_stage_takes_more_of_a_long_time_where_the_lower_side_wants_none(
    monkeypatch, seconds, alone, fitted, evaluated
):
    space = QuantileSpace(load("three-buyers"), (None,) * 3)
    account = Account(space, 0.01, Clock(seconds), Workers(1), False, 0, 0.99, None)
    account.first_best, account.kept = Limit(1.1, 0.0, 0.99), Limit(0.0, 0.0, 0.99)
    upper, clocks, shares = UpperSide(account), [], []
    upper.u = constant_prices(space.dims, 2, 0.0, 0.5)

    def fit(*_, start, clock, **__):
        clocks.append(clock.left)
        return [start]

    def afforded(one, size, few, clock, jobs, share):
        shares.append(share)
        return size

    monkeypatch.setattr(side, "fit_prices", fit)
    monkeypatch.setattr(side, "affordable", afforded)
    monkeypatch.setattr(side, "replicated", lambda one, seeds, _: [0.0] * len(seeds))
    monkeypatch.setattr(upper, "_best", lambda found: found[0])
    upper.stage(replace(efforts(3)[0], replicates_of_sets=0, mesh=100), alone=alone)
    assert clocks == [pytest.approx(fitted, rel=0.05)] and shares == [evaluated]


@pytest.mark.parametrize(
    ("alone", "width", "finer", "at_once"),
    [
        (True, 0.03, False, True),
        (False, 0.03, False, False),
        (True, 0.01, False, False),
        (True, 0.03, True, False),
    ],
)
def test_stages_on_one_mesh_are_done_at_once_where_the_end_is_far(monkeypatch, alone, width, finer, at_once):
    space = QuantileSpace(load("three-buyers"), (None,) * 3)
    account = Account(space, 0.01, Clock(1e9), Workers(1), False, 0, 0.99, None)
    account.first_best = Limit(1.1, 0.0, 0.99)
    account.upper = Bound("upper", 1.0, "", "statistical", 1.0, 0.0, 0.99, 0.0)
    account.lower = Bound("lower", 1.0 - width, "", "statistical", 1.0 - width, 0.0, 0.99, 0.0)
    upper, plans, evaluated = UpperSide(account), [], []
    upper.u = constant_prices(space.dims, 2, 0.0, 0.5)

    def fit(_, *, start, plan, **__):
        plans.append(plan)
        return [start]

    monkeypatch.setattr(side, "fit_prices", fit)
    monkeypatch.setattr(upper, "_best", lambda found: found[0])
    monkeypatch.setattr(upper, "_evaluate", lambda effort, **_: evaluated.append(effort))
    own, then = LevelPlan(fibres=8, lines=4, steps=10, rate=(3.0, 0.5)), LevelPlan(16, rate=(2.0, 0.1))
    effort = replace(efforts(3)[0], replicates_of_sets=0, mesh=100, level_fit=own)
    later = [replace(effort, mesh=20_000 if finer else 100, level_fit=replace(then, lines=2, steps=5))]
    upper.stage(effort, alone=alone, later=later)
    assert plans == [replace(own, steps=15, rate=(3.0, 0.1)) if at_once else own.resumed()]
    assert evaluated == [later[-1] if at_once else effort]


@pytest.mark.parametrize(("seconds", "rounds"), [(np.inf, 4), (1e9, 4), (1e-3, 1)])
def test_shadow_prices_are_chosen_in_the_time_for_it(monkeypatch, seconds, rounds):
    space = QuantileSpace(load("three-buyers"), (None,) * 3)
    account = Account(space, 0.01, Clock(seconds), Workers(1), False, 0, 0.99, None)
    account.first_best = Limit(1.1, 0.0, 0.99)
    upper, looked = UpperSide(account), []

    def look(evidence, *_):
        looked.append(evidence.u.nodes)
        return abs(evidence.u.nodes - 3.0)

    monkeypatch.setattr(side.DualLevels, "replicate", look)
    found = upper._best([constant_prices(space.dims, nodes, 0.0, 0.5) for nodes in (2, 3, 4)])
    assert found.nodes == 3 and looked == [2, 3, 4] * rounds


def test_candidates_meet_the_same_samples(monkeypatch):
    space = QuantileSpace(load("three-buyers"), (None,) * 3)
    account = Account(space, 0.01, ENDLESS, Workers(1), False, 0, 0.99, None)
    account.first_best = Limit(1.1, 0.0, 0.99)
    upper, drawn = UpperSide(account), []

    def look(_, seed, *__):
        drawn.append(outer_points(space, 0, 2, np.random.default_rng(seed)).tobytes())
        return 0.0

    monkeypatch.setattr(side.DualLevels, "replicate", look)
    upper._best([constant_prices(space.dims, 2, 0.0, 0.5)] * 3)
    assert len(drawn) == 12 and len(set(drawn)) == 4
