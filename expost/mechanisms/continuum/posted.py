"""Prices in closed form, completed in sequence: ``completion`` without a mesh.

Each static buyer of an order has a price by formula, of the others' signals, and after the first faces the larger of it
and the supremum of ``completion``. Interpolating a price that is a maximum raises it, and everybody pays for that; a
formula is posted as it is. Its minimum over a cell of a later buyer's types, which the suprema need, is at one corner
where it moves one way with each of his levels, and else that of interval arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from expost._typing import Array, Float, Int8, Int64
from expost.errors import InputError
from expost.instances.formula import Formula
from expost.instances.intervals import Interval, formula_bounds
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.mechanisms.continuum.monotone import NotMonotone, along, course, directions
from expost.mechanisms.continuum.suprema import Conflicts, Suprema, untimed
from expost.spaces.quantile_space import Levels, QuantileSpace

AT_ONCE = 256
"""States whose suprema are looked for at once."""


@dataclass(frozen=True, eq=False)
class PostedMechanism(ContinuumMechanism):
    """Given prices by formula, completed.

    order: the buyers, each once. formulas: of each, in listed order, of the others' signals. depth, precision: when
    cells are no longer halved, and by how much a supremum may be over-estimated before (unit: values).

    Raises InputError for sequential buyers, and for a formula that uses a signal of its own buyer or none that there
    is."""

    order: tuple[int, ...]
    formulas: tuple[str, ...]
    depth: int
    precision: float

    kind: ClassVar[str] = "posted"

    def __post_init__(self) -> None:
        """Check the formulas."""
        if self.space.sequential:
            raise InputError("a buyer with two stages", where="posted prices", expected="static buyers")
        for j, formula in self.stated.items():
            own = self.space.instance.buyers[j].signals
            wrong = [
                name for name in formula.signals if name in own or name not in self.space.instance.signals
            ]
            if wrong:
                raise InputError(
                    f"a price of buyer {self.space.instance.buyers[j].name} that uses {', '.join(wrong)}",
                    where="posted prices",
                    expected="a formula of the others' signals",
                )

    @cached_property
    def stated(self) -> dict[int, Formula]:
        """Each buyer's formula."""
        return {
            j: Formula(text, where="posted prices", parameters=self.space.stated.parameters)
            for j, text in enumerate(self.formulas)
        }

    def earlier(self, k: int) -> tuple[int, ...]:
        """The buyers that come before ``k``."""
        return self.order[: self.order.index(k)]

    @cached_property
    def directions(self) -> dict[tuple[int, int], Int8]:
        """As in ``CompletedMechanism``. Raises NotMonotone."""
        return {(j, k): directions(self.space, j, k) for k in self.order[1:] for j in (*self.earlier(k), k)}

    @cached_property
    def slopes(self) -> dict[tuple[int, int], Int8 | None]:
        """For each later buyer k and earlier j, the sign in each level of k of j's price, None where it rises and falls
        in one: key (j, k)."""
        return {(j, k): self._slopes(j, k) for k in self.order[1:] for j in self.earlier(k)}

    def _slopes(self, j: int, k: int) -> Int8 | None:
        def price(levels: Levels) -> Float:
            return np.asarray(self.stated[j](self.space.signals(levels)))

        try:
            return np.array(
                [
                    course(along(self.space, price, k, place), "a price", self.space, k, place)
                    for place in range(self.space.dims[k])
                ],
                dtype=np.int8,
            )
        except NotMonotone:
            return None

    def check(self) -> None:
        """Raises NotMonotone where a value that the suprema rely on rises and falls in a later buyer's signal."""
        _ = self.directions

    def given(self, j: int, levels: Levels) -> Float:
        """Buyer j's price by formula at P states, +inf where that is no number."""
        signals = {
            name: column
            for k, own in enumerate(levels)
            if k != j
            for name, column in self.space.own(k, own).items()
        }
        found = np.broadcast_to(np.asarray(self.stated[j](signals), dtype=np.float64), len(levels[j]))
        return np.where(np.isnan(found), np.inf, found)

    def strike(self, i: int, levels: Levels, tick: Callable[[], None] = untimed) -> Float:
        """Buyer i's price at P states, (P,)."""
        count = max(len(own) for own in levels)
        whole = [np.broadcast_to(own, (count, own.shape[-1])) for own in levels]
        given = self.given(i, whole)
        if i == self.order[0]:
            return given
        step = AT_ONCE
        parts = [
            _Posted(self, i, [own[start : start + step] for own in whole], given[start : start + step]).run(
                tick
            )
            for start in range(0, count, step)
        ]
        return np.maximum(given, np.concatenate(parts)[:, 0]) if parts else given

    def strike_where(self, i: int, levels: Levels, value: Float) -> Float:
        """As in ``ContinuumMechanism``: no supremum is looked for where the formula alone is no less than ``value``."""
        count = max(len(own) for own in levels)
        whole = [np.broadcast_to(own, (count, own.shape[-1])) for own in levels]
        found = self.given(i, whole)
        above = np.flatnonzero(value > found)
        found[above] = self.strike(i, [own[above] for own in whole])
        return found

    def strikes(self, levels: Levels) -> Float:
        """The prices at P states: see ``ContinuumMechanism``."""
        return np.stack([self.strike(i, levels) for i in range(self.space.n)])

    def arrays(self) -> dict[str, Array]:
        """None."""
        return {}

    def facts(self) -> dict[str, Any]:
        """The formulas, the order and the precision."""
        return {
            "order": list(self.order),
            "formulas": list(self.formulas),
            "depth": self.depth,
            "precision": self.precision,
        }


