"""Expected welfare in the continuum: the three closed forms, other priors, many signals."""

import numpy as np
import pytest

from expost.instances import catalogue
from expost.instances.environment import Instance
from expost.instances.priors import Prior
from expost.papers.bikhchandani.example2 import ExampleTwoPrices
from expost.papers.bikhchandani.pivotal_prices import PivotalPrices
from expost.papers.continuum_welfare import (
    continuum_first_best,
    continuum_welfare,
    quantile_signals,
)


@pytest.mark.parametrize(
    ("rule", "exact"),
    [("first best", 11 / 12), ("example2", 86 / 105), pytest.param("t*", 43 / 72, marks=pytest.mark.slow)],
)
def test_welfare_of_jmmz_to_a_millionth(rule, exact):
    instance = catalogue.load("jmmz")
    if rule == "first best":
        found = continuum_first_best(instance)
    else:
        found = continuum_welfare(
            instance, ExampleTwoPrices(instance) if rule == "example2" else PivotalPrices(instance)
        )
    assert abs(found.value - exact) < 1e-6
    assert found.error < 1e-6


def monte_carlo(instance, prices, count, seed):
    rng = np.random.default_rng(seed)
    signals = quantile_signals(instance, rng.random((len(instance.signals), count)))
    gains = sum(
        np.where(instance.value(i, signals) > prices.price(i, signals), instance.gain(i, signals), 0.0)
        for i in range(instance.n)
    )
    return float(gains.mean()), float(gains.std() / count**0.5)


@pytest.mark.slow
def test_other_priors_against_simulation():
    jmmz = catalogue.load("jmmz")
    priors = {"p1": Prior("beta", {"a": 2.0, "b": 3.0}), "c2": Prior("triang", {"c": 0.3})}
    instance = Instance("beta", jmmz.buyers, priors, parameters=jmmz.parameters)
    prices = ExampleTwoPrices(instance)
    found = continuum_welfare(instance, prices, accuracy=1e-3)
    value, error = monte_carlo(instance, prices, 300_000, 0)
    assert abs(found.value - value) < 4 * error + found.error


@pytest.mark.slow
def test_six_signals_by_sobol_points():
    instance = catalogue.load("three-buyers")
    prices = ExampleTwoPrices(instance)
    found = continuum_welfare(instance, prices)
    value, error = monte_carlo(instance, prices, 1_000_000, 1)
    assert abs(found.value - value) < 4 * error + found.error
    assert found.error < 2e-3


def test_one_buyer_with_a_seller_who_values_the_item():
    instance = catalogue.load("public-rival")
    found = continuum_first_best(instance)
    rng = np.random.default_rng(2)
    signals = {name: rng.random(1_000_000) for name in instance.signals}
    kept = instance.seller_value(signals)
    sample = kept + np.maximum(instance.gain(0, signals), 0.0)
    assert abs(found.value - sample.mean()) < 4 * sample.std() / 1000
