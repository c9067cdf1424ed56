"""The conditionally efficient mechanism of a continuous instance: nobody wins but an efficient buyer, at the lowest
strikes that allow for it.

    tau_i(a; s_-i) = sup { V_i(s) : first level of s_i >= a, i should not win in s },

over all of buyer i's types where he is static. Where V_i(s) exceeds it he should win in s: so no more buyers win than
there are units, at any signals. It attains the first best where that can be had (Zik, Corollaries 3 and 4), and is in
general the best rule that is conditionally efficient (Bikhchandani, Theorem 4; Zik, section 3.3).

The supremum is over cells of a fixed mesh in i's levels: a cell counts as long as he may not be efficient somewhere in
it, and then with his value at its most favourable corner, so it is never under-estimated, and strikes do not rise with
the first level. That rests on his value and by how much others are ahead of him being monotone in his own levels (found
on a grid and then relied upon)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from expost._typing import Array, Bool, Float, Int8, Int64
from expost.errors import InputError
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.mechanisms.continuum.monotone import advantage, directions
from expost.mechanisms.continuum.suprema import SLACK, untimed
from expost.spaces.efficient import should_win
from expost.spaces.quantile_space import Levels

DEPTH = {1: 20, 2: 14, 3: 8, 4: 4, 5: 3, 6: 2, 7: 2, 8: 2}
"""Cells are ``2**-DEPTH`` wide, by the number of a buyer's signals; a surface among them meets some 2**16 at most."""
MOST_SIGNALS = max(DEPTH)
CELLS = 1 << 20
"""Cells of the finest mesh handled at once, about."""


@dataclass(frozen=True, eq=False)
class EfficientMechanism(ContinuumMechanism):
    """Each buyer wins where he should, at the lowest strikes that keep him from winning elsewhere."""

    kind: ClassVar[str] = "efficient"

    @cached_property
    def signs(self) -> tuple[tuple[Int8, ...], ...]:
        """For each buyer i, the signs in his own levels of V_i, w_i, and w_j - w_i of every other buyer j.

        Raises NotMonotone."""
        space = self.space
        return tuple(
            (
                directions(space, i, i),
                directions(space, i, i, gain=True),
                *(advantage(space, j, i) for j in self.others(i)),
            )
            for i in range(space.n)
        )

    def check(self) -> None:
        """Raises NotMonotone where something that the suprema rely on rises and falls in an own signal, InputError
        where a buyer has too many."""
        if max(self.space.dims) > MOST_SIGNALS:
            raise InputError(
                f"{max(self.space.dims)} signals of one buyer",
                where="conditionally efficient rule",
                expected=f"at most {MOST_SIGNALS}",
            )
        _ = self.signs

    def others(self, i: int) -> list[int]:
        """Everybody but ``i``."""
        return [j for j in range(self.space.n) if j != i]

    def depth(self, i: int) -> int:
        """How often buyer i's levels are halved."""
        return DEPTH[self.space.dims[i]]

    def strikes(self, levels: Levels) -> Float:
        """The strikes at P states: see ``ContinuumMechanism``."""
        return np.stack([self.strike(i, levels) for i in range(self.space.n)])

    def strike(self, i: int, levels: Levels) -> Float:
        """The strike of buyer ``i`` at P states, (P,)."""
        levels = self._whole(levels)
        dims = self.space.dims[i]
        # of one signal few cells of a state stay open, whatever their width
        step = max(1, CELLS >> (dims + self.depth(i) * (dims > 1)))
        parts = [
            _Cells(self, i, [own[start : start + step] for own in levels]).suprema()
            for start in range(0, len(levels[i]), step)
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    def strike_where(self, i: int, levels: Levels, value: Float) -> Float:
        """As in ``ContinuumMechanism``: whether ``value`` exceeds a strike takes less than the strike."""
        whole = self._whole(levels)
        found, above = value.copy(), np.flatnonzero(self._beyond(i, whole, value))
        found[above] = self.strike(i, [own[above] for own in whole])
        return found

    def _beyond(self, i: int, levels: list[Float], value: Float, tick: Callable[[], None] = untimed) -> Bool:
        """Whether ``value`` (P,) exceeds buyer ``i``'s strikes."""
        step = max(1, CELLS >> max(7, 3 * self.space.dims[i]))
        parts = []
        for start in range(0, len(value), step):
            cells = _Cells(self, i, [own[start : start + step] for own in levels])
            parts.append(cells.beyond(value[start : start + step], tick))
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.bool_)

    def wins(self, levels: Levels, tick: Callable[[], None] = untimed) -> Bool:
        """Who wins at P states, (n, P): found without the strikes, which take longer."""
        whole = self._whole(levels)
        signals = self.space.signals(whole)
        gains = np.stack([self.space.instance.gain(i, signals) for i in range(self.space.n)])
        found = np.zeros(gains.shape, dtype=np.bool_)
        for i in range(self.space.n):
            at = np.flatnonzero(should_win(gains, i, self.space.units))
            value = self.space.instance.value(i, signals)[at]
            found[i, at] = self._beyond(i, [own[at] for own in whole], value, tick)
        return found

    def _whole(self, levels: Levels) -> list[Float]:
        count = max(len(own) for own in levels)
        return [np.broadcast_to(own, (count, own.shape[-1])) for own in levels]

    def arrays(self) -> dict[str, Array]:
        """None: it follows from the instance."""
        return {}

    def facts(self) -> dict[str, Any]:
        """None."""
        return {}


