"""Compiled functions whose cache can neither fail nor mislead: ``numba.njit``, one home for its cache.

Numba caches a compiled function beside its file or in the user's cache, and knows by the contents of that
file alone whether the cache is fresh. So whatever a compiled function calls and inlines belongs into the
same file. What numba does not forgive is mended here: a damaged cache is written anew, a full disk is no reason not to
compute, and where nothing can be written the functions are compiled in every process.

Nothing interrupts numba. So where there is a limit (``expost._limits``), another process compiles what is not in the
cache (``expost._compiler``), and nobody waits for it beyond the limit. What it has written the next call need not
compile.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import math
import shutil
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import FunctionCache, NullCache
from numba.core.runtime import rtsys

from expost._limits import NotCompiled, until

NOTICE = "expost: compiling (once per installation, about ten seconds)"
UNCACHED = (
    "expost: compiling (about ten seconds in every process, for want of a folder to keep the result: "
    "set NUMBA_CACHE_DIR to one that can be written)"
)

_announced: set[str] = set()


def announce(line: str) -> None:
    """Write a line on standard error, once a process."""
    if line not in _announced:
        _announced.add(line)
        print(line, file=sys.stderr, flush=True)


class KeptCache(FunctionCache):  # type: ignore[misc]
    """Numba's cache of a function. A file that cannot be read counts as missing, one that cannot be written is left."""

    notice = NOTICE
    folder: str | None = None
    """Where the function is kept, where that is not for numba to say."""

    def load_overload(self, signature: Any, target: Any) -> Any:
        """What was compiled for the signature, or None, said once, when it has to be compiled now.

        Raises NotCompiled when there is a limit, and it comes before another process has compiled it.
        """
        found = self._found(signature, target)
        if found is None:
            announce(self.notice)
            deadline = until()
            if math.isfinite(deadline):
                from expost._compiler import compile_elsewhere

                if not compile_elsewhere(self._py_func, signature, deadline, self.folder):
                    raise NotCompiled
                found = self._found(signature, target)
        return found

    def _found(self, signature: Any, target: Any) -> Any:
        """What was compiled for the signature, or None.

        Numba's own method first brings ``target`` up to date: it imports all that compiled code could ever call,
        linear algebra and random numbers included, which is a third of a small solve. Code that is compiled already
        wants nothing of it but the runtime that counts references, and a compilation brings ``target`` up to date by
        itself.
        """
        rtsys.initialize(target)
        try:
            with self._guard_against_spurious_io_errors():
                return self._load_overload(signature, target)
        except Exception:  # unpickling what is left of a file can raise anything
            # an index that cannot be read would stop the new one from being written
            with contextlib.suppress(OSError):
                self.flush()
            return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep what was compiled, if there is room for it."""
        with contextlib.suppress(OSError):
            super().save_overload(signature, compiled)


class NoCache(NullCache):  # type: ignore[misc]
    """No folder can be written: everything is compiled anew, and that is said once."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Nothing; where there is a limit, what another process hands over in a temporary folder."""
        if math.isinf(until()) or (folder := _scratch()) is None:
            announce(UNCACHED)
            return None
        return kept_in(folder, self.function).load_overload(signature, target)


def kept_in(folder: str, function: Callable[..., Any]) -> KeptCache:
    """The cache of a function in a folder, whatever numba would choose."""
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, folder
    try:
        cache = KeptCache(function)
    finally:
        numba.config.CACHE_DIR = before
    cache.notice, cache.folder = UNCACHED, folder
    return cache


@functools.cache
def _scratch() -> str | None:
    """A folder for as long as this process lives, or None."""
    try:
        folder = tempfile.mkdtemp(prefix="expost-")
    except OSError:
        return None
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator: ``numba.njit`` with these options, cached as this module says."""

    def decorate(function: Callable[..., Any]) -> Any:
        # nobody calls them from C
        dispatcher = numba.njit(no_cfunc_wrapper=True, **options)(function)
        if hasattr(dispatcher, "_cache"):  # with NUMBA_DISABLE_JIT it is the function itself
            try:
                dispatcher._cache = KeptCache(function)
            except RuntimeError:  # numba found no folder
                dispatcher._cache = NoCache(function)
        return dispatcher

    return decorate
