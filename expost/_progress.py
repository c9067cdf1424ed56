"""Bars that say how far a long call is: on a terminal's standard error or in a notebook, and nowhere else.

One bar at a time, in the main thread of the main process: whatever runs inside of another bar's call, in a worker or in
a thread of the user's stays silent, and so does everything while the environment has ``EXPOST_PROGRESS=0``.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

SOLVE, CALL = 2.0, 0.5
"""Seconds after which a bar appears: of one solve, and of a call that makes many."""

_shown = threading.Lock()
"""Held while some call's bar may show."""


class Standing(Protocol):
    """What a solver tells of where it stands: ``expost.solver.progress.Progress``."""

    @property
    def stage(self) -> str:
        """What is being done."""

    @property
    def bound(self) -> float:
        """Nothing is worth more."""

    @property
    def incumbent(self) -> float:
        """The best found."""


class Bar:
    """How far a call is. Without anybody who looks, ``seen`` is False and the methods do nothing.

    what: the call, in a few words. total: how many steps there are, None where nobody knows.
    """

    def __init__(self, what: str, total: int | None, seen: bool) -> None:
        self.what, self.total, self.seen = what, total, seen
        self.done, self.words = 0, ""
        self._drawn: Any = None
        self._task: Any = None

    def step(self, done: int, words: str = "", of: int | None = None) -> None:
        """``done`` steps are done, ``of`` so many where that was not known; words: what to say beside it."""
        self.done, self.words, self.total = done, words, of or self.total
        if self._drawn is not None:
            self._drawn.update(self._task, completed=done, words=words, total=self.total)

    def solving(self, standing: Standing) -> None:
        """A solver's callback: the best found, the bound, and what is being done."""
        self.step(self.done, f"{standing.incumbent:.6f} to {standing.bound:.6f}  {standing.stage}")

    @property
    def listener(self) -> Callable[[Standing], None] | None:
        """``solving`` for a solver to call, or None where nobody looks: telling costs time."""
        return self.solving if self.seen else None

    def _begin(self) -> None:
        """Draw: begins in a thread of its own, once the call has lasted long enough."""
        drawn = _drawing(self.total is not None)
        self._task = drawn.add_task(self.what, total=self.total, completed=self.done, words=self.words)
        self._drawn = drawn
        drawn.start()

    def _end(self) -> None:
        if self._drawn is not None:
            self._drawn.stop()


@contextmanager
def bar(what: str, total: int | None = None, *, after: float = CALL) -> Iterator[Bar]:
    """A bar for the call inside, drawn from the moment when it has lasted ``after`` seconds until it ends."""
    if not _somebody_looks() or not _shown.acquire(blocking=False):
        yield Bar(what, total, seen=False)
        return
    made = Bar(what, total, seen=True)
    timer = threading.Timer(after, made._begin)
    timer.daemon = True
    timer.start()
    try:
        yield made
    finally:
        timer.cancel()
        timer.join()
        made._end()
        _shown.release()


@contextmanager
def silent() -> Iterator[None]:
    """No bar for the calls inside."""
    held = _shown.acquire(blocking=False)
    try:
        yield
    finally:
        if held:
            _shown.release()


def _somebody_looks() -> bool:
    here = threading.current_thread() is threading.main_thread()
    if not here or multiprocessing.current_process().name != "MainProcess":
        return False
    if os.environ.get("EXPOST_PROGRESS") == "0" or sys.stderr is None:
        return False
    return sys.stderr.isatty() or _in_notebook()


def _in_notebook() -> bool:
    """Whether a notebook's kernel runs us, and can show what changes."""
    interpreter = sys.modules.get("IPython")
    shell = None if interpreter is None else interpreter.get_ipython()
    return (
        type(shell).__name__ == "ZMQInteractiveShell" and importlib.util.find_spec("ipywidgets") is not None
    )


def _drawing(counted: bool) -> Any:
    """What rich draws: transient, and without taking over the user's standard output."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    def at_least(width: int) -> Column:
        return Column(min_width=width, no_wrap=True)

    def text(field: str) -> TextColumn:
        return TextColumn(field, markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))

    columns: list[ProgressColumn] = [text("{task.description}"), BarColumn(12, table_column=at_least(6))]
    columns += (
        [MofNCompleteColumn(table_column=at_least(5)), TimeRemainingColumn(table_column=at_least(7))]
        if counted
        else [TimeElapsedColumn(table_column=at_least(7))]
    )
    columns.append(text("{task.fields[words]}"))
    return Progress(
        *columns,
        console=Console(file=sys.stderr, force_jupyter=_in_notebook()),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        refresh_per_second=5,
    )
