"""Open a saved continuum mechanism of any kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.toml_file import load_instance
from expost.mechanisms.continuum.cells import CellMechanism
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.mechanisms.continuum.solo import SoloMechanism
from expost.spaces.quantile_space import QuantileSpace


def load_mechanism(folder: Path | str) -> ContinuumMechanism:
    """The mechanism that ``save`` wrote. Raises InputError when the folder holds none."""
    path = Path(folder)
    try:
        record = json.loads((path / "mechanism.json").read_text(encoding="utf-8"))
        with np.load(path / "mechanism.npz") as data:
            arrays = {name: data[name] for name in data.files}
        instance = load_instance(str(path / "instance.toml"))
        space = QuantileSpace(instance, tuple(record["first"]))
        return _rebuild(space, record, arrays)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{type(error).__name__}: {error}",
            where=str(folder),
            expected="a folder that a mechanism was saved in",
        ) from None


def _rebuild(space: QuantileSpace, record: dict[str, Any], arrays: dict[str, Float]) -> ContinuumMechanism:
    """The mechanism of a record that ``ContinuumMechanism.save`` wrote. Raises InputError for an unknown kind."""
    method = str(record["method"])
    if record["kind"] == CompletedMechanism.kind:
        return CompletedMechanism(
            space,
            method,
            tuple(int(k) for k in record["order"]),
            tuple(arrays[f"theta_{place}"] for place in range(space.n - 1)),
            int(record["nodes"]),
            int(record["bins"]),
            int(record["depth"]),
            float(record["precision"]),
            bool(record["raised"]),
        )
    if record["kind"] == SoloMechanism.kind:
        return SoloMechanism(space, method, int(record["buyer"]), arrays["theta"], int(record["types"]))
    if record["kind"] == CellMechanism.kind:
        return CellMechanism(
            space, method, int(record["points"]), tuple(arrays[f"table_{i}"] for i in range(space.n))
        )
    raise InputError(f"kind {record['kind']!r}", where="mechanism.json", expected="completion, solo or cells")
