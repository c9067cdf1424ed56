"""How long a bracket will about take: said once the first bounds of both sides are there, and again after each stage.

What an instance has shown is how fast its states are evaluated, how far its first bounds are apart, and what the stages
behind it took. A stage costs what its samples hold at that pace, times what the last one took for each second of such
work; and it leaves of the first distance about what it leaves in the catalogue. Estimates, for people to plan with;
nothing else rests on them."""

from __future__ import annotations

import logging
import math
import time

import numpy as np

from expost.brackets.account import Account
from expost.brackets.effort import MORE_BUYERS, Effort, efforts
from expost.brackets.upper.basis import constant_prices
from expost.brackets.upper.dual import Quadrature, dual_replicate
from expost.brackets.upper.fit import largest_nodes
from expost.spaces.quantile_space import QuantileSpace

_log = logging.getLogger(__name__)

LEFT = {
    "static": (0.084, 0.038, 0.027, 0.023, 0.020, 0.019),
    "sequential": (0.036, 0.023, 0.02, 0.018, 0.016, 0.014),
    "more": (0.21, 0.16, 0.15, 0.14),
}
"""Of the distance between the first bounds of both sides, what is left after each stage: ``jmmz``, and ``three-buyers``
for more than two."""
OTHER = {
    "static": (8.0, 1.6, 1.6, 1.6, 1.6, 1.6),
    "sequential": (7.5, 1.6, 1.6, 1.6, 1.6, 1.6),
    "more": (9.0, 4.0, 3.0, 3.0),
}
"""Seconds of each stage for each second of its samples: finite sets, completions and polishing are the rest."""
SURPRISE = 3.0
"""How much slower or faster than expected a stage makes later ones, at most."""


def kind(space: QuantileSpace) -> str:
    """Which of the stages' records speaks for an instance."""
    if space.n > 2:
        return "more"
    return "sequential" if space.sequential else "static"


class Forecast:
    """What is expected of the stages that are left."""

    def __init__(self, account: Account) -> None:
        self.account = account
        which = kind(account.space)
        self.remains = LEFT[which]
        pace = self._pace()
        self.seconds = [
            other * self._states(effort) / pace
            for other, effort in zip(OTHER[which], efforts(account.space.n), strict=True)
        ]
        self.began = account.seconds

    def tell(self, stage: int) -> None:
        """Say how long it takes from here, with ``stage`` the next one; nothing where none is left."""
        if stage:
            self.learn(stage - 1, self.account.seconds - self.began)
        self.began = self.account.seconds
        if stage >= len(self.seconds):
            return
        seconds, aim = self.left(stage), f"a width of {100.0 * self.account.accuracy:.3g}%"
        line = f"about {spoken(seconds or 0.0)} to {aim}"
        if seconds is None:
            line = f"{aim} may be out of reach; all stages take about {spoken(sum(self.seconds[stage:]))}"
        _log.info("%s", line)
        self.account.tell(f"forecast: {line}")

    def learn(self, stage: int, seconds: float) -> None:
        """Later stages will be as much slower or faster than expected as ``stage`` was, which took ``seconds``."""
        factor = min(max(seconds / self.seconds[stage], 1.0 / SURPRISE), SURPRISE)
        self.seconds[stage:] = [factor * expected for expected in self.seconds[stage:]]

    def left(self, stage: int) -> float | None:
        """Seconds from the beginning of a stage until the bracket is as narrow as asked; None: no stage gets there."""
        first, total = self._width() / (self.remains[stage - 1] if stage else 1.0), 0.0
        for seconds, remains in zip(self.seconds[stage:], self.remains[stage:], strict=False):
            total += seconds
            if first * remains <= self.account.accuracy:
                return total
        return None

    def _width(self) -> float:
        """Of the bracket so far, relative to its upper end."""
        lower, upper = self.account.lower, self.account.upper
        assert lower is not None and upper is not None
        return (upper.value - lower.value) / max(abs(upper.value), 1e-300)

    def _pace(self) -> float:
        """States of a sample drawn and answered in a second, by all workers."""
        size = Quadrature(replicates=1, fibres=32, types=1024, rows=16, bins=128)
        dims = self.account.space.dims
        u = constant_prices(dims, min(largest_nodes(dims, MORE_BUYERS[0].mesh), 2), 0.0, 0.5)
        seconds = math.inf
        # the first compiles and fills caches; somebody else may have the processor in the next
        for _ in range(5):
            began = time.perf_counter()
            dual_replicate(np.random.SeedSequence(0), self.account.space, u, size)
            seconds = min(seconds, time.perf_counter() - began)
        return self.account.space.n * size.fibres * size.types * self.account.workers.count / seconds

    def _states(self, effort: Effort) -> float:
        """States of a stage's samples: drawn in the fit, answered at every step, and evaluated."""
        fit, size = effort.fit, effort.quadrature
        drawn = fit.samples + (fit.steps // fit.refresh if fit.refresh else 0)
        fitted = fit.fibres * fit.types * (drawn + 0.5 * fit.steps)
        answered = size.fibres * size.types * (1.0 if size.wide == 1 else 2.0 + 1.0 / size.wide)
        return float(self.account.space.n * (fitted + size.replicates * answered))


def spoken(seconds: float) -> str:
    """A rough time in words: one digit of seconds or minutes."""
    amount, unit = (max(seconds, 1.0), "s") if seconds < 90.0 else (seconds / 60.0, "minutes")
    return f"{float(f'{amount:.1g}'):.0f} {unit}"
