"""What the papers ask of a mechanism and of its instance, condition by condition: pivotality, strikes that do not rise,
the assumptions, and rates of substitution in each order of arrival."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.assumptions import AssumptionReport, assumption_1, assumption_2, check_assumptions
from expost.instances.environment import Instance
from expost.mechanisms.given import Given, first_signal
from expost.papers.bikhchandani.pivotal import mutually_pivotal, strongly_mutually_pivotal
from expost.papers.zik.orders import OrderReport, implementability
from expost.spaces.quantile_space import QuantileSpace
from expost.tolerances import ASSUMPTION, INCENTIVE, MRS, allowance

RISES, FEW_RISES = 4096, 256
"""States at which a strike is compared at two first signals; where every strike is a search of its own."""
OTHERS = 512
"""States of the others from which the search for the worst of an order of arrival starts, about."""


@dataclass(frozen=True)
class Condition:
    """One condition of the theory: whether it holds, by how much it fails, where."""

    name: str
    holds: bool
    residual: float | None
    detail: str = ""


def conditions_of(instance: Instance, given: Given, refuted: bool) -> Iterator[Condition]:
    """What the papers ask of the mechanism, unless it is none, and of the instance, each when it is asked for."""
    if given.prices is not None and instance.n > 1 and instance.units == 1 and not refuted:
        samples = (32 if instance.n == 2 else 8) if given.closed_form else 2
        for test in (mutually_pivotal, strongly_mutually_pivotal):
            report = test(instance, given.prices, samples=samples)
            at = f"{report.clause} at {_at(report.others)}"
            yield Condition(report.claim, report.holds, report.worst, at)
    if given.prices is None and given.strikes is not None:
        yield _falling(instance, given)
    yield from (_assumption(report, "") for report in check_assumptions(instance))
    strict = (assumption_1(instance, strict=True), assumption_2(instance, strict=True))
    yield from (_assumption(report, ", strict") for report in strict)
    yield from _orders(instance)


def _assumption(report: AssumptionReport, kind: str) -> Condition:
    violation = report.violation if np.isfinite(report.violation) else None
    return Condition(f"{report.claim}{kind}", report.holds, violation)


def _orders(instance: Instance) -> Iterator[Condition]:
    """Whether the first best can be had in each order of arrival (Zik, Corollaries 3, 4 and 11): by the strikes that
    the efficient rule asks for, and by the rates of substitution of V and of U along its boundary (see
    ``papers.zik.efficient``). The corollaries ask for V and U that rise in own signals. Nothing where they do not
    speak of the instance: several units, correlated or discrete signals, buyers with three signals."""
    discrete = any(instance.prior(name).atoms is not None for name in instance.signals)
    if instance.units > 1 or instance.joint is not None or discrete:
        return
    if any(len(buyer.signals) > 2 for buyer in instance.buyers):
        return
    most = max(len(instance.signals) - len(buyer.signals) for buyer in instance.buyers)
    points = min(8, max(2, int(OTHERS ** (1.0 / max(most, 1)) + 1e-9)))
    orders = implementability(instance, others=points).orders
    for i, buyer in enumerate(instance.buyers):
        mine = [report for report in orders if report.buyer == i]
        if mine:
            yield _rising(buyer.name, mine)
    for report in orders:
        yield _attained(instance, report)
        if report.on_boundary and np.isfinite(report.mrs_excess):
            yield _rates(report)


def _rising(buyer: str, mine: list[OrderReport]) -> Condition:
    fall, slope = max(report.fall for report in mine), min(report.least_slope for report in mine)
    holds = fall <= max(report.allowed for report in mine) and slope > ASSUMPTION
    return Condition(
        f"V does not fall, U rises in own signals, buyer {buyer}",
        holds,
        fall,
        f"least slope of U {slope:.2g}",
    )


def _attained(instance: Instance, report: OrderReport) -> Condition:
    told = f"statically {'too' if report.attained_statically else 'not'}"
    at = "" if report.attained or not report.witness else f"; strikes rise at {_at(report.witness)}"
    alone = len(instance.buyers[report.buyer].signals) == 1
    name = "first best attained with " + (f"{report.first} alone" if alone else f"{report.first} first")
    return Condition(name, report.attained, max(report.rise, 0.0), f"{told}{at}")


def _rates(report: OrderReport) -> Condition:
    holds = report.mrs_excess <= MRS
    detail = "" if holds else f"at {_at(report.mrs_witness)}"
    return Condition(
        f"rate of V at most that of U, {report.first} first", holds, max(report.mrs_excess, 0.0), detail
    )


def _at(state: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {x:.4g}" for name, x in state.items())


def _falling(instance: Instance, given: Given) -> Condition:
    """Strikes must not rise in the first signal (Zik, Theorem 2): two first signals in each of many random states."""
    assert given.strikes is not None
    space, rng = QuantileSpace(instance, (None,) * instance.n), np.random.default_rng(0)
    worst, where, allowed = -np.inf, "", 0.0
    for i in range(instance.n):
        rises = RISES if given.closed_form else FEW_RISES
        levels = [rng.random((rises, width)) for width in space.dims]
        higher = [own.copy() for own in levels]
        name = first_signal(instance, i)
        place = instance.buyers[i].signals.index(name)
        higher[i][:, place] = levels[i][:, place] + rng.random(rises) * (1.0 - levels[i][:, place])
        posted = posted_prices(instance, given)
        low, high = posted(i, space.signals(levels)), posted(i, space.signals(higher))
        with np.errstate(invalid="ignore"):
            rise = np.nan_to_num(high - low, nan=0.0)
        allowed = max(allowed, allowance(INCENTIVE, instance.value(i, space.signals(levels))))
        at = int(np.argmax(rise))
        if float(rise[at]) > worst:
            worst = float(rise[at])
            where = _at({key: float(column[at]) for key, column in space.signals(levels).items()})
    holds = worst <= allowed
    return Condition("strikes do not rise", holds, max(worst, 0.0), "" if holds else f"at {where}")


def posted_prices(instance: Instance, given: Given) -> Any:
    """``posted(i, signals)``: what buyer ``i`` pays if he wins."""

    def posted(i: int, signals: Mapping[str, Float]) -> Float:
        rest = {name: column for name, column in signals.items() if name not in instance.buyers[i].signals}
        if given.prices is not None:
            return given.prices.price(i, rest)
        if given.strikes is None:
            raise InputError(
                f"{given.name} has neither prices nor strikes in the continuum",
                where="prices",
                expected="a mechanism that is stated for all signals",
            )
        return given.strikes.strike(i, signals[first_signal(instance, i)], rest)

    return posted
