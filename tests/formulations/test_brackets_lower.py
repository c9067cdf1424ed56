import numpy as np
import pytest

from expost.formulations.brackets.cells import cell_mechanism, guaranteed_welfare
from expost.formulations.brackets.leader import complete, construction_strikes, grid_strikes, mesh_nodes
from expost.formulations.brackets.lower import mechanism_limit
from expost.formulations.brackets.polish import PolishPlan, falling, polish
from expost.formulations.brackets.polish_kernel import welfare_gradient
from expost.instances.catalogue import load
from expost.instances.environment import Buyer, Instance
from expost.instances.priors import Prior
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.mechanisms.continuum.mesh import box_minimum, hats, mesh_cell, mesh_points
from expost.mechanisms.continuum.monotone import NotMonotone, directions
from expost.mechanisms.continuum.saved import load_mechanism
from expost.mechanisms.continuum.solo import SoloMechanism
from expost.mechanisms.continuum.space import quantile_space

EXAMPLE_2 = 86 / 105


def seed(k):
    return np.random.SeedSequence(k)


@pytest.fixture(scope="module")
def static():
    return quantile_space(load("jmmz"), "static", (None, None))


@pytest.fixture(scope="module")
def sequential():
    return quantile_space(load("jmmz"), "sequential", ("c1", "c2"))


def random_completion(space, rng, nodes=5, depth=6, leader=0, raised=False):
    rows = 1 if space.first[leader] is None else 5
    x = mesh_points(nodes, 2)
    theta = x[:, 0] + x[:, 1] ** 2 + rng.normal(scale=0.2, size=(rows, len(x)))
    bins = 1 if space.first[1 - leader] is None else 16
    return CompletedMechanism(space, "random", leader, falling(theta), nodes, bins, depth, 1e-4, raised)


def brute_schedule(mechanism, own, fine=401):
    """The follower's strikes from a dense grid of his types: from below, the truth in the limit."""
    others = mesh_points(fine, 2)
    space, lead, follow = mechanism.space, mechanism.leader, mechanism.follower
    levels = [own[None], others] if lead == 0 else [others, own[None]]
    wins = space.value(lead, levels) > mechanism.leader_strikes(own[None], others)[0]
    values = np.where(wins, space.value(follow, levels), -np.inf)
    bins = mechanism.follower_bins(others)
    best = np.array([values[bins >= b].max() for b in range(mechanism.bins)])
    return best


@pytest.mark.parametrize("leader", [0, 1])
@pytest.mark.parametrize("timing", ["static", "sequential"])
def test_schedules_are_at_least_the_supremum_and_close_to_it(timing, leader, request):
    space = request.getfixturevalue(timing)
    rng = np.random.default_rng(10 + leader)
    mechanism = random_completion(space, rng, leader=leader)
    own = rng.random((12, 2))
    found = mechanism.schedules(own)
    assert (np.diff(found, axis=1) <= 0.0).all()
    for row, type_ in zip(found, own, strict=True):
        truth = brute_schedule(mechanism, type_)
        seen = np.isfinite(truth)
        assert (row[seen] >= truth[seen]).all()
        assert (row[seen] - truth[seen]).max(initial=0.0) < 0.05


@pytest.mark.parametrize("timing", ["static", "sequential"])
@pytest.mark.parametrize("raised", [False, True])
def test_completions_pass_their_audit(timing, raised, request):
    mechanism = random_completion(request.getfixturevalue(timing), np.random.default_rng(3), raised=raised)
    verdict = mechanism.audit(2000, seed=4)
    assert verdict.passed, verdict.explain()


def test_an_inadmissible_pair_fails_the_audit(static):
    class Greedy(CompletedMechanism):
        def schedules(self, own):
            return super().schedules(own) - 0.2

    good = random_completion(static, np.random.default_rng(3))
    bad = Greedy(static, "bad", 0, good.theta, good.nodes, 1, 4, 1e-3, False)
    verdict = bad.audit(2000)
    assert not verdict.passed and verdict.crowded > 0
    with pytest.raises(Exception, match="two winners"):
        mechanism_limit(bad, 0.9, seed(1), 0.0, replicates=2, points=64)


def test_example_2_is_completed_by_itself(static):
    nodes = 33
    x = mesh_points(nodes, 2)
    mechanism = complete(static, 0, (x[:, 0] + x[:, 1] ** 2)[None], nodes, "example 2", 0.9, False)
    own = np.random.default_rng(1).random((200, 2))
    excess = mechanism.schedules(own)[:, 0] - (own[:, 0] + own[:, 1] ** 2)
    assert np.abs(excess).max() < 1e-3  # interpolated prices lie a little above the formula
    limit = mechanism_limit(mechanism, 0.999, seed(2), 11 / 12, replicates=8, points=256)
    assert limit.mean == pytest.approx(EXAMPLE_2, abs=6e-4 + limit.error)


def test_minima_over_boxes_are_attained_at_corners():
    rng = np.random.default_rng(2)
    theta = rng.normal(size=(1, 27))
    low = rng.random((50, 3)) * 0.5
    high = low + 0.4 * rng.random((50, 3))
    cell = rng.integers(0, 2, (50, 3))
    out = np.empty(50)
    box_minimum(theta, np.zeros(50, np.int64), np.zeros(50), cell, low, high, 3, out)
    inside = low[:, None] + (high - low)[:, None] * mesh_points(2, 3)[None]
    levels = (cell[:, None] + inside) / 2
    values = (hats(levels.reshape(-1, 3), 3) @ theta[0]).reshape(50, 8)
    assert out == pytest.approx(values.min(axis=1))


