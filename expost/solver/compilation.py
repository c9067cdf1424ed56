"""Whether the compiled kernels are cached on this machine, and the one line that says when they are not."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

NOTICE = "expost: compiling the minimum-cut kernels (once per installation, a few seconds)"

Notify = Callable[[str], None]

_ASKED: list[Sequence[Any]] = []


def to_stderr(line: str) -> None:
    """Write one line on standard error."""
    print(line, file=sys.stderr, flush=True)


def is_cached(kernel: Any) -> bool:
    """Whether a numba function has an index in its cache that is no older than its source."""
    folder = Path(kernel.stats.cache_path)
    source = Path(inspect.getfile(kernel.py_func))
    written = source.stat().st_mtime
    pattern = f"{source.stem}.{kernel.py_func.__qualname__}-*.nbi"
    return any(index.stat().st_mtime >= written for index in folder.glob(pattern))


def announce(kernels: Sequence[Any], notify: Notify | None) -> bool:
    """Say so once a process when some kernel is about to be compiled; return whether one is.

    notify: takes the line; by default it goes to standard error. Asked again, the answer is no: searches
    that solve thousands of small cuts neither repeat the line nor look at the cache each time.
    """
    if kernels in _ASKED:
        return False
    _ASKED.append(kernels)
    if all(kernel.signatures or is_cached(kernel) for kernel in kernels):
        return False
    (notify or to_stderr)(NOTICE)
    return True
