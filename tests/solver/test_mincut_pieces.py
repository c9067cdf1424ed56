"""The network in pieces: taken apart, put together again, solved piece by piece, against brute force and networkx."""

import math
import threading
import time
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from support.programs import random_program

from expost.solver.backends import solve_program
from expost.solver.certificate import check
from expost.solver.mincut import kernels, network, pieces
from expost.solver.mincut.backend import solve_mincut
from expost.solver.mincut.pieces import Part, nested, solve_pieces
from expost.solver.mincut.preflow import Preflow
from expost.solver.nearby import Nearby
from expost.solver.program import Program
from expost.solver.result import Status


def flowing(seed: int, rounds: int = 0) -> tuple[network.Network, Preflow]:
    """A network, some of them with ties and covering rows, and what flows in it after some rounds."""
    rng = np.random.default_rng(seed)
    program = random_program(rng, 2, 9, cover=0.1 * (seed % 4 == 3), ties=seed % 2 == 0)
    net = network.build(program)
    kernels.start(net.graph, net.supply)
    preflow = Preflow(net.graph)
    if rounds:
        preflow.run(math.inf, lambda p: p.rounds >= rounds)
    return net, preflow


def arcs_of(graph: kernels.Graph) -> list[tuple[int, int, int]]:
    """Tail, head and flow of every arc."""
    chained = np.flatnonzero(graph.bits & kernels.CHAIN)
    paired = np.flatnonzero(graph.bits[: graph.second] & kernels.ACROSS)
    return [
        *((v, v + 1, graph.node[v, kernels.ALONG]) for v in chained),
        *((v, graph.partner[v], graph.node[v, kernels.OVER]) for v in paired),
        *zip(graph.xtail, graph.xhead, graph.xflow, strict=True),
    ]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_a_part_has_the_arcs_and_the_flow_of_its_nodes(seed, backwards):
    net, preflow = flowing(seed, 2)
    graph = preflow.graph
    rng = np.random.default_rng(seed)
    piece = rng.integers(0, 3, preflow.nodes).astype(np.uint8)
    part = Part.of(graph, piece, 1, backwards)
    ids = np.flatnonzero(piece == part.which)[:: -1 if part.backwards else 1]
    assert sorted(ids) == list(np.flatnonzero(piece == 1))
    inside = sorted((v, w, f) for v, w, f in arcs_of(graph) if piece[v] == piece[w] == 1)
    found = [(ids[v], ids[w], f) for v, w, f in arcs_of(part.graph)]
    assert sorted((w, v, f) if backwards else (v, w, f) for v, w, f in found) == inside
    sign = -1 if backwards else 1
    assert (part.graph.node[:, kernels.EXCESS] == sign * graph.node[ids, kernels.EXCESS]).all()
    kernels.mark(graph)
    before = [array.copy() for array in (graph.bits, graph.node, graph.xflow)]
    part.put_back(graph)
    kernels.mark(graph)
    assert all(
        (old == new).all() for old, new in zip(before, (graph.bits, graph.node, graph.xflow), strict=True)
    )
    Preflow(part.graph).run(math.inf)
    part.put_back(graph)
    now = sorted((v, w, f) for v, w, f in arcs_of(graph) if piece[v] == piece[w] == 1)
    found = [(ids[v], ids[w], f) for v, w, f in arcs_of(part.graph)]
    assert sorted((w, v, f) if backwards else (v, w, f) for v, w, f in found) == now
    balance = net.supply.copy()
    for v, w, f in arcs_of(graph):
        balance[v] -= f
        balance[w] += f
    assert (graph.node[:, kernels.EXCESS] == balance).all()


