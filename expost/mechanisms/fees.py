"""Fees of a menu of strikes: what a first-stage type pays for his option (Zik, proof of Theorem 2 and end
of Appendix B).

A menu gives first-stage type ``a`` the strike ``tau(a)``, not rising in ``a``; his gain from a strike is
``u(a, tau) = E_b[(V(a, b) - tau)^+]``. Fees are incentive compatible when between two neighbouring options
the difference lies between the two marginal types' willingness to pay for the step. ``chances``: the probability of
each second-stage type given the first signal, (A, B), or None where all are equal.
"""

from __future__ import annotations

import numpy as np

from expost._typing import Float
from expost.spaces.second_stage import common_quantiles, expected


def option_gains(values: Float, strikes: Float, chances: Float | None = None) -> Float:
    """u(a, tau) of each type at one strike each: ``values`` (F, A, B), ``strikes`` (F, A); unit: values,
    shape (F, A).

    An infinite strike is worth 0.
    """
    return expected(np.maximum(values - strikes[:, :, None], 0.0), chances)


def seller_best_fees(values: Float, strikes: Float, chances: Float | None = None) -> Float:
    """The largest fees that keep every type's choice and leave him a non-negative expected gain, shape (F,
    A).

    Closed form along the chain of strikes: the lowest buying type pays all he gains, and each step to a
    lower strike costs what the lowest type who takes it would pay for it. Needs strikes that do not rise
    and values that do not fall in ``a``.
    """
    step = option_gains(values, strikes, chances)
    step[:, 1:] -= option_gains(values[:, 1:], strikes[:, :-1], None if chances is None else chances[1:])
    return np.cumsum(step, axis=1)


def integral_fees(values: Float, strikes: Float, chances: Float | None = None) -> Float:
    """Zik's integral construction (end of Appendix B), the cheapest option free, shape (F, A).

    The option with strike y costs the integral of m(s) - y over the second-stage quantiles s at which its
    lowest holder buys, m(s) being the value at s of the lowest first-stage type who buys there. On a grid
    that value can exceed the strike of the type just below, who does not buy at s; m is then that strike
    (in the continuum the two agree). What the highest strike would cost is taken off every fee of the
    fibre.
    """
    ranked, width = common_quantiles(values, chances)
    pivotal = _pivotal_values(ranked, strikes)
    costs = np.maximum(pivotal[:, None, :] - strikes[:, :, None], 0.0)
    fees = expected(costs, None if chances is None else width[:, None, :])
    return fees - fees[:, :1]


def _pivotal_values(ranked: Float, strikes: Float) -> Float:
    """m(s), shape (F, Q), of values by quantile (F, A, Q); -inf at quantiles where nobody buys."""
    buys = ranked >= strikes[:, :, None]
    lowest = buys.argmax(axis=1)
    value = np.take_along_axis(ranked, lowest[:, None, :], axis=1)[:, 0, :]
    below = np.concatenate([np.full((len(strikes), 1), np.inf), strikes[:, :-1]], axis=1)
    capped = np.minimum(value, np.take_along_axis(below, lowest, axis=1))
    return np.where(buys.any(axis=1), capped, -np.inf)
