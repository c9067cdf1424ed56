"""Reductions and their inverse, prices and their certificates, forcing costs: all against enumeration."""

import numpy as np
import pytest
from support.programs import random_program

from expost.solver.adapters.brute import feasible_rules
from expost.solver.certificate import check
from expost.solver.nbuyers.fixing import NEVER, _along_paths, forcing_costs
from expost.solver.nbuyers.lagrangian import price
from expost.solver.nbuyers.layers import layers
from expost.solver.program import FREE, Program
from expost.solver.reduction import reduced


def small(seed: int, blocks: int) -> Program:
    rng = np.random.default_rng([seed, blocks])
    return random_program(
        rng, blocks, {1: 6, 2: 3, 3: 2}[blocks], cover=0.1 * (seed % 2), fix=0.1 * (seed % 3)
    )


def tangled(seed: int, size: int = 9) -> Program:
    """One block with a random acyclic order: not made of levels."""
    rng = np.random.default_rng(seed)
    pairs = np.array([(a, b) for a in range(size) for b in range(a + 1, size) if rng.random() < 0.25])
    arcs = pairs.reshape(-1, 2).astype(np.int32)
    return Program(rng.integers(-5, 6, size).astype(float), np.array([0, size]), arcs[:, 0], arcs[:, 1])


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_a_reduction_has_the_same_rules_and_lifts_them_back(blocks):
    infeasible = 0
    for seed in range(60 if blocks < 3 else 25):
        program = small(seed, blocks)
        rules = feasible_rules(program)
        reduction = reduced(program, program.fixings)
        if reduction is None:
            assert not len(rules)
            infeasible += 1
            continue
        lifted = [reduction.lift(x) for x in feasible_rules(reduction.program)]
        assert {x.tobytes() for x in lifted} == {x.tobytes() for x in rules}
        for x in rules[:5]:
            y = reduction.restrict(x)
            assert (reduction.lift(y) == x).all()
            assert reduction.program.value(y) == pytest.approx(program.value(x), abs=1e-12)
        assert (reduction.program.fixings != 1).all()
    assert infeasible > 0


def test_a_rule_against_the_fixings_does_not_restrict():
    program = small(0, 2)
    fixed = np.full(program.variables, FREE, dtype=np.int8)
    fixed[0] = 1
    reduction = reduced(program, fixed)
    assert reduction.restrict(np.zeros(program.variables, dtype=np.int8)) is None


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_prices_prove_the_best_bound_that_they_can(blocks):
    for seed in range(40):
        program = small(seed, blocks)
        rng = np.random.default_rng(seed)
        prices = rng.exponential(0.3, len(program.packing)), rng.exponential(0.3, len(program.covering))
        priced = price(program, *prices)
        if priced is None:
            continue
        report = check(program, priced.certificate)
        assert report.valid
        # Best responses attain the bound: what they are worth at the prices, plus the prices themselves.
        worth = int(priced.priced[priced.closure == 1].sum())
        rows = int(priced.certificate.packing.sum()) - int(priced.certificate.covering.sum())
        assert report.integer_bound == worth + rows
        rules = feasible_rules(program)
        if len(rules):
            assert max(program.value(x) for x in rules) <= report.upper_bound


def test_forcing_costs_are_exact_for_levels_and_bounds_elsewhere():
    exact = tangles = 0
    for seed in range(60):
        program = tangled(seed) if seed % 2 else random_program(np.random.default_rng(seed), 1, 7)
        shape = layers(program)
        priced = price(program, np.zeros(len(program.packing)), np.empty(0))
        costs = forcing_costs(program, priced, shape)
        rules = feasible_rules(program)
        values = rules.astype(np.int64) @ priced.priced
        paths = _along_paths(program, priced, shape)
        for v in range(program.variables):
            to_one = values.max() - values[rules[:, v] == 1].max()
            to_zero = values.max() - values[rules[:, v] == 0].max()
            if shape.series:
                assert (costs.to_one[v], costs.to_zero[v]) == (to_one, to_zero)
            assert 0 <= costs.to_one[v] <= to_one and 0 <= costs.to_zero[v] <= to_zero
            assert paths[1][v] <= to_one and paths[0][v] <= to_zero
        exact, tangles = exact + shape.series, tangles + (not shape.series)
    assert exact >= 25 and tangles >= 20


def test_fixings_keep_every_rule_within_the_allowance():
    for seed in range(20):
        program = random_program(np.random.default_rng(seed), 2, 3)
        reduction = reduced(program, program.fixings)
        small_program = reduction.program
        priced = price(small_program, np.full(len(small_program.packing), 0.3), np.empty(0))
        bound = check(small_program, priced.certificate).upper_bound
        costs = forcing_costs(small_program, priced, layers(small_program))
        for allowance in (0.0, 0.2, 0.5, 1.0, np.inf):
            fixed = costs.fixings(small_program, allowance)
            near = [x for x in feasible_rules(small_program) if small_program.value(x) >= bound - allowance]
            if fixed is None:
                assert not near
                continue
            assert all(((fixed == FREE) | (fixed == x)).all() for x in near)


def test_a_cycle_of_arcs_is_an_equality():
    arcs = np.array([[0, 1], [1, 0], [1, 2]], dtype=np.int32)
    program = Program(np.array([3.0, -1.0, -1.0]), np.array([0, 3]), arcs[:, 0], arcs[:, 1])
    shape = layers(program)
    assert not shape.acyclic and not shape.series
    costs = forcing_costs(program, price(program, np.empty(0), np.empty(0)), shape)
    assert (costs.to_one == 0).all() and costs.to_zero.max() < NEVER
