"""Which of a buyer's signals comes first, and his types laid out by stage.

Sequential timing: a buyer reports one signal in the first stage and the others, together, in the second
(Zik, sections 2.3 and 3.1). A state array becomes fibres of shape (F, A, B): F states of the others, A
levels of the first signal in increasing order, B combinations of the second-stage signals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from expost._typing import Place
from expost.errors import InputError
from expost.instances.environment import Instance

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class Stages:
    """How the types of one buyer split into stages.

    buyer: counted from 0, and his axis in state arrays.
    signals: his own signals as listed, the last one fastest in his types.
    counts: grid points on each of them.
    first: the signal of the first stage.
    """

    buyer: int
    signals: tuple[str, ...]
    counts: tuple[int, ...]
    first: str

    @property
    def second(self) -> tuple[str, ...]:
        """The signals of the second stage, as listed."""
        return tuple(signal for signal in self.signals if signal != self.first)

    @property
    def levels(self) -> int:
        """A, how many levels the first signal has."""
        return self.counts[self.signals.index(self.first)]

    @property
    def seconds(self) -> int:
        """B, how many second-stage types there are."""
        return math.prod(self.counts) // self.levels

    @property
    def types(self) -> Place:
        """The buyer's type (its place on his axis) of each (level, second-stage type), shape (A, B)."""
        grid = np.arange(math.prod(self.counts)).reshape(self.counts)
        return np.moveaxis(grid, self.signals.index(self.first), 0).reshape(self.levels, self.seconds)

    def fibres(self, array: NDArray[T]) -> NDArray[T]:
        """A state array as fibres: (F, A, B), the others' states in C order first."""
        last = np.moveaxis(array, self.buyer, -1)
        ordered = last if self.first == self.signals[0] else last[..., self.types.ravel()]
        return np.ascontiguousarray(ordered).reshape(-1, self.levels, self.seconds)

    def states(self, fibres: NDArray[T], shape: tuple[int, ...]) -> NDArray[T]:
        """The inverse of ``fibres``: back to a C-ordered array of state shape ``shape``."""
        others = shape[: self.buyer] + shape[self.buyer + 1 :]
        back = np.argsort(self.types.ravel())
        last = fibres.reshape(*others, self.levels * self.seconds)[..., back]
        return np.ascontiguousarray(np.moveaxis(last, -1, self.buyer))

    def state(self, fibre: int, level: int, second: int, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The index in state arrays of one type in one fibre."""
        others = shape[: self.buyer] + shape[self.buyer + 1 :]
        rest = [int(t) for t in np.unravel_index(fibre, others)] if others else []
        rest.insert(self.buyer, int(self.types[level, second]))
        return tuple(rest)


def stages_of(instance: Instance, i: int, counts: Sequence[int], first: str | None = None) -> Stages:
    """The stages of buyer ``i`` with ``counts`` grid points on his signals; ``first`` overrides the instance.

    Raises InputError unless there is exactly one first signal, at least one second, and the prior of the
    first depends on none of the second.
    """
    chosen = _first_signal(instance, i) if first is None else _named_first(instance, i, first)
    buyer = instance.buyers[i]
    if len(buyer.signals) < 2:
        raise InputError(
            "a second stage without signals",
            where=f"buyer {buyer.name}: stages",
            expected="one signal in the first stage and at least one in the second",
            remedy="give the buyer a second signal, or static timing",
        )
    later = [name for name in instance.prior(chosen).conditions if name != chosen]
    if later:
        raise InputError(
            f"{chosen} comes first and its prior depends on {', '.join(later)}",
            where=f"priors.{chosen}",
            expected="a first signal whose prior depends on no later one",
            remedy=f"let {later[0]} come first, or restate the priors the other way round",
        )
    return Stages(i, buyer.signals, tuple(int(count) for count in counts), chosen)


def _first_signal(instance: Instance, i: int) -> str:
    buyer, stages = instance.buyers[i], instance.stages(i)
    where = f"buyer {buyer.name}: stages"
    foreign = [name for stage in stages for name in stage if name not in buyer.signals]
    if foreign:
        raise InputError(
            f"stage signal {foreign[0]!r}, which is not the buyer's",
            where=where,
            expected=f"only {', '.join(buyer.signals)}",
        )
    if len(stages) != 2 or not all(stages):
        raise InputError(
            "a stage without signals" if len(stages) <= 2 else f"{len(stages)} stages",
            where=where,
            expected="one signal in the first stage and at least one in the second",
            remedy="give the buyer a second signal, or static timing",
        )
    if len(stages[0]) > 1:
        raise InputError(
            f"{len(stages[0])} first-stage signals ({', '.join(stages[0])})",
            where=where,
            expected="exactly one: with several the menu is not ordered",
            remedy=f'stages = [["{stages[0][0]}"], [...]]',
        )
    return stages[0][0]


def _named_first(instance: Instance, i: int, first: str) -> str:
    buyer = instance.buyers[i]
    if first not in buyer.signals:
        raise InputError(
            f"first signal {first!r}, which is not a signal of buyer {buyer.name}",
            where="first",
            expected=f"one of {', '.join(buyer.signals)}",
        )
    return first


def parse_first(instance: Instance, names: str | Sequence[str | None]) -> tuple[str | None, ...]:
    """The first signal of each buyer as ``--first c1,c2`` names them, in any order; None for buyers it does
    not name.

    names: the text, or the names in a sequence (None is skipped). Raises InputError for an unknown signal
    and for two signals of one buyer.
    """
    chosen: list[str | None] = [None] * instance.n
    for name in (part.strip() for part in names.split(",")) if isinstance(names, str) else names:
        if name is None:
            continue
        if name not in instance.signals:
            raise InputError(
                f"unknown signal {name!r}",
                where="first",
                expected=f"one of {', '.join(instance.signals)}",
                remedy=f"for example first={[buyer.signals[0] for buyer in instance.buyers]}",
            )
        owner = instance.owner(name)
        if chosen[owner] is not None:
            raise InputError(
                f"{chosen[owner]} and {name}, both signals of buyer {instance.buyers[owner].name}",
                where="first",
                expected="at most one first signal per buyer",
            )
        chosen[owner] = name
    return tuple(chosen)
