"""Rebuild a saved continuum mechanism of any kind."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from expost.errors import InputError
from expost.mechanisms.continuum import ContinuumMechanism
from expost.mechanisms.continuum_cells import CellMechanism
from expost.mechanisms.continuum_completion import CompletedMechanism
from expost.mechanisms.continuum_solo import SoloMechanism
from expost.mechanisms.continuum_space import QuantileSpace


def rebuild(
    space: QuantileSpace, record: dict[str, Any], arrays: dict[str, NDArray[np.float64]]
) -> ContinuumMechanism:
    """The mechanism of a record that ``ContinuumMechanism.save`` wrote. Raises InputError for an unknown kind."""
    method = str(record["method"])
    if record["kind"] == CompletedMechanism.kind:
        return CompletedMechanism(
            space,
            method,
            int(record["leader"]),
            arrays["theta"],
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
