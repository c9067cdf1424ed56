"""Grids in quantile space and the type spaces they make."""

import numpy as np
import pytest
from scipy import stats

from expost.cli import parse
from expost.errors import InputError
from expost.instances import catalogue
from expost.instances.environment import Buyer, Instance
from expost.instances.priors import Prior
from expost.runs.arguments import grid_of
from expost.spaces.type_space import Grid, discretize


def two_buyers(**priors):
    return Instance("two", (Buyer("1", ("a", "b"), "a + b"), Buyer("2", ("c",), "c + a*b")), priors)


def test_points_are_quantiles():
    instance = two_buyers(a=Prior("beta", {"a": 2.0, "b": 3.0}), c=Prior("expon", {"scale": 2.0}))
    space = discretize(instance, Grid({"a": 4, "b": 3, "c": 5}, 0.25))
    levels = (np.arange(4) + 0.25) / 4
    assert np.allclose(np.unique(space.types[0]["a"]), stats.beta.ppf(levels, 2, 3))
    assert np.allclose(space.types[1]["c"], stats.expon.ppf((np.arange(5) + 0.25) / 5, scale=2))
    assert space.shape == (12, 5)


def test_own_signals_vary_last_signal_fastest():
    space = discretize(two_buyers(), Grid({"a": 2, "b": 3, "c": 1}))
    assert np.allclose(space.types[0]["a"], [0.25] * 3 + [0.75] * 3)
    assert np.allclose(space.types[0]["b"], [1 / 6, 0.5, 5 / 6] * 2)
    assert np.allclose(space.values[1][:, 0], 0.5 + space.types[0]["a"] * space.types[0]["b"])


def test_endpoints_reach_the_support():
    space = discretize(two_buyers(), Grid(3, "endpoint"))
    assert np.allclose(np.unique(space.types[1]["c"]), [0.0, 0.5, 1.0])


def test_conditional_priors_go_through_conditional_quantiles():
    instance = two_buyers(b=Prior("uniform", {"loc": "a", "scale": 1.0}))
    own = discretize(instance, 4).types[0]
    levels = np.tile((np.arange(4) + 0.5) / 4, 4)
    assert np.allclose(own["b"], own["a"] + levels)


def test_gains_count_externalities_and_the_seller():
    instance = Instance("x", (Buyer("1", ("a",), "a", externality="2*a"),), seller="0.5 - a")
    space = discretize(instance, 10)
    a = space.types[0]["a"]
    assert np.allclose(space.gains[0], 4 * a - 0.5)
    assert space.seller == pytest.approx((0.5 - a).mean())
    assert space.first_best == pytest.approx(np.maximum(0.5 - a, 3 * a).mean())


def test_first_best_of_the_example_tends_to_eleven_twelfths():
    assert discretize(catalogue.load("jmmz"), 24).first_best == pytest.approx(11 / 12, abs=5e-4)


@pytest.mark.parametrize(
    "text", ["0", "-3", "2.5", "", "a", "1e3", "a=", "a=0", "=3", "a=2,a=3", "٣", "99999999999"]
)
def test_unusable_grids_are_refused(text):
    with pytest.raises(InputError, match="grid"):
        parse.grid(text)


@pytest.mark.parametrize("points", ["-0.1", "1.5", "nan", "middle", ""])
def test_unusable_offsets_are_refused(points):
    with pytest.raises(InputError, match="points"):
        grid_of(4, parse.choice(points))


@pytest.mark.parametrize("text", ["a=2,b=2", "a=2,b=2,c=2,d=2"])
def test_missing_and_unknown_signals_are_named(text):
    with pytest.raises(InputError, match=r"[cd]"):
        discretize(two_buyers(), Grid(parse.grid(text)))


def test_one_endpoint_is_refused():
    with pytest.raises(InputError, match="endpoint"):
        discretize(two_buyers(), Grid(1, "endpoint"))


def test_values_that_are_not_finite_are_located():
    instance = Instance("log", (Buyer("1", ("a",), "log(a - 0.5)"),))
    with pytest.raises(InputError, match="V of buyer 1 is nan at a = 0"):
        discretize(instance, 2)


def test_infinite_points_are_refused():
    with pytest.raises(InputError, match="infinite"):
        discretize(two_buyers(c=Prior("norm", {})), Grid(4, "endpoint"))


def test_a_grid_beyond_the_memory_says_how_much_it_takes():
    with pytest.raises(InputError, match="GiB"):
        discretize(catalogue.load("jmmz"), 2000)
