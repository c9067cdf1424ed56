"""Backend ``mincut``: one- and two-buyer programs solved exactly, as a maximum-weight closure."""

from __future__ import annotations

import functools
import math
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from expost._typing import Int8
from expost.errors import SolverError
from expost.solver.interrupts import requested
from expost.solver.mincut import kernels
from expost.solver.mincut.anytime import Incumbent
from expost.solver.mincut.band import improve
from expost.solver.mincut.fibres import FirstAnswer, first_answer
from expost.solver.mincut.fixed_nodes import Settled, demanded, settle
from expost.solver.mincut.kernels import ALONG, OVER
from expost.solver.mincut.network import CYCLE_BITS, Network, build
from expost.solver.mincut.pieces import Pieces, solve_pieces
from expost.solver.mincut.preflow import PiledUpError, Preflow
from expost.solver.mincut.start import begin, guess
from expost.solver.mincut.watch import Watch, bound_of
from expost.solver.nearby import Nearby
from expost.solver.program import Program
from expost.solver.progress import Progress, ProgressCallback, gap_reached
from expost.solver.result import Certificate, Solution, Status

NAME = "mincut"
BETTER, READ_OFF = 10.0, 6.5
"""How many times as long as a first answer it takes at least until the network is laid out, says more, has been read
off and audited; and of that the last two, with the round that is not interrupted."""
AT_ONCE = 1 << 20
"""Nodes whose flow is read off in one step."""


def solve_mincut(
    program: Program,
    *,
    time_limit: float | None = None,
    gap: float | None = None,
    nearby: Nearby | None = None,
    progress: ProgressCallback | None = None,
    extremes: bool = True,
) -> Solution:
    """Solve a program of at most two blocks exactly, as a minimum cut in integers.

    time_limit: seconds; at the limit the status is TIME_LIMIT, with a feasible ``x`` and a proved bound.
    gap: stop as soon as the bound is at most this share of its size above the value of ``x``; the status then is
    GAP. nearby: the prices and the rule of a nearby program, to start from. progress: called a few times a
    second with the bound, the value of the best rule so far and the seconds. extremes: also return the
    smallest and the largest optimal closure; ``x`` is the smallest.

    Raises InputError for more than two blocks and for prices or a rule of another size.
    """
    asked = Asked(time_limit, gap, nearby, progress, extremes)
    if nearby is not None:
        nearby.check(program)
    if time_limit is not None:
        _rehearse(nearby is not None)
    try:
        return _solve(program, 0, asked)
    except PiledUpError:
        return _solve_coarsely(program, asked)


@dataclass(frozen=True, eq=False)
class Asked:
    """The keywords of ``solve_mincut``."""

    time_limit: float | None
    gap: float | None
    nearby: Nearby | None
    progress: ProgressCallback | None
    extremes: bool


@functools.cache
def _rehearse(started: bool) -> None:
    """Be stopped at once on a few variables: so what answers at a limit is compiled before the limit is there.

    started: from a nearby program.
    """
    # two exchangeable buyers with two types each
    pairs = np.array([[0, 4], [1, 6], [2, 5], [3, 7]], dtype=np.int32)
    arcs = np.array([0, 2, 4, 6], dtype=np.int32), np.array([1, 3, 5, 7], dtype=np.int32)
    program = Program(np.tile([-1.0, -1.0, 1.0, -1.0], 2), np.array([0, 4, 8]), *arcs, pairs)
    start = Nearby(np.full(4, 0.5), rule=np.zeros(8, dtype=np.int8)) if started else None
    _solve(program, 0, Asked(0.0, None, start, None, True))


def _solve_coarsely(program: Program, asked: Asked) -> Solution:
    """Solve with weights that leave room for flow to pile up on cycles."""
    try:
        return _solve(program, CYCLE_BITS, asked)
    except PiledUpError as error:
        raise SolverError('mincut: too many rounds on rows that form cycles; use backend="highs"') from error


def _solve(program: Program, spare_bits: int, asked: Asked) -> Solution:
    """One solve at one scale. Raises PiledUpError when flow on cycles comes near to overflowing."""
    started = time.perf_counter()
    first = _first(program, asked, started)
    if first is not None:
        status = _enough(first, asked, started)
        if status is not None:
            return _answered_first(first, status, started)
    spent = time.perf_counter() - started
    network = build(program, spare_bits)
    details: dict[str, Any] = {"scale_exponent": network.scale_exponent, "rounds": 0}
    preflow = Preflow(network.graph, network.acyclic)
    kernels.start(network.graph, network.supply)
    settled = settle(network, demanded(program), program.covering)
    if settled is None:
        details["seconds"] = time.perf_counter() - started
        return Solution(NAME, Status.INFEASIBLE, bound=-math.inf, details=details)
    incumbent = Incumbent(network, settled)
    pieces = None
    limit = math.inf if asked.time_limit is None else started + asked.time_limit
    if first is not None:
        limit -= READ_OFF * spent
    if asked.nearby is not None:
        hurried = asked.gap is not None or asked.time_limit is not None
        near = asked.nearby if first is None else replace(asked.nearby, rule=first.rule)
        pieces = _pieces(network, incumbent, near, limit if hurried else None)
        details["started"] = begin(network, settled, near, None if pieces is None else pieces.piece)
    watch = None
    if asked.gap is not None or asked.progress is not None:
        told = asked.gap, asked.progress
        watch = Watch(program, network, settled, incumbent, *told, started, first)
    status = Status.OPTIMAL if pieces is None else solve_pieces(preflow, pieces, limit, watch)
    if status is Status.OPTIMAL and not preflow.finished:
        status = preflow.run(limit, watch)
    solution = _assemble(program, network, preflow, incumbent, status, asked.extremes)
    if first is not None and first.certificate is not None and first.bound < solution.bound:
        solution = replace(solution, bound=first.bound, certificate=first.certificate)
    solution.details.update(details, rounds=preflow.rounds, searches=preflow.work / max(preflow.nodes, 1))
    solution.details["seconds"] = time.perf_counter() - started
    return solution


