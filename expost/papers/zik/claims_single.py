"""The claims of Zik on one buyer (section 2 and Appendix A), computed."""

from __future__ import annotations

import numpy as np

from expost._typing import Bool, Float
from expost.formulations.sequential import sequential_stages
from expost.instances import catalogue
from expost.instances.environment import Buyer, Instance
from expost.mechanisms.audit import allowed_gain
from expost.mechanisms.mechanism import audit_static, static_mechanism
from expost.mechanisms.menu import menu_from_fibres, strike_intervals
from expost.mechanisms.sequential_audit import audit_menu
from expost.papers.verdict import Hypothesis, Relation, Verdict, state_text
from expost.papers.zik.orders import OrderReport, implementability
from expost.spaces.type_space import discretize
from expost.tolerances import MRS


def falling_value() -> Instance:
    """A buyer whose value falls in his first signal, which the theory excludes."""
    return Instance("falling value", (Buyer("1", ("a", "b"), "2 - a + b", externality="-1.6"),))


def claim_1(quick: bool) -> list[Verdict]:
    """Claim 1: a static rule is incentive compatible by definition iff it is monotone in the buyer's value."""
    space = discretize(catalogue.load("privatization"), 5)
    rng = np.random.default_rng(1)
    values, wrong, violation, found = space.values, 0, "", [0, 0]
    for trial in range(100 if quick else 400):
        rule = (
            rng.random(space.shape) < 0.5
            if trial % 2
            else values[0] > rng.uniform(values.min(), values.max())
        )
        monotone = bool(
            values[0].max(where=~rule, initial=-np.inf) <= values[0].min(where=rule, initial=np.inf)
        )
        passes = audit_static(values, static_mechanism(values, rule[None])).passed
        found[monotone] += 1
        if passes != monotone:
            wrong, violation = wrong + 1, f"rule {trial}: monotone is {monotone}, by definition {passes}"
    return [
        Verdict(
            "Z-Claim-1",
            "Zik, Claim 1 and Corollary 9",
            "privatization, random rules",
            (),
            "rules on which the definition and monotonicity disagree",
            float(wrong),
            Relation.EQUAL,
            0.0,
            0.0,
            violation,
            f"{found[1]} monotone rules, {found[0]} others",
        )
    ]


def theorem_2(quick: bool) -> list[Verdict]:
    """Theorem 2: a sequential rule is incentive compatible by definition iff its strikes do not rise."""
    return [
        _theorem_2_on(instance, 60 if quick else 300)
        for instance in (catalogue.load("privatization"), falling_value())
    ]


def _theorem_2_on(instance: Instance, trials: int) -> Verdict:
    space = discretize(instance, 6)
    stages = sequential_stages(space, 0)
    values = stages.fibres(space.values[0])
    fall = Hypothesis(
        "the value rises in the first signal",
        float(-np.diff(values, axis=1).min()),
        0.0,
        "every row" if (np.diff(values, axis=1) < 0).any() else "",
    )
    rng = np.random.default_rng(2)
    wrong, violation, kinds = 0, "", [0, 0, 0]
    for trial in range(trials):
        strikes = rng.uniform(values.min(), values.max(), values.shape[1])
        strikes = np.sort(strikes)[::-1] if trial % 2 else strikes
        rule = values > strikes[None, :, None]
        lower, upper = strike_intervals(values, rule)
        monotone = bool((lower <= upper).all())
        menu = menu_from_fibres(values, rule, stages)
        wins = stages.states(rule, space.shape)
        passes = audit_menu(space.values[0], wins, menu).gain <= allowed_gain(values)
        gap = cycle_gap(values[0], rule[0])
        flat = not monotone and gap <= allowed_gain(values)
        kinds[0 if monotone else (2 if flat else 1)] += 1
        if (
            (monotone and not passes)
            or (not monotone and passes and not flat)
            or (monotone and gap > allowed_gain(values))
        ):
            wrong += 1
            violation = (
                violation
                or f"strikes {np.round(strikes, 3).tolist()}: monotone {monotone}, by definition {passes}"
            )
    return Verdict(
        "Z-Theorem-2",
        "Zik, Theorem 2 and Corollary 10",
        f"{instance.name}, random strikes",
        (fall,),
        "rules on which the definition and monotone strikes disagree",
        float(wrong),
        Relation.EQUAL,
        0.0,
        0.0,
        violation,
        f"{kinds[0]} monotone; {kinds[1]} others, where no fees stop a pair of types from swapping; "
        f"{kinds[2]} others that only differ on flat stretches of the grid",
    )


def cycle_gap(values: Float, wins: Bool) -> float:
    """By how much two first-stage types gain from swapping options, at the strikes that tempt them least:
    positive means that no fees stop them (Zik, Lemma B). ``values`` and ``wins`` (A, B); rows with both
    outcomes only.
    """
    low = values.max(axis=1, where=~wins, initial=-np.inf)
    high = values.min(axis=1, where=wins, initial=np.inf)
    both = np.flatnonzero(np.isfinite(low) & np.isfinite(high))
    worst = -np.inf
    for a in both:
        for later in both[both > a]:
            cheap, dear = high[a], low[later]
            if cheap < dear:
                surplus = [
                    [np.maximum(values[row] - strike, 0.0).mean() for strike in (cheap, dear)]
                    for row in (a, later)
                ]
                worst = max(worst, float((surplus[1][0] - surplus[1][1]) - (surplus[0][0] - surplus[0][1])))
    return worst


def corollaries(quick: bool) -> list[Verdict]:
    """Corollaries 3, 4 and 11: marginal rates of substitution against implementability, in every order of arrival."""
    names = ("privatization", "public-rival", "jmmz", "linear", "common-value")
    cases = [catalogue.load(name) for name in (names[:3] if quick else names)]
    cases.append(catalogue.load("linear", alpha11=1.0, alpha12=2.0))
    cases.append(catalogue.load("public-rival", alpha1=1.0, alpha2=2.0, beta1=0.5, beta2=1.0))
    verdicts = []
    for instance in cases:
        reports = implementability(instance, others=4, rows=101).orders
        verdicts += [_corollary_on(instance, report) for report in reports]
    return verdicts


def _corollary_on(instance: Instance, report: OrderReport) -> Verdict:
    smooth = Hypothesis("value and surplus rise along own signals", report.fall, report.allowed)
    predicted = report.mrs_excess <= MRS
    agree = predicted == report.attained and (report.attained or not report.attained_statically)
    where = state_text(dict(report.witness or report.mrs_witness))
    told = "attained" if report.attained else "not attained"
    return Verdict(
        "Z-Corollaries-3-4-11",
        "Zik, Corollaries 3, 4 and 11",
        f"{instance.name}, buyer {report.buyer + 1}, {report.first} first",
        (smooth,),
        "1 if the MRS condition and implementability agree, else 0",
        float(agree),
        Relation.EQUAL,
        1.0,
        0.0,
        "" if agree else f"they differ at {where}",
        f"first best {told} sequentially, {'' if report.attained_statically else 'not '}statically; largest "
        f"MRS of V less MRS of U {report.mrs_excess:.4g}, largest rise of the strike {report.rise:.4g}",
    )
