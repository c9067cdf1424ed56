"""A solved run as a folder: written whole or not at all, re-opened without any solver.

result.json       the record (``record.py``) and the digest of every other file
instance.toml     the instance
allocation.npz    winner: uint8, state shape, 0 nobody, k the k-th buyer; smallest and largest likewise, the rules of
                  the extreme optimal closures where the solver knows them
certificate.npz   the integer multipliers of the certificate, where there is one
sampled.npz       what values that are Python functions gave in every state, where there are any
prices.csv, prices.parquet   the terms of static buyers
menu.csv, menu.parquet       the terms of sequential buyers
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from expost._typing import Array, Bool
from expost.errors import CheckFailed, InputError
from expost.files import is_folder, new_folder, read_regular
from expost.formulations.second_best import formulate, type_space
from expost.formulations.settings import settings_from_json
from expost.instances.environment import Instance
from expost.instances.functions import function_names, marked_toml
from expost.mechanisms.winners import rule_of, winners
from expost.runs.archive import Archive, write_archive
from expost.runs.record import Record, record_from_json
from expost.runs.sampled import instance_of, sampled_arrays
from expost.runs.solved import Solved
from expost.runs.tables import MENU, PRICES, write_terms
from expost.solver.program import Program
from expost.solver.result import Certificate
from expost.spaces.type_space import Grid, TypeSpace, type_counts

RESULT, INSTANCE, ALLOCATION, CERTIFICATE, SAMPLED = (
    "result.json",
    "instance.toml",
    "allocation.npz",
    "certificate.npz",
    "sampled.npz",
)
DIGESTS = "files"


TABLES = tuple(f"{stem}{suffix}" for stem in (PRICES, MENU) for suffix in (".csv", ".parquet"))
FILES = frozenset({RESULT, INSTANCE, ALLOCATION, CERTIFICATE, SAMPLED, *TABLES})
"""Every file that the folder of a run may hold."""
PROOFS = ("cuts_", "tree_", "grain")
"""Beginnings of the names of arrays whose sizes no program determines."""
MOST_PROOFS = 1 << 27
"""Bytes that these may have: a proof by cases is saved up to a third of that, inequalities are far fewer."""
RULES = ("winner", "smallest", "largest")
MOST_TEXT = 1 << 25
"""Bytes of a record or an instance, at most."""


def save_numbered(run: Solved) -> Path:
    """Save below ``runs``, in a folder named after the instance and the settings, numbered when that is taken.

    Runs that end at once number themselves: whoever comes second takes the next number.
    """
    settings = run.settings
    grid = str(settings.grid.describe()).replace("=", "").replace(",", "-")
    parts = (run.instance.name, settings.timing, grid)
    stem = "-".join(re.sub(r"[^A-Za-z0-9._-]+", "_", part)[:60] for part in parts)
    for k in itertools.count(1):
        out = Path("runs") / (stem if k == 1 else f"{stem}-{k}")
        if out.exists():
            continue
        try:
            return save_run(run, out)
        except InputError:
            if not out.exists():
                raise
    raise AssertionError


def save_run(run: Solved, out: Path) -> Path:
    """Write ``run`` to the new folder ``out`` and return it. Raises InputError when it cannot be written.

    Everything goes to a hidden folder beside it, which is renamed once complete: a killed run leaves no ``out``.
    """
    toml = marked_toml(run.instance)
    with new_folder(out) as work:
        (work / INSTANCE).write_text(toml, encoding="utf-8")
        _write_arrays(run, work)
        write_terms(run.space, run.mechanism, work)
        _write_result(run.record, work)
    return out


def _write_arrays(run: Solved, work: Path) -> None:
    units = run.space.units
    rules = {"winner": run.mechanism.allocation, **run.extremes}
    write_archive(work / ALLOCATION, {name: winners(rule, units) for name, rule in rules.items()})
    if run.certificate is not None:
        write_archive(work / CERTIFICATE, run.certificate.arrays())
    if run.record.sampled:
        write_archive(work / SAMPLED, sampled_arrays(run.space))


def _write_result(record: Record, work: Path) -> None:
    digests = {path.name: digest(path) for path in sorted(work.iterdir())}
    data: dict[str, Any] = {**record.to_dict(), DIGESTS: digests}
    (work / RESULT).write_text(json.dumps(data, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_run(folder: Path) -> Solved:
    """The run in ``folder``, rebuilt without any solver: type space, program, rule, terms, certificate.

    Raises InputError when a file is missing, damaged or not one of ours, CheckFailed when the rule does not fit the
    grid.
    """
    record = read_result(folder)[0]
    settings = settings_from_json(record.to_dict())
    archive = Archive(folder / ALLOCATION)
    winner = archive.members.get("winner")
    archive.require(dict.fromkeys(RULES, () if winner is None else winner.shape), optional=RULES[1:])
    assert winner is not None
    instance = _read_instance(folder, settings.grid, winner.shape)
    formulation = formulate(type_space(instance, settings), settings)
    rules = _rules(archive.read(), formulation.space)
    mechanism = formulation.mechanism(rules.pop("winner"))
    certificate = _read_certificate(folder, formulation.program)
    return Solved(instance, settings, record, formulation, mechanism, certificate, rules, folder)


def _read_instance(folder: Path, grid: Grid, shape: tuple[int, ...]) -> Instance:
    """The instance, whose states on ``grid`` are as many as the saved rule has; nothing as large as these is made
    before that is sure."""
    try:
        text = read_regular(folder / INSTANCE, MOST_TEXT).decode("utf-8")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{type(error).__name__}", where=INSTANCE, expected="the instance that expost wrote"
        ) from None
    sampled = Archive(folder / SAMPLED) if os.path.lexists(folder / SAMPLED) else None
    if sampled is not None:
        sampled.require(dict.fromkeys(sampled.members, shape))
    empty = {} if sampled is None else dict.fromkeys(sampled.members, np.broadcast_to(0.0, shape))
    instance = instance_of(text, empty, INSTANCE)
    expected = type_counts(instance, grid.resolve(instance))
    if shape != expected:
        raise CheckFailed(f"{ALLOCATION}: winner has shape {shape}; the grid has {expected}")
    if sampled is None:
        return instance
    if set(sampled.members) != set(function_names(instance)):
        raise InputError(
            "values that the instance does not have", where=SAMPLED, expected="what expost wrote"
        )
    return instance_of(text, sampled.read(), INSTANCE)


def _rules(arrays: dict[str, Array], space: TypeSpace) -> dict[str, Bool]:
    """The rules in the folder by name, bool (n, T_1, .., T_n)."""
    rules = {}
    for name, array in arrays.items():
        try:
            rules[name] = rule_of(array, space.n, space.units)
        except ValueError as error:
            raise CheckFailed(f"{ALLOCATION}: {name} {error}") from None
    return rules


def read_result(folder: Path) -> tuple[Record, dict[str, str]]:
    """The record and the digests in ``folder``. Raises InputError as ``read_run``."""
    if not is_folder(folder):
        raise InputError(
            f"{folder} is not a folder", where="run", expected="a folder that a run or a bracket was saved in"
        )
    try:
        data = json.loads(read_regular(folder / RESULT, MOST_TEXT).decode("utf-8"))
        digests = data.pop(DIGESTS)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{type(error).__name__} in {RESULT}", where=str(folder), expected="the file that expost wrote"
        ) from None
    if not isinstance(digests, dict):
        raise InputError(f"'{DIGESTS}' is not an object", where=RESULT, expected="the file that expost wrote")
    return record_from_json(json.dumps(data)), digests


def _read_certificate(folder: Path, program: Program) -> Certificate | None:
    path = folder / CERTIFICATE
    if not os.path.lexists(path):
        return None
    archive = Archive(path)
    rows: dict[str, tuple[int, ...]] = {
        "scale_exponent": (),
        "arcs": (program.arcs,),
        "packing": (len(program.packing),),
        "covering": (len(program.covering),),
    }
    more = {name: part for name, part in archive.members.items() if name.startswith(PROOFS)}
    archive.require(rows | {name: part.shape for name, part in more.items()})
    if sum(part.nbytes for part in more.values()) > MOST_PROOFS:
        raise InputError(
            "more than a proof needs", where=CERTIFICATE, expected="the arrays that expost wrote"
        )
    arrays = archive.read()
    broken = [name for name, array in arrays.items() if array.dtype.kind not in "iu"]
    if broken or arrays["scale_exponent"].dtype != np.int64:
        raise InputError(
            f"{[*broken, 'scale_exponent'][0]} is no integer", where=CERTIFICATE, expected="integers"
        )
    try:
        return Certificate.from_arrays(arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{error}", where=CERTIFICATE, expected="the arrays that expost wrote") from None
