"""Starts from nearby programs change how long a solve takes, never what it finds; a gap and a rule at any time."""

import numpy as np
import pytest
from support.programs import random_program

from expost.errors import InputError
from expost.solver.backends import solve_program
from expost.solver.certificate import check
from expost.solver.mincut import kernels, network
from expost.solver.mincut.anytime import Incumbent
from expost.solver.mincut.backend import solve_mincut
from expost.solver.mincut.fixed_nodes import demanded, settle
from expost.solver.mincut.start import guess
from expost.solver.nearby import Nearby, nearby
from expost.solver.program import FREE, Program
from expost.solver.result import Status


def tilted(program: Program, rng: np.random.Generator) -> Program:
    """The same rows with other weights."""
    weights = program.weights * rng.uniform(0.7, 1.4, program.variables)
    return Program(
        weights,
        program.blocks,
        program.tails,
        program.heads,
        program.packing,
        program.covering,
        program.fixed,
    )


def programs(seed: int, types: int = 8) -> tuple[Program, Program]:
    """A program and a nearby one: with ties or without, some with covering rows and fixings."""
    rng = np.random.default_rng(seed)
    cover = 0.1 * (seed % 4 == 3)
    program = random_program(rng, 2, types, cover=cover, fix=0.02 * (seed % 4 == 2), ties=seed % 2 == 0)
    return program, tilted(program, rng)


@pytest.mark.parametrize("seed", range(24))
def test_a_start_changes_nothing_of_the_answer(seed):
    program, other = programs(seed)
    cold = solve_mincut(program)
    if cold.status is Status.INFEASIBLE:
        assert solve_mincut(program, nearby=Nearby()).status is Status.INFEASIBLE
        return
    rng = np.random.default_rng(seed)
    starts = [nearby(solve_mincut(other)), nearby(cold)]
    starts.append(Nearby(rng.normal(size=len(program.packing)), rng.exponential(size=program.arcs)))
    starts.append(
        Nearby(np.full(len(program.packing), 1e300), rule=np.ones(program.variables, dtype=np.int8))
    )
    for start in starts:
        warm = solve_mincut(program, nearby=start)
        assert warm.status is Status.OPTIMAL
        assert warm.bound == cold.bound
        assert (warm.smallest == cold.smallest).all()
        assert (warm.largest == cold.largest).all()
        assert check(program, warm.certificate, warm.x).proves_optimal


@pytest.mark.parametrize("ties", [False, True])
def test_the_own_flow_leaves_hardly_anything_to_do(ties):
    """Only what float64 rounds away of the integers."""
    program = random_program(np.random.default_rng(3), 2, 40, ties=ties)
    cold, warm = solve_mincut(program), solve_mincut(program, nearby=nearby(solve_mincut(program)))
    assert warm.details["searches"] <= cold.details["searches"] / 2


def test_a_nearby_flow_saves_rounds():
    program, other = programs(4, 40)
    start = nearby(solve_mincut(program))
    moved = Program(
        0.999 * program.weights + 0.001 * other.weights,
        program.blocks,
        program.tails,
        program.heads,
        program.packing,
    )
    cold = solve_mincut(moved)
    assert solve_mincut(moved, nearby=start).details["searches"] < cold.details["searches"]


@pytest.mark.parametrize(
    "wrong", [Nearby(np.zeros(3)), Nearby(arcs=np.zeros(3)), Nearby(rule=np.zeros(3, np.int8))]
)
def test_a_start_of_another_size_is_refused(wrong):
    program, _ = programs(0)
    with pytest.raises(InputError, match="nearby"):
        solve_program(program, "mincut", nearby=wrong)


@pytest.mark.parametrize("gap", [-0.1, 1.0, float("nan")])
def test_an_unusable_gap_is_refused(gap):
    with pytest.raises(InputError, match="gap"):
        solve_program(programs(0)[0], "mincut", gap=gap)


@pytest.mark.parametrize("gap", [0.1, 0.02, 0.0])
@pytest.mark.parametrize("ties", [False, True])
def test_a_gap_is_certified(gap, ties):
    program = random_program(np.random.default_rng(5), 2, 60, ties=ties)
    best = solve_mincut(program)
    found = solve_program(program, "mincut", gap=gap)
    assert found.bound - program.value(found.x) <= gap * abs(found.bound) + 1e-12
    assert found.bound >= best.bound - 1e-12
    report = check(program, found.certificate, found.x)
    assert report.valid
    assert report.violations == 0
    assert report.upper_bound == pytest.approx(found.bound, abs=1e-12)
    if gap == 0.1:
        assert found.status is Status.GAP
        assert found.details["rounds"] < best.details["rounds"]


def test_backends_without_a_gap_say_so():
    program = random_program(np.random.default_rng(5), 2, 3)
    assert solve_program(program, "brute", gap=0.1, nearby=Nearby()).details["ignored"] == ["gap", "nearby"]


def test_progress_tells_bounds_that_fall_and_rules_that_rise():
    program = random_program(np.random.default_rng(6), 2, 60)
    seen = []
    found = solve_program(program, "mincut", progress=seen.append)
    assert seen
    bounds, rules = ([getattr(p, name) for p in seen] for name in ("bound", "incumbent"))
    assert bounds == sorted(bounds, reverse=True)
    assert rules == sorted(rules)
    assert rules[-1] <= program.value(found.x) + 1e-12
    assert bounds[-1] >= found.bound - 1e-12


@pytest.mark.parametrize("seed", range(16))
def test_every_guess_is_completed_to_a_rule(seed):
    program, _ = programs(seed)
    net = network.build(program)
    kernels.start(net.graph, net.supply)
    settled = settle(net, demanded(program), program.covering)
    if settled is None:
        return
    rng = np.random.default_rng(seed)
    best = solve_mincut(program)
    for _ in range(5):
        incumbent = Incumbent(net, settled)
        incumbent.complete(guess(net, rng.integers(0, 2, program.variables).astype(np.int8)))
        x = net.variables(incumbent.z)
        assert program.violations(x) == 0
        assert program.value(x) <= best.bound + 1e-12
    incumbent = Incumbent(net, settled)
    incumbent.complete(guess(net, best.x))
    assert program.value(net.variables(incumbent.z)) == pytest.approx(best.bound, abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_responses_are_the_best_there_are(seed):
    """Against enumeration: the best rule of block 0 that goes with a rule of block 1, weights of both signs."""
    rng = np.random.default_rng(seed)
    program = random_program(rng, 2, 3, ties=False)
    fixed = np.full(program.variables, FREE, dtype=np.int8)
    second = int(program.blocks[1])
    net = network.build(program)
    assert not len(net.graph.xtail)
    incumbent = Incumbent(net, settle(net, demanded(program), program.covering))
    incumbent.complete(guess(net, rng.integers(0, 2, program.variables).astype(np.int8)))
    x = net.variables(incumbent.z)
    for low, high in ((0, second), (second, program.variables)):
        z = guess(net, x)
        kernels.respond(net.graph, net.supply, z, low, high)
        held = fixed.copy()
        other = slice(high, None) if low == 0 else slice(0, low)
        held[other] = x[other]
        rest = Program(
            program.weights,
            program.blocks,
            program.tails,
            program.heads,
            program.packing,
            fixed=held,
            constant=program.constant,
        )
        assert rest.violations(net.variables(z)) == 0
        assert rest.value(net.variables(z)) == pytest.approx(solve_program(rest, "brute").bound, abs=1e-12)
