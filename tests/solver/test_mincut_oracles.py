"""The minimum cut against networkx and OR-tools, and what it does at limits and on interruption."""

import json
import subprocess
import sys
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest

from expost.solver.certificate import check
from expost.solver.mincut import kernels
from expost.solver.mincut.backend import solve_mincut
from expost.solver.program import FREE, Program
from expost.solver.result import Status


def grid_program(seed: int, points: int, *, ties: bool = True, dense: bool = False) -> Program:
    """Two buyers with ``points`` types each: a chain of groups in every fibre with gates between tied groups,
    negative and zero weights, packing everywhere; ``dense`` adds arcs that skip.
    """
    rng = np.random.default_rng(seed)
    tails, heads, weights, blocks, index = [], [], [], [0], []
    for _ in range(2):
        first = blocks[-1]
        order = np.array([rng.permutation(points) for _ in range(points)])
        rank = np.sort(rng.integers(0, points if ties else 10**6, (points, points)), axis=1)
        gates: list[int] = []
        for f in range(points):
            nodes = first + f * points + np.arange(points)
            groups = [nodes[rank[f] == r] for r in np.unique(rank[f])]
            for low, high in pairwise(groups):
                gate = first + points**2 + len(gates)
                gates.append(gate)
                tails += [*low, *[gate] * len(high)]
                heads += [*[gate] * len(low), *high]
            if dense:
                skip = rng.integers(0, points, (2, points))
                skip.sort(axis=0)
                later = rank[f][skip[0]] < rank[f][skip[1]]
                tails += list(nodes[skip[0][later]])
                heads += list(nodes[skip[1][later]])
        where = np.empty((points, points), dtype=np.int64)
        where[np.arange(points)[:, None], order] = first + np.arange(points**2).reshape(points, points)
        index.append(where)
        weights += [*rng.integers(-2, 9, points**2) / 7.0, *[0.0] * len(gates)]
        blocks.append(first + points**2 + len(gates))
    packing = np.stack([index[0].ravel(), index[1].T.ravel()], axis=1).astype(np.int32)
    return Program(
        np.array(weights),
        np.array(blocks),
        np.array(tails, dtype=np.int32),
        np.array(heads, dtype=np.int32),
        packing,
        constant=0.25,
    )


def closure_network(program: Program) -> tuple[list[tuple[int, int]], list[int], int]:
    """Arcs and integer supplies of the closure problem, and the sum of the positive ones in the program."""
    second = int(program.blocks[1])
    supply = [round(w * 7 * 2**20) for w in program.weights.tolist()]
    total = sum(s for s in supply if s > 0)
    supply[second:] = [-s for s in supply[second:]]
    arcs = [
        (t, h) if t < second else (h, t)
        for t, h in zip(program.tails.tolist(), program.heads.tolist(), strict=True)
    ]
    return arcs + [tuple(row) for row in program.packing.tolist()], supply, total


@pytest.mark.parametrize("seed", range(12))
def test_agrees_with_networkx(seed):
    program = grid_program(seed, 6, dense=seed % 2 == 1)
    arcs, supply, total = closure_network(program)
    graph = nx.DiGraph()
    graph.add_nodes_from(["s", "t"])
    graph.add_edges_from(arcs)
    for v, s in enumerate(supply):
        if s:
            graph.add_edge(*(("s", v) if s > 0 else (v, "t")), capacity=abs(s))
    cut = nx.minimum_cut_value(graph, "s", "t")
    solution = solve_mincut(program)
    assert solution.status is Status.OPTIMAL
    assert program.violations(solution.x) == 0
    # the positive weights less the cut, in the unit of the weights: exact up to the rounding of 1/7
    assert program.value(solution.x) == pytest.approx((total - cut) / (7 * 2**20) + 0.25, abs=1e-9)
    assert program.value(solution.largest) == pytest.approx(program.value(solution.smallest), abs=1e-9)


ORTOOLS = """
import json, sys
from ortools.graph.python import max_flow
arcs, supply = json.load(sys.stdin)
flow, n = max_flow.SimpleMaxFlow(), len(supply)
for a, b in arcs:
    flow.add_arc_with_capacity(a, b, sum(map(abs, supply)))
for v, s in enumerate(supply):
    if s:
        flow.add_arc_with_capacity(*((n, v, s) if s > 0 else (v, n + 1, -s)))
assert flow.solve(n, n + 1) == flow.OPTIMAL
print(flow.optimal_flow())
"""


