import math
from dataclasses import replace

import numpy as np
import pytest

from expost.brackets.account import Account
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.effort import efforts
from expost.brackets.evidence import Welfare
from expost.brackets.lower import rough, side
from expost.brackets.lower.cells import cell_mechanism, guaranteed_welfare
from expost.brackets.lower.evaluation import (
    _added,
    _roughly,
    fibres_replicate,
    mechanism_limit,
    states_replicate,
)
from expost.brackets.lower.polish import PolishPlan, falling, polish
from expost.brackets.lower.polish_fibres import gradient, polish_fibres, polish_types
from expost.brackets.lower.rough import rough_strikes, rough_suprema
from expost.brackets.lower.side import LowerSide
from expost.brackets.records import LOWER, STATISTICAL, UPPER, Bound, Proof
from expost.brackets.saved import _facts, _proof
from expost.brackets.starts import (
    _fit,
    closed_form_nodes,
    complete,
    given_strikes,
    grid_rules,
    grid_strikes,
    mesh_nodes,
    nothing,
    thinned,
)
from expost.brackets.statistics import Limit
from expost.brackets.workers import Workers
from expost.instances.catalogue import load
from expost.instances.environment import Buyer, Instance
from expost.instances.priors import Prior
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.mechanisms.continuum.monotone import NotMonotone, directions
from expost.mechanisms.continuum.saved import load_mechanism
from expost.mechanisms.continuum.solo import SoloMechanism
from expost.papers import constructions
from expost.papers.constructions import get, starts
from expost.spaces.mesh import box_minimum, hats, mesh_cell, mesh_points
from expost.spaces.quantile_space import QuantileSpace, quantile_space

EXAMPLE_2 = 86 / 105
FIRST_BEST_THREE = 1.10946


def three(first, units=1):
    """Quantile space of three buyers, each static (None) or with a first signal."""
    instance = replace(load("three-buyers"), units=units)
    places = tuple(
        None if name is None else instance.buyers[i].signals.index(name) for i, name in enumerate(first)
    )
    return QuantileSpace(instance, places)


def seed(k):
    return np.random.SeedSequence(k)


@pytest.fixture(scope="module")
def static():
    return quantile_space(load("jmmz"), "static", (None, None))


@pytest.fixture(scope="module")
def sequential():
    return quantile_space(load("jmmz"), "sequential", ("c1", "c2"))


def random_completion(space, rng, nodes=5, depth=6, order=(0, 1), raised=False):
    theta = []
    for j in order[:-1]:
        rows = 1 if space.first[j] is None else 5
        x = mesh_points(nodes, sum(space.dims) - space.dims[j])
        level = x[:, 0] + x[:, 1] ** 2 if space.n == 2 else 0.5 + 0.5 * x.mean(axis=1)
        theta.append(falling(level + rng.normal(scale=0.2, size=(rows, len(x)))))
    return CompletedMechanism(space, "random", order, tuple(theta), nodes, 16, depth, 1e-4, raised)


def brute_suprema(mechanism, k, state, fine):
    """A later buyer's strikes in one state (a row of levels per buyer) from a dense grid of his types: from below, the
    truth in the limit."""
    space = mechanism.space
    types = mesh_points(fine, space.dims[k])
    levels = [
        types if j == k else np.broadcast_to(own, (len(types), len(own))) for j, own in enumerate(state)
    ]
    given = {j: mechanism.given_along(j, levels, levels[j][:, None])[:, 0] for j in mechanism.earlier(k)}
    count = np.sum([space.value(j, levels) > strikes for j, strikes in given.items()], axis=0)
    wins = count >= space.units
    values = np.where(wins, space.value(k, levels), -np.inf)
    bins = mechanism.bin_at(k, types)
    return np.array([values[bins >= b].max() for b in range(mechanism.bins_of(k))])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("timing", ["static", "sequential"])
