"""The state of a search for a rule: the best so far, what is proved about it, and the clock."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from expost._typing import Float, Int8
from expost.solver.answers import slack
from expost.solver.certificate import check
from expost.solver.linear import certificate_of, rows_of
from expost.solver.nbuyers.core import CoreAnswer
from expost.solver.nbuyers.kicks import Kicks, Rule
from expost.solver.nbuyers.pairs import Pairs
from expost.solver.program import Program
from expost.solver.progress import Progress, ProgressCallback
from expost.solver.result import Solution, Status


class SearchState:
    """The rule and the bound so far; every rule that is offered is checked, every bound is proved or noted."""

    def __init__(
        self, program: Program, time_limit: float | None, progress: ProgressCallback | None, seed: int
    ) -> None:
        self.program, self.progress, self.seed = program, progress, seed
        self.begun = time.monotonic()
        self.deadline = math.inf if time_limit is None else self.begun + time_limit
        self.best: Rule | None = None
        # Multipliers of zero prove the sum of the positive weights: a bound from the first moment on.
        self.certificate = certificate_of(program, np.zeros(rows_of(program).count))
        self.bound = check(program, self.certificate).upper_bound
        self.status = Status.UNKNOWN
        self.fractional: Float | None = None
        self.prepared: Pairs | None = None
        self.walk: Kicks | None = None
        self.details: dict[str, Any] = {
            "method": "bound, pairs, core",
            "cores": [],
            "kicks": 0,
            "linear_bound": self.bound,
        }

    def note(self, answer: CoreAnswer) -> None:
        """Record what a core did."""
        self.details["cores"].append(
            {
                "free": answer.free,
                "allowance": answer.allowance,
                "status": answer.status.value,
                "bound": answer.bound,
            }
        )

    def offer(self, x: Int8 | None) -> None:
        """Keep a rule if it is feasible and better than the best."""
        if x is None or self.program.violations(x):
            return
        value = self.program.value(x)
        if self.best is None or value > self.best.value:
            self.best = Rule(x, value)

    def gap(self) -> float:
        """Bound minus best value; infinite without a rule."""
        return math.inf if self.best is None else max(self.bound - self.best.value, 0.0)

    def allowance(self) -> float:
        """Linear bound minus best value: within it lie all better rules, whatever the bound is by now."""
        return math.inf if self.best is None else max(self.details["linear_bound"] - self.best.value, 0.0)

    def closed(self) -> bool:
        """Whether the best rule attains the bound to the rounding of welfares."""
        return self.best is not None and self.gap() <= slack(self.program)

    def left(self) -> float:
        """Seconds to the deadline."""
        return self.deadline - time.monotonic()

    def report(self, stage: str) -> None:
        """Tell the caller where the solve stands."""
        if self.progress is not None:
            incumbent = -math.inf if self.best is None else self.best.value
            self.progress(Progress(stage, self.bound, incumbent, time.monotonic() - self.begun))

    def relay(self, stage: str, rest: float) -> ProgressCallback | None:
        """Branch and bound's own progress, in terms of the whole program."""
        if self.progress is None:
            return None
        tell = self.progress

        def relayed(inner: Progress) -> None:
            best = max(inner.incumbent, -math.inf if self.best is None else self.best.value)
            bound = min(self.bound, max(inner.bound, rest, best))
            tell(Progress(stage, bound, best, time.monotonic() - self.begun))

        return relayed

    def solution(self) -> Solution:
        """The answer as it stands."""
        if self.status is Status.INFEASIBLE:
            return Solution("nbuyers", self.status, bound=-math.inf, details=self.details)
        x = None if self.best is None else self.best.x
        return Solution("nbuyers", self.status, x, self.bound, self.certificate, details=self.details)
