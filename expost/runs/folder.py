"""A solved run as a folder: written whole or not at all, re-opened without any solver.

result.json       the record (``record.py``) and the digest of every other file
instance.toml     the instance
allocation.npz    winner: uint8, state shape, 0 nobody, k the k-th buyer; smallest and largest likewise, the rules of
                  the extreme optimal closures where the solver knows them
certificate.npz   the integer multipliers of the certificate, where there is one
prices.csv, prices.parquet   the terms of static buyers
menu.csv, menu.parquet       the terms of sequential buyers
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from expost._typing import Array, Bool, UInt8
from expost.errors import InputError
from expost.files import new_folder
from expost.instances.environment import Instance
from expost.mechanisms.export.tables import Columns
from expost.runs.record import Record, record_from_json
from expost.runs.settings import Settings
from expost.runs.solve import Run
from expost.runs.tables import read_terms, write_terms
from expost.solver.result import Certificate

RESULT, INSTANCE, ALLOCATION, CERTIFICATE = (
    "result.json",
    "instance.toml",
    "allocation.npz",
    "certificate.npz",
)
DIGESTS = "files"


@dataclass(frozen=True, eq=False)
class SavedRun:
    """What a run's folder says. ``winners`` maps ``winner`` (and ``smallest``, ``largest``) to uint8 state arrays;
    ``terms`` maps file names to columns."""

    folder: Path
    record: Record
    instance: Instance
    winners: dict[str, UInt8] = field(repr=False)
    certificate: Certificate | None = field(repr=False)
    terms: dict[str, Columns] = field(repr=False)

    @property
    def allocation(self) -> Bool:
        """The rule, bool (n, T_1, .., T_n)."""
        return self.rule("winner")

    def rule(self, name: str) -> Bool:
        """The rule that ``winners[name]`` says, bool (n, T_1, .., T_n)."""
        return np.stack([self.winners[name] == k + 1 for k in range(self.instance.n)])


UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    SyntaxError,
    OverflowError,
    MemoryError,
    RuntimeError,  # NotImplementedError among them: a damaged archive may claim any method
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy and zipfile raise on damaged archives."""


def default_folder(name: str, settings: Settings) -> Path:
    """A folder below ``runs`` that does not exist yet, named after the instance and the settings."""
    grid = str(settings.grid.describe()).replace("=", "").replace(",", "-")
    stem = "-".join(re.sub(r"[^A-Za-z0-9._-]+", "_", part)[:60] for part in (name, settings.timing, grid))
    numbered = (Path("runs") / (stem if k == 1 else f"{stem}-{k}") for k in itertools.count(1))
    return next(path for path in numbered if not path.exists())


def save_run(run: Run, out: Path) -> Path:
    """Write ``run`` to the new folder ``out`` and return it. Raises InputError when it cannot be written.

    Everything goes to a hidden folder beside it, which is renamed once complete: a killed run leaves no ``out``.
    """
    from expost.instances.toml_file import instance_to_toml

    toml = instance_to_toml(run.instance)
    with new_folder(out) as work:
        (work / INSTANCE).write_text(toml, encoding="utf-8")
        _write_arrays(run, work)
        write_terms(run.space, run.mechanism, work)
        _write_result(run.record, work)
    return out


def _write_arrays(run: Run, work: Path) -> None:
    solution, formulation = run.solution, run.formulation
    extremes = {"smallest": solution.smallest, "largest": solution.largest}
    arrays: dict[str, Any] = {
        name: winners(formulation.allocation(x)) for name, x in extremes.items() if x is not None
    }
    np.savez_compressed(work / ALLOCATION, winner=winners(run.mechanism.allocation), **arrays)
    certificate = solution.certificate
    if certificate is not None:
        np.savez(
            work / CERTIFICATE,
            scale_exponent=np.int64(certificate.scale_exponent),
            arcs=certificate.arcs,
            packing=certificate.packing,
            covering=certificate.covering,
        )


def winners(allocation: Bool) -> UInt8:
    """Who wins in each state: 0 nobody, k the k-th buyer; ``allocation`` is bool (n, T_1, .., T_n)."""
    return (
        allocation
        * np.arange(1, len(allocation) + 1, dtype=np.uint8).reshape((-1,) + (1,) * (allocation.ndim - 1))
    ).sum(axis=0, dtype=np.uint8)


def _write_result(record: Record, work: Path) -> None:
    digests = {path.name: digest(path) for path in sorted(work.iterdir())}
    data: dict[str, Any] = {**record.to_dict(), DIGESTS: digests}
    (work / RESULT).write_text(json.dumps(data, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_run(folder: Path) -> SavedRun:
    """What ``folder`` holds. Raises InputError when a file is missing, damaged or not one of ours."""
    from expost.instances.toml_file import read_instance

    record = _read_record(folder)
    instance = read_instance(folder / INSTANCE)
    arrays = _read_arrays(folder / ALLOCATION)
    if "winner" not in arrays or any(array.dtype != np.uint8 for array in arrays.values()):
        raise InputError("not the arrays", where=ALLOCATION, expected="winner and extremes as uint8")
    return SavedRun(folder, record, instance, arrays, _read_certificate(folder), read_terms(folder))


def read_result(folder: Path) -> tuple[Record, dict[str, str]]:
    """The record and the digests in ``folder``. Raises InputError as ``open_run``."""
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder", where="run", expected="a folder that `expost solve --out` wrote"
        )
    try:
        text = (folder / RESULT).read_text(encoding="utf-8")
        data = json.loads(text)
        digests = data.pop(DIGESTS)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{type(error).__name__} in {RESULT}", where=str(folder), expected="the file that expost wrote"
        ) from None
    if not isinstance(digests, dict):
        raise InputError(f"'{DIGESTS}' is not an object", where=RESULT, expected="the file that expost wrote")
    return record_from_json(json.dumps(data)), digests


def _read_record(folder: Path) -> Record:
    return read_result(folder)[0]


def _read_arrays(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except UNREADABLE as error:
        raise InputError(
            f"{type(error).__name__}", where=path.name, expected="the arrays that expost wrote"
        ) from None


def _read_certificate(folder: Path) -> Certificate | None:
    path = folder / CERTIFICATE
    if not path.exists():
        return None
    arrays = _read_arrays(path)
    try:
        return Certificate(
            int(arrays["scale_exponent"]), arrays["arcs"], arrays["packing"], arrays["covering"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{error}", where=CERTIFICATE, expected="the arrays that expost wrote") from None
