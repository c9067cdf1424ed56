"""Starting from a guess of the cut: the network in pieces, each solved by itself, then only what they leave open.

Let S be a closure, any guess. A closure that is best among those outside S joins to S as C, and one that is best within
S leaves D out of it. Then some optimal closure of the whole contains S less D and is contained in S and C: with X
optimal, X and (S less D) together are worth no less than X, since what X has in common with (S less D) is a closure
within S; likewise for what X has in common with S and C. So what remains is to see what of C and D belongs to the
closure, and a guess that is nearly right leaves little of either.

Outside S the excess has to be absorbed, and nearly all of it can be; inside S the demands have to be met, and nearly
all can be: there the same algorithm runs with the arcs turned round and the demands as what is pushed. Between the two
nothing flows, so that two processors can work on them at once.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Sequence
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


AT_ONCE = 100_000
"""Of a network with so many nodes, two pieces are solved at once where there are two processors."""


CHUNK = 1 << 20
"""Nodes that are moved in one step."""

_COUNTING = threading.Lock()


def nested(closures: Sequence[Int8]) -> UInt8:
    """The piece of each node: in how many of the closures, one inside the other, it is; uint8 (nodes,)."""
    return np.sum(closures, axis=0, dtype=np.uint8)


def solve_pieces(whole: Preflow, piece: UInt8, limit: float, watch: Watch | None) -> Status:
    """Solve each piece of an acyclic network by itself, then together what of them is not decided by that.

    The flow in ``whole`` must not leave any piece. Returns why the last solve stopped; when that is OPTIMAL there may
    still be an excess that reaches a demand. limit, watch: as in ``Preflow.run``.
    """
    pieces = int(piece.max(initial=0)) + 1
    # where somebody may want to stop early, no piece is finished before all have been begun
    hurried = limit < math.inf or (watch is not None and watch.gap is not None)
    if pieces == 2 and len(piece) >= AT_ONCE and (os.cpu_count() or 1) > 1:
        status = _solve_two(whole, piece, limit, watch)
        if status is not Status.OPTIMAL:
            kernels.mark(whole.graph)
            return status
        pieces = 0
    for most in (FEW, FEW, math.inf) if hurried else (math.inf,):
        for which in range(pieces):
            backwards = which == pieces - 1 and pieces > 1
            status = _solve(whole, piece, which, backwards, limit, watch, most)
            if status is not Status.OPTIMAL:
                kernels.mark(whole.graph)
                return status
    kernels.mark(whole.graph)
    open_ = _open(whole)
    if 0 < np.count_nonzero(open_) <= MOST * len(open_):
        whole.forget()
        status = _solve(whole, open_, 1, False, limit, watch)
        if status is not Status.OPTIMAL:  # otherwise the whole is run, which begins with this
            kernels.mark(whole.graph)
        return status
    return Status.OPTIMAL


def _solve_two(whole: Preflow, piece: UInt8, limit: float, watch: Watch | None) -> Status:
    """Solve the two pieces at once, one in a thread of its own: what is compiled lets other threads run.

    Meanwhile the whole has no flow, and the first piece has its place in memory. Ctrl-C comes to the main thread alone,
    which stops both.
    """
    graph, stop = whole.graph, threading.Event()
    start = 0 if watch is None else whole.excess()
    second = Part.of(graph, piece, 1, True)
    parts = [Part.of(graph, piece, 0, False, in_place=True), second]
    tellings = [Telling(watch is not None) for _ in parts]
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
    return whole.reached() & (whole.label != kernels.FAR)


def _solve(
    whole: Preflow,
    piece: UInt8,
    which: int,
    backwards: bool,
    limit: float,
    watch: Watch | None,
    most: float = math.inf,
) -> Status:
    """Solve one piece from the flow that it has, and put its flow back into the whole.

    most: after so many rounds it is left as it is; the status is OPTIMAL then, too.
    """
    part = Part.of(whole.graph, piece, which, backwards)
    start, before, telling = 0 if watch is None else whole.excess(), whole.rounds, Telling(watch is not None)
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
    """How far the solve of a piece is: ``last`` holds its rounds and what the excess that it began with has lost.

    wanted: whether anybody asks for the excess, which takes a pass over the nodes, once in ROUNDS rounds.
    """

    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted
        self.last = 0, 0
        self._excess = 0

    def begin(self, preflow: Preflow) -> None:
        """Nothing is done yet."""
        self._excess = preflow.excess() if self.wanted else 0

    def tell(self, preflow: Preflow) -> None:
        """A round is done."""
        gained = self.last[1]
        if self.wanted and preflow.rounds % ROUNDS == 0:
            gained = self._excess - preflow.excess()
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
    """Some nodes of a graph as a graph of their own, perhaps with all arcs turned round: those whose ``piece``, uint8
    (nodes of the whole,), is ``which``.

    arcs: int32 (explicit arcs of the part,), where they are in the whole.
    """

    graph: Graph
    piece: UInt8
    which: int
    backwards: bool
    arcs: Int32

    @classmethod
    def of(cls, graph: Graph, piece: UInt8, which: int, backwards: bool, *, in_place: bool = False) -> Part:
        """The nodes whose ``piece`` is ``which``, with their flow.

        in_place: what ``graph`` knows of its nodes is given up, and its memory is the part's. No flow may lead out of a
        piece then, and arcs must not be turned round.
        """
        inside = piece == which
        count, before = (int(np.count_nonzero(some)) for some in (inside, inside[: graph.second]))
        new = np.empty(len(piece), dtype=np.int32)
        kernels.pick(piece, which, backwards, new)
        arcs = np.flatnonzero(inside[graph.xtail] & inside[graph.xhead]).astype(np.int32)
        tails, heads = new[graph.xtail[arcs]], new[graph.xhead[arcs]]
        if backwards:
            tails, heads = heads, tails
        bits, partner = np.zeros(count, dtype=np.uint8), np.empty(count, dtype=np.int32)
        part, order = graph_of(count - before if backwards else before, bits, partner, tails, heads)
        if in_place:
            part = part._replace(node=graph.node)
        kernels.cut_out(graph, piece, which, new, backwards, part)
        if in_place:
            graph.node.resize((count, 3), refcheck=False)
        arcs = arcs[order]
        part.xflow[:] = graph.xflow[arcs]
        return cls(part, piece, which, backwards, arcs)

    def put_back(self, graph: Graph) -> None:
        """Give the whole the flow of the part."""
        kernels.put_back(graph, self.graph, self.piece, self.which, self.backwards)
        graph.xflow[self.arcs] = self.graph.xflow

    def expand(self, graph: Graph) -> None:
        """Undo a cut in place, but for the bits and what other parts know of their nodes."""
        node, last = self.graph.node, len(self.graph.bits)
        node.resize((len(self.piece), 3), refcheck=False)
        # from the end: a node's place in the whole is never before its place in the part
        for low in reversed(range(0, len(self.piece), CHUNK)):
            at = np.flatnonzero(self.piece[low : low + CHUNK] == self.which)
            first = last - len(at)
            rows = node[first:last].copy()
            node[first:last] = 0
            node[low + at] = rows
            last = first
        graph.xflow[self.arcs] = self.graph.xflow
