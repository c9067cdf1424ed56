"""Time: every long step of a bracket asks a clock, and stops where there is none left."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

TRIED = 0.02
"""Of the time that is left, what a run that tells the pace may take to be done."""


class OutOfTime(Exception):
    """The time of a step is over; whoever gave it that time goes on with what there is."""


class Clock:
    """How many seconds are left, infinitely many without a limit. Sent to another process or machine, a clock has as
    many seconds left there as it had when it left. ``whole``: how many it had at first."""

    def __init__(self, seconds: float = math.inf) -> None:
        self.whole, self.deadline = seconds, time.perf_counter() + seconds

    @property
    def left(self) -> float:
        """Seconds left."""
        return self.deadline - time.perf_counter()

    @property
    def limited(self) -> bool:
        """Whether it ever runs out. Where it does not, nothing may depend on how fast the machine is."""
        return math.isfinite(self.deadline)

    def check(self) -> None:
        """Raise OutOfTime when it has run out."""
        if self.left <= 0.0:
            raise OutOfTime

    def part(self, share: float) -> Clock:
        """A clock that runs out when ``share`` of the time that is left has passed."""
        return Clock(share * self.left if self.limited else math.inf)

    def paced(self, steps: int) -> Iterator[tuple[int, float]]:
        """The numbers of the steps, each with the share of the way that lies behind it (0 to 1): of the steps or of
        the time, whichever is larger. Ends early when the clock runs out."""
        whole = self.left
        for step in range(steps):
            left = self.left
            if left <= 0.0:
                return
            yield step, max(step / steps, 1.0 - left / whole if self.limited else 0.0)

    def each(self, run: Callable[[int], object], few: int, most: int) -> float:
        """Seconds that each takes of what ``run`` does so many of. What is done once does not count: larger runs are
        compared with smaller ones, from a quarter of a ``few`` on, while they are short, up to ``most``."""
        before, count = 0, max(few // 4, 1)
        earlier, seconds = 0.0, _timed(run, count)
        while 2 * count <= most and (count < few or 4.0 * seconds < TRIED * self.left):
            before, earlier, count = count, seconds, min(4 * count, most)
            seconds = _timed(run, count)
        # never less than half of the plain mean: either run may have been disturbed
        return max((seconds - earlier) / (count - before), 0.5 * seconds / count)

    def __getstate__(self) -> tuple[float, float]:
        return self.whole, self.left

    def __setstate__(self, state: tuple[float, float]) -> None:
        self.whole, self.deadline = state[0], time.perf_counter() + state[1]


def _timed(run: Callable[[int], object], count: int) -> float:
    began = time.perf_counter()
    run(count)
    return time.perf_counter() - began


ENDLESS = Clock()
