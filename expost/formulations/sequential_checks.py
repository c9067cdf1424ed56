"""What sequential timing needs of a buyer's values, checked on the type space.

Strikes that fall in the first signal are incentive compatible when a higher first signal makes every value
at least as likely to be exceeded: at each fixed quantile of the second stage, V must not fall in the first
signal (Zik 2.3.1). With one second-stage signal the rule of Theorem 2 is a threshold in it, so V must not
fall in that signal either. Flat stretches and ties are harmless to the program: equal values are free of
each other. Second-stage types of several signals are ordered by value, and nothing more is asked of them.
"""

from __future__ import annotations

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.spaces.second_stage import NO_WIDTH, common_quantiles, given_level
from expost.spaces.stages import Stages
from expost.spaces.type_space import TypeSpace
from expost.tolerances import ASSUMPTION, allowance


def check_stages(space: TypeSpace, stages: Stages, fibres: Float) -> None:
    """Raise InputError where the values ``fibres`` (F, A, B) of a buyer do not suit sequential timing,
    saying where."""
    _check_levels(space, stages)
    slack = allowance(ASSUMPTION, fibres)
    chances = None
    if space.weights is not None:
        chances = given_level(space.weights.types[stages.buyer][stages.types])
    same = chances is None or bool((chances == chances[:1]).all())
    if len(stages.second) == 1:
        _check_rise(space, stages, fibres, slack, second=True)
    if len(stages.second) == 1 and same:
        _check_rise(space, stages, fibres, slack, second=False)
    else:
        _check_quantiles(space, stages, *common_quantiles(fibres, chances), slack)


def _check_levels(space: TypeSpace, stages: Stages) -> None:
    levels = space.types[stages.buyer][stages.first][stages.types[:, 0]]
    if (np.diff(levels) <= 0.0).any():
        k = int(np.argmin(np.diff(levels)))
        raise InputError(
            f"{stages.first} is {levels[k]:.6g} at two points of the grid",
            where=f"priors.{stages.first}",
            expected="a first signal that rises from each grid point to the next",
            remedy="state a signal with atoms by a discrete prior, or use fewer points",
        )


def _check_rise(space: TypeSpace, stages: Stages, fibres: Float, slack: float, *, second: bool) -> None:
    """V must not fall from one grid point of the first (or the only second) signal to the next."""
    steps = np.diff(fibres, axis=2 if second else 1)
    if not steps.size or float(steps.min()) >= -slack:
        return
    fibre, a, b = (int(k) for k in np.unravel_index(int(np.argmin(steps)), steps.shape))
    shape, after = space.shape, (a, b + 1) if second else (a + 1, b)
    here, there = stages.state(fibre, a, b, shape), stages.state(fibre, *after, shape)
    moved = stages.second[0] if second else stages.first
    low, high = space.signals_at(here), space.signals_at(there)
    rest = ", ".join(f"{name} = {value:.6g}" for name, value in low.items() if value == high[name])
    quantile = (
        " at a fixed quantile of the second stage"
        if not second and low[stages.second[0]] != high[stages.second[0]]
        else ""
    )
    raise InputError(
        f"V falls from {fibres[fibre, a, b]:.6g} to {fibres[fibre, *after]:.6g} "
        f"as {moved} rises from {low[moved]:.6g} to {high[moved]:.6g}{quantile} ({rest})",
        where=f"buyer {space.instance.buyers[stages.buyer].name}: value",
        expected=_expected(stages, second),
        remedy=f"measure {moved} the other way round, or use timing='static'"
        if second
        else "let another signal come first",
    )


def _expected(stages: Stages, second: bool) -> str:
    if second:
        return f"a value that does not fall in the second-stage signal {stages.second[0]} (Zik, Theorem 2)"
    return (
        f"a value that does not fall in the first signal {stages.first} at fixed quantiles "
        "of the second stage (Zik 2.3.1)"
    )


def _ordinal(ranked: Float, width: Float, k: int) -> str:
    """Which quantile of the second stage the k-th cell is, in words."""
    if float(np.ptp(width)) == 0.0:
        return f"{k + 1}. lowest of {ranked.shape[2]}"
    return f"{100.0 * float(width[0, :k].sum()):.3g}% quantile of the"


def _check_quantiles(space: TypeSpace, stages: Stages, ranked: Float, width: Float, slack: float) -> None:
    """The value at each quantile of a row must not be lower in the next row; (F, A, Q), quantile cells (F or 1, Q)."""
    steps = np.where(width[:, None, :] > NO_WIDTH, np.diff(ranked, axis=1), np.inf)
    if not steps.size or float(steps.min()) >= -slack:
        return
    fibre, a, k = (int(t) for t in np.unravel_index(int(np.argmin(steps)), steps.shape))
    low, high = (space.signals_at(stages.state(fibre, row, 0, space.shape)) for row in (a, a + 1))
    rest = ", ".join(f"{name} = {value:.6g}" for name, value in low.items() if name not in stages.signals)
    raise InputError(
        f"the {_ordinal(ranked, width, k)} second-stage values falls from {ranked[fibre, a, k]:.6g} "
        f"to {ranked[fibre, a + 1, k]:.6g} as {stages.first} rises "
        f"from {low[stages.first]:.6g} to {high[stages.first]:.6g}" + (f" ({rest})" if rest else ""),
        where=f"buyer {space.instance.buyers[stages.buyer].name}: value",
        expected=_expected(stages, False),
        remedy="let another signal come first",
    )