def test_suprema_are_at_least_the_truth_and_close_to_it(timing, order, request):
    space = request.getfixturevalue(timing)
    rng = np.random.default_rng(10 + order[0])
    check_suprema(random_completion(space, rng, order=order), rng, 401)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("first", [(None, None, None), ("c1", "c2", "c3"), ("c1", None, "p3")])
def test_suprema_of_three_buyers_are_at_least_the_truth_and_close_to_it(order, first):
    check_suprema(
        random_completion(three(first), np.random.default_rng(5), order=order), np.random.default_rng(6), 201
    )


def test_suprema_of_two_units_are_at_least_the_truth_and_close_to_it():
    space = three((None, "c2", None), units=2)
    mechanism = random_completion(space, np.random.default_rng(5), order=(2, 0, 1))
    check_suprema(mechanism, np.random.default_rng(6), 201)
    states = [np.random.default_rng(7).random((500, dims)) for dims in space.dims]
    assert (mechanism.wins(states).sum(axis=0) == 2).any()


def check_suprema(mechanism, rng, fine):
    states = [rng.random((6, dims)) for dims in mechanism.space.dims]
    for k in mechanism.order[1:]:
        found = mechanism.suprema(k, states)
        assert (np.diff(found, axis=1) <= 0.0).all()
        for row, *state in zip(found, *states, strict=True):
            truth = brute_suprema(mechanism, k, state, fine)
            seen = np.isfinite(truth)
            assert (row[seen] >= truth[seen]).all()
            assert (row[seen] - truth[seen]).max(initial=0.0) < 0.05


@pytest.mark.parametrize("first", [(None, None, None), ("c1", "c2", "c3"), ("c1", None, "p3")])
@pytest.mark.parametrize(("raised", "units"), [(False, 1), (True, 1), (False, 2)])
def test_completions_of_three_buyers_pass_their_audit(first, raised, units):
    mechanism = random_completion(
        three(first, units), np.random.default_rng(4), order=(1, 2, 0), raised=raised
    )
    verdict = mechanism.audit(400, seed=4)
    assert verdict.passed, verdict.explain()


@pytest.mark.parametrize("timing", ["static", "sequential"])
@pytest.mark.parametrize("raised", [False, True])
def test_completions_pass_their_audit(timing, raised, request):
    mechanism = random_completion(request.getfixturevalue(timing), np.random.default_rng(3), raised=raised)
    verdict = mechanism.audit(2000, seed=4)
    assert verdict.passed, verdict.explain()


def test_an_inadmissible_pair_fails_the_audit(static):
    class Greedy(CompletedMechanism):
        def suprema(self, k, levels, *tick):
            return super().suprema(k, levels, *tick) - 0.2

    good = random_completion(static, np.random.default_rng(3))
    bad = Greedy(static, "bad", (0, 1), good.theta, good.nodes, 1, 4, 1e-3, False)
    verdict = bad.audit(2000)
    assert not verdict.passed and verdict.crowded > 0
    with pytest.raises(Exception, match="two winners"):
        mechanism_limit(bad, 0.9, seed(1), 0.0, replicates=2, points=64)


def test_example_2_is_completed_by_itself(static):
    nodes = 33
    x = mesh_points(nodes, 2)
    mechanism = complete(static, (0, 1), [(x[:, 0] + x[:, 1] ** 2)[None]], nodes, "example 2", 0.9, False)
    own = np.random.default_rng(1).random((200, 2))
    excess = mechanism.suprema(1, [own, own])[:, 0] - (own[:, 0] + own[:, 1] ** 2)
    assert np.abs(excess).max() < 1e-3  # interpolated prices lie a little above the formula
    limit = mechanism_limit(mechanism, 0.999, seed(2), 11 / 12, replicates=8, points=128)
    assert limit.mean == pytest.approx(EXAMPLE_2, abs=2e-4 + limit.error)


