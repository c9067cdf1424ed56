"""Odd-cycle inequalities: by hand, found exactly, valid for every rule, proved by the independent checker."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from support.programs import random_program

from expost.formulations.assemble import assemble
from expost.formulations.timing import build_blocks
from expost.instances.random_instances import unstructured_instance
from expost.solver.adapters.brute import optimal_rules
from expost.solver.backends import solve_program
from expost.solver.certificate import check
from expost.solver.half_sums import derive
from expost.solver.nbuyers import odd_cycles
from expost.solver.nbuyers.lagrangian import price
from expost.solver.nbuyers.odd_cycles import PricedCuts, inequalities, separate
from expost.solver.nbuyers.relaxation import lifted_price, relax
from expost.solver.nbuyers.tightening import Tightening
from expost.solver.program import Program
from expost.solver.reduction import reduced
from expost.solver.result import Certificate, HalfSums, Status
from expost.spaces.type_space import discretize


def triangle() -> Program:
    """Three buyers of whom no two may win: 3/2 with halves, 1 in truth."""
    none = np.empty(0, dtype=np.int32)
    pairs = np.array([[0, 1], [1, 2], [0, 2]], dtype=np.int32)
    return Program(np.ones(3), np.arange(4), none, none, pairs)


def unstructured(seed: int, types: int) -> Program:
    space = discretize(unstructured_instance(seed, buyers=3, types=types), types)
    return assemble(space, build_blocks(space, ("static",) * 3)).program


def test_the_triangle_by_hand():
    program = triangle()
    cuts = separate(program, np.full(3, 0.5), 10, 0)
    found = inequalities(program, cuts)
    assert len(found.limit) == 1 and found.limit[0] == 1
    assert sorted(found.variable) == [0, 1, 2] and (found.coefficient == 1).all()
    priced = price(program, np.zeros(3), np.zeros(0), cuts=PricedCuts(cuts, np.ones(1)))
    report = check(program, priced.certificate, np.array([1, 0, 0], dtype=np.int8))
    assert report.valid and report.proves_optimal and report.upper_bound == pytest.approx(1.0)
    without = replace(priced.certificate, cuts=None)
    assert check(program, without).upper_bound == pytest.approx(3.0)


def test_nothing_is_broken_by_a_rule():
    for seed in range(5):
        program = random_program(np.random.default_rng(seed), 3, 3)
        rule = solve_program(program).x
        assert len(separate(program, rule.astype(float), 50, 0).multiplier) == 0
        half = np.where(rule == 1, 0.9999, 0.0001)
        assert len(separate(program, half, 50, 0).multiplier) == 0


@pytest.mark.parametrize("seed", range(6))
def test_a_walk_is_found_wherever_there_is_one_and_what_it_says_is_valid(seed):
    """Against shortest paths by scipy in the graph with two copies; and no optimum of any weights breaks a cut."""
    rng = np.random.default_rng(seed)
    program = random_program(rng, 3, 2, cover=0.1 * (seed % 2))
    small = replace(program, fixed=None)
    x = relax(small).fractional * 0.4 + 0.3
    steps = odd_cycles.steps_of(small, x)
    n = small.variables
    everyone = np.arange(n, dtype=np.int32)
    limit = odd_cycles.BROKEN
    start, rows = odd_cycles.odd_cycles(steps, everyone, limit, 1e-9, 1 << 30, 1000, 100_000, 1 << 40)
    cuts = HalfSums(start.astype(np.int64), rows.astype(np.int64), np.zeros(len(start) - 1, dtype=np.int64))
    tail = np.repeat(np.arange(n), np.diff(steps.start))
    entries = {}
    for v, w, flip, slack in zip(tail, steps.to, steps.flips, steps.slack, strict=True):
        for odd in (0, 1):
            key = (v + n * odd, w + n * (odd ^ flip))
            entries[key] = min(entries.get(key, np.inf), slack + 1e-9)
    where = np.array(list(entries))
    graph = coo_array((list(entries.values()), (where[:, 0], where[:, 1])), shape=(2 * n, 2 * n)).tocsr()
    around = np.array([dijkstra(graph, indices=v)[v + n] for v in range(n)])
    assert len(cuts.multiplier) == np.count_nonzero(around < limit)
    found = inequalities(small, cuts)
    for _ in range(20):
        other = replace(small, weights=np.where(small.weights == 0, 0, rng.integers(-3, 5, n)).astype(float))
        for rule in optimal_rules(other)[:20]:
            left = np.zeros(len(found.limit))
            cut = np.repeat(np.arange(len(found.limit)), np.diff(found.start))
            np.add.at(left, cut, found.coefficient * rule[found.variable])
            assert (left <= found.limit).all()


def test_the_checker_reads_cuts_as_the_solver_does():
    rng = np.random.default_rng(1)
    for seed in range(10):
        program = random_program(np.random.default_rng(seed), 3, 3, cover=0.1)
        rows = program.arcs + len(program.packing) + len(program.covering)
        sums = HalfSums(np.array([0, 5, 5, 20]), rng.integers(0, rows, 20), np.array([1, 2, 3]))
        ours, theirs = inequalities(program, sums), derive(program, sums)
        assert (theirs.limit == ours.limit).all()
        read = {
            (int(k), int(v)): int(c)
            for k, v, c in zip(theirs.cut, theirs.variable, theirs.coefficient, strict=True)
            if c
        }
        cut = np.repeat(np.arange(3), np.diff(ours.start))
        assert read == {
            (int(k), int(v)): int(c) for k, v, c in zip(cut, ours.variable, ours.coefficient, strict=True)
        }


def test_any_sums_of_rows_bound_the_optimum():
    """Whatever rows are listed and whatever they cost, what the checker accepts is a bound."""
    rng = np.random.default_rng(5)
    for seed in range(60):
        program = random_program(np.random.default_rng(seed), 3, 2, cover=0.1 * (seed % 2))
        optima = optimal_rules(program)
        if not len(optima):
            continue
        rows = program.arcs + len(program.packing) + len(program.covering)
        start = np.array([0, 3, 8, 15])
        sums = HalfSums(start, rng.integers(0, rows, 15), rng.integers(0, 1 << 10, 3))
        multipliers = (
            rng.integers(0, 1 << 10, k) for k in (program.arcs, len(program.packing), len(program.covering))
        )
        report = check(program, Certificate(10, *multipliers, sums))
        assert report.valid and report.upper_bound >= program.value(optima[0]) - 1e-9


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"multiplier": np.array([-1])}, "negative"),
        ({"rows": np.array([0, 1, 3])}, "out of range"),
        ({"start": np.array([0, 2])}, "between"),
        ({"multiplier": np.array([1.0])}, "int64"),
    ],
)
def test_damaged_cuts_are_reported(change, word):
    program = triangle()
    sums = HalfSums(np.array([0, 3]), np.array([0, 1, 2]), np.array([1]))
    none = np.zeros(0, dtype=np.int64)
    good = Certificate(0, none, np.zeros(3, dtype=np.int64), none, sums)
    assert check(program, good).integer_bound == 1
    report = check(program, replace(good, cuts=replace(sums, **change)))
    assert not report.valid and any(word in reason for reason in report.reasons)


def test_fewer_rows_prove_less():
    """The cut of two of the triangle's three rows says nothing that would prove 1."""
    program, none = triangle(), np.zeros(0, dtype=np.int64)
    sums = HalfSums(np.array([0, 2]), np.array([0, 1]), np.array([1]))
    assert check(program, Certificate(0, none, np.zeros(3, dtype=np.int64), none, sums)).integer_bound == 3


