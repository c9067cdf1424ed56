"""Fibres line by line: integrals above prices, their transpose, and bounds like those of random types."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

import expost as ex
from expost.brackets.account import Account
from expost.brackets.clock import ENDLESS
from expost.brackets.upper import side
from expost.brackets.upper.basis import ShadowPrices, constant_prices
from expost.brackets.upper.dual import Quadrature, dual_replicate, first_best
from expost.brackets.upper.fibre_lines import (
    LineQuadrature,
    draw_line_fibres,
    enough_panels,
    fibre_signals,
    lines_replicate,
)
from expost.brackets.upper.fit import LinePlan, fit_prices, gathered
from expost.brackets.upper.line_kernel import line_maxima, line_response, line_totals, line_wins
from expost.brackets.upper.ridge import Ridge, mesh_shape
from expost.brackets.upper.samples import outer_points
from expost.brackets.upper.side import UpperSide
from expost.brackets.workers import Workers
from expost.spaces.mesh import hats, shifted_grid
from expost.spaces.quantile_space import quantile_space

EXAMPLE_2 = 86 / 105
SMALL = LineQuadrature(replicates=4, fibres=128, lines=32, panels=8, prices=256)
FALLING = """name = "falling"
[[buyers]]
name = "1"
signals = ["x"]
value = "2 - x + y"

[[buyers]]
name = "2"
signals = ["q", "y", "z"]
value = "q + y*x + 0.5*z"
"""
STEPPED = """name = "stepped"
[[buyers]]
name = "1"
signals = ["x"]
value = "x + max(0, min(1, 400*(x - 0.5371)))"

