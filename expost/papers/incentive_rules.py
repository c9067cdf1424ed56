"""A criterion of implementability against the definition, on all rules of small fibres and on nearly monotone ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from expost._typing import Bool, Float
from expost.mechanisms.mechanism import audit_static, static_mechanism
from expost.papers.claim import Case
from expost.papers.implementable import Criterion, by_some_transfers, every_rule, nearly_monotone_rules
from expost.papers.verdict import Hypothesis, Relation, Verdict
from expost.spaces.type_space import discretize

FIBRES, RULES, MOST_TYPES = 4, 150, 36
"""Fibres tried of each buyer, nearly monotone rules tried in each, and types of a fibre."""
EVERY, AUDITED = 9, 25
"""All rules are tried on so many types of a fibre; so many rules are given to the audit of mechanisms too."""


def compare_criteria(
    claim: str, citation: str, case: Case, criterion: Criterion, hypotheses: tuple[Hypothesis, ...] = ()
) -> Verdict:
    """On how many rules ``criterion`` and the definition disagree, over fibres of every buyer on ``case.size`` points;
    where the audit of mechanisms disagrees with the definition counts too."""
    wrong, tried, implementable, violation = 0, 0, 0, ""
    for values, rules in _fibres(case):
        truth, said = by_some_transfers(values, rules), criterion(values, rules)
        audited = np.array([_audited(values, rule) for rule in rules[:AUDITED]])
        differ = np.flatnonzero(truth != said)
        wrong += len(differ) + int(np.count_nonzero(truth[:AUDITED] != audited))
        tried, implementable = tried + len(rules), implementable + int(truth.sum())
        if len(differ) and not violation:
            winners = np.sort(values[rules[differ[0]]])
            violation = (
                f"values {np.sort(values)[:12].round(4).tolist()}, winners {winners[:12].round(4).tolist()}: "
                f"some payments implement it is {bool(truth[differ[0]])}"
            )
    return Verdict(
        claim,
        citation,
        case.instance.name,
        hypotheses,
        f"rules of {tried} on which the criterion and the definition disagree, {case.size} points per signal",
        float(wrong),
        Relation.EQUAL,
        0.0,
        0.0,
        violation,
        f"{implementable} implementable rules, {tried - implementable} others; the definition: any payments",
    )


def _fibres(case: Case) -> Iterator[tuple[Float, Bool]]:
    """Values and rules: every rule of a few types, then nearly monotone rules of many, fibre by fibre."""
    space = discretize(case.instance, case.size)
    rng = np.random.default_rng([case.seed, case.size])
    for i in range(space.n):
        columns = np.moveaxis(space.values[i], i, 0).reshape(space.shape[i], -1)
        for fibre in rng.permutation(columns.shape[1])[:FIBRES]:
            values = columns[rng.permutation(len(columns))[:MOST_TYPES], fibre]
            few = values[:EVERY]
            yield few, every_rule(len(few))
            yield values, nearly_monotone_rules(values, RULES, rng)


def _audited(values: Float, rule: Bool) -> bool:
    """Whether the mechanism that the package makes of the rule passes its audit."""
    return audit_static(values[None], static_mechanism(values[None], rule[None])).passed
