"""The independent checker: by hand, against solvers, against corruption, and at the edge of int64."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.programs import random_program, reference_program

from expost.solver.adapters.brute import optimal_rules
from expost.solver.adapters.highs import solve_highs
from expost.solver.certificate import check
from expost.solver.program import Program
from expost.solver.result import Certificate


def zeros(program: Program, exponent: int = 20) -> Certificate:
    return Certificate(
        exponent,
        *(np.zeros(k, dtype=np.int64) for k in (program.arcs, len(program.packing), len(program.covering))),
    )


def test_zero_multipliers_prove_the_sum_of_positive_weights():
    program = reference_program()
    report = check(program, zeros(program))
    assert report.valid
    assert report.integer_bound == round(program.weights.clip(0).sum() * 2**20)
    assert report.upper_bound == pytest.approx(program.weights.clip(0).sum(), abs=1e-12)
    assert report.integer_value is None and report.violations is None and not report.proves_optimal


def test_by_hand():
    # One state, two buyers worth 3 and 5: the packing price 3 proves 5.
    program = Program(
        np.array([3.0, 5.0]),
        np.array([0, 1, 2]),
        np.empty(0, np.int32),
        np.empty(0, np.int32),
        np.array([[0, 1]], dtype=np.int32),
    )
    certificate = Certificate(0, np.empty(0, np.int64), np.array([3], dtype=np.int64), np.empty(0, np.int64))
    report = check(program, certificate, np.array([0, 1], dtype=np.int8))
    assert (report.integer_bound, report.integer_value, report.violations) == (5, 5, 0)
    assert report.proves_optimal and not report.reasons
    worse = check(program, certificate, np.array([1, 0], dtype=np.int8))
    assert worse.valid and not worse.proves_optimal and worse.integer_value == 3
    both = check(program, certificate, np.array([1, 1], dtype=np.int8))
    assert both.violations == 1 and not both.proves_optimal and "breaks 1" in both.reasons[0]


@given(seed=st.integers(0, 2**32), blocks=st.integers(1, 3), data=st.data())
@settings(max_examples=80, deadline=None)
def test_any_nonnegative_multipliers_bound_the_optimum(seed, blocks, data):
    rng = np.random.default_rng(seed)
    program = random_program(rng, blocks, 2, cover=0.2, fix=0.1)
    optima = optimal_rules(program)
    if not len(optima):
        return
    exponent = data.draw(st.integers(-3, 40))
    unit = 2.0**exponent
    rows = (program.arcs, len(program.packing), len(program.covering))
    duals = (np.rint(rng.exponential(0.3, k) * unit).astype(np.int64) for k in rows)
    certificate = Certificate(exponent, *duals)
    report = check(program, certificate, optima[0])
    assert report.valid and report.violations == 0
    assert report.integer_value <= report.integer_bound
    assert program.value(optima[0]) <= report.upper_bound
    assert not report.reasons


@pytest.mark.parametrize("blocks", [1, 2])
def test_duals_of_the_linear_program_are_tight(blocks):
    rng = np.random.default_rng(blocks)
    for _ in range(20):
        program = random_program(rng, blocks, 4 if blocks == 1 else 3, fix=0.1)
        solution = solve_highs(program)
        if solution.x is None:
            continue
        report = check(program, solution.certificate, solution.x)
        assert report.valid and report.violations == 0
        assert report.upper_bound == pytest.approx(program.value(solution.x), abs=1e-12)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"arcs": np.zeros(3, dtype=np.int64)}, "shape"),
        ({"packing": np.zeros((4, 1), dtype=np.int64)}, "shape"),
        ({"arcs": np.zeros(4)}, "float64"),
        ({"arcs": np.zeros(4, dtype=np.int32)}, "int32"),
        ({"covering": None}, "NoneType"),
        ({"packing": np.array([0, -1, 0, 0])}, "negative"),
        ({"scale_exponent": 2.5}, "2.5"),
        ({"scale_exponent": True}, "True"),
        ({"scale_exponent": 5000}, "5000"),
        ({"scale_exponent": 63}, "int64"),
        ({"packing": np.full(4, 2**63 - 1)}, "may not fit"),
    ],
)
def test_a_bad_certificate_is_reported_not_raised(change, word):
    program = reference_program()
    report = check(program, replace(zeros(program), **change), np.zeros(8, dtype=np.int8))
    assert not report.valid and report.upper_bound == math.inf and not report.proves_optimal
    assert any(word in reason for reason in report.reasons), report.reasons


@pytest.mark.parametrize("x", [np.zeros(7), np.full(8, 0.5), np.full(8, 2), np.array(["0"] * 8)])
def test_a_bad_rule_is_reported_not_raised(x):
    program = reference_program()
    report = check(program, zeros(program), x)
    assert report.valid and report.violations is None and report.reasons and not report.proves_optimal


def test_totals_beyond_int64_are_exact():
    n = 64
    program = Program(
        np.ones(n),
        np.array([0, n]),
        np.empty(0, np.int32),
        np.empty(0, np.int32),
        np.arange(n, dtype=np.int32)[:, None],
    )
    huge = 2**61
    certificate = Certificate(60, np.empty(0, np.int64), np.full(n, huge), np.empty(0, np.int64))
    report = check(program, certificate, np.ones(n, dtype=np.int8))
    assert report.valid and report.integer_bound == n * huge and report.integer_value == n * 2**60


def test_the_bound_contains_what_scaling_rounds_away():
    program = Program(np.full(3, 0.4), np.array([0, 3]), np.empty(0, np.int32), np.empty(0, np.int32))
    report = check(program, zeros(program, 0), np.ones(3, dtype=np.int8))
    assert report.integer_bound == 0 and report.upper_bound >= 1.2


def test_a_coarse_scale_for_enormous_weights():
    none = np.empty(0, np.int32)
    program = Program(np.array([1e300, -1e300]), np.array([0, 2]), none, none)
    report = check(program, zeros(program, -940), np.array([1, 0], dtype=np.int8))
    assert report.valid and report.upper_bound >= 1e300 and report.proves_optimal


def test_two_million_variables():
    n = 1_000_000
    rng = np.random.default_rng(0)
    tails = np.concatenate([np.arange(n - 1), np.arange(n - 1) + n]).astype(np.int32)
    rows = np.stack([np.arange(n), np.arange(n) + n], axis=1).astype(np.int32)
    program = Program(rng.normal(size=2 * n) / n, np.array([0, n, 2 * n]), tails, tails + np.int32(1), rows)
    flows, prices = rng.integers(0, 2**35, len(tails)), rng.integers(0, 2**35, n)
    certificate = Certificate(55, flows, prices, np.empty(0, np.int64))
    report = check(program, certificate, np.zeros(2 * n, dtype=np.int8))
    assert report.valid and report.violations == 0