def test_hats_sum_to_one_and_reproduce_multilinear_functions():
    levels = np.random.default_rng(3).random((100, 2))
    weights = hats(levels, 5)
    assert np.asarray(weights.sum(axis=1)).ravel() == pytest.approx(np.ones(100))
    nodes = mesh_points(5, 2)
    assert weights @ (nodes[:, 0] * nodes[:, 1]) == pytest.approx(levels[:, 0] * levels[:, 1], abs=0.02)
    cell, part = mesh_cell(levels, 5)
    assert ((cell + part) / 4) == pytest.approx(levels)


def test_the_polish_gradient_is_the_derivative(sequential):
    rng = np.random.default_rng(5)
    nodes, points, types, rows = 9, 6, 7, 3
    fine, others, own = mesh_points(nodes, 2), rng.random((types, 2)), rng.random((points, 2))
    lead_fine, follow_fine = (sequential.value(i, [own[:, None], fine[None]]) for i in range(2))
    lead, follow = (sequential.value(i, [own[:, None], others[None]]) for i in range(2))
    theta = falling(rng.normal(scale=0.1, size=(rows, 25)) + mesh_points(5, 2).sum(axis=1))
    row, part = mesh_cell(own[:, 1], rows)
    near, drawn = hats(fine, 5), hats(others, 5)

    def welfare(theta):
        mixed = (1 - part)[:, None] * theta[row] + part[:, None] * theta[row + 1]
        grads = np.zeros((rows, len(fine))), np.zeros((rows, types))
        tau_fine, tau = (np.ascontiguousarray((spread @ mixed.T).T) for spread in (near, drawn))
        value = welfare_gradient(lead_fine, follow_fine, tau_fine, nodes, 2, 1, lead, follow, lead, follow, tau,
                                 others[:, 1].copy(), row, part, 0.2, *grads)
        return value, (near.T @ grads[0].T).T + (drawn.T @ grads[1].T).T

    _, gradient = welfare(theta)
    for _ in range(8):
        way = rng.normal(size=theta.shape)
        slope = (welfare(theta + 1e-7 * way)[0] - welfare(theta - 1e-7 * way)[0]) / 2e-7
        assert (gradient * way).sum() / (points * types) == pytest.approx(slope, rel=2e-3, abs=1e-6)


def test_polishing_a_grid_optimum_gains(static):
    nodes, _ = mesh_nodes(static, 0)
    start = complete(static, 0, grid_strikes(static, 0, 8), nodes, "grid", 0.9, False)
    better = polish(start, PolishPlan(192, 80, (8e-3, 1e-3), samples=3), np.random.default_rng(0))
    values = [mechanism_limit(m, 0.9, seed(3), 11 / 12, replicates=4, points=128).mean for m in (start, better)]
    assert values[1] > values[0] + 0.002
    assert better.method.endswith("polished")


def test_constructions_start_a_completion(static):
    nodes, _ = mesh_nodes(static, 1)
    x = mesh_points(nodes, 2)
    assert construction_strikes(static, 1, "example2")[0] == pytest.approx(x[:, 0] + x[:, 1] ** 2, abs=1e-3)


@pytest.mark.parametrize("timing", ["static", "sequential"])
def test_cells_are_admissible_and_their_floor_is_below_their_value(timing, request):
    space = request.getfixturevalue(timing)
    mechanism = cell_mechanism(space, 6)
    assert mechanism.audit(4000).passed
    floors = [guaranteed_welfare(mechanism, parts) for parts in (1, 2)]
    value = mechanism_limit(mechanism, 0.999, seed(1), 11 / 12, replicates=8, points=256)
    assert 0.4 < floors[0] < floors[1] < value.mean + value.error


@pytest.mark.parametrize("kind", ["completion", "cells", "solo"])
def test_mechanisms_are_saved_reopened_and_exported(kind, static, sequential, tmp_path):
    made = {"completion": lambda: random_completion(sequential, np.random.default_rng(0)),
            "cells": lambda: cell_mechanism(static, 4),
            "solo": lambda: SoloMechanism(static, "solo", 1, np.empty(0), 64)}[kind]()
    made.save(tmp_path / "m")
    again = load_mechanism(tmp_path / "m")
    signals = {name: np.random.default_rng(k).random(50) for k, name in enumerate(static.instance.signals)}
    assert np.array_equal(made.prices(signals), again.prices(signals))
    assert np.array_equal(made.allocate(signals), again.allocate(signals))
    made.export(tmp_path / "m.csv", states=32)
    assert len((tmp_path / "m.csv").read_text().splitlines()) == 33


def test_a_folder_without_a_mechanism_is_one_line(tmp_path):
    with pytest.raises(Exception, match="expected a folder that a mechanism was saved in"):
        load_mechanism(tmp_path)


def test_levels_invert_signals_also_under_conditional_priors():
    instance = Instance("conditional", (Buyer("1", ("a", "b"), "a + b"),),
                        {"a": Prior("beta", {"a": 2.0, "b": 3.0}), "b": Prior("uniform", {"loc": "a", "scale": 0.5})})
    space = quantile_space(instance, "static", (None,))
    levels = np.random.default_rng(1).random((20, 2))
    back = space.levels(space.signals([levels]))
    assert back[0] == pytest.approx(levels, abs=1e-9)


def test_directions_are_found_and_their_absence_named():
    instance = Instance("mixed", (Buyer("1", ("x",), "x - 0.5*y"), Buyer("2", ("y",), "y + x*(1 - x)")))
    space = quantile_space(instance, "static", (None, None))
    assert directions(space, 0, 1).tolist() == [-1]
    with pytest.raises(NotMonotone, match="V of buyer 2 both rises and falls in x"):
        directions(space, 1, 0)
