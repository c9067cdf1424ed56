"""Valuations: formula text or Python callables, as one kind of object."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]


class Valuation:
    """A function of named signals; ``signals`` are the names it uses, ``text`` its formula or None."""

    signals: tuple[str, ...]
    text: str | None

    def __call__(self, signals: Mapping[str, Float]) -> Float:
        """The value at the given signals, float64 of their broadcast shape."""
        raise NotImplementedError


ValuationLike = str | float | Callable[..., Float] | Valuation


def as_valuation(value: ValuationLike, *, where: str) -> Valuation:
    """A Valuation from formula text, a number, a callable of keyword arrays, or a Valuation."""
    raise NotImplementedError
