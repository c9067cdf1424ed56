"""Admissibility proved by cells: boxes of states on which interval bounds show that no two buyers win (of k units: no
k+1).

Boxes start as the whole support and are halved where the bounds leave it open, the largest doubt first. A box is
settled once, for every pair of buyers, one of the two surely loses in all of it, or their margins add up to no more
than zero: then they cannot both be positive (of k units: for every k+1 buyers, likewise). Prices that touch (margins of
0 at the same state) are not settled there: they stay ``sampled``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import combinations

import numpy as np

from expost._typing import Bool, Float
from expost.instances.environment import Instance
from expost.instances.formula import Formula
from expost.instances.intervals import Interval, formula_bounds
from expost.instances.parameters import NONE, Parameters
from expost.mechanisms.continuum.admissibility import Admissibility, How

CELLS = 2**21
"""Cells looked at before the proof is given up."""
BATCH = 2**14

Sum = tuple[tuple[int, ...], Formula]
"""Some buyers, one more than there are units, and the sum of their margins."""


def prove_admissibility(
    instance: Instance,
    prices: Sequence[str],
    found: Admissibility,
    *,
    parameters: Parameters = NONE,
    cells: int = CELLS,
) -> Admissibility:
    """``found``, or a proof in its place where every value is a formula and the cells settle.

    prices: a formula a buyer, in signals (own signals too, for strikes), the instance's parameters and ``parameters``,
    numbers of the prices' own. Signals with unbounded or conditional
    priors are not covered, nor are values that are Python functions: then ``found`` comes back as it was.
    """
    texts = [instance.valuation(i).text for i in range(instance.n)]
    box = _support(instance)
    touching = found.worst >= -found.allowed
    if found.how is not How.SAMPLED or touching or box is None or any(text is None for text in texts):
        return found
    formula = partial(Formula, parameters={**instance.parameters, **parameters})
    margins = [formula(f"({text}) - ({price})") for text, price in zip(texts, prices, strict=True)]
    groups = list(combinations(range(instance.n), instance.units + 1))
    sums = [formula(" + ".join(f"(({texts[i]}) - ({prices[i]}))" for i in group)) for group in groups]
    looked = _settle(margins, list(zip(groups, sums, strict=True)), box, instance.signals, cells)
    if looked is None:
        return found
    return Admissibility(
        How.PROVED,
        found.worst,
        found.allowed,
        looked,
        found.witness,
        found.buyers,
        found.values,
        found.prices,
    )


def _support(instance: Instance) -> tuple[Float, Float] | None:
    """The lowest and the highest value of every signal; None where there is no such box."""
    if any(instance.prior(name).conditions for name in instance.signals):
        return None
    ends = np.array([[float(end) for end in instance.prior(name).support()] for name in instance.signals])
    return (ends[:, 0], ends[:, 1]) if np.isfinite(ends).all() else None


def _settle(
    margins: Sequence[Formula],
    sums: Sequence[Sum],
    box: tuple[Float, Float],
    names: Sequence[str],
    most: int,
) -> int | None:
    """How many cells it took to settle the whole box, None when ``most`` were not enough."""
    low, high, looked = box[0][None], box[1][None], 0
    while len(low):
        looked += min(len(low), BATCH)
        if looked > most:
            return None
        now = slice(len(low) - min(len(low), BATCH), None)
        open_ = ~_settled(margins, sums, low[now], high[now], names)
        halves = _halved(low[now][open_], high[now][open_], box[1] - box[0])
        low, high = (
            np.concatenate([old[: now.start], new]) for old, new in zip((low, high), halves, strict=True)
        )
    return looked


def _settled(
    margins: Sequence[Formula], sums: Sequence[Sum], low: Float, high: Float, names: Sequence[str]
) -> Bool:
    boxes = {name: Interval(low[:, k], high[:, k]) for k, name in enumerate(names)}
    loses = [formula_bounds(margin, boxes).high <= 0.0 for margin in margins]
    settled = np.ones(len(low), dtype=np.bool_)
    for group, together in sums:
        one = np.logical_or.reduce([loses[i] for i in group])
        settled &= one | (formula_bounds(together, boxes).high <= 0.0)
    return settled


def _halved(low: Float, high: Float, whole: Float) -> tuple[Float, Float]:
    """Each box in two across its longest side (relative to the support)."""
    rows, across = np.arange(len(low)), np.argmax((high - low) / whole, axis=1)
    middle = 0.5 * (low[rows, across] + high[rows, across])
    left, right = high.copy(), low.copy()
    left[rows, across], right[rows, across] = middle, middle
    return np.concatenate([low, right]), np.concatenate([left, high])
