"""The conditionally efficient second best: the program against its fibre-by-fibre solution."""

import numpy as np
import pytest

from expost.formulations.conditional import (
    allowed_winners,
    conditional_bound,
    conditional_prices,
    conditional_rule,
)
from expost.instances import catalogue
from expost.instances.random_instances import random_instance
from expost.mechanisms.given import prices_on
from expost.mechanisms.mechanism import static_mechanism
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.papers import constructions
from expost.papers.optima import second_best
from expost.spaces.type_space import Grid, discretize


def welfare(space, rule):
    return space.seller + float(np.where(rule, space.gains, 0.0).sum(axis=0).mean())


@pytest.mark.parametrize("seed", range(8))
def test_without_shared_highest_gains_the_two_agree(seed):
    """Offsets that differ by signal keep two buyers from sharing the highest gain."""
    instance = random_instance(
        seed, buyers=2 if seed % 2 else 3, signals=2 if seed % 2 else 1, seller=seed % 3 == 0
    )
    offsets = {name: 0.2 + 0.09 * k for k, name in enumerate(instance.signals)}
    space = discretize(instance, Grid(dict.fromkeys(instance.signals, 4), offsets))
    assert (allowed_winners(space).sum(axis=0) <= 1).all()
    rule = conditional_rule(space)
    best, mechanism = second_best(space, conditional=True)
    assert welfare(space, rule) == pytest.approx(best, abs=1e-12)
    assert conditional_bound(space) == pytest.approx(best, abs=1e-12)
    assert audit_mechanism(space.values, static_mechanism(space.values, rule)).passed
    assert (mechanism.allocation <= allowed_winners(space)).all()


@pytest.mark.parametrize("name", ["jmmz", "linear", "common-value", "three-buyers", "one-dimensional"])
def test_with_shared_highest_gains_they_bracket_the_program(name):
    space = discretize(catalogue.load(name), 2 if name == "three-buyers" else 4)
    best, _ = second_best(space, conditional=True)
    for order in (range(space.n), range(space.n)[::-1]):
        rule = conditional_rule(space, order)
        assert rule.sum(axis=0).max() <= 1
        assert audit_mechanism(space.values, static_mechanism(space.values, rule)).passed
        assert welfare(space, rule) <= best + 1e-12
    assert best <= conditional_bound(space) + 1e-12


def test_prices_rise_to_t_star_fibre_by_fibre():
    """The types of a coarse endpoint grid are among those of a finer one: prices rise, and never beyond t*."""
    instance = catalogue.load("jmmz")
    prices = constructions.get("t*", instance).prices
    coarse, fine = (discretize(instance, Grid(m, "endpoint")) for m in (3, 5))
    lowest = [conditional_prices(space, 0).reshape((m, m)) for space, m in ((coarse, 3), (fine, 5))]
    assert (lowest[0] <= lowest[1][::2, ::2] + 1e-12).all()
    assert (lowest[1].ravel() <= prices_on(fine, prices)[0].price + 1e-9).all()
    step = prices_on(fine, prices)[0].price.reshape((5, 5))[1:] - lowest[1][1:]
    assert step == pytest.approx(
        0.25
    )  # p1 = p2 is allowed to win, so the highest forbidden p1 is one step lower


def test_t_star_sells_on_a_subset():
    for seed in range(3):
        instance = random_instance(seed, buyers=2)
        space = discretize(instance, 5)
        star = constructions.get("t*", instance).on(space).allocation.any(axis=0)
        assert (star <= conditional_rule(space).any(axis=0)).all()
