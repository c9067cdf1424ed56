"""Weights near both ends of float64: every backend answers as at ordinary size, in the right unit."""

import math
from dataclasses import replace

import numpy as np
import pytest
from support.programs import random_program

from expost.solver.adapters.brute import optimal_rules
from expost.solver.backends import BACKENDS, solve_program
from expost.solver.certificate import check
from expost.solver.magnitude import magnified
from expost.solver.result import Status

SHIFTS = [-1050, -1000, -500, -200, 0, 500, 900]


def scaled(blocks: int, shift: int, constant: float = 0.0):
    """A program whose weights are small whole numbers times a power of two, hence exact at every size."""
    program = random_program(np.random.default_rng(blocks), blocks, {1: 5, 2: 3, 3: 2}[blocks])
    whole = np.rint(program.weights * program.variables)
    return replace(program, weights=np.ldexp(whole, shift), constant=constant)


@pytest.mark.parametrize("name", [name for name in BACKENDS if name != "brute"])
@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_every_backend_at_every_size(name, blocks):
    if BACKENDS[name].blocks < blocks:
        return
    for shift in SHIFTS if name not in ("pulp", "cvxpy") else SHIFTS[::3]:
        program = scaled(blocks, shift)
        best = program.value(optimal_rules(scaled(blocks, 0))[0])
        solution = solve_program(program, name)
        assert best <= solution.bound
        if name != "pdlp":
            assert solution.status is Status.OPTIMAL and program.value(solution.x) == best
            assert solution.bound <= best * (1.0 + 1e-9) + 1e-322
        if solution.certificate is not None:
            assert check(program, solution.certificate).upper_bound >= best


def test_a_constant_that_dwarfs_the_weights_is_kept():
    for constant in (1.0, -3e8):
        program = scaled(2, -900, constant)
        solution = solve_program(program)
        assert solution.status is Status.OPTIMAL
        assert constant <= solution.bound <= constant + 2.0 * math.ulp(constant)


def test_progress_is_in_the_unit_of_the_program():
    seen = []
    program = scaled(3, -1000)
    solution = solve_program(program, "nbuyers", progress=seen.append)
    assert seen and all(p.bound <= 2.0**-980 for p in seen)
    assert seen[-1].bound >= solution.details["value"] >= seen[-1].incumbent - 1e-320


def test_ordinary_programs_are_left_alone():
    program = scaled(2, 0)
    assert magnified(program).program is program
    nothing = replace(program, weights=np.zeros(program.variables))
    assert magnified(nothing).program is nothing
    assert solve_program(nothing).status is Status.OPTIMAL
