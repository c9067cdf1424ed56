"""One case of a sweep: what is asked of one instance, its address by content, and its row."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expost._progress import silent
from expost._version import __version__
from expost.errors import ExpostError, InputError, LimitReached
from expost.instances.environment import Instance
from expost.instances.functions import function_names, marked_toml
from expost.runs.sampled import sampled_arrays
from expost.spaces.type_space import discretize

if TYPE_CHECKING:
    from expost.formulations.coarser import Known

SOLVE = (
    "timing",
    "first",
    "objective",
    "restrict",
    "points",
    "backend",
    "symmetric",
    "lotteries",
    "time_limit",
    "gap",
)
BRACKET = ("timing", "first", "accuracy", "time_limit", "seed")
CHECK = ("first", "seed")
BAYESIAN = ("participation", "time_limit")
FIGURES = (
    "status", "welfare", "upper_bound", "gap", "first_best", "no_sale", "share", "revenue", "sold", "value", "states",
    "binaries", "backend",
)  # fmt: skip
CHECKED = (
    "admissible",
    "how",
    "worst_violation",
    "welfare",
    "welfare_error",
    "revenue",
    "sold",
    "share",
    "dominated_gain",
)
ENDED: Mapping[type[ExpostError], str] = {InputError: "refused", LimitReached: "limit"}
"""The ``status`` of a case that failed; of any other failure it is ``failed``."""
BENCHMARK = (
    "status",
    "first_best",
    "welfare",
    "upper_bound",
    "ex_post",
    "private_information",
    "robustness",
    "revenue",
)
FAMILIES = 4
"""Families of cases of which a thread remembers the last one."""
PROBE = 3
"""Points per signal on which Python functions are told apart."""


Answer = tuple[dict[str, Any], Any]
"""The figures of a case, and what can be saved of it; None where there is nothing."""


@dataclass(frozen=True)
class Case:
    """One case: the instance with its parameters, and what is asked. ``key``: its address, by content."""

    instance: Instance
    asked: Mapping[str, Any]
    what: str
    keep: Path | None

    @cached_property
    def key(self) -> str:
        """A digest of the instance, of what is asked, and of the version."""
        parts = [__version__, self.what, marked_toml(self.instance)]
        if function_names(self.instance):
            for name, array in sampled_arrays(discretize(self.instance, PROBE)).items():
                parts += [name, hashlib.sha256(array.tobytes()).hexdigest()]
        asked = {name: plain_of(value) for name, value in self.asked.items()}
        return hashlib.sha256(json.dumps([parts, asked], sort_keys=True).encode()).hexdigest()[:32]

    @property
    def family(self) -> str:
        """What cases that differ in parameters of the instance alone have in common."""
        return json.dumps([self.instance.name, {name: plain_of(value) for name, value in self.asked.items()}])

    def labels(self) -> dict[str, Any]:
        """The columns that say which case it is."""
        return {**self.instance.parameters, **{name: plain_of(value) for name, value in self.asked.items()}}

    def run(self) -> dict[str, Any]:
        """The row of the case; an error becomes its text."""
        started = time.perf_counter()
        row: dict[str, Any] = {"instance": self.instance.name, **self.labels()}
        found: Any = None
        try:
            with silent():
                figures, found = _COMPUTE[self.what](self)
            row |= figures | {"error": ""}
        except ExpostError as error:
            row |= {"status": ENDED.get(type(error), "failed"), "error": str(error)}
        row |= {"seconds": time.perf_counter() - started, "case": self.key}
        if found is not None and self.missing:
            self.save(found)
        return row

    @property
    def folder(self) -> Path | None:
        """Where what was found is kept."""
        return None if self.keep is None else self.keep / self.key

    @property
    def missing(self) -> bool:
        """Whether what is found is to be kept, and is not there yet."""
        return self.folder is not None and not self.folder.exists()

    def save(self, found: Any) -> None:
        """Keep what was found. Raises InputError where that fails: the sweep ends, and the case is not done."""
        try:
            found.save(self.folder)
        except InputError as error:
            raise InputError(
                f"{self.folder}: {error.found}"[:160],
                where="keep",
                expected="room for the runs",
                remedy="what was written is kept: the same sweep goes on from there",
            ) from None


class _Latest(threading.local):
    """What this thread knows of the last case of each family: same instance and settings, other parameters."""

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}

    def keep(self, family: str, known: Known) -> None:
        """Remember the case, and forget the family that has been left alone for longest."""
        self.known.pop(family, None)
        self.known[family] = known
        if len(self.known) > FAMILIES:
            del self.known[next(iter(self.known))]


LATEST = _Latest()


def _solved(case: Case) -> Answer:
    """The figures of a solve, which starts from the case before: a neighbour of it where one parameter moves.

    What is found does not depend on that, so that tables are the same in whatever order and on however many processes.
    Where a limit ends a solve it would, and lotteries are no minimum cut.
    """
    from expost.formulations.coarser import has_use
    from expost.runs.solve import solve

    if any(case.asked.get(name) for name in ("lotteries", "time_limit", "gap", "symmetric")):
        run = solve(case.instance, **case.asked)
    else:
        run = solve(case.instance, **case.asked, near=LATEST.known.get(case.family))
        if has_use(run.formulation):
            LATEST.keep(case.family, run.known)
    record = run.to_dict() | {"value": run.welfare} if case.asked.get("lotteries") else run.record.to_dict()
    return {name: record[name] for name in FIGURES}, run


def _bracketed(case: Case) -> Answer:
    from expost.runs.bracket import bracket

    found = bracket(case.instance, **case.asked)
    return {
        "lower": float(found.lower),
        "upper": float(found.upper),
        "width": found.width,
        "reached": found.reached,
        "confidence": found.confidence,
        "seed": found.seed,
        "lower_by": found.lower.method,
        "upper_by": found.upper.method,
    }, found


def _benchmark(case: Case) -> Answer:
    from expost.runs.bayesian import bayesian

    found = bayesian(case.instance, **case.asked)
    row = found.to_dict()
    return {name: row[name] for name in BENCHMARK}, found


def _checked(case: Case) -> Answer:
    from expost.runs.check import check

    asked = dict(case.asked)
    found = check(case.instance, asked.pop("prices"), asked.pop("grid"), **asked).to_dict()
    found["welfare_error"] = found["error"]  # a row's "error" says why a case failed
    return {name: found[name] for name in CHECKED}, None


_COMPUTE: dict[str, Callable[[Case], Answer]] = {
    "solve": _solved,
    "bracket": _bracketed,
    "check": _checked,
    "bayesian": _benchmark,
}


def plain_of(value: Any) -> Any:
    """A setting as a JSON value and as one cell of a table."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return ",".join(f"{name}={number}" for name, number in value.items())
    if isinstance(value, Sequence):
        return ",".join(str(part) for part in value)
    formulas = getattr(value, "formulas", None)
    if formulas is not None:
        return "; ".join(f"{buyer}: {text}" for buyer, text in formulas().items()) + (
            f" with {dict(value.parameters)}" if value.parameters else ""
        )
    return str(value)
