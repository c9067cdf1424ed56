"""Independent work, spread by joblib: how many tasks at once, and where, is for the caller and joblib's context to say.

Results come in the order of the tasks and are added up in that order, and every task has a seed of its own: the figures
are the same whatever ``jobs`` is. Within a ``with`` block the workers stay: some backends (Ray's) start and end all of
theirs with every call that finds none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import joblib
from joblib.parallel import get_active_backend

from expost._limits import Carried
from expost.errors import InputError

Task = TypeVar("Task")
Result = TypeVar("Result")


class Workers:
    """``jobs`` tasks at once; None: as many as joblib's context says; -1: one per processor."""

    def __init__(self, jobs: int | None = None) -> None:
        whole = isinstance(jobs, int) and not isinstance(jobs, bool)
        if jobs is not None and not (whole and (jobs >= 1 or jobs == -1)):
            raise InputError(
                f"{jobs!r}",
                where="jobs",
                expected="a whole number from 1, -1 for one a processor, or nothing",
            )
        self.jobs = jobs
        self._kept: joblib.Parallel | None = None

    @property
    def count(self) -> int:
        """How many tasks run at once."""
        if self.jobs is not None and self.jobs > 0:
            return self.jobs
        _, active = get_active_backend()
        return int(joblib.effective_n_jobs(active if active is not None and self.jobs is None else -1))

    def __enter__(self) -> Workers:
        self._kept = self._parallel().__enter__()
        return self

    def __exit__(self, *failed: object) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.__exit__(*failed)

    def __getstate__(self) -> dict[str, object]:
        return {"jobs": self.jobs, "_kept": None}

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> list[Result]:
        """The results of all tasks: in threads, or wherever joblib's context (Dask, say) sends them."""
        run = self._parallel() if self._kept is None else self._kept
        kept = joblib.delayed(Carried(function))
        return list(run(kept(task) for task in tasks))

    def threads(self) -> Threads:
        """A pool for many small tasks on large arrays, which are not worth sending elsewhere."""
        return Threads(self.count)

    def _parallel(self) -> joblib.Parallel:
        return joblib.Parallel(n_jobs=self.count, prefer="threads")


class Threads:
    """A pool of threads of this process, to be used in a ``with`` block."""

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=count)

    def __enter__(self) -> Threads:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> list[Result]:
        """The results of all tasks, in their order."""
        futures: list[Future[Result]] = [self._pool.submit(Carried(function), task) for task in tasks]
        return [future.result() for future in futures]
