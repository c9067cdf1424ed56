"""One suite over all backends: what each declares, it does; what it cannot do is declared, not skipped."""

import importlib
import inspect
import math

import numpy as np
import pytest
from support.programs import random_program

from expost.errors import InputError
from expost.solver.adapters.brute import optimal_rules
from expost.solver.backends import BACKENDS, installed_backends, solve_program
from expost.solver.certificate import check
from expost.solver.program import Program
from expost.solver.result import Status

EXACT = [name for name in ("auto", *BACKENDS) if name != "pdlp"]
CASES = [(blocks, seed) for blocks in (1, 2, 3) for seed in range(8)]
FEW = {"pulp": 3, "cvxpy": 3, "auto": 4}
"""Backends that start a process or compile a problem on every call see fewer programs; ``auto`` is one of the rest."""


def case(blocks: int, seed: int) -> Program:
    """Every odd program has covering rows and fixings, so that some are infeasible."""
    rng = np.random.default_rng([blocks, seed])
    odd = seed % 2
    return random_program(rng, blocks, {1: 6, 2: 3, 3: 2}[blocks], cover=0.15 * odd, fix=0.08 * odd)


def takes(name: str, blocks: int) -> bool:
    return name == "auto" or BACKENDS[name].blocks >= blocks


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=lambda backend: backend.name)
def test_what_is_declared_is_a_keyword_of_the_backend(backend):
    """The door hands on by name what is declared; who renames a keyword is told here."""
    module, function = backend.call.split(":")
    keywords = inspect.signature(getattr(importlib.import_module(module), function)).parameters
    handed = ("time_limit", "start", "progress", "gap", "nearby")
    assert {name for name in handed if getattr(backend, name)} == keywords.keys() & set(handed)
    assert backend.solvers == ("solver" in keywords)


def test_the_door_takes_no_other_keyword():
    """A bracket was once worse for an option that had been renamed, and nobody saw it: it is an error by name."""
    with pytest.raises(TypeError, match="methode"):
        solve_program(case(3, 0), methode="chains")
    with pytest.raises(InputError, match="chain"):
        solve_program(case(3, 0), "pdlp:chain")
    assert not any(
        part.kind is part.VAR_KEYWORD for part in inspect.signature(solve_program).parameters.values()
    )


def test_everything_declared_is_installed_here():
    assert set(installed_backends()) == {"auto", *BACKENDS}


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_value_bound_and_status_against_enumeration(name, blocks):
    if not takes(name, blocks):
        with pytest.raises(InputError, match="at most"):
            solve_program(case(blocks, 0), name)
        return
    seen = set()
    for seed in range(FEW.get(name, 12)):
        program = case(blocks, seed)
        optima = optimal_rules(program)
        solution = solve_program(program, name)
        seen.add(solution.status)
        if not len(optima):
            assert solution.status is Status.INFEASIBLE and solution.x is None
            assert solution.bound == -math.inf
            continue
        best = program.value(optima[0])
        assert solution.status is Status.OPTIMAL
        assert program.value(solution.x) == pytest.approx(best, abs=1e-9)
        assert program.violations(solution.x) == 0
        assert solution.bound == pytest.approx(best, abs=1e-9)
    assert Status.OPTIMAL in seen


@pytest.mark.parametrize("name", [name for name in BACKENDS if BACKENDS[name].certifies])
@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_declared_certificates_hold(name, blocks):
    backend = BACKENDS[name]
    if blocks > min(backend.certifies, backend.blocks):
        return
    for seed in range(0, 12, 2):
        program = case(blocks, seed)
        best = program.value(optimal_rules(program)[0])
        solution = solve_program(program, name)
        report = check(program, solution.certificate)
        assert report.valid and report.upper_bound >= best - 1e-12
        if blocks <= 2:
            assert solution.details["bound_certified"]
            assert solution.bound == pytest.approx(best, abs=1e-3 if name == "pdlp" else 1e-9)


@pytest.mark.parametrize("name", [name for name in BACKENDS if BACKENDS[name].extremes])
def test_declared_extremes_are_the_extremes(name):
    for blocks, seed in CASES[:16]:
        program = case(blocks, seed)
        if not len(optimal_rules(program)):
            continue
        solution, expected = solve_program(program, name), solve_program(program, "brute")
        assert (solution.smallest == expected.smallest).all()
        assert (solution.largest == expected.largest).all()


@pytest.mark.parametrize("name", [name for name in BACKENDS if BACKENDS[name].start])
def test_a_start_is_taken_and_a_bad_one_refused(name):
    program = case(3, 0)
    optimum = optimal_rules(program)[0]
    solution = solve_program(program, name, start=optimum)
    assert solution.status is Status.OPTIMAL and "start" not in solution.details["ignored"]
    assert program.value(solution.x) == pytest.approx(program.value(optimum), abs=1e-9)
    with pytest.raises(InputError, match="breaks"):
        solve_program(program, name, start=np.ones(program.variables, dtype=np.int8))
    with pytest.raises(InputError, match="shape"):
        solve_program(program, name, start=np.ones(3, dtype=np.int8))


@pytest.mark.parametrize("name", [name for name in BACKENDS if not BACKENDS[name].start])
def test_an_unusable_start_is_declared(name):
    program = case(2, 0)
    solution = solve_program(program, name, start=optimal_rules(program)[0])
    assert solution.details["ignored"] == ["start"]


@pytest.mark.parametrize("limit", [0, -1.0, math.nan])
def test_impossible_time_limits_are_refused(limit):
    with pytest.raises(InputError, match="time limit"):
        solve_program(case(2, 0), time_limit=limit)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("gurobbi", "auto, mincut"),
        ("mincut:x", "names no solver"),
        ("", "auto"),
        ("highs:", "pulp:NAME"),
    ],
)
def test_unknown_backends_list_the_installed_ones(name, word):
    with pytest.raises(InputError, match=word):
        solve_program(case(2, 0), name)


def test_nothing_reaches_standard_output(capfd):
    for name in EXACT:
        if takes(name, 2):
            solve_program(case(2, 0), name)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_scaling_weights_and_adding_redundant_rows_changes_nothing_else(blocks):
    program = case(blocks, 0)
    solution = solve_program(program)
    for factor in (1e-9, 1.0, 1e9):
        scaled = Program(
            program.weights * factor,
            program.blocks,
            np.tile(program.tails, 2),
            np.tile(program.heads, 2),
            np.tile(program.packing, (3, 1)),
        )
        again = solve_program(scaled)
        assert again.status is Status.OPTIMAL
        assert scaled.value(again.x) == pytest.approx(
            factor * (program.value(solution.x) - program.constant), rel=1e-9
        )
