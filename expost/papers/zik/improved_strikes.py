"""Zik's Theorem 8: the static second best of one buyer, improved by a step where the efficient boundary lets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from expost._typing import Bool, Float, Place
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.papers.fibres import Fibres
from expost.papers.levels import Function, highest
from expost.papers.zik.static_second_best import StaticSecondBest
from expost.papers.zik.strikes import EnvelopeStrikes, first_at, place_of_first
from expost.tolerances import WELFARE

Pair = tuple[float, float]

PLACES, ROUNDS = 129, 3
"""A crossing is looked for among PLACES places, ROUNDS times over between the two that enclose it."""


@dataclass(frozen=True)
class ImprovedStrikes:
    """The rule constructed in the proof of Zik's Theorem 8.

    Condition (1): to the right of the last crossing of the two boundaries the strike falls to the highest value along
    the rest of the efficient boundary. Condition (2): to the left of the first crossing it rises to the lowest value
    along it. Switches lie ``share`` of the way into the stretches; both steps are made when both conditions hold.

    Raises InputError when neither condition holds, for more than one buyer, and as ``EnvelopeStrikes`` does.
    """

    instance: Instance
    share: float = 0.5
    accuracy: float = 1e-7

    def __post_init__(self) -> None:
        if self.instance.n != 1:
            raise InputError(
                f"{self.instance.n} buyers",
                where="theorem8",
                expected="one buyer (Zik, Theorem 8)",
                remedy="section3.3 is the construction for several",
            )
        EnvelopeStrikes(self.instance)
        _, right, left, _ = self.steps
        if not (right[0] < right[1] or left[1] < left[0]):
            raise InputError(
                "neither condition (1) nor condition (2)",
                where="theorem8",
                expected="a value along the efficient boundary below (right) or above (left) the static price",
            )

    @cached_property
    def steps(self) -> tuple[float, Pair, Pair, Pair]:
        """The static price; (last crossing, end of the boundary); (first crossing, its start); the outer strikes.

        Crossings are places of the first signal in its support, 0 the lowest and 1 the highest.
        """
        price = StaticSecondBest(self.instance).level
        slack = WELFARE * max(1.0, abs(price))
        crossing = _last(lambda place: self._over(place) >= price - slack)
        end = _last(lambda place: self._over(place) > -np.inf)
        first = 1.0 - _last(lambda place: self._under(1.0 - place) <= price + slack)
        start = 1.0 - _last(lambda place: self._under(1.0 - place) < np.inf)
        lower = self._over(np.array([crossing + self.share * (end - crossing)]))
        upper = self._under(np.array([first + self.share * (start - first)]))
        return (
            price,
            (crossing, max(end, crossing)),
            (first, min(start, first)),
            (float(lower[0]), float(upper[0])),
        )

    def strike(self, i: int, first: Float, signals: Mapping[str, Float]) -> Float:
        """The strike at ``first``; see ``strikes.StrikeFunction``."""
        del signals
        price, right, left, outer = self.steps
        place = place_of_first(self.instance, i, np.asarray(first, dtype=np.float64))
        strike = np.full(place.shape, price)
        if right[0] < right[1]:
            strike = np.where(place > right[0] + self.share * (right[1] - right[0]), outer[0], strike)
            strike = np.where(place > right[1], -np.inf, strike)
        if left[1] < left[0]:
            strike = np.where(place < left[0] + self.share * (left[1] - left[0]), outer[1], strike)
            strike = np.where(place < left[1], np.inf, strike)
        return strike

    def _over(self, place: Float) -> Float:
        """The highest value at which selling is not efficient, over first signals from ``place`` up; -inf if none."""
        return EnvelopeStrikes(self.instance).strike(0, first_at(self.instance, 0, place), {})

    def _under(self, place: Float) -> Float:
        """The lowest value at which selling is efficient, over first signals up to ``place``; +inf if none."""
        dims = len(self.instance.buyers[0].signals)
        floor = np.zeros((dims, len(place)))
        floor[0] = 1.0 - place
        fibre = Fibres(self.instance, 0, {}, len(place), floor, flipped=True)
        return -highest(_negative(fibre.value(0)), _negative(fibre.surplus()), dims, len(place))


def _last(holds: Callable[[Float], Bool]) -> float:
    """The last place in [0, 1] where ``holds``, which holds up to some place and not beyond; 0 if nowhere."""
    low, high = 0.0, 1.0
    for _ in range(ROUNDS):
        places = np.linspace(low, high, PLACES)
        found = np.flatnonzero(holds(places))
        last = int(found[-1]) if len(found) else 0
        if last == PLACES - 1:
            return float(places[-1])
        low, high = float(places[last]), float(places[last + 1])
    return low


def _negative(function: Function) -> Function:
    def negated(x: Float, rows: Place) -> Float:
        return -function(x, rows)

    return negated
