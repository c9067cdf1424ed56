"""Zik's Theorem 8: where the boundary of the efficient rule lets it, sequential timing beats the best static price."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.formulations.sequential_strikes import strike_rule
from expost.instances import catalogue
from expost.instances.environment import Instance
from expost.mechanisms.given import StrikeFunction, strike_mechanism
from expost.papers.claim import Case, Claim, Mutant
from expost.papers.continuum_welfare import Margin, expected_welfare
from expost.papers.hypotheses import buyers
from expost.papers.own_instances import efficient_at_one_price, reversed_signals, wavy
from expost.papers.verdict import Hypothesis, Relation, Verdict
from expost.papers.zik.efficient import efficient_boundary
from expost.papers.zik.improved_strikes import ImprovedStrikes
from expost.papers.zik.static_second_best import StaticSecondBest
from expost.spaces.type_space import discretize
from expost.tolerances import WELFARE, allowance

StrikesOf = Callable[[Instance], StrikeFunction]
"""The strikes that improve on the static second best."""

QUADRATURE = 2e-5
"""Expected welfare in the continuum is computed to this (absolute)."""
ROWS = 801
"""First signals at which the boundary is followed."""


def theorem_8(case: Case, strikes_of: StrikesOf) -> list[Verdict]:
    """Theorem 8: where the value stays below the static price beyond the last crossing, sequential timing gains."""
    instance = case.instance
    if instance.n != 1:
        raise InputError(
            f"{instance.n} buyers", where=f"instance {instance.name}", expected="one buyer (Zik, Theorem 8)"
        )
    space, price = discretize(instance, case.size), StaticSecondBest(instance).level
    static = _continuum_welfare(instance, lambda _, __: np.array([price]))
    optimum = strike_rule(space)[0]
    constructed, violation, told = static, "", "no construction"
    try:
        strikes = strikes_of(instance)
    except InputError as refusal:
        told = f"no construction: {refusal.found}"
    else:
        first = instance.signals[0]
        constructed = _continuum_welfare(instance, lambda i, signals: strikes.strike(i, signals[first], {}))
        violation = _rise(instance, strikes)
        on_grid = (
            strike_mechanism(space, strikes).welfare(space.gains, space.seller) if not violation else -np.inf
        )
        told = f"the constructed rule on the grid {on_grid:.6f}"
        if on_grid > optimum + WELFARE:
            violation = "the construction beats the sequential optimum on the grid"
    return [
        Verdict(
            "Z-Theorem-8",
            "Zik, Theorem 8",
            instance.name,
            (buyers(instance, 1), condition(instance, price)),
            "expected welfare of the constructed rule in the continuum against the best static price",
            constructed,
            Relation.MORE,
            static,
            2.0 * QUADRATURE,
            violation,
            f"sequential second best on {case.size} x {case.size} points {optimum:.6f}; {told}",
        )
    ]


def condition(instance: Instance, price: float) -> Hypothesis:
    """Conditions (1) and (2) along the boundary of the efficient rule, which must go on beyond the crossing: where it
    does not, a condition holds of nothing, and nothing follows from it."""
    name = "condition (1) or (2), on a stretch of the boundary"
    boundary = efficient_boundary(instance, 0, instance.signals[0], {}, points=ROWS)
    on = np.flatnonzero(np.isfinite(boundary.second[0]))
    if not len(on):
        return Hypothesis(name, np.inf, 0.0, "the efficient rule has no boundary")
    signal, strike = boundary.signal[on], boundary.strike[0, on]
    slack = allowance(1e-6, strike)
    side = np.where(np.abs(strike - price) <= slack, 0, np.sign(strike - price)).astype(int)
    crossings = np.flatnonzero((side == 0) | (np.diff(side, append=side[-1]) != 0))
    if not len(crossings):
        return Hypothesis(name, np.inf, 0.0, "the boundaries do not cross")
    last, start = int(crossings[-1]) + 1, int(crossings[0])
    above = float((strike[last:] - price).max(initial=-np.inf))
    below = float((price - strike[: start + 1][side[: start + 1] != 0]).max(initial=-np.inf))
    parts = {
        f"(1) to the right of {signal[min(last, len(signal) - 1)]:.4g}": above,
        f"(2) to the left of {signal[start]:.4g}": below,
    }
    told = "; ".join(
        f"{where}: "
        + ("vacuous, the boundary ends at the crossing" if np.isneginf(worst) else f"by {worst:.3g}")
        for where, worst in parts.items()
    )
    real = [worst for worst in parts.values() if np.isfinite(worst)]
    residual = min(real, default=np.inf)
    return Hypothesis(name, residual, -slack, told)


def _rise(instance: Instance, strikes: StrikeFunction) -> str:
    """A first signal at which the strikes rise, in words; empty where they do not: only then are they incentive
    compatible (Theorem 2)."""
    low, high = (float(end) for end in instance.prior(instance.signals[0]).support())
    first = np.linspace(low, high, ROWS)
    strike = strikes.strike(0, first, {})
    with np.errstate(invalid="ignore"):
        rise = np.nan_to_num(np.diff(strike), nan=0.0)
    at = int(np.argmax(rise))
    return f"the strikes rise at {instance.signals[0]} = {first[at]:.4g}" if rise[at] > 1e-9 else ""


def _continuum_welfare(instance: Instance, threshold: Margin) -> float:
    """Expected welfare of the rule that sells above ``threshold``, a function of the first signal."""
    along = (instance.signals[-1],)
    return expected_welfare(
        instance, instance.value, threshold, along=along, own=True, accuracy=QUADRATURE
    ).value


@dataclass(frozen=True)
class OnePrice:
    """Wrong: the static price, improved by nothing."""

    price: float
    accuracy: float = 1e-7

    def strike(self, i: int, first: Float, signals: Mapping[str, Float]) -> Float:
        """The same for every first signal."""
        del i, signals
        return np.full(np.shape(first), self.price)


@dataclass(frozen=True)
class Mirrored:
    """Wrong: the strikes of the first signal as far from the other end of [0, 1]."""

    strikes: StrikeFunction
    accuracy: float = 1e-7

    def strike(self, i: int, first: Float, signals: Mapping[str, Float]) -> Float:
        """Rising where they should fall."""
        return self.strikes.strike(i, 1.0 - np.asarray(first), signals)


def _not_improved(instance: Instance) -> StrikeFunction:
    return OnePrice(StaticSecondBest(instance).level)


def _mirrored(instance: Instance) -> StrikeFunction:
    return Mirrored(ImprovedStrikes(instance))


def _wavy(size: int) -> Case:
    return Case(wavy(), size)


def _cases(quick: bool, seed: int) -> list[Case]:
    del seed
    size = 24 if quick else 48
    cases = [wavy(), reversed_signals(catalogue.load("privatization")), efficient_at_one_price()]
    cases += [] if quick else [catalogue.load("privatization"), catalogue.load("public-rival")]
    return [Case(instance, size) for instance in cases]


CLAIMS = (
    Claim(
        "Z-Theorem-8",
        "sequential timing gains where the boundary lets it",
        ImprovedStrikes,
        _cases,
        theorem_8,
        (
            Mutant("the static price, not improved", _not_improved, partial(_wavy, 24)),
            Mutant("strikes that rise", _mirrored, partial(_wavy, 24)),
        ),
        lambda instance, quick: [Case(instance, 24 if quick else 48)],
    ),
)
