"""The claims of Zik on one price for one buyer: Theorem 7, and Appendix A."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.formulations.sequential_strikes import strike_rule
from expost.formulations.timing import SEQUENTIAL
from expost.instances import catalogue
from expost.instances.environment import Instance
from expost.papers.claim import Case, Claim, Mutant
from expost.papers.continuum_welfare import quantile_signals
from expost.papers.hypotheses import buyers
from expost.papers.optima import second_best
from expost.papers.own_instances import reversed_signals, three_roots
from expost.papers.verdict import Hypothesis, Relation, Verdict
from expost.papers.zik.efficient import efficient_boundary
from expost.papers.zik.orders import others_at
from expost.papers.zik.static_second_best import StaticSecondBest, gain_at_value
from expost.spaces.quantile_space import scrambled
from expost.spaces.type_space import discretize
from expost.tolerances import MRS, WELFARE, allowance

PriceOf = Callable[[Instance], float]
"""The one price for all, V*."""

SAMPLE = 2**17
NEAR = 0.01
"""Share of the sample on either side of V* over which W is averaged, and the share of the largest gain that the average
may differ from 0."""
SCHEDULES, STEPS, SAMPLED = 400, 6, 2e-4
"""Falling schedules of strikes that are tried against one price, steps of each, and what a sample's best may gain by
being the best of a sample (share of the largest gain)."""


def static_price(instance: Instance) -> float:
    """V* of Appendix A."""
    return StaticSecondBest(instance).level


def too_high(by: float) -> PriceOf:
    """Wrong: V* and ``by`` more."""
    return lambda instance: static_price(instance) + by


def theorem_7(case: Case, price_of: PriceOf) -> list[Verdict]:
    """Theorem 7: with the order of arrival the wrong way round, sequential timing gains nothing on one price."""
    instance, grids = case.instance, (max(case.size // 2, 2), case.size)
    rows = [_second_bests(instance, grid) for grid in grids]
    gains = [sequential - static for sequential, static in rows]
    at = int(np.argmax(gains))
    series = "; ".join(
        f"{s:.6f} against {t:.6f} on {g} points" for g, (s, t) in zip(grids, rows, strict=True)
    )
    better, told = ("", "") if instance.n > 1 else _better_schedule(instance, price_of(instance))
    return [
        Verdict(
            "Z-Theorem-7",
            "Zik, Theorem 7",
            instance.name,
            (buyers(instance, 1), _steeper(instance)),
            f"sequential second best less the static one, the most on {grids[0]} and {grids[1]} points per signal",
            gains[at],
            Relation.EQUAL,
            0.0,
            WELFARE,
            better,
            f"sequential against static: {series}{told}",
        )
    ]


def _second_bests(instance: Instance, grid: int) -> tuple[float, float]:
    """The sequential and the static second best on a grid."""
    space = discretize(instance, grid)
    sequential = strike_rule(space)[0] if space.n == 1 else second_best(space, SEQUENTIAL)[0]
    return sequential, second_best(space)[0]


def _steeper(instance: Instance) -> Hypothesis:
    """MRS of V above MRS of U all along every buyer's boundary, at random signals of the others."""
    least, where = np.inf, ""
    for i, buyer in enumerate(instance.buyers):
        dims = len(instance.signals) - len(buyer.signals)
        levels = np.random.default_rng(7).random((dims, 64 if dims else 1))
        boundary = efficient_boundary(instance, i, buyer.signals[0], others_at(instance, i, levels))
        excess = np.where(np.isfinite(boundary.second), boundary.mrs_value - boundary.mrs_society, np.inf)
        excess = np.where(np.isnan(excess), np.inf, excess)
        if excess.min() < least:
            _, row = np.unravel_index(int(np.argmin(excess)), excess.shape)
            least = float(excess.min())
            where = f"buyer {i + 1}, {buyer.signals[0]} = {boundary.signal[row]:.4g}"
    least = -np.inf if np.isposinf(least) else least
    return Hypothesis(
        "MRS of V above MRS of U all along the boundary (least excess, negated)",
        -least,
        -MRS,
        where or "no boundary",
    )


def _sampled(instance: Instance, count: int) -> tuple[dict[str, Float], Float, Float]:
    """Signals, values and gains of the only buyer at a random sample of the continuum."""
    levels = scrambled(count, len(instance.signals), np.random.default_rng(17)).T
    signals = quantile_signals(instance, levels)
    return signals, instance.value(0, signals), instance.gain(0, signals)


