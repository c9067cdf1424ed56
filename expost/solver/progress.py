"""Progress of a long solve, as data; whoever calls decides whether to show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

from expost.errors import InputError


@dataclass(frozen=True)
class Progress:
    """Where a solve stands, in the unit of the weights (bound and incumbent may be infinite).

    stage: a word or two on what is being done. elapsed: seconds since the solve began.
    """

    stage: str
    bound: float
    incumbent: float
    elapsed: float

    @property
    def gap(self) -> float:
        """Bound minus incumbent, in the unit of the weights."""
        return self.bound - self.incumbent


ProgressCallback = Callable[[Progress], None]


def check_time_limit(time_limit: float | None) -> None:
    """Raise InputError unless the time limit is None or a positive number of seconds."""
    if time_limit is not None and not time_limit > 0:
        raise InputError(
            f"a time limit of {time_limit}", where="time_limit", expected="a positive number of seconds"
        )


def check_gap(gap: float | None) -> None:
    """Raise InputError unless the gap is None or a share in [0, 1)."""
    if gap is not None and (isinstance(gap, bool) or not isinstance(gap, Real) or not 0.0 <= gap < 1.0):
        raise InputError(f"a gap of {gap!r:.60}", where="gap", expected="a share of the bound, such as 1e-4")


def gap_reached(bound: float, value: float, gap: float | None) -> bool:
    """Whether a bound is at most this share of its size above a rule's value; None never is."""
    return gap is not None and bound - value <= gap * abs(bound)