def test_example_2_of_three_buyers_is_no_worse_completed():
    space, order, nodes = three((None, None, None)), (2, 0, 1), 9
    theta = [
        given_strikes(space, constructions.get("example2", space.instance), j, nodes) for j in order[:-1]
    ]
    mechanism = complete(space, order, theta, nodes, "example 2", 1.1, False)
    rng = np.random.default_rng(1)
    states = [rng.random((60, 2)) for _ in range(3)]
    prices = get("example2", space.instance).prices
    for k in order[1:]:
        others = {name: column for name, column in space.signals(states).items() if name[1] != str(k + 1)}
        excess = mechanism.suprema(k, states)[:, 0] - prices.price(k, others)
        assert (
            excess.max() < 0.05
        )  # no more than interpolation on nine nodes costs: the prices are admissible
    limit = mechanism_limit(mechanism, 0.999, seed(2), FIRST_BEST_THREE, replicates=4, points=64)
    assert limit.mean == pytest.approx(1.0091, abs=8e-3)  # the prices themselves, on 200,000 random states


SPACES = {
    "static": lambda: three((None, None, None)),
    "sequential": lambda: three(("c1", "c2", "c3")),
    "mixed": lambda: three(("c1", None, "p3")),
    "two units": lambda: three(("c1", None, "p3"), units=2),
    "unbounded": lambda: QuantileSpace(
        replace(
            load("three-buyers"),
            priors={name: Prior("expon", {"scale": 0.5}) for name in ("p1", "p3")},
        ),
        (None, None, 1),
    ),
    "losses": lambda: QuantileSpace(
        replace(
            load("three-buyers"),
            buyers=[replace(buyer, externality="-0.8") for buyer in load("three-buyers").buyers],
        ),
        (None, 1, None),
    ),
}


def several(case, **given):
    return random_completion(
        SPACES[case](), np.random.default_rng(7), nodes=3, order=(1, 0, 2), depth=8, **given
    )


@pytest.mark.parametrize(
    ("case", "raised", "wrong"),
    [
        ("static", False, 0.1),
        ("sequential", True, 0.1),
        ("mixed", False, 0.0),
        ("mixed", True, 0.1),
        ("two units", False, 0.1),
        ("losses", True, 0.1),
    ],
)
def test_fibres_and_random_states_give_the_same_welfare_however_rough_suprema_are(
    case, raised, wrong, monkeypatch
):
    mechanism = several(case, raised=raised)
    monkeypatch.setattr(rough, "rough_suprema", lambda *given: rough_suprema(*given) - wrong)
    one = [fibres_replicate(mechanism, 16, child) for child in seed(1).spawn(6)]
    two = [states_replicate(mechanism, 16, child) for child in seed(2).spawn(6)]
    error = np.hypot(np.std(one, ddof=1), np.std(two, ddof=1)) / np.sqrt(6)
    assert np.mean(one) == pytest.approx(np.mean(two), abs=5.0 * error)
    assert error < 0.01


@pytest.mark.parametrize("raised", [False, True])
@pytest.mark.parametrize("case", SPACES)
def test_rough_strikes_are_near_the_exact_ones(case, raised):
    """What is won at the one and not at the other is a small part of what is won."""
    mechanism = several(case, raised=raised)
    space, rng = mechanism.space, np.random.default_rng(8)
    levels = [rng.random((200, dims)) for dims in space.dims]
    levels[0][:20, 0] = 1.0 - 1e-6  # beyond what a strike is given for, where the support is unbounded
    for k in mechanism.order:
        own = rng.random((200, 64, space.dims[k]))
        signals = space.signals([own if j == k else rest[:, None] for j, rest in enumerate(levels)])
        value = space.instance.value(k, signals)
        exact, roughly = (
            value > strikes
            for strikes in (mechanism.strikes_along(k, levels, own), rough_strikes(mechanism, k, levels, own))
        )
        assert (exact != roughly).mean() <= (0.0 if k == mechanism.order[0] else 0.001)
        assert exact.mean() > 0.01


