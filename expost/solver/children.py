"""Solvers that run as processes of their own: which ones this process started, and ending them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import psutil


def running() -> set[int]:
    """The numbers of all processes that descend from this one."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def end_since(before: set[int]) -> int:
    """End the descendants that were not there ``before``; how many."""
    ended = 0
    for child in psutil.Process().children(recursive=True):
        if child.pid not in before:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.terminate()
                ended += 1
    return ended


class Watch:
    """Whether the watchdog had to step in."""

    overran = False


@contextlib.contextmanager
def watchdog(seconds: float | None) -> Iterator[Watch]:
    """End whatever processes are started inside and still run after so many seconds (None: never)."""
    watch = Watch()
    if seconds is None:
        yield watch
        return
    before = running()

    def bite() -> None:
        watch.overran = end_since(before) > 0

    timer = threading.Timer(seconds, bite)
    timer.daemon = True
    timer.start()
    try:
        yield watch
    finally:
        timer.cancel()
