"""The running account of a bracket: bounds as they come, the allowance for failures, time, what was left out."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, field

import numpy as np

from expost.brackets.clock import Clock
from expost.brackets.optimum import PACE
from expost.brackets.records import (
    LOWER,
    RIGOROUS,
    STATISTICAL,
    UPPER,
    Bound,
    Control,
    Estimate,
    Evidence,
    Proof,
)
from expost.brackets.statistics import Limit, allowed
from expost.brackets.workers import Workers
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.solver.progress import Progress, ProgressCallback
from expost.spaces.quantile_space import QuantileSpace
from expost.tolerances import WELFARE, allowance

_log = logging.getLogger(__name__)


@dataclass
class Account:
    """Mutable state of one search; ``first_best`` and ``kept`` (E[V_0]) are estimates with the errors of their
    limits; ``pace``: how many states of a program are built and solved in a second, as far as was seen."""

    space: QuantileSpace
    accuracy: float
    clock: Clock
    workers: Workers
    only_rigorous: bool
    seed: int
    confidence: float
    progress: ProgressCallback | None
    first_best: Limit = field(init=False)
    kept: Limit = field(init=False)
    control: Control = field(init=False)
    pace: float = PACE
    lower: Bound | None = None
    upper: Bound | None = None
    mechanism: ContinuumMechanism | None = None
    proofs: dict[tuple[str, str], Proof] = field(default_factory=dict)
    history: list[Bound] = field(default_factory=list)
    estimates: list[Estimate] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.started = time.perf_counter()
        self.whole = self.clock.left
        self.allowance = allowed(self.confidence)
        self._seeds = np.random.SeedSequence(self.seed)

    def next_seed(self) -> np.random.SeedSequence:
        """A fresh stream: no two uses share samples."""
        return self._seeds.spawn(1)[0]

    def rng(self) -> np.random.Generator:
        """A generator on a fresh stream."""
        return np.random.default_rng(self.next_seed())

    @property
    def certain(self) -> bool:
        """Whether the weights of states are known up to rounding, and E[V_0] is: what rigorous bounds need."""
        return self.space.stated.joint is None and self.kept.error == 0.0

    @property
    def seconds(self) -> float:
        """Since the search began."""
        return time.perf_counter() - self.started

    @property
    def left(self) -> float:
        """Seconds left, infinite without a limit."""
        return self.clock.left

    @property
    def reached(self) -> bool:
        """Whether the bracket is as narrow as asked."""
        if self.lower is None or self.upper is None:
            return False
        width = self.upper.value - self.lower.value
        return bool(width <= self.accuracy * abs(self.upper.value)) and not self.crossed

    @property
    def crossed(self) -> bool:
        """Whether the bounds contradict each other, by more than rounding."""
        if self.lower is None or self.upper is None:
            return False
        low, high = self.lower.value, self.upper.value
        return low - high > allowance(WELFARE, low, high)

    @property
    def over(self) -> bool:
        """Whether to stop: accuracy reached, time used up, or bounds that cross."""
        return self.reached or self.crossed or self.left <= 0.0

    def leave_out(self, what: str, why: object) -> None:
        """Record a bound that cannot be had, once."""
        line = f"{what}: {why}"
        if line not in self.left_out:
            self.left_out.append(line)

    def statistical(
        self,
        side: str,
        method: str,
        limit: Limit,
        evidence: Evidence,
        seed: np.random.SeedSequence | None = None,
        mechanism: ContinuumMechanism | None = None,
    ) -> None:
        """Enter a bound from replicates, those of ``evidence`` at the children of ``seed``; ``limit`` is about welfare
        less E[V_0], control included, so the errors of the first best (where it is compared with) and of E[V_0] are
        added, and what a density's normalization leaves open."""
        estimate = float(limit.mean + self.kept.mean)
        error = float(limit.error + self.first_best.error * evidence.compared + self.kept.error)
        error += abs(estimate) * self.space.normalization.error
        value = estimate - error if side == LOWER else estimate + error
        if math.isfinite(value):
            self._enter(
                Bound(side, value, method, STATISTICAL, estimate, error, limit.confidence, self.seconds),
                evidence,
                mechanism,
                () if seed is None else tuple(int(key) for key in seed.spawn_key),
                limit.replicates,
            )

    def rigorous(
        self,
        side: str,
        method: str,
        value: float,
        evidence: Evidence,
        mechanism: ContinuumMechanism | None = None,
    ) -> None:
        """Enter a bound that holds with certainty (up to rounding), if it says anything."""
        if not math.isfinite(value):
            return
        bound = Bound(side, value, method, RIGOROUS, value, 0.0, 1.0, self.seconds)
        self._enter(bound, evidence, mechanism)

    def exact(
        self, side: str, method: str, evidence: Evidence, mechanism: ContinuumMechanism | None = None
    ) -> None:
        """Enter what ``evidence`` is worth, known up to rounding, as E[V_0] is where all priors are discrete."""
        self.rigorous(side, method, evidence.value(self.space) + self.kept.mean, evidence, mechanism)

    def _enter(
        self,
        bound: Bound,
        evidence: Evidence,
        mechanism: ContinuumMechanism | None,
        key: tuple[int, ...] = (),
        replicates: tuple[float | None, ...] = (),
    ) -> None:
        if self.only_rigorous and bound.kind == STATISTICAL:
            return
        self.history.append(bound)
        _log.info(
            "%s %.9g by %s (%s), %.2f s", bound.side, bound.value, bound.method, bound.kind, bound.seconds
        )
        before = self.proofs.get((bound.side, bound.kind))
        if bound.better(before.bound if before else None):
            self.proofs[bound.side, bound.kind] = Proof(bound, evidence, key, replicates)
        if bound.side == LOWER and bound.better(self.lower):
            self.lower, self.mechanism = bound, mechanism
        elif bound.side == UPPER and bound.better(self.upper):
            self.upper = bound
        self.tell(bound.method)

    def tell(self, stage: str) -> None:
        """Report progress, if anybody listens."""
        if self.progress is not None:
            upper = self.upper.value if self.upper else math.inf
            lower = self.lower.value if self.lower else -math.inf
            self.progress(Progress(stage, upper, lower, self.seconds))
