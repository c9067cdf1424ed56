"""The claims of Zik on when the first best is attained: Corollaries 3, 4 and 11, and section 3.2."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.formulations.timing import SEQUENTIAL
from expost.instances import catalogue
from expost.instances.environment import Instance
from expost.papers.claim import Case, Claim, Mutant
from expost.papers.optima import second_best
from expost.papers.verdict import Hypothesis, Relation, Verdict, state_text
from expost.papers.zik.orders import OrderReport, RatioConditions, implementability, ratio_conditions
from expost.spaces.type_space import discretize
from expost.tolerances import ASSUMPTION, MRS, WELFARE

Prediction = Callable[[OrderReport], tuple[bool, bool]]
"""Whether rates of substitution say that the first best is attained, sequentially and statically."""
Conditions = Callable[[Float, Float], RatioConditions]

WEIGHTS = ("alpha11", "alpha12", "alpha21", "alpha22", "beta11", "beta12", "beta21", "beta22")


def by_rates(report: OrderReport) -> tuple[bool, bool]:
    """Sequentially where the rate of V nowhere exceeds that of U, statically where the two are equal."""
    return report.mrs_excess <= MRS, report.mrs_gap <= MRS


def by_rates_reversed(report: OrderReport) -> tuple[bool, bool]:
    """Wrong: sequentially where the rate of V exceeds that of U."""
    return report.mrs_excess > MRS, report.mrs_gap <= MRS


def static_by_excess(report: OrderReport) -> tuple[bool, bool]:
    """Wrong: statically, too, where the rate of V does not exceed that of U."""
    return report.mrs_excess <= MRS, report.mrs_excess <= MRS


def corollaries(case: Case, prediction: Prediction) -> list[Verdict]:
    """Corollaries 3, 4 and 11: rates of substitution against implementability, in every order of arrival."""
    return [
        _corollary_on(case.instance, report, prediction)
        for report in implementability(case.instance, others=case.size, rows=101).orders
    ]


def _corollary_on(instance: Instance, report: OrderReport, prediction: Prediction) -> Verdict:
    said, seen = prediction(report), (report.attained, report.attained_statically)
    agree = said == seen and (report.attained or not report.attained_statically)
    where = state_text(dict(report.witness or report.mrs_witness))
    told = ["" if yes else "not " for yes in seen]
    return Verdict(
        "Z-Corollaries-3-4-11",
        "Zik, Corollaries 3, 4 and 11",
        f"{instance.name}, buyer {report.buyer + 1}, {report.first} first",
        (
            Hypothesis("V and U do not fall along own signals", report.fall, report.allowed),
            Hypothesis("U rises strictly along own signals", -report.least_slope, -ASSUMPTION),
        ),
        "1 if rates of substitution and implementability agree, sequentially and statically, else 0",
        float(agree),
        Relation.EQUAL,
        1.0,
        0.0,
        "" if agree else f"they differ, worst at {where}",
        f"first best {told[0]}attained sequentially, {told[1]}statically; largest MRS of V less MRS of U "
        f"{report.mrs_excess:.4g}, largest difference {report.mrs_gap:.4g}, largest rise of the strike "
        f"{report.rise:.4g}; the worst of {report.fibres} states of the others",
    )


def section_3_2(case: Case, conditions: Conditions) -> list[Verdict]:
    """Section 3.2: with linear values the first best is attained sequentially iff both ratio conditions hold."""
    instance = case.instance
    alpha, beta, off = linear_weights(instance)
    excess = max(float((alpha[1] - alpha[0]).max()), float((beta[0] - beta[1]).max()))
    order = Hypothesis(
        "own weights above the rival's, all positive", max(excess, -float(min(alpha.min(), beta.min())))
    )
    slack = conditions(alpha, beta)
    firsts = tuple(buyer.signals[0] for buyer in instance.buyers)
    attained = implementability(instance, others=4).sequential()[firsts]
    space = discretize(instance, case.size)
    best, _ = second_best(space, SEQUENTIAL)
    linear = Hypothesis(
        "linear values (largest deviation)", off, ASSUMPTION * max(1.0, float(np.abs(space.values).max()))
    )
    short = slack.sequential and order.holds and linear.holds and best < space.first_best - WELFARE
    return [
        Verdict(
            "Z-Section-3.2",
            "Zik, section 3.2",
            f"{instance.name}{case.variant}",
            (linear, order),
            "1 if the ratio conditions and computed implementability agree, else 0",
            float(slack.sequential == attained),
            Relation.EQUAL,
            1.0,
            0.0,
            "the second best on the grid falls short of the first best" if short else "",
            f"conditions {'hold' if slack.sequential else 'fail'} (slacks {slack.first:.3g}, {slack.second:.3g}), "
            f"first best {'attained' if attained else 'not attained'}; on {case.size} points per signal the sequential "
            f"second best is {best:.6f}, the first best {space.first_best:.6f}",
        )
    ]


def linear_weights(instance: Instance) -> tuple[Float, Float, float]:
    """The weights alpha (buyer 1's signals) and beta (buyer 2's) in both values, (2, 2) each with a row per value, and
    the largest deviation from linearity at random signals.

    Raises InputError unless there are two buyers with two signals each.
    """
    if instance.n != 2 or any(len(buyer.signals) != 2 for buyer in instance.buyers):
        raise InputError(
            f"{instance.n} buyers with {[len(buyer.signals) for buyer in instance.buyers]} signals",
            where=f"instance {instance.name}",
            expected="two buyers with two signals each (Zik 3.2)",
        )
    points = np.concatenate([np.zeros((4, 1)), np.eye(4), np.random.default_rng(0).random((4, 64))], axis=1)
    signals = dict(zip(instance.signals, points, strict=True))
    values = np.stack([instance.value(i, signals) for i in range(2)])
    weights = values[:, 1:5] - values[:, :1]
    off = float(np.abs(values - values[:, :1] - weights @ points).max())
    return weights[:, :2], weights[:, 2:], off


def _flipped(alpha: Float, beta: Float) -> RatioConditions:
    """Wrong: the weights of the two values exchanged."""
    return ratio_conditions(alpha[::-1], beta[::-1])


def _public_rival() -> Case:
    return Case(catalogue.load("public-rival"), 4)


def _corollary_cases(quick: bool, seed: int) -> list[Case]:
    del seed
    names = ("privatization", "public-rival", "linear", "jmmz", "common-value")
    cases = [catalogue.load(name) for name in (names[:4] if quick else names)]
    cases.append(catalogue.load("linear", alpha11=1.0, alpha12=2.0))
    cases.append(catalogue.load("public-rival", alpha1=1.0, alpha2=2.0, beta1=0.5, beta2=1.0))
    return [Case(instance, 4) for instance in cases]


HIDDEN = dict(zip(WEIGHTS, (0.6, 0.7, 0.5, 0.5, 0.5, 0.5, 10.0, 10.0), strict=True))
"""Weights that look attained at midpoints of 4, 8 and 16 cells of the others' signals, and are not."""


