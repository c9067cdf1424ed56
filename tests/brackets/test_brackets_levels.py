"""Types on levels of equal value: uniform, answered like brute force, as good a bound as scattered ones and quieter."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import expost as ex
from expost.brackets.account import Account
from expost.brackets.clock import Clock
from expost.brackets.effort import efforts
from expost.brackets.evidence import DualLevels
from expost.brackets.saved import _dual
from expost.brackets.statistics import Limit
from expost.brackets.symmetry import orbits, symmetric, symmetrized
from expost.brackets.upper import level_fibres
from expost.brackets.upper.basis import ShadowPrices, Side, base_gain, constant_prices
from expost.brackets.upper.dual import Quadrature, dual_replicate
from expost.brackets.upper.fit import LevelPlan, fit_prices
from expost.brackets.upper.level_fibres import (
    LevelQuadrature,
    Lines,
    Private,
    draw_levels,
    levels_replicate,
    private_levels,
)
from expost.brackets.upper.mesh_kernel import corners, corners_at
from expost.brackets.upper.samples import outer_points
from expost.brackets.upper.side import UpperSide
from expost.brackets.workers import Workers
from expost.errors import AuditError
from expost.spaces.mesh import hats
from expost.spaces.quantile_space import quantile_space

CURVED = """name = "curved"
[[buyers]]
name = "1"
signals = ["x"]
value = "x**2 + y"

[[buyers]]
name = "2"
signals = ["y"]
value = "y"
"""
WIDE = """name = "wide"
[[buyers]]
name = "1"
signals = ["a", "b", "p"]
value = "a*b + 2*p + a*y"

