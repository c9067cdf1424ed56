"""The standard streams of the command line's own process: a reader who leaves, a full disk, a closed descriptor, a
terminal that knows ASCII alone. None of these is a traceback; the full disk and the closed descriptor are errors.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from typing import Any

from expost.errors import InputError

OUTPUT = 1
"""The descriptor of standard output."""


class _Output(io.RawIOBase):
    """A descriptor that swallows what nobody reads any more; the first other failure is an InputError."""

    def __init__(self, descriptor: int, lost: str) -> None:
        self.descriptor, self.lost, self.silent = descriptor, lost, False

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self.descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return not self.lost and os.isatty(self.descriptor)

    def write(self, content: Any) -> int:
        """Write; after a failure everything is swallowed. Raises InputError for the first but a reader who left."""
        size = memoryview(content).nbytes
        if self.silent or not size:
            return size
        try:
            if not self.lost:
                return os.write(self.descriptor, content)
        except BrokenPipeError:
            self.silent = True
            return size
        except OSError as error:
            self.lost = error.strerror or str(error)
        self.silent = True
        raise InputError(f"cannot be written: {self.lost}", where="standard output")


def prepare() -> None:
    """Make the standard streams of this process ready for anything; only for a process that is ours alone."""
    closed = sys.stdout is None
    if closed:
        _occupy(OUTPUT)
    if sys.stderr is None:
        _occupy(2)
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for the life of the process
    encoding = "utf-8" if closed else sys.stdout.encoding
    unicode = encoding.lower().replace("-", "").startswith("utf")
    raw = _Output(OUTPUT, "it is closed" if closed else "")
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors="surrogateescape" if unicode else "backslashreplace",
        line_buffering=raw.isatty(),
    )


def _occupy(descriptor: int) -> None:
    """Put the null device where a descriptor is closed: the next file opened would take its place and get our text."""
    null = os.open(os.devnull, os.O_RDWR)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)


def finish() -> None:
    """Write what is kept back; from here on Ctrl-C comes too late to matter. Raises InputError as writing does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout.flush()
