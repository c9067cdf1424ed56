"""Memory of this process: its peak, and what a call has added to it."""

from __future__ import annotations

import importlib

from expost._memory import peak_bytes


def peak_memory_mb() -> float:
    """The largest resident size so far, in MiB (0 where the platform does not tell)."""
    return peak_bytes() / 2**20


def resident_mb() -> float:
    """The resident size now, in MiB."""
    import psutil

    return float(psutil.Process().memory_info().rss) / 2**20


class MemoryUsed:
    """What is used from now on, as far as it raises the peak of the process."""

    def __init__(self) -> None:
        self._resident, self._peak = resident_mb(), peak_memory_mb()

    def load(self, module: str) -> None:
        """Import a module; what that takes does not count."""
        before = resident_mb()
        importlib.import_module(module)
        self._resident += resident_mb() - before

    def bytes_per(self, binaries: int) -> float | None:
        """The largest resident size since the start less that at the start, in bytes per binary.

        None where the process had been as large before, so that its peak does not tell.
        """
        peak = peak_memory_mb()
        if peak <= self._peak:
            return None
        return round((peak - self._resident) * 2**20 / binaries, 1)
