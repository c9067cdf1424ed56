"""The first-order method on chains: the projection is one, the bound is the linear program's, in any order."""

import itertools
import math
import time

import numpy as np
import pytest
from support.programs import max_program, random_program

from expost.solver.answers import slack
from expost.solver.backends import solve_program
from expost.solver.certificate import check
from expost.solver.nbuyers.chains import cover
from expost.solver.nbuyers.first_order import FirstOrder
from expost.solver.nbuyers.kernels import best_response, project
from expost.solver.nbuyers.lagrangian import price
from expost.solver.nbuyers.layers import layers
from expost.solver.nbuyers.relaxation import relax
from expost.solver.program import Program
from expost.solver.reduction import reduced
from expost.solver.result import Status


def ordered_program(seed: int, types: int = 6, blocks: int = 3, cycle: bool = False) -> Program:
    """Random orders that are no chains: every fibre has arcs between random pairs of its types."""
    rng = np.random.default_rng(seed)
    states = types**blocks
    index = np.arange(states).reshape((types,) * blocks)
    tails, heads = [], []
    for b in range(blocks):
        for fibre in np.moveaxis(index, b, -1).reshape(-1, types):
            for low, high in itertools.combinations(fibre + b * states, 2):
                if rng.random() < 0.3:
                    tails.append(low)
                    heads.append(high)
    if cycle:
        tails, heads = tails + heads[:5], heads + tails[:5]
    rows = np.stack([np.arange(states) + b * states for b in range(blocks)], axis=1).astype(np.int32)
    weights = rng.normal(0.3, 1.0, blocks * states)
    blocks_at = np.arange(blocks + 1, dtype=np.int64) * states
    return Program(weights, blocks_at, np.array(tails, dtype=np.int32), np.array(heads, dtype=np.int32), rows)


def chained(program):
    small = reduced(program, program.fixings).program
    return small, cover(small, layers(small))


def closures(chains, c):
    """All 0/1 points of one chain."""
    first, last = chains.start[c], chains.start[c + 1]
    group = np.cumsum(chains.opens[first:last])
    for level in range(1, group[-1] + 1):
        members = np.flatnonzero(group == level)
        for part in itertools.product((0.0, 1.0), repeat=len(members)):
            z = (group > level).astype(float)
            z[members] = part
            yield z


@pytest.mark.parametrize("seed", range(6))
def test_the_projection_is_the_nearest_point(seed):
    """``<y - t, z - t> <= 0`` for every vertex z of the chain's set, and t is in it."""
    rng = np.random.default_rng(seed)
    _, covered = chained(random_program(rng, 3, 5, ties=seed % 2 == 0))
    chains = covered.chains
    y = rng.normal(0.5, 0.8, len(covered.variable))
    t, mirror = y.copy(), np.empty_like(y)
    rank = np.concatenate([np.arange(n) for n in np.diff(chains.start)]).astype(np.int32)
    project(chains, 0, len(chains.tied), t, y.copy(), mirror, np.zeros(len(chains.limit)), rank, 0.0, 0.5)
    assert t.min() >= 0.0 and t.max() <= 1.0
    for c in range(len(chains.tied)):
        span = slice(chains.start[c], chains.start[c + 1])
        group = np.cumsum(chains.opens[span])
        for low, high in itertools.pairwise(range(1, group[-1] + 1)):
            assert t[span][group == low].max() <= t[span][group == high].min() + 1e-12
        for z in closures(chains, c):
            assert (y[span] - t[span]) @ (z - t[span]) <= 1e-12


