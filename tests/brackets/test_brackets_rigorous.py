"""Rigorous bounds: completions bounded on boxes, shadow prices on fine cells."""

import functools
import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from support.bracket_truths import crossing, crossing_three

import expost as ex
from expost._limits import NotCompiled
from expost.brackets import bracket, bracket_checks, save_bracket, search
from expost.brackets.clock import OutOfTime
from expost.brackets.effort import RIGOROUS_BOXES, RIGOROUS_STATES, cell_sizes, floor_sizes
from expost.brackets.evidence import DualCells, Floor
from expost.brackets.lower.cells import cell_mechanism, guaranteed_welfare
from expost.brackets.lower.cells_pairs import guaranteed_pairs
from expost.brackets.lower.evaluation import mechanism_limit
from expost.brackets.lower.floor import FloorSizes, completion_floor
from expost.brackets.lower.side import LowerSide
from expost.brackets.records import RIGOROUS
from expost.brackets.starts import complete
from expost.brackets.upper.basis import ShadowPrices, constant_prices
from expost.brackets.upper.cell_kernel import cell_response
from expost.brackets.upper.dual import Quadrature, dual_limit
from expost.brackets.upper.dual_cells import CellSizes, guaranteed_dual
from expost.brackets.upper.ridge import constant_ridge
from expost.brackets.workers import Workers
from expost.errors import InputError, LimitReached
from expost.instances.catalogue import load
from expost.mechanisms.continuum.monotone import straight
from expost.mechanisms.continuum.ranges import Course, Ranges
from expost.spaces.mesh import mesh_points
from expost.spaces.quantile_space import quantile_space


def space_of(first, second, **more):
    one, two = ex.Buyer("1", ["p", "c"], first), ex.Buyer("2", ["q", "d"], second)
    return quantile_space(ex.Instance("pair", [one, two], **more), "static", (None, None))


SPACES = {
    "straight": space_of("p + c*d", "q + c*d"),
    "bent": space_of("p + c*d*d", "q + 0.5*exp(c)*d"),
    "falling, with a cost": space_of("p + c*(1 - d)", "q + d", seller="0.6"),
    "in sequence": quantile_space(load("jmmz"), "sequential", ("c1", "c2")),
    "one in sequence": quantile_space(load("jmmz"), ("static", "sequential"), (None, "p2")),
}
HUMP = space_of("p + c*(d - 0.5)**2", "q + 4*c*(1 - c)*d")
PRIVATE = quantile_space(
    ex.Instance("private", [ex.Buyer("1", ["x"], "x"), ex.Buyer("2", ["y"], "y")]), "static", (None, None)
)
THREE = quantile_space(load("three-buyers"), ("static", "sequential", "static"), (None, "c2", None))


@pytest.fixture(params=SPACES)
def space(request):
    return SPACES[request.param]


def completion(space, order, nodes=5):
    """Given strikes of one rival after the other; those of a sequential buyer fall in his first signal."""
    given = []
    for j in order[:-1]:
        x = mesh_points(nodes, sum(space.dims) - space.dims[j])
        theta = 0.2 + np.max(
            [0.8 * x[:, k] + 0.6 * x[:, k + 1] ** 2 for k in range(0, x.shape[1], 2)], axis=0
        )
        rows = 1 if space.first[j] is None else 3
        given.append(theta + 0.1 * np.arange(rows)[::-1, None])
    negative = any(
        Ranges(space, i, gain=True).on([(np.zeros((1, d)), np.ones((1, d))) for d in space.dims]).low < 0
        for i in range(space.n)
    )
    return complete(space, order, given, nodes, "given", 0.9, negative)


def value(mechanism, best):
    """Its welfare, and the error."""
    limit = mechanism_limit(mechanism, 0.999, np.random.SeedSequence(1), best, replicates=6, points=64)
    return limit.mean, limit.error


FIRST_BESTS = {}
"""By the identity of the space, which cannot be hashed: each is asked for several times."""


