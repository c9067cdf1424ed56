"""Mechanisms of the continuum: who wins, and at what strike, at any signals whatsoever.

A buyer wins where his value exceeds the strike that he faces. A static buyer's strike depends on the others' signals
alone; a sequential buyer's also on his first-stage level, in which it does not rise (Zik, Theorem 2). Admissibility -
no state with more winners than units - holds by construction; what exactly is guaranteed, each kind of mechanism says.
``audit`` looks for violations at random.
"""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from expost._typing import Array, Bool, Float
from expost.errors import InputError
from expost.files import write_whole
from expost.instances.functions import marked_toml
from expost.mechanisms.continuum.functions import keep_functions
from expost.mechanisms.continuum.suprema import untimed
from expost.spaces.quantile_space import Levels, QuantileSpace, scrambled
from expost.tolerances import INCENTIVE, allowance

ROWS = 12
"""First-stage levels at which an audit compares a sequential buyer's strikes."""


@dataclass(frozen=True)
class ContinuumAudit:
    """What random states show. crowded: states with more winners than units. incentive: the largest gain of a deviation
    (unit: values): a random other report (static), or the largest rise of a strike in the first signal (sequential).
    allowed: what counts as none.
    """

    states: int
    crowded: int
    incentive: float
    allowed: float
    seed: int

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return self.crowded == 0 and self.incentive <= self.allowed

    def explain(self) -> str:
        """One line."""
        return (
            f"{self.states} random states: {self.crowded} with more winners than units, "
            f"no deviation gains more than {self.incentive:.3g} (allowed {self.allowed:.3g})"
        )


