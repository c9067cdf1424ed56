"""Three or more buyers: enumeration, other solvers, interruption, progress, what is proved and what is claimed."""

import _thread
import math
import threading
import time

import numpy as np
import psutil
import pytest
from support.programs import max_program, random_program

from expost.solver.adapters.brute import optimal_rules
from expost.solver.adapters.pulp import solve_pulp
from expost.solver.backends import solve_program
from expost.solver.certificate import check
from expost.solver.nbuyers import core, efforts
from expost.solver.nbuyers.kicks import Kicks, descend, nothing_sold, rounded
from expost.solver.nbuyers.pairs import Pairs
from expost.solver.program import Program
from expost.solver.result import Solution, Status


def cube(types: int, seed: int = 0, blocks: int = 3, **options) -> Program:
    return random_program(np.random.default_rng([types, seed]), blocks, types, **options)


@pytest.mark.parametrize("seed", range(12))
def test_agrees_with_enumeration(seed):
    program = cube(2, seed, cover=0.1 * (seed % 2), fix=0.1 * (seed % 3))
    optima = optimal_rules(program)
    solution = solve_program(program)
    if not len(optima):
        assert solution.status is Status.INFEASIBLE
        return
    assert solution.status is Status.OPTIMAL and solution.backend == "nbuyers"
    assert program.value(solution.x) == pytest.approx(program.value(optima[0]), abs=1e-9)
    assert solution.details["certified_bound"] >= program.value(optima[0]) - 1e-12


@pytest.mark.parametrize(("types", "blocks"), [(5, 3), (6, 3), (3, 4)])
def test_agrees_with_plain_branch_and_bound(types, blocks):
    for seed in range(2):
        program = cube(types, seed, blocks)
        ours, plain = solve_program(program), solve_program(program, "highs")
        assert ours.status is plain.status is Status.OPTIMAL
        assert program.value(ours.x) == pytest.approx(program.value(plain.x), abs=1e-9)
        assert ours.bound == pytest.approx(plain.bound, abs=1e-9)


def test_renaming_the_buyers_moves_nothing():
    program = cube(4)
    order = [2, 0, 1]
    spans = [np.arange(program.blocks[b], program.blocks[b + 1]) for b in order]
    old = np.concatenate(spans)
    new = np.empty(program.variables, dtype=np.int32)
    new[old] = np.arange(program.variables)
    blocks = np.concatenate([[0], np.cumsum([len(span) for span in spans])])
    renamed = Program(
        program.weights[old],
        blocks,
        new[program.tails],
        new[program.heads],
        new[program.packing],
        constant=program.constant,
    )
    first, second = solve_program(program), solve_program(renamed)
    assert program.value(first.x) == pytest.approx(renamed.value(second.x), abs=1e-9)


def test_every_move_of_two_buyers_is_exact_and_feasible():
    for seed in range(10):
        program = cube(2, seed, cover=0.05)
        start = solve_program(program, "brute").x
        if start is None:
            continue
        pairs = Pairs(program)
        rules = optimal_rules(program)
        assert len(rules) and len(pairs.names) == 3
        for name in pairs.names:
            response = pairs.respond(start, name)
            assert program.violations(response) == 0
            other = next(b for b in range(3) if b not in name)
            span = slice(program.blocks[other], program.blocks[other + 1])
            assert (response[span] == start[span]).all()
            assert program.value(response) == pytest.approx(program.value(start), abs=1e-9)


def test_descent_and_kicks_never_get_worse():
    program = cube(6)
    pairs = Pairs(program)
    start = nothing_sold(program)
    rule = descend(pairs, start.x, math.inf)
    assert rule.value > start.value and program.violations(rule.x) == 0
    walk = Kicks(pairs, rule)
    values = [rule.value]
    for _ in range(10):
        walk.kick(math.inf)
        values.append(walk.best.value)
        assert program.violations(walk.best.x) == 0
    assert values == sorted(values)
    half = rounded(pairs, np.full(program.variables, 0.5), math.inf)
    assert program.violations(half.x) == 0 and half.value >= rule.value - 1e-12


def test_a_start_is_never_lost():
    program = cube(4, fix=0.02)
    best = solve_program(program)
    again = solve_program(program, start=best.x, time_limit=1e-3)
    assert program.value(again.x) >= program.value(best.x) - 1e-12


