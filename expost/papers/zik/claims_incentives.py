"""The claims of Zik on incentives: Claim 1 (static) and Theorem 2 (sequential), by definition on all kinds of rules."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from expost._typing import Bool, Float
from expost.formulations.sequential import sequential_stages
from expost.instances import catalogue
from expost.mechanisms.audit import allowed_gain
from expost.mechanisms.menu import menu_from_fibres, strike_intervals
from expost.mechanisms.sequential_audit import audit_menu
from expost.papers.claim import Case, Claim, Mutant
from expost.papers.implementable import Criterion, by_one_price, by_one_price_overlooking_a_type
from expost.papers.incentive_rules import compare_criteria
from expost.papers.own_instances import falling_value
from expost.papers.verdict import Hypothesis, Relation, Verdict
from expost.spaces.stages import Stages
from expost.spaces.type_space import TypeSpace, discretize

StrikeCriterion = Callable[[Float, Bool], bool]
"""``criterion(values, wins)``, both (A, B): whether it calls the rule of one fibre implementable in sequence."""


def claim_1(case: Case, criterion: Criterion) -> list[Verdict]:
    """Claim 1: a static rule is incentive compatible by definition iff it is monotone in the buyer's value."""
    return [compare_criteria("Z-Claim-1", "Zik, Claim 1 and Corollary 9", case, criterion)]


def strikes_fall(values: Float, wins: Bool) -> bool:
    """Whether strikes that do not rise in the first signal implement the rule."""
    lower, upper = strike_intervals(values[None], wins[None])
    return bool((lower <= upper).all())


def strikes_rise(values: Float, wins: Bool) -> bool:
    """Wrong: whether strikes that do not fall do."""
    return strikes_fall(values[::-1], wins[::-1])


def theorem_2(case: Case, criterion: StrikeCriterion) -> list[Verdict]:
    """Theorem 2: a sequential rule is incentive compatible by definition iff its strikes do not rise."""
    space = discretize(case.instance, 6 if case.instance.n == 1 else 3)
    return [_theorem_2_on(case, space, i, criterion) for i in range(space.n)]


def _theorem_2_on(case: Case, space: TypeSpace, i: int, criterion: StrikeCriterion) -> Verdict:
    stages = sequential_stages(space, i)
    values = stages.fibres(space.values[i])
    fall = float(-np.diff(values, axis=1).min())
    rng = np.random.default_rng([case.seed, 2])
    wrong, violation, kinds = 0, "", {"monotone": 0, "other": 0, "flat": 0}
    for trial in range(case.size):
        fibre = trial % len(values)
        strikes = _strikes(values, trial, fibre, rng)
        kind, agrees = _agreement(space, stages, values, values > strikes[:, :, None], fibre, criterion)
        kinds[kind] += 1
        if not agrees:
            wrong += 1
            violation = violation or f"strikes {np.round(strikes[fibre], 3).tolist()} in one fibre"
    return Verdict(
        "Z-Theorem-2",
        "Zik, Theorem 2 and Corollary 10",
        f"{case.instance.name}, buyer {i + 1}, {stages.first} first",
        (
            Hypothesis(
                "the value rises in the first signal",
                fall,
                0.0,
                "from one row to the next" if fall > 0 else "",
            ),
        ),
        f"rules of {case.size} on which the definition and monotone strikes disagree",
        float(wrong),
        Relation.EQUAL,
        0.0,
        0.0,
        violation,
        f"{kinds['monotone']} monotone; {kinds['other']} others, where no fees stop a pair of types from swapping; "
        f"{kinds['flat']} others that only differ on flat stretches of the grid",
    )


def _strikes(values: Float, trial: int, fibre: int, rng: np.random.Generator) -> Float:
    """Strikes (F, A) that do not rise, but in one fibre: any, those as well, or those with two neighbours swapped."""
    strikes = -np.sort(-rng.uniform(values.min(), values.max(), values.shape[:2]), axis=1)
    if trial % 3 == 1:
        strikes[fibre] = rng.permutation(strikes[fibre])
    elif trial % 3 == 2:
        at = int(rng.integers(values.shape[1] - 1))
        strikes[fibre, [at, at + 1]] = strikes[fibre, [at + 1, at]]
    return strikes


def _agreement(
    space: TypeSpace, stages: Stages, values: Float, rule: Bool, fibre: int, criterion: StrikeCriterion
) -> tuple[str, bool]:
    """What kind of rule it is, and whether criterion and definition agree on it; where a rule is not monotone and yet
    no pair of types that strikes would tempt gains by swapping, the grid is flat and the definition may say either."""
    said = criterion(values[fibre], rule[fibre])
    wins = stages.states(rule, space.shape)
    menu = menu_from_fibres(values, rule, stages)
    passes = audit_menu(space.values[stages.buyer], wins, menu).gain <= allowed_gain(values)
    gap = cycle_gap(values[fibre], rule[fibre])
    swap = gap > allowed_gain(values)
    if said:
        return "monotone", passes and not swap
    return ("other", not passes) if swap or np.isneginf(gap) else ("flat", True)


def cycle_gap(values: Float, wins: Bool) -> float:
    """By how much two first-stage types gain from swapping options, at the strikes that tempt them least:
    positive means that no fees stop them (Zik, Lemma B); -inf where no strikes have to rise. ``values`` and ``wins``
    (A, B).
    """
    low = values.max(axis=1, where=~wins, initial=-np.inf)
    high = values.min(axis=1, where=wins, initial=np.inf)
    worst = -np.inf
    losers = np.flatnonzero(np.isfinite(low))
    for a in np.flatnonzero(np.isfinite(high)):
        for later in losers[losers > a]:
            cheap, dear = high[a], low[later]
            if cheap < dear:
                surplus = [
                    [np.maximum(values[row] - strike, 0.0).mean() for strike in (cheap, dear)]
                    for row in (a, later)
                ]
                worst = max(worst, float((surplus[1][0] - surplus[1][1]) - (surplus[0][0] - surplus[0][1])))
    return worst


def _privatization(size: int) -> Case:
    return Case(catalogue.load("privatization"), size)


def _claim_1_cases(quick: bool, seed: int) -> list[Case]:
    cases = [Case(catalogue.load("privatization"), 5, seed=seed), Case(catalogue.load("jmmz"), 3, seed=seed)]
    return cases if quick else [*cases, Case(catalogue.load("public-rival"), 6, seed=seed)]


def _theorem_2_cases(quick: bool, seed: int) -> list[Case]:
    size = 60 if quick else 300
    cases = [Case(catalogue.load("privatization"), size, seed=seed)]
    cases += [] if quick else [Case(catalogue.load("linear"), 150, seed=seed)]
    return [*cases, Case(falling_value(), size, seed=seed)]


CLAIMS = (
    Claim(
        "Z-Claim-1",
        "static incentives are monotonicity in the value",
        by_one_price,
        _claim_1_cases,
        claim_1,
        (Mutant("one type overlooked", by_one_price_overlooking_a_type, partial(_privatization, 5)),),
        lambda instance, quick: [Case(instance, 2 if quick else 3)],
    ),
    Claim(
        "Z-Theorem-2",
        "sequential incentives are strikes that do not rise",
        strikes_fall,
        _theorem_2_cases,
        theorem_2,
        (Mutant("strikes that do not fall instead", strikes_rise, partial(_privatization, 60)),),
        lambda instance, quick: [Case(instance, 30 if quick else 120)],
    ),
)
