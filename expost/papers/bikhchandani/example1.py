"""The closed form of t* on the catalogue's jmmz (Bikhchandani 2006, Example 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from expost._typing import Float


@dataclass(frozen=True)
class ExampleOnePrices:
    """The prices t* of jmmz, p_j + c_j."""

    name: str = "t*"
    citation: str = "Bikhchandani 2006, Example 1"
    accuracy: float = 0.0

    def price(self, i: int, signals: Mapping[str, Float]) -> Float:
        """t*_i at the other buyer's ``signals``."""
        return signals[f"p{2 - i}"] + signals[f"c{2 - i}"]
