"""Are buyers exchangeable on a type space: does exchanging two of them, signals and all, change nothing?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.spaces.stages import Stages
from expost.spaces.type_space import TypeSpace
from expost.tolerances import TIE, allowance


def require_exchangeable(space: TypeSpace, stages: Sequence[Stages | None]) -> None:
    """Raise InputError, with the reason and a state, unless every exchange of two buyers leaves the problem as it was:
    types, timing, values, gains and how likely states are.

    stages: of each sequential buyer, None for static ones.
    """
    if not 2 <= space.n <= 3:
        raise _refusal(f"{space.n} buyers", "two or three exchangeable buyers")
    for i in range(1, space.n):
        _check_types(space, i)
        _check_timing(space, i, stages)
    for i in range(space.n - 1):
        _check_states(space, i)


def exchanged(array: Float, i: int) -> Float:
    """An array of state shape with the types of buyers ``i`` and ``i + 1`` exchanged."""
    return np.swapaxes(array, i, i + 1)


def _refusal(found: str, expected: str = "buyers who differ only in name") -> InputError:
    return InputError(
        found,
        where="symmetric",
        expected=expected,
        remedy="leave out symmetric: the unrestricted rule treats each buyer by himself",
    )


def _check_types(space: TypeSpace, i: int) -> None:
    """Buyer ``i`` has the types of the first buyer."""
    buyers = space.instance.buyers
    names = buyers[0].signals, buyers[i].signals
    if len(names[0]) != len(names[1]):
        raise _refusal(
            f"buyer {buyers[0].name} has {len(names[0])} signals, buyer {buyers[i].name} {len(names[1])}"
        )
    for mine, theirs in zip(*names, strict=True):
        one, other = space.types[0][mine], space.types[i][theirs]
        if one.shape != other.shape or not np.array_equal(one, other):
            raise _refusal(f"{mine} and {theirs} take different values on the grid")


def _check_timing(space: TypeSpace, i: int, stages: Sequence[Stages | None]) -> None:
    one, other = stages[0], stages[i]
    names = [space.instance.buyers[k].name for k in (0, i)]
    if one is None and other is None:
        return
    if one is None or other is None:
        words = ["static" if own is None else "sequential" for own in (one, other)]
        raise _refusal(f"buyer {names[0]} is {words[0]}, buyer {names[1]} {words[1]}")
    if one.signals.index(one.first) != other.signals.index(other.first):
        raise _refusal(f"{one.first} and {other.first} come first, which stand in different places")


def _check_states(space: TypeSpace, i: int) -> None:
    """Exchanging buyers ``i`` and ``i + 1`` exchanges their values and gains, and leaves everybody else's alone."""
    for what, arrays in (("value", space.values), ("gain", space.gains)):
        width = allowance(TIE, arrays)
        for k in range(space.n):
            partner = {i: i + 1, i + 1: i}.get(k, k)
            difference = np.abs(exchanged(arrays[partner], i) - arrays[k])
            if float(difference.max()) > width:
                raise _refusal(_witness(space, what, difference, arrays, k, partner, i))
    if space.weights is not None:
        chances = space.weights.chances
        difference = np.abs(exchanged(chances, i) - chances)
        if float(difference.max()) > TIE * float(chances.max()):
            state = tuple(int(t) for t in np.unravel_index(int(np.argmax(difference)), chances.shape))
            raise _refusal(
                f"the state {_state_text(space, state)} is not as likely with the buyers exchanged"
            )


def _witness(
    space: TypeSpace, what: str, difference: Float, arrays: Float, k: int, partner: int, i: int
) -> str:
    state = tuple(int(t) for t in np.unravel_index(int(np.argmax(difference)), difference.shape))
    other = list(state)
    other[i], other[i + 1] = other[i + 1], other[i]
    names = [buyer.name for buyer in space.instance.buyers]
    return (
        f"the {what} of buyer {names[k]} is {arrays[k][state]:.6g} at {_state_text(space, state)}, that of buyer "
        f"{names[partner]} {arrays[partner][tuple(other)]:.6g} with buyers {names[i]} and {names[i + 1]} exchanged"
    )


def _state_text(space: TypeSpace, state: tuple[int, ...]) -> str:
    return ", ".join(f"{name} = {value:.6g}" for name, value in space.signals_at(state).items())
