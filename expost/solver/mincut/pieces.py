"""Starting from a guess of the cut: the network in pieces, each solved by itself, then only what they leave open.

Let S be a closure, any guess. A closure that is best among those outside S joins to S as C, and one that is best within
S leaves D out of it. Then some optimal closure of the whole contains S less D and is contained in S and C: with X
optimal, X and (S less D) together are worth no less than X, since what X has in common with (S less D) is a closure
within S; likewise for what X has in common with S and C. So what remains is to see what of C and D belongs to the
closure, and a guess that is nearly right leaves little of either.

Outside S the excess has to be absorbed, and nearly all of it can be; inside S the demands have to be met, and nearly
all can be: there the same algorithm runs with the arcs turned round and the demands as what is pushed. Between the two
nothing flows, so that two processors can work on them at once.

Where the network is its own mirror image, as it is where buyers are exchangeable, the image of a closure S is what is
outside S turned round, another closure that is as good. What they have in common and what is in neither are images of
each other: only the latter is solved, and the former has its flow reflected. What is in one of the two alone is a piece
of its own.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np

from expost._limits import Carried
from expost._typing import Int8, Int32, UInt8
from expost.solver.mincut import kernels
from expost.solver.mincut.kernels import Graph
from expost.solver.mincut.network import graph_of
from expost.solver.mincut.preflow import Preflow
from expost.solver.mincut.watch import ROUNDS, SECONDS, Watch
from expost.solver.result import Status

FEW = 8
"""Rounds after which a bound is rather good, so that it pays to go on with the next piece."""

MOST = 0.6
"""What the pieces leave open is solved by itself where it has no more than this share of the nodes."""


UNLIKE = 0.5
"""Mirror images are made use of where a closure and its own differ in no more than this share of the nodes."""


AT_ONCE = 100_000
"""Of a network with so many nodes, two pieces are solved at once where there are two processors."""


CHUNK = 1 << 20
"""Nodes that are moved in one step."""

_COUNTING = threading.Lock()


@dataclass(frozen=True, eq=False)
class Job:
    """A piece to be solved: the nodes whose ``piece``, uint8 (nodes of the whole,), is ``which``.

    backwards: with all arcs turned round. times: how often the whole gains what the piece does.
    """

    piece: UInt8
    which: int
    backwards: bool = False
    times: int = 1


@dataclass(frozen=True, eq=False)
class Pieces:
    """A network in pieces, along closures one inside the other.

    piece: uint8 (nodes,), in how many of the closures each node is. mirrored: whether piece 2 is the mirror image of
    piece 0; it is never solved then.
    """

    piece: UInt8
    mirrored: bool

    @classmethod
    def along(cls, closure: Int8, mirrored: bool) -> Pieces:
        """The pieces that a closure, int8 (nodes,), makes of a network, which is its own mirror image or not."""
        inside = closure.view(np.uint8)
        if mirrored:
            piece = inside + (1 - inside[::-1])
            if np.count_nonzero(piece == 1) <= UNLIKE * len(piece):
                return cls(piece, True)
        return cls(inside, False)

    @property
    def several(self) -> bool:
        """Whether there is more than one piece."""
        return bool(self.piece.any()) and not bool(self.piece.all())

    def jobs(self) -> list[Job]:
        """What is to be solved: the inside backwards, unless it is a mirror image."""
        first, second = (
            Job(self.piece, 0, times=2 if self.mirrored else 1),
            Job(self.piece, 1, not self.mirrored),
        )
        return [job for job in (first, second) if (self.piece == job.which).any()]

    def reflect(self, graph: Graph) -> None:
        """Give piece 2 the flow of its mirror image. The bits need ``mark`` then."""
        if not self.mirrored:
            return
        kernels.reflect(graph, self.piece, 0)
        inside = self.piece == 2
        arcs = np.flatnonzero(inside[graph.xtail] & inside[graph.xhead])
        # those that lead to a node come in the order of those that leave its image
        graph.xflow[arcs] = graph.xflow[graph.xin[::-1][arcs]]


def solve_pieces(whole: Preflow, pieces: Pieces, limit: float, watch: Watch | None) -> Status:
    """Solve each piece of an acyclic network by itself, then together what of them is not decided by that.

    The flow in ``whole`` must not leave any piece. Returns why the last solve stopped; when that is OPTIMAL there may
    still be an excess that reaches a demand. limit, watch: as in ``Preflow.run``.
    """
    pieces.reflect(whole.graph)  # of what its image begins with, too
    status = _solve_all(whole, pieces, limit, watch)
    kernels.mark(whole.graph)
    if status is not Status.OPTIMAL:
        return status
    open_ = _open(whole)
    if 0 < np.count_nonzero(open_) <= MOST * len(open_):
        whole.forget()
        status = _solve(whole, Job(open_, 1), limit, watch)
        if status is not Status.OPTIMAL:  # otherwise the whole is run, which begins with this
            kernels.mark(whole.graph)
        return status
    return Status.OPTIMAL


def _solve_all(whole: Preflow, pieces: Pieces, limit: float, watch: Watch | None) -> Status:
    """Solve each piece by itself."""
    jobs = pieces.jobs()
    if len(jobs) == 2 and len(pieces.piece) >= AT_ONCE and (os.cpu_count() or 1) > 1:
        status = _solve_two(whole, jobs, limit, watch)
        pieces.reflect(whole.graph)
        return status
    # where somebody may want to stop early, no piece is finished before all have been begun
    hurried = limit < math.inf or (watch is not None and watch.gap is not None)
    for most in (FEW, FEW, math.inf) if hurried else (math.inf,):
        for job in jobs:
            status = _solve(whole, job, limit, watch, most)
            if job.times > 1:
                pieces.reflect(whole.graph)
            if status is not Status.OPTIMAL:
                return status
    return Status.OPTIMAL


def _solve_two(whole: Preflow, jobs: list[Job], limit: float, watch: Watch | None) -> Status:
    """Solve the two pieces at once, one in a thread of its own: what is compiled lets other threads run.

    Meanwhile the whole has no flow, and the first piece has its place in memory. Ctrl-C comes to the main thread alone,
    which stops both.
    """
    graph, stop = whole.graph, threading.Event()
    start = 0 if watch is None else whole.excess()
    second = Part.of(graph, jobs[1])
    parts = [Part.of(graph, jobs[0], in_place=True), second]
    tellings = [Telling(watch is not None, job.times) for job in jobs]
    explicit = len(graph.xflow)
    graph.xflow.resize(0, refcheck=False)

    def near_enough() -> bool:
        rounds, gained = (sum(each) for each in zip(*(telling.last for telling in tellings), strict=True))
        return watch is not None and watch.look(before + rounds, lambda: start - gained)

    before = whole.rounds
    statuses = [Status.INTERRUPTED, Status.INTERRUPTED]
    try:
        with ThreadPoolExecutor(1) as pool:
            try:
                other = pool.submit(Carried(_run), whole, parts[1], limit, tellings[1], stop.is_set)
                statuses[0] = _run(
                    whole, parts[0], limit, tellings[0], lambda: stop.is_set() or near_enough()
                )
                if statuses[0] is Status.OPTIMAL:
                    # this thread has nothing else to do, but somebody may want to know
                    while watch is not None and not wait([other], SECONDS).done and not near_enough():
                        pass
                    if watch is not None and not other.done():
                        stop.set()
                    statuses[1] = other.result()
            except KeyboardInterrupt:
                statuses[0] = Status.INTERRUPTED
            finally:
                stop.set()
    finally:
        graph.xflow.resize(explicit, refcheck=False)
        parts[0].expand(graph)
        second.put_back(graph)
    return statuses[1] if statuses[0] is Status.OPTIMAL else statuses[0]


def _open(whole: Preflow) -> UInt8:
    """The nodes on ways from an excess to a demand, uint8 (nodes,)."""
    if whole.search() == 0:
        return np.zeros(len(whole.label), dtype=np.uint8)
    return whole.between()


def _solve(
    whole: Preflow,
    job: Job,
    limit: float,
    watch: Watch | None,
    most: float = math.inf,
) -> Status:
    """Solve one piece from the flow that it has, and put its flow back into the whole.

    most: after so many rounds it is left as it is; the status is OPTIMAL then, too.
    """
    part = Part.of(whole.graph, job)
    start, before, telling = (
        0 if watch is None else whole.excess(),
        whole.rounds,
        Telling(watch is not None, job.times),
    )
    enough = False

    def look() -> bool:
        nonlocal enough
        rounds, gained = telling.last
        if watch is not None and watch.look(before + rounds, lambda: start - gained):
            return True
        enough = rounds >= most
        return enough

    status = _run(whole, part, limit, telling, look)
    part.put_back(whole.graph)
    return Status.OPTIMAL if enough and status is Status.GAP else status


class Telling:
    """How far the solve of a piece is: ``last`` holds its rounds and what the excess of the whole has lost by them.

    wanted: whether anybody asks for the excess, which takes a pass over the nodes, once in ROUNDS rounds. times: how
    often the whole loses what the piece does.
    """

    def __init__(self, wanted: bool, times: int = 1) -> None:
        self.wanted, self.times = wanted, times
        self.last = 0, 0
        self._excess = 0

    def begin(self, preflow: Preflow) -> None:
        """Nothing is done yet."""
        self._excess = preflow.excess() if self.wanted else 0

    def tell(self, preflow: Preflow) -> None:
        """A round is done."""
        gained = self.last[1]
        if self.wanted and preflow.rounds % ROUNDS == 0:
            gained = self.times * (self._excess - preflow.excess())
        self.last = preflow.rounds, gained


def _run(whole: Preflow, part: Part, limit: float, telling: Telling, enough: Callable[[], bool]) -> Status:
    """Solve a part. enough: asked before each round; the status is GAP when it is True."""
    preflow = Preflow(part.graph)
    telling.begin(preflow)
    kernels.settle_chains(part.graph, np.empty(len(part.graph.bits), dtype=np.int64))
    whole.finished = False

    def look(preflow: Preflow) -> bool:
        telling.tell(preflow)
        return enough()

    status = preflow.run(limit, look)
    with _COUNTING:
        whole.rounds += preflow.rounds
        whole.work += preflow.work
    return status


@dataclass(frozen=True, eq=False)
class Part:
    """The nodes of a piece as a graph of their own, perhaps with all arcs turned round.

    arcs: int32 (explicit arcs of the part,), where they are in the whole.
    """

    graph: Graph
    job: Job
    arcs: Int32

    @classmethod
    def of(cls, graph: Graph, job: Job, *, in_place: bool = False) -> Part:
        """The nodes of a piece, with their flow.

        in_place: what ``graph`` knows of its nodes is given up, and its memory is the part's. No flow may lead out of a
        piece then, and arcs must not be turned round.
        """
        piece, which, backwards = job.piece, job.which, job.backwards
        inside = piece == which
        before = int(np.count_nonzero(inside[: graph.second]))
        new = np.empty(len(piece), dtype=np.int32)
        count = int(kernels.pick(piece, which, backwards, new))
        arcs = np.flatnonzero(inside[graph.xtail] & inside[graph.xhead]).astype(np.int32)
        tails, heads = new[graph.xtail[arcs]], new[graph.xhead[arcs]]
        if backwards:
            tails, heads = heads, tails
        bits, partner = np.zeros(count, dtype=np.uint8), np.empty(count, dtype=np.int32)
        part, order = graph_of(count - before if backwards else before, bits, partner, tails, heads)
        if in_place:
            part = part._replace(node=graph.node)
        kernels.cut_out(graph, new, backwards, part)
        if in_place:
            graph.node.resize((count, 3), refcheck=False)
        arcs = arcs[order]
        part.xflow[:] = graph.xflow[arcs]
        return cls(part, job, arcs)

    def put_back(self, graph: Graph) -> None:
        """Give the whole the flow of the part."""
        kernels.put_back(graph, self.graph, self.job.piece, self.job.which, self.job.backwards)
        graph.xflow[self.arcs] = self.graph.xflow

    def expand(self, graph: Graph) -> None:
        """Undo a cut in place, but for the bits and what other parts know of their nodes."""
        node, last = self.graph.node, len(self.graph.bits)
        piece, which = self.job.piece, self.job.which
        node.resize((len(piece), 3), refcheck=False)
        # from the end: a node's place in the whole is never before its place in the part
        for low in reversed(range(0, len(piece), CHUNK)):
            at = np.flatnonzero(piece[low : low + CHUNK] == which)
            first = last - len(at)
            rows = node[first:last].copy()
            node[first:last] = 0
            node[low + at] = rows
            last = first
        graph.xflow[self.arcs] = self.graph.xflow
