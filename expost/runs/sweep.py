"""``sweep``: many solves, brackets or checks of one instance, one row a case, resumed where it stopped.

A case is what is asked of one instance: its parameters and the keywords of ``solve`` (or ``bracket``, ``check``). It is
addressed by its content, so that nothing is computed twice. Finished cases are written to a journal beside the output
as they end; a killed sweep reads it and goes on.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expost._parallel import in_turn
from expost._progress import bar, silent
from expost._typing import Timing
from expost._version import __version__
from expost.errors import ExpostError, InputError, LimitReached
from expost.files import claim_file, claim_place, is_folder, read_regular, write_whole
from expost.formulations.second_best import BYTES_PER_BINARY
from expost.instances.environment import Instance
from expost.instances.functions import marked_toml
from expost.runs.arguments import InstanceLike, grid_of, jobs_of, load, path_of
from expost.runs.own import MechanismLike
from expost.runs.sampled import sampled_arrays
from expost.spaces.type_space import discretize, type_counts

if TYPE_CHECKING:
    import pandas as pd

    from expost.formulations.coarser import Known

_log = logging.getLogger(__name__)

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
LAST = ("error", "seconds", "case")
"""The last columns of the table."""
IMPORTS = 300 * 2**20
"""Memory that a worker needs before it solves anything, in bytes."""
WHOLE = ("grid", "seed")
SUFFIXES = (".csv", ".parquet")
FAMILIES = 8
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
        for name, array in sampled_arrays(discretize(self.instance, PROBE)).items():
            parts += [name, hashlib.sha256(array.tobytes()).hexdigest()]
        asked = {name: _plain(value) for name, value in self.asked.items()}
        return hashlib.sha256(json.dumps([parts, asked], sort_keys=True).encode()).hexdigest()[:32]

    @property
    def family(self) -> str:
        """What cases that differ in parameters of the instance alone have in common."""
        return json.dumps([self.instance.name, {name: _plain(value) for name, value in self.asked.items()}])

    def labels(self) -> dict[str, Any]:
        """The columns that say which case it is."""
        return {**self.instance.parameters, **{name: _plain(value) for name, value in self.asked.items()}}

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


def sweep(
    instance: InstanceLike,
    grid: Any = 8,
    *,
    bracket: bool = False,
    bayesian: bool = False,
    prices: MechanismLike | Sequence[MechanismLike] | None = None,
    rows: pd.DataFrame | str | Path | None = None,
    out: str | Path | None = None,
    keep: str | Path | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    **over: Any,
) -> pd.DataFrame:
    """One row for each case of a product: parameters of the instance and keywords of ``solve``, each one or several.

    ``ex.sweep("jmmz", grid=[4, 8], k=[0, 0.5, 1], timing=["static", "sequential"])`` makes 12 cases.

    grid: points per signal, one grid or a list. over: for a parameter of the instance, or for ``timing``, ``first``
    (``"c1,c2"``), ``objective``, ``restrict``, ``points``, ``backend``, ``symmetric``, ``time_limit``, one value or a
    list. rows: a table of cases instead (DataFrame or CSV file), a column for each keyword. bracket: brackets of the
    continuum instead of grids; ``accuracy`` and ``seed`` may vary too. bayesian: the Bayesian benchmark instead, with
    what private information and robustness cost. prices: mechanisms to check instead.
    out: a .csv or .parquet file for the table; what it or an interrupted sweep already holds is not computed again.
    keep: a folder in which every run is saved. jobs: cases worked on at once, no more than fit into memory; joblib's
    backend decides where. progress: called with the number of finished cases and of all.

    A case that fails has its text in ``error``; nothing else stops. Raises InputError for a name that is neither, an
    empty list, and an output file of another study.
    """
    import pandas as pd

    base, what = load(instance), _kind(bracket, bayesian, prices is not None)
    asked = dict(over) if bracket else {"grid": grid, **over}
    if prices is not None:
        asked["prices"] = prices
    listed = _product(asked) if rows is None else _table(rows, asked)
    cases = [_case(base, settings, what, keep) for settings in listed]
    target = None if out is None else path_of(out, "out")
    if target is not None:
        _claim(target)
    if keep is not None:
        if what == "check":
            raise InputError("checks", where="keep", expected="solves, brackets or benchmarks to keep")
        claim_place(path_of(keep, "keep"), where="keep")
    journal = _Journal(target, {case.key for case in cases})
    todo = {case.key: case for case in cases if not journal.has(case)}
    count = _workers(list(todo.values()), jobs_of(jobs))
    done = len(cases) - len(todo)
    try:
        with bar(f"sweep of {base.name}", len(cases)) as shown:
            shown.step(done)
            for row in in_turn(Case.run, [(case,) for case in todo.values()], count, ordered=False):
                done += 1
                journal.add(row)
                _log.info(
                    "%s: case %d of %d, %.2f s %s", base.name, done, len(cases), row["seconds"], row["error"]
                )
                shown.step(done)
                if progress is not None:
                    progress(done, len(cases))
    finally:
        journal.close()
        _LATEST.known.clear()
    table = _in_order(pd.DataFrame([journal.done[case.key] for case in cases]))
    if target is not None:
        write_table(table, target)
        journal.remove()
    return table


def _kind(bracket: bool, bayesian: bool, checks: bool) -> str:
    """What every case is. Raises InputError where more than one thing is asked."""
    kinds = [name for name, on in (("bracket", bracket), ("bayesian", bayesian), ("check", checks)) if on]
    if len(kinds) > 1:
        raise InputError(" and ".join(kinds), where=kinds[0], expected="one of them")
    return kinds[0] if kinds else "solve"


def _product(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every combination of what is asked, later keywords varying fastest."""
    choices = {name: _choices(name, value) for name, value in asked.items()}
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


