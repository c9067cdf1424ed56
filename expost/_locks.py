"""Locks on files and folders that end with the process that holds them, killed or not.

Where the system has none (``fcntl`` is missing, or a network share refuses) nothing is locked, and nothing that could
be somebody's is ever taken for abandoned.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PATIENCE = 5.0
"""Seconds to wait for somebody else who is making a draft in the same folder, which takes milliseconds."""


def hold(path: Path) -> int | None:
    """Lock a file or folder; the descriptor that ``release`` takes, or None where that cannot be done."""
    if fcntl is None:
        return None
    descriptor = None
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe would wait
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        release(descriptor)
        return None
    return descriptor


def release(descriptor: int | None) -> None:
    """End a lock."""
    if descriptor is not None:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def held(path: Path) -> bool:
    """Whether somebody holds ``path``, or nobody can tell."""
    descriptor = hold(path)
    release(descriptor)
    return descriptor is None


@contextlib.contextmanager
def waiting(folder: Path) -> Iterator[bool]:
    """Hold ``folder`` for a moment, after whoever does so now; False where it cannot be had."""
    until = time.monotonic() + PATIENCE
    descriptor = hold(folder)
    while descriptor is None and fcntl is not None and time.monotonic() < until and folder.is_dir():
        if not os.access(folder, os.R_OK):
            break
        time.sleep(0.002)
        descriptor = hold(folder)
    try:
        yield descriptor is not None
    finally:
        release(descriptor)
