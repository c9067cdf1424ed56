"""The network in pieces: taken apart, put together again, solved piece by piece, against brute force and networkx."""

import math
import threading
import time
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from support.programs import exchangeable_program, max_program, random_program

from expost.solver.backends import solve_program
from expost.solver.certificate import check
from expost.solver.mincut import kernels, network, pieces
from expost.solver.mincut.backend import solve_mincut
from expost.solver.mincut.pieces import Job, Part, Pieces, solve_pieces
from expost.solver.mincut.preflow import Preflow
from expost.solver.mincut.start import guess
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
    part = Part.of(graph, Job(piece, 1, backwards))
    ids = np.flatnonzero(piece == 1)[:: -1 if backwards else 1]
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
    first, second = Pieces.along(z, False).jobs()
    for job in (first, second):  # there is flow within the pieces, and none between them
        pieces._solve(preflow, job, math.inf, None, 2)
    kernels.mark(graph)
    before = [array.copy() for array in (graph.bits, graph.node, graph.xflow)]
    assert before[1][:, kernels.ALONG].any() and before[1][:, kernels.OVER].any()
    copy, other = Part.of(graph, first), Part.of(graph, second)
    part = Part.of(graph, first, in_place=True)
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


def any_closure(graph: kernels.Graph, rng: np.random.Generator) -> np.ndarray:
    """What a tenth of the nodes imply."""
    z = (rng.random(len(graph.bits)) < 0.1).astype(np.int8)
    kernels.close_up(graph, z, np.empty(len(z), dtype=np.int32))
    return z