[[buyers]]
name = "2"
signals = ["y"]
value = "y"
"""


def space_of(name):
    return quantile_space(ex.load(name), "static", (None, None))


@pytest.fixture(scope="module")
def jmmz():
    return space_of("jmmz")


@pytest.fixture
def falling(tmp_path):
    file = tmp_path / "falling.toml"
    file.write_text(FALLING)
    return space_of(file)


def random_prices(space, places=None, nodes=3, seed=1):
    rng = np.random.default_rng(seed)
    mesh = rng.random(tuple(nodes**d for d in space.dims))
    ridge = places and Ridge(space.dims, places, nodes, rng.random(mesh_shape(space.dims, nodes)))
    return ShadowPrices(space.dims, nodes, 0.0, mesh, ridge)


def test_totals_are_integrals_above_each_price():
    rng = np.random.default_rng(1)
    parabolas = rng.normal(size=(2, 3, 3))  # lines, panels, coefficients
    edges = np.linspace(0.0, 1.0, 4)
    value = np.array([[0.1 + 0.9 * x, 0.2 + 1.7 * x] for x in np.linspace(0.0, 1.0, 7)]).T
    places = np.linspace(0.0, 1.0, 7)
    net = np.array([[np.polyval(line[min(int(3 * x), 2)], x) for x in places] for line in parabolas])
    net[:, 2], net[:, 4] = rng.normal(size=2), rng.normal(size=2)
    weight, total = np.array([0.3, 0.7]), np.empty(12)
    line_totals(net, value, weight, 0.0, 0.2, total)

    def density(line, x):
        k = min(int(3 * x), 2)
        at = places[2 * k : 2 * k + 3]
        return np.polyval(np.polyfit(at, net[line, 2 * k : 2 * k + 3], 2), x)

    for k in range(12):
        expected = 0.0
        for line, (low, slope) in enumerate(((0.1, 0.9), (0.2, 1.7))):
            start = min(max((0.2 * k - low) / slope, 0.0), 1.0)
            for a, b in itertools.pairwise(edges):
                if b > start:
                    expected += weight[line] * quad(lambda x, o=line: density(o, x), max(a, start), b)[0]
        assert total[k] == pytest.approx(expected, abs=1e-9)


def test_what_prices_win_is_the_transpose_of_totals():
    rng = np.random.default_rng(2)
    value = np.sort(rng.random((4, 9)), axis=1)
    net, weight, chance = rng.normal(size=(4, 9)), rng.random(4), rng.random(17)
    total, wins = np.empty(17), np.empty((4, 9))
    line_totals(net, value, weight, -0.1, 0.07, total)
    line_wins(chance, value, weight, -0.1, 0.07, wins)
    assert float((net * wins).sum()) == pytest.approx(float(total @ chance))


def test_maxima_are_no_less_than_those_over_many_more_prices():
    rng = np.random.default_rng(3)
    value = np.sort(rng.random((6, 5, 17)), axis=2) + np.linspace(0.0, 0.5, 5)[:, None]
    net, weight = rng.normal(size=(6, 5, 17)), np.full(5, 0.2)
    least, whole = np.zeros(6), np.full(6, 1.6)
    few, many = np.empty(6), np.empty(6)
    line_maxima(net, value, weight, least, whole / 127, 128, few)
    line_maxima(net, value, weight, least, whole / 8191, 8192, many)
    assert (few >= many - 1e-6).all()
    assert few == pytest.approx(many, abs=2e-2)


def test_the_response_is_a_gradient_of_the_smoothed_maximum():
    rng = np.random.default_rng(4)
    value, net = np.sort(rng.random((1, 3, 9)), axis=2), rng.normal(size=(1, 3, 9))
    weight, least, step, wins = np.full(3, 1 / 3), np.zeros(1), np.full(1, 0.05), np.empty((1, 3, 9))

    def smooth(net):
        total = np.empty(21)
        line_totals(net[0], value[0], weight, 0.0, 0.05, total)
        return 0.1 * np.log(np.exp(total / 0.1).sum())

    line_response(net, value, weight, least, step, 21, 0.1, wins)
    for line, place in ((0, 0), (1, 3), (2, 8), (1, 6)):
        moved = np.zeros(net.shape)
        moved[0, line, place] = 1e-6
        slope = (smooth(net + moved) - smooth(net - moved)) / 2e-6
        assert wins[0, line, place] == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("jmmz", ((0, False), (0, False))),
        ("falling", ((0, True), (0, False))),
        ("three-buyers", None),
    ],
)
def test_what_is_integrated_out(name, expected, falling):
    space = (
        falling
        if name == "falling"
        else quantile_space(ex.load(name), "static", (None,) * len(ex.load(name).buyers))
    )
    assert fibre_signals(space) == expected


def test_nothing_is_integrated_out_in_sequence():
    assert fibre_signals(quantile_space(ex.load("jmmz"), "sequential", ("c1", "c2"))) is None


def test_both_buyers_bear_half_of_the_same_shadow_prices(falling):
    """E[u] from either buyer's side, by integrals over whole fibres."""
    u = random_prices(falling)
    rng, halves = np.random.default_rng(5), []
    for i in range(2):
        outer = outer_points(falling, i, 1024, rng)
        fibres = draw_line_fibres(falling, fibre_signals(falling), i, outer, 32, 8, 64, u, rng)
        halves.append(float(fibres.net(u)[1].mean()))
    assert halves[0] == pytest.approx(halves[1], rel=1e-2)


def test_a_surface_has_the_mass_that_random_types_find(jmmz):
    u, rng = random_prices(jmmz, (1, 1)), np.random.default_rng(6)
    outer = shifted_grid(1024, 2, rng)
    fibres = draw_line_fibres(jmmz, fibre_signals(jmmz), 0, outer, 32, 8, 64, u, rng)
    p, q, c = rng.random((3, 1 << 16))
    levels = np.stack([p, q, c], axis=1)
    expected = (np.minimum(p, q) + c * c) * (hats(levels, 3) @ u.ridge.mesh.ravel())
    off = fibres.base.shape[1]
    pile = u.ridge.evaluate(0, fibres.ridge) @ fibres.rule
    assert fibres.net(u)[0].shape == (1024, 33, 17) and off == 32 * 17
    assert float(pile.mean()) == pytest.approx(float(expected.mean()), rel=1e-2)


@pytest.mark.parametrize("places", [None, (1, 1)])
def test_bounds_are_those_of_many_random_types(jmmz, places):
    u = random_prices(jmmz, places)
    seeds = np.random.SeedSequence(7).spawn(4)
    lines = [lines_replicate(s, jmmz, u, SMALL) for s in seeds]
    types = [11 / 12 + dual_replicate(s, jmmz, u, Quadrature(fibres=256, types=4096)) for s in seeds]
    assert np.mean(lines) == pytest.approx(np.mean(types), abs=2e-3)
    assert np.mean(lines) > EXAMPLE_2


