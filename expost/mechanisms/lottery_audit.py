"""The audit of stochastic mechanisms by definition: every first report, followed by any second-stage strategy.

A type who reports ``o`` in the first stage may then report any second-stage type of row ``o`` and gets that type's
probability of winning for that type's payment; the best strategy takes, for each of his own second-stage types, the
best of those. Nothing here looks at strikes, fees or how the rule was found.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from expost._typing import Float
from expost.mechanisms.audit import BuyerAudit, State, allowed_gain
from expost.mechanisms.lottery_menu import CHUNK, Layout
from expost.spaces.second_stage import expected
from expost.tolerances import PROBABILITY


class _Worst(NamedTuple):
    gain: float
    fibre: int
    level: int
    second: int
    deviation: str


def audit_lottery(
    values: Float, wins: Float, pays: Float, layout: Layout, chances: Float | None = None
) -> BuyerAudit:
    """Incentives and participation of one buyer of a stochastic mechanism, static or sequential.

    values: V of state shape. wins, pays: (F, A, B), each type's probability of winning and expected payment.
    chances: the probability of each second-stage type given the first signal, (A, B), or None where all are equal.
    A static buyer (one first-stage level) tries every report; he may stay away from any state. A sequential one tries
    every second report, every first report followed by the best second-stage strategy, and may stay away before the
    first stage.
    """
    fibres = layout.fibres(values)
    truthful = wins * fibres - pays
    step = max(1, CHUNK // max(1, fibres.shape[1] * fibres.shape[2] ** 2))
    worst = _Worst(0.0, 0, 0, 0, "none")
    for start in range(0, len(fibres), step):
        part = slice(start, start + step)
        for found in _findings(fibres[part], wins[part], pays[part], truthful[part], layout, chances):
            if found.gain > worst.gain:
                worst = found._replace(fibre=found.fibre + start)
    state = layout.state(worst.fibre, worst.level, worst.second, values.shape)
    return BuyerAudit(layout.buyer, worst.gain, state, worst.deviation, allowed_gain(values))


def _findings(
    values: Float, wins: Float, pays: Float, truthful: Float, layout: Layout, chances: Float | None
) -> list[_Worst]:
    """The best deviation of each kind; everything (F, A, B)."""
    static = layout.stages is None
    hoped = expected(truthful, chances)
    away = truthful if static else hoped[:, :, None]
    found = [_worst(-away, "staying away")]
    levels = values.shape[1]
    for o in range(levels):
        best = (wins[:, o, None, None, :] * values[..., None] - pays[:, o, None, None, :]).max(axis=3)
        own = best[:, o] - truthful[:, o]
        found.append(
            _worst(own[:, None, :], "another report in the second stage")._replace(level=o)
            if not static
            else _worst(own[:, None, :], "another report")
        )
        if not static:
            gain = expected(best, chances) - hoped
            found.append(_worst(gain[:, :, None], f"reporting level {o} in the first stage"))
    return found


def _worst(gain: Float, deviation: str) -> _Worst:
    gain = np.where(np.isnan(gain), np.inf, gain)
    at = np.unravel_index(int(np.argmax(gain)), gain.shape)
    return _Worst(float(gain[at]), int(at[0]), int(at[1]), int(at[2]), deviation)


def crowded_states(allocation: Float, units: int = 1) -> tuple[int, State | None]:
    """In how many states the probabilities (n, T_1, .., T_n) add up to more than ``units``, and one of them."""
    total = allocation.sum(axis=0)
    crowded = int(np.count_nonzero(total > units + PROBABILITY))
    if not crowded:
        return 0, None
    return crowded, tuple(int(t) for t in np.unravel_index(int(np.argmax(total)), total.shape))