@pytest.mark.parametrize("exchangeable", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_pieces_of_any_closure_are_solved_to_the_optimum(monkeypatch, seed, exchangeable):
    monkeypatch.setattr(pieces, "UNLIKE", 1.0)
    rng = np.random.default_rng(seed)
    net, preflow = flowing(seed)
    if exchangeable:
        net = network.build(exchangeable_program(rng, 9, ties=seed % 2 == 0))
        kernels.start(net.graph, net.supply)
        preflow = Preflow(net.graph)
    assert net.mirrored == exchangeable
    found = Pieces.along(any_closure(net.graph, rng), exchangeable)
    assert found.mirrored == exchangeable
    assert solve_pieces(preflow, found, math.inf, None) is Status.OPTIMAL
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


def test_what_is_not_its_own_mirror_image_is_seen():
    program = exchangeable_program(np.random.default_rng(1), 9, ties=True)
    assert network.build(program).mirrored
    weights = program.weights.copy()
    weights[[3, 4]] = weights[[4, 3]] + [0.0, 1.0]
    assert not network.build(replace(program, weights=weights)).mirrored
    arcs = set(zip(program.tails, program.heads, strict=True))
    for arc in np.flatnonzero(program.tails >= int(program.blocks[1]))[::7]:
        rest = np.arange(len(program.tails)) != arc
        fewer = replace(program, tails=program.tails[rest], heads=program.heads[rest])
        assert not network.build(fewer).mirrored
        tails, heads = program.tails.copy(), program.heads.copy()
        tails[arc] += 1 if tails[arc] + 1 < program.variables else -1
        if (tails[arc], heads[arc]) not in arcs and tails[arc] != heads[arc]:
            assert not network.build(replace(program, tails=tails)).mirrored
        heads[arc] -= 1
        if (program.tails[arc], heads[arc]) not in arcs and program.tails[arc] != heads[arc]:
            assert not network.build(replace(program, heads=heads)).mirrored
    assert not network.build(replace(program, packing=np.delete(program.packing, 1, axis=0))).mirrored
    other = program.packing.copy()
    other[[5, 7], 1] = other[[7, 5], 1]
    assert not network.build(replace(program, packing=other)).mirrored


@pytest.mark.parametrize(
    ("arcs", "mirrored"),
    [([(0, 3), (1, 2), (4, 7), (5, 6)], True), ([(0, 3), (1, 2), (4, 6), (5, 7)], False)],
)
def test_explicit_arcs_with_ends_that_are_images_need_not_be_images(arcs, mirrored):
    tails, heads = np.array(arcs, dtype=np.int32).T
    graph, _ = network.graph_of(4, np.zeros(8, np.uint8), np.arange(8, dtype=np.int32), tails, heads)
    assert network._mirrored(graph) == mirrored


def test_a_closure_that_has_little_in_common_with_its_image_makes_two_pieces():
    net = network.build(exchangeable_program(np.random.default_rng(1), 9))
    z = np.zeros(len(net.supply), dtype=np.int8)
    z[-3:] = 1
    kernels.close_up(net.graph, z, np.empty(len(z), dtype=np.int32))
    assert not Pieces.along(z, True).mirrored
    assert (Pieces.along(z, True).piece == z).all()


def large(exchangeable: bool = False) -> tuple[Program, Nearby]:
    """A program that takes some rounds, and a start that makes pieces of it: the rule for somewhat other weights."""
    rng = np.random.default_rng(8)
    if exchangeable:  # at random, a rule and its mirror image would have nothing in common
        program = max_program(2, 7)
        other = np.tile(rng.uniform(0.8, 1.25, program.variables // 2), 2)
    else:
        program = random_program(rng, 2, 60, ties=True)
        other = rng.uniform(0.8, 1.25, program.variables)
    weights = program.weights * other
    rule = solve_mincut(replace(program, weights=weights)).x
    return program, Nearby(np.zeros(len(program.packing)), rule=rule)


def halves() -> tuple[network.Network, Preflow, Pieces]:
    """A network that is its own mirror image, not yet solved, and the pieces that a rule makes of it."""
    program, start = large(exchangeable=True)
    net = network.build(program)
    kernels.start(net.graph, net.supply)
    z = guess(net, start.rule)
    kernels.close_up(net.graph, z, np.empty(len(z), dtype=np.int32))
    found = Pieces.along(z, net.mirrored)
    assert found.mirrored
    return net, Preflow(net.graph), found


def test_a_reflected_flow_is_a_flow():
    net, whole, found = halves()
    graph, piece = net.graph, found.piece
    assert ((piece == 0) == (piece[::-1] == 2)).all() and (piece == 0).any()
    assert pieces._solve(whole, found.jobs()[0], math.inf, None) is Status.OPTIMAL
    assert all(
        flow.any() for flow in (graph.node[:, kernels.ALONG], graph.node[:, kernels.OVER], graph.xflow)
    )
    found.reflect(graph)
    balance, last = net.supply.copy(), whole.nodes - 1
    flows = {(v, w): f for v, w, f in arcs_of(graph)}
    for (v, w), f in flows.items():
        balance[v] -= f
        balance[w] += f
        assert f == flows[last - w, last - v]
    assert (graph.node[:, kernels.EXCESS] == balance).all()


@pytest.mark.parametrize("which", [0, 1])
def test_what_the_whole_gains_is_known_while_a_piece_is_solved(which):
    _, whole, found = halves()
    proved = []

    class Stop:
        gap = None

        def look(self, rounds, bound):
            if rounds == pieces.ROUNDS:
                proved.append(bound())
            return rounds == pieces.ROUNDS

    before = whole.excess()
    assert pieces._solve(whole, found.jobs()[which], math.inf, Stop()) is Status.GAP
    found.reflect(whole.graph)
    assert proved == [whole.excess()]
    assert proved[0] < before


def two_at_once(monkeypatch):
    """Two pieces are solved at once however small they are, and whatever the machine."""
    monkeypatch.setattr(pieces.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(pieces, "AT_ONCE", 0)
    monkeypatch.setattr(pieces, "CHUNK", 1000)


@pytest.mark.parametrize("exchangeable", [False, True])
@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_bound_and_rule_hold_wherever_a_solve_in_pieces_stops(monkeypatch, rounds, at_once, exchangeable):
    if at_once:
        two_at_once(monkeypatch)
    program, start = large(exchangeable)
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


@pytest.mark.parametrize("exchangeable", [False, True])
def test_what_is_left_open_is_smaller_than_the_whole(monkeypatch, exchangeable):
    program, start = large(exchangeable)
    sizes = []
    solve = pieces._solve
    monkeypatch.setattr(
        pieces,
        "_solve",
        lambda whole, job, *rest: sizes.append((job.piece == job.which).mean()) or solve(whole, job, *rest),
    )
    found = solve_mincut(program, nearby=start)
    assert check(program, found.certificate, found.x).proves_optimal
    assert len(sizes) == 3
    # a piece and its image are solved once
    assert (2 if exchangeable else 1) * sizes[0] + sizes[1] == pytest.approx(1.0)
    assert sizes[2] < pieces.MOST


@pytest.mark.parametrize("exchangeable", [False, True])
@pytest.mark.parametrize("listened", [False, True])
def test_two_pieces_at_once_give_what_one_after_the_other_gives(monkeypatch, listened, exchangeable):
    program, start = large(exchangeable)
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


@pytest.mark.parametrize("exchangeable", [False, True])
def test_bounds_of_two_pieces_at_once_hold_and_a_gap_is_kept(monkeypatch, exchangeable):
    two_at_once(monkeypatch)
    program, start = large(exchangeable)
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
    part = Part.of(net.graph, Job(piece, 0))
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
