"""The largest size that this process has had, wherever it was started from."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path


def peak_bytes() -> int:
    """The largest resident size of this process so far; 0 where the platform does not tell."""
    # Not getrusage where it can be helped: on Linux that begins with what the parent had.
    with contextlib.suppress(OSError, StopIteration):
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
