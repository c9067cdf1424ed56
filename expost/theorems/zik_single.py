"""The claims of Zik on one buyer (section 2 and Appendix A), computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from expost.errors import InputError
from expost.formulations.discretization import TypeSpace, discretize
from expost.formulations.sequential import sequential_stages
from expost.formulations.sequential_strikes import strike_rule
from expost.instances import catalogue
from expost.instances.environment import Buyer, Instance
from expost.mechanisms import constructions
from expost.mechanisms.audit import allowed_gain
from expost.mechanisms.constructions.continuum import Margin, expected_welfare
from expost.mechanisms.constructions.static_second_best import StaticSecondBest, gain_at_value
from expost.mechanisms.efficient_orders import OrderReport, implementability
from expost.mechanisms.mechanism import audit_static, static_mechanism
from expost.mechanisms.menu import menu_from_fibres, strike_intervals
from expost.mechanisms.sequential_audit import audit_menu
from expost.theorems.tools import reversed_signals, second_best
from expost.theorems.verdict import Hypothesis, Relation, Verdict, state_text
from expost.tolerances import MRS, WELFARE

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]


def wavy() -> Instance:
    """A buyer whose value neither rises nor falls along the boundary of the efficient rule: Theorem 8's case."""
    boundary = "0.95 - a + 0.1*sin(1.5*pi*a)"
    buyer = Buyer("1", ("a", "b"), "a + b", externality=f"-a - ({boundary})")
    return Instance("wavy boundary", (buyer,), citation="ours, for Zik, Theorem 8: U = b - f(a), V = a + b")


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


def theorem_7(quick: bool) -> list[Verdict]:
    """Theorem 7: with the order of arrival the wrong way round, sequential timing gains nothing on one price."""
    cases = [reversed_signals(catalogue.load(name)) for name in ("privatization", "public-rival")]
    return [
        _theorem_7_on(instance, 16 if quick else 40) for instance in (*cases, catalogue.load("privatization"))
    ]


def _theorem_7_on(instance: Instance, grid: int) -> Verdict:
    report = implementability(instance, rows=101).order(instance.buyers[0].signals[0])
    steep = Hypothesis(
        "MRS of V above MRS of U all along the boundary (least excess, negated)",
        -_least_excess(instance),
        -MRS,
        f"{instance.buyers[0].signals[0]} first",
    )
    space = discretize(instance, grid)
    sequential, rule = strike_rule(space)
    static, mechanism = second_best(space)
    single = constructions.get("theorem7", instance).on(space)
    same = "" if abs(sequential - static) <= WELFARE else _difference(space, rule, mechanism.allocation)
    return Verdict(
        "Z-Theorem-7",
        "Zik, Theorem 7",
        instance.name,
        (steep,),
        f"sequential second best on {grid} x {grid} points against the static one",
        sequential,
        Relation.EQUAL,
        static,
        WELFARE,
        same,
        f"one strike for all, {StaticSecondBest(instance).level:.6f} from W(V*) = 0, "
        f"gives {single.welfare(space.gains, space.seller):.6f}; rise of the efficient strike {report.rise:.3g}",
    )


def _least_excess(instance: Instance) -> float:
    """The least MRS of V less MRS of U along the boundary of the efficient rule, first-listed signal first."""
    from expost.mechanisms.efficient import efficient_boundary

    boundary = efficient_boundary(instance, 0, instance.buyers[0].signals[0], {})
    excess = boundary.mrs_value - boundary.mrs_society
    return float(np.nanmin(excess)) if np.isfinite(boundary.second).any() else -np.inf


def _difference(space: TypeSpace, left: Bool, right: Bool) -> str:
    differ = np.argwhere((left != right).any(axis=0))
    if not len(differ):
        return ""
    return "the rules differ at " + state_text(space.signals_at(tuple(int(t) for t in differ[0])))


def theorem_8(quick: bool) -> list[Verdict]:
    """Theorem 8: where the value stays below the static price beyond the last crossing, sequential timing gains."""
    cases = (wavy(), catalogue.load("privatization"), reversed_signals(catalogue.load("privatization")))
    return [_theorem_8_on(instance, 24 if quick else 48) for instance in cases]


def _theorem_8_on(instance: Instance, grid: int) -> Verdict:
    space = discretize(instance, grid)
    price = StaticSecondBest(instance)
    static = _continuum_welfare(instance, lambda _, __: np.array([price.level]))
    optimum = strike_rule(space)[0]
    try:
        construction = constructions.get("theorem8", instance)
    except InputError as refusal:
        applies, constructed, on_grid = (
            Hypothesis("condition (1) or (2)", 1.0, 0.0, str(refusal)),
            static,
            -np.inf,
        )
    else:
        strikes, first = construction.strikes, instance.signals[0]
        assert strikes is not None
        applies = Hypothesis("condition (1) or (2)", 0.0)
        constructed = _continuum_welfare(instance, lambda i, signals: strikes.strike(i, signals[first], {}))
        on_grid = construction.on(space).welfare(space.gains, space.seller)
    above = on_grid > optimum + WELFARE
    return Verdict(
        claim="Z-Theorem-8",
        citation="Zik, Theorem 8",
        instance=instance.name,
        hypotheses=(applies,),
        quantity="expected welfare of the constructed rule in the continuum against the best static price",
        computed=constructed,
        relation=Relation.MORE,
        theoretical=static,
        tolerance=2.0 * QUADRATURE,
        violation="the construction beats the sequential optimum on the grid" if above else "",
        note=f"sequential second best on {grid} x {grid} points {optimum:.6f}",
    )


QUADRATURE = 1e-6
"""Expected welfare in the continuum is computed to this (absolute)."""


def _continuum_welfare(instance: Instance, threshold: Margin) -> float:
    """Expected welfare of the rule that sells above ``threshold``, a function of the first signal."""
    along = (instance.signals[-1],)
    return expected_welfare(
        instance, instance.value, threshold, along=along, own=True, accuracy=QUADRATURE
    ).value


def appendix_a(quick: bool) -> list[Verdict]:
    """Appendix A: V* solves W(V*) = 0 and beats every other price."""
    verdicts = []
    for name in ("privatization", "public-rival"):
        instance = catalogue.load(name)
        price = StaticSecondBest(instance)
        levels = np.linspace(price.level - 0.2, price.level + 0.2, 9 if quick else 41)
        best = max(price.gain(float(level)) for level in levels)
        rise = [gain_at_value(instance, float(level)) for level in levels]
        rising = Hypothesis("W rises in V", float(-np.diff(rise).min()))
        better = "" if price.gain(price.level) >= best - WELFARE else "another price does better"
        verdicts.append(
            Verdict(
                "Z-Appendix-A",
                "Zik, Appendix A",
                name,
                (rising,),
                "W(V*)",
                gain_at_value(instance, price.level),
                Relation.EQUAL,
                0.0,
                WELFARE,
                better,
                f"V* = {price.level:.8f}, expected gain {price.gain(price.level):.8f}",
            )
        )
    return verdicts
