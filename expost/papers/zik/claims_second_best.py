"""The claims of Zik on the second best of one buyer (section 2.4.3 and Appendix A), computed."""

from __future__ import annotations

import numpy as np

from expost._typing import Bool
from expost.errors import InputError
from expost.formulations.sequential_strikes import strike_rule
from expost.instances import catalogue
from expost.instances.environment import Buyer, Instance
from expost.papers import constructions
from expost.papers.continuum_welfare import Margin, expected_welfare
from expost.papers.tools import reversed_signals, second_best
from expost.papers.verdict import Hypothesis, Relation, Verdict, state_text
from expost.papers.zik.orders import implementability
from expost.papers.zik.static_second_best import StaticSecondBest, gain_at_value
from expost.spaces.type_space import TypeSpace, discretize
from expost.tolerances import MRS, WELFARE


def wavy() -> Instance:
    """A buyer whose value neither rises nor falls along the boundary of the efficient rule: Theorem 8's case."""
    boundary = "0.95 - a + 0.1*sin(1.5*pi*a)"
    buyer = Buyer("1", ("a", "b"), "a + b", externality=f"-a - ({boundary})")
    return Instance("wavy boundary", (buyer,), citation="ours, for Zik, Theorem 8: U = b - f(a), V = a + b")


def theorem_7(quick: bool) -> list[Verdict]:
    """Theorem 7: with the order of arrival the wrong way round, sequential timing gains nothing on one price."""
    names = ("privatization",) if quick else ("privatization", "public-rival")
    cases = [*(reversed_signals(catalogue.load(name)) for name in names), catalogue.load("privatization")]
    return [_theorem_7_on(instance, 16 if quick else 40) for instance in cases]


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
    from expost.papers.zik.efficient import efficient_boundary

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
    cases = [wavy(), reversed_signals(catalogue.load("privatization"))]
    cases += [] if quick else [catalogue.load("privatization"), catalogue.load("public-rival")]
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
    for name in ("privatization",) if quick else ("privatization", "public-rival"):
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
