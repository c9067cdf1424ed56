"""The finite type space that a grid makes of an instance.

State arrays are C-ordered with one axis per buyer, whose types are the product of his own signals in
listed order, the last signal fastest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from expost._typing import Array, Float
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.spaces.grid import ENDPOINT, MIDPOINT, Grid
from expost.spaces.weights import Weights, product_of, weights_of

__all__ = [
    "ENDPOINT",
    "MIDPOINT",
    "Grid",
    "TypeSpace",
    "buyer_types",
    "check_memory",
    "discretize",
    "open_signals",
    "type_counts",
]

MAX_STATES = 2**31 - 1
MOST_SIGNALS = 31
"""Of all buyers on a grid: numpy broadcasts arrays of up to 32 axes, and values have one more than there are buyers."""


@dataclass(frozen=True, eq=False)
class TypeSpace:
    """The finite type space of an instance on a grid.

    types: per buyer, the value of each own signal at each of his types, shape (T_i,).
    values: float64 (n, T_1, .., T_n), V_i at each state.
    gains: float64 (n, T_1, .., T_n), w_i = V_i + E_i - V_0.
    seller: float, E[V_0].
    weights: how likely the states are; None where all are equally likely.
    """

    instance: Instance
    grid: Grid
    types: tuple[dict[str, Float], ...]
    values: Float = field(repr=False)
    gains: Float = field(repr=False)
    seller: float
    weights: Weights | None = field(default=None, repr=False)

    @property
    def n(self) -> int:
        """How many buyers there are."""
        return len(self.types)

    @property
    def shape(self) -> tuple[int, ...]:
        """Types of each buyer."""
        return tuple(self.values.shape[1:])

    @property
    def states(self) -> int:
        """How many information states there are."""
        return math.prod(self.shape)

    @property
    def units(self) -> int:
        """How many units there are to sell."""
        return self.instance.units

    def mean(self, array: Array) -> float:
        """The expectation of an array of state shape."""
        return float(array.mean()) if self.weights is None else self.weights.mean(array)

    @cached_property
    def first_best(self) -> float:
        """Expected welfare of the efficient rule on this type space: E[V_0] + E[the ``units`` largest positive w_i]."""
        if self.units == 1:
            return self.seller + self.mean(np.maximum(self.gains.max(axis=0), 0.0))
        largest = np.partition(self.gains, -min(self.units, self.n), axis=0)[-min(self.units, self.n) :]
        return self.seller + self.mean(np.maximum(largest, 0.0).sum(axis=0))

    def signals_at(self, state: tuple[int, ...]) -> dict[str, float]:
        """The signals of all buyers in one state, given by its index on each axis."""
        return {
            name: float(column[t])
            for own, t in zip(self.types, state, strict=True)
            for name, column in own.items()
        }


def discretize(instance: Instance, grid: Grid | int) -> TypeSpace:
    """The type space of ``instance`` on ``grid``.

    Raises InputError when the grid needs more memory than the machine has, or when a signal, a value
    or a gain is not finite somewhere (saying at which signals), or the joint density is no density.
    """
    grid = (grid if isinstance(grid, Grid) else Grid(grid)).resolve(instance)
    check_memory(instance, grid)
    types = tuple(buyer_types(instance, grid, i) for i in range(instance.n))
    signals = open_signals(types)
    shape = type_counts(instance, grid)
    values = np.stack(
        [
            _on_grid(instance.value(i, signals), shape, f"V of buyer {instance.buyers[i].name}", types)
            for i in range(instance.n)
        ]
    )
    seller = _on_grid(instance.seller_value(signals), shape, "the seller's value", types)
    society = [
        _on_grid(
            instance.externality(i, signals), shape, f"externality of buyer {instance.buyers[i].name}", types
        )
        for i in range(instance.n)
    ]
    gains = values
    if seller.any() or any(extra.any() for extra in society):
        gains = np.stack([values[i] + society[i] - seller for i in range(instance.n)])
    values.flags.writeable = gains.flags.writeable = False
    weights = _weights(instance, grid, types, signals)
    kept = float(seller.mean()) if weights is None else weights.mean(seller)
    return TypeSpace(instance, grid, types, values, gains, kept, weights)


def _weights(
    instance: Instance, grid: Grid, types: tuple[dict[str, Float], ...], signals: Mapping[str, Float]
) -> Weights | None:
    """How likely the states are. Raises InputError for a density that is negative, not finite or nowhere positive."""
    own = tuple(_type_weights(instance, grid, i) for i in range(instance.n))
    if instance.density is None:
        return weights_of(own, None)
    shape = type_counts(instance, grid)
    density = _on_grid(instance.density(signals), shape, "the density", types, where="joint: density")
    if density.min() < 0.0:
        state = tuple(int(t) for t in np.unravel_index(int(np.argmin(density)), shape))
        raise InputError(
            f"{density[state]:.6g} at {_state_text(types, state)}",
            where="joint: density",
            expected="a density that is nowhere negative",
        )
    if not density.any():
        raise InputError(
            "0 in every state of the grid",
            where="joint: density",
            expected="a density whose integral is positive",
        )
    return weights_of(own, density)


def _type_weights(instance: Instance, grid: Grid, i: int) -> Float:
    """The probability of each type of buyer ``i`` under his priors, (T_i,), last signal fastest."""
    parts = []
    for name in instance.buyers[i].signals:
        atoms = instance.prior(name).atoms
        parts.append(np.full(grid.size(name), 1.0 / grid.size(name)) if atoms is None else atoms[1])
    return product_of(parts).ravel()


def type_counts(instance: Instance, grid: Grid) -> tuple[int, ...]:
    """Types of each buyer on ``grid``: the product of the points on his signals."""
    return tuple(math.prod(grid.size(signal) for signal in buyer.signals) for buyer in instance.buyers)


def buyer_types(instance: Instance, grid: Grid, i: int) -> dict[str, Float]:
    """The own signals of buyer ``i`` at each of his types, each of shape (T_i,), last signal fastest.

    A signal whose prior depends on earlier signals is taken at its conditional quantile (Zik 2.3.1), one with a
    discrete prior at its atoms.
    """
    names = instance.buyers[i].signals
    levels = np.meshgrid(*(_levels(instance, grid, name) for name in names), indexing="ij")
    own: dict[str, Float] = {}
    for name, level in zip(names, levels, strict=True):
        prior = instance.prior(name)
        at = level.ravel() if prior.atoms is not None else prior.quantile(level.ravel(), own)
        points = np.broadcast_to(np.asarray(at, dtype=np.float64), (level.size,))
        if not np.isfinite(points).all():
            raise InputError(
                f"a point of {name} is infinite",
                where="grid",
                expected="finite signals",
                remedy='use points="midpoint", or a prior with bounded support',
            )
        own[name] = points
    return own


def _levels(instance: Instance, grid: Grid, name: str) -> Float:
    """The quantile levels of the points on a signal; of a discrete prior the atoms themselves."""
    atoms = instance.prior(name).atoms
    return grid.probabilities(name) if atoms is None else atoms[0]


def open_signals(types: tuple[Mapping[str, Float], ...]) -> dict[str, Float]:
    """Signals shaped to broadcast over states: buyer ``i``'s vary along axis ``i`` only."""
    n = len(types)
    return {
        name: column.reshape((1,) * i + (-1,) + (1,) * (n - i - 1))
        for i, own in enumerate(types)
        for name, column in own.items()
    }