def _better_schedule(instance: Instance, price: float) -> tuple[str, str]:
    """A falling schedule of strikes that gains more than the price in the continuum, in words, empty if none of those
    tried does; and what was tried."""
    signals, value, gain = _sampled(instance, 2**14)
    first = signals[instance.buyers[0].signals[0]]
    rank = np.argsort(np.argsort(first)) / len(first)
    rng = np.random.default_rng(77)
    spread = 0.5 * float(value.max() - value.min())
    ours = float(np.where(value > price, gain, 0.0).mean())
    best, schedule = -np.inf, np.empty(0)
    for trial in range(SCHEDULES):
        offsets = rng.normal(size=STEPS if trial % 2 else 1) * spread * rng.random() ** 2
        strikes = -np.sort(-(price + offsets))
        found = np.where(
            value > strikes[np.minimum((rank * len(strikes)).astype(int), len(strikes) - 1)], gain, 0.0
        )
        if found.mean() > best:
            best, schedule = float(found.mean()), strikes
    told = f"; one strike for all, {price:.6f}, gains {ours:.6f}, the best of {SCHEDULES} falling schedules {best:.6f}"
    if best <= ours + allowance(SAMPLED, gain):
        return "", told
    return f"the strikes {np.round(schedule, 4).tolist()}, falling in the first signal, gain {best:.6f}", told


def appendix_a(case: Case, price_of: PriceOf) -> list[Verdict]:
    """Appendix A: no price gains more than V* in the continuum, and W is 0 there, both by a sample that knows no W."""
    instance = case.instance
    if instance.n != 1:
        raise InputError(
            f"{instance.n} buyers", where=f"instance {instance.name}", expected="one buyer (Zik, Appendix A)"
        )
    price = price_of(instance)
    _, value, gain = _sampled(instance, SAMPLE)
    order = np.argsort(-value)
    best = max(float(np.cumsum(gain[order]).max()), 0.0) / SAMPLE
    ours = float(np.where(value > price, gain, 0.0).mean())
    low, high = (float(np.quantile(value, share)) for share in (0.02, 0.98))
    levels = np.linspace(low, high, case.size)
    rise = np.diff([gain_at_value(instance, float(level)) for level in levels])
    place = int(np.count_nonzero(value > price))
    reach = int(NEAR * SAMPLE)
    around = gain[order[max(place - reach, 0) : place + reach]]
    inside = reach < place < SAMPLE - reach
    mean = float(around.mean()) if inside else 0.0
    allowed = NEAR * float(np.abs(gain).max())
    return [
        Verdict(
            "Z-Appendix-A",
            "Zik, Appendix A",
            instance.name,
            (Hypothesis("W rises in V", float(-rise.min())),),
            f"gain of the best price of a sample of {SAMPLE} less that of V*",
            best - ours,
            Relation.EQUAL,
            0.0,
            allowance(5e-5, gain),
            "" if abs(mean) <= allowed else f"the mean gain at values near V* is {mean:.4g}, not 0",
            f"V* = {price:.8f}, expected gain {ours:.6f}; mean gain at values near it {mean:.2g}",
        )
    ]


def _fixed_cost_first(size: int) -> Case:
    return Case(reversed_signals(catalogue.load("privatization")), size)


def _privatization(size: int) -> Case:
    return Case(catalogue.load("privatization"), size)


def _theorem_7_cases(quick: bool, seed: int) -> list[Case]:
    del seed
    size = 16 if quick else 40
    names = ("privatization",) if quick else ("privatization", "public-rival")
    cases = [Case(reversed_signals(catalogue.load(name)), size) for name in names]
    return [*cases, _privatization(size), Case(reversed_signals(catalogue.load("jmmz")), 6 if quick else 8)]


def _appendix_cases(quick: bool, seed: int) -> list[Case]:
    del seed
    names = ("privatization",) if quick else ("privatization", "public-rival")
    return [*(Case(catalogue.load(name), 9 if quick else 41) for name in names), Case(three_roots(), 41)]


CLAIMS = (
    Claim(
        "Z-Theorem-7",
        "the wrong order of arrival gains nothing",
        static_price,
        _theorem_7_cases,
        theorem_7,
        (Mutant("a price 0.05 too high", too_high(0.05), partial(_fixed_cost_first, 16)),),
        lambda instance, quick: [Case(instance, _points(instance, quick))],
    ),
    Claim(
        "Z-Appendix-A",
        "the static second best of one buyer",
        static_price,
        _appendix_cases,
        appendix_a,
        (
            Mutant("a price 0.02 too high", too_high(0.02), partial(_privatization, 9)),
            Mutant("a price 0.02 too low", too_high(-0.02), partial(_privatization, 9)),
        ),
        lambda instance, quick: [Case(instance, 9 if quick else 41)],
    ),
)


def _points(instance: Instance, quick: bool) -> int:
    """Points per signal on an instance of the user's: fewer with more signals."""
    return max(2, min(16 if quick else 32, int(20_000 ** (1.0 / len(instance.signals)))))
