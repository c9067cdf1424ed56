"""A first bound and rule without the network: what it recognizes, what prices prove, what the best responses are."""

from dataclasses import replace

import numpy as np
import pytest
from support.programs import exchangeable_program, random_program

import expost as ex
from expost.formulations.coarser import coarse_start
from expost.formulations.second_best import formulate, type_space
from expost.formulations.settings import Settings
from expost.solver.backends import solve_program
from expost.solver.certificate import check
from expost.solver.mincut import backend, fibres
from expost.solver.mincut.backend import solve_mincut
from expost.solver.mincut.fibres import Fibres, first_answer
from expost.solver.nbuyers.lagrangian import price
from expost.solver.nbuyers.layers import layers
from expost.solver.nearby import Nearby, nearby
from expost.solver.program import FREE, Program
from expost.solver.progress import gap_reached
from expost.solver.result import Status
from expost.spaces.type_space import Grid

SEEDS = range(40)


def in_chains(program: Program) -> Program:
    """The same program, each block's variables numbered fibre by fibre and upwards, gates last."""
    order = layers(program)
    gates = np.ones(program.variables, dtype=np.bool_)
    gates[program.packing] = False
    block = np.searchsorted(program.blocks[1:], np.arange(program.variables), side="right")
    place = np.empty(program.variables, dtype=np.int32)
    place[np.lexsort((order.level, order.fibre, gates, block))] = np.arange(program.variables)
    weights = np.empty_like(program.weights)
    weights[place] = program.weights
    return replace(
        program,
        weights=weights,
        tails=place[program.tails],
        heads=place[program.heads],
        packing=place[program.packing],
    )


def chained(seed: int) -> tuple[Program, np.random.Generator]:
    """A static program of two buyers, with ties or without, some of them exchangeable, some without rows."""
    rng = np.random.default_rng(seed)
    types, ties = int(rng.integers(1, 9)), seed % 3 > 0
    if seed % 5 == 4:
        return in_chains(exchangeable_program(rng, types, ties=ties)), rng
    return in_chains(random_program(rng, 2, types, ties=ties)), rng


def some_rows(program: Program, rng: np.random.Generator) -> Program:
    return replace(program, packing=program.packing[rng.random(len(program.packing)) < 0.7])


@pytest.mark.parametrize("seed", SEEDS)
def test_prices_prove_what_single_fibres_are_worth(seed):
    """Against minimum cuts of the fibres, and against the checker that knows neither."""
    program, rng = chained(seed)
    program = some_rows(program, rng) if seed % 2 else program
    found = Fibres.of(program)
    for prices in (
        rng.exponential(size=len(program.packing)) * program.scale / program.variables,
        rng.normal(size=len(program.packing)),
        np.zeros(len(program.packing)),
    ):
        certificate, bound = found.certificate(prices)
        other = price(program, prices, np.zeros(0))
        wanted = check(program, other.certificate).upper_bound
        assert check(program, certificate).upper_bound == pytest.approx(wanted, rel=1e-12, abs=1e-12)
        assert bound == pytest.approx(wanted, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("price_", "useful"), [(1e-3, True), (1.0, True), (1e6, False), (1e300, False), (1e308, False)]
)
def test_prices_beyond_all_bounds_prove_nothing(price_, useful):
    program, _ = chained(1)
    prices = np.full(len(program.packing), price_)
    found = Fibres.of(program).certificate(prices)
    assert (found is not None) == useful
    if found is not None:
        assert check(program, found[0]).upper_bound == pytest.approx(found[1], rel=1e-12)


def test_garbage_to_start_from_changes_nothing(monkeypatch):
    monkeypatch.setattr(fibres, "LEAST", 0)
    program, _ = chained(1)
    start = Nearby(np.full(len(program.packing), 1e308), rule=np.ones(program.variables, dtype=np.int8))
    found = solve_mincut(program, nearby=start, gap=0.0)
    assert found.bound == pytest.approx(solve_mincut(program).bound, rel=1e-12)


@pytest.mark.parametrize(
    ("bound", "value", "gap", "reached"),
    [
        (0.0, 0.0, 1e-6, True),
        (1.009, 1.0, 0.01, True),
        (1.02, 1.0, 0.01, False),
        (-1.0, -1.009, 0.01, True),
        (-1.0, -1.02, 0.01, False),
        (1.0, 1.0, None, False),
    ],
)
def test_when_a_gap_is_reached(bound, value, gap, reached):
    assert gap_reached(bound, value, gap) == reached