def test_the_best_response_is_the_best_closure():
    _, covered = chained(random_program(np.random.default_rng(3), 3, 5))
    chains = covered.chains
    prices = np.random.default_rng(4).random(len(chains.limit))
    gain = chains.weight - prices[chains.at_row]
    for c in range(len(chains.tied)):
        best = max(z @ gain[chains.start[c] : chains.start[c + 1]] for z in closures(chains, c))
        assert best_response(chains, c, c + 1, prices) == pytest.approx(max(best, 0.0), abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_the_bound_is_the_linear_program_s(seed):
    options = {"cover": 0.01} if seed % 2 else {"fix": 0.01 * (seed % 4)}
    small, _ = chained(random_program(np.random.default_rng(seed), 3, 3 + seed % 3, **options))
    ours, simplex = relax(small), relax(small, method="simplex")
    assert ours.method == "chains" and ours.stopped == simplex.stopped
    if simplex.stopped != "Optimal":
        return
    assert small.weights @ ours.fractional == pytest.approx(small.weights @ simplex.fractional, abs=1e-7)
    proved = check(small, price(small, ours.packing, ours.covering).certificate).upper_bound
    assert proved - small.constant == pytest.approx(small.weights @ simplex.fractional, abs=1e-8)


@pytest.mark.parametrize(("seed", "cycle"), [(0, False), (1, False), (2, True)])
def test_orders_that_are_no_chains_have_prices_between(seed, cycle):
    program = ordered_program(seed, cycle=cycle)
    small, covered = chained(program)
    assert len(covered.between) and not layers(small).series
    ours, simplex = relax(small), relax(small, method="simplex")
    assert small.weights @ ours.fractional == pytest.approx(small.weights @ simplex.fractional, abs=1e-6)
    proved = check(small, price(small, ours.packing, ours.covering).certificate).upper_bound
    assert proved == pytest.approx(small.weights @ simplex.fractional, abs=1e-6)


def test_static_and_other_fibres_mix():
    static = random_program(np.random.default_rng(0), 1, 6)
    n = static.variables
    program = Program(
        np.concatenate([static.weights, np.array([0.5, -0.2, -0.1, 0.3, 0.2, 0.4])]),
        np.array([0, n, n + 6]),
        np.concatenate([static.tails, np.array([0, 0, 1, 2], dtype=np.int32) + n]),
        np.concatenate([static.heads, np.array([2, 3, 3, 4], dtype=np.int32) + n]),
        np.stack([np.arange(6), np.arange(6) + n], axis=1).astype(np.int32),
    )
    small, covered = chained(program)
    joined = layers(small).joined
    assert joined.any() and not joined.all() and len(covered.between)
    ours, best = relax(small), solve_program(program, "mincut")
    assert small.constant + small.weights @ ours.fractional == pytest.approx(best.bound, abs=1e-7)


def test_no_rule_is_a_proof():
    """Each two of three have to have one winner, and all three at most one."""
    none = np.empty(0, dtype=np.int32)
    pairs = np.array([[0, 1], [1, 2], [0, 2]], dtype=np.int32)
    weights, blocks, row = np.array([1.0, 2.0, -3.0]), np.arange(4), np.array([[0, 1, 2]], dtype=np.int32)
    assert relax(Program(weights, blocks, none, none, row, pairs)).stopped == "Infeasible"
    assert relax(Program(weights, blocks, none, none, row, pairs[:2])).stopped == "Optimal"


def test_two_threads_do_what_one_does():
    small, covered = chained(max_program(3, 5))
    one, two = FirstOrder.at(covered), FirstOrder.at(covered)
    chains = covered.chains
    half = len(chains.tied) // 3
    two.parts, two.row_parts = [(0, half), (half, len(chains.tied))], [(0, 100), (100, len(chains.limit))]
    ends = [run.run(lambda seen: "far enough" if seen.steps >= 200 else "", math.inf) for run in (one, two)]
    assert np.allclose(ends[0].x, ends[1].x, atol=1e-9) and np.allclose(
        ends[0].prices, ends[1].prices, atol=1e-9
    )
    assert small.constant + ends[0].bound == pytest.approx(1.0710407, abs=1e-6)


def test_the_time_limit_is_kept_and_leaves_a_bound():
    program = max_program(3, 6)
    small, covered = chained(program)
    begun = time.monotonic()
    seen = FirstOrder.at(covered).run(lambda _: "", begun + 0.3)
    assert seen.stopped == "time limit" and 1.0725746 < seen.bound < 1.2
    assert seen.bound == pytest.approx(
        check(small, price(small, seen.prices, np.zeros(0)).certificate).upper_bound, abs=1e-9
    )


@pytest.mark.parametrize("method", ["pdlp", "hipdlp", "chains"])
def test_second_opinions_agree(method):
    program = max_program(3, 3)
    answer = solve_program(program, f"pdlp:{method}")
    assert answer.backend == ("pdlp" if method == "pdlp" else f"pdlp:{method}")
    assert answer.status in (Status.OPTIMAL, Status.FEASIBLE)
    assert answer.details["certified_bound"] == pytest.approx(
        solve_program(program).bound, abs=100 * slack(program)
    )