@pytest.mark.parametrize("points", [4, pytest.param(5, marks=pytest.mark.slow)])
def test_progress_only_gets_better(points):
    seen = []
    solve_program(max_program(3, points), time_limit=8.0, progress=seen.append)
    assert len(seen) >= 2
    assert all(p.incumbent <= p.bound + 1e-9 for p in seen)
    bounds, incumbents = [p.bound for p in seen], [p.incumbent for p in seen]
    assert bounds == sorted(bounds, reverse=True) and incumbents == sorted(incumbents)
    assert [p.elapsed for p in seen] == sorted(p.elapsed for p in seen)
    assert -1e-9 <= seen[-1].gap <= 0.004 * seen[-1].incumbent


@pytest.mark.parametrize("seconds", [0.2, 1.5, pytest.param(3.0, marks=pytest.mark.slow)])
def test_an_interrupt_returns_the_best_rule_with_its_bound(seconds):
    program = max_program(3, 5)
    timer = threading.Timer(seconds, _thread.interrupt_main)
    timer.start()
    try:
        solution = solve_program(program)
    finally:
        timer.cancel()
    assert solution.status is Status.INTERRUPTED
    assert math.isfinite(solution.bound)
    assert program.violations(solution.x) == 0 and program.value(solution.x) <= solution.bound
    assert check(program, solution.certificate).upper_bound >= program.value(solution.x)


def test_branch_and_bound_that_answers_wrongly_proves_nothing(monkeypatch):
    """A core whose solver fails its audit leaves the certified bound as it was."""
    program = max_program(3, 4)

    def wrong(*_, **__):
        raise core.SolverError("highs failed the audit")

    monkeypatch.setattr(core, "solve_highs", wrong)
    monkeypatch.setattr(core, "solve_pulp", wrong)
    monkeypatch.setattr(efforts, "PATIENCE", dict.fromkeys(efforts.PATIENCE, 0))
    solution = solve_program(program, time_limit=3.0)
    assert solution.bound == pytest.approx(solution.details["certified_bound"], abs=1e-12)
    assert solution.details["bound_certified"]


def test_three_buyers_at_four_points_are_proved():
    program = max_program(3, 4)
    solution = solve_program(program)
    assert program.variables == 12_288 and solution.status is Status.OPTIMAL
    assert program.value(solution.x) == pytest.approx(1.0775719, abs=5e-8)
    assert solution.details["bound_certified"]
    assert check(program, solution.certificate).upper_bound == pytest.approx(1.0775719, abs=5e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("buyers", "points", "limit", "gap"), [(3, 5, 60.0, 0.001), (4, 3, 60.0, 0.0), (3, 6, 120.0, 0.01)]
)
def test_larger_programs_come_within_their_gap(buyers, points, limit, gap):
    program = max_program(buyers, points)
    solution = solve_program(program, time_limit=limit)
    value = program.value(solution.x)
    assert program.violations(solution.x) == 0
    assert value - 1e-9 <= solution.bound <= value * (1.0 + gap) + 1e-9
    assert check(program, solution.certificate).upper_bound >= solution.bound - 1e-9


def test_cbc_beside_kicks_is_ended_by_an_interrupt():
    timer = threading.Timer(2.5, _thread.interrupt_main)
    calls = []
    timer.start()
    answer = solve_pulp(max_program(3, 5), idle=lambda: not calls.append(time.sleep(0.01)))
    timer.cancel()
    assert answer.status is Status.INTERRUPTED and answer.x is None
    assert len(calls) > 1
    assert not [child for child in psutil.Process().children(recursive=True) if "cbc" in child.name()]


def test_cbc_beside_answers_like_cbc():
    program = cube(3)
    answer = solve_pulp(program, time_limit=60.0)
    assert answer.status is Status.OPTIMAL
    assert program.value(answer.x) == pytest.approx(program.value(solve_program(program).x), abs=1e-9)


def test_up_to_two_blocks_it_is_the_minimum_cut():
    program = random_program(np.random.default_rng(0), 2, 3)
    solution = solve_program(program, "nbuyers")
    assert isinstance(solution, Solution) and solution.details["method"] == "minimum cut"
    assert check(program, solution.certificate, solution.x).proves_optimal


def test_any_fractional_point_rounds_to_a_rule():
    program = cube(5)
    pairs = Pairs(program)
    for seed in range(5):
        point = np.random.default_rng(seed).random(program.variables)
        assert program.violations(rounded(pairs, point, math.inf).x) == 0


def test_what_takes_longer_than_there_is_time_is_not_begun(monkeypatch):
    program = max_program(3, 3)
    monkeypatch.setattr(efforts, "PREPARING", 1.0)
    short, unlimited = solve_program(program, time_limit=60.0), solve_program(program)
    assert short.status is Status.TIME_LIMIT and "relaxation" not in short.details
    assert check(program, short.certificate, short.x).valid and short.details["value"] == 0.0
    assert unlimited.status is Status.OPTIMAL and short.bound > unlimited.bound