@pytest.mark.parametrize("seed", range(8))
def test_a_part_is_cut_out_in_place_and_expanded_again(monkeypatch, seed):
    monkeypatch.setattr(pieces, "CHUNK", 7)
    _, preflow = flowing(seed)
    graph = preflow.graph
    z = (np.random.default_rng(seed).random(preflow.nodes) < 0.1).astype(np.int8)
    kernels.close_up(graph, z, np.empty(preflow.nodes, dtype=np.int32))
    piece = nested([z])
    for which in (0, 1):  # there is flow within the pieces, and none between them
        pieces._solve(preflow, piece, which, which == 1, math.inf, None, 2)
    kernels.mark(graph)
    before = [array.copy() for array in (graph.bits, graph.node, graph.xflow)]
    assert before[1][:, kernels.ALONG].any() and before[1][:, kernels.OVER].any()
    copy, other = Part.of(graph, piece, 0, False), Part.of(graph, piece, 1, True)
    part = Part.of(graph, piece, 0, False, in_place=True)
    for mine, its in zip(part.graph, copy.graph, strict=True):
        np.testing.assert_array_equal(mine, its)
    graph.xflow[:] = 0
    part.expand(graph)
    other.put_back(graph)
    kernels.mark(graph)
    for old, new in zip(before, (graph.bits, graph.node, graph.xflow), strict=True):
        np.testing.assert_array_equal(new, old)


def cut_value(graph: kernels.Graph, supply: np.ndarray) -> int:
    """The weight of the best closure, by networkx."""
    net = nx.DiGraph()
    net.add_nodes_from(["s", "t"])
    for v, weight in enumerate(supply.tolist()):
        net.add_edge(*(("s", v) if weight > 0 else (v, "t")), capacity=abs(weight))
    net.add_edges_from((int(v), int(w)) for v, w, _ in arcs_of(graph))
    return int(supply[supply > 0].sum()) - nx.maximum_flow_value(net, "s", "t")


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("seed", range(12))
def test_pieces_of_any_closures_are_solved_to_the_optimum(seed, count):
    net, preflow = flowing(seed)
    rng = np.random.default_rng(seed)
    room = np.empty(preflow.nodes, dtype=np.int32)
    closures = []
    for _ in range(count):
        z = (rng.random(preflow.nodes) < 0.1).astype(np.int8)
        if closures:
            z |= closures[-1]
        kernels.close_up(preflow.graph, z, room)
        closures.append(z)
    assert solve_pieces(preflow, nested(closures), math.inf, None) is Status.OPTIMAL
    assert preflow.run(math.inf) is Status.OPTIMAL
    best = cut_value(preflow.graph, net.supply)
    assert preflow.excess() == best
    for z in (preflow.smallest(), preflow.largest()):
        assert int(np.dot(net.supply, z)) == best


@pytest.mark.parametrize("seed", range(20))
def test_a_guess_without_prices_changes_nothing_of_the_answer(seed):
    rng = np.random.default_rng(seed)
    program = random_program(rng, 2, 3, ties=seed % 2 == 0)
    best = solve_program(program, "brute")
    found = solve_mincut(program, nearby=Nearby(rule=rng.integers(0, 2, program.variables).astype(np.int8)))
    assert found.bound == pytest.approx(best.bound, abs=1e-12)
    assert check(program, found.certificate, found.x).proves_optimal


def large() -> tuple[Program, Nearby]:
    """A program that takes some rounds, and a start that makes pieces of it: the rule for somewhat other weights."""
    rng = np.random.default_rng(8)
    program = random_program(rng, 2, 60, ties=True)
    weights = program.weights * rng.uniform(0.8, 1.25, program.variables)
    rule = solve_mincut(replace(program, weights=weights)).x
    return program, Nearby(np.zeros(len(program.packing)), rule=rule)


