"""Do the assumptions of the two papers hold for an instance? Tested at finitely many points, never proved.

A violation found is a fact, with its witness; none found means none at the points tested. Continuity
(Assumption 1b) cannot be tested at finitely many points and is not.

Everywhere ``points`` is the number of values per signal; ``ends=False`` leaves the ends of the supports out, for
strict inequalities that fail on the boundary only (p1 + c1*c2 does not rise in c1 where c2 = 0).
All functions raise InputError for fewer than two points, too many states, or a value that is not finite.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from expost._typing import Float
from expost.instances.environment import Instance
from expost.instances.load import load
from expost.instances.sample_points import Points, box_points, quantile_points
from expost.tolerances import ASSUMPTION, allowance

State = Mapping[str, float]


@dataclass(frozen=True)
class AssumptionReport:
    """What testing one assumption found.

    violation: how far the worst inequality is from holding, in units of value; positive when violated,
    zero or negative (the slack) otherwise. holds: violation within ``tolerance`` (weak inequalities), or
    slack of more than ``tolerance`` (strict ones). subject: whose inequality is worst. witness: the two
    states, signal by signal, between which it is worst (None when there is nothing to compare).
    points: values per signal; states: information states tested.
    """

    claim: str
    holds: bool
    violation: float
    tolerance: float
    subject: str
    witness: tuple[State, State] | None
    points: int
    states: int

    def __str__(self) -> str:
        verdict = "holds" if self.holds else "violated"
        text = f"{self.claim}: {verdict} at {self.states} states"
        if self.witness is None or self.holds:
            return text
        places = " and ".join(
            "(" + ", ".join(f"{k} = {v:.4g}" for k, v in s.items()) + ")" for s in self.witness
        )
        return f"{text}; worst for {self.subject}, by {self.violation:.4g}, between {places}"


@dataclass(frozen=True)
class _Inequality:
    """``function`` should rise along ``axes``; ``subject`` says what it is."""

    subject: str
    function: Float
    axes: Sequence[int]


def check_assumptions(
    instance: Instance | str | os.PathLike[str], *, points: int = 5, ends: bool = True
) -> tuple[AssumptionReport, ...]:
    """Assumptions 1, 2 and 3 of Bikhchandani (2006), weak as in section 3."""
    instance = load(instance)
    return (
        assumption_1(instance, points=points, ends=ends),
        assumption_2(instance, points=points, ends=ends),
        assumption_3(instance, points=points, ends=ends),
    )


def assumption_1(
    instance: Instance, *, points: int = 5, ends: bool = True, strict: bool = False
) -> AssumptionReport:
    """Assumption 1a of Bikhchandani (2006): every V_i is non-decreasing in all signals (increasing when
    ``strict``, section 4). Continuity, 1b, is not tested."""
    at = box_points(instance, points, ends=ends)
    every = range(len(instance.signals))
    inequalities = [
        _Inequality(f"V_{b.name}", instance.value(i, at), every) for i, b in enumerate(instance.buyers)
    ]
    claim = "Assumption 1a (increasing)" if strict else "Assumption 1a (monotone)"
    return _report(claim, inequalities, at, points, strict)


def assumption_2(
    instance: Instance, *, points: int = 5, ends: bool = True, strict: bool = False
) -> AssumptionReport:
    """Assumption 2 of Bikhchandani (2006), single crossing, for all pairs of buyers (Appendix A): when i's
    signals rise, V_i rises by no less than V_j does; by more when ``strict`` (section 4)."""
    at = box_points(instance, points, ends=ends)
    values = [instance.value(i, at) for i in range(instance.n)]
    inequalities = [
        _Inequality(f"V_{a.name} - V_{b.name}", values[i] - values[j], _axes(instance, a.signals))
        for i, a in enumerate(instance.buyers)
        for j, b in enumerate(instance.buyers)
        if i != j
    ]
    claim = "Assumption 2 (strict single crossing)" if strict else "Assumption 2 (single crossing)"
    return _report(claim, inequalities, at, points, strict)


def assumption_3(instance: Instance, *, points: int = 5, ends: bool = True) -> AssumptionReport:
    """Assumption 3 of Bikhchandani (2006), non-trivial: two distinct buyers (Appendix A; with two buyers,
    each) have somewhere the strictly greatest value. Given continuity one state shows a positive measure.

    violation: minus the lead of the second-best such buyer where he leads most; witness: the states
    where the two lead most. Nothing to compare, hence no violation, with a single buyer.
    """
    at = box_points(instance, points, ends=ends)
    values = np.stack([instance.value(i, at) for i in range(instance.n)])
    claim = "Assumption 3 (non-trivial)"
    states = values[0].size
    if instance.n == 1:
        return AssumptionReport(claim, True, -inf, 0.0, "", None, points, states)
    ordered = np.sort(values, axis=0)
    leads = np.where(values == ordered[-1], ordered[-1] - ordered[-2], values - ordered[-1])
    best = leads.reshape(instance.n, -1).max(axis=1)
    first, second = (int(i) for i in np.argsort(-best, kind="stable")[:2])
    tolerance = _tolerance(values)
    witness = tuple(_state(at, values.shape[1:], int(np.argmax(leads[i]))) for i in (first, second))
    subject = f"V_{instance.buyers[second].name}"
    violation = -float(best[second])
    return AssumptionReport(
        claim, violation < -tolerance, violation, tolerance, subject, (witness[0], witness[1]), points, states
    )


def own_signals_increasing(
    instance: Instance, buyer: int, *, points: int = 5, ends: bool = True, strict: bool = True
) -> AssumptionReport:
    """Zik 2.1 and 3.1: the value of ``buyer`` (counted from 0) rises in each signal of his own."""
    at = box_points(instance, points, ends=ends)
    observer = instance.buyers[buyer]
    inequality = _Inequality(
        f"V_{observer.name}", instance.value(buyer, at), _axes(instance, observer.signals)
    )
    return _report("value increasing in own signals", [inequality], at, points, strict)


def first_stage_monotone(
    instance: Instance, buyer: int, *, points: int = 5, ends: bool = True, strict: bool = False
) -> AssumptionReport:
    """Zik 2.3.1, for priors of later signals that depend on the first: at a fixed conditional quantile of
    the later signals, the value of ``buyer`` (counted from 0) rises in his first-stage signal."""
    at = quantile_points(instance, buyer, points, ends=ends)
    first = _axes(instance, instance.stages(buyer)[0])
    inequality = _Inequality(f"V_{instance.buyers[buyer].name}", instance.value(buyer, at), first)
    return _report("value monotone in the first stage at fixed quantiles", [inequality], at, points, strict)


def _report(
    claim: str, inequalities: Iterable[_Inequality], at: Points, points: int, strict: bool
) -> AssumptionReport:
    """The worst of the inequalities, as a report."""
    worst, subject, pair, scale, shape = -inf, "", None, 0.0, ()
    for inequality in inequalities:
        shape = inequality.function.shape
        scale = max(scale, _tolerance(inequality.function))
        violation, low, high = (_worst_step if strict else _worst_fall)(inequality)
        if violation > worst:
            worst, subject, pair = violation, inequality.subject, (low, high)
    witness = None if pair is None else (_state(at, shape, pair[0]), _state(at, shape, pair[1]))
    holds = worst < -scale if strict else worst <= scale
    states = int(np.prod(shape)) if shape else points ** len(at)
    return AssumptionReport(claim, holds, worst + 0.0, scale, subject, witness, points, states)


def _worst_fall(inequality: _Inequality) -> tuple[float, int, int]:
    """The largest fall of the function from a state to one that is higher along the axes: (fall, low, high),
    states as flat indices; a function that never falls gives minus its smallest rise between neighbours."""
    highest_below = inequality.function
    for axis in inequality.axes:
        highest_below = np.maximum.accumulate(highest_below, axis=axis)
    falls = highest_below - inequality.function
    high = int(np.argmax(falls))
    fall = float(falls.flat[high])
    if fall <= 0.0:
        return _worst_step(inequality)
    state = np.unravel_index(high, falls.shape)
    below = tuple(
        slice(0, k + 1) if axis in inequality.axes else slice(k, k + 1) for axis, k in enumerate(state)
    )
    part = inequality.function[below]
    corner = [s.start for s in below]
    offset = np.unravel_index(int(np.argmax(part)), part.shape)
    low = np.ravel_multi_index(tuple(c + o for c, o in zip(corner, offset, strict=True)), falls.shape)
    return fall, int(low), high


def _worst_step(inequality: _Inequality) -> tuple[float, int, int]:
    """Minus the smallest rise of the function between neighbours along the axes: (that, low, high)."""
    worst, low, high = -inf, 0, 0
    flat = np.arange(inequality.function.size).reshape(inequality.function.shape)
    for axis in inequality.axes:
        falls = -np.diff(inequality.function, axis=axis)
        place = int(np.argmax(falls))
        if falls.flat[place] > worst:
            worst = float(falls.flat[place])
            low = int(np.delete(flat, -1, axis=axis).flat[place])
            high = int(np.delete(flat, 0, axis=axis).flat[place])
    return worst, low, high


def _tolerance(values: Float) -> float:
    return allowance(ASSUMPTION, values)


def _axes(instance: Instance, signals: Iterable[str]) -> list[int]:
    return [instance.signals.index(signal) for signal in signals]


def _state(at: Points, shape: tuple[int, ...], flat: int) -> State:
    place = np.unravel_index(flat, shape)
    return {name: float(np.broadcast_to(values, shape)[place]) for name, values in at.items()}