@pytest.mark.parametrize("seed", [18, 27])
def test_cuts_close_what_the_linear_program_leaves_open(seed):
    """Programs whose linear bound is not attained (docs/randomization.md): the certificate alone proves the optimum."""
    program = unstructured(seed, 6)
    plain = solve_program(program, "highs")
    solution = solve_program(program)
    assert solution.status is plain.status is Status.OPTIMAL and solution.details["cuts"]
    assert solution.details["value"] == pytest.approx(plain.details["value"], abs=1e-9)
    assert solution.details["linear_bound"] < 0.9 * relaxed_gap(program, plain) + plain.details["value"]


def relaxed_gap(program: Program, best) -> float:
    point = relax(program).fractional
    return program.constant + program.weights @ point - best.details["value"]


def test_cuts_of_a_reduced_program_prove_the_original():
    program = random_program(np.random.default_rng(4), 3, 6, fix=0.005)
    reduction = reduced(program, program.fixings)
    answer = relax(reduction.program)
    state = Tightening.begin(reduction.program, answer.packing, answer.covering, answer.fractional)
    state.point = np.where(reduction.program.fixings == 0, 0.0, 0.5)
    state.round(float("inf"))
    assert len(state.best.cuts.prices)
    rng = np.random.default_rng(0)
    cuts = PricedCuts(state.best.cuts.sums, rng.random(len(state.best.cuts.prices)) * 1e-3)
    small = price(reduction.program, state.best.packing, state.best.covering, cuts=cuts).certificate
    whole = lifted_price(program, reduction, state.best.packing, state.best.covering, cuts=cuts).certificate
    assert check(program, whole).upper_bound == pytest.approx(
        check(reduction.program, small).upper_bound, abs=1e-9
    )


def test_certificates_with_cuts_are_saved_whole():
    sums = HalfSums(np.array([0, 3]), np.array([0, 1, 2]), np.array([1]))
    none = np.zeros(0, dtype=np.int64)
    saved = Certificate(7, none, np.arange(3), none, sums)
    again = Certificate.from_arrays(saved.arrays())
    assert check(triangle(), again) == check(triangle(), saved)
    assert Certificate.from_arrays(replace(saved, cuts=None).arrays()).cuts is None
