"""Grids in quantile space, and the finite type space that a grid makes of an instance.

Point ``k`` of ``m`` on a signal is ``F^{-1}((k + offset) / m)``, ``k = 0 .. m-1``, with offset 0.5
(midpoint) unless asked otherwise; ``endpoint`` is ``F^{-1}(k / (m - 1))``. All points have equal weight.
State arrays are C-ordered with one axis per buyer, whose types are the product of his own signals in
listed order, the last signal fastest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.environment import Instance

MIDPOINT = 0.5
ENDPOINT = "endpoint"
MAX_STATES = 2**31 - 1


@dataclass(frozen=True)
class Grid:
    """How many points each signal gets, and where they lie in its quantile cells.

    points: one number for every signal, or one per signal by name.
    offset: in [0, 1], for every signal or by name, or ``"endpoint"``.

    Raises InputError for a number of points that is not a positive integer or an offset outside [0, 1].
    """

    points: int | Mapping[str, int]
    offset: float | str | Mapping[str, float] = MIDPOINT

    def __post_init__(self) -> None:
        counts = self.points.values() if isinstance(self.points, Mapping) else (self.points,)
        for count in counts:
            if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
                raise InputError(
                    f"{count!r} points", where="grid", expected="a positive whole number of points per signal"
                )
        for offset in self.offset.values() if isinstance(self.offset, Mapping) else (self.offset,):
            _check_offset(offset)

    def size(self, signal: str) -> int:
        """Points on ``signal``."""
        return int(self.points[signal] if isinstance(self.points, Mapping) else self.points)

    def probabilities(self, signal: str) -> Float:
        """The quantile levels of the points on ``signal``, shape (size,), increasing."""
        m = self.size(signal)
        offset = self.offset.get(signal, MIDPOINT) if isinstance(self.offset, Mapping) else self.offset
        if offset == ENDPOINT:
            if m == 1:
                raise InputError(
                    f"1 point on {signal}", where="grid", expected='at least 2 points with points="endpoint"'
                )
            return np.linspace(0.0, 1.0, m)
        return (np.arange(m) + float(offset)) / m

    def resolve(self, instance: Instance) -> Grid:
        """The same grid with points by signal name. Raises InputError for unknown or missing signals."""
        named = [part for part in (self.points, self.offset) if isinstance(part, Mapping)]
        unknown = [signal for part in named for signal in part if signal not in instance.signals]
        if unknown:
            raise InputError(
                f"unknown signal {unknown[0]!r}", where="grid", expected=f"of {', '.join(instance.signals)}"
            )
        if not isinstance(self.points, Mapping):
            return Grid({signal: int(self.points) for signal in instance.signals}, self.offset)
        missing = [signal for signal in instance.signals if signal not in self.points]
        if missing:
            raise InputError(
                f"no number of points for {', '.join(missing)}",
                where="grid",
                expected="one number, or one for each signal",
                remedy=f"add {missing[0]}=...",
            )
        return Grid({signal: int(self.points[signal]) for signal in instance.signals}, self.offset)

    def describe(self) -> str | int:
        """The grid as the command line writes it: one number, or ``p1=24,c1=12``."""
        if not isinstance(self.points, Mapping):
            return int(self.points)
        counts = set(self.points.values())
        if len(counts) == 1:
            return int(counts.pop())
        return ",".join(f"{signal}={count}" for signal, count in self.points.items())


def _check_offset(offset: object) -> None:
    if offset == ENDPOINT:
        return
    if isinstance(offset, bool) or not isinstance(offset, int | float) or not 0.0 <= offset <= 1.0:
        raise InputError(f"offset {offset!r}", where="grid", expected="a number in [0, 1], or endpoint")


def parse_grid(text: str, points: str = "midpoint") -> Grid:
    """A grid from the command line: ``16`` or ``p1=24,c1=12``, and ``midpoint``, ``endpoint`` or an offset."""
    return Grid(_parse_points(text), _parse_offset(points))


def _parse_points(text: str) -> int | dict[str, int]:
    if "=" not in text:
        return _parse_count(text)
    counts: dict[str, int] = {}
    for part in text.split(","):
        name, equals, count = (piece.strip() for piece in part.partition("="))
        if not equals or not name or name in counts:
            raise InputError(
                f"{part!r}", where="grid", expected="SIGNAL=POINTS, each signal once, separated by commas"
            )
        counts[name] = _parse_count(count)
    return counts


def _parse_count(text: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and int(digits) > 0):
        raise InputError(
            f"{text!r}",
            where="grid",
            expected="a positive whole number of points per signal",
            remedy='for example grid=16 or grid={"p1": 24, "c1": 12, ...}',
        )
    return int(digits)


def _parse_offset(text: str) -> float | str:
    named: dict[str, float | str] = {"midpoint": MIDPOINT, "endpoint": ENDPOINT}
    if text in named:
        return named[text]
    try:
        offset = float(text)
    except ValueError:
        offset = math.nan
    if not 0.0 <= offset <= 1.0:
        raise InputError(f"{text!r}", where="points", expected="midpoint, endpoint, or an offset in [0, 1]")
    return offset


@dataclass(frozen=True, eq=False)
class TypeSpace:
    """The finite type space of an instance on a grid; every state is equally likely.

    types: per buyer, the value of each own signal at each of his types, shape (T_i,).
    values: float64 (n, T_1, .., T_n), V_i at each state.
    gains: float64 (n, T_1, .., T_n), w_i = V_i + E_i - V_0.
    seller: float, E[V_0].
    """

    instance: Instance
    grid: Grid
    types: tuple[dict[str, Float], ...]
    values: Float = field(repr=False)
    gains: Float = field(repr=False)
    seller: float

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

    @cached_property
    def first_best(self) -> float:
        """Expected welfare of the efficient rule on this type space: E[V_0] + E[max(0, max_i w_i)]."""
        return self.seller + float(np.maximum(self.gains.max(axis=0), 0.0).mean())

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
    or a gain is not finite somewhere (saying at which signals).
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
    return TypeSpace(instance, grid, types, values, gains, float(seller.mean()))


def type_counts(instance: Instance, grid: Grid) -> tuple[int, ...]:
    """Types of each buyer on ``grid``: the product of the points on his signals."""
    return tuple(math.prod(grid.size(signal) for signal in buyer.signals) for buyer in instance.buyers)


def buyer_types(instance: Instance, grid: Grid, i: int) -> dict[str, Float]:
    """The own signals of buyer ``i`` at each of his types, each of shape (T_i,), last signal fastest.

    A signal whose prior depends on earlier signals is taken at its conditional quantile (Zik 2.3.1).
    """
    names = instance.buyers[i].signals
    levels = np.meshgrid(*(grid.probabilities(name) for name in names), indexing="ij")
    own: dict[str, Float] = {}
    for name, level in zip(names, levels, strict=True):
        points = np.broadcast_to(
            np.asarray(instance.prior(name).quantile(level.ravel(), own), dtype=np.float64), (level.size,)
        )
        if not np.isfinite(points).all():
            raise InputError(
                f"a point of {name} is infinite",
                where="grid",
                expected="finite signals",
                remedy='use points="midpoint", or a prior with bounded support',
            )
        own[name] = points
    return own


def open_signals(types: tuple[Mapping[str, Float], ...]) -> dict[str, Float]:
    """Signals shaped to broadcast over states: buyer ``i``'s vary along axis ``i`` only."""
    n = len(types)
    return {
        name: column.reshape((1,) * i + (-1,) + (1,) * (n - i - 1))
        for i, own in enumerate(types)
        for name, column in own.items()
    }


def _on_grid(array: Float, shape: tuple[int, ...], what: str, types: tuple[dict[str, Float], ...]) -> Float:
    """``array`` broadcast to the states; InputError at the first state where it is not finite."""
    full = np.broadcast_to(np.asarray(array, dtype=np.float64), shape)
    finite = np.isfinite(full)
    if not finite.all():
        state = np.unravel_index(int(np.argmin(finite)), shape)
        at = ", ".join(
            f"{name} = {column[t]:.6g}"
            for own, t in zip(types, state, strict=True)
            for name, column in own.items()
        )
        raise InputError(
            f"{what} is {full[state]} at {at}",
            where="values on the grid",
            expected="finite values",
            remedy="mend the formula, the prior or the grid",
        )
    return full


BYTES_PER_VALUE = 40
"""Peak memory of discretization in bytes per state and buyer: values, gains and what evaluates them."""


def check_memory(instance: Instance, grid: Grid, bytes_per_value: float = BYTES_PER_VALUE) -> None:
    """Raise InputError when what ``grid`` makes cannot fit into the memory that is free.

    bytes_per_value: what the caller is going to need for each buyer in each state.
    """
    import psutil

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
            remedy="use fewer points per signal",
        )