def _linear(weights: dict[str, float], size: int = 5) -> Case:
    told = ", ".join(f"{name} = {value:g}" for name, value in weights.items()) or "default weights"
    return Case(catalogue.load("linear", **weights), size, f", {told}")


def _linear_cases(quick: bool, seed: int) -> list[Case]:
    rng = np.random.default_rng(seed + 32)
    cases: list[dict[str, float]] = [
        {},
        {"alpha11": 1.0, "alpha12": 2.0},
        {"beta21": 1.0, "beta22": 2.0},
        HIDDEN,
    ]
    for _ in range(2 if quick else 8):
        alpha, beta = np.sort(rng.uniform(0.2, 2.0, (2, 2, 2)), axis=1)
        numbers = np.round([*alpha[::-1].ravel(), *beta.ravel()], 2).tolist()
        cases.append(dict(zip(WEIGHTS, numbers, strict=True)))
    cases.append({"alpha11": 0.4, "alpha12": 1.0, "alpha21": 0.5, "alpha22": 0.5})
    return [_linear(weights, 4 if quick else 6) for weights in cases]


CLAIMS = (
    Claim(
        "Z-Corollaries-3-4-11",
        "when the first best is attained, in each order of arrival",
        by_rates,
        _corollary_cases,
        corollaries,
        (
            Mutant("the rates compared the other way round", by_rates_reversed, _public_rival),
            Mutant("no equality asked of static timing", static_by_excess, _public_rival),
        ),
        lambda instance, _: [Case(instance, 4)],
    ),
    Claim(
        "Z-Section-3.2",
        "linear values: two ratio conditions",
        ratio_conditions,
        _linear_cases,
        section_3_2,
        (Mutant("the conditions of the values exchanged", _flipped, partial(_linear, {})),),
        lambda instance, _: [Case(instance, 4)],
    ),
)