@pytest.mark.parametrize("case", ["static", "sequential", "mixed"])
def test_rough_suprema_are_near_the_exact_ones_in_every_bin(case):
    mechanism = several(case)
    levels = [np.random.default_rng(8).random((200, dims)) for dims in mechanism.space.dims]
    for k in mechanism.order[1:]:
        exact, roughly = mechanism.suprema(k, levels), rough_suprema(mechanism, k, levels)
        seen = np.isfinite(roughly)  # elsewhere nobody earlier wins, and he may always
        assert roughly.shape == exact.shape and seen.mean() > 0.7
        assert np.abs(roughly - exact)[seen].mean() < 1e-3


def test_rough_suprema_leave_a_tenth_of_the_noise():
    mechanism = several("sequential")
    space, rng = mechanism.space, np.random.default_rng(9)
    for k in mechanism.order[1:]:
        added, won = [], []
        for _ in range(12):
            joint = rng.random((64, sum(space.dims)))
            added.append(_added(mechanism, k, joint, rng, ENDLESS)[0])
            won.append(_roughly(mechanism, k, joint, rng, ENDLESS))
        assert np.std(added) < 0.1 * np.std(won)


def test_what_was_evaluated_on_other_states_is_not_repeated():
    mechanism = several("static")
    kept = Welfare(mechanism, 4)
    bound = Bound(LOWER, 1.0, "", STATISTICAL, 1.0, 0.0, 0.9, 1.0)
    facts = _facts(Proof(bound, kept, (1,), (0.5,)))
    again = _proof(facts, mechanism, {})
    assert again.repeatable
    assert again.evidence.replicate(seed(1), mechanism.space) == kept.replicate(seed(1), mechanism.space)
    for other in ({"states": [16, 16]}, {"states": None, "crossed": True}):
        assert not _proof(facts | other, mechanism, {}).repeatable
    del facts["states"]
    assert not _proof(facts, mechanism, {}).repeatable
    two = random_completion(quantile_space(load("jmmz"), "static", (None, None)), np.random.default_rng(3))
    pairs = _facts(Proof(bound, Welfare(two, 4), (1,), (0.5,)))
    assert "states" not in pairs and _proof(pairs, two, {}).repeatable


def test_minima_over_boxes_are_attained_at_corners():
    rng = np.random.default_rng(2)
    theta = rng.normal(size=(1, 27))
    low = rng.random((50, 3)) * 0.5
    high = low + 0.4 * rng.random((50, 3))
    cell = rng.integers(0, 2, (50, 3))
    out = np.empty(50)
    box_minimum(theta, np.zeros(50, np.int64), cell, low, high, 3, out)
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


@pytest.mark.parametrize("case", ["two static", "two sequential", "three static", "three mixed", "two units"])
def test_the_polish_gradient_is_the_derivative(case, static, sequential):
    space = {
        "two static": static,
        "two sequential": sequential,
        "three static": three((None, None, None)),
        "three mixed": three(("c1", "p2", None)),
        "two units": three((None, "p2", None), units=2),
    }[case]
    rng = np.random.default_rng(5)
    order = (1, 2, 0)[: space.n] if space.n > 2 else (0, 1)
    mechanism = random_completion(space, rng, nodes=3, order=order)
    types = polish_types(mechanism, 64, rng)
    fibres = [polish_fibres(mechanism, k, types) for k in mechanism.order]

    def welfare(theta):
        parts = [gradient(replace(mechanism, theta=theta), part, 0.2) for part in fibres]
        return sum(value for value, _ in parts), [
            sum(terms) for terms in zip(*(g for _, g in parts), strict=True)
        ]

    _, slopes = welfare(mechanism.theta)
    for place, theta in enumerate(mechanism.theta):
        for _ in range(6):
            way = rng.normal(size=theta.shape)

            def moved(step, place=place, way=way):
                return welfare(
                    tuple(t + step * way if at == place else t for at, t in enumerate(mechanism.theta))
                )[0]

            slope = (moved(1e-7) - moved(-1e-7)) / 2e-7
            assert (slopes[place] * way).sum() == pytest.approx(slope, rel=2e-3, abs=1e-5)