@pytest.mark.parametrize("seed", SEEDS)
def test_prices_of_the_minimum_cut_prove_the_optimum(seed):
    program, _ = chained(seed)
    best = solve_mincut(program)
    _, bound = Fibres.of(program).certificate(nearby(best).prices)
    assert bound == pytest.approx(program.value(best.x), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rule_is_a_best_response_to_itself_whatever_the_guess(seed):
    program, rng = chained(seed)
    program = some_rows(program, rng) if seed % 2 else program
    guess = rng.integers(0, 2, program.variables).astype(np.int8)
    rule = Fibres.of(program).rule(guess)
    assert program.violations(rule) == 0
    second = int(program.blocks[1])
    held = np.full(program.variables, FREE, dtype=np.int8)
    held[:second] = rule[:second]
    best = solve_mincut(replace(program, fixed=held))
    assert program.value(rule) == pytest.approx(program.value(best.x), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_of_the_optimal_rule_it_makes_an_optimal_one(seed):
    program, _ = chained(seed)
    best = solve_mincut(program)
    rule = Fibres.of(program).rule(best.smallest)
    assert program.value(rule) == pytest.approx(program.value(best.x), rel=1e-12, abs=1e-12)


def test_what_is_nearest_to_a_guess_counts_what_it_adds_too():
    """Lowest types alone are no rule: nobody is nearer to them than nobody at all."""
    program = in_chains(random_program(np.random.default_rng(5), 2, 6, ties=False))
    lowest = np.zeros(program.variables, dtype=np.int8)
    lowest[np.setdiff1d(np.arange(program.blocks[1], program.variables), program.heads)] = 1
    assert lowest.sum() == 6
    found = Fibres.of(program)
    assert (found.rule(lowest) == found.rule(np.zeros_like(lowest))).all()
    everybody = np.ones_like(lowest)
    assert (found.rule(lowest) != found.rule(everybody)).any()


def test_the_guess_of_buyer_2_is_kept_where_it_is_a_rule():
    """Buyer 1 responds to it: what he has is worth no less than what the guess gives him."""
    program, _ = chained(1)
    first, second = int(program.blocks[1]), program.variables
    gain = np.zeros(second)
    gain[first:] = 1.0
    most = solve_mincut(program.reweighted(gain, 0.0)).x
    found = Fibres.of(program.reweighted(np.where(np.arange(second) < first, program.weights, 0.0), 0.0))
    rule = found.rule(most)
    held = np.where(np.arange(second) < first, FREE, most).astype(np.int8)
    best = solve_mincut(replace(found.program, fixed=held))
    assert found.program.value(rule) >= found.program.value(best.x) - 1e-12


def test_random_orders_are_chains_only_where_single_fibres_say_the_same():
    """Whatever is recognized is worth what its minimum cuts are: small orders of every kind, many of them chains."""
    recognized = 0
    for seed in range(600):
        rng = np.random.default_rng(seed)
        half = int(rng.integers(2, 6))
        arcs = [(a, b) for a in range(half) for b in range(half) if a != b and rng.random() < 0.35]
        if seed % 2:
            arcs = [(a, b) for a, b in arcs if a < b]
        tails, heads = (
            np.array([*arcs, *((a + half, b + half) for a, b in arcs)], dtype=np.int32).reshape(-1, 2).T
        )
        rows = np.stack([np.arange(half), np.arange(half) + half], axis=1).astype(np.int32)
        rows = rows[rng.random(half) < 0.6]
        weights = rng.normal(size=2 * half) * (rng.random(2 * half) < 0.8)
        program = Program(weights, np.array([0, half, 2 * half]), tails.copy(), heads.copy(), rows)
        found = Fibres.of(program) if len(rows) else None
        if found is None:
            continue
        recognized += 1
        prices = rng.exponential(size=len(rows))
        wanted = check(program, price(program, prices, np.zeros(0)).certificate).upper_bound
        assert found.certificate(prices)[1] == pytest.approx(wanted, abs=1e-12)
        rule = found.rule(rng.integers(0, 2, 2 * half).astype(np.int8))
        assert program.violations(rule) == 0
    assert recognized > 30


def test_of_chains_with_other_arcs_nothing_wrong_is_recognized():
    """Arcs taken away, led elsewhere, stated twice or added: what still passes for chains has to be worth as much."""
    recognized = 0
    for seed in range(1500):
        rng = np.random.default_rng(seed)
        program = some_rows(in_chains(random_program(rng, 2, int(rng.integers(2, 4)))), rng)
        weights = program.weights * (rng.random(program.variables) < 0.7)
        arcs = np.stack([program.tails, program.heads], axis=1)
        arcs = arcs[rng.random(len(arcs)) < rng.choice([0.8, 0.95, 1.0])]
        block = np.searchsorted(program.blocks[1:], np.arange(program.variables), side="right")
        for _ in range(int(rng.integers(1, 4))):
            if not len(arcs):
                break
            arc = arcs[rng.integers(len(arcs))].copy()
            if rng.random() < 0.7:
                near = np.flatnonzero(block == block[arc[0]])
                arc[rng.integers(2)] = rng.choice(near)
            if rng.random() < 0.5:
                arcs[rng.integers(len(arcs))] = arc
            else:
                arcs = np.concatenate([arcs, arc[None]])
        arcs = arcs[rng.permutation(len(arcs))] if seed % 2 else arcs
        arcs = arcs[arcs[:, 0] != arcs[:, 1]]
        other = replace(program, weights=weights, tails=arcs[:, 0].copy(), heads=arcs[:, 1].copy())
        found = Fibres.of(other) if len(other.packing) else None
        if found is None:
            continue
        recognized += 1
        prices = rng.exponential(size=len(other.packing)) * 0.2
        wanted = check(other, price(other, prices, np.zeros(0)).certificate).upper_bound
        certificate, bound = found.certificate(prices)
        assert bound == pytest.approx(wanted, abs=1e-12)
        assert check(other, certificate).upper_bound == pytest.approx(wanted, abs=1e-12)
        rule = found.rule(rng.integers(0, 2, other.variables).astype(np.int8))
        assert other.violations(rule) == 0
    assert 100 < recognized < 1400


def test_what_is_no_pair_of_chained_buyers_has_no_first_answer():
    rng = np.random.default_rng(2)
    program = in_chains(random_program(rng, 2, 4))
    assert Fibres.of(program) is not None
    held = np.full(program.variables, FREE, dtype=np.int8)
    held[3] = 0
    gate = int(np.flatnonzero(np.bincount(program.heads, minlength=program.variables) > 1)[0])
    weighted = program.weights.copy()
    weighted[gate] = 0.5
    twice = np.concatenate([program.packing, program.packing[:1]])
    arc = (
        np.concatenate([program.tails, program.tails[:1]]),
        np.concatenate([program.heads, program.heads[:1]]),
    )
    for other in (
        replace(program, fixed=held),
        replace(program, covering=program.packing[:1]),
        replace(program, capacity=2),
        replace(program, packing=twice),
        replace(program, weights=weighted),
        replace(program, tails=arc[0], heads=arc[1]),
        random_program(rng, 1, 4),
        random_program(rng, 3, 3),
    ):
        assert Fibres.of(other) is None
    settings = Settings(Grid(4), "sequential", ("c1", "c2"))
    assert Fibres.of(formulate(type_space(ex.load("jmmz"), settings), settings).program) is None


@pytest.fixture(scope="module")
def jmmz():
    """A program of 138,240 variables and its start."""
    settings = Settings(Grid(16))
    formulation = formulate(type_space(ex.load("jmmz"), settings), settings)
    return formulation.program, coarse_start(formulation)


def test_a_gap_that_the_first_answer_has_needs_no_network(jmmz, monkeypatch):
    program, start = jmmz
    monkeypatch.setattr(backend, "build", None)
    found = solve_program(program, gap=0.05, nearby=start)
    assert found.status is Status.GAP
    assert found.details["searches"] == 0.0
    bound = check(program, found.certificate).upper_bound
    assert bound == pytest.approx(found.bound, rel=1e-12)
    assert found.bound - program.value(found.x) <= 0.05 * found.bound


def test_a_limit_before_the_network_is_there_is_answered_without(jmmz, monkeypatch):
    program, start = jmmz
    backend._rehearse(True)
    monkeypatch.setattr(backend, "build", None)
    found = solve_program(program, time_limit=1e-3, nearby=start)
    assert found.status is Status.TIME_LIMIT
    assert program.violations(found.x) == 0
    assert check(program, found.certificate).upper_bound == pytest.approx(found.bound, rel=1e-12)


def test_the_first_answer_is_told_and_no_later_bound_is_worse(jmmz, monkeypatch):
    """And its certificate is given up once it is no longer the better one."""
    program, start = jmmz
    told, first = [], first_answer(program, start)
    monkeypatch.setattr(backend, "first_answer", lambda *_: first)
    found = solve_mincut(program, nearby=start, gap=1e-9, progress=told.append)
    assert told[0].stage == "fibre by fibre"
    bounds, values = ([getattr(step, name) for step in told] for name in ("bound", "incumbent"))
    assert len(told) > 2
    assert (np.diff(bounds) <= 0.0).all()
    assert (np.diff(values) >= 0.0).all()
    assert (bounds[0] - values[0]) / bounds[0] < 0.05
    assert first.certificate is None
    assert found.bound == pytest.approx(solve_mincut(program).bound, rel=1e-9)


def test_a_first_bound_that_the_flow_never_beats_stays(jmmz, monkeypatch):
    """A network that is stopped before its first search proves less than the prices did."""
    program, start = jmmz
    monkeypatch.setattr(backend, "BETTER", -1.0)
    monkeypatch.setattr(backend, "READ_OFF", 1e9)
    first = first_answer(program, start)
    found = solve_program(program, time_limit=60.0, nearby=start)
    assert found.status is Status.TIME_LIMIT
    assert found.bound == pytest.approx(first.bound, rel=1e-12)
    assert program.value(found.x) >= first.value
    assert check(program, found.certificate).upper_bound == pytest.approx(first.bound, rel=1e-12)


def test_an_interrupt_ends_it_at_the_first_answer(jmmz, monkeypatch):
    program, start = jmmz
    backend._rehearse(True)
    monkeypatch.setattr(backend, "requested", lambda: True)
    monkeypatch.setattr(backend, "build", None)
    found = solve_mincut(program, nearby=start, time_limit=60.0)
    assert found.status is Status.INTERRUPTED
    assert program.violations(found.x) == 0


@pytest.mark.parametrize(
    "start", [Nearby(), Nearby(prices=np.zeros(1)), Nearby(rule=np.zeros(1, dtype=np.int8))]
)
def test_without_prices_or_a_rule_there_is_no_first_answer(start, monkeypatch):
    program = Program(
        np.ones(2), np.array([0, 1, 2]), *np.zeros((2, 0), dtype=np.int32), np.array([[0, 1]], dtype=np.int32)
    )
    assert first_answer(program, Nearby(np.zeros(1), rule=np.zeros(2, dtype=np.int8))) is None  # too small
    monkeypatch.setattr(fibres, "LEAST", 0)
    assert first_answer(program, start) is None
    assert first_answer(program, Nearby(np.zeros(1), rule=np.zeros(2, dtype=np.int8))).value == 1.0


TIED = ((0, 5), (1, 5), (5, 2))
"""A chain of two groups: 0 and 1 below 2, with gate 5."""


@pytest.mark.parametrize(
    ("arcs", "chains"),
    [
        (TIED, True),
        ((*TIED, (3, 4)), True),
        ((*TIED, (3, 4), (4, 5)), False),  # another chain's top below 2, too
        ((*TIED, (3, 5)), False),  # the same, with a chain after it
        (
            ((0, 1), (0, 2), (1, 5), (3, 5), (5, 4)),
            False,
        ),  # a gate of one member of a group and of another chain
        (((0, 6), (1, 6), (6, 2), (3, 6), (4, 6), (6, 5)), False),  # a gate of two chains
        (((0, 6), (1, 6), (6, 5), (3, 7), (4, 7), (7, 2)), False),  # gates that lead into each other's chain
        (((0, 5), (1, 5), (5, 2), (5, 6), (3, 6), (6, 4)), False),  # a gate below a gate
        (((0, 6), (1, 6), (0, 5), (1, 5), (5, 2)), False),  # members with two gates
        (((9, 8), (15, 8), (8, 10)), False),  # the last variable of all below another chain, too
        (((0, 2), (1, 3)), False),  # chains that are not one after the other
        (((0, 1), (1, 2), (0, 3)), False),  # a tree
    ],
)
def test_chains_by_hand(arcs, chains):
    half = 8
    tails, heads = np.array(arcs, dtype=np.int32).T
    gates = np.unique(heads[np.bincount(heads)[heads] > 1])
    weights = np.where(np.isin(np.arange(2 * half), gates), 0.0, 1.0)
    free = np.setdiff1d(np.arange(1, half), gates)
    rows = np.stack([free, free + half], axis=1).astype(np.int32)
    program = Program(weights, np.array([0, half, 2 * half]), tails.copy(), heads.copy(), rows)
    assert (Fibres.of(program) is not None) == chains
    priced = replace(
        program, packing=np.stack([np.arange(half), np.arange(half) + half], axis=1).astype(np.int32)
    )
    assert Fibres.of(priced) is None or not len(gates)
