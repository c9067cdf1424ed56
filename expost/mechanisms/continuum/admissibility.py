"""Is a mechanism that somebody states admissible in the continuum: does any state have more winners than units?

With one unit, buyers i and j both win where V_i > t_i and V_j > t_j, so all comes down to the largest second-highest
margin

    max_s  max over pairs i < j of min(V_i(s) - t_i(s), V_j(s) - t_j(s)),

which must not be positive (Bikhchandani 2006, section 2); with k units, to the largest (k+1)-st highest margin. It is
searched for: a dense sample, its faces, corners and states of equal signals included, then local ascent from the best
states. A state found with a positive margin refutes; none found proves nothing, which is what ``admissibility_cells``
is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from expost._typing import Float
from expost.instances.environment import Instance
from expost.spaces.efficient import last_margin
from expost.spaces.quantile_space import QuantileSpace, scrambled
from expost.tolerances import INCENTIVE, allowance

Posted = Callable[[int, Mapping[str, Float]], Float]
"""``posted(i, signals)``: what buyer ``i`` pays if he wins, at all signals (P,): a price, or his strike."""

STATES, STARTS, STEPS, DIRECTIONS = 2**15, 100, 60, 12
"""States sampled; from how many of the best the ascent starts; its steps, and the directions tried at each."""
SHRINK, WIDEST, NARROWEST = 0.6, 0.1, 2.0**-40
READABLE, KEPT = range(1, 7), 0.8
"""A witness is rounded to the fewest of these digits that keep this share of its margin."""


COUNTS = {2: "two", 3: "three", 4: "four", 5: "five"}
FREE = "there is a unit for every buyer: no state has too many winners"


class How(StrEnum):
    """How a verdict on admissibility came about."""

    REFUTED = "refuted"
    SAMPLED = "sampled"
    PROVED = "proved"


@dataclass(frozen=True)
class Admissibility:
    """What was found about a mechanism of the continuum.

    how: refuted by the witness, sampled without finding one, or proved by cells.
    worst: the largest second-highest margin found, of k units the (k+1)-st (unit: values; -inf where there are units
    for all buyers); above ``allowed`` it refutes. witness: the state where it is, signal by signal. buyers: those who
    win or come closest to it, one more than there are units, counted from 0; values, prices: theirs there. states: how
    many states, or cells, were looked at.
    """

    how: How
    worst: float
    allowed: float
    states: int
    witness: Mapping[str, float]
    buyers: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    prices: tuple[float, ...] = ()

    @property
    def admissible(self) -> bool:
        """Whether nothing speaks against it; see ``how`` for what that is worth."""
        return self.how is not How.REFUTED

    def explain(self) -> str:
        """One line: the state where too many buyers win and what they value and pay there, or how nothing was found."""
        count = COUNTS.get(len(self.buyers), str(len(self.buyers)))
        if self.how is How.PROVED:
            return f"no state has {count} winners (proved on {self.states} cells)" if self.buyers else FREE
        if self.how is How.SAMPLED:
            return f"no state with {count} winners among {self.states} tried; the largest margin is {self.worst:.3g}"
        at = ", ".join(f"{name} = {value:.6g}" for name, value in self.witness.items())
        each = " and ".join(
            f"buyer {i + 1} values it at {value:.6g} and pays {price:.6g}"
            for i, value, price in zip(self.buyers, self.values, self.prices, strict=True)
        )
        return f"{count} buyers win at {at}: {each}"


def search_admissibility(
    instance: Instance,
    posted: Posted,
    *,
    accuracy: float = 0.0,
    states: int = STATES,
    starts: int = STARTS,
    steps: int = STEPS,
    seed: int = 0,
) -> Admissibility:
    """Look for a state with more winners than units under the prices or strikes ``posted``.

    accuracy: how far these may be off (unit: values, relative). states, starts, steps: the effort.
    """
    if instance.n <= instance.units:
        return Admissibility(How.PROVED, -np.inf, 0.0, 0, {})
    search = _Search(instance, posted, np.random.default_rng(seed))
    levels = search.sample(states)
    margin = search.margin(levels)
    best = np.argsort(-margin, kind="stable")[:starts]
    at, value, visited = search.ascend(levels[best], margin[best], steps)
    top = int(np.argmax(value))
    scale = np.stack([instance.value(i, search.signals(levels)) for i in range(instance.n)])
    allowed = allowance(max(INCENTIVE, 2.0 * accuracy), scale)
    return search.verdict(at[top], allowed, len(levels) + visited)


def state_sample(instance: Instance, count: int, rng: np.random.Generator) -> list[Float]:
    """States, as levels (count, d_i) of each buyer, among which two winners are likely to be found if there are any."""
    search = _Search(instance, lambda *_: np.zeros(()), rng)
    cuts = np.cumsum([len(buyer.signals) for buyer in instance.buyers])[:-1]
    return np.split(search.sample(count), cuts, axis=1)


@dataclass(frozen=True, eq=False)
class _Search:
    instance: Instance
    posted: Posted
    rng: np.random.Generator

    @cached_property
    def _space(self) -> QuantileSpace:
        return QuantileSpace(self.instance, (None,) * self.instance.n)

    @cached_property
    def _ends(self) -> tuple[Float, Float]:
        """The lowest and the highest levels of all signals at which they are finite."""
        low, high = zip(*self._space.box, strict=True)
        return np.concatenate(low), np.concatenate(high)

    def sample(self, count: int) -> Float:
        """Half of the states spread evenly, a quarter on faces and in corners, a quarter where buyers are alike."""
        dims = sum(self._space.dims)
        levels = scrambled(count, dims, self.rng)
        half, quarter = count // 2, count // 4
        snapped = self.rng.random((quarter, dims))
        faces = levels[half : half + quarter]
        faces[snapped < 0.3] = 0.0
        faces[snapped > 0.7] = 1.0
        alike = levels[half + quarter :]
        starts = np.cumsum((0, *self._space.dims))
        for place in range(max(self._space.dims)):
            columns = [s + place for s, d in zip(starts, self._space.dims, strict=False) if place < d]
            spread = self.rng.choice([0.0, 1e-3, 0.05], (len(alike), 1))
            noise = self.rng.normal(size=(len(alike), len(columns)))
            alike[:, columns] = alike[:, columns[:1]] + spread * noise
        return np.clip(levels, *self._ends)

    def signals(self, levels: Float) -> dict[str, Float]:
        """All signals (P,) at levels (P, signals)."""
        return self._space.signals(self._space.split(levels))

    def margins(self, signals: Mapping[str, Float]) -> tuple[Float, Float]:
        """Values and posted prices of all buyers, (n, P) each."""
        shape = np.broadcast_shapes(*(np.shape(column) for column in signals.values()))
        values = np.stack([self.instance.value(i, signals) for i in range(self.instance.n)])
        prices = np.stack([np.broadcast_to(self.posted(i, signals), shape) for i in range(self.instance.n)])
        return values, prices

    def margin(self, levels: Float) -> Float:
        """The second-highest V_i - t_i in each state, of k units the (k+1)-st: (P,)."""
        values, prices = self.margins(self.signals(levels))
        return last_margin(values - prices, self.instance.units)

    def _worst(self, values: Float, prices: Float) -> float:
        """The same in one state, both (n, 1)."""
        return float(last_margin(values - prices, self.instance.units)[0])

    def ascend(self, at: Float, value: Float, steps: int) -> tuple[Float, Float, int]:
        """Each state moved to where the margin is higher: random directions and single signals, at a width that
        shrinks where nothing is gained. Returns the states, their margins, and how many states were visited."""
        (count, dims), visited = at.shape, 0
        width = np.full(count, WIDEST)
        for _ in range(steps):
            moves = self.rng.normal(size=(count, DIRECTIONS, dims))
            moves *= self.rng.random(moves.shape) < self.rng.choice([1.0, 2.0 / dims])
            tried = np.clip(at[:, None] + width[:, None, None] * moves, *self._ends)
            found = self.margin(tried.reshape(-1, dims)).reshape(count, DIRECTIONS)
            pick = np.argmax(found, axis=1)
            rows = np.arange(count)
            better = found[rows, pick] > value
            at = np.where(better[:, None], tried[rows, pick], at)
            value = np.where(better, found[rows, pick], value)
            width = np.maximum(np.where(better, width * 1.2, width * SHRINK), NARROWEST)
            visited += found.size
        return at, value, visited

    def verdict(self, levels: Float, allowed: float, states: int) -> Admissibility:
        """The report on the state at ``levels`` (signals,), rounded to few digits where that keeps its margin."""
        signals: Mapping[str, Float] = self.signals(levels[None])
        values, prices = self.margins(signals)
        worst, count = self._worst(values, prices), self.instance.units + 1
        if worst > allowed:
            signals, values, prices = self._readable(signals, worst, allowed)
            worst = self._worst(values, prices)
        first = np.argsort(-(values - prices)[:, 0], kind="stable")[:count]
        pair = tuple(sorted(int(i) for i in first))
        return Admissibility(
            how=How.REFUTED if worst > allowed else How.SAMPLED,
            worst=worst,
            allowed=allowed,
            states=states,
            witness={name: float(column[0]) for name, column in signals.items()},
            buyers=pair,
            values=tuple(float(values[i, 0]) for i in pair),
            prices=tuple(float(prices[i, 0]) for i in pair),
        )

    def _readable(
        self, signals: Mapping[str, Float], worst: float, allowed: float
    ) -> tuple[Mapping[str, Float], Float, Float]:
        """The witness in as few digits as will do, inside the supports."""
        for digits in READABLE:
            rounded = {name: np.round(column, digits) for name, column in signals.items()}
            if not self._inside(rounded):
                continue
            values, prices = self.margins(rounded)
            if self._worst(values, prices) > max(KEPT * worst, allowed):
                return rounded, values, prices
        return signals, *self.margins(signals)

    def _inside(self, signals: Mapping[str, Float]) -> bool:
        for name, column in signals.items():
            low, high = self.instance.prior(name).support(signals)
            if not (low <= column).all() or not (column <= high).all():
                return False
        return True