def test_polishing_a_grid_optimum_gains(static):
    nodes = mesh_nodes(static, (0, 1))
    start = complete(
        static, (0, 1), [grid_strikes(static, grid_rules(static, 8), 0, nodes)], nodes, "grid", 0.9, False
    )
    better = polish(start, PolishPlan(192, 80, (8e-3, 1e-3)), np.random.default_rng(0))
    values = [
        mechanism_limit(m, 0.9, seed(3), 11 / 12, replicates=4, points=64).mean for m in (start, better)
    ]
    assert values[1] > values[0] + 0.002
    assert better.method.endswith("polished")


@pytest.mark.slow
def test_polishing_three_buyers_gains():
    space, order = three((None, None, None)), (0, 1, 2)
    nodes, rules = mesh_nodes(space, order), grid_rules(space, 3)
    start = complete(
        space, order, [grid_strikes(space, rules, j, nodes) for j in (0, 1)], nodes, "grid", 1.0, False
    )
    better = polish(start, PolishPlan(128, 100, (1.6e-2, 1e-3), nodes=5), np.random.default_rng(0))
    values = [mechanism_limit(m, 0.9, seed(3), 1.11, replicates=4, points=64).mean for m in (start, better)]
    assert values[1] > values[0] + 0.01


def test_constructions_start_a_completion(static):
    nodes = mesh_nodes(static, (1, 0))
    x = mesh_points(nodes, 2)
    assert given_strikes(static, constructions.get("example2", static.instance), 1, nodes)[
        0
    ] == pytest.approx(x[:, 0] + x[:, 1] ** 2, abs=1e-3)


@pytest.mark.parametrize("timing", ["static", "sequential"])
def test_cells_are_admissible_and_their_floor_is_below_their_value(timing, request):
    space = request.getfixturevalue(timing)
    mechanism = cell_mechanism(space, 6)
    assert mechanism.audit(4000).passed
    floors = [guaranteed_welfare(mechanism, parts) for parts in (1, 2)]
    value = mechanism_limit(mechanism, 0.999, seed(1), 11 / 12, replicates=8, points=256)
    assert 0.4 < floors[0] < floors[1] < value.mean + value.error


@pytest.mark.parametrize("kind", ["completion", "completion of three", "cells", "solo"])
def test_mechanisms_are_saved_reopened_and_exported(kind, static, sequential, tmp_path):
    made = {
        "completion": lambda: random_completion(sequential, np.random.default_rng(0)),
        "completion of three": lambda: random_completion(
            three(("c1", None, "p3")), np.random.default_rng(0), order=(2, 0, 1)
        ),
        "cells": lambda: cell_mechanism(static, 4),
        "solo": lambda: SoloMechanism(static, "solo", (1,), np.empty(0), 64),
    }[kind]()
    made.save(tmp_path / "m")
    again = load_mechanism(tmp_path / "m")
    signals = {
        name: np.random.default_rng(k).random(50) for k, name in enumerate(made.space.instance.signals)
    }
    assert np.array_equal(made.prices(signals), again.prices(signals))
    assert np.array_equal(made.allocate(signals), again.allocate(signals))
    made.export(tmp_path / "m.csv", states=32)
    assert len((tmp_path / "m.csv").read_text().splitlines()) == 33


def test_a_folder_without_a_mechanism_is_one_line(tmp_path):
    with pytest.raises(Exception, match="expected a folder that a mechanism was saved in"):
        load_mechanism(tmp_path)


def test_levels_invert_signals_also_under_conditional_priors():
    instance = Instance(
        "conditional",
        (Buyer("1", ("a", "b"), "a + b"),),
        {"a": Prior("beta", {"a": 2.0, "b": 3.0}), "b": Prior("uniform", {"loc": "a", "scale": 0.5})},
    )
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