def two_at_once(monkeypatch):
    """Two pieces are solved at once however small they are, and whatever the machine."""
    monkeypatch.setattr(pieces.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(pieces, "AT_ONCE", 0)
    monkeypatch.setattr(pieces, "CHUNK", 1000)


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_bound_and_rule_hold_wherever_a_solve_in_pieces_stops(monkeypatch, rounds, at_once):
    if at_once:
        two_at_once(monkeypatch)
    program, start = large()
    best = solve_mincut(program)
    run = Preflow.run

    def stopping(self, limit, watch=None):
        return run(self, limit, lambda p: (watch is not None and watch(p)) or p.rounds >= rounds)

    monkeypatch.setattr(Preflow, "run", stopping)
    found = solve_mincut(program, nearby=start)
    assert found.status is Status.GAP
    report = check(program, found.certificate, found.x)
    assert report.valid
    assert report.violations == 0
    assert report.upper_bound == pytest.approx(found.bound, abs=1e-12)
    assert program.value(found.x) <= best.bound + 1e-12 <= found.bound + 2e-12


def test_what_is_left_open_is_smaller_than_the_whole(monkeypatch):
    program, start = large()
    sizes = []
    solve = pieces._solve
    monkeypatch.setattr(
        pieces,
        "_solve",
        lambda whole, piece, which, *rest: (
            sizes.append((piece == which).mean()) or solve(whole, piece, which, *rest)
        ),
    )
    solve_mincut(program, nearby=start)
    assert len(sizes) == 3
    assert sum(sizes[:2]) == pytest.approx(1.0)
    assert sizes[2] < pieces.MOST


@pytest.mark.parametrize("listened", [False, True])
def test_two_pieces_at_once_give_what_one_after_the_other_gives(monkeypatch, listened):
    program, start = large()
    told = []
    progress = told.append if listened else None
    monkeypatch.setattr(pieces.os, "cpu_count", lambda: 2)
    found = []
    for least in (math.inf, 0):
        monkeypatch.setattr(pieces, "AT_ONCE", least)
        found.append(solve_mincut(program, nearby=start, progress=progress))
    apart, at_once = found
    assert at_once.status is Status.OPTIMAL
    assert (at_once.x == apart.x).all() and (at_once.largest == apart.largest).all()
    assert (at_once.certificate.packing == apart.certificate.packing).all()
    assert check(program, at_once.certificate, at_once.x).proves_optimal
    assert all(each.bound >= at_once.bound for each in told) and bool(told) == listened


def test_two_pieces_share_a_limit(monkeypatch):
    two_at_once(monkeypatch)
    program, start = large()
    run, threads, limits = Preflow.run, set(), set()

    def noted(self, limit, watch=None):
        if self.nodes > 100:  # not the rehearsal, whose limit is past
            threads.add(threading.get_ident())
            limits.add(limit)
        return run(self, limit, watch)

    monkeypatch.setattr(Preflow, "run", noted)
    found = solve_mincut(program, nearby=start, time_limit=3600.0)
    assert found.status is Status.OPTIMAL
    assert len(threads) == 2 and len(limits) == 1 and math.isfinite(min(limits))


def test_bounds_of_two_pieces_at_once_hold_and_a_gap_is_kept(monkeypatch):
    two_at_once(monkeypatch)
    program, start = large()
    best = solve_mincut(program)
    told = []
    found = solve_mincut(program, nearby=start, gap=0.1, progress=told.append)
    assert found.status in (Status.GAP, Status.OPTIMAL)  # which one is for the threads to say
    value = program.value(found.x)
    assert value <= best.bound + 1e-12 <= found.bound + 2e-12
    assert found.bound - value <= 0.1 * abs(found.bound)
    assert all(each.incumbent <= best.bound + 1e-12 <= each.bound + 2e-12 for each in told)


def test_what_a_piece_gains_is_told():
    net = network.build(large()[0])
    kernels.start(net.graph, net.supply)
    whole = Preflow(net.graph)
    piece = np.zeros(whole.nodes, dtype=np.uint8)
    part = Part.of(net.graph, piece, 0, False)
    telling, told = pieces.Telling(True), []
    start, now = whole.excess(), Preflow(part.graph)
    pieces._run(whole, part, math.inf, telling, lambda: bool(told.append((*telling.last, now.excess()))))
    assert len(told) > 5
    for rounds, gained, excess in told:
        assert rounds % pieces.ROUNDS or start - gained == excess
    assert told[-1][1] > told[0][1] > 0


@pytest.mark.parametrize("thread", ["main", "other"])
def test_a_key_stops_both_pieces(monkeypatch, thread):
    """Ctrl-C while one piece is solved, or while one is done and waits for the other."""
    program, start = large()
    run, stopped = Preflow.run, []

    def pressed(self, limit, watch=None):
        main = threading.current_thread() is threading.main_thread()
        if main and (thread == "main" or not stopped):
            if thread == "main":
                return Status.INTERRUPTED
            raise KeyboardInterrupt
        while not watch(self):
            time.sleep(0.001)
        stopped.append(self)
        return Status.GAP

    two_at_once(monkeypatch)
    monkeypatch.setattr(Preflow, "run", pressed)
    found = solve_mincut(program, nearby=start)
    monkeypatch.setattr(Preflow, "run", run)
    assert stopped and found.status is Status.INTERRUPTED
    assert check(program, found.certificate, found.x).valid