[[buyers]]
name = "2"
signals = ["q", "y"]
value = "q + y*a + 0.5*b*y"
"""


@pytest.fixture(scope="module")
def three():
    return quantile_space(ex.load("three-buyers"), ("static",) * 3, (None,) * 3)


@pytest.fixture(scope="module")
def in_turn():
    return quantile_space(ex.load("three-buyers"), ("sequential",) * 3, ("c1", "c2", "c3"))


@pytest.fixture
def wide(tmp_path):
    file = tmp_path / "wide.toml"
    file.write_text(WIDE)
    return quantile_space(ex.load(file), ("sequential", "static"), ("a", None))


def uneven(space, nodes=3):
    mesh = np.random.default_rng(1).random(tuple(nodes**dims for dims in space.dims))
    return ShadowPrices(space.dims, nodes, 0.0, mesh)


def drawn(space, i, u, size=None, fibres=6, seed=3):
    rng, size = np.random.default_rng(seed), size or Lines(8, 16)
    return draw_levels(space, private_levels(space)[i], i, outer_points(space, i, fibres, rng), size, u, rng)


def test_private_levels_are_straight_and_not_of_the_first_stage(three, in_turn, tmp_path):
    assert private_levels(three) == private_levels(in_turn)
    assert [one.place for one in private_levels(three)] == [0, 0, 0]
    assert private_levels(three)[0].slope == pytest.approx(1.0)
    assert [
        one.slope
        for one in private_levels(quantile_space(ex.load("linear-three"), ("static",) * 3, (None,) * 3))
    ] == [pytest.approx(2.0)] * 3
    first = quantile_space(ex.load("three-buyers"), ("sequential",) * 3, ("p1", "p2", "p3"))
    assert private_levels(first) is None  # what is left is worth more or less as the others' signals are
    file = tmp_path / "curved.toml"
    file.write_text(CURVED)
    assert private_levels(quantile_space(ex.load(file), ("static",) * 2, (None,) * 2)) is None


def test_all_types_of_a_level_have_its_value_and_are_uniform(three, in_turn, wide):
    for space in (three, in_turn, wide):
        for i, private in enumerate(private_levels(space)):
            rng, u = np.random.default_rng(5), constant_prices(space.dims, 3, 0.0, 0.5)
            outer = outer_points(space, i, 400, rng)
            fibres = draw_levels(space, private, i, outer, Lines(9, 16), u, rng)
            private_place = (np.arange(16) + fibres.shift[..., None]) / 16
            assert ((private_place >= 0.0) & (private_place <= 1.0)).all()
            values = fibres.gains  # w = V in these instances
            steps = values * 16 / private.slope - (fibres.start[..., None] + np.arange(16))
            offset = steps[:, :1, :1]
            assert np.abs(steps - offset).max() < 1e-9
            assert np.ptp(offset) > 0.9  # another in every fibre
            assert (
                abs(fibres.shift.mean() - 0.5) < 0.03 and abs(np.square(fibres.shift).mean() - 1 / 3) < 0.03
            )


def test_a_value_that_is_not_straight_is_noticed(three):
    rng, u = np.random.default_rng(5), constant_prices(three.dims, 3, 0.0, 0.5)
    for wrong in (Private(0, 1.001), Private(1, 1.0)):
        with pytest.raises(AuditError, match="not straight"):
            draw_levels(three, wrong, 1, outer_points(three, 1, 4, rng), Lines(4, 8), u, rng)


@pytest.mark.parametrize("nodes", [2, 3])
def test_shadow_prices_on_lines_are_the_mesh_interpolated(wide, three, nodes):
    for space in (wide, three):
        for i, private in enumerate(private_levels(space)):
            u, rng = uneven(space, nodes), np.random.default_rng(2)
            outer = outer_points(space, i, 5, rng)
            state = rng.bit_generator.state
            fibres = draw_levels(space, private, i, outer, Lines(9, 4), u, rng)
            rng.bit_generator.state = state
            own, _ = level_fibres._own_lines(space, i, private.place, Lines(9, 4), rng)
            types = np.repeat(np.repeat(own[None, :, None], 5, axis=0), 4, axis=2)
            types[..., private.place] = (np.arange(4) + fibres.shift[..., None]) / 4
            flat = types.reshape(5, -1, space.dims[i])
            shadow = fibres.gains - fibres.net(u)[0]
            for f in range(5):
                found = u.evaluate(
                    i,
                    hats(outer[f : f + 1], nodes),
                    hats(flat[f], nodes),
                    fibres.base[f].reshape(1, -1),
                )
                assert shadow[f].ravel() == pytest.approx(found.ravel(), abs=1e-12)


def test_gathering_is_the_transpose_of_interpolation(wide):
    u = uneven(wide)
    for i in range(2):
        fibres = drawn(wide, i, u)
        weights = np.random.default_rng(7).normal(size=fibres.base.shape)
        shadow = fibres.gains - fibres.net(u)[0]
        gathered = fibres.gathered(u, weights * fibres.base)
        assert (gathered * u.mesh).sum() == pytest.approx((weights * shadow).sum())


@pytest.mark.parametrize("buyers", [2, 3, 4])
def test_one_side_of_exchangeable_buyers_says_what_the_whole_mesh_does(buyers, tmp_path):
    signals = [f'name = "{i}"\nsignals = ["p{i}", "c{i}"]\n' for i in range(buyers)]
    product = "*".join(f"c{i}" for i in range(buyers))
    text = "".join(f'[[buyers]]\n{own}value = "p{i} + {product}"\n' for i, own in enumerate(signals))
    file = tmp_path / "alike.toml"
    file.write_text(f'name = "alike"\n{text}')
    space = quantile_space(ex.load(file), ("static",) * buyers, (None,) * buyers)
    u = uneven(space).symmetrized()
    kinds = orbits(u.mesh.shape)
    assert symmetric(u.mesh) and not symmetric(uneven(space).mesh)
    for i in range(buyers):
        fibres = drawn(space, i, u)
        side = fibres.folded(kinds.others)
        for whole, folded in zip(fibres.net(u), side.net(Side(kinds.side_of(u.mesh))), strict=True):
            assert folded == pytest.approx(whole, abs=1e-12)
        weights = np.random.default_rng(7).normal(size=fibres.base.shape)
        sums = side.gathered_side(kinds.side.shape, weights)
        assert kinds.means_of_side(sums) == pytest.approx(kinds.means(fibres.gathered(u, weights)), abs=1e-12)


def test_only_what_no_order_of_the_buyers_changes_is_seen_from_one_side(three):
    """Else the bound would be that of other shadow prices."""
    u = uneven(three)
    assert u.others is None
    for i in range(3):
        assert (u.sides[i].slices(i) == u.slices(i)).all()
    assert u.symmetrized().others is not None


def test_responses_are_those_of_every_price_tried(three):
    u = uneven(three)
    fibres = drawn(three, 1, u)
    net, _ = fibres.net(u)
    best, _ = fibres.respond(net)
    levels = fibres.start[..., None] + np.arange(net.shape[2])
    for f in range(len(net)):
        totals = [np.where(levels[f] >= level, net[f], 0.0).mean() for level in range(-2, 60)]
        assert best[f] == pytest.approx(max(totals))
    _, wins = fibres.respond(net, 1e-2, rule=True)
    ahead, behind = (
        fibres_smoothed(np.where(np.indices(net.shape).sum(axis=0) == 9, net + step, net), levels, 1e-2)
        for step in (1e-5, -1e-5)
    )
    slope = np.where(np.indices(net.shape).sum(axis=0) == 9, wins, 0.0).sum(axis=(1, 2)) / net[0].size
    assert (ahead - behind) / 2e-5 == pytest.approx(slope, rel=1e-4, abs=1e-9)


def fibres_smoothed(net, levels, smoothing):
    prices = np.arange(levels.min(), levels.max() + 2)
    found = []
    for f in range(len(net)):
        low, high = levels[f].min(), levels[f].max() + 1
        totals = np.array(
            [np.where(levels[f] >= level, net[f], 0.0).mean() for level in prices if low <= level <= high]
        )
        found.append(smoothing * np.log(np.exp(totals / smoothing).sum()))
    return np.array(found)


def test_strikes_do_not_rise_and_are_the_best_such(in_turn):
    u = uneven(in_turn)
    fibres = drawn(in_turn, 0, u, Lines(3, 4), fibres=8)
    net, _ = fibres.net(u)
    best, wins = fibres.respond(net, rule=True)
    levels = fibres.start[..., None] + np.arange(4)
    for f in range(len(net)):
        span = range(levels[f].min(), levels[f].max() + 2)
        every = [
            sum(np.where(levels[f, r] >= strike, net[f, r], 0.0).sum() for r, strike in enumerate((a, b, c)))
            for a in span
            for b in span
            for c in span
            if a >= b >= c
        ]
        assert best[f] == pytest.approx(max(every) / net[f].size)
        assert (net[f] * wins[f]).sum() / net[f].size == pytest.approx(best[f])


@pytest.mark.parametrize("sequential", [False, True])
def test_bounds_agree_with_those_of_many_scattered_types_and_few_are_worth_more(three, in_turn, sequential):
    space = in_turn if sequential else three
    u, seeds = constant_prices(space.dims, 3, 0.0, 0.8), np.random.SeedSequence(11).spawn(16)
    many, scattered = (
        np.array([dual_replicate(one, space, u, Quadrature(1, 64, *size, 512)) for one in seeds])
        for size in ((2048, 16), (64, 8))
    )
    fine, lines = (
        np.array([levels_replicate(one, space, u, LevelQuadrature(1, 64, *size)) for one in seeds])
        for size in ((32, 64, 4), (8, 8, 1))
    )
    error = np.hypot(many.std(), fine.std()) / 4.0
    assert abs(many.mean() - fine.mean()) < 3.0 * error + 1e-3  # many are still too high by a little
    assert fine.mean() - 2.0 * error < lines.mean() < 0.5 * (scattered.mean() + fine.mean())


def test_a_fit_lowers_the_bound_and_is_symmetric(three):
    start = constant_prices(three.dims, 3, 0.0, 0.2)
    plan = LevelPlan(fibres=64, lines=4, samples=4, steps=60, refresh=1, rate=(3.0, 0.3))
    last, mean = fit_prices(three, start, plan, np.random.default_rng(1), symmetric=True)
    size, seeds = LevelQuadrature(1, 64, 16, 32, 1), np.random.SeedSequence(2).spawn(4)
    before, after, averaged = (
        np.mean([levels_replicate(one, three, u, size) for one in seeds]) for u in (start, last, mean)
    )
    assert after < before - 0.02 and averaged < before - 0.02
    assert last.mesh == pytest.approx(last.mesh.transpose(1, 0, 2)) and (last.mesh >= 0.0).all()


@pytest.mark.slow
def test_shadow_prices_on_levels_are_saved_and_verified(tmp_path):
    found = ex.bracket("jmmz", accuracy=0.06, timing="sequential", first=("c1", "c2"), seed=3)
    assert any(proof.evidence.kind == "shadow prices on levels" for proof in found.proofs)
    folder = found.save(tmp_path / "saved")
    assert float(ex.open(folder).upper) == float(found.upper)
    assert ex.verify(folder).passed


def test_a_blend_of_the_largest_gain_is_a_bound_too_and_is_saved(three, tmp_path):
    gains = np.random.default_rng(1).normal(size=(3, 50))
    ranked = np.sort(gains, axis=0)
    assert base_gain(gains, 0.1, 1, 0.25) == pytest.approx(
        np.maximum(0.75 * ranked[1] + 0.25 * ranked[2], 0.1)
    )
    plain, mixed = (constant_prices(three.dims, 3, 0.0, 0.7, blend) for blend in (0.0, 0.5))
    fibres = [drawn(three, 0, u) for u in (plain, mixed)]
    assert (fibres[1].base > fibres[0].base).any() and (fibres[1].base >= fibres[0].base).all()
    assert mixed.refined(5).blend == 0.5 == mixed.with_parts(mixed.parts).blend
    size = LevelQuadrature(1, 128, 16, 32, 1)
    kept = DualLevels(mixed, size).facts()
    assert kept["blend"] == 0.5 and "blend" not in DualLevels(plain, size).facts()
    stored = {"mesh": mixed.mesh}
    facts = {**kept, "evidence": DualLevels.kind}
    again = _dual(facts, three, stored, lambda name: facts[name])
    one, same = np.random.SeedSequence(5), np.random.SeedSequence(5)
    assert again.replicate(one, three) == DualLevels(mixed, size).replicate(same, three)
    for wrong in ({"blend": 1.5}, {"blend": -0.1}, {"evidence": "shadow prices"}):
        with pytest.raises(ValueError, match="blend"):
            _dual(facts | wrong, three, stored, lambda name: facts[name])
    excess = np.mean([levels_replicate(seed, three, mixed, size) for seed in one.spawn(4)])
    assert 1.1095 + excess > 1.0087  # above what is attained


def test_the_sizes_of_an_evaluation_shrink_with_the_time():
    assert LevelQuadrature(fibres=512).scaled(0.3).fibres == 128
    assert LevelQuadrature(fibres=512).scaled(1e-9).fibres == 64
    assert replace(LevelQuadrature(), lines=1).size.halved() == Lines(1, 32)


TIED = """name = "tied"
[[buyers]]
name = "1"
signals = ["p", "x"]
value = "p + q + x*y - 0.7"

