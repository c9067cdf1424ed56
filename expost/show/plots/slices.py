"""Two signals on the axes, the others held at a value or averaged over; always with the words that say which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.runs.labelled import labelled
from expost.show.plots.style import named
from expost.spaces.type_space import TypeSpace

if TYPE_CHECKING:
    import xarray as xr

At = Mapping[str, float] | None


def axes_of(space: TypeSpace, x: str | None, y: str | None, among: Sequence[str] | None = None) -> list[str]:
    """The signals on the axes: those asked for, else the first of the first two buyers, or of the only one both.

    among: the signals that there are to choose from. Raises InputError for another signal, or the same one twice.
    """
    names = list(space.instance.signals if among is None else among)
    for where, signal in (("x", x), ("y", y)):
        if signal is not None and signal not in names:
            raise InputError(f"{where} = {signal!r}"[:80], where="axes", expected=f"of {', '.join(names)}")
    if x is not None and x == y:
        raise InputError(f"{x} twice", where="axes", expected="two different signals")
    leading = [own.signals[0] for own in space.instance.buyers if own.signals[0] in names]
    free = iter(name for name in dict.fromkeys([*leading[:2], *names]) if name not in (x, y))
    chosen = (x or next(free, None), y or next(free, None))
    return [name for name in chosen if name is not None]


def hold(array: xr.DataArray, axes: Sequence[str], at: At) -> tuple[xr.DataArray, str]:
    """The array over ``axes`` (in this order), every other signal at the point nearest to ``at``, or at its middle one.

    Also in words which signals are held, and where.
    """
    places = _places(array, at)
    rest = {dim: places.get(dim, (array.sizes[dim] - 1) // 2) for dim in array.dims if dim not in axes}
    words = ", ".join(spoken(array, str(dim), place) for dim, place in rest.items())
    return array.isel(rest).transpose(*[axis for axis in axes if axis in array.dims]), words


def average(space: TypeSpace, array: xr.DataArray, axes: Sequence[str], at: At) -> tuple[xr.DataArray, str]:
    """The expectation of an array over all signals given those on ``axes`` and those in ``at``, the latter held."""
    places = {dim: place for dim, place in _places(array, at).items() if dim not in axes}
    rest = [str(dim) for dim in array.dims if dim not in (*axes, *places)]
    words = [spoken(array, dim, place) for dim, place in places.items()]
    if rest:
        words.append(f"averaged over {', '.join(named(dim) for dim in rest)}")
    array = array.isel(places)
    if space.weights is None:
        mean = array.mean(rest)
    else:
        chances = labelled(space, space.weights.chances, name="chance", about="probability").isel(places)
        total = chances.sum(rest)
        mean = (array * chances).sum(rest) / total.where(total > 0.0)
    return mean.transpose(*axes), ", ".join(words)


def _places(array: xr.DataArray, at: At) -> dict[Any, int]:
    """The place on each dimension that ``at`` names: the point nearest to the value."""
    places: dict[Any, int] = {}
    for signal, value in (at or {}).items():
        if signal not in array.dims:
            known = ", ".join(map(str, array.dims))
            raise InputError(f"{signal!r}"[:80], where="at", expected=f"of {known}")
        if isinstance(value, bool) or not isinstance(value, Real) or not np.isfinite(float(value)):
            raise InputError(f"{signal} = {value!r}"[:80], where="at", expected="a number for each signal")
        places[signal] = int(np.argmin(np.abs(array[signal].to_numpy() - float(value))))
    return places


def spoken(array: xr.DataArray, dim: str, place: int) -> str:
    """``c1 = 0.53``, the value of a point; its quantile level where its value depends on other signals."""
    value = f"{float(array[dim][place]):.3g}"
    return f"{named(dim)} at its {value} quantile" if _conditional(array, dim) else f"{named(dim)} = {value}"


def axis_label(array: xr.DataArray, dim: str) -> str:
    """What to write at an axis."""
    return f"{named(dim)} (quantile)" if _conditional(array, dim) else named(dim)


def _conditional(array: xr.DataArray, dim: str) -> bool:
    return f"{dim}_value" in array.coords


def points(array: xr.DataArray, dim: str) -> Float:
    """The points on a dimension."""
    return np.asarray(array[dim].to_numpy(), dtype=np.float64)
