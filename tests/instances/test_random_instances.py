"""Random instances do what their family promises, over many seeds."""

from typing import get_args

import numpy as np
import pytest

from expost.errors import InputError
from expost.instances import check_assumptions, instance_to_toml, random_instance
from expost.instances.assumptions import assumption_1, assumption_2, first_stage_monotone
from expost.instances.random_instances import VIOLATING, Family

SHAPES = [(2, 1), (2, 2), (2, (3, 1)), (3, 2)]
PROMISES = {"not-single-crossing": (True, False, True), "not-monotone": (False, True, True)}


@pytest.mark.parametrize("family", get_args(Family))
@pytest.mark.parametrize(("buyers", "signals"), SHAPES)
def test_families_keep_their_promise(family, buyers, signals):
    for seed in range(15):
        instance = random_instance(seed, buyers=buyers, signals=signals, family=family)
        held = tuple(report.holds for report in check_assumptions(instance, points=5))
        assert held == PROMISES.get(family, (True, True, True)), instance_to_toml(instance)
    assert set(VIOLATING) == set(PROMISES)


@pytest.mark.parametrize("family", ["general", "linear", "one-dimensional"])
def test_strict_families(family):
    for seed in range(30):
        instance = random_instance(seed, family=family, strict=True)
        assert assumption_1(instance, strict=True).holds
        assert assumption_2(instance, strict=True).holds


def test_private_values_use_own_signals_only():
    for seed in range(10):
        instance = random_instance(seed, buyers=3, family="private")
        for i, buyer in enumerate(instance.buyers):
            assert set(instance.valuation(i).signals) <= set(buyer.signals)


def test_spill_overs_are_there_and_bounded():
    weights = []
    for seed in range(20):
        instance = random_instance(seed, family="linear", signals=1)
        zero = {name: np.float64(0.0) for name in instance.signals}
        one = {**zero, instance.signals[0]: np.float64(1.0)}
        weights.append(float(instance.value(1, one) / instance.value(0, one)))
    assert max(weights) < 1.0
    assert len({round(weight, 6) for weight in weights}) > 10


def test_ties_are_many_on_a_grid():
    instance = random_instance(1, family="ties")
    grid = np.linspace(0.0, 1.0, 4)
    s = dict(zip(instance.signals, np.meshgrid(grid, grid, grid, grid, indexing="ij"), strict=True))
    own = instance.value(0, s)[:, :, 0, 0].round(9)
    assert len(np.unique(own)) < own.size


def test_the_same_arguments_give_the_same_instance():
    assert random_instance(7, priors="beta", seller=True) == random_instance(7, priors="beta", seller=True)
    texts = {instance_to_toml(random_instance(seed)) for seed in range(50)}
    assert len(texts) == 50


def test_sellers_make_some_gains_negative():
    negative = 0
    for seed in range(20):
        instance = random_instance(seed, seller=True, externalities=True)
        grid = np.linspace(0.0, 1.0, 5)
        s = dict(zip(instance.signals, np.meshgrid(grid, grid, grid, grid, indexing="ij"), strict=True))
        assert instance.seller_value(s).min() > 0.0
        assert instance.externality(0, s).min() >= 0.0
        negative += bool((instance.gain(0, s) < 0).any())
    assert negative > 10


@pytest.mark.parametrize("priors", ["uniform", "beta", "conditional"])
def test_priors_stay_in_the_unit_interval_and_rise(priors):
    for seed in range(10):
        instance = random_instance(seed, priors=priors)
        for buyer in instance.buyers:
            p = instance.prior(buyer.signals[0]).quantile(np.linspace(0.01, 0.99, 5)[:, None])
            c = instance.prior(buyer.signals[1]).quantile(np.linspace(0.01, 0.99, 5), {buyer.signals[0]: p})
            assert 0.0 < min(p.min(), c.min()) < max(p.max(), c.max()) < 1.0
        assert first_stage_monotone(instance, 0).holds


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed = -1"),
        ({"seed": 1.5}, "seed = 1.5"),
        ({"seed": 1, "buyers": 0}, "buyers = 0"),
        ({"seed": 1, "signals": 0}, "signals = 0"),
        ({"seed": 1, "signals": (1, 2, 3)}, "signals ="),
        ({"seed": 1, "signals": "ab"}, "signals = 'ab'"),
        ({"seed": 1, "signals": None}, "signals = None"),
        ({"seed": 1, "family": "linaer"}, "no family 'linaer'.*did you mean 'linear'"),
        ({"seed": 1, "priors": "normal"}, "no family 'normal'"),
        ({"seed": 1, "family": "ties", "strict": True}, "strict instances of family 'ties'"),
        ({"seed": 1, "family": "not-monotone", "buyers": 1}, "two buyers or more"),
    ],
)
def test_unusable_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        random_instance(**arguments)
