"""Rigorous bounds of two static buyers: completions and shadow prices on fine cells."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from support.bracket_truths import crossing

import expost as ex
from expost.brackets import bracket
from expost.brackets.lower.cells import cell_mechanism
from expost.brackets.lower.cells_pairs import completed_cells, guaranteed_pairs
from expost.brackets.lower.evaluation import mechanism_limit
from expost.brackets.records import RIGOROUS
from expost.brackets.starts import complete
from expost.brackets.upper.basis import ShadowPrices
from expost.brackets.upper.dual_cells import guaranteed_dual
from expost.brackets.workers import Workers
from expost.errors import InputError
from expost.instances.catalogue import load
from expost.mechanisms.continuum.monotone import straight
from expost.spaces.mesh import mesh_points
from expost.spaces.quantile_space import quantile_space


def space_of(first, second, **more):
    one, two = ex.Buyer("1", ["p", "c"], first), ex.Buyer("2", ["q", "d"], second)
    return quantile_space(ex.Instance("pair", [one, two], **more), "static", (None, None))


SPACES = {
    "straight": space_of("p + c*d", "q + c*d"),
    "bent": space_of("p + c*d*d", "q + 0.5*exp(c)*d"),
    "falling, with a cost": space_of("p + c*(1 - d)", "q + d", seller="0.6"),
}


@pytest.fixture(params=SPACES)
def space(request):
    return SPACES[request.param]


def completion(space, order):
    x = mesh_points(5, 2)
    theta = 0.2 + 0.8 * x[:, 0] + 0.6 * x[:, 1] ** 2
    return complete(space, order, [theta[None]], 5, "given", 0.9, False)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_completion_on_cells_is_admissible_and_its_floor_below_its_value(space, order):
    mechanism = completed_cells(completion(space, order), 16)
    assert mechanism.audit(8000).passed
    floors = [guaranteed_pairs(mechanism, parts) for parts in (1, 2)]
    value = mechanism_limit(mechanism, 0.999, np.random.SeedSequence(1), 0.0, replicates=8, points=512)
    control = np.mean([first_best(space, seed) for seed in range(8)])
    assert floors[0] < floors[1] < value.mean + value.error + control + 2e-3
    lowered = replace(mechanism, table=tuple(table - 0.3 for table in mechanism.table))
    assert not lowered.audit(8000).passed


def first_best(space, seed):
    joint = np.random.default_rng(seed).random((1 << 16, 4))
    levels = [joint[:, :2], joint[:, 2:]]
    return np.maximum(np.max([space.gain(i, levels) for i in range(2)], axis=0), 0.0).mean()


def test_the_floor_is_that_of_plain_loops_over_cells():
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


def test_the_bound_on_cells_is_above_what_any_mechanism_is_worth(space):
    rng = np.random.default_rng(0)
    u = ShadowPrices(space.dims, 3, 0.01, rng.exponential(size=(9, 9)))
    bounds = [guaranteed_dual(space, u, cells) for cells in (6, 12)]
    floor = guaranteed_pairs(completed_cells(completion(space, (0, 1)), 32), 1)
    assert bounds[0] > bounds[1] > floor
    assert guaranteed_dual(space, u, 12, workers=Workers(2)) == bounds[1]


def test_straight_gains_are_told_from_bent_ones():
    assert straight(SPACES["straight"], 0, range(2)) and straight(SPACES["falling, with a cost"], 0, range(2))
    assert straight(SPACES["bent"], 0, (0,)) and not straight(SPACES["bent"], 0, range(2))
    assert not straight(space_of("exp(p) + c", "q + d"), 0, (0,))


@pytest.mark.parametrize("k", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_rigorous_brackets_contain_what_is_known_and_nothing_statistical(k):
    instance, truth = crossing(k)
    found = bracket(instance, 0.01, rigorous=True)
    assert found.lower.value <= truth <= found.upper.value and found.reached
    assert {bound.kind for bound in found.history} == {RIGOROUS}
    assert found.mechanism.audit(2000).passed


@pytest.mark.parametrize(
    ("name", "timing"), [("three-buyers", "static"), ("jmmz", "sequential"), ("public-rival", "static")]
)
def test_where_there_are_no_rigorous_bounds_of_both_sides_it_says_so(name, timing):
    with pytest.raises(InputError) as caught:
        bracket(load(name), timing=timing, rigorous=True)
    assert caught.value.where == "rigorous"
