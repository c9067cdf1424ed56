"""Values that are Python functions, in a saved mechanism of the continuum: what they gave in some states.

On a grid these values would be all that is ever asked for. In the continuum they only tell whether the functions that
are given when the mechanism is opened again are the same; until then nothing can be evaluated.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.instances.functions import (
    function_names,
    functions_of,
    instance_from_marked,
    marked_toml,
    signature_of,
)
from expost.spaces.quantile_space import QuantileSpace, scrambled
from expost.tolerances import WELFARE, allowance

FILE = "functions.npz"
STATES = 256
"""In which the functions are compared."""
LEVELS = "levels"


class Unsaved:
    """What stands for a function that was not given: it has a signature, and no values."""

    def __init__(self, place: str, names: tuple[str, ...]) -> None:
        self.place = place
        self.__signature__ = signature_of(names)

    def __call__(self, **_: Float) -> NoReturn:
        """Raises InputError: whoever has the function has to give it."""
        raise InputError(
            "a Python function, which no file can hold",
            where=self.place,
            expected="the instance with its functions",
            remedy="give it: open(folder, instance=...)",
        )


def unsaved(instance: Instance) -> list[str]:
    """The places of an instance whose functions were not given when it was opened."""
    return [name for name, valuation in functions_of(instance) if isinstance(valuation.function, Unsaved)]


def keep_functions(space: QuantileSpace, folder: Path) -> None:
    """Write what the Python functions of the instance give in ``STATES`` random states; nothing without any."""
    if not function_names(space.stated):
        return
    joint = scrambled(STATES, sum(space.dims), np.random.default_rng(0))
    arrays: dict[str, Any] = {LEVELS: joint, **_values(space, joint)}
    np.savez(folder / FILE, **arrays)


def saved_instance(text: str, given: Instance | None, where: str) -> Instance:
    """The instance that ``marked_toml`` wrote: ``given`` where that is the same, for it may have functions.

    Raises InputError when the text is no instance, or ``given`` is another one.
    """
    found = instance_from_marked(text, Unsaved, where)
    if given is None:
        return found
    if marked_toml(given) != marked_toml(found):
        raise InputError(
            f"{given.name} is not the instance that was saved",
            where="instance",
            expected=f"{found.name} as in {where}",
        )
    return given


def compare_functions(space: QuantileSpace, arrays: dict[str, Float]) -> None:
    """Raise InputError unless the functions of the instance give what ``arrays`` of ``keep_functions`` hold."""
    for place, values in _values(space, arrays[LEVELS]).items():
        worst = float(np.abs(values - arrays[place]).max())
        if not worst <= allowance(WELFARE, arrays[place]):
            raise InputError(
                f"a function that differs from the saved one by up to {worst:.3g}",
                where=f"instance: {place}",
                expected="the function that the bracket was computed with",
            )


def function_shapes(space: QuantileSpace) -> dict[str, tuple[int, ...]]:
    """The arrays that ``keep_functions`` writes."""
    shapes = dict.fromkeys(function_names(space.stated), (STATES,))
    return {LEVELS: (STATES, sum(space.dims)), **shapes}


def _values(space: QuantileSpace, joint: Float) -> dict[str, Float]:
    signals = space.signals(space.split(joint))
    return {name: valuation(signals) for name, valuation in functions_of(space.stated)}
