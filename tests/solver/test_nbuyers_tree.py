"""Proofs by cases: the checker alone finds three buyers' optima proved, and no damaged tree proves anything false."""

from dataclasses import replace

import numpy as np
import pytest
from support.programs import random_program

from expost.formulations.assemble import assemble
from expost.formulations.timing import build_blocks
from expost.instances.random_instances import unstructured_instance
from expost.solver.adapters.brute import optimal_rules
from expost.solver.answers import slack
from expost.solver.backends import solve_program
from expost.solver.certificate import check
from expost.solver.nbuyers import efforts
from expost.solver.nbuyers.relaxation import relax
from expost.solver.nbuyers.tightening import Tightening
from expost.solver.nbuyers.tree import branch
from expost.solver.program import Program
from expost.solver.reduction import reduced
from expost.solver.result import Certificate, Status
from expost.spaces.type_space import discretize


def unstructured(seed: int, types: int) -> Program:
    space = discretize(unstructured_instance(seed, buyers=3, types=types), types)
    return assemble(space, build_blocks(space, ("static",) * 3)).program


@pytest.fixture
def solved(monkeypatch):
    """A program whose linear bound is not attained, solved without cuts."""
    monkeypatch.setattr(efforts, "CUTS_LIMIT", 1e-4)
    program = unstructured(27, 6)
    return program, solve_program(program)


def test_cases_prove_what_the_linear_bound_does_not(solved):
    program, solution = solved
    assert solution.status is Status.OPTIMAL and solution.details["leaves"] > 1
    whole = check(program, solution.certificate)
    without = check(program, replace(solution.certificate, tree=None))
    value = solution.details["value"]
    assert not whole.reasons and value <= whole.upper_bound <= value + slack(program)
    assert without.upper_bound > value + 100 * slack(program)
    again = Certificate.from_arrays(solution.certificate.arrays())
    assert check(program, again) == whole


def test_damaged_trees_prove_nothing(solved):
    program, solution = solved
    tree, without = (
        solution.certificate.tree,
        check(program, replace(solution.certificate, tree=None)).upper_bound,
    )
    other = int(np.flatnonzero(np.arange(program.variables) != tree.variable[0])[0])
    changes = {
        "child": np.where(np.arange(tree.child.size).reshape(tree.child.shape) == 0, -1, tree.child),
        "variable": np.where(np.arange(len(tree.variable)) == 0, other, tree.variable),
        "arcs": tree.arcs * 0,
        "packing": tree.packing * 0,
        "exponent": tree.exponent.astype(float),
        "leaf": np.where(tree.leaf >= 0, len(tree.exponent), -1),
        "cut_multiplier": tree.cut_multiplier[:1],
    }
    for name, array in changes.items():
        damaged = replace(solution.certificate, tree=replace(tree, **{name: array}))
        report = check(program, damaged)
        assert report.reasons or report.upper_bound > solution.details["value"] + 10 * slack(program), name
        assert report.upper_bound <= without
    round_and_round = replace(tree, child=np.where(tree.child >= 0, 0, -1))
    report = check(program, replace(solution.certificate, tree=round_and_round))
    assert any("back into itself" in reason for reason in report.reasons) and report.upper_bound == without


@pytest.mark.parametrize("seed", range(12))
def test_trees_agree_with_enumeration(seed):
    """Whatever the tree proves is the optimum, from the first node on, with fixings and covering rows."""
    program = random_program(np.random.default_rng(seed), 3, 2, cover=0.1 * (seed % 2), fix=0.05 * (seed % 3))
    optima = optimal_rules(program)
    reduction = reduced(program, program.fixings)
    if not len(optima) or reduction is None:
        return
    best = program.value(optima[0])
    answer = relax(reduction.program)
    # from the point where nothing is sold and no prices, so that there is something to branch on
    state = Tightening.begin(
        reduction.program, answer.packing * 0, answer.covering * 0, answer.fractional * 0
    )
    seen = []
    tree = branch(program, reduction, state, lambda: best, seen.append, float("inf"))
    if tree is None:
        return
    zero = (np.zeros(k, dtype=np.int64) for k in (program.arcs, len(program.packing), len(program.covering)))
    report = check(program, Certificate(10, *zero, None, tree))
    assert not report.reasons and report.upper_bound == pytest.approx(best, abs=2 * slack(program))
