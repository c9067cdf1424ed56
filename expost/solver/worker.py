"""What runs in the process of a foreign solver: it takes tasks from its parent, answers, and dies with it.

Standard output and standard error belong to this process: a solver may print what it likes. A task is a function
``f(line, **arguments)`` in a module of the adapters; what it returns is the answer.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import math
import os
import pickle
import queue
import shutil
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from expost._memory import peak_bytes
from expost.errors import ExpostError, InputError


def send(connection: Connection, message: object) -> None:
    """One message, its arrays as they lie in memory."""
    arrays: list[pickle.PickleBuffer] = []
    head = pickle.dumps(message, protocol=5, buffer_callback=arrays.append)
    connection.send_bytes(len(arrays).to_bytes(4, "big") + head)
    for array in arrays:
        with array.raw() as flat:
            connection.send_bytes(flat)


def receive(connection: Connection) -> Any:
    """The next message. Raises EOFError when the other side is gone."""
    first = connection.recv_bytes()
    count = int.from_bytes(first[:4], "big")
    return pickle.loads(first[4:], buffers=[bytearray(connection.recv_bytes()) for _ in range(count)])


class Line:
    """The line to the parent, as a task sees it.

    stop: set when the parent wants what there is so far. deadline: of the task, on ``time.monotonic``.
    """

    def __init__(self, inbox: int, outbox: int, lifeline: int) -> None:
        self.stop = threading.Event()
        self.deadline = math.inf
        self.tasks: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._inbox = Connection(inbox, writable=False)
        self._outbox = Connection(outbox, readable=False)
        self._lifeline = lifeline
        self._sending = threading.Lock()

    def left(self) -> float:
        """Seconds to the deadline, never below a hundredth: solvers take zero for no limit."""
        return max(self.deadline - time.monotonic(), 0.01)

    def tell(self, note: object) -> None:
        """Send the parent a note while the task goes on."""
        self.say("note", note)

    def say(self, kind: str, content: object) -> None:
        """Send the parent one message."""
        with self._sending:
            send(self._outbox, (kind, content))

    def listen(self) -> None:
        """Hand tasks on as they come; when the parent is gone, end everything that this process started."""
        try:
            while True:
                message = receive(self._inbox)
                if message == "stop":
                    self.stop.set()
                else:
                    self.tasks.put(message)
        except (EOFError, OSError):
            shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
            if os.getpgrp() == os.getpid():
                os.killpg(0, signal.SIGKILL)
            os._exit(1)

    @contextlib.contextmanager
    def dying_with_parent(self) -> Iterator[None]:
        """Die at once when the parent does, even inside a solver that never lets ``listen`` run.

        The kernel signals this process group when the parent's end of the lifeline closes. Not for solvers
        that leave files behind.
        """
        import fcntl

        asynchronous = getattr(os, "O_ASYNC", 0)
        flags = fcntl.fcntl(self._lifeline, fcntl.F_GETFL)
        if asynchronous:
            fcntl.fcntl(self._lifeline, fcntl.F_SETOWN, -os.getpgrp())
            fcntl.fcntl(self._lifeline, fcntl.F_SETFL, flags | asynchronous)
        try:
            yield
        finally:
            fcntl.fcntl(self._lifeline, fcntl.F_SETFL, flags)


def main(inbox: int, outbox: int, lifeline: int) -> None:
    """Serve the parent until it is gone. inbox, outbox, lifeline: file descriptors."""
    warnings.simplefilter("ignore")
    line = Line(inbox, outbox, lifeline)
    threading.Thread(target=line.listen, daemon=True).start()
    line.say("ready", os.getpid())
    while True:
        task, seconds, environment, sys.path[:], arguments = line.tasks.get()
        os.environ.clear()
        os.environ.update(environment)
        line.stop.clear()
        line.deadline = math.inf if seconds is None else time.monotonic() + seconds
        kind, content = _answered(line, task, arguments)
        del arguments
        line.say(kind, (content, peak_bytes()))
        del content
        gc.collect()


def _answered(line: Line, task: str, arguments: dict[str, Any]) -> tuple[str, object]:
    """The answer to a task, or what went wrong in words; a failure of the solver is never one of this process."""
    module, function = task.split(":")
    try:
        return "answer", getattr(importlib.import_module(module), function)(line, **arguments)
    except InputError as error:
        return "refused", (error.found, error.where, error.expected, error.remedy)
    except ExpostError as error:
        return "failed", str(error)
    except Exception as error:
        return "failed", f"died: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
