"""Open a saved continuum mechanism of any kind. Files are regular and of a size that ours can have before anything in
them is read; arrays are read as plain numbers of the shapes that the record announces."""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from expost._typing import Array, Float
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.instances.functions import function_names
from expost.instances.toml_file import read_document
from expost.mechanisms.continuum.atoms import AtomMechanism, atom_shapes
from expost.mechanisms.continuum.cells import CellMechanism, cell_counts
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.mechanisms.continuum.efficient import EfficientMechanism
from expost.mechanisms.continuum.functions import (
    FILE,
    compare_functions,
    function_shapes,
    saved_instance,
    unsaved,
)
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.mechanisms.continuum.posted import PostedMechanism
from expost.mechanisms.continuum.solo import SoloMechanism
from expost.spaces.quantile_space import QuantileSpace

MOST_BYTES = 1 << 30
"""Of any file of a saved mechanism or bracket, and of any array in it."""
MOST_TEXT = 1 << 25
"""Of a record."""
HEADER = 4096
"""Bytes of an array in an archive on top of its numbers, at most."""

DAMAGED = (OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What json, numpy and zipfile raise on damaged files."""

Shapes = Mapping[str, tuple[int, ...]]


def load_mechanism(folder: Path | str, given: Instance | None = None) -> ContinuumMechanism:
    """The mechanism that ``save`` wrote. given: its instance, for the sake of values that are Python functions.

    Raises InputError when the folder holds none, or of another instance.
    """
    path = Path(folder)
    record = read_record(path / "mechanism.json")
    instance = saved_instance(read_document(path / "instance.toml"), given, str(path / "instance.toml"))
    try:
        first = tuple(None if place is None else int(place) for place in record["first"])
        space = QuantileSpace(instance, first)
        if len(first) != space.n or any(
            place is not None and not 0 <= place < dims for place, dims in zip(first, space.dims, strict=True)
        ):
            raise ValueError("first-stage signals that the instance does not have")
        shapes = _shapes(space, record)
        if function_names(instance):
            kept = read_arrays(path / FILE, function_shapes(space))
            if not unsaved(instance):
                compare_functions(space, kept)
        return _rebuild(space, record, read_arrays(path / "mechanism.npz", shapes))
    except (KeyError, ValueError, TypeError, OverflowError, IndexError) as error:
        raise InputError(
            f"{type(error).__name__}: {error}",
            where=str(folder),
            expected="a folder that a mechanism was saved in",
        ) from None


def read_record(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises InputError unless it is one."""
    try:
        _regular(path, MOST_TEXT)
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict):
            raise ValueError("no object")
    except (*DAMAGED, RecursionError) as error:
        raise InputError(
            f"{type(error).__name__}: {error}",
            where=str(path),
            expected="a folder that a mechanism was saved in",
        ) from None
    return record


def read_arrays(path: Path, shapes: Shapes) -> dict[str, Float]:
    """The float64 arrays of an archive, which must be those announced: names and shapes. Raises InputError."""
    try:
        _regular(path, MOST_BYTES)
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: info.file_size for info in archive.infolist()}
        _announced(members, shapes)
        found: dict[str, Array] = {}
        with np.load(path, allow_pickle=False) as data:
            for name, shape in shapes.items():
                found[name] = data[name]
                if found[name].shape != shape or found[name].dtype != np.float64:
                    raise ValueError(
                        f"{name} is {found[name].dtype} {found[name].shape}, not float64 {shape}"
                    )
    except DAMAGED as error:
        raise InputError(
            f"{type(error).__name__}: {error}", where=str(path), expected="the arrays that expost wrote"
        ) from None
    return found


def _announced(members: Mapping[str, int], shapes: Shapes) -> None:
    """Raise ValueError unless an archive's members are the arrays announced, no larger than these."""
    if set(members) != {f"{name}.npy" for name in shapes}:
        raise ValueError(f"arrays {sorted(members)[:9]}, not {sorted(shapes)[:9]}")
    for name, shape in shapes.items():
        size = 8.0 * float(np.prod([float(count) for count in shape]))
        if members[f"{name}.npy"] > size + HEADER or size > MOST_BYTES:
            raise ValueError(f"{name} of {members[f'{name}.npy']} bytes")


