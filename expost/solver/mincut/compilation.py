"""Whether the compiled kernels are cached on this machine, and the one line that says when they are not."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numba

NOTICE = "expost: compiling the minimum-cut kernels (once per installation, a few seconds)"

Notify = Callable[[str], None]

_ASKED: list[Sequence[Any]] = []


def to_stderr(line: str) -> None:
    """Write one line on standard error."""
    print(line, file=sys.stderr, flush=True)


def is_cached(kernel: Any) -> bool:
    """Whether a numba function has an index in its cache."""
    function = kernel.py_func
    stem = Path(inspect.getfile(function)).stem
    return any(Path(kernel.stats.cache_path).glob(f"{stem}.{function.__qualname__}-*.nbi"))


def discard_stale(kernels: Sequence[Any]) -> None:
    """Drop the cached indices that another version of the kernels has left.

    Numba looks only at the file of a function itself, and would not notice that a function which it
    has inlined from another file has changed. The stamp covers all files that start with ``kernel``.
    """
    source = Path(inspect.getfile(kernels[0].py_func)).parent
    digest = hashlib.sha256(numba.__version__.encode())
    for file in sorted(source.glob("kernel*.py")):
        digest.update(file.read_bytes())
    folder = Path(kernels[0].stats.cache_path)
    stamp = folder / "kernels.stamp"
    # a cache that cannot be written is no reason not to solve
    with contextlib.suppress(OSError):
        if stamp.exists() and stamp.read_text() == digest.hexdigest():
            return
        for index in folder.glob("kernel*.nbi"):
            index.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        stamp.write_text(digest.hexdigest())


def announce(kernels: Sequence[Any], notify: Notify | None) -> bool:
    """Say so once a process when some kernel is about to be compiled; return whether one is.

    notify: takes the line; by default it goes to standard error. Asked again, the answer is no: searches
    that solve thousands of small cuts neither repeat the line nor look at the cache each time.
    """
    if kernels in _ASKED:
        return False
    _ASKED.append(kernels)
    discard_stale(kernels)
    if all(kernel.signatures or is_cached(kernel) for kernel in kernels):
        return False
    (notify or to_stderr)(NOTICE)
    return True
