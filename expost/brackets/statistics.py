"""Confidence limits from independent replicates, and how the permitted failures are shared among many bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Limit:
    """A one-sided confidence limit: the mean of replicates, and the error to put on or take off. ``mean`` may have a
    control added to it, ``replicates`` never; None is one that ran out of time."""

    mean: float
    error: float
    confidence: float
    replicates: tuple[float | None, ...] = ()

    def shifted(self, control: float) -> Limit:
        """The same with a control added to the mean."""
        return replace(self, mean=self.mean + control)


def one_sided(replicates: Sequence[float | None], confidence: float) -> Limit:
    """Student's t limit on the mean of independent replicates; exact for normal ones, and each replicate is itself an
    average over a randomly shifted lattice. No mean without any."""
    from scipy.stats import t

    values = np.array([value for value in replicates if value is not None])
    count = len(values)
    if not count:
        return Limit(math.nan, math.inf, confidence, tuple(replicates))
    if count < 2:
        return Limit(float(values.mean()), math.inf, confidence, tuple(replicates))
    spread = float(values.std(ddof=1)) / math.sqrt(count)
    error = float(t.ppf(confidence, count - 1)) * spread
    return Limit(float(values.mean()), error, confidence, tuple(replicates))


class Allowance:
    """The failures that a bracket may have, 1 - confidence, shared over both sides and over all bounds ever computed.

    The k-th statistical bound of a side may fail with probability (1 - confidence) / 2 / (k (k + 1)); these sum to
    half of the whole, so picking the best of all and stopping when it suits keeps the stated confidence."""

    def __init__(self, confidence: float) -> None:
        self.share = (1.0 - confidence) / 2.0
        self.used = {"lower": 0, "upper": 0}

    def next(self, side: str) -> float:
        """The confidence of the next statistical bound on ``side``."""
        self.used[side] += 1
        k = self.used[side]
        return 1.0 - self.share / (k * (k + 1))


def allowed(confidence: float) -> Allowance:
    """What a bracket of this confidence leaves to its bounds: four fifths of the failures, and the rest to its control
    (``control_confidence``)."""
    return Allowance(1.0 - 0.8 * (1.0 - confidence))


def control_confidence(confidence: float) -> float:
    """The confidence of each limit of the control of a bracket of this confidence: a fortieth of the permitted failures
    each, for two limits enter every bound of either side."""
    return 1.0 - 0.025 * (1.0 - confidence)
