"""The efficient rule in the continuum: its boundary, the strikes along it, marginal rates of substitution
(Zik 2.4).

Buyer i wins efficiently where U = w_i - max(0, max_j w_j) is positive, and not where it is negative. At
fixed signals of the others, a row is one level of the first signal; where U changes sign along the second
signal the row meets the boundary, and the strike there is V at that point. Everything is done in quantiles,
so that dependent stages need no special care (Zik 2.3.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.tolerances import ASSUMPTION, TIE, allowance

OfLevels = Callable[[Float, Float], Float]

EDGE = TIE
"""How far quantile levels stay from 0 and 1, where a prior may be infinite."""
STEP = 2.0**-14
"""The step of difference quotients, in quantile levels."""
BISECTIONS = 60
SECONDS = 17
"""Levels of the second signal at which monotonicity is looked at."""


@dataclass(frozen=True, eq=False)
class Boundary:
    """The efficient rule of one buyer in F states of the others, on P rows; arrays have shape (F, P) unless
    stated.

    others: the others' signals of each fibre, by name, (F,).
    level: (P,) quantile levels of the first signal. signal: (P,) the first signal there.
    second: the quantile level of the second signal at which the row meets the boundary, NaN where it does
    not.
    strike: V there, NaN likewise. mrs_value, mrs_society: (dV/da)/(dV/db) and (dU/da)/(dU/db) there, in
    quantiles.
    lower, upper: the largest value in the row that should lose and the smallest that should win (-inf, +inf
    where there is none).
    scale: the tolerance for comparisons of values (unit: values).
    fall: by how much V or U falls at most from one sampled level of an own signal to the next; the theory
    asks for 0. least_slope: the least rise of U between such levels, per unit of level; the corollaries on rates
    ask for more than 0.
    """

    buyer: int
    first: str
    others: Mapping[str, Float]
    level: Float = field(repr=False)
    signal: Float = field(repr=False)
    second: Float = field(repr=False)
    strike: Float = field(repr=False)
    mrs_value: Float = field(repr=False)
    mrs_society: Float = field(repr=False)
    lower: Float = field(repr=False)
    upper: Float = field(repr=False)
    scale: float
    fall: float
    least_slope: float

    def segment(self) -> tuple[Float, Float]:
        """The lowest and the highest first signal at which each fibre has a boundary, (F,) each; NaN where
        it has none."""
        on = np.isfinite(self.second)
        some = on.any(axis=1)
        last = on.shape[1] - 1 - on[:, ::-1].argmax(axis=1)
        return np.where(some, self.signal[on.argmax(axis=1)], np.nan), np.where(
            some, self.signal[last], np.nan
        )


def efficient_boundary(
    instance: Instance, buyer: int, first: str, others: Mapping[str, Float | float], points: int = 101
) -> Boundary:
    """The boundary of the efficient rule of ``buyer`` (from 0) with ``first`` arriving first, at the
    others' signals ``others``.

    others: values of every signal of the other buyers, numbers or arrays of one shape (F,). points: rows.
    Raises InputError when ``first`` is not his, when more than one signal is left for the second stage, or
    when a signal of the others is missing.
    """
    second = _second(instance, buyer, first)
    given = _given(instance, buyer, others)
    value, society = _functions(instance, buyer, first, second, given)
    level = np.linspace(EDGE, 1.0 - EDGE, points)
    rows = np.broadcast_to(level, (len(next(iter(given.values()), np.zeros(1))), points))
    low, high = np.full(rows.shape, EDGE), np.full(rows.shape, 1.0 - EDGE)
    bottom, top = value(rows, low), value(rows, high)
    scale = allowance(ASSUMPTION, top, bottom)
    loses, wins = society(rows, low) < -scale, society(rows, high) > scale
    at, on = _root(society, rows), loses & wins
    strike = value(rows, at)
    middle = {first: level} | ({second: np.full(points, 0.5)} if second else {})
    return Boundary(
        buyer=buyer,
        first=first,
        others=given,
        level=level,
        signal=own_signals(instance, buyer, middle)[first],
        second=np.where(on, at, np.nan),
        strike=np.where(on, strike, np.nan),
        mrs_value=np.where(on, _substitution(value, rows, at), np.nan),
        mrs_society=np.where(on, _substitution(society, rows, at), np.nan),
        lower=np.where(loses, np.where(wins, strike, top), -np.inf),
        upper=np.where(wins, np.where(loses, strike, bottom), np.inf),
        scale=scale,
        fall=max(_fall(function, rows) for function in (value, society)),
        least_slope=_least_slope(society, rows, alone=second is None),
    )


def own_signals(instance: Instance, buyer: int, levels: Mapping[str, Float]) -> dict[str, Float]:
    """A buyer's signals at quantile levels by signal, conditional quantiles where priors depend on earlier
    signals."""
    own: dict[str, Float] = {}
    for name in instance.buyers[buyer].signals:
        own[name] = np.asarray(instance.prior(name).quantile(levels[name], own), dtype=np.float64)
    return own


def _second(instance: Instance, buyer: int, first: str) -> str | None:
    names = instance.buyers[buyer].signals
    where = f"buyer {instance.buyers[buyer].name}: stages"
    if first not in names:
        raise InputError(f"first signal {first!r}", where=where, expected=f"one of {', '.join(names)}")
    rest = [name for name in names if name != first]
    if len(rest) > 1:
        raise InputError(
            f"{len(rest)} second-stage signals ({', '.join(rest)})",
            where=where,
            expected="one: the boundary of the efficient rule is a function of one second signal (Zik 2.4)",
        )
    if rest and rest[0] in instance.prior(first).conditions:
        raise InputError(
            f"{first} comes first and its prior depends on {rest[0]}",
            where=f"priors.{first}",
            expected="a first signal whose prior depends on no later one",
        )
    return rest[0] if rest else None


def _given(instance: Instance, buyer: int, others: Mapping[str, Float | float]) -> dict[str, Float]:
    names = [name for name in instance.signals if name not in instance.buyers[buyer].signals]
    missing = [name for name in names if name not in others]
    if missing:
        raise InputError(
            f"no value for {', '.join(missing)}", where="signals of the others", expected=", ".join(names)
        )
    arrays = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(others[name], dtype=np.float64)) for name in names)
    )
    return dict(zip(names, arrays, strict=True))


def _functions(
    instance: Instance, buyer: int, first: str, second: str | None, given: Mapping[str, Float]
) -> tuple[OfLevels, OfLevels]:
    """V and U as functions of the levels of the first and the second signal, both (F, P)."""
    fixed = {name: column[:, None] for name, column in given.items()}

    def at(a: Float, b: Float) -> dict[str, Float]:
        return fixed | own_signals(instance, buyer, {first: a} | ({second: b} if second else {}))

    def value(a: Float, b: Float) -> Float:
        return np.broadcast_to(instance.value(buyer, at(a, b)), a.shape)

    def society(a: Float, b: Float) -> Float:
        signals = at(a, b)
        rival = np.zeros(a.shape)
        for j in range(instance.n):
            if j != buyer:
                rival = np.maximum(rival, instance.gain(j, signals))
        return instance.gain(buyer, signals) - rival

    return value, society


def _root(function: OfLevels, rows: Float) -> Float:
    """Where ``function`` changes sign along the second level, by bisection; one end where it does not."""
    low, high = np.full(rows.shape, EDGE), np.full(rows.shape, 1.0 - EDGE)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        above = function(rows, middle) > 0.0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return 0.5 * (low + high)


def _table(function: OfLevels, rows: Float) -> Float:
    """``function`` at ``SECONDS`` levels of the second signal and on all rows: (SECONDS, F, P)."""
    levels = np.linspace(EDGE, 1.0 - EDGE, SECONDS)
    return np.stack([function(rows, np.full(rows.shape, level)) for level in levels])


def _fall(function: OfLevels, rows: Float) -> float:
    """The largest fall of ``function`` along either level, on the rows and ``SECONDS`` levels of the second
    signal."""
    table = _table(function, rows)
    return float(max(-np.diff(table, axis=0).min(initial=0.0), -np.diff(table, axis=2).min(initial=0.0)))


def _least_slope(function: OfLevels, rows: Float, *, alone: bool) -> float:
    """The least slope of ``function`` along either level, or along the first when it is ``alone``."""
    table = _table(function, rows)
    slopes = [np.diff(table, axis=2).min(initial=np.inf) * (rows.shape[1] - 1)]
    if not alone:
        slopes.append(np.diff(table, axis=0).min(initial=np.inf) * (SECONDS - 1))
    return float(min(slopes))


def _substitution(function: OfLevels, a: Float, b: Float) -> Float:
    """The marginal rate of substitution of the second for the first level; NaN where both slopes are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return _slope(function, a, b, own=True) / _slope(function, a, b, own=False)


def _slope(function: OfLevels, a: Float, b: Float, *, own: bool) -> Float:
    """The derivative along the first (``own``) or the second level, by a parabola through three points
    inside [0, 1]."""
    x = a if own else b
    start = np.clip(x - STEP, EDGE, 1.0 - EDGE - 2.0 * STEP)
    t = (x - start) / STEP
    f0, f1, f2 = (function(start + k * STEP, b) if own else function(a, start + k * STEP) for k in range(3))
    return ((2.0 * t - 3.0) / 2.0 * f0 - (2.0 * t - 2.0) * f1 + (2.0 * t - 1.0) / 2.0 * f2) / STEP