def first_best(space):
    if id(space) not in FIRST_BESTS:
        levels = space.split(np.random.default_rng(0).random((1 << 19, sum(space.dims))))
        best = np.max([space.gain(i, levels) for i in range(space.n)], axis=0)
        FIRST_BESTS[id(space)] = space, np.maximum(best, 0.0).mean()
    return FIRST_BESTS[id(space)][1]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_floor_of_a_completion_is_below_its_value_and_comes_near(space, order):
    mechanism = completion(space, order)
    floors = [completion_floor(mechanism, FloorSizes(boxes, boxes // 2)) for boxes in (4, 16)]
    mean, error = value(mechanism, first_best(space))
    assert floors[0] < floors[1] < mean + error + 2e-3
    assert floors[1] > mean - 0.25
    assert completion_floor(mechanism, FloorSizes(4, 2), workers=Workers(2)) == floors[0]


def test_the_floor_of_a_second_price_is_that_of_plain_loops():
    """Private values: the leader pays the other's level, the follower the largest of a box."""
    boxes = 32
    mechanism = complete(PRIVATE, (0, 1), [np.linspace(0.0, 1.0, 5)[None]], 5, "second price", 0.6, False)
    total = 0.0
    for k in range(boxes):
        for strike in ((k + 1) / boxes, (k + 1) / boxes):  # of both the most that a box can ask for
            total += (1.0 - strike**2) / 2.0
    assert completion_floor(mechanism, FloorSizes(boxes, 1)) == pytest.approx(total / boxes, abs=2e-3)
    assert completion_floor(mechanism, FloorSizes(512, 1)) == pytest.approx(2 / 3, abs=4e-3)


def test_the_floor_of_strikes_that_fall_counts_their_highest_corner():
    """The leader pays 1 - y: he wins where x + y > 1, and gains 1/3; the follower never wins."""
    mechanism = complete(PRIVATE, (0, 1), [np.linspace(1.0, 0.0, 5)[None]], 5, "falling", 0.6, False)
    found = completion_floor(mechanism, FloorSizes(64, 1))
    assert 1 / 3 - 0.02 < found < 1 / 3


def test_the_floor_of_three_buyers_is_below_the_value():
    mechanism = completion(THREE, (0, 1, 2), nodes=3)
    floors = [completion_floor(mechanism, FloorSizes(boxes, boxes)) for boxes in (2, 4)]
    mean, error = value(mechanism, first_best(THREE))
    assert 0.0 <= floors[0] < floors[1] < mean + error


def test_the_floor_of_cells_is_that_of_plain_loops_over_cells():
    """Values and gains that rise in everything: corners are the ends of a cell."""
    space, size = SPACES["straight"], 3
    mechanism = cell_mechanism(space, size)
    total = 0.0
    for cell in itertools.product(range(size), repeat=4):
        low = [np.array([[cell[0], cell[1]]]) / size, np.array([[cell[2], cell[3]]]) / size]
        high, middle = ([own + step / size for own in low] for step in (1.0, 0.5))
        for i in range(2):
            strike = mechanism.strikes(middle)[i, 0]
            if space.value(i, low)[0] > strike:
                total += space.gain(i, middle)[0]
            elif space.value(i, high)[0] > strike:
                total += min(space.gain(i, low)[0], 0.0)
    assert guaranteed_pairs(mechanism, 1) == pytest.approx(total / size**4, abs=1e-12)


def test_values_that_rise_and_fall_are_bounded_by_their_formulas():
    assert [Ranges(HUMP, i).course for i in range(2)] == [Course.OPEN] * 2
    mechanism = cell_mechanism(HUMP, 4)
    assert mechanism.audit(4000).passed
    floors = [guaranteed_welfare(mechanism, parts) for parts in (1, 2)]
    mean, error = value(mechanism, first_best(HUMP))
    assert 0.1 < floors[0] < floors[1] < mean + error
    u = constant_prices(HUMP.dims, 3, 0.0, 0.5)
    bounds = [guaranteed_dual(HUMP, u, CellSizes(mesh, 2 * mesh, 128)) for mesh in (4, 8)]
    exact = dual_limit(HUMP, u, SIZE, 0.99, np.random.SeedSequence(1), first_best(HUMP))
    assert bounds[0] > bounds[1] > exact.mean - exact.error
    assert bounds[1] < exact.mean + 0.25


def test_a_python_function_that_rises_and_falls_has_no_range():
    space = space_of(lambda p, c, d: p + c * (d - 0.5) ** 2, "q + d")
    with pytest.raises(Exception, match="V of buyer 1 both rises and falls in d"):
        Ranges(space, 0)


SIZE = Quadrature(replicates=6, fibres=64, types=1024, rows=16, bins=256)


def prices(name):
    """Shadow prices of no pattern, and sizes."""
    space = THREE if name == "three buyers" else SPACES[name.removesuffix(", on a surface")]
    shape = tuple(3**d for d in space.dims)
    u = ShadowPrices(space.dims, 3, 0.01, np.random.default_rng(0).exponential(0.4, size=shape))
    if name.endswith("surface"):
        u = replace(u, ridge=constant_ridge(space.dims, (1, 1), 3, 0.3))
    return space, u


@pytest.mark.parametrize("name", [*SPACES, "straight, on a surface", "three buyers"])
def test_shadow_prices_on_cells_are_above_their_mean_and_come_near(name):
    space, u = prices(name)
    sizes = [CellSizes(2, 4, 64), CellSizes(4, 8, 128)]
    if name != "three buyers":
        sizes[1] = CellSizes(8, 64, 512)
    bounds = [guaranteed_dual(space, u, one) for one in sizes]
    exact = dual_limit(space, u, SIZE, 0.999, np.random.SeedSequence(1), first_best(space))
    assert bounds[0] > bounds[1] > exact.mean - exact.error - 1e-3
    assert bounds[1] < exact.mean + exact.error + (0.3 if name == "three buyers" else 0.05)
    assert guaranteed_dual(space, u, sizes[0], workers=Workers(2)) == bounds[0]


def test_optimal_shadow_prices_of_private_values_are_worth_the_first_best():
    u = constant_prices(PRIVATE.dims, 2, 0.0, 1.0)
    bounds = [guaranteed_dual(PRIVATE, u, CellSizes(mesh, 2 * mesh, 512)) for mesh in (16, 64)]
    assert 2 / 3 < bounds[1] < bounds[0] < 2 / 3 + 0.01


@pytest.mark.parametrize("own", [1, 2, 8, 32])
def test_a_part_of_a_cell_may_bring_more_than_the_whole(own):
    """V = p + c, w = 2p - c - 1/2, no shadow prices: the best price is 1, where p and c are alike; E[(p + c - 1)^+]/2
    from each buyer."""
    buyers = [ex.Buyer(x, [f"p{x}", f"c{x}"], f"p{x} + c{x}", f"p{x} - 2*c{x} - 0.5") for x in "12"]
    space = quantile_space(ex.Instance("part", buyers), "static", (None, None))
    found = guaranteed_dual(space, constant_prices(space.dims, 0, 0.0, 0.0), CellSizes(1, own, 512))
    assert 1 / 6 < found < 1 / 6 + 2.5 / own


@pytest.mark.parametrize("own", [4, 16])
def test_cells_are_won_in_part_from_their_least_to_their_largest_value(own):
    """V = p + 0.37c, w = V - 0.6, no shadow prices: who is worth more than 0.6 wins; E[(V - 0.6)^+] from each."""
    buyers = [ex.Buyer(x, [f"p{x}", f"c{x}"], f"p{x} + 0.37*c{x}", "-0.6") for x in "12"]
    space = quantile_space(ex.Instance("part", buyers), "static", (None, None))
    found = guaranteed_dual(space, constant_prices(space.dims, 0, 0.0, 0.0), CellSizes(1, own, 512))
    exact = (0.77**3 - 0.4**3) / (3 * 0.37)
    assert exact < found < exact + 0.5 / own**2


@pytest.mark.parametrize("rows", [1, 3])
def test_best_responses_on_cells_are_those_of_all_schedules(rows):
    rng = np.random.default_rng(rows)
    ends, corners, cells, fibres, bins = 2, 3, 6, 4, 4
    net = rng.normal(size=(ends, corners, cells))
    part = np.maximum(net, 0.0) + rng.random(net.shape)
    most = rng.normal(size=(fibres, cells))
    low = rng.integers(0, bins, (fibres, cells)).astype(np.int32)
    high = np.minimum(low + rng.integers(0, 2, low.shape), bins - 1).astype(np.int32)
    corner = rng.integers(0, corners, (fibres, 2))
    best = np.empty(fibres)
    cell_response(net, part, most, most, low, high, corner, rows, bins, best)
    for f in range(fibres):
        found = 0.0
        for e, c in itertools.product(range(ends), corner[f]):
            totals = []
            for strikes in itertools.product(range(-1, bins + 1), repeat=rows):
                if list(strikes) == sorted(strikes, reverse=True):
                    k = np.repeat(strikes, cells // rows)
                    some = np.maximum(most[f] + part[e, c], 0.0)
                    won = np.where(low[f] > k, most[f] + net[e, c], np.where(high[f] >= k, some, 0.0))
                    totals.append(won.sum())
            found += max(totals)
        assert best[f] == pytest.approx(found / (ends * 2 * cells))


def test_straight_gains_are_told_from_bent_ones():
    assert straight(SPACES["straight"], 0, range(2)) and straight(SPACES["falling, with a cost"], 0, range(2))
    assert straight(SPACES["bent"], 0, (0,)) and not straight(SPACES["bent"], 0, range(2))
    assert not straight(space_of("exp(p) + c", "q + d"), 0, (0,))


def test_sizes_grow_and_stay_within_what_they_are_asked_for():
    for space in (*SPACES.values(), THREE, PRIVATE):
        levels = max(sum(space.dims) - own for own in space.dims)
        sizes = [cell_sizes(space, states) for states in RIGOROUS_STATES]
        for one, states in zip(sizes[2:], RIGOROUS_STATES[2:], strict=True):
            assert one.own % one.mesh == 0
            assert space.n * (2 * one.mesh) ** levels * one.own ** max(space.dims) <= 2 * states
        assert sizes[-1].mesh >= sizes[0].mesh and sizes[-1].own > sizes[0].own
        boxes = [floor_sizes(space, count).boxes for count in RIGOROUS_BOXES]
        assert boxes == sorted(boxes) and boxes[-1] > boxes[0]


def test_the_last_rigorous_stages_go_to_the_side_that_takes_less_until_neither_fits():
    done = []

    class Bounds(search._Rigorous):
        def __init__(self):
            self.account = SimpleNamespace(over=False, left=100.0, clock=None)
            self.sides = tuple(
                (None, None, amounts) for amounts in ((0.0, 1.0, 4.0, 400.0), (0.0, 3.0, 27.0))
            )
            self.pace, self.done = [2.0, 1.0], [0.0, 0.0]

        def _step(self, side, work, clock):
            done.append((side, work))
            self.account.left -= self.pace[side] * work
            self.done[side] = work

    Bounds().finish(slice(1, None))
    assert done[:4] == [(0, 1.0), (1, 3.0), (0, 4.0), (1, 27.0)]
    assert done[4] == (0, pytest.approx(60.0 / (2.0 * search.CAREFUL)))  # 400 would take too long
    assert len(done) == 5


@pytest.mark.parametrize(
    ("made", "accuracy"),
    [
        (crossing, 0.2),
        pytest.param(crossing, 0.01, marks=pytest.mark.slow),
        pytest.param(crossing_three, 0.05, marks=pytest.mark.slow),
    ],
)
def test_rigorous_brackets_contain_what_is_known_and_nothing_statistical(made, accuracy):
    instance, truth = made(0)
    found = bracket(instance, accuracy, rigorous=True)
    assert found.lower.value <= truth <= found.upper.value and found.reached
    assert {bound.kind for bound in found.history} == {RIGOROUS}
    assert found.mechanism.audit(2000).passed


@functools.cache
def any_bracket():
    return ex.bracket("one-dimensional", 0.3, seed=1)


@pytest.mark.parametrize("damage", ["", "lower", "upper"])
def test_saved_rigorous_bounds_are_computed_again(damage, tmp_path):
    found = any_bracket()
    space = PRIVATE
    mechanism = complete(space, (0, 1), [np.linspace(0.0, 1.0, 5)[None]], 5, "second price", 0.6, False)
    u = constant_prices(space.dims, 2, 0.0, 1.0)
    evidence = {"lower": Floor(mechanism, FloorSizes(16, 1)), "upper": DualCells(u, CellSizes(8, 16, 64))}
    proofs = []
    for side, one in evidence.items():
        worth = one.value(space) + (1e-6 if side == damage else 0.0)
        bound = replace(
            getattr(found, side), value=worth, estimate=worth, error=0.0, kind=RIGOROUS, confidence=1.0
        )
        proofs.append(replace(found.proofs[0], bound=bound, evidence=one, spawn_key=(), replicates=()))
    changed = replace(
        found, mechanism=mechanism, proofs=tuple(proofs), lower=proofs[0].bound, upper=proofs[1].bound
    )
    folder = save_bracket(changed, tmp_path / "saved")
    checks = [check for check in bracket_checks(folder) if check.detail.startswith("rigorous")]
    assert [check.name.split(",")[0] for check in checks] == ["lower", "upper"]
    assert [check.name.split(",")[0] for check in checks if not check.passed] == ([damage] if damage else [])


@pytest.mark.parametrize(
    ("instance", "what"),
    [
        (load("public-rival"), "two buyers or more"),
        (
            ex.Instance(
                "wide",
                [ex.Buyer("1", ["x"], "x"), ex.Buyer("2", ["y"], "y")],
                priors={"x": {"distribution": "expon"}},
            ),
            "bounded supports",
        ),
    ],
)
def test_where_there_are_no_rigorous_bounds_of_both_sides_it_says_so(instance, what):
    with pytest.raises(InputError, match=what) as caught:
        bracket(instance, rigorous=True)
    assert caught.value.where == "rigorous"


@pytest.mark.parametrize("why", [OutOfTime, NotCompiled])
def test_a_limit_before_both_rigorous_bounds_is_one_line(why, monkeypatch):
    def late(*_):
        raise why

    monkeypatch.setattr(LowerSide, "cells", late)
    with pytest.raises(LimitReached, match="rigorous" if why is OutOfTime else "compiling"):
        bracket(load("jmmz"), 0.1, rigorous=True)