@pytest.mark.parametrize("dense", [False, True])
def test_agrees_with_ortools_in_its_own_process(dense):
    program = grid_program(99, 24, dense=dense)
    arcs, supply, total = closure_network(program)
    done = subprocess.run(
        [sys.executable, "-c", ORTOOLS],
        input=json.dumps([arcs, supply]),
        text=True,
        capture_output=True,
        check=True,
    )
    solution = solve_mincut(program)
    assert program.value(solution.x) == pytest.approx(
        (total - int(done.stdout)) / (7 * 2**20) + 0.25, abs=1e-9
    )


@pytest.mark.parametrize("seed", range(10))
def test_certificates_pass_the_independent_checker(seed):
    rng = np.random.default_rng(seed)
    program = grid_program(seed, 9, ties=seed % 2 == 0, dense=seed % 3 == 0)
    fixed = np.where(rng.random(program.variables) < 0.02 * (seed % 4), 0, FREE).astype(np.int8)
    program = Program(
        program.weights, program.blocks, program.tails, program.heads, program.packing, fixed=fixed
    )
    solution = solve_mincut(program)
    found = check(program, solution.certificate, solution.x)
    assert found.valid, found.reasons
    assert found.proves_optimal
    assert found.upper_bound == pytest.approx(solution.bound, abs=1e-12)
    assert solution.bound == pytest.approx(program.value(solution.x), abs=1e-12)


def test_order_of_variables_does_not_matter():
    """Shuffling the variables inside the blocks scatters every chain; the optimum and its extremes stay."""
    program = grid_program(5, 10)
    rng = np.random.default_rng(0)
    second = int(program.blocks[1])
    new = np.concatenate([rng.permutation(second), second + rng.permutation(program.variables - second)])
    weights = np.empty(program.variables)
    weights[new] = program.weights
    arcs = rng.permutation(program.arcs)
    shuffled = Program(
        weights,
        program.blocks,
        new[program.tails][arcs].astype(np.int32),
        new[program.heads][arcs].astype(np.int32),
        new[program.packing][:, ::-1].astype(np.int32),
        constant=program.constant,
    )
    one, other = solve_mincut(program), solve_mincut(shuffled)
    assert (other.smallest[new] == one.smallest).all()
    assert (other.largest[new] == one.largest).all()


@pytest.mark.parametrize("size", [1e-200, 1e-30, 1.0, 1e30, 1e300])
def test_weights_of_any_size(size):
    program = grid_program(3, 8)
    scaled = Program(program.weights * size, program.blocks, program.tails, program.heads, program.packing)
    solution = solve_mincut(scaled)
    assert (solution.x == solve_mincut(program).x).all()
    assert np.abs(np.rint(np.ldexp(scaled.weights, solution.certificate.scale_exponent))).sum() < 2.0**62
    assert solution.bound >= scaled.value(solution.x) * (1 - 1e-15)


def test_a_time_limit_leaves_a_feasible_rule_and_a_bound():
    program = grid_program(7, 40)
    best = solve_mincut(program)
    solution = solve_mincut(program, time_limit=0.0)
    assert solution.status is Status.TIME_LIMIT
    assert program.violations(solution.x) == 0
    value = program.value(best.x)
    assert program.value(solution.x) <= value + 1e-12
    assert solution.bound >= value - 1e-12
    assert solution.bound > best.bound
    found = check(program, solution.certificate, solution.x)
    assert found.valid
    assert not found.proves_optimal
    assert found.upper_bound == pytest.approx(solution.bound, abs=1e-9)


def test_an_interrupted_solve_keeps_its_bound(monkeypatch):
    program = grid_program(7, 30)
    calls = []

    def interrupt(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return sweep(*arguments)

    sweep = kernels.sweep
    monkeypatch.setattr(kernels, "sweep", interrupt)
    solution = solve_mincut(program)
    monkeypatch.undo()
    best = program.value(solve_mincut(program).x)
    assert solution.status is Status.INTERRUPTED
    assert program.violations(solution.x) == 0
    assert program.value(solution.x) <= best <= solution.bound


def test_no_variables_at_all():
    none = np.empty(0, dtype=np.int32)
    solution = solve_mincut(Program(np.empty(0), np.array([0, 0, 0]), none, none, constant=2.5))
    assert solution.status is Status.OPTIMAL
    assert solution.bound == 2.5
