"""The linear relaxation by a first-order method that projects onto the chains exactly.

    x <- P(x + tau (w - K' u)),    u <- max(0, u + sigma (K (2 x_new - x) - limit)),    tau sigma |K|^2 < 1,

P the projection onto the chains, K the packing and covering rows and the arcs between chains. Reflected, averaged with
the point where it last restarted (Halpern), restarted when the residual has fallen enough; the two steps are balanced
by how far either side moved. Any ``u >= 0`` is a bound, so the method can be stopped whenever one likes.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from expost._limits import Carried
from expost._typing import Float, Int32, Place
from expost.solver.interrupts import requested
from expost.solver.nbuyers.chains import Cover
from expost.solver.nbuyers.kernels import Chains, best_response, largest_excess, project, reprice

SHARED = 50_000
"""Positions from which two threads are faster than one."""

ENOUGH, NECESSARY, LONG = 0.2, 0.8, 0.36
"""A restart when the residual is down to ENOUGH of what it was at the last one, or to NECESSARY and growing, or when
the steps since are LONG of all."""

SMOOTHING = 0.5
"""How much of the (logarithmic) imbalance of the two steps a restart makes up for."""

LOOK = 25
"""Steps after which the bound and the clock are looked at."""

POWER, CAREFUL = 30, 1.03
"""Turns of the power method, and by how much its norm is raised: it comes from below."""

MARGIN = 0.998
"""Part of the largest steps that converge."""


@dataclass(frozen=True, eq=False)
class Progressed:
    """What the method has: bound and value in the unit of the weights, without the program's constant.

    x: float64 (positions,), in every chain's set. prices: float64 (rows,). excess: by how much x breaks the worst
    row. value: of x.
    """

    x: Float
    prices: Float
    bound: float
    value: float
    excess: float
    steps: int
    stopped: str


@dataclass(eq=False)
class FirstOrder:
    """One run of the method. x, prices: the iterate; x_anchor, price_anchor: where it last restarted.

    balance: the dual step is ``balance`` times, the primal one over ``balance``, the common size. since, steps: steps
    since the restart, and in all. began, last: the residual of the first and of the last step since the restart.
    """

    cover: Cover
    x: Float
    prices: Float
    size: float
    balance: float
    x_anchor: Float = field(init=False)
    price_anchor: Float = field(init=False)
    mirror: Float = field(init=False)
    rank: Int32 = field(init=False)
    parts: list[tuple[int, int]] = field(init=False)
    row_parts: list[tuple[int, int]] = field(init=False)
    steps: int = 0
    since: int = 0
    began: float = math.inf
    last: float = math.inf

    def __post_init__(self) -> None:
        chains = self.cover.chains
        self.x_anchor, self.price_anchor = self.x.copy(), self.prices.copy()
        self.mirror = np.empty_like(self.x)
        lengths = np.diff(chains.start)
        self.rank = (np.arange(len(self.x)) - np.repeat(chains.start[:-1], lengths)).astype(np.int32)
        threads = 1 if len(self.x) < SHARED else min(2, os.cpu_count() or 1)
        self.parts = _parts(chains.start, threads)
        self.row_parts = _parts(chains.row_start, threads)

    @classmethod
    def at(cls, cover: Cover, x: Float | None = None, prices: Float | None = None) -> FirstOrder:
        """Begin at a point (positions) and prices (unit: weights), or with everything unsold at no prices."""
        chains = cover.chains
        start = np.zeros(len(chains.limit)) if prices is None else prices * cover.scale
        point = np.zeros(len(chains.weight)) if x is None else x.copy()
        norm = _norm(chains)
        size = MARGIN / norm if norm > 0.0 else 1.0
        weight, limit = length(chains.weight), length(chains.limit)
        balance = weight / limit if weight > 0.0 and limit > 0.0 else 1.0
        return cls(cover, point, start, size, balance)

    def run(self, enough: Callable[[Progressed], str], deadline: float) -> Progressed:
        """Step until ``enough`` says why not to go on, the deadline (time.monotonic), or Ctrl-C."""
        best: Progressed | None = None
        with ThreadPoolExecutor(len(self.parts)) as pool:
            while True:
                self.stretch(pool, LOOK, deadline)
                seen = self.look()
                best = seen if best is None or seen.bound < best.bound else best
                stopped = enough(seen) or self._stopped(deadline)
                if stopped:
                    return Progressed(
                        seen.x, best.prices, best.bound, seen.value, seen.excess, self.steps, stopped
                    )

    def _stopped(self, deadline: float) -> str:
        if requested():
            return "interrupted"
        return "time limit" if time.monotonic() >= deadline else ""

    def stretch(self, pool: ThreadPoolExecutor, steps: int, deadline: float) -> None:
        """So many steps, fewer near the deadline."""
        for _ in range(steps):
            if self.since > 0 and (requested() or time.monotonic() >= deadline):
                return
            self.step(pool)
            if self._due():
                self.restart()

    def step(self, pool: ThreadPoolExecutor) -> None:
        """One step of both sides."""
        chains, keep = self.cover.chains, (self.since + 1.0) / (self.since + 2.0)
        tau, sigma = self.size / self.balance, self.size * self.balance

        def primal(part: tuple[int, int]) -> float:
            return project(
                chains, *part, self.x, self.x_anchor, self.mirror, self.prices, self.rank, tau, keep
            )

        def dual(part: tuple[int, int]) -> float:
            return reprice(chains, *part, self.mirror, self.prices, self.price_anchor, sigma, keep)

        if len(self.parts) == 1:
            moved = primal(self.parts[0]) / tau + dual(self.row_parts[0]) / sigma
        else:
            moved = sum(pool.map(Carried(primal), self.parts)) / tau
            moved += sum(pool.map(Carried(dual), self.row_parts)) / sigma
        self.last, before = math.sqrt(moved), self.last
        self._grew = self.last > before
        if self.since == 0:
            self.began = self.last
        self.since += 1
        self.steps += 1

    _grew: bool = False

    def _due(self) -> bool:
        return self.since > 1 and (
            self.last <= ENOUGH * self.began
            or (self.last <= NECESSARY * self.began and self._grew)
            or self.since >= LONG * self.steps
        )

    def restart(self) -> None:
        """Go on from here, the steps balanced by how far the two sides have come since the last time."""
        x_moved = length(self.x - self.x_anchor)
        price_moved = length(self.prices - self.price_anchor)
        if x_moved > 1e-10 and price_moved > 1e-10:
            wanted = math.log(price_moved / x_moved)
            self.balance = math.exp(SMOOTHING * wanted + (1.0 - SMOOTHING) * math.log(self.balance))
        np.copyto(self.x_anchor, self.x)
        np.copyto(self.price_anchor, self.prices)
        self.since, self.last = 0, math.inf

    def look(self) -> Progressed:
        """One plain step from here, without going there: a point of the chains, prices, and what they prove."""
        chains = self.cover.chains
        x, prices = self.x.copy(), self.prices.copy()
        tau, sigma = self.size / self.balance, self.size * self.balance
        whole, rows = (0, len(chains.start) - 1), (0, len(chains.limit))
        mirror = np.empty_like(x)
        project(chains, *whole, x, self.x, mirror, prices, self.rank, tau, 0.5)
        reprice(chains, *rows, mirror, prices, self.prices, sigma, 0.5)
        worth = best_response(chains, *whole, prices) + float((prices * chains.limit).sum())
        value = float((chains.weight * x).sum())
        excess = largest_excess(chains, *rows, x)
        scale = self.cover.scale
        return Progressed(x, prices / scale, worth / scale, value / scale, excess, self.steps, "")


def _parts(start: Int32, threads: int) -> list[tuple[int, int]]:
    """The chains or rows of each thread, about as many entries for each."""
    cuts: Place = np.searchsorted(start, np.linspace(0, start[-1], threads + 1)[1:-1])
    ends = [0, *(int(cut) for cut in cuts), len(start) - 1]
    return [(ends[k], ends[k + 1]) for k in range(threads)]


def length(vector: Float) -> float:
    """The Euclidean norm. Not numpy's: its threads wait for each other on a busy machine."""
    return math.sqrt(float((vector * vector).sum()))


def _norm(chains: Chains) -> float:
    """The norm of the rows, each scaled by the root of its pace: exact where all rows are as long and no variable is
    in two, otherwise from some turns of the power method, and a little more.
    """
    if len(chains.at_row) == 0:
        return 0.0
    if chains.single:
        return math.sqrt(float(np.diff(chains.row_start).max()))
    from scipy.sparse import csr_array

    entry = chains.row_sign * np.repeat(np.sqrt(chains.pace), np.diff(chains.row_start))
    count, size = len(chains.limit), len(chains.weight)
    rows = csr_array((entry, chains.row_position, chains.row_start), shape=(count, size))
    by_column = chains.at_sign * np.sqrt(chains.pace)[chains.at_row]
    columns = csr_array((by_column, chains.at_row, chains.at_start), shape=(size, count))
    x: Float = np.random.default_rng(0).random(size)
    norm = 0.0
    for _ in range(POWER):
        back: Float = np.asarray(columns @ (rows @ x), dtype=np.float64)
        norm = length(back)
        x = back / norm
    return CAREFUL * math.sqrt(norm)
