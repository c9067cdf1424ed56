"""Stochastic mechanisms: the menu program against the definition, its bound, its audit, and what it gains."""

from dataclasses import replace

import numpy as np
import pytest
from support.lottery_definition import second_best_by_definition

import expost as ex
from expost.formulations.lotteries import lottery_formulation
from expost.formulations.lotteries_solve import assessed, lottery_second_best
from expost.formulations.second_best import second_best
from expost.formulations.settings import Settings
from expost.mechanisms.lottery_audit import audit_lottery
from expost.mechanisms.lottery_menu import Layout, largest_fees, levels_of, payments
from expost.solver.linear_program import LinearProgram, dual_bound
from expost.spaces.type_space import discretize


def random_buyer(rng, ties=False):
    """One buyer with random values and gains that are no function of anything."""
    names = ("a", "b")
    values, gains = rng.random((4, 4)), rng.standard_normal((4, 4))
    if ties:
        values = np.round(values * 3) / 3

    def value(a, b):
        return values[(np.asarray(a) * 3.999).astype(int), (np.asarray(b) * 3.999).astype(int)]

    def extra(a, b):
        return gains[(np.asarray(a) * 3.999).astype(int), (np.asarray(b) * 3.999).astype(int)]

    return ex.Instance("random", [ex.Buyer("1", names, value, externality=extra)])


def agrees(instance, grid, timing):
    space = discretize(instance, grid)
    found = lottery_second_best(space, timing)
    layouts = [block.layout for block in found.formulation.blocks]
    truth = second_best_by_definition(space, layouts)
    assert found.welfare == pytest.approx(truth, abs=2e-6)
    assert found.upper_bound >= found.welfare >= found.upper_bound - 1e-8
    return found


@pytest.mark.parametrize("seed", range(3))
def test_one_buyer_agrees_with_the_definition(seed):
    found = agrees(random_buyer(np.random.default_rng(seed), ties=seed == 1), {"a": 3, "b": 3}, "sequential")
    assert found.audit.passed


@pytest.mark.parametrize("timing", ["sequential", "static,sequential"])
def test_two_buyers_agree_with_the_definition(timing):
    agrees(ex.load("jmmz"), 2, timing)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 300))
def test_random_instances_agree_with_the_definition(seed):
    rng = np.random.default_rng(seed)
    if seed % 2:
        agrees(random_buyer(rng, ties=seed % 3 == 0), {"a": 3, "b": 3}, "sequential")
    else:
        agrees(ex.random_instance(seed), 2, "sequential" if seed % 4 else "static")


def test_lotteries_beat_the_best_deterministic_mechanism_where_one_price_is_best():
    run = ex.solve("lottery", grid=8, timing="sequential", lotteries=True)
    deterministic = ex.solve("lottery", grid=8, timing="sequential")
    assert run.welfare > deterministic.upper_bound + 2e-3
    assert run.welfare - deterministic.welfare == pytest.approx(0.0031, abs=1e-4)
    assert run.upper_bound - run.welfare < 1e-9
    assert run.audit.passed
    assert run.menus["1"]["probability"].between(0, 1 + 1e-9).all()


@pytest.mark.parametrize("name", ["jmmz", "public-rival", "linear"])
def test_static_lotteries_of_two_buyers_gain_nothing(name):
    run = ex.solve(name, grid=3, lotteries=True)
    assert run.welfare == pytest.approx(ex.solve(name, grid=3).welfare, abs=1e-9)


def test_three_static_buyers_give_the_linear_relaxation():
    run = ex.solve("three-buyers", grid=3, lotteries=True)
    bound = ex.solve("three-buyers", grid=3, backend="pdlp").upper_bound
    assert run.welfare == pytest.approx(bound, abs=1e-7)
    assert run.audit.passed


def test_unequal_atoms_and_units():
    buyers = [ex.Buyer(str(k), [f"a{k}", f"b{k}"], f"a{k} + b{k} + 0.3*a{1 + k % 3}") for k in (1, 2, 3)]
    priors = {"a1": ex.discrete([0.0, 1.0], [0.3, 0.7]), "b1": ex.discrete([0.2, 0.9], [0.6, 0.4])}
    instance = ex.Instance("atoms", buyers, priors=priors, seller="0.4", units=2)
    grid = {"a1": 2, "b1": 2, "a2": 2, "b2": 1, "a3": 2, "b3": 1}
    agrees(instance, grid, "sequential,static,static")


