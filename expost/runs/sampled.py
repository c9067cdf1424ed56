"""Values that are Python functions, saved as what they gave on the grid: read back, each stands for itself on that grid
and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.instances.functions import functions_of, instance_from_marked, signature_of
from expost.spaces.type_space import TypeSpace, open_signals


def sampled_arrays(space: TypeSpace) -> dict[str, Float]:
    """The values in every state, by place, of whatever is a Python function; state shape each."""
    signals = open_signals(space.types)
    return {
        name: np.broadcast_to(valuation(signals), space.shape).copy()
        for name, valuation in functions_of(space.instance)
    }


def instance_of(text: str, arrays: Mapping[str, Float], where: str) -> Instance:
    """The instance of ``marked_toml``, functions replaced by what ``arrays`` holds.

    Raises InputError when the text is no instance, or a function has no array.
    """

    def held(name: str, signals: tuple[str, ...]) -> Sampled:
        if name not in arrays:
            raise InputError(f"no sampled values of {name}", where=where, expected="the arrays saved with it")
        return Sampled(signals, arrays[name])

    return instance_from_marked(text, held, where)


class Sampled:
    """A function of which only the values in every state of one grid are known."""

    def __init__(self, names: tuple[str, ...], values: Float) -> None:
        self.values = values
        self.__signature__ = signature_of(names)

    def __call__(self, **signals: Float) -> Float:
        """The saved values. Raises InputError for signals that are not those of all states of the grid."""
        shape = np.broadcast_shapes(*(np.shape(array) for array in signals.values()))
        if len(shape) != self.values.ndim or any(
            size not in (1, full) for size, full in zip(shape, self.values.shape, strict=True)
        ):
            raise InputError(
                "a Python function that was saved as sampled on its grid",
                where="instance",
                expected="the grid of the saved run",
                remedy="state the instance again with the function",
            )
        return self.values
