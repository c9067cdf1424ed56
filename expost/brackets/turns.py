"""Whose turn it is: the side whose next stage is expected to take most off the width in a second."""

from __future__ import annotations

from collections.abc import Iterator

from expost.brackets.account import Account
from expost.brackets.records import LOWER, UPPER, Bound

SIDES = (UPPER, LOWER)
ERROR = 0.5
"""Of the error of a side's bound: what its next stage is expected to bring at least, by larger samples."""


class Turns:
    """The stages of both sides, one at a time: the first of each, upper side first, then of the side that is worth
    more. A side's next stage is expected to bring what its last one did, or part of its bound's error, whichever is
    more, and at most the whole width, in as much time: a side that gains nothing waits until the other does not,
    either. Without a limit every stage counts as equally long, for nothing may depend on how fast the machine is."""

    def __init__(self, account: Account, stages: int) -> None:
        self.account, self.stages = account, stages
        self.done, self.gains = dict.fromkeys(SIDES, 0), dict.fromkeys(SIDES, 0.0)
        self.seconds = dict.fromkeys(SIDES, 1.0)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """A side and the number of its stage; whoever takes it does that stage before the next."""
        while ahead := [side for side in SIDES if self.done[side] < self.stages]:
            side = min(ahead, key=self._rank)
            began, before = self.account.seconds, self._bound(side).value
            yield side, self.done[side]
            self.done[side] += 1
            self.gains[side] = abs(self._bound(side).value - before)
            if self.account.clock.limited:
                self.seconds[side] = max(self.account.seconds - began, 1e-9)

    def _rank(self, side: str) -> tuple[bool, float, int]:
        """The lower, the sooner: who has not begun, who is worth more, who has had fewer turns."""
        if not self.done[side]:
            return False, 0.0, 0
        width = self._bound(UPPER).value - self._bound(LOWER).value
        gain = min(max(self.gains[side], ERROR * self._bound(side).error), width)
        return True, -gain / self.seconds[side], self.done[side]

    def _bound(self, side: str) -> Bound:
        bound = self.account.upper if side == UPPER else self.account.lower
        assert bound is not None
        return bound
