"""What a valuation can be on boxes of levels: at two opposite corners where it moves in one direction with every level,
else by interval arithmetic over its formula, which needs no direction at all."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np

from expost._typing import Float, Int8
from expost.instances.formula import Formula
from expost.instances.intervals import Interval, formula_bounds
from expost.mechanisms.continuum.monotone import NotMonotone, directions, straight
from expost.spaces.quantile_space import QuantileSpace

Box = tuple[Float, Float]
"""Lowest and highest levels of one buyer, (.., d)."""


class Course(Enum):
    """How a valuation moves with levels: affine along every one of them, in one direction along every one, or
    neither, as far as is known."""

    STRAIGHT = "straight"
    MONOTONE = "monotone"
    OPEN = "open"


class Ranges:
    """The ranges of V_i, or of w_i with ``gain``. Raises NotMonotone where it is neither monotone nor a formula of
    signals with unconditional priors."""

    def __init__(self, space: QuantileSpace, i: int, *, gain: bool = False) -> None:
        self.space, self.i, self.gain = space, i, gain
        everybody = range(space.n)
        self.signs: list[Int8] | None = None
        try:
            self.signs = [directions(space, i, j, gain=gain) for j in everybody]
            self.course = Course.MONOTONE
        except NotMonotone as reason:
            self.course, self.formula = Course.OPEN, self._formula(reason)
        if straight(space, i, everybody, gain=gain):
            self.course = Course.STRAIGHT

    def at(self, levels: Sequence[Float]) -> Float:
        """The values at ``levels``."""
        return self.space.gain(self.i, levels) if self.gain else self.space.value(self.i, levels)

    def on(self, boxes: Sequence[Box]) -> Interval:
        """Lower and upper ends on one box for each buyer, which broadcast together."""
        if self.signs is None:
            return formula_bounds(self.formula, self._signals(boxes))
        ends = [
            self.at(
                [
                    np.where(up == (signs > 0), high, low)
                    for (low, high), signs in zip(boxes, self.signs, strict=True)
                ]
            )
            for up in (False, True)
        ]
        return Interval(*ends)

    def _formula(self, reason: NotMonotone) -> Formula:
        """V_i, or w_i, as one formula."""
        instance = self.space.instance
        parts = [instance.valuations[self.i][0].text]
        if self.gain:
            parts += [instance.valuations[self.i][1].text, instance.seller_valuation.text]
        texts = [part for part in parts if part is not None]
        if len(texts) < len(parts) or any(instance.prior(name).conditions for name in instance.signals):
            raise reason
        text = texts[0] if len(texts) == 1 else "({}) + ({}) - ({})".format(*texts)
        return Formula(text, parameters=instance.parameters)

    def _signals(self, boxes: Sequence[Box]) -> dict[str, Interval]:
        """Boxes of signals: their quantiles rise with the levels."""
        low, high = (self.space.signals([box[end] for box in boxes]) for end in (0, 1))
        return {name: Interval(low[name], high[name]) for name in low}
