"""Where a search for a rule stands: the best rule so far, what is proved about it, and the clock."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from expost._typing import Int8
from expost.solver.answers import slack
from expost.solver.certificate import check
from expost.solver.divisor import find_grain
from expost.solver.linear import certificate_of, rows_of
from expost.solver.multiples import multiple_below
from expost.solver.nbuyers.core import CoreAnswer
from expost.solver.nbuyers.kicks import Rule
from expost.solver.program import Program
from expost.solver.progress import Progress, ProgressCallback
from expost.solver.result import Certificate, Grain, Solution, Status

CERTAIN = 1.0 - 1e-6
"""Part of a grain by which a better rule is certainly better, floating point and all."""


@dataclass(eq=False)
class Standing:
    """The rule and the bound so far; every rule that is offered is checked, every bound is proved or noted.

    deadline: in the time of ``time.monotonic``. bound: on the optimum, whoever proved it. linear_bound: what the
    certificate's multipliers prove, in the unit of the weights; certified: the same rounded down to a multiple of the
    grain, where values have one. cores: what each branch and bound showed.
    """

    program: Program
    deadline: float
    progress: ProgressCallback | None
    begun: float
    certificate: Certificate
    linear_bound: float
    certified: float
    bound: float
    grain: Grain | None = None
    best: Rule | None = None
    status: Status = Status.UNKNOWN
    cores: list[CoreAnswer] = field(default_factory=list)

    @classmethod
    def begin(
        cls, program: Program, time_limit: float | None, progress: ProgressCallback | None = None
    ) -> Standing:
        """Nothing but the sum of the positive weights, which multipliers of zero prove: a bound at once."""
        begun = time.monotonic()
        deadline = math.inf if time_limit is None else begun + time_limit
        certificate = certificate_of(program, np.zeros(rows_of(program).count))
        bound = check(program, certificate).upper_bound
        grain = find_grain(program)
        return cls(program, deadline, progress, begun, certificate, bound, bound, bound, grain)

    def prove(self, certificate: Certificate) -> None:
        """Keep a certificate if it proves more than the last."""
        bound = check(self.program, certificate).upper_bound
        if bound < self.linear_bound:
            self.certificate, self.linear_bound = replace(certificate, grain=self.grain), bound
            self.certified = self.rounded(bound)
            self.bound = min(self.bound, self.certified)

    def rounded(self, bound: float) -> float:
        """A bound on the optimum, brought down to a value that a rule can have."""
        return bound if self.grain is None else multiple_below(self.program, self.grain, bound, [])

    def better(self) -> float:
        """By how much a better rule is better at least: what grains and floating point leave of it."""
        if self.grain is None or self.best is None:
            return 0.0
        step = CERTAIN * self.grain.size
        return step if self.rounded(self.best.value + step) <= self.best.value + slack(self.program) else 0.0

    def believe(self, answer: CoreAnswer) -> None:
        """Record what branch and bound on a core showed."""
        self.cores.append(answer)
        bound = self.rounded(answer.bound)
        self.bound = min(self.bound, bound if self.best is None else max(bound, self.best.value))

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
        """Linear bound minus the least value of a better rule: within it lie all of these, whatever the bound is."""
        if self.best is None:
            return math.inf
        return max(self.linear_bound - self.best.value - self.better(), 0.0)

    def closed(self) -> bool:
        """Whether the best rule attains the bound to the rounding of welfares."""
        return self.best is not None and self.gap() <= slack(self.program)

    def proved(self) -> bool:
        """Whether the best rule attains what the certificate proves, nobody's word needed."""
        return self.best is not None and self.certified - self.best.value <= slack(self.program)

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

    def solution(self, details: dict[str, Any]) -> Solution:
        """The answer as it stands; ``details`` only tell the user how it came about."""
        if self.status is Status.INFEASIBLE:
            return Solution("nbuyers", self.status, bound=-math.inf, details=details)
        x = None if self.best is None else self.best.x
        return Solution("nbuyers", self.status, x, self.bound, self.certificate, details=details)
