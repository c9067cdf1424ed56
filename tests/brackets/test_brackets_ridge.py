"""Shadow prices on a surface: bounds like any others, the limit of a band, and what they save."""

from dataclasses import replace

import numpy as np
import pytest

import expost as ex
from expost.brackets.upper.basis import ShadowPrices, constant_prices
from expost.brackets.upper.dual import Quadrature, dual_limit
from expost.brackets.upper.finite import FiniteSets, finite_sets, piled
from expost.brackets.upper.fit import FitPlan, fit_prices
from expost.brackets.upper.ridge import Ridge, candidates, constant_ridge, mesh_shape
from expost.brackets.upper.samples import draw_fibres, outer_points
from expost.spaces.quantile_space import quantile_space, scrambled

EXAMPLE_2 = 86 / 105
SMALL = Quadrature(replicates=4, fibres=128, types=1024)
UNEVEN = """name = "uneven"
[[buyers]]
name = "1"
signals = ["x"]
value = "2*x + y"

[[buyers]]
name = "2"
signals = ["q", "y", "z"]
value = "q + y*x + z"
"""


def seed(k):
    return np.random.SeedSequence([k, 7])


@pytest.fixture(scope="module")
def jmmz():
    return quantile_space(ex.load("jmmz"), "static", (None, None))


@pytest.fixture
def uneven(tmp_path):
    file = tmp_path / "uneven.toml"
    file.write_text(UNEVEN)
    return quantile_space(ex.load(file), "static", (None, None))


def with_random_ridge(space, places, nodes=3, scale=1.0, rng=None):
    rng = rng or np.random.default_rng(1)
    mesh = rng.random(tuple(3**d for d in space.dims))
    ridge = Ridge(space.dims, places, nodes, scale * rng.random(mesh_shape(space.dims, nodes)))
    return ShadowPrices(space.dims, 3, 0.0, mesh, ridge)


def test_gathering_on_the_ridge_is_the_transpose_of_interpolation(uneven):
    rng = np.random.default_rng(2)
    u = with_random_ridge(uneven, (0, 1))
    for i in range(2):
        fibres = draw_fibres(uneven, i, outer_points(uneven, i, 8, rng), 256, 1, 3, 0.0, rng, u.ridge)
        weights = rng.normal(size=fibres.ridge.base.shape)
        direct = float((u.ridge.evaluate(i, fibres.ridge) * weights).sum())
        gathered = u.ridge.spread(i, fibres.ridge, fibres.ridge.base * weights)
        assert float((gathered * u.ridge.mesh).sum()) == pytest.approx(direct)


def test_both_buyers_see_the_same_surface(uneven):
    """Its mean is one number, whoever's fibres it is averaged over."""
    rng = np.random.default_rng(3)
    u = with_random_ridge(uneven, (0, 1))
    means = []
    for i in range(2):
        fibres = draw_fibres(uneven, i, outer_points(uneven, i, 2048, rng), 1024, 1, 3, 0.0, rng, u.ridge)
        means.append(float(u.ridge.evaluate(i, fibres.ridge).mean()))
    assert means[0] == pytest.approx(means[1], rel=5e-3)


def test_a_finer_mesh_of_the_ridge_keeps_the_function(uneven):
    u = with_random_ridge(uneven, (0, 1))
    fine = replace(u, ridge=u.ridge.refined(5))
    means = []
    for one in (u, fine):
        rng = np.random.default_rng(4)
        fibres = draw_fibres(uneven, 1, outer_points(uneven, 1, 16, rng), 256, 1, 3, 0.0, rng, one.ridge)
        means.append(one.ridge.evaluate(1, fibres.ridge))
    assert means[0] == pytest.approx(means[1])


def test_a_ridge_is_the_limit_of_a_band(jmmz):
    """N on the surface, against the same mass spread over a narrow band of states."""
    ridge = Ridge(jmmz.dims, (1, 1), 3, np.full(mesh_shape(jmmz.dims, 3), 0.8))
    pile = ShadowPrices(jmmz.dims, 3, 0.0, np.zeros((9, 9)), ridge)
    found = dual_limit(jmmz, pile, SMALL, 0.99, seed(1), 11 / 12).mean
    assert found == pytest.approx(_band_value(1 / 32, 0.8), abs=4e-3)
    assert abs(found - _band_value(1 / 32, 0.5)) > 0.02


def _band_value(width, height, fibres=512, types=128):
    """D(u) for u = height x min(w) x a tent of ``width`` around c1 = c2, from the definition, by brute force."""
    rng = np.random.default_rng(5)
    total = 0.0
    p = (np.arange(types) + 0.5) / types
    c = (np.arange(types) + 0.5) / types
    for rival_p, rival_c in scrambled(fibres, 2, rng):
        value = p[:, None] + c[None, :] * rival_c
        tent = np.maximum(1.0 - np.abs(c - rival_c) / width, 0.0) / width
        u = height * np.minimum(value, rival_p + c[None, :] * rival_c) * tent[None, :]
        order = np.argsort(value.ravel())[::-1]
        best = max(0.0, float(np.cumsum((value - u).ravel()[order]).max())) / types**2
        first = np.maximum(value, rival_p + c[None, :] * rival_c).mean()
        total += 2.0 * best + u.mean() - first
    return 11 / 12 + total / fibres


def test_any_ridge_bounds_the_value_of_a_known_mechanism(jmmz):
    for k in range(3):
        u = with_random_ridge(jmmz, (1, 1), scale=2.0, rng=np.random.default_rng(k))
        assert dual_limit(jmmz, u, SMALL, 0.99, seed(k), 11 / 12).mean > EXAMPLE_2


def test_prices_that_pile_up_are_found_and_fall_faster(jmmz):
    assert candidates(jmmz, symmetric=True) == [(0, 0), (1, 1)]
    sets = FiniteSets(256, 3, grid=False)
    solved = finite_sets(jmmz, sets, seed(4), nodes=5, pairs=candidates(jmmz, symmetric=True))
    assert piled(solved) == (1, 1)
    plan = FitPlan(fibres=256, types=256, samples=4, steps=80, refresh=3)
    flat = constant_prices(jmmz.dims, 5, 0.0, 0.5)
    start = replace(constant_prices(jmmz.dims, 5, 0.0, 0.3), ridge=constant_ridge(jmmz.dims, (1, 1), 5, 0.3))
    values = [
        dual_limit(
            jmmz,
            fit_prices(jmmz, u, plan, np.random.default_rng(0), symmetric=True)[0],
            SMALL,
            0.99,
            seed(6),
            11 / 12,
        ).mean
        for u in (start, flat)
    ]
    assert EXAMPLE_2 < values[0] < values[1] - 2e-3


def test_no_ridge_where_the_theory_has_none(jmmz):
    sequential = quantile_space(ex.load("jmmz"), "sequential", ("c1", "c2"))
    three = quantile_space(ex.load("linear-three"), "static", (None,) * 3)
    assert not candidates(sequential, symmetric=True) and not candidates(three, symmetric=True)
    assert candidates(jmmz, symmetric=False) == [(0, 0), (0, 1), (1, 0), (1, 1)]