[[buyers]]
name = "2"
signals = ["q", "y"]
value = "p + q + x*y - 0.7"

[[buyers]]
name = "3"
signals = ["r", "z"]
value = "r + z*x - 0.5"
"""


def test_straight_gains_are_filled_as_they_are_computed(three, in_turn, wide, tmp_path):
    file = tmp_path / "tied.toml"
    file.write_text(TIED)
    tied = quantile_space(ex.load(file), ("static",) * 3, (None,) * 3)
    for space in (three, in_turn, wide, tied):
        for i, private in enumerate(private_levels(space)):
            assert private.straight
            u, found = constant_prices(space.dims, 3, 0.05, 0.5, 0.25), []
            for one in (private, replace(private, straight=False)):
                rng = np.random.default_rng(8)
                outer = outer_points(space, i, 7, rng)
                found.append(draw_levels(space, one, i, outer, Lines(9, 16), u, rng))
            for name in ("gains", "base", "share", "efficient"):
                filled, computed = (getattr(fibres, name) for fibres in found)
                assert filled == pytest.approx(computed, abs=1e-12)


def test_gains_that_are_not_straight_are_computed_or_noticed(tmp_path):
    file = tmp_path / "bent.toml"
    file.write_text(WIDE.replace("q + y*a + 0.5*b*y", "q + y*a + 0.5*b*y*p**2"))
    space = quantile_space(ex.load(file), ("sequential", "static"), ("a", None))
    private, u, rng = (
        private_levels(space)[0],
        constant_prices(space.dims, 3, 0.0, 0.5),
        np.random.default_rng(1),
    )
    assert not private.straight
    with pytest.raises(AuditError, match="not straight"):
        draw_levels(
            space, replace(private, straight=True), 0, outer_points(space, 0, 4, rng), Lines(4, 8), u, rng
        )


def test_nodes_around_points_are_those_of_the_hats():
    levels = np.vstack([np.random.default_rng(1).random((20, 3)), np.zeros((1, 3)), np.ones((1, 3))])
    for nodes in (2, 5):
        direct, sparse = corners_at(levels, nodes), corners(hats(levels, nodes))
        assert (direct.nodes == sparse.nodes).all() and direct.weights == pytest.approx(sparse.weights)


def test_the_mean_over_all_orders_is_that_of_the_permutations():
    mesh = np.random.default_rng(1).random((3,) * 4)
    every = [mesh.transpose(order) for order in itertools.permutations(range(4))]
    assert symmetrized(mesh) == pytest.approx(np.mean(every, axis=0))


def test_a_fit_is_the_same_whatever_the_threads(three):
    plan = LevelPlan(fibres=64, lines=4, samples=2, steps=6, refresh=1, rate=(3.0, 0.3))
    start = constant_prices(three.dims, 3, 0.0, 0.2)
    one, two = (
        fit_prices(three, start, plan, np.random.default_rng(1), workers=Workers(jobs), symmetric=True)[0]
        for jobs in (1, 2)
    )
    assert (one.mesh == two.mesh).all()


@pytest.mark.parametrize("bump", ["5*sin(8*pi*p{k})**2", "5*(abs(p{k} - 0.508) < 0.006)"])
def test_values_that_are_straight_at_round_places_alone_have_no_private_level(bump):
    buyers = [
        ex.Buyer(str(k), [f"p{k}", f"c{k}"], f"p{k} + c{k}*c{k % 3 + 1} + " + bump.format(k=k))
        for k in (1, 2, 3)
    ]
    assert private_levels(quantile_space(ex.Instance("bumpy", buyers), ("static",) * 3, (None,) * 3)) is None


def test_many_signals_of_the_others_leave_no_mesh_and_no_levels():
    names = range(1, 5)
    buyers = [
        ex.Buyer(str(k), [f"a{k}", f"b{k}", f"d{k}"], f"a{k} + b{k} + d{k}*d{k % 4 + 1}") for k in names
    ]
    space = quantile_space(ex.Instance("many", buyers), ("static",) * 4, (None,) * 4)
    account = Account(space, 0.01, Clock(1e9), Workers(1), False, 0, 0.99, None)
    account.first_best = Limit(1.7, 0.0, 0.99)
    upper = UpperSide(account)
    assert upper.private is not None
    upper._evaluate = lambda *_, **__: None
    few = efforts(4)[0]
    upper.stage(replace(few, replicates_of_sets=0, fit=replace(few.fit, fibres=8, types=64, steps=2)))
    assert upper.u.nodes == 1 and upper.private is None


def test_the_finest_mesh_is_for_exchangeable_buyers_with_time():
    space = quantile_space(ex.load("four-buyers"), ("static",) * 4, (None,) * 4)
    found = []
    for seconds, alike in ((1e9, True), (20.0, True), (1e9, False)):
        account = Account(space, 0.01, Clock(seconds), Workers(1), False, 0, 0.99, None)
        account.first_best = Limit(1.2, 0.0, 0.99)
        upper = UpperSide(account)
        upper.symmetric = alike
        found += [upper._nodes(efforts(4)[2])]
    assert found == [7, 6, 6]
    upper.u = constant_prices(space.dims, 7, 0.0, 0.5)
    assert upper._nodes(efforts(4)[2]) == 7  # never coarser than before


def test_candidates_are_compared_on_the_same_samples(three):
    compared = []

    class Noting(Workers):
        def map(self, one, tasks):
            compared.append([one(task) for task in tasks])
            return compared[-1]

    account = Account(three, 0.01, Clock(1e9), Noting(1), False, 0, 0.99, None)
    account.first_best = Limit(1.1, 0.0, 0.99)
    upper = UpperSide(account)
    alike = [constant_prices(three.dims, 2, 0.0, 0.5) for _ in range(3)]
    assert upper.private is not None and upper._best(alike) is alike[0]
    assert compared and all(len(set(scores)) == 1 for scores in compared)
