"""Until when a call may compile: what numba does, nothing interrupts.

Whatever else takes long asks a clock that it is handed. Compiling happens wherever a compiled function is called
first, deep below whoever knows the limit, so that this one is not handed down but known to the thread. Some steps that
are short but for instances with very many signals ask it too.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from numbers import Real
from typing import Generic, ParamSpec, TypeVar

from expost.errors import LimitReached

P = ParamSpec("P")
R = TypeVar("R")

_deadline: ContextVar[float] = ContextVar("deadline", default=math.inf)


def until() -> float:
    """The end of the limit in this thread, on ``time.monotonic``; infinite without one."""
    return _deadline.get()


class NotCompiled(LimitReached):
    """A limit came before what it takes was compiled."""

    def __init__(
        self,
        line: str = "the limit came while expost was still compiling, which it does once per installation; "
        "what is compiled stays: ask again, or allow more time",
    ) -> None:
        super().__init__(line)


def in_time() -> None:
    """Raise LimitReached where the limit in this thread is over: for steps that are long with many signals alone."""
    if time.monotonic() > until():
        raise LimitReached("the limit came before it was computed; allow more time")


@contextlib.contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """What is compiled meanwhile in this thread has so many seconds, and no more than it has anyway; None: as many as
    it has anyway."""
    if seconds is None:
        yield
        return
    token = _deadline.set(min(until(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def limited(function: Callable[P, R]) -> Callable[P, R]:
    """A decorator: what the function compiles keeps to its parameter ``time_limit``, as everything else in it does."""
    named = inspect.signature(function)

    @functools.wraps(function)
    def kept(*given: P.args, **named_too: P.kwargs) -> R:
        try:
            bound = named.bind(*given, **named_too)
        except TypeError:  # which the function itself says better
            return function(*given, **named_too)
        bound.apply_defaults()
        limit = bound.arguments["time_limit"]
        # anything else the function itself refuses
        usable = isinstance(limit, Real) and not isinstance(limit, bool)
        with within(float(limit) if usable else None):
            return function(*given, **named_too)

    return kept


class Carried(Generic[P, R]):
    """A function to be called in another thread, or sent to another process, with the time that is left here."""

    def __init__(self, function: Callable[P, R]) -> None:
        self.function, self.deadline = function, _deadline.get()

    def __call__(self, *given: P.args, **named: P.kwargs) -> R:
        with within(None if math.isinf(self.deadline) else self.deadline - time.monotonic()):
            return self.function(*given, **named)

    def __getstate__(self) -> tuple[Callable[P, R], float]:
        return self.function, self.deadline - time.monotonic()

    def __setstate__(self, state: tuple[Callable[P, R], float]) -> None:
        self.function, self.deadline = state[0], time.monotonic() + state[1]