def _regular(path: Path, most: int) -> None:
    if not path.is_file() or path.stat().st_size > most:
        raise ValueError(f"no regular file of at most {most} bytes")


def _count(record: Mapping[str, Any], name: str, most: int = 1 << 24) -> int:
    count = record[name]
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= most:
        raise ValueError(f"{name} = {count!r}")
    return count


def _positive(found: object) -> float:
    number = float(found)  # type: ignore[arg-type]
    if not 0.0 < number < math.inf:
        raise ValueError(f"{found!r}: not a positive number")
    return number


def _shapes(space: QuantileSpace, record: Mapping[str, Any]) -> Shapes:
    """What arrays a record announces. Raises ValueError for an unknown kind."""
    kind = record["kind"]
    if kind == CompletedMechanism.kind:
        order, nodes = tuple(int(k) for k in record["order"]), _count(record, "nodes", 1 << 12)
        if sorted(order) != list(range(space.n)) or nodes < 2:
            raise ValueError(f"order {order} and {nodes} nodes")
        rows = [int(count) for count in record["rows"]]
        return {
            f"theta_{place}": (rows[place], nodes ** (sum(space.dims) - space.dims[j]))
            for place, j in enumerate(order[:-1])
        }
    if kind == AtomMechanism.kind:
        return atom_shapes(space)
    if kind in (EfficientMechanism.kind, PostedMechanism.kind):
        return {}
    if kind == SoloMechanism.kind:
        return {"theta": (_count(record, "rows"),)}
    if kind == CellMechanism.kind:
        points = _count(record, "points", 1 << 12)
        counts = [cell_counts(space, i, points) for i in range(space.n)]
        shapes = {}
        for i, place in enumerate(space.first):
            others = math.prod(math.prod(own) for j, own in enumerate(counts) if j != i)
            shapes[f"table_{i}"] = (1 if place is None else counts[i][place], others)
        return shapes
    raise ValueError(f"kind {kind!r}: expected completion, posted, efficient, solo, cells or atoms")


def _rebuild(
    space: QuantileSpace, record: Mapping[str, Any], arrays: Mapping[str, Float]
) -> ContinuumMechanism:
    """The mechanism of a record that ``ContinuumMechanism.save`` wrote. Raises ValueError for arrays that are none."""
    method = str(record["method"])
    if any(np.isnan(array).any() for array in arrays.values()):
        raise ValueError("strikes that are no numbers")
    if record["kind"] == CompletedMechanism.kind:
        theta = tuple(arrays[f"theta_{place}"] for place in range(space.n - 1))
        if any((strikes[1:] > strikes[:-1]).any() for strikes in theta):
            raise ValueError("strikes that rise in a first signal")
        return CompletedMechanism(
            space,
            method,
            tuple(int(k) for k in record["order"]),
            theta,
            _count(record, "nodes"),
            max(1, _count(record, "bins", 1 << 12)),
            _count(record, "depth", 30),
            _positive(record["precision"]),
            bool(record["raised"]),
        )
    if record["kind"] == EfficientMechanism.kind:
        return EfficientMechanism(space, method)
    if record["kind"] == PostedMechanism.kind:
        order, formulas = (
            tuple(int(k) for k in record["order"]),
            tuple(str(text) for text in record["formulas"]),
        )
        if sorted(order) != list(range(space.n)) or len(formulas) != space.n:
            raise ValueError(f"order {order} and {len(formulas)} formulas")
        return PostedMechanism(
            space, method, order, formulas, _count(record, "depth", 30), _positive(record["precision"])
        )
    if record["kind"] == SoloMechanism.kind:
        listed = record["buyers"] if "buyers" in record else [record["buyer"]]
        buyers = tuple(_count({"buyer": one}, "buyer", space.n - 1) for one in listed)
        if not 0 < len(set(buyers)) == len(buyers) <= space.units:
            raise ValueError(f"buyers {buyers} served")
        if (arrays["theta"][1:] > arrays["theta"][:-1]).any():
            raise ValueError("strikes that rise in a first signal")
        return SoloMechanism(space, method, buyers, arrays["theta"], _count(record, "types"))
    tables = tuple(arrays[f"table_{i}"] for i in range(space.n))
    if record["kind"] == AtomMechanism.kind:
        return AtomMechanism(space, method, arrays["rule"], tables)
    return CellMechanism(space, method, _count(record, "points"), tables)