class _Cells:
    """The cells of buyer i's types in a batch of states (P, d)."""

    def __init__(self, mechanism: EfficientMechanism, i: int, levels: Levels) -> None:
        self.m, self.i, self.space, self.levels = mechanism, i, mechanism.space, levels
        self.low, self.high = self.space.box[i]
        self.count, self.dims = levels[i].shape
        self.halves = np.stack(np.meshgrid(*([np.arange(2)] * self.dims), indexing="ij"), axis=-1).reshape(
            -1, self.dims
        )
        self.rest = {
            name: column
            for j, own in enumerate(levels)
            if j != i
            for name, column in self.space.own(j, own).items()
        }
        ends = [
            self._value(np.arange(self.count), np.broadcast_to(end, levels[i].shape))
            for end in (self.low, self.high)
        ]
        self.rounding = SLACK * max(float(np.abs(end).max(initial=0.0)) for end in ends)
        self.lowest = np.minimum(*ends) - 2.0 * self.rounding  # less than his lowest value: he may always win

    def suprema(self) -> Float:
        """His strikes (P,)."""
        best = self.lowest.copy()
        point, place = np.arange(self.count), np.zeros((self.count, self.dims), dtype=np.int64)
        depth = self.m.depth(self.i)
        for k in range(depth + 1):
            point, place, value = self._open(point, place, 1 << k)
            known = np.ones(len(point), dtype=np.bool_)
            if k < depth:  # one of the finest cells is worth as much, too
                known = self._certain(point, place, 1 << k, np.full(self.count, -np.inf))
            np.maximum.at(best, point[known], value[known] + self.rounding)
            more = value + self.rounding > best[point]
            point, place = self._halved(point[more], place[more])
        return best

    def beyond(self, value: Float, tick: Callable[[], None]) -> Bool:
        """Whether ``value`` (P,) exceeds his strikes: no cell that counts is worth as much."""
        lost = np.zeros(self.count, dtype=np.bool_)
        point, place = np.arange(self.count), np.zeros((self.count, self.dims), dtype=np.int64)
        depth = self.m.depth(self.i)
        for k in range(depth + 1):
            tick()
            point, place, worth = self._open(point, place, 1 << k)
            near = (worth + self.rounding >= value[point]) & ~lost[point]
            point, place = point[near], place[near]
            if k == depth:
                lost[point] = True
            else:
                lost[point[self._certain(point, place, 1 << k, value)]] = True
                point, place = self._halved(point[~lost[point]], place[~lost[point]])
        return ~lost

    def _halved(self, point: Int64, place: Int64) -> tuple[Int64, Int64]:
        return np.repeat(point, len(self.halves)), (2 * place[:, None] + self.halves).reshape(-1, self.dims)

    def _open(self, point: Int64, place: Int64, cells: int) -> tuple[Int64, Int64, Float]:
        """The cells that reach as high a first level as the state's where he may not be efficient, and his value at
        their most favourable corners."""
        first = self.space.first[self.i]
        if first is not None:
            high = (place[:, first] + 1) / cells >= self.levels[self.i][point, first]
            point, place = point[high], place[high]
        value, gain, *ahead = self.m.signs[self.i]
        count = np.zeros(len(point), dtype=np.int16)
        for j, sign in zip(self.m.others(self.i), ahead, strict=True):
            signals = self._signals(point, self._corner(place, cells, sign))
            instance = self.space.instance
            count += instance.gain(j, signals) - instance.gain(self.i, signals) >= -self.rounding
        worst = self.space.instance.gain(self.i, self._signals(point, self._corner(place, cells, -gain)))
        open_ = (count >= self.space.units) | (worst < self.rounding)
        point, place = point[open_], place[open_]
        return point, place, self._value(point, self._corner(place, cells, value))

    def _certain(self, point: Int64, place: Int64, cells: int, value: Float) -> Bool:
        """Where he should not win at the cell's most favourable corner for his value, at a first level as high."""
        own = self._corner(place, cells, self.m.signs[self.i][0])
        signals = self._signals(point, own)
        gains = [self.space.instance.gain(j, signals) for j in range(self.space.n)]
        behind = sum((gains[j] >= gains[self.i]).astype(np.int16) for j in self.m.others(self.i))
        first = self.space.first[self.i]
        late = own[:, first] >= self.levels[self.i][point, first] if first is not None else True
        return (behind >= self.space.units) & late & (self._value(point, own) >= value[point])

    def _corner(self, place: Int64, cells: int, sign: Int8) -> Float:
        return np.clip((place + (sign > 0)) / cells, self.low, self.high)

    def _signals(self, point: Int64, own: Float) -> dict[str, Float]:
        rest = {name: column[point] for name, column in self.rest.items()}
        return {**rest, **self.space.own(self.i, own)}

    def _value(self, point: Int64, own: Float) -> Float:
        return self.space.instance.value(self.i, self._signals(point, own))
