"""Rules near a rule: what is free, that the best of them is found, and that who is in a hurry gets it."""

import itertools
import math

import numpy as np
import pytest
from support.programs import exchangeable_program, max_program, random_program

from expost.solver.certificate import check
from expost.solver.mincut import backend, band, kernels, network
from expost.solver.mincut.anytime import Incumbent
from expost.solver.mincut.backend import solve_mincut
from expost.solver.mincut.fixed_nodes import demanded, settle
from expost.solver.mincut.watch import Watch
from expost.solver.nearby import Nearby
from expost.solver.result import Status


def begun(program):
    """A network without flow, and what is known of its closures."""
    net = network.build(program)
    kernels.start(net.graph, net.supply)
    return net, Incumbent(net, settle(net, demanded(program), program.covering))


def arcs_of(graph):
    """All arcs, as an array of pairs."""
    chained = np.flatnonzero(graph.bits & kernels.CHAIN)
    paired = np.flatnonzero(graph.bits[: graph.second] & kernels.ACROSS)
    pairs = [(chained, chained + 1), (paired, graph.partner[paired]), (graph.xtail, graph.xhead)]
    return np.concatenate([np.stack(pair, axis=1) for pair in pairs])


def is_closed(graph, z):
    arcs = arcs_of(graph)
    return bool((z[arcs[:, 0]] <= z[arcs[:, 1]]).all())


@pytest.mark.parametrize("seed", range(30))
def test_the_best_of_what_is_near_is_found(monkeypatch, seed):
    rng = np.random.default_rng(seed)
    net, incumbent = begun(random_program(rng, 2, 3, ties=seed % 2 == 0))
    z = (rng.random(len(net.supply)) < 0.2).astype(np.int8)
    kernels.close_up(net.graph, z, np.empty(len(z), dtype=np.int32))
    lowest, free = band._free(net, z, 1)
    assert is_closed(net.graph, lowest) and is_closed(net.graph, lowest + free.view(np.int8))
    assert (z >= lowest).all() and (z <= lowest + free).all()
    held = ~band._near(net.graph.bits, z, 1)
    best, places = -math.inf, np.flatnonzero(~held)
    assert 2 <= len(places) <= 16
    for choice in itertools.product((0, 1), repeat=len(places)):
        other = z.copy()
        other[places] = choice
        if is_closed(net.graph, other):
            best = max(best, int(np.dot(net.supply, other)))
    incumbent.offer(z)
    monkeypatch.setattr(band, "WIDTHS", (1,))
    band.improve(net, incumbent, math.inf)
    assert is_closed(net.graph, incumbent.z)
    assert (incumbent.z == z)[held].all()
    assert incumbent.value == best


@pytest.mark.parametrize("seed", range(8))
def test_a_band_as_wide_as_the_chains_gives_the_optimum(monkeypatch, seed):
    rng = np.random.default_rng(seed)
    program = exchangeable_program(rng, 6) if seed % 2 else random_program(rng, 2, 6)
    net, incumbent = begun(program)
    incumbent.offer(np.zeros(len(net.supply), dtype=np.int8))
    monkeypatch.setattr(band, "WIDTHS", (len(net.supply),))
    band.improve(net, incumbent, math.inf)
    found = solve_mincut(program)
    assert program.value(net.variables(incumbent.z)) == pytest.approx(found.bound, abs=1e-12)


def test_what_is_near_stays_within_its_chain():
    bits = np.array([1, 1, 1, 0, 1, 1, 1, 0], dtype=np.uint8)

    def near(*z):
        return band._near(bits, np.array(z, dtype=np.int8), 1).nonzero()[0].tolist()

    assert near(0, 0, 1, 1, 0, 1, 1, 1) == [1, 2, 4, 5]
    # none of the first chain, all of the second: either may begin one node later or earlier
    assert near(0, 0, 0, 0, 0, 1, 1, 1) == [3, 4, 5]
    assert near(0, 1, 1, 1, 1, 1, 1, 1) == [0, 1, 3, 4]


def test_no_band_is_begun_once_the_limit_is_past(monkeypatch):
    monkeypatch.setattr(band, "_free", None)
    net, incumbent = begun(max_program(2, 4))
    z = np.zeros(len(net.supply), dtype=np.int8)
    incumbent.offer(z)
    band.improve(net, incumbent, -math.inf)
    assert incumbent.z is z


def test_what_is_told_is_the_value_of_the_best_rule_so_far():
    program = max_program(2, 5)
    net, incumbent = begun(program)
    watch = Watch(program, net, incumbent.settled, incumbent, 0.0, None, 0.0)
    assert watch._value() == -math.inf
    told = []
    incumbent.offer(np.zeros(len(net.supply), dtype=np.int8))
    for _ in range(2):
        told.append(watch._value())
        assert told[-1] == watch._value() == program.value(net.variables(incumbent.z))
        band.improve(net, incumbent, math.inf)
    assert told[1] > told[0]


@pytest.mark.parametrize(
    ("keywords", "hurried"), [({"gap": 0.5}, True), ({"time_limit": 3600.0}, True), ({}, False)]
)
def test_who_is_in_a_hurry_gets_a_better_rule_first(monkeypatch, keywords, hurried):
    program = max_program(2, 7)
    start = Nearby(np.zeros(len(program.packing)), rule=np.zeros(program.variables, dtype=np.int8))
    gains = []

    def noted(net, incumbent, limit):
        before = incumbent.value
        band.improve(net, incumbent, limit)
        if len(net.supply) > 100:  # not the rehearsal
            gains.append(incumbent.value - before)

    monkeypatch.setattr(backend, "improve", noted)
    solve_mincut(program, nearby=start, **keywords)
    assert [gain > 0 for gain in gains] == [True] * hurried


def test_once_a_gap_is_reached_nothing_more_is_asked_of_the_flow(monkeypatch):
    program = max_program(2, 7)
    start = Nearby(np.zeros(len(program.packing)), rule=np.zeros(program.variables, dtype=np.int8))
    monkeypatch.setattr(Incumbent, "round", None)  # as is done before that, in order to have a rule at all
    found = solve_mincut(program, nearby=start, gap=0.5)
    assert found.status is Status.GAP
    value = program.value(found.x)
    assert value <= found.bound and found.bound - value <= 0.5 * found.bound
    assert check(program, found.certificate, found.x).valid
