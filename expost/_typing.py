"""Array aliases by element type, and the words that settings are made of."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Float: TypeAlias = NDArray[np.float64]
Float32: TypeAlias = NDArray[np.float32]
Bool: TypeAlias = NDArray[np.bool_]
Int8: TypeAlias = NDArray[np.int8]
UInt8: TypeAlias = NDArray[np.uint8]
UInt64: TypeAlias = NDArray[np.uint64]
Int32: TypeAlias = NDArray[np.int32]
Int64: TypeAlias = NDArray[np.int64]
Place: TypeAlias = NDArray[np.intp]
"""What numpy itself uses to index."""
Array: TypeAlias = NDArray[Any]


class Timing(StrEnum):
    """When a buyer reports: all his signals at once, or in two stages."""

    STATIC = "static"
    SEQUENTIAL = "sequential"


class Objective(StrEnum):
    """The objectives that have a name; any weight on welfare in [0, 1] is one too."""

    WELFARE = "welfare"
    REVENUE = "revenue"