@pytest.mark.parametrize(("accuracy", "times"), [(0.04, 1), (0.02, 0)])
def test_a_completion_that_is_good_enough_is_evaluated_as_it_is(static, monkeypatch, accuracy, times):
    account = Account(static, accuracy, ENDLESS, Workers(1), False, 0, 0.99, None)
    account.first_best, account.kept = Limit(11 / 12, 0.0, 0.99), Limit(0.0, 0.0, 0.99)
    account.upper = Bound("upper", 0.84, "", "statistical", 0.84, 0.0, 0.99, 0.0)  # 2.5% above the completion
    lower, evaluated = LowerSide(account, nothing), []
    theta = given_strikes(static, get("example2", static.instance), 0, 17)
    lower.completed = [complete(static, (0, 1), [theta], 17, "", 0.9, negative=False)]
    monkeypatch.setattr(lower, "_evaluate", lambda start, *_: evaluated.append(start))
    lower._unpolished(efforts(2)[0])
    assert evaluated == lower.completed * times


@pytest.mark.parametrize(("dims", "nodes"), [(2, 17), (4, 17), (4, 5)])  # at once, level by level, at once
def test_strikes_that_are_straight_on_a_grid_are_so_on_the_mesh(dims, nodes):
    slopes, points = np.array([1.0, -2.0, 0.5, 4.0])[:dims], 6
    centres = (mesh_points(points, dims) * (points - 1) + 0.5) / points
    assert _fit((centres @ slopes)[None], points, nodes, 1, dims)[0] == pytest.approx(
        mesh_points(nodes, dims) @ slopes, abs=1e-5
    )


@pytest.mark.parametrize(
    ("worth", "seconds", "alone"), [(0.9, 1e9, True), (0.7, 1e9, False), (0.9, math.inf, False)]
)
def test_a_limited_time_is_not_spent_on_polishing_what_is_worth_less_than_prices_by_formula(
    monkeypatch, worth, seconds, alone
):
    space = three((None, None, None))
    account = Account(space, 0.01, Clock(seconds), Workers(1), False, 0, 0.99, None)
    account.first_best, account.kept = Limit(1.1, 0.0, 0.99), Limit(0.0, 0.0, 0.99)
    lower, done = LowerSide(account, starts), []
    mesh = complete(space, (0, 1, 2), [np.zeros((1, 3**4))] * 2, 3, "mesh", 1.0, negative=False)
    monkeypatch.setattr(lower, "_pilot", lambda m, _: worth if m in lower.posted else 0.8)
    monkeypatch.setattr(lower, "_evaluate", lambda m, points, *_, **__: done.append((m.kind, points)))
    monkeypatch.setattr(lower, "_polish", lambda _: done.append("polished"))
    monkeypatch.setattr(lower, "_sources", lambda _: iter(()))
    monkeypatch.setattr(lower, "_unpolished", lambda _: None)
    effort = efforts(3)[0]
    found = lower._starts
    monkeypatch.setattr(lower, "_starts", lambda: [*found(), mesh])
    for number in (0, 1):
        lower.stage(number, effort)
    assert len(lower.posted) == 1 and lower.posted[0].formulas == get("example2", space.instance).formulas
    every = [("posted", 4 * effort.points), ("posted", 2 * effort.points)] if alone else ["polished"] * 2
    assert done == every
    # a small error is not made smaller
    account.upper = Bound(UPPER, 1.05, "", "statistical", 1.05, 0.0, 0.99, 0.0)
    account.lower = Bound(LOWER, 1.0, "", "statistical", 1.0, 5e-4, 0.99, 0.0)
    lower.stage(1, effort)
    assert done == (every if alone else [*every, "polished"])


@pytest.mark.parametrize(("seconds", "early"), [(1e9, True), (math.inf, False)])
def test_prices_by_formula_are_evaluated_first_where_time_is_limited(monkeypatch, seconds, early):
    account = Account(three((None, None, None)), 0.01, Clock(seconds), Workers(1), False, 0, 0.99, None)
    account.first_best, account.kept = Limit(1.1, 0.0, 0.99), Limit(0.0, 0.0, 0.99)
    lower, done = LowerSide(account, starts), []
    monkeypatch.setattr(lower, "_evaluate", lambda m, *_: done.append(m.kind))
    lower.formulas()
    assert done == ["posted"] * early


