"""Values that are multiples of a grain: bounds rounded down stay bounds, and a false grain proves nothing false."""

from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from support.programs import random_program

from expost.formulations.assemble import assemble
from expost.formulations.timing import build_blocks
from expost.instances.random_instances import unstructured_instance
from expost.solver.adapters.brute import optimal_rules
from expost.solver.backends import solve_program
from expost.solver.certificate import check
from expost.solver.divisor import find_grain
from expost.solver.multiples import multiple_below
from expost.solver.nbuyers.lagrangian import price
from expost.solver.nbuyers.relaxation import relax
from expost.solver.result import Certificate, Grain, Status
from expost.spaces.type_space import discretize


@cache
def programs():
    return tuple(_programs())


def _programs():
    for seed in range(16):
        rng = np.random.default_rng(seed)
        program = random_program(rng, 3, 2, cover=0.1 * (seed % 2), fix=0.05 * (seed % 3))
        unit = float(rng.choice([1.0, 0.1, 1.0 / 3.0, 1e-300, 1e200]))
        program = replace(program, weights=program.weights * unit, constant=program.constant * unit)
        rules = optimal_rules(program)
        if len(rules):
            won = np.flatnonzero(rules[0])
            best = Fraction(program.constant) + sum(Fraction(program.weights[v]) for v in won)
            yield program, unit / 8.0, best, rng


def test_the_grain_is_the_common_divisor():
    """Weights are whole numbers over eight states; every one of them is a multiple of the grain that is found."""
    for program, divisor, _, _ in programs():
        grain = find_grain(program)
        assert grain is not None
        times = grain.size / divisor
        assert times == pytest.approx(round(times), abs=1e-9) and round(times) >= 1
        multiples = program.weights / grain.size
        assert np.abs(multiples - np.rint(multiples)).max() < 1e-9


def test_rounding_down_reaches_the_optimum_and_stops_there():
    for program, _, best, rng in programs():
        grain = find_grain(program)
        for part in rng.random(10):
            upper = float(best + Fraction(part) * Fraction(0.999) * Fraction(grain.size))
            if Fraction(upper) < best:
                continue
            reasons = []
            found = multiple_below(program, grain, upper, reasons)
            assert not reasons and best <= Fraction(found) <= Fraction(upper)
            assert found - float(best) <= 1e-9 * program.scale
        above = float(best + Fraction(3, 2) * Fraction(grain.size))
        assert multiple_below(program, grain, above, []) >= float(best) + 0.99 * grain.size


def test_no_grain_takes_a_bound_below_the_optimum():
    """Twice the grain, a wrong one by a digit, random ones: the rests are counted."""
    lowered = 0
    for program, _, best, rng in programs():
        true = find_grain(program)
        numerators = [2 * true.numerator, true.numerator + 1, 3 * true.numerator // 2, true.numerator // 7]
        numerators += [int(number) for number in rng.integers(1, 1 << 61, 10)]
        for numerator in numerators:
            for part in (0.0, 0.3, 0.9, 5.0):
                upper = float(best + Fraction(part) * Fraction(true.size))
                if Fraction(upper) < best:
                    continue
                found = multiple_below(program, Grain(numerator, true.exponent), upper, [])
                assert best <= Fraction(found) <= Fraction(upper)
                lowered += found < upper
    assert lowered > 50


def test_malformed_grains_are_named():
    program = programs()[0][0]
    exponent = find_grain(program).exponent
    for grain in (
        Grain(0, 3),
        Grain(-5, 3),
        Grain(1 << 62, 3),
        Grain(1, 5000),
        Grain(1, exponent + 300),
        "no",
    ):
        reasons = []
        assert multiple_below(program, grain, 7.0, reasons) == 7.0 and len(reasons) == 1


def test_values_without_a_grain_have_none():
    program = random_program(np.random.default_rng(0), 3, 3)
    weights = program.weights * np.random.default_rng(1).random(program.variables)
    assert find_grain(replace(program, weights=weights)) is None
    assert find_grain(replace(program, weights=weights * 0.0)) is None


def test_certificates_are_rounded_down_by_the_checker():
    """The linear bound lies half a grain above the optimum: the grain closes that gap."""
    space = discretize(unstructured_instance(25, buyers=3, types=6), 6)
    program = assemble(space, build_blocks(space, ("static",) * 3)).program
    coarse = 2.0**-9
    program = replace(program, weights=np.rint(program.weights / coarse) * coarse, constant=0.0)
    solution = solve_program(program)
    value = solution.details["value"]
    assert solution.status is Status.OPTIMAL and solution.certificate.grain.size == coarse
    answer = relax(program)
    priced = price(program, answer.packing, answer.covering).certificate
    bare = check(program, priced, solution.x)
    assert not bare.reasons and bare.upper_bound > value + 0.4 * coarse
    rounded = check(program, replace(priced, grain=Grain(1, 9)), solution.x)
    assert not rounded.reasons and value <= rounded.upper_bound <= value + 1e-12
    again = Certificate.from_arrays(solution.certificate.arrays())
    assert check(program, again) == check(program, solution.certificate)
    assert check(program, replace(priced, grain=Grain(3, 9)), solution.x).upper_bound >= value
