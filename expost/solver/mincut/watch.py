"""Between the rounds: where the solve stands, whether to tell, whether that is near enough."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from expost._typing import Int8
from expost.solver.mincut.anytime import Incumbent
from expost.solver.mincut.fibres import FirstAnswer
from expost.solver.mincut.fixed_nodes import Settled
from expost.solver.mincut.network import Network
from expost.solver.mincut.preflow import Preflow
from expost.solver.program import Program
from expost.solver.progress import Progress, ProgressCallback, gap_reached

ROUNDS = 4
"""A rule is rounded once in so many rounds at most: it costs about as much as one."""

SECONDS, SHARE = 0.25, 0.1
"""And, where that is only to tell the progress, not more often than that, nor for more than this share of the time."""


def bound_of(program: Program, network: Network, proved: int) -> float:
    """The upper bound of a flow that proves ``proved`` for the closure, in the unit of the weights."""
    # summed as a Python integer: what block 1 brings if nothing of it is taken
    total = proved - int(network.supply[network.second :].sum())
    slack = np.count_nonzero(program.weights) * math.ldexp(0.5, -network.scale_exponent)
    return math.ldexp(float(total), -network.scale_exponent) + program.constant + slack


class Watch:
    """Called before each round with the preflow: tells the progress; True once the gap is small enough.

    gap: as a share of the bound's size, None never to stop. first: what was known before there was a network; once its
    bound is no longer the better one, its certificate is given up.
    """

    def __init__(
        self,
        program: Program,
        network: Network,
        settled: Settled,
        incumbent: Incumbent,
        gap: float | None,
        progress: ProgressCallback | None,
        started: float,
        first: FirstAnswer | None = None,
    ) -> None:
        self.program = program
        self.network = network
        self.settled = settled
        self.incumbent = incumbent
        self.gap = gap
        self.progress = progress
        self.started = started
        self.first = first
        self._round = 0
        self._time = started
        self._valued: tuple[Int8 | None, float] = None, -math.inf

    def __call__(self, preflow: Preflow) -> bool:
        """Whether the gap is reached."""
        return self.look(preflow.rounds, preflow.excess, preflow)

    def look(self, rounds: int, proved: Callable[[], int], preflow: Preflow | None = None) -> bool:
        """The same after so many rounds, where the flow proves ``proved()``; ``preflow``, if given, suggests a rule."""
        now = time.perf_counter()
        if rounds < self._round or (self.gap is None and now < self._time):
            return False
        self._round = rounds + ROUNDS
        bound = bound_of(self.program, self.network, self.settled.gain + proved())
        if self.first is not None:
            if bound < self.first.bound:
                self.first.certificate = None
            bound = min(bound, self.first.bound)
        if preflow is not None:
            self.incumbent.round(preflow.label, preflow.active[: preflow.found], once=True)
        value = self._value()
        spent = time.perf_counter() - now
        self._time = now + max(SECONDS, spent / SHARE)
        if self.progress is not None:
            self.progress(Progress("minimum cut", bound, value, now - self.started))
        return gap_reached(bound, value, self.gap)

    def _value(self) -> float:
        """What the best rule so far is worth in the unit of the weights, from the program: integers are rounded."""
        rule = self.incumbent.z
        if rule is not None and rule is not self._valued[0]:
            self._valued = rule, self.program.value(self.network.variables(rule))
        return self._valued[1]
