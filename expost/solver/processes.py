"""The one place that starts, watches and ends foreign solvers: each runs in a process of its own.

HiGHS prints when it is created and solves once at a time in a process; CBC does not look at the clock inside a linear
program; PuLP, cvxpy and what is behind them print and start processes as they like. So none of them is ever called
here. A worker (``expost.solver.worker``) is an interpreter in its own session, with its own standard output and its own
temporary folder: Ctrl-C at a terminal does not reach it, and ending it ends what it started and nothing that anybody
else did. It is kept for the next task, for it takes a quarter of a second to start; a thread that finds none free
starts another. A worker ends with the process that started it, however that ends.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import math
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from expost._interpreter import interpreter, modules_path
from expost.errors import InputError, SolverError
from expost.solver.interrupts import listening, requested
from expost.solver.worker import receive, send

KEPT = 4
"""Workers that wait for the next task at most."""

TIRED = 1 << 30
"""A worker that has had so many bytes is not kept: what it took it may never give back."""

GRACE, PART = 0.8, 0.1
"""A task that does not stop at its limit is ended after so many seconds and this part of the limit."""

PATIENCE = 1.5
"""Seconds that an interrupted task gets for handing over what it has."""

BEAT = 0.05
"""Seconds between two looks at the clock."""


@dataclass(frozen=True)
class Reply:
    """What came of a task.

    answer: what it returned; None when it was ended before. stopped: ``time limit`` or ``interrupted`` when it was
    told to stop, else empty. memory: the worker's largest memory so far, in bytes (0 when ended).
    """

    answer: Any
    stopped: str = ""
    memory: int = 0

    @property
    def ended(self) -> bool:
        """Whether the task was ended before it answered."""
        return self.stopped != "" and self.answer is None


def call(
    task: str,
    /,
    *,
    who: str,
    seconds: float | None = None,
    heard: Callable[[Any], None] | None = None,
    idle: Callable[[], bool] | None = None,
    **arguments: Any,
) -> Reply:
    """Run a task in a worker and wait for it.

    task: ``module:function``, called as ``function(line, **arguments)`` over there. who: the solver's name, for
    errors. seconds: the limit; the task knows it, and is ended when it does not keep it. heard: takes the notes that
    the task sends meanwhile. idle: called again and again meanwhile; False when there is nothing left to do.

    Ctrl-C asks the task for what it has, and ends it when that does not come soon; a second one raises
    KeyboardInterrupt. Raises SolverError when the task or its process dies, InputError when it refuses its input.
    """
    worker = _take()
    try:
        with listening():
            reply, kind = _Call(worker, who, seconds, heard, idle).run(task, arguments)
    except BaseException:
        worker.end()
        raise
    if (reply.ended and kind != "unsent") or reply.memory > TIRED:
        worker.end()
    else:
        _give_back(worker)
    if kind == "refused":
        found, where, expected, remedy = reply.answer
        raise InputError(found, where=where, expected=expected, remedy=remedy)
    if kind == "failed":
        raise SolverError(reply.answer if who in reply.answer else f"{who} {reply.answer}")
    return reply


def prepare() -> None:
    """Let a worker start now, if none is waiting, so that it is there when it is needed."""
    with _LOCK:
        waiting = bool(_WAITING)
    if not waiting:
        _give_back(_take())


class _Worker:
    """A process of ours and the line to it."""

    def __init__(self) -> None:
        self.ready = False
        self.scratch = tempfile.mkdtemp(prefix="expost-")
        inbox, self._tasks = _pipe()
        self._answers, outbox = _pipe()
        lifeline, self._life = _pipe()
        self._words = tempfile.TemporaryFile()  # noqa: SIM115
        theirs = (inbox, outbox, lifeline)
        try:
            self.process = subprocess.Popen(
                interpreter("expost.solver.worker:main", *theirs),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._words,
                pass_fds=theirs,
                cwd=self.scratch,
                env=self.environment(),
                start_new_session=True,
            )
        except OSError as error:
            shutil.rmtree(self.scratch, ignore_errors=True)
            raise SolverError(f"no process for a solver could be started: {error}") from error
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        self.tasks = Connection(self._tasks, readable=False)
        self.answers = Connection(self._answers, writable=False)
        _ALIVE.add(self)

    def environment(self) -> dict[str, str]:
        """This process's environment as it is now, with the worker's own temporary folder."""
        return dict(os.environ) | {"TMPDIR": self.scratch}

    def end(self) -> None:
        """End the process and whatever it started."""
        # Its number is ours until we have waited for it, and its group is nobody else's.
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.hang_up()
        _ALIVE.discard(self)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def hang_up(self) -> None:
        """Close this process's ends of the line."""
        with contextlib.suppress(OSError):
            self.tasks.close()
            self.answers.close()
            os.close(self._life)
            self._words.close()

    def last_words(self) -> str:
        """How it died: its signal or exit code, and the last line that it printed."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        code = self.process.wait()
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").split("\n")
        last = next((line.strip()[:200] for line in reversed(lines) if line.strip()), "without a word")
        return f"died ({signal.Signals(-code).name if code < 0 else f'exit code {code}'}): {last}"


class _OutOfPatienceError(Exception):
    """The task was told to stop and did not."""


class _Call:
    """One conversation with a worker."""

    def __init__(
        self,
        worker: _Worker,
        who: str,
        seconds: float | None,
        heard: Callable[[Any], None] | None,
        idle: Callable[[], bool] | None,
    ) -> None:
        self.worker, self.who, self.heard, self.idle = worker, who, heard, idle
        self.deadline = math.inf if seconds is None else time.monotonic() + seconds
        self.grace = GRACE + PART * (seconds or 0.0)
        self.stopped, self.until = "", math.inf
        self.sent = False

    def run(self, task: str, arguments: dict[str, Any]) -> tuple[Reply, str]:
        """The reply, and what it is: ``answer``, ``refused``, ``failed``, ``ended`` or ``unsent``."""
        while True:
            try:
                if self.worker.ready and not self.sent:
                    self.send(task, arguments)
                self.wait()
                kind, content = receive(self.worker.answers)
                if kind == "ready":
                    self.worker.ready = True
                elif kind == "note":
                    self.hear(content)
                else:
                    return Reply(content[0], self.stopped, content[1]), kind
            except _OutOfPatienceError:
                return Reply(None, self.stopped), "ended" if self.sent else "unsent"
            except KeyboardInterrupt:
                if self.stopped == "interrupted":
                    raise
                self.stop("interrupted", PATIENCE)
            except (EOFError, OSError) as error:
                raise SolverError(f"{self.who} {self.worker.last_words()}") from error

    def send(self, task: str, arguments: dict[str, Any]) -> None:
        """Hand the task over, with what is left of its time."""
        if self.stopped:
            raise _OutOfPatienceError
        left = None if math.isinf(self.deadline) else self.deadline - time.monotonic()
        send(self.worker.tasks, (task, left, self.worker.environment(), modules_path(), arguments))
        self.sent = True

    def wait(self) -> None:
        """Until there is something to read. Raises _OutOfPatienceError when the task does not stop."""
        while not self.worker.answers.poll(BEAT if self.idle is None else 0.0):
            if self.idle is not None and not self.idle():
                self.idle = None
            now = time.monotonic()
            if requested() and self.stopped != "interrupted":
                self.stop("interrupted", PATIENCE)
            elif now > self.deadline + BEAT and not self.stopped:
                self.stop("time limit", self.grace)
            if now > self.until or (self.stopped and not self.sent):
                raise _OutOfPatienceError

    def stop(self, why: str, patience: float) -> None:
        """Ask for what there is so far."""
        self.stopped, self.idle = why, None
        self.until = min(self.until, time.monotonic() + patience)
        if self.sent:
            with contextlib.suppress(OSError):  # a dead worker is noticed when its answer is read
                send(self.worker.tasks, "stop")

    def hear(self, note: object) -> None:
        """Pass a note on."""
        if self.heard is not None:
            self.heard(note)


def _pipe() -> tuple[int, int]:
    """A pipe, clear of the standard streams: where one of these is closed, its number is the next to be given out."""
    ends = []
    for descriptor in os.pipe():
        ends.append(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3))
        os.close(descriptor)
    return ends[0], ends[1]


_LOCK = threading.Lock()
_WAITING: list[_Worker] = []
_ALIVE: set[_Worker] = set()


def _take() -> _Worker:
    """A worker that is waiting, or a new one."""
    useless, chosen = [], None
    with _LOCK:
        while _WAITING and chosen is None:
            worker = _WAITING.pop()
            if worker.process.poll() is None:
                chosen = worker
            else:
                useless.append(worker)
    for worker in useless:
        worker.end()
    return chosen or _Worker()


def _give_back(worker: _Worker) -> None:
    """Keep a worker for the next task, or end it when there are enough."""
    with _LOCK:
        keep = len(_WAITING) < KEPT
        if keep:
            _WAITING.append(worker)
    if not keep:
        worker.end()


@atexit.register
def _end_all() -> None:
    """End what is left when this process ends."""
    for worker in list(_ALIVE):
        worker.end()


def _forget() -> None:
    """In a forked process: its parent's workers are not its own."""
    global _LOCK  # noqa: PLW0603
    _LOCK = threading.Lock()
    for worker in _ALIVE:
        worker.hang_up()
        worker.process.returncode = 0
    _ALIVE.clear()
    _WAITING.clear()


os.register_at_fork(after_in_child=_forget)