@dataclass(frozen=True, eq=False)
class ContinuumMechanism(ABC):
    """A mechanism of a continuous instance; subclasses say what strikes they post. ``method``: in words, how it was
    found."""

    space: QuantileSpace
    method: str

    kind: ClassVar[str]

    @abstractmethod
    def strikes(self, levels: Levels) -> Float:
        """The strike of each buyer at P states: ``levels`` holds one array (P, d_i) per buyer; returns (n, P), +inf:
        never."""

    def strike(self, i: int, levels: Levels) -> Float:
        """The strike of buyer ``i`` at P states, (P,)."""
        return np.asarray(self.strikes(levels)[i])

    def strike_where(self, i: int, levels: Levels, value: Float) -> Float:
        """The strike of buyer ``i`` at P states where ``value`` (P,) exceeds it; elsewhere that or anything no less
        than ``value``, where it need not be known."""
        del value
        return self.strike(i, levels)

    @abstractmethod
    def arrays(self) -> dict[str, Array]:
        """What is saved beside the instance."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """The JSON values saved beside the arrays."""

    def wins(self, levels: Levels, tick: Callable[[], None] = untimed) -> Bool:
        """Who wins at P states, (n, P). ``tick`` is called now and then where that takes a while, and may raise."""
        del tick
        values = self._values(levels)
        strikes = [self.strike_where(i, levels, value) for i, value in enumerate(values)]
        return self.won(levels, values, np.stack(strikes))

    def _values(self, levels: Levels) -> Float:
        signals = self.space.signals(levels)
        return np.stack([self.space.instance.value(i, signals) for i in range(self.space.n)])

    def won(self, levels: Levels, values: Float, strikes: Float) -> Bool:
        """Who wins at P states, given values and strikes there, (n, P) each."""
        del levels
        return np.asarray(values > strikes)

    def prices(self, signals: dict[str, Float]) -> Float:
        """The strike of each buyer at any ``signals`` (arrays that broadcast to one shape): (n, *shape)."""
        levels, shape = self._at(signals)
        return self.strikes(levels).reshape(self.space.n, *shape)

    def allocate(self, signals: dict[str, Float]) -> Bool:
        """Who wins at any ``signals`` (arrays that broadcast to one shape): (n, *shape)."""
        levels, shape = self._at(signals)
        return self.wins(levels).reshape(self.space.n, *shape)

    def _at(self, signals: dict[str, Float]) -> tuple[list[Float], tuple[int, ...]]:
        names = self.space.instance.signals
        missing = [name for name in names if name not in signals]
        if missing:
            raise InputError(
                f"no values for {', '.join(missing)}", where="mechanism", expected="an array for every signal"
            )
        arrays = np.broadcast_arrays(*(np.asarray(signals[name], dtype=np.float64) for name in names))
        flat = {name: np.ravel(array) for name, array in zip(names, arrays, strict=True)}
        return self.space.levels(flat), tuple(arrays[0].shape)

    def audit(self, states: int = 4096, seed: int = 0) -> ContinuumAudit:
        """Look for states with more winners than units and for profitable deviations at random states and reports."""
        rng = np.random.default_rng(seed)
        joint = scrambled(states, sum(self.space.dims), rng)
        levels = self.space.split(joint)
        values = self._values(levels)
        crowded = int(np.count_nonzero(self.wins(levels).sum(axis=0) > self.space.units))
        worst = max(self._deviation(i, levels, values[i], rng) for i in range(self.space.n))
        allowed = allowance(INCENTIVE, values)
        return ContinuumAudit(states, crowded, max(worst, 0.0), allowed, seed)

    def _deviation(self, i: int, levels: Levels, value: Float, rng: np.random.Generator) -> float:
        """The largest gain of buyer ``i`` from one random other report in each state (static), or the largest rise of
        his strike over first-stage levels (sequential)."""
        place = self.space.first[i]
        other = self.space.snapped(i, rng.random(levels[i].shape))
        if place is None:
            reported = [other if j == i else own for j, own in enumerate(levels)]
            theirs = self.space.value(i, reported)
            # a lie pays at most where it wins at less than the value, and truth never loses anything
            posted = self.strike_where(i, reported, np.minimum(theirs, value))
            at = np.flatnonzero((theirs > posted) & (value > posted))
            if not len(at):
                return 0.0
            strike = self.strike_where(i, [own[at] for own in levels], value[at])
            truth = np.where(value[at] > strike, value[at] - strike, 0.0)
            with np.errstate(
                invalid="ignore"
            ):  # a strike of -inf is won by every type: no report changes anything
                gain = np.nan_to_num(value[at] - posted[at] - truth, nan=0.0, posinf=np.inf)
            return float(gain.max())
        few = [own[: max(1, len(own) // ROWS)] for own in levels]
        rises, before = 0.0, None
        for level in np.linspace(0.0, 1.0, ROWS):
            own = few[i].copy()
            own[:, place] = level
            now = self.strike(i, [own if j == i else rest for j, rest in enumerate(few)])
            if before is not None:
                with np.errstate(invalid="ignore"):
                    rises = max(rises, float(np.where(now > before, now - before, 0.0).max()))
            before = now
        return rises

    def save(self, folder: Path | str) -> None:
        """Write ``mechanism.json``, ``mechanism.npz`` and ``instance.toml`` into ``folder`` (made if missing); and
        ``functions.npz`` where values are Python functions, which the file of an instance cannot hold."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        (path / "instance.toml").write_text(marked_toml(self.space.stated), encoding="utf-8")
        keep_functions(self.space, path)
        record = {"kind": self.kind, "method": self.method, "first": list(self.space.first), **self.facts()}
        (path / "mechanism.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
        np.savez(path / "mechanism.npz", **self.arrays())  # type: ignore[arg-type]

    def export(self, path: Path | str, states: int = 1024, seed: int = 0) -> None:
        """Write a CSV: the signals, each buyer's strike and who wins, at ``states`` random states."""
        write_whole(Path(path), self.exported(states, seed))

    def exported(self, states: int = 1024, seed: int = 0) -> bytes:
        """What ``export`` writes."""
        rng = np.random.default_rng(seed)
        levels = self.space.split(scrambled(states, sum(self.space.dims), rng))
        signals = self.space.signals(levels)
        buyers = [buyer.name for buyer in self.space.instance.buyers]
        strikes, wins = self.strikes(levels), self.wins(levels)
        file = io.StringIO(newline="")
        writer = csv.writer(file)
        writer.writerow([*signals, *(f"strike_{name}" for name in buyers), "winner"])
        for row in range(states):
            name = " ".join(buyer for buyer, won in zip(buyers, wins[:, row], strict=True) if won)
            numbers = [*(column[row] for column in signals.values()), *strikes[:, row]]
            writer.writerow([*(f"{number:.9g}" for number in numbers), name])
        return file.getvalue().encode()