def test_the_audit_by_definition_sees_a_fee_that_is_too_low_and_a_wrong_probability():
    space = discretize(ex.load("lottery"), 6)
    found = lottery_second_best(space)
    block, menu, wins = (
        found.formulation.blocks[0],
        found.menus[0],
        found.formulation.blocks[0].layout.fibres(found.allocation[0]),
    )
    fee = menu.fee.copy()
    fee[0, 4] -= 0.01
    cheap = payments(replace(menu, fee=fee), block.level, wins)
    assert audit_lottery(space.values[0], wins, cheap, block.layout).gain == pytest.approx(0.01, abs=1e-6)
    wrong = wins.copy()
    wrong[0, 2, 0] = 1.0 - wrong[0, 2, 0]
    assert not audit_lottery(space.values[0], wrong, found.pays[0], block.layout).passed


def test_the_bound_comes_from_the_multipliers_and_not_from_the_solver():
    formulation = lottery_formulation(discretize(ex.load("lottery"), 4))
    found = lottery_second_best(formulation.space)
    rng = np.random.default_rng(0)
    for noise in (0.0, 0.01, 1.0):
        shaken = found.multipliers + noise * rng.random(len(found.multipliers))
        assert dual_bound(formulation.program, shaken) >= found.welfare
    assert dual_bound(formulation.program, np.full(formulation.program.rows, np.nan)) >= found.welfare
    with pytest.raises(ex.AuditError, match="below the welfare"):
        generous = replace(formulation.program, objective=formulation.program.objective / 2)
        assessed(
            replace(formulation, program=generous), _point(formulation), found.multipliers / 2, "optimal"
        )


def _point(formulation):
    from expost.solver.adapters.lp import solve_linear

    return solve_linear(formulation.program).x


def test_dual_bound_is_exact_on_a_program_by_hand():
    from scipy.sparse import csr_array

    program = LinearProgram(
        np.array([3.0, 2.0]), csr_array([[1.0, 1.0]]), np.array([1.0]), np.zeros(2), np.ones(2), constant=0.5
    )
    assert dual_bound(program, np.array([2.0])) == pytest.approx(0.5 + 2.0 + 1.0, abs=1e-12)
    assert dual_bound(program, np.array([3.0])) == pytest.approx(3.5, abs=1e-12)
    assert dual_bound(program, np.array([-1.0])) == pytest.approx(5.5, abs=1e-12)


def test_fees_are_the_largest_that_keep_all_choices():
    rng = np.random.default_rng(3)
    gains = np.sort(rng.random((5, 4, 4)), axis=1)
    gains = np.maximum(gains, 0) + 10 * np.eye(4)  # every type likes his own option best by far
    fee = largest_fees(gains)
    own = np.diagonal(gains, axis1=1, axis2=2)
    slack = own[:, :, None] - fee[:, :, None] - (gains - fee[:, None, :])
    assert slack.min() >= -1e-12 and (own - fee).min() >= -1e-12
    raised = fee + 1e-6
    tight = (own - raised < -1e-9) | (
        (own[:, :, None] - raised[:, :, None] - gains + fee[:, None, :]) < -1e-9
    ).any(2)
    assert tight.all()


def test_equal_values_share_a_strike():
    strike, level = levels_of(np.array([[[0.5, 0.2], [0.2, 0.9]]]), 1e-12)
    assert strike[0, :3].tolist() == [0.2, 0.5, 0.9]
    assert level[0].tolist() == [[1, 0], [0, 2]]
    assert Layout(0).fibres(np.zeros((2, 3))).shape == (3, 1, 2)


def test_what_is_out_of_reach_or_makes_no_sense_is_refused_by_name(tmp_path):
    with pytest.raises(ex.InputError, match=r"grid: .*entries.*grid=") as error:
        ex.solve("jmmz", grid=24, timing="sequential", lotteries=True)
    assert error.value.where == "grid"
    with pytest.raises(ex.InputError, match="restrict"):
        ex.solve("lottery", grid=4, timing="sequential", lotteries=True, restrict="conditional")
    with pytest.raises(ex.InputError, match="objective"):
        ex.solve("lottery", grid=4, timing="sequential", lotteries=True, objective="revenue")
    run = ex.solve("lottery", grid=4, timing="sequential", lotteries=True)
    assert sorted(path.name for path in run.save(tmp_path / "run").iterdir()) == [
        "answer.json",
        "answer.npz",
        "instance.toml",
        "menu.csv",
        "menu.parquet",
    ]
    assert "stochastic" in run.summary()


def test_stochastic_is_at_least_deterministic():
    for seed in range(4):
        space = discretize(ex.random_instance(seed), 2)
        settings = Settings(space.grid, "static")
        assert lottery_second_best(space, "static").welfare >= second_best(space, settings).welfare - 1e-9