def test_where_the_value_falls_bounds_are_those_of_random_types(falling):
    u = random_prices(falling)
    seeds = np.random.SeedSequence(8).spawn(4)
    size = Quadrature(fibres=256, types=2048)
    best, _, _ = first_best(falling, 0.99, np.random.SeedSequence(1), points=1 << 14)
    types = [best.mean + dual_replicate(s, falling, u, size) for s in seeds]
    lines = [lines_replicate(s, falling, u, SMALL) for s in seeds]
    assert np.mean(lines) == pytest.approx(np.mean(types), rel=2e-3)


def test_slopes_support_the_dual_function(jmmz):
    """D is convex: no direction rises by less than the slopes say."""
    rng = np.random.default_rng(9)
    u, other = random_prices(jmmz, (1, 1), seed=1), random_prices(jmmz, (1, 1), seed=2)
    fibres = draw_line_fibres(jmmz, fibre_signals(jmmz), 0, shifted_grid(64, 2, rng), 16, 8, 512, u, rng)
    slopes = gathered(u, fibres, *fibres.slopes(u, 1e-4))
    here, there = (float(fibres.worth(one).mean()) for one in (u, other))
    rise = sum(float((g * (b - a)).sum()) for g, a, b in zip(slopes, u.parts, other.parts, strict=True))
    assert here + rise <= there + 1e-3
    step = u.with_parts(a + 1e-3 * (b - a) for a, b in zip(u.parts, other.parts, strict=True))
    assert float(fibres.worth(step).mean()) - here == pytest.approx(1e-3 * rise, abs=1e-4)


def test_a_fit_on_lines_comes_near_in_a_second(jmmz):
    start = constant_prices(jmmz.dims, 5, 0.0, 0.5)
    plan = LinePlan(fibres=64, lines=16, prices=64, samples=4, steps=120, refresh=2)
    values = [
        np.mean([lines_replicate(s, jmmz, u, SMALL) for s in np.random.SeedSequence(10).spawn(2)])
        for u in (start, fit_prices(jmmz, start, plan, np.random.default_rng(0), symmetric=True)[1])
    ]
    assert EXAMPLE_2 < values[1] < 0.842 < values[0]


def test_a_grid_with_an_offset_counts_every_cell_alike():
    levels = shifted_grid(64, 2, np.random.default_rng(0))
    cells = np.floor(8 * levels).astype(int) @ [8, 1]
    assert sorted(cells) == list(range(64))
    assert shifted_grid(60, 1, np.random.default_rng(0)).shape == (60, 1)


def test_values_that_jump_are_left_to_random_types(tmp_path):
    file = tmp_path / "stepped.toml"
    file.write_text(STEPPED)
    space = space_of(file)
    u = constant_prices(space.dims, 9, 0.0, 0.5)
    assert fibre_signals(space) is not None
    assert enough_panels(space, u, SMALL, 1e-5) is None
    smooth = enough_panels(space_of("jmmz"), constant_prices((2, 2), 3, 0.0, 0.5), SMALL, 1e-4)
    assert smooth is not None and smooth.panels >= SMALL.panels


def test_a_search_that_cannot_trust_lines_says_so(monkeypatch, jmmz):
    monkeypatch.setattr(side, "enough_panels", lambda *args: None)
    account = Account(jmmz, 0.01, ENDLESS, Workers(1), False, 0, 0.99, None)
    side.first_bounds(account)
    assert not UpperSide(account).lines
    assert any("not smooth enough" in line for line in account.left_out)


def test_more_panels_are_compared_on_the_same_lines():
    buyers = [ex.Buyer("1", ["p1", "c1"], "p1 + (c1 > c2)"), ex.Buyer("2", ["p2", "c2"], "p2 + (c2 > c1)")]
    space = quantile_space(ex.Instance("steps", buyers), ("static",) * 2, (None, None))
    u = constant_prices(space.dims, 3, 0.0, 0.0)
    size = LineQuadrature(fibres=128, lines=32)
    found = [
        lines_replicate(np.random.SeedSequence(0), space, u, replace(size, panels=panels))
        for panels in (16, 64)
    ]
    assert found[0] == pytest.approx(found[1], abs=1e-6)  # straight along lines
