"""Both sides by turns, finer each time, until they are as close as asked or time is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._shown import Shown
from expost._typing import Float
from expost.brackets.lotteries.lower import (
    Found,
    as_options,
    best_deviation,
    first_deviations,
    make_cells,
    refined,
    solve_cells,
    welfare_replicate,
)
from expost.brackets.lotteries.tables import Stage, stage_of
from expost.brackets.lotteries.upper import STRIKES, Replicate, offset_replicate
from expost.brackets.records import LOWER, STATISTICAL, UPPER, Bound
from expost.brackets.statistics import Allowance, one_sided
from expost.errors import InputError, LimitReached
from expost.instances.environment import Instance
from expost.mechanisms.continuum.lottery_options import LotteryOptions

if TYPE_CHECKING:
    import pandas as pd

CELLS = (6, 12, 24, 48, 96)
"""Cells of the lower side, each twice the one before; strikes are as often halved."""
STEPS = 1152
"""Steps between the strikes of the finest program, a multiple of 96 so that strikes lie at the ends of cells too."""
TYPES = (8, 16, 24, 32, 48)
"""First-stage types of the upper side."""
REPLICATES = 8
AUDITED = 1024
"""First-stage types on which the incentives of the menu are audited."""


@dataclass(frozen=True, eq=False, repr=False)
class LotteryBounds(Shown):
    """``lower <= W* <= upper`` for the best stochastic mechanism of one buyer in two stages.

    mechanism: the lottery menu that attains the lower bound. incentive_gain: the most that any of the audited
    first-stage types gains by another option followed by his best second stage (unit: values). offsets, flows: what
    the upper bound rests on, the offsets (R,) of its programs and their multipliers (R, 2, A, A).
    """

    instance: str
    first: str
    lower: Bound
    upper: Bound
    accuracy: float
    confidence: float
    seconds: float
    incentive_gain: float
    mechanism: LotteryOptions = field(repr=False)
    offsets: Float = field(repr=False)
    flows: Float = field(repr=False)
    history: tuple[Bound, ...] = field(default=(), repr=False)

    @property
    def width(self) -> float:
        """The upper bound less the lower one."""
        return self.upper.value - self.lower.value

    def to_frame(self) -> pd.DataFrame:
        """Both sides as a table, in the order in which they were found."""
        import pandas as pd

        return pd.DataFrame([{"side": bound.side, **bound.to_dict()} for bound in self.history])

    def summary(self) -> str:
        """Three lines: both sides, how they were found, the audit of the menu."""
        return "\n".join(
            (
                f"{self.instance}, sequential, {self.first} first, lotteries, continuum: between "
                f"{self.lower.value:.6f} and {self.upper.value:.6f}, confidence {self.confidence:.2%}",
                f"lower: {self.lower.method}; upper: {self.upper.method}; {self.seconds:.1f} s",
                f"{len(self.mechanism.fee)} options; no type gains more than {self.incentive_gain:.2g} by another",
            )
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "instance": self.instance,
            "timing": "sequential",
            "lotteries": True,
            "first": self.first,
            "lower": self.lower.to_dict(),
            "upper": self.upper.to_dict(),
            "width": self.width,
            "accuracy": self.accuracy,
            "reached": self.width <= self.accuracy * abs(self.upper.value),
            "confidence": self.confidence,
            "options": len(self.mechanism.fee),
            "incentive_gain": self.incentive_gain,
            "seconds": self.seconds,
        }


def lottery_bracket(
    instance: Instance,
    accuracy: float = 0.01,
    time_limit: float | None = 60.0,
    *,
    first: str | None = None,
    seed: int = 0,
    confidence: float = 0.99,
) -> LotteryBounds:
    """Bounds on the best stochastic mechanism of one buyer in two stages, in the continuum (unit: expected welfare).

    accuracy: stop when upper - lower <= accuracy * upper. time_limit: seconds, looked at between programs of a few
    seconds each (the finest take a minute). first: the signal that arrives first, by default the instance's.
    Raises InputError for several buyers, a buyer of one stage, or an accuracy that is not positive.
    """
    if not accuracy > 0.0:
        raise InputError(f"{accuracy}", where="accuracy", expected="a positive number")
    search = _Search(stage_of(instance, first), seed, confidence, time_limit)
    for effort in range(len(CELLS)):
        if not (search.raise_lower(effort) and search.lower_upper(effort)):
            break
        if search.width() <= accuracy * abs(search.bound(UPPER).value):
            break
    search.require_both()
    best = search.bound(LOWER)
    mechanism, gain = search.mechanisms[best.method]
    return LotteryBounds(
        instance.name,
        mechanism.first,
        best,
        search.bound(UPPER),
        accuracy,
        confidence,
        search.elapsed(),
        gain,
        mechanism,
        *search.rests[search.bound(UPPER).method],
        tuple(search.history),
    )


class _Search:
    def __init__(self, stage: Stage, seed: int, confidence: float, time_limit: float | None) -> None:
        self.stage, self.rng, self.limit = stage, np.random.default_rng(seed), time_limit
        self.allowance, self.started = Allowance(confidence), time.monotonic()
        self.history: list[Bound] = []
        self.mechanisms: dict[str, tuple[LotteryOptions, float]] = {}
        self.coarser: Found | None = None
        self.rests: dict[str, tuple[Float, Float]] = {}
        self.took: dict[tuple[str, int], float] = {}
        self.strike = np.linspace(*stage.value_range(), STEPS + 1)

    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def remaining(self) -> float | None:
        return None if self.limit is None else max(self.limit - self.elapsed(), 0.01)

    def over(self) -> bool:
        return self.limit is not None and self.elapsed() >= self.limit

    def replicates(self, draw: Callable[[], float]) -> list[float] | None:
        """As many values as time allows, None where these are fewer than half."""
        values: list[float] = []
        for _ in range(REPLICATES):
            if self.over():
                break
            try:
                values.append(draw())
            except LimitReached:
                break
        return values if 2 * len(values) >= REPLICATES else None

    def worthwhile(self, effort: int, side: str) -> bool:
        """Whether what is left is likely to be enough: an effort takes at least as long as the one before."""
        left, before = self.remaining(), self.took.get((side, effort - 1), 0.0)
        return left is None or left > before

    def require_both(self) -> None:
        if {bound.side for bound in self.history} != {LOWER, UPPER}:
            raise LimitReached("the limit came before both sides of the bracket; allow more time")

    def bound(self, side: str) -> Bound:
        own = [bound for bound in self.history if bound.side == side]
        return max(own, key=lambda bound: bound.value if side == LOWER else -bound.value)

    def width(self) -> float:
        return self.bound(UPPER).value - self.bound(LOWER).value

    def raise_lower(self, effort: int) -> bool:
        """A menu with twice the cells, its welfare evaluated on fresh samples; False when time ended before."""
        begun = self.elapsed()
        if not self.worthwhile(effort, LOWER):
            return False
        strike, step = self.strike, 2 ** (len(CELLS) - 1 - effort)
        cells = make_cells(self.stage, np.linspace(0.0, 1.0, CELLS[effort] + 1), strike)
        if self.coarser is None:
            allowed = np.zeros((CELLS[effort], len(strike)), dtype=np.bool_)
            allowed[:, ::step] = True
        else:
            allowed = refined(cells, self.coarser, step)
        found = solve_cells(cells, allowed, first_deviations(cells), self.remaining)
        if found is None or self.over():
            return False
        self.coarser = found
        options = as_options(self.stage, cells, found, self.over)
        if options is None:
            return False
        values = self.replicates(lambda: welfare_replicate(self.stage, options, self.rng))
        if values is None:
            return False
        if self.over():
            return False
        method = f"menu of {len(options.fee)} lotteries over strikes, {CELLS[effort]} cells"
        self.mechanisms[method] = options, best_deviation(self.stage, options, AUDITED)
        self._add(LOWER, values, method)
        self.took[LOWER, effort] = self.elapsed() - begun
        return True

    def lower_upper(self, effort: int) -> bool:
        """The mean of the duals of programs at random offsets of the first signal; False when time ended before."""
        begun, types = self.elapsed(), TYPES[effort]
        if not self.worthwhile(effort, UPPER):
            return False
        strikes = np.linspace(self.strike[0], self.strike[-1], STRIKES * types + 1)
        drawn: list[Replicate] = []

        def draw() -> float:
            drawn.append(offset_replicate(self.stage, types, strikes, self.rng, self.remaining))
            return drawn[-1].value

        values = self.replicates(draw)
        if values is None:
            return False
        method = f"duals of {types} first-stage types at random offsets"
        self.rests[method] = np.array([one.offset for one in drawn]), np.stack([one.flows for one in drawn])
        self._add(UPPER, values, method)
        self.took[UPPER, effort] = self.elapsed() - begun
        return True

    def _add(self, side: str, values: list[float], method: str) -> None:
        kept = [value + self.stage.seller(4096, self.rng) for value in values]
        confidence = self.allowance.next(side)
        limit = one_sided(kept, confidence)
        value = limit.mean - limit.error if side == LOWER else limit.mean + limit.error
        bound = Bound(side, value, method, STATISTICAL, limit.mean, limit.error, confidence, self.elapsed())
        self.history.append(bound)
