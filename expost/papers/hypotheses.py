"""The assumptions of the papers as hypotheses of claims, tested with residuals."""

from __future__ import annotations

from expost.instances.assumptions import AssumptionReport, assumption_1, assumption_2, assumption_3
from expost.instances.environment import Instance
from expost.papers.verdict import Hypothesis

POINTS = 5
"""Points per signal at which the assumptions are tested."""
MOST_STATES = 20_000
"""States at which an assumption is tested, however many signals there are."""


def hypothesis(report: AssumptionReport) -> Hypothesis:
    """An assumption report as a hypothesis."""
    where = ""
    if report.witness is not None and not report.holds:
        where = f"{report.subject} between " + " and ".join(
            "(" + ", ".join(f"{k} = {v:.3g}" for k, v in state.items()) + ")" for state in report.witness
        )
    # A strict inequality needs slack; a residual of 0 or less then still violates it.
    residual = report.violation if report.holds else max(report.violation, 2.0 * report.tolerance)
    return Hypothesis(report.claim, residual, report.tolerance, where)


def assumptions(instance: Instance) -> tuple[Hypothesis, ...]:
    """Assumptions 1, 2 and 3 of Bikhchandani (2006), section 3, tested."""
    points = _points(instance)
    return (
        hypothesis(assumption_1(instance, points=points)),
        hypothesis(assumption_2(instance, points=points)),
        hypothesis(assumption_3(instance, points=points)),
    )


def strict_assumptions(instance: Instance) -> tuple[Hypothesis, ...]:
    """Assumptions 1 and 2 with strict inequalities, as section 4 of Bikhchandani (2006) asks; the ends of the supports
    are left out."""
    points = _points(instance)
    return (
        hypothesis(assumption_1(instance, points=points, ends=False, strict=True)),
        hypothesis(assumption_2(instance, points=points, ends=False, strict=True)),
    )


def buyers(instance: Instance, most: int) -> Hypothesis:
    """That there are exactly ``most`` buyers, one or two."""
    words = {1: "one buyer", 2: "two buyers"}
    return Hypothesis(
        f"{words[most]} (the number off)", float(abs(instance.n - most)), 0.0, f"{instance.n} buyers"
    )


def _points(instance: Instance) -> int:
    """Fewer points per signal where there are many signals."""
    return max(2, min(POINTS, int(MOST_STATES ** (1.0 / len(instance.signals)))))
