"""Priors of signals: scipy.stats distributions by name, independent or conditional on an earlier
signal of the same buyer (a parameter may then be a formula in those signals)."""

from __future__ import annotations

from dataclasses import dataclass, field
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Prior:
    """A prior: ``distribution`` is a scipy.stats name, ``parameters`` its parameters by name; a parameter
    given as text is a formula in earlier signals of the same buyer (Zik 2.3.1)."""

    distribution: str = "uniform"
    parameters: Mapping[str, float | str] = field(default_factory=dict)

    def quantile(self, probability: Float, earlier: Mapping[str, Float] | None = None) -> Float:
        """F^{-1}(probability | earlier signals), broadcast."""
        raise NotImplementedError


UNIFORM = Prior()
