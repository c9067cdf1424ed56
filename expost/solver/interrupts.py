"""Ctrl-C as a request: the search stops at the next safe point and keeps what it has.

An exception at an arbitrary point can be lost (compiled code loading itself swallows it) or leave a
solver's thread behind. While ``listening``, the first Ctrl-C only sets a flag; a second one raises.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class _Request:
    asked = False


def requested() -> bool:
    """Whether Ctrl-C was pressed since the outermost ``listening`` began."""
    return _Request.asked


def stop_if_requested() -> None:
    """Raise KeyboardInterrupt where it is safe to."""
    if _Request.asked:
        raise KeyboardInterrupt


@contextlib.contextmanager
def finishing() -> Iterator[None]:
    """For the last things to do once Ctrl-C was pressed: the request is set aside meanwhile, a second one counts."""
    before, _Request.asked = _Request.asked, False
    try:
        yield
    finally:
        _Request.asked = _Request.asked or before


def _note(number: int, frame: FrameType | None) -> None:
    if _Request.asked:
        signal.default_int_handler(number, frame)
    _Request.asked = True


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """Turn Ctrl-C into a request, where this thread may and nobody else has taken it over already.

    Only the main thread can, and only Python's own handler is replaced, for as long as this lasts; a handler
    that the program inside sets itself is left alone.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    _Request.asked = False
    found = signal.signal(signal.SIGINT, _note)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is _note:
            signal.signal(signal.SIGINT, found)
        _Request.asked = False