def _choices(name: str, value: Any) -> list[Any]:
    several = isinstance(value, list | range | tuple) or type(value).__module__ in ("numpy", "pandas")
    if not several or (name == "first" and isinstance(value, tuple)):
        return [value]
    found = [one.item() if hasattr(one, "item") else one for one in value]
    if not found:
        raise InputError("an empty list", where=name, expected="at least one value")
    return found


def _table(rows: pd.DataFrame | str | Path, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The cases of a table, one a row, over what is asked for all of them."""
    import pandas as pd

    if not isinstance(rows, pd.DataFrame):
        try:
            rows = _csv(read_regular(path_of(rows, "rows")))
        except (OSError, ValueError) as error:
            raise InputError(
                f"cannot be read: {error}"[:120], where="rows", expected="a CSV file with a column a keyword"
            ) from None
    given = [
        {str(name): _cell(str(name), value) for name, value in row.items() if not _is_empty(value)}
        for row in rows.to_dict("records")
    ]
    if not given:
        raise InputError("a table without rows", where="rows", expected="at least one case")
    return [
        {**settings, **row}
        for row in given
        for settings in _product({name: value for name, value in asked.items() if name not in row})
    ]


def _cell(name: str, value: Any) -> Any:
    """A cell of a table; a column of whole numbers with an empty cell has become one of floats."""
    plain = value.item() if hasattr(value, "item") else value
    whole = name in WHOLE and isinstance(plain, float) and plain.is_integer()
    return int(plain) if whole else plain


def _is_empty(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _case(base: Instance, settings: Mapping[str, Any], what: str, keep: str | Path | None) -> Case:
    """The case of ``settings``: parameters go to the instance, the rest to what is asked."""
    known = {"solve": SOLVE, "bracket": BRACKET, "check": CHECK, "bayesian": BAYESIAN}[what] + (
        "grid",
        "prices",
    )
    parameters = {name: value for name, value in settings.items() if name in base.parameters}
    asked = {name: value for name, value in settings.items() if name not in parameters}
    for name in asked:
        if name not in known:
            raise InputError(
                f"{name!r} is no parameter of {base.name} and no keyword of {what}",
                where=name,
                expected=f"one of {', '.join([*base.parameters, *known])}",
            )
    if "grid" in asked:
        grid_of(asked["grid"]).resolve(base)
    stated = base.with_parameters(**parameters) if parameters else base
    return Case(stated, asked, what, None if keep is None else Path(keep))


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


_LATEST = _Latest()


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
        run = solve(case.instance, **case.asked, near=_LATEST.known.get(case.family))
        if has_use(run.formulation):
            _LATEST.keep(case.family, run.known)
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


def _workers(cases: list[Case], jobs: int) -> int:
    """How many cases at once fit into the memory that is free."""
    jobs = min(jobs, len(cases))
    if jobs == 1 or not cases:
        return 1
    import psutil

    need = max(_bytes(case) for case in cases)
    fit = max(1, int(psutil.virtual_memory().available / need))
    return fit if jobs == -1 and fit < (psutil.cpu_count() or 1) else jobs if jobs == -1 else min(jobs, fit)


def _bytes(case: Case) -> float:
    if "grid" not in case.asked:
        return 2.0 * 2**30
    states = math.prod(type_counts(case.instance, grid_of(case.asked["grid"]).resolve(case.instance)))
    return IMPORTS + states * case.instance.n * BYTES_PER_BINARY[Timing.SEQUENTIAL]


class _Journal:
    """Finished rows by key: those of the output file and of an interrupted sweep, and those of this one."""

    def __init__(self, out: Path | None, keys: set[str]) -> None:
        self.path = None if out is None else out.with_name(f".{out.name}.cases.jsonl")
        self.done: dict[str, dict[str, Any]] = {}
        self.file: FileIO | None = None
        if out is not None and self.path is not None:
            for row in [*_written(out), *_journalled(self.path)]:
                self.done[row["case"]] = row
            strange = set(self.done) - keys
            if strange:
                raise InputError(
                    f"{out} holds {len(strange)} cases of another study",
                    where="out",
                    expected="a new file, or the table of the same study",
                    remedy="name another file, or ask for these cases too",
                )

    def has(self, case: Case) -> bool:
        """Whether there is nothing left to do about a case."""
        row = self.done.get(case.key)
        return row is not None and (bool(row.get("error")) or not case.missing)

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row. Raises InputError when the disk does not take it."""
        self.done[row["case"]] = row
        if self.path is None:
            return
        try:
            if self.file is None:
                self.file = self._opened(self.path)
            _append(self.file, json.dumps(row).encode() + b"\n")
        except OSError as error:
            raise InputError(
                f"cannot be written: {error.strerror}",
                where="out",
                expected="room for the table",
                remedy="what was written is kept: the same sweep goes on from there",
            ) from None

    @staticmethod
    def _opened(path: Path) -> FileIO:
        """The journal, to be appended to without a buffer; a line that a kill or a full disk cut short is ended."""
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab+", buffering=0)
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                _append(file, b"\n")
        return file

    def close(self) -> None:
        """Close the journal; what it holds stays."""
        if self.file is not None:
            self.file.close()

    def remove(self) -> None:
        """The table is written: the journal has served."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    """The table with what says how it went behind all figures, also where the first case has none."""
    last = [name for name in LAST if name in table.columns]
    return table[[name for name in table.columns if name not in last] + last]


def _append(file: FileIO, line: bytes) -> None:
    """Write all of a line. Raises OSError when there is no room for it."""
    while line:
        line = line[file.write(line) :]


def _journalled(path: Path) -> list[dict[str, Any]]:
    """The whole rows of a journal; a line that a kill cut short is left out."""
    rows = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue
    return [row for row in rows if isinstance(row, dict) and "case" in row]


def _written(out: Path) -> list[dict[str, Any]]:
    """The rows of the table in ``out``, none where there is no such file."""
    if not out.exists():
        return []
    table = read_table(out)
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [
        {str(name): value for name, value in row.items()} | {"error": row.get("error") or ""} for row in rows
    ]


def read_table(path: Path, where: str = "out") -> pd.DataFrame:
    """The table that a sweep wrote, .csv or .parquet. Raises InputError when it is no sweep's."""
    import pandas as pd

    try:
        content = read_regular(path)
        table = pd.read_parquet(BytesIO(content)) if path.suffix == ".parquet" else _csv(content)
    except (OSError, ValueError, ImportError) as error:
        raise InputError(
            f"{path}: {error}"[:160], where=where, expected="a new file, or a sweep's table"
        ) from None
    if "case" not in table.columns:
        raise InputError(
            f"{path} is no sweep's table", where=where, expected="a new file, or a sweep's table"
        )
    return table


def _csv(content: bytes) -> pd.DataFrame:
    """A CSV file's table, every digit as it was written: from pandas 3.1 on that is how it reads."""
    import pandas as pd

    new = tuple(int(part) for part in pd.__version__.split(".")[:2]) >= (3, 1)
    return pd.read_csv(BytesIO(content), **({} if new else {"float_precision": "round_trip"}))


def write_table(table: pd.DataFrame, out: Path) -> None:
    """Write a table as .csv or .parquet, at once. Raises InputError for another suffix or an unwritable place."""
    claim_file(out, suffixes=SUFFIXES)
    write_whole(out, _encoded(table, out.suffix), where="out")


def _claim(out: Path) -> None:
    """Raise InputError unless a table can be written at ``out``, whose folder is made if need be."""
    claim_place(out.parent, where="out")
    if is_folder(out.parent):
        claim_file(out, suffixes=SUFFIXES)


def _encoded(table: pd.DataFrame, suffix: str) -> bytes:
    if suffix == ".csv":
        return table.to_csv(index=False).encode()
    buffer = BytesIO()
    try:
        table.to_parquet(buffer, index=False)
    except ImportError:
        raise InputError(
            "no Parquet library",
            where="out",
            expected="pyarrow",
            remedy="install pyarrow, or name a .csv file",
        ) from None
    return buffer.getvalue()


def _plain(value: Any) -> Any:
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