@pytest.mark.parametrize(("attained", "evaluations"), [(True, 3), (False, 1)])
def test_the_efficient_rule_has_more_states_while_its_error_is_most_of_the_width(
    monkeypatch, attained, evaluations
):
    account = Account(three((None, None, None)), 1e-6, ENDLESS, Workers(1), False, 0, 0.99, None)
    account.first_best, account.kept = Limit(1.1, 0.0, 0.99), Limit(0.0, 0.0, 0.99)
    lower, points = LowerSide(account, starts), []
    lower.never_sell()
    account.upper = Bound("upper", 1.1 if attained else 1.5, "", "", 1.1, 0.0, 0.99, 0.0)

    def evaluate(_, count, *__):
        points.append(count)
        error = 1.0 / count
        account.lower = Bound("lower", 1.1 - error, "", "", 1.1, error, 0.99, 0.0)

    monkeypatch.setattr(lower, "_pilot", lambda *_: 0.0)
    monkeypatch.setattr(lower, "_evaluate", evaluate)
    lower.efficient()
    assert len(points) == evaluations and points == sorted(points)


def test_three_buyers_polish_again_what_gained_though_another_is_better(monkeypatch):
    space = three((None, None, None))
    account = Account(space, 0.01, ENDLESS, Workers(1), False, 0, 0.99, None)
    lower, evaluated = LowerSide(account, nothing), []
    theta = [np.zeros((1, 3**4))] * 2
    start = complete(space, (0, 1, 2), theta, 3, "", 1.0, negative=False)
    worth = {"stuck": 0.9, "stuck+": 0.8, "far": 0.1, "far+": 0.5, "far++": 0.95}
    monkeypatch.setattr(side, "polish", lambda m, *_, **__: replace(m, method=m.method + "+"))
    monkeypatch.setattr(lower, "_pilot", lambda m, _: worth[m.method])
    monkeypatch.setattr(lower, "_evaluate", lambda m, *_, **__: evaluated.append(m.method))
    lower.completed = [replace(start, method=method) for method in ("stuck", "far")]
    for _ in range(2):
        lower._polish(efforts(3)[0])
    assert evaluated == ["stuck", "far++"]
    assert [m.method for m in lower.completed] == ["far++"]


def test_strikes_in_closed_form_have_a_finer_mesh_that_is_thinned_to_be_polished(static):
    space, order = three((None, None, None)), (0, 1, 2)
    nodes = mesh_nodes(space, order)
    finer = closed_form_nodes(space, nodes, 0)
    assert finer == 2 * nodes - 1 == 33
    assert closed_form_nodes(static, 33, 0) == 33  # two buyers
    assert closed_form_nodes(three(("c1", "c2", "c3")), 9, 0) == 9
    given = get("example2", space.instance)
    fine, coarse = (
        complete(
            space, order, [given_strikes(space, given, j, n) for j in (0, 1)], n, "", 1.0, negative=False
        )
        for n in (finer, nodes)
    )
    again = thinned(fine, nodes)
    assert (again.nodes, again.depth) == (coarse.nodes, coarse.depth)
    for found, expected in zip(again.theta, coarse.theta, strict=True):
        assert found == pytest.approx(expected)
    values = [mechanism_limit(m, 0.9, seed(3), 0.0, replicates=4, points=128).mean for m in (fine, coarse)]
    assert values[0] > values[1] + 1e-4  # what interpolation adds to a price that is a maximum costs welfare


def test_never_selling_is_an_infinite_strike():
    space = quantile_space(load("jmmz"), ("static",) * 2, (None, None))
    never = SoloMechanism(space, "never sell", (0,), np.array([np.inf]), 0)
    with np.errstate(all="raise"):
        strikes = never.prices({"p1": 0.3, "c1": 0.2, "p2": 1.0, "c2": 0.0})
    assert (strikes == np.inf).all()
