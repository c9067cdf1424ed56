"""The static formulation against enumeration of every rule, and as it must move when the instance does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import enumeration
from support.spaces import random_space, space_of

from expost.errors import InputError
from expost.formulations.assemble import assemble
from expost.formulations.static import static_block
from expost.instances import catalogue
from expost.solver.backends import solve_program
from expost.spaces.type_space import discretize

EXACT = ("mincut", "highs")


def formulate(space, alpha=1.0, conditional=False):
    blocks = tuple(static_block(space.values[i], i, revenue=alpha < 1) for i in range(space.n))
    return assemble(space, blocks, alpha=alpha, conditional=conditional)


def optimum(space, alpha=1.0, conditional=False, backend="mincut"):
    formulation = formulate(space, alpha, conditional)
    return formulation.program.value(solve_program(formulation.program, backend).x)


RULES = {
    shape: enumeration.all_rules(len(shape), shape) for shape in ((3, 3), (2, 4), (4, 2), (2, 2, 2), (6,))
}


def enumerated(space, alpha=1.0, conditional=False):
    rules = RULES[space.shape]
    keep = enumeration.incentive_compatible(rules, space.values, space.shape)
    if conditional:
        keep &= enumeration.efficient_only(rules, space.gains)
    rules = rules[keep]
    value = alpha * (space.seller + enumeration.welfare(rules, space.gains))
    return (value + (1 - alpha) * enumeration.revenue(rules, space.values, space.shape)).max()


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2), (6,)])
@pytest.mark.parametrize("seed", range(30))
def test_welfare_is_that_of_the_best_enumerated_rule(seed, shape):
    space = random_space(seed, shape)
    best = enumerated(space)
    for backend in EXACT:
        assert optimum(space, backend=backend) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("seed", range(15))
def test_revenue_and_mixes_are_those_of_the_best_enumerated_rule(seed, alpha):
    for shape in ((3, 3), (6,)):
        space = random_space(seed, shape)
        assert optimum(space, alpha) == pytest.approx(enumerated(space, alpha), abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_conditional_efficiency_is_that_of_the_best_enumerated_rule(seed):
    space = random_space(seed, (3, 3))
    assert optimum(space, conditional=True) == pytest.approx(enumerated(space, conditional=True), abs=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_three_buyers_against_enumeration(seed):
    space = random_space(seed, (2, 2, 2))
    assert optimum(space, backend="highs") == pytest.approx(enumerated(space), abs=1e-9)


def test_breaking_ties_by_sort_order_would_be_worse():
    """Ties are free of each other; imposing an order on them (here that of the types) is a real loss."""
    space = discretize(catalogue.load("jmmz"), 6)
    assert optimum(space) == pytest.approx(0.8672357253, abs=1e-9)
    tilt = np.arange(36) * 1e-9
    broken = space.values + np.stack(
        [np.broadcast_to(tilt[:, None], (36, 36)), np.broadcast_to(tilt, (36, 36))]
    )
    assert optimum(space_of(broken, space.gains)) < 0.8672357253 - 1e-3


@pytest.mark.parametrize(("grid", "welfare"), [(4, 0.883057), (8, 0.852802)])
@pytest.mark.parametrize("backend", EXACT)
def test_values_of_the_example_of_section_3(grid, welfare, backend):
    assert optimum(discretize(catalogue.load("jmmz"), grid), backend=backend) == pytest.approx(
        welfare, abs=5e-7
    )


@pytest.mark.parametrize("grid", [1, 2, 5, 9, 17])
def test_single_signals_attain_the_first_best(grid):
    space = discretize(catalogue.load("one-dimensional"), grid)
    assert optimum(space) == pytest.approx(space.first_best, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_relabelling_the_buyers_changes_nothing(seed):
    space = random_space(seed, (4, 5))
    swapped = space_of(space.values[::-1].transpose(0, 2, 1), space.gains[::-1].transpose(0, 2, 1))
    assert optimum(swapped) == pytest.approx(optimum(space), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(1e-3, 1e3))
def test_scaling_values_and_gains_scales_the_optimum(seed, factor):
    space = random_space(seed, (4, 4))
    scaled = space_of(space.values * factor, space.gains * factor)
    assert optimum(scaled) == pytest.approx(optimum(space) * factor, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_a_monotone_change_of_one_buyers_values_changes_nothing(seed):
    space = random_space(seed, (4, 4))
    warped = space_of(np.stack([np.exp(space.values[0]), space.values[1]]), space.gains)
    assert optimum(warped) == pytest.approx(optimum(space), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_doubling_every_type_changes_nothing(seed):
    """Copies of a type are free of each other, but with two buyers randomization cannot help."""
    space = random_space(seed, (3, 4))
    doubled = space_of(np.repeat(space.values, 2, axis=1), np.repeat(space.gains, 2, axis=1))
    assert optimum(doubled) == pytest.approx(optimum(space), abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_a_rule_survives_the_way_to_a_vector_and_back(seed):
    space = random_space(seed, (4, 5), levels=3)
    formulation = formulate(space)
    solution = solve_program(formulation.program, "mincut")
    allocation = formulation.allocation(solution.x)
    vector = formulation.vector(allocation)
    assert formulation.program.violations(vector) == 0
    assert np.array_equal(formulation.allocation(vector), allocation)


def test_shadow_prices_are_what_supply_is_worth():
    """By strong duality the bound is E[u] plus the unsold surplus of each fibre's best closed set."""
    space = discretize(catalogue.load("jmmz"), 4)
    formulation = formulate(space)
    solution = solve_program(formulation.program, "mincut")
    u = formulation.shadow_prices(solution.certificate)
    assert u.shape == space.shape and u.min() >= 0.0
    dual = u.mean()
    for i in range(2):
        fibres = np.moveaxis(space.gains[i] - u, i, -1).reshape(-1, space.shape[i])
        order = np.argsort(
            -np.moveaxis(space.values[i], i, -1).reshape(-1, space.shape[i]), axis=1, kind="stable"
        )
        sums = np.cumsum(np.take_along_axis(fibres, order, axis=1), axis=1)
        dual += np.maximum(sums.max(axis=1), 0.0).sum() / space.states
    assert dual == pytest.approx(formulation.program.value(solution.x), abs=1e-9)


def test_objective_weights_outside_the_unit_interval_are_refused():
    space = random_space(0, (2, 2))
    with pytest.raises(InputError, match="objective"):
        assemble(space, tuple(static_block(space.values[i], i) for i in range(2)), alpha=1.5)
