"""Answers beyond the deterministic run as folders: lotteries, several items, epsilon, the Bayesian benchmark.

answer.json     what it is (``kind``), its figures, and the digest of every other file
answer.npz      the arrays from which everything else follows: a mechanism, and the multipliers that bound it
instance.toml   the instance
*.csv, *.parquet    the mechanism as tables

Written whole or not at all. Whoever opens one rebuilds the program from the instance and the settings, audits the
mechanism by definition, recomputes bound and figures; nothing is solved.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from expost._typing import Array, Float
from expost.errors import CheckFailed, InputError
from expost.files import is_folder, is_regular, new_folder, read_regular
from expost.instances.environment import Instance
from expost.instances.functions import function_names
from expost.mechanisms.export.csv_files import TEXT, Columns, to_csv, write_csv
from expost.mechanisms.export.formats import save_table
from expost.mechanisms.export.parquet_files import has_parquet, read_parquet
from expost.runs.archive import Archive, write_archive
from expost.runs.checks import Check
from expost.runs.sampled import instance_of
from expost.spaces.type_space import Grid, type_counts
from expost.tolerances import WELFARE

RECORD, ARRAYS, INSTANCE = "answer.json", "answer.npz", "instance.toml"
DIGESTS, KIND = "files", "kind"
MOST_TEXT = 1 << 25
"""Bytes of a record or an instance, at most."""
HISTORY = ("seconds", "expost", "backend", "nodes", "status")
"""What a record says of how it was made, which nothing in it can confirm (a status is looked at by itself)."""
SAMPLED = "sampled."

Tables = Mapping[str, tuple[Columns, Sequence[str]]]
"""Tables by file stem, each with its notes."""


@dataclass(frozen=True, eq=False)
class Answer:
    """A folder that was read: nothing in it is believed yet."""

    folder: Path
    kind: str
    record: dict[str, Any]
    toml: str
    archive: Archive
    digests: dict[str, Any]

    def instance(self, grid: Grid, like: str) -> Instance:
        """The instance, whose states on ``grid`` are as many as the array ``like`` (n or more, T_1, .., T_n) has.

        Nothing as large as the states is made before that is sure. Raises InputError and CheckFailed when not.
        """
        names = [name for name in self.archive.members if name.startswith(SAMPLED)]
        member = self.archive.members.get(like)
        shape = () if member is None else member.shape[1:]
        if any(self.archive.members[name].shape != shape for name in names):
            raise InputError(
                "sampled values of another shape", where=ARRAYS, expected="the arrays that expost wrote"
            )
        empty = {name.removeprefix(SAMPLED): np.broadcast_to(0.0, shape) for name in names}
        found = instance_of(self.toml, empty, INSTANCE)
        expected = type_counts(found, grid.resolve(found))
        if shape != expected:
            raise CheckFailed(f"{ARRAYS}: {like} has states of shape {shape}; the grid has {expected}")
        if set(empty) != set(function_names(found)):
            raise InputError(
                "values that the instance does not have", where=ARRAYS, expected="what expost wrote"
            )
        if not names:
            return found
        arrays = self.archive.read()
        return instance_of(self.toml, {n.removeprefix(SAMPLED): arrays[n] for n in names}, INSTANCE)

    def arrays(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Float]:
        """The arrays of these shapes, all finite float64. Raises InputError for others."""
        sampled = {n: m.shape for n, m in self.archive.members.items() if n.startswith(SAMPLED)}
        self.archive.require({**shapes, **sampled})
        found = {name: np.asarray(a, np.float64) for name, a in self.archive.read().items() if name in shapes}
        odd = [name for name, array in found.items() if not np.isfinite(array).all()]
        if odd:
            raise InputError(f"{odd[0]} is not finite", where=ARRAYS, expected="finite numbers")
        return found


def write_answer(
    out: str | Path,
    kind: str,
    record: Mapping[str, Any],
    toml: str,
    arrays: Mapping[str, Array],
    tables: Tables,
) -> Path:
    """Write an answer to the new folder ``out`` and return it. Raises InputError when it cannot be written."""
    folder = Path(out)
    with new_folder(folder) as work:
        (work / INSTANCE).write_text(toml, encoding="utf-8")
        write_archive(work / ARRAYS, arrays)
        for stem, (columns, notes) in tables.items():
            _write_table(columns, notes, work, stem)
        digests = {path.name: _digest(path) for path in sorted(work.iterdir())}
        data = {KIND: kind, **record, DIGESTS: digests}
        (work / RECORD).write_text(json.dumps(data, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return folder


def _write_table(columns: Columns, notes: Sequence[str], folder: Path, stem: str) -> None:
    """As CSV; as Parquet too where whoever reads it knows which columns are text."""
    text = {name for name, column in columns.items() if column.dtype.kind == "U"}
    if text <= set(TEXT):
        save_table(columns, notes, folder, stem)
    else:
        write_csv(columns, folder / f"{stem}.csv", notes)


def is_answer(folder: Path) -> bool:
    """Whether there is the record of an answer in ``folder``."""
    return is_regular(folder / RECORD)


def read_answer(folder: Path) -> Answer:
    """What is in ``folder``. Raises InputError when a file is missing, damaged or not one of ours."""
    if not is_folder(folder):
        raise InputError(f"{folder} is not a folder", where="run", expected="a folder that expost wrote")
    try:
        data = json.loads(read_regular(folder / RECORD, MOST_TEXT).decode("utf-8"))
        digests, kind = data.pop(DIGESTS), data.pop(KIND)
        toml = read_regular(folder / INSTANCE, MOST_TEXT).decode("utf-8")
        if not isinstance(digests, dict) or not isinstance(kind, str):
            raise TypeError(DIGESTS)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{type(error).__name__} in {RECORD} or {INSTANCE}",
            where=str(folder),
            expected="the files that expost wrote",
        ) from None
    return Answer(folder, kind, data, toml, Archive(folder / ARRAYS), digests)


def file_checks(answer: Answer) -> Iterator[Check]:
    """Every file is there, is what was written, and there is none besides."""
    present = {path.name for path in answer.folder.iterdir()} - {RECORD}
    for name, value in sorted(answer.digests.items()):
        path = answer.folder / name
        if name not in present or not path.is_file() or path.is_symlink():
            yield Check(f"file {name}", False, "missing")
        elif _digest(path) != value:
            yield Check(f"file {name}", False, "its bytes are not those that were written")
    strange = sorted(present ^ set(answer.digests))
    yield Check(
        "files", not strange, f"{len(answer.digests)} recorded; not both there and recorded: {strange!a:.200}"
    )


def figure_checks(recorded: Mapping[str, Any], found: Mapping[str, Any], scale: float) -> Iterator[Check]:
    """Every recorded figure against the recomputed one."""
    odd = sorted(set(recorded) ^ set(found))
    yield Check("keys of the record", not odd, f"missing or unknown: {odd!a:.200}")
    for key, value in found.items():
        if key not in HISTORY and key in recorded:
            detail = f"recorded {recorded[key]!r:.60}, recomputed {value!r:.60}"
            yield Check(key, alike(recorded[key], value, scale), detail)
    yield Check("not recomputed", True, ", ".join(key for key in HISTORY if key in found), proved=False)


def alike(recorded: Any, found: Any, scale: float) -> bool:
    """Whether JSON values agree, numbers to WELFARE times ``scale``; what is history in them apart."""
    if isinstance(found, Mapping):
        return (
            isinstance(recorded, Mapping)
            and set(recorded) == set(found)
            and all(key in HISTORY or alike(recorded[key], found[key], scale) for key in found)
        )
    if isinstance(found, list | tuple):
        return (
            isinstance(recorded, list)
            and len(recorded) == len(found)
            and all(alike(a, b, scale) for a, b in zip(recorded, found, strict=True))
        )
    if isinstance(found, float):
        number = isinstance(recorded, int | float) and not isinstance(recorded, bool)
        return number and math.isfinite(recorded) and abs(recorded - found) <= WELFARE * scale
    same = isinstance(recorded, str) if isinstance(found, str) else type(recorded) is type(found)
    return same and bool(recorded == found)


def table_checks(folder: Path, tables: Tables) -> Iterator[Check]:
    """The tables in ``folder`` against those that the mechanism implies."""
    for stem, (columns, notes) in tables.items():
        expected = to_csv(columns, notes)
        path = folder / f"{stem}.csv"
        try:
            same = read_regular(path, 2 * len(expected) + 4096) == expected
        except (OSError, ValueError):
            same = False
        yield Check(path.name, same, "the table that the mechanism implies")
        other = folder / f"{stem}.parquet"
        if has_parquet() and is_regular(other):
            found = read_parquet(other, columns)
            same = list(found) == list(columns) and all(
                np.array_equal(found[name], column, equal_nan=column.dtype.kind == "f")
                for name, column in columns.items()
            )
            yield Check(other.name, same, "the table that the mechanism implies")
        elif is_regular(other):
            yield Check(other.name, True, "not read: pyarrow is not installed", proved=False)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
