"""Levels and signals are each other's inverse under every kind of prior; what only grids carry is refused."""

import numpy as np
import pytest
import scipy.stats

from expost.errors import InputError
from expost.instances import Buyer, Instance, Prior, discrete, empirical
from expost.spaces.quantile_space import QuantileSpace, quantile_space

BUYERS = [Buyer("1", ["a", "b"], "a + b"), Buyer("2", ["c", "d"], "k*c + d")]
PRIORS = {
    "a": scipy.stats.beta(2, 3),
    "b": Prior("uniform", {"scale": "0.5 + a"}),
    "c": empirical([0.1, 0.4, 0.9]),
    "d": scipy.stats.norm(1, 2),
}


def test_levels_invert_signals():
    space = quantile_space(Instance("x", BUYERS, PRIORS, parameters={"k": 2}), "static", (None, None))
    levels = [np.random.default_rng(0).uniform(0.2, 0.8, (50, 2)) for _ in range(2)]
    found = space.levels(space.signals(levels))
    for mine, theirs in zip(found, levels, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_atoms_are_found_again():
    instance = Instance("x", BUYERS, {"a": discrete([0, 1, 5], [1, 2, 1])}, parameters={"k": 2})
    space = QuantileSpace(instance, (None, None))
    levels = [np.random.default_rng(0).uniform(0.0, 1.0, (50, 2)) for _ in range(2)]
    signals = space.signals(levels)
    assert set(signals["a"].tolist()) == {0.0, 1.0, 5.0}
    again = space.signals(space.levels(signals))
    np.testing.assert_allclose(again["a"], signals["a"], rtol=0, atol=0)
    assert np.mean(signals["a"] == 1.0) == pytest.approx(0.5, abs=0.2)


def test_equal_signals_have_equal_levels():
    instance = Instance("x", BUYERS, {"a": discrete([0, 1, 5], [1, 2, 1])}, parameters={"k": 2})
    space = QuantileSpace(instance, (None, None))
    joint = np.random.default_rng(0).random((50, 4))
    one, two = space.split(joint)
    assert set(one[:, 0].tolist()) == {0.125, 0.5, 0.875}
    np.testing.assert_array_equal(one[:, 1], joint[:, 1])
    np.testing.assert_array_equal(two, joint[:, 2:])
    np.testing.assert_array_equal(space.signals([one, two])["a"], space.signals([joint[:, :2], two])["a"])


def test_a_density_between_buyers_is_refused_under_sequential_timing():
    instance = Instance("x", BUYERS, parameters={"k": 2}, joint="1 + a*c")
    assert quantile_space(instance, "static", (None, None)).units == 1
    with pytest.raises(InputError, match="joint: density: signals that a density correlates"):
        quantile_space(instance, ("static", "sequential"), (None, None))
