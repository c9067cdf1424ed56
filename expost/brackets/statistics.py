"""Confidence limits from independent replicates, and how the permitted failures are shared among many bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Limit:
    """A one-sided confidence limit: the mean of replicates, and the error to put on or take off."""

    mean: float
    error: float
    confidence: float


def one_sided(replicates: list[float], confidence: float) -> Limit:
    """Student's t limit on the mean of independent replicates; exact for normal ones, and each replicate is itself an
    average over a randomly shifted lattice."""
    from scipy.stats import t

    values = np.asarray(replicates)
    count = len(values)
    if count < 2:
        return Limit(float(values.mean()), math.inf, confidence)
    spread = float(values.std(ddof=1)) / math.sqrt(count)
    return Limit(float(values.mean()), float(t.ppf(confidence, count - 1)) * spread, confidence)


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