def _state_text(types: tuple[dict[str, Float], ...], state: tuple[int, ...]) -> str:
    """The signals in one state, in words."""
    return ", ".join(
        f"{name} = {column[t]:.6g}"
        for own, t in zip(types, state, strict=True)
        for name, column in own.items()
    )


def _on_grid(
    array: Float,
    shape: tuple[int, ...],
    what: str,
    types: tuple[dict[str, Float], ...],
    where: str = "values on the grid",
) -> Float:
    """``array`` broadcast to the states; InputError at the first state where it is not finite."""
    full = np.broadcast_to(np.asarray(array, dtype=np.float64), shape)
    finite = np.isfinite(full)
    if not finite.all():
        state = tuple(int(t) for t in np.unravel_index(int(np.argmin(finite)), shape))
        raise InputError(
            f"{what} is {full[state]} at {_state_text(types, state)}",
            where=where,
            expected="finite values",
            remedy="mend the formula, the prior or the grid",
        )
    return full


MOST_POINTS = 1000
"""Points per signal beyond which nobody looks for what fits."""

BYTES_PER_VALUE = 40
"""Peak memory of discretization in bytes per state and buyer: values, gains and what evaluates them."""


def check_memory(instance: Instance, grid: Grid, bytes_per_value: float = BYTES_PER_VALUE) -> None:
    """Raise InputError when what ``grid`` makes cannot fit into the memory that is free.

    bytes_per_value: what the caller is going to need for each buyer in each state.
    """
    import psutil

    signals = sum(len(buyer.signals) for buyer in instance.buyers)
    if signals > MOST_SIGNALS:
        raise InputError(
            f"{signals} signals",
            where=f"instance {instance.name}",
            expected=f"at most {MOST_SIGNALS} on a grid: an array has no more axes",
        )
    states = math.prod(type_counts(instance, grid))
    need = states * instance.n * bytes_per_value
    free = psutil.virtual_memory().available
    if states * instance.n > MAX_STATES:
        raise InputError(
            f"grid {grid.describe()} makes {states:.4g} states, about {need / 2**30:.4g} GiB",
            where="grid",
            expected=f"at most {MAX_STATES / instance.n:.4g} states, which 32-bit indices can count",
            remedy="use fewer points per signal",
        )
    if need > free:
        raise InputError(
            f"grid {grid.describe()} makes {states:.4g} states, about {need / 2**30:.4g} GiB",
            where="grid",
            expected=f"at most the {free / 2**30:.3g} GiB that are free",
            remedy=_what_fits(instance, free / bytes_per_value),
        )


def _what_fits(instance: Instance, values: float) -> str:
    """The largest even grid of at most so many values, all buyers' together, as advice."""
    points = 0
    while points < MOST_POINTS:
        states = math.prod(type_counts(instance, Grid(points + 1).resolve(instance)))
        if states * instance.n > min(values, MAX_STATES):
            break
        points += 1
    return f"use fewer points per signal: grid={points} fits" if points else "use fewer points per signal"
