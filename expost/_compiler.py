"""The process that compiles for another one, which has a limit: it writes numba's cache, function by function.

It serves one function after the other, for numba takes a second before its first. Whoever asked need not wait for the
answer: a function that is begun is also kept, so that every call gets on, however short its limit. The process ends
when its parent does or when nothing is asked for a while.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from types import ModuleType
from typing import Any

from expost import _compiled
from expost._interpreter import interpreter

IDLE = 10.0
"""Seconds that it waits for the next function."""

ATTEMPTS = 2
"""The process that was there may just have ended, a new one has not."""


class _Child:
    """The process and the lines to it. Raises OSError where there can be none."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            interpreter("expost._compiler:main"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C at a terminal is for its parent
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.tasks, self.answers = self.process.stdin, self.process.stdout
        self.asked = 0

    def done(self, task: object, deadline: float) -> bool:
        """Whether this task and all before it were done by the deadline. Raises OSError when the process is gone."""
        pickle.dump(task, self.tasks)
        self.tasks.flush()
        self.asked += 1
        while self.asked:
            if not wait([self.answers.fileno()], max(deadline - time.monotonic(), 0.0)):
                return False
            if not os.read(self.answers.fileno(), 1):
                raise BrokenPipeError
            self.asked -= 1
        return True

    def leave(self) -> None:
        """Let it end when it has done what it is at."""
        for line in (self.tasks, self.answers):
            with contextlib.suppress(OSError):
                line.close()


_LOCK = threading.Lock()
_child: _Child | None = None


def compile_elsewhere(
    function: Callable[..., Any], signature: Any, deadline: float, folder: str | None = None
) -> bool:
    """Let another process compile a decorated function, and keep it in its cache; whether it did before the deadline.

    deadline: on ``time.monotonic``. folder: where to keep it; None: where numba would. True also where no process
    can be started, or it dies: whoever asks then has to compile it himself.
    """
    global _child  # noqa: PLW0603
    code = function.__code__
    task = function.__module__, code.co_filename, function.__qualname__, pickle.dumps(signature), folder
    with _LOCK:
        for _ in range(ATTEMPTS):
            try:
                _child = _child or _Child()
                return _child.done(task, deadline)
            except OSError:
                if _child is not None:
                    _child.leave()
                    _child.process.wait()
                _child = None
    return True


def _forget() -> None:
    """In a forked process: its parent's compiler is not its own."""
    global _LOCK, _child  # noqa: PLW0603
    _LOCK = threading.Lock()
    if _child is not None:
        _child.process.returncode = 0
        _child.leave()
    _child = None


os.register_at_fork(after_in_child=_forget)


def main() -> None:
    """Serve the parent until it is gone, or has nothing more to ask."""
    answers = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with contextlib.suppress(EOFError, OSError):
        while wait([0], IDLE):
            _compile(*pickle.load(sys.stdin.buffer))
            os.write(answers, b".")


def _compile(module: str, file: str, name: str, signature: bytes, folder: str | None) -> None:
    """Compile one function and keep it."""
    dispatcher = getattr(_module(module, file), name)
    if folder is not None:
        dispatcher._cache = _compiled.kept_in(folder, dispatcher.py_func)
    dispatcher.compile(pickle.loads(signature))


def _module(name: str, file: str) -> ModuleType:
    """The module of that name, from that file: a script is not called by its name here."""
    with contextlib.suppress(ImportError):
        found = importlib.import_module(name)
        if getattr(found, "__file__", None) == file:
            return found
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found
