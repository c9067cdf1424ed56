"""Points at which assumptions are tested: one array axis per signal, values over the signal's support."""

from __future__ import annotations

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.environment import Instance, non_finite_witness

Points = dict[str, Float]

MOST_STATES = 50_000_000
"""States that a test may visit; each valuation takes 8 bytes per state."""


def box_points(instance: Instance, points: int, *, ends: bool = True) -> Points:
    """``points`` values of every signal, lowest to highest, each on an axis of its own (all signals' order).

    Unconditional priors give equally spaced quantiles, both ends included when ``ends`` and where finite. A
    conditional prior gives equally spaced values from the lowest to the highest that it can take: the
    assumptions of Bikhchandani (2006) speak of signals, whatever the prior, on a box.
    Raises InputError for fewer than two points, too many states, or a value that is not finite there.
    """
    _check_size(instance, points)
    values: Points = {}
    for signal in instance.signals:
        quantiles = np.asarray(_quantiles(instance, signal, points, values, ends))
        if quantiles.size > points:
            quantiles = np.linspace(quantiles.min(), quantiles.max(), points)
        values[signal] = _on_axis(instance, signal, quantiles.reshape(-1))
    return _finite(instance, values)


def quantile_points(instance: Instance, i: int, points: int, *, ends: bool = True) -> Points:
    """As ``box_points``, but the signals of buyer ``i`` at fixed conditional quantiles: along the axis of an
    earlier signal the quantile of a later one stays what it is, and the later signal moves (Zik 2.3.1)."""
    values = box_points(instance, points, ends=ends)
    for signal in instance.buyers[i].signals:
        values[signal] = _quantiles(instance, signal, points, values, ends)
    return _finite(instance, values)


def _quantiles(instance: Instance, signal: str, points: int, earlier: Points, ends: bool) -> Float:
    prior = instance.prior(signal)
    if ends:
        quantiles = prior.quantile(_on_axis(instance, signal, np.linspace(0.0, 1.0, points)), earlier)
        if np.isfinite(quantiles).all():
            return quantiles
    return prior.quantile(_on_axis(instance, signal, (np.arange(points) + 0.5) / points), earlier)


def _on_axis(instance: Instance, signal: str, values: Float) -> Float:
    names = instance.signals
    shape = [1] * len(names)
    shape[names.index(signal)] = -1
    return values.reshape(shape)


def _check_size(instance: Instance, points: int) -> None:
    if isinstance(points, bool) or not isinstance(points, (int, np.integer)) or points < 2:
        raise InputError(f"{points!r} points per signal", expected="an integer from 2")
    states = int(points) ** len(instance.signals)
    if states > MOST_STATES:
        raise InputError(
            f"{points} points for each of {len(instance.signals)} signals are {states:.3g} states",
            expected=f"at most {MOST_STATES:.3g}",
            remedy="take fewer points",
        )


def _finite(instance: Instance, values: Points) -> Points:
    witness = non_finite_witness(instance, values)
    if witness is not None:
        raise InputError(witness, where=f"instance {instance.name}", expected="finite values at all signals")
    return values
