"""Compiled functions whose cache can neither fail nor mislead: ``numba.njit``, one home for its cache.

Numba caches a compiled function beside its file or in the user's cache, and knows by the contents of that
file alone whether the cache is fresh. So whatever a compiled function calls and inlines belongs into the
same file. What numba does not forgive is mended here: a damaged cache is written anew, a full disk is no reason not to
compute, and where nothing can be written the functions are compiled in every process.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import FunctionCache, NullCache
from numba.core.runtime import rtsys

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

    def load_overload(self, signature: Any, target: Any) -> Any:
        """What was compiled for the signature, or None, said once, when it has to be compiled now.

        Numba's own method first brings ``target`` up to date: it imports all that compiled code could ever call,
        linear algebra and random numbers included, which is a third of a small solve. Code that is compiled already
        wants nothing of it but the runtime that counts references, and a compilation brings ``target`` up to date by
        itself.
        """
        rtsys.initialize(target)
        try:
            with self._guard_against_spurious_io_errors():
                found = self._load_overload(signature, target)
        except Exception:  # unpickling what is left of a file can raise anything
            found = None
            # an index that cannot be read would stop the new one from being written
            with contextlib.suppress(OSError):
                self.flush()
        if found is None:
            announce(NOTICE)
        return found

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep what was compiled, if there is room for it."""
        with contextlib.suppress(OSError):
            super().save_overload(signature, compiled)


class NoCache(NullCache):  # type: ignore[misc]
    """No folder can be written: everything is compiled anew, and that is said once."""

    def load_overload(self, signature: Any, target: Any) -> None:  # noqa: ARG002
        """Nothing."""
        announce(UNCACHED)


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator: ``numba.njit`` with these options, cached as this module says."""

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(no_cfunc_wrapper=True, **options)(function)
        if hasattr(dispatcher, "_cache"):  # with NUMBA_DISABLE_JIT it is the function itself
            try:
                dispatcher._cache = KeptCache(function)
            except RuntimeError:  # numba found no folder
                dispatcher._cache = NoCache()
        return dispatcher

    return decorate
