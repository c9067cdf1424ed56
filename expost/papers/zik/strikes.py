"""Sequential constructions: strikes in the continuum as functions of the first signal and the others' signals.

The least strike schedule that never sells where selling is not efficient is the upper envelope, from the right, of
the buyer's value along the boundary of the efficient rule:

    tau(a) = sup { V_i(a', b') : a' >= a, w_i(a', b') <= max(0, max_j w_j(a', b')) }.

It does not rise, so it is implementable (Zik, Theorem 2), and every conditionally efficient rule has strikes at
least as high. At the lowest first signal it is Bikhchandani's price t*_i, and there the static rule stays; what Zik
builds in section 3.3 and in the proof of Theorem 8 is a step of this envelope.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.mechanisms.given import first_signal
from expost.papers.fibres import Fibres, fibres
from expost.papers.levels import highest
from expost.tolerances import WELFARE

STEP_PLACES = 33
"""First signals among which the one where t* ceases to bind is looked for: the rule is conditionally efficient
wherever the strike falls."""


@dataclass(frozen=True)
class EnvelopeStrikes:
    """The best conditionally efficient sequential rule: the envelope of the module's head.

    Raises InputError unless every buyer has one first-stage signal, listed first, and a second stage.
    """

    instance: Instance
    accuracy: float = 1e-10

    def __post_init__(self) -> None:
        for i, buyer in enumerate(self.instance.buyers):
            if first_signal(self.instance, i) != buyer.signals[0]:
                raise InputError(
                    f"{first_signal(self.instance, i)} comes first but is listed later",
                    where=f"buyer {buyer.name}: signals",
                    expected="signals in the order of arrival",
                )

    def strike(self, i: int, first: Float, signals: Mapping[str, Float]) -> Float:
        """tau_i(first) at the others' signals; see ``StrikeFunction``."""
        arrays = (
            np.broadcast_arrays(first, *signals.values())
            if signals
            else [np.asarray(first, dtype=np.float64)]
        )
        fibre, _ = fibres(self.instance, i, dict(zip(signals, arrays[1:], strict=True)))
        fibre = Fibres(self.instance, i, fibre.others, arrays[0].size)
        floor = np.zeros((fibre.dims, fibre.count))
        floor[0] = place_of_first(self.instance, i, arrays[0].ravel())
        fibre = Fibres(self.instance, i, fibre.others, fibre.count, floor)
        return highest(fibre.value(i), fibre.surplus(), fibre.dims, fibre.count).reshape(arrays[0].shape)


def place_of_first(instance: Instance, i: int, first: Float) -> Float:
    """Where the first signal lies in its support: 0 at the lowest, 1 at the highest. Raises InputError where the
    support is unbounded."""
    low, high = _support_of_first(instance, i)
    return (first - low) / (high - low)


def first_at(instance: Instance, i: int, place: Float) -> Float:
    """The inverse of ``place_of_first``."""
    low, high = _support_of_first(instance, i)
    return low + place * (high - low)


def _support_of_first(instance: Instance, i: int) -> tuple[Float, Float]:
    low, high = instance.prior(first_signal(instance, i)).support()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(
            f"the support of {first_signal(instance, i)} is unbounded",
            where=f"instance {instance.name}",
            expected="a lowest and a highest first signal",
            remedy="truncate the prior",
        )
    return low, high


@dataclass(frozen=True)
class StepStrikes:
    """Zik's conditionally efficient sequential rule (section 3.3): the price t* up to a switch, a lower strike beyond.

    The switch lies ``share`` of the way from the last first signal at which t* touches the boundary of the efficient
    rule to the last one at which there is a boundary (Zik's epsilon). Beyond it the strike is the highest value along
    the rest of the boundary; beyond the boundary he always wins.

    Raises InputError as ``EnvelopeStrikes`` does.
    """

    instance: Instance
    share: float = 0.5
    accuracy: float = 1e-9

    def __post_init__(self) -> None:
        EnvelopeStrikes(self.instance)

    def strike(self, i: int, first: Float, signals: Mapping[str, Float]) -> Float:
        """The strike at ``first``; see ``StrikeFunction``."""
        shape = np.broadcast_shapes(np.shape(first), *(np.shape(a) for a in signals.values()))
        alone = {name: np.atleast_1d(array) for name, array in signals.items()}
        others = np.broadcast_shapes((1,), *(a.shape for a in alone.values()))
        price = self._envelope(i, np.zeros(others), alone)
        switch = self._switch(i, alone, price)
        low = self._envelope(i, switch, alone)
        place = place_of_first(self.instance, i, np.asarray(first, dtype=np.float64))
        always = np.isneginf(
            EnvelopeStrikes(self.instance).strike(i, np.asarray(first, dtype=np.float64), signals)
        )
        stepped = np.where(place > switch, np.where(always, -np.inf, low), price)
        return np.broadcast_to(stepped, shape or (1,)).reshape(shape)

    def _envelope(self, i: int, place: Float, signals: Mapping[str, Float]) -> Float:
        return EnvelopeStrikes(self.instance).strike(i, first_at(self.instance, i, place), signals)

    def _switch(self, i: int, signals: Mapping[str, Float], price: Float) -> Float:
        """The place of the first signal where the strike falls; wherever it is, the rule is conditionally efficient."""
        slack = WELFARE * np.maximum(1.0, np.abs(price))
        places = np.linspace(0.0, 1.0, STEP_PLACES).reshape((-1,) + (1,) * price.ndim)
        envelope = self._envelope(i, places, {name: column[None] for name, column in signals.items()})
        ends = []
        for reached in (envelope >= price - slack, ~np.isneginf(envelope)):
            last = np.maximum(reached.sum(axis=0) - 1, 0)
            ends.append(places.ravel()[last])
        return ends[0] + self.share * np.maximum(ends[1] - ends[0], 0.0)
