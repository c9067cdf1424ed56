"""Proofs by cases: whole points enumerated, cases left out, multipliers that prove less, and a start handed back."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.sparse import csr_array

from expost.solver.adapters import lp
from expost.solver.leaves import FREE, Leaves, covers, narrowed, prove, proved_bound, refutation, root
from expost.solver.linear_program import LinearProgram, dual_bound
from expost.solver.result import Status


def knapsack(seed):
    rng = np.random.default_rng(seed)
    size = rng.integers(2, 9, (3, 6)).astype(float)
    return LinearProgram(
        rng.integers(3, 12, 6).astype(float),
        csr_array(size),
        np.floor(size.sum(axis=1) / 2),
        np.zeros(6),
        np.ones(6),
        integral=np.ones(6, dtype=np.bool_),
    )


def best(program):
    points = (np.array(flat, dtype=float) for flat in product((0, 1), repeat=program.variables))
    return max(program.value(x) for x in points if program.excess(x) <= 0.0)


@pytest.mark.parametrize("seed", range(3))
def test_cases_prove_the_best_whole_point_and_no_less(seed):
    program = knapsack(seed)
    truth = best(program)
    leaves = prove(program, truth + 1e-7)
    assert truth <= proved_bound(program, leaves) <= truth + 1e-7
    assert prove(program, truth - 0.5) is None
    relaxed = lp.solve_linear(replace(program, integral=None))
    assert proved_bound(program, root(program, relaxed.multipliers)) == pytest.approx(relaxed.bound)
    if len(leaves) > 1:
        for k in range(len(leaves)):
            kept = np.arange(len(leaves)) != k
            assert proved_bound(program, Leaves(leaves.fixed[kept], leaves.multipliers[kept])) == np.inf
    assert proved_bound(program, Leaves(leaves.fixed, leaves.multipliers * 0.5)) > truth + 1e-3


def test_what_cases_cover():
    def fixed(*rows):
        return np.array([[{"*": FREE, "0": 0, "1": 1}[c] for c in row] for row in rows], dtype=np.int8)

    assert covers(fixed("***"))
    assert covers(fixed("0**", "1**"))
    assert covers(fixed("0**", "10*", "11*"))
    assert not covers(fixed("0**", "10*"))
    assert not covers(fixed("00*", "11*"))
    assert not covers(np.zeros((0, 3), dtype=np.int8))
    program = knapsack(0)
    half = replace(program, integral=np.arange(6) > 0)
    cases = np.full((2, 6), FREE, dtype=np.int8)
    cases[:, 0] = 0, 1
    assert proved_bound(half, Leaves(cases, np.ones((2, 3)))) == np.inf
    assert proved_bound(program, Leaves(cases, np.ones((2, 3)))) < np.inf


def test_a_case_without_points_is_refuted_by_multipliers():
    rows = csr_array(np.array([[-1.0, -1.0, -1.0]]))
    program = LinearProgram(
        np.array([5.0, 4.0, 3.0]),
        rows,
        np.array([-2.0]),
        np.zeros(3),
        np.ones(3),
        integral=np.ones(3, np.bool_),
    )
    case = narrowed(program, np.array([0, 0, FREE], dtype=np.int8))
    found = refutation(case, -10.0, None, lp.solve_linear)
    assert dual_bound(case, found) <= -10.0
    possible = narrowed(program, np.array([0, FREE, FREE], dtype=np.int8))
    assert refutation(possible, -10.0, None, lp.solve_linear) is None


def test_a_start_that_is_handed_back_as_optimal_is_not_believed(monkeypatch):
    program = knapsack(1)
    truth, asked = best(program), []
    honest = lp._attempts

    def lazy(program, deadline, start, options):
        asked.append(start)
        found = honest(program, deadline, None, options)
        return found if start is None else replace(found, x=start)

    monkeypatch.setattr(lp, "_attempts", lazy)
    found = lp.solve_linear(program, start=np.zeros(6))
    assert program.value(found.x) == pytest.approx(truth) and found.status is Status.OPTIMAL
    assert len(asked) == 2 and asked[1] is None
    monkeypatch.setattr(lp, "_attempts", lambda p, d, s, o: replace(honest(p, d, None, o), x=np.zeros(6)))
    assert lp.solve_linear(program).status is Status.FEASIBLE
