"""Dives: what settling in turn implies, the chains of what is left, and rules at the bottom."""

from dataclasses import replace

import numpy as np
import pytest
from support.programs import random_program

from expost.solver.answers import slack
from expost.solver.nbuyers.chains import cover, restricted
from expost.solver.nbuyers.dive import dive, implications
from expost.solver.nbuyers.first_order import FirstOrder
from expost.solver.nbuyers.kernels import settle_in_turn
from expost.solver.nbuyers.layers import layers
from expost.solver.nbuyers.pairs import Pairs
from expost.solver.nbuyers.relaxation import relax
from expost.solver.nbuyers.tightening import Tightening
from expost.solver.program import FREE, Program
from expost.solver.reduction import implied, reduced


def settled_by(program: Program, order) -> np.ndarray:
    """The same by whole sweeps over all rows."""
    fixed = implied(program, program.fixings)
    for v in order:
        if fixed[v] == FREE:
            further = fixed.copy()
            further[v] = 1
            further = implied(program, further)
            fixed = fixed if further is None else further
    return fixed


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_settling_in_turn_is_unit_propagation(share):
    for seed in range(15):
        rng = np.random.default_rng(seed)
        program = random_program(rng, 3, 3, cover=share, fix=0.02 * (seed % 2))
        fixed = implied(program, program.fixings)
        if fixed is None:
            continue
        order = rng.permutation(program.variables)[:12].astype(np.int32)
        expected = settled_by(program, order)
        settle_in_turn(implications(program), order, fixed)
        assert (fixed == expected).all()


def test_what_leads_to_a_contradiction_is_passed_over_and_leaves_no_trace():
    """0 implies 1, so neither of their rivals 2 and 3, one of whom has to win."""
    rows = {"packing": [[0, 2], [1, 3]], "covering": [[2, 3]]}
    rows = {name: np.array(row, dtype=np.int32) for name, row in rows.items()}
    one = np.array([0], dtype=np.int32)
    program = Program(np.ones(4), np.array([0, 2, 3, 4]), one, one + 1, **rows)
    fixed = program.fixings.copy()
    assert settle_in_turn(implications(program), one, fixed) == 0 and (fixed == FREE).all()
    assert settle_in_turn(implications(program), np.array([0, 3, 2], dtype=np.int32), fixed) == 2
    assert fixed.tolist() == [0, 0, 1, 1]


def test_the_chains_of_what_is_left_have_its_linear_bound():
    for seed in range(8):
        rng = np.random.default_rng(seed)
        program = replace(random_program(rng, 3, 4, cover=0.05 * (seed % 2)), fixed=None)
        fixed = program.fixings.copy()
        settle_in_turn(implications(program), rng.permutation(program.variables)[:3].astype(np.int32), fixed)
        base = cover(program, layers(program), whole=True)
        settled = fixed[base.variable]
        left, kept, rows = restricted(base, settled)
        assert 0 < len(kept) < len(settled) and len(rows) < len(base.chains.limit)
        assert (base.variable[kept] == left.variable).all()

        def enough(seen):
            return "done" if seen.steps >= 2000 or abs(seen.bound - seen.value) < 1e-9 else ""

        seen = FirstOrder.at(left).run(enough, float("inf"))
        smaller = reduced(program, fixed).program
        linear = relax(smaller, method="simplex").fractional
        whole = program.constant + program.weights[fixed == 1].sum() + seen.bound
        assert whole == pytest.approx(smaller.value(linear), abs=1e-6)


def test_a_dive_ends_in_a_rule_near_the_bound():
    for seed in range(4):
        program = random_program(np.random.default_rng(seed), 3, 4, ties=False)
        answer = relax(program)
        state = Tightening.begin(program, answer.packing, answer.covering, answer.fractional)
        rule = dive(program, state, Pairs(program), seed, float("inf"))
        assert program.violations(rule.x) == 0
        bound = program.value(answer.fractional)
        assert 0.9 * bound <= rule.value <= bound + slack(program)
