"""Values of very different sizes: bounds against the exact optimum of the definition, in rational numbers."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.spaces import space_of

from expost.formulations.assemble import assemble
from expost.formulations.timing import build_blocks
from expost.solver.answers import slack
from expost.solver.backends import solve_program
from expost.solver.certificate import check
from expost.solver.result import Status

SIZES = st.sampled_from([1e-6, 2e-6, 7.5e-8, 1.0, 10.0, 13.3334, 13.3335, 1e-300, 1e-318])
LARGE = st.sampled_from([-8e8, -6e7, 6e7, 8e8, 1.0, 1e-300])
VALUES = st.lists(st.one_of(SIZES, st.floats(-20.0, 20.0, allow_subnormal=False)), min_size=1, max_size=5)


def truth(values: list[float], alpha: float) -> Fraction:
    """The best rule of one buyer by definition: he never wins at a value below one at which he loses."""
    exact, weight = [Fraction(value) for value in values], Fraction(alpha)
    best = Fraction(0)
    for wins in product((False, True), repeat=len(values)):
        won = [value for value, winner in zip(exact, wins, strict=True) if winner]
        lost = [value for value, winner in zip(exact, wins, strict=True) if not winner]
        if not won or (lost and max(lost) > min(won)):
            continue
        welfare, revenue = sum(won, Fraction(0)), min(won) * len(won)
        best = max(best, (weight * welfare + (1 - weight) * revenue) / len(values))
    return best


def solved(values: list[float], alpha: float):
    space = space_of([values])
    formulation = assemble(space, build_blocks(space, ("static",), revenue=alpha < 1.0), alpha=alpha)
    return formulation.program, solve_program(formulation.program)


@given(VALUES, LARGE, st.sampled_from([0.0, 0.5, 1.0]))
@settings(max_examples=300, deadline=None)
def test_the_certified_bound_is_one_whatever_counts_as_a_tie(values, large, alpha):
    values = [*values, large]
    program, solution = solved(values, alpha)
    assert solution.status is Status.OPTIMAL
    best = truth(values, alpha)
    # The weights are float64: each is off by half its last digit and a few roundings.
    digits = Fraction(8 * np.finfo(float).eps) * Fraction(program.scale) + len(values) * Fraction(5e-324)
    assert Fraction(solution.bound) >= best - digits
    assert Fraction(check(program, solution.certificate).upper_bound) >= best - digits
    assert Fraction(program.value(solution.x)) <= Fraction(solution.bound) + Fraction(slack(program))


@pytest.mark.parametrize(
    ("values", "alpha"),
    [
        ([-6e7, 1e-6, 8e-6], 0.5),
        ([-8e8, -1e-4, 3e-4], 0.0),
    ],
)
def test_values_nearer_than_the_width_of_a_tie_do_not_lower_the_bound(values, alpha):
    program, solution = solved(values, alpha)
    block = build_blocks(space_of([values]), ("static",))[0]
    assert block.tie_spread == max(values) - sorted(values)[1]
    assert solution.bound >= float(truth(values, alpha))
    assert check(program, solution.certificate).upper_bound >= float(truth(values, alpha))


@pytest.mark.parametrize("shift", [-1040, -1000, -300, -260])
def test_tiny_values_are_solved_like_ordinary_ones(shift):
    values = [0.5, 0.25, -1.0, 1.0]
    tiny = [float(np.ldexp(value, shift)) for value in values]
    for alpha in (0.0, 0.5, 1.0):
        _, ordinary = solved(values, alpha)
        program, solution = solved(tiny, alpha)
        assert (solution.x == ordinary.x).all()
        assert program.value(solution.x) == np.ldexp(ordinary.details["value"], shift)
        assert check(program, solution.certificate, solution.x).valid