class _Posted(Suprema):
    """Suprema against prices by formula; those that do not exceed buyer k's own price are not looked for."""

    most_open: ClassVar[int] = 1 << 14

    def __init__(self, mechanism: PostedMechanism, k: int, levels: Levels, own: Float) -> None:
        earlier = mechanism.earlier(k)
        nothing = np.empty((len(own), 0))
        signs = {j: mechanism.directions[j, k] for j in (*earlier, k)}
        conflicts = Conflicts(
            mechanism.space,
            k,
            dict.fromkeys(earlier, nothing),
            signs,
            2,
            1,
            mechanism.depth,
            mechanism.precision,
        )
        super().__init__(conflicts, levels)
        self.prices = mechanism.stated
        self.slopes = {j: mechanism.slopes[j, k] for j in earlier}
        self.others = _signals(mechanism.space, k, levels)
        self.certain = np.maximum(self.certain, own[:, None] - mechanism.precision)

    def _minimum(self, j: int, point: Int64, place: Int64, cells: int, low: float, high: float) -> Float:
        """The minimum of buyer j's price over the part from ``low`` to ``high`` (in cells) of each cell."""
        formula, slopes = self.prices[j], self.slopes[j]
        rest = {name: column[point] for name, column in self.others.items() if name in formula.signals}
        if low == high or slopes is not None:
            where = low if slopes is None else np.where(slopes > 0, low, high)
            found = formula({**rest, **self._own(place + where, cells)})
        else:
            ends = self._own(place + low, cells), self._own(place + high, cells)
            boxes = {name: Interval(column, column) for name, column in rest.items()}
            boxes |= {
                name: Interval(ends[0][name], ends[1][name]) for name in ends[0] if name in formula.signals
            }
            found = formula_bounds(formula, boxes).low
        # no number: he may win at any value, and does not for certain
        return np.nan_to_num(
            np.broadcast_to(np.asarray(found, dtype=np.float64), len(point)),
            nan=-np.inf if low < high else np.inf,
            posinf=np.inf,
            neginf=-np.inf,
        )

    def _own(self, place: Array, cells: int) -> dict[str, Float]:
        return self.m.space.own(self.k, np.clip(place / cells, self.low, self.high))


def _signals(space: QuantileSpace, k: int, levels: Levels) -> Mapping[str, Float]:
    """The signals of everybody but ``k`` in P states."""
    return {
        name: column for j, own in enumerate(levels) if j != k for name, column in space.own(j, own).items()
    }
