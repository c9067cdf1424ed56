"""State arrays with labels: ``xarray.DataArray`` whose dimensions are the signals, whose coordinates their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from expost._typing import Array
from expost.spaces.type_space import TypeSpace

if TYPE_CHECKING:
    import xarray as xr


def labelled(
    space: TypeSpace, array: Array, buyers: Sequence[int] | None = None, *, name: str, about: str
) -> xr.DataArray:
    """``array``, one axis for each of ``buyers`` (all of them by default), with one dimension for each signal.

    A signal whose prior depends on earlier signals has no single value at a place on its dimension: the coordinate is
    then its quantile level, and ``SIGNAL_value`` holds the values.
    """
    import xarray as xr

    owners = range(space.n) if buyers is None else buyers
    dims: list[str] = []
    counts: list[int] = []
    coords: dict[str, tuple[Sequence[str], Array]] = {}
    for i in owners:
        names = space.instance.buyers[i].signals
        shape = tuple(space.grid.size(signal) for signal in names)
        dims += names
        counts += shape
        coords |= _coordinates(space, i, names, shape)
    return xr.DataArray(array.reshape(counts), coords, dims, name, {"long_name": about})


def _coordinates(
    space: TypeSpace, i: int, names: tuple[str, ...], shape: tuple[int, ...]
) -> dict[str, tuple[Sequence[str], Array]]:
    found: dict[str, tuple[Sequence[str], Array]] = {}
    for axis, signal in enumerate(names):
        column = space.types[i][signal].reshape(shape)
        along = np.moveaxis(column, axis, 0).reshape(shape[axis], -1)
        if (along == along[:, :1]).all():
            found[signal] = ((signal,), along[:, 0])
        else:
            found[signal] = ((signal,), space.grid.probabilities(signal))
            found[f"{signal}_value"] = (names, column)
    return found