def _first(program: Program, asked: Asked, started: float) -> FirstAnswer | None:
    """A first answer, told at once, where there is a use for one before the optimum is known."""
    if asked.nearby is None or (asked.gap is None and asked.time_limit is None and asked.progress is None):
        return None
    first = first_answer(program, asked.nearby)
    if first is not None and asked.progress is not None:
        elapsed = time.perf_counter() - started
        asked.progress(Progress("fibre by fibre", first.bound, first.value, elapsed))
    return first


def _enough(first: FirstAnswer, asked: Asked, started: float) -> Status | None:
    """Why to stop at the first answer; None: not to."""
    if gap_reached(first.bound, first.value, asked.gap):
        return Status.GAP
    if requested():
        return Status.INTERRUPTED
    spent = time.perf_counter() - started
    short = asked.time_limit is not None and spent + BETTER * spent > asked.time_limit
    return Status.TIME_LIMIT if short else None


def _answered_first(first: FirstAnswer, status: Status, started: float) -> Solution:
    details = {"rounds": 0, "searches": 0.0, "seconds": time.perf_counter() - started}
    return Solution(NAME, status, first.rule, first.bound, first.certificate, details=details)


def _pieces(network: Network, incumbent: Incumbent, start: Nearby, until: float | None) -> Pieces | None:
    """The pieces that the rule of a nearby program makes of the network; None where it makes none.

    until: where a rule is wanted before the optimum is found, it is improved first, until then at most.
    """
    if start.rule is None or not network.acyclic or incumbent.settled.one is not None:
        return None
    rule = guess(network, start.rule)
    closure = incumbent.follow(rule, 0)
    if until is not None:
        incumbent.follow(rule, 1)
        improve(network, incumbent, until)
        closure = incumbent.z if incumbent.z is not None else closure
    pieces = Pieces.along(closure, network.mirrored)
    return pieces if pieces.several else None


def _assemble(
    program: Program,
    network: Network,
    preflow: Preflow,
    incumbent: Incumbent,
    status: Status,
    extremes: bool,
) -> Solution:
    """Read the rule, the bound and the certificate off the flow."""
    settled = incumbent.settled
    proved = settled.gain + preflow.excess()
    optimal = status is Status.OPTIMAL
    low, high = None, None
    if status is not Status.GAP or incumbent.z is None:  # else the rule is as good as it has to be
        if not optimal:
            incumbent.round(preflow.label, preflow.active[: preflow.found])
        high = settled.complete(preflow.largest()) if extremes or not optimal else None
        low = settled.complete(preflow.smallest())
    preflow.forget()
    for closure in (low, high):
        if optimal and closure is not None and _value(network, closure) != proved:
            raise SolverError("mincut: flow and cut disagree; please report this program")
        if not optimal and closure is not None:
            incumbent.offer(closure)
    rule = low if optimal else incumbent.z
    both = optimal and high is not None
    x, smallest, largest = (
        None if closure is None else network.variables(closure)
        for closure in (rule, low if both else None, high if both else None)
    )
    bound = bound_of(program, network, proved)
    return Solution(NAME, status, x, bound, _certificate(program, network, settled), smallest, largest)


def _value(network: Network, z: Int8) -> int:
    """The integer weight of a closure."""
    return int(np.dot(network.supply, z))


def _certificate(program: Program, network: Network, settled: Settled) -> Certificate:
    """The flow as multipliers of the program's rows."""
    graph = network.graph
    arcs = np.zeros(program.arcs, dtype=np.int64)
    packing = np.zeros(len(program.packing), dtype=np.int64)
    for rows, numbers, column in ((arcs, network.chain_arc, ALONG), (packing, network.pair_row, OVER)):
        # by and by: of so many nodes, what is picked takes more room than the network
        for low in range(0, len(numbers), AT_ONCE):
            number = numbers[low : low + AT_ONCE]
            flow = graph.node[low : low + len(number), column]
            there = number >= 0
            rows[number[there]] = flow[there]
    first, last = len(network.extra_arcs), len(network.extra_arcs) + len(network.extra_rows)
    explicit = np.empty_like(graph.xflow)
    explicit[network.explicit] = graph.xflow
    arcs[network.extra_arcs] = explicit[:first]
    packing[network.extra_rows] = explicit[first:last]
    covering = settled.covering
    if covering is None:
        covering = explicit[last:].copy()
    return Certificate(network.scale_exponent, arcs, packing, covering)
