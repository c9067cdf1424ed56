"""The claims of Bikhchandani (2006), sections 2 and 3, and Theorem 4 on the prices of section 3."""

from __future__ import annotations

from functools import partial

import numpy as np

from expost._typing import Float
from expost.instances import catalogue
from expost.instances.environment import Instance
from expost.instances.random_instances import random_instance
from expost.mechanisms.continuum.admissibility import search_admissibility
from expost.mechanisms.given import PriceFunction, priced_mechanism, tie_of
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.papers.bikhchandani.pivotal_prices import diagonal_value, largest_on_curve
from expost.papers.claim import Case, Claim, Mutant
from expost.papers.continuum_welfare import FEW
from expost.papers.fibres import Fibres, fibres, own_signals
from expost.papers.hypotheses import assumptions
from expost.papers.implementable import (
    Criterion,
    by_one_price,
    by_one_price_overlooking_a_type,
    by_one_price_ties_in_order,
)
from expost.papers.incentive_rules import compare_criteria
from expost.papers.own_instances import no_single_crossing, one_sided
from expost.papers.stated_prices import PricesOf, prices_named, shifted_by
from expost.papers.verdict import Relation, Verdict, state_text
from expost.spaces.quantile_space import QuantileSpace, scrambled
from expost.spaces.type_space import discretize

CURVES, BELOW = 9, 256
"""Curves of a fibre on which Lemma 2 is tried, and signals below each."""
STATES = 2**8
"""Random states at which outcomes of the continuum are counted."""


class LargestOnCurve:
    """The type of ``largest_on_curve``: V^m_ij of a fibre, a rival and curves' indices."""

    def __call__(self, fibre: Fibres, j: int, index: Float) -> Float:
        """See ``largest_on_curve``."""
        return largest_on_curve(fibre, j, index)


class OnDiagonal(LargestOnCurve):
    """Wrong: the rival's value where the curve meets the diagonal."""

    def __call__(self, fibre: Fibres, j: int, index: Float) -> Float:
        """V_j(lambda 1)."""
        return fibre.value(j)(np.tile(index, (fibre.dims, 1)), np.arange(fibre.count))


def lemma_1(case: Case, criterion: Criterion) -> list[Verdict]:
    """Lemma 1: a rule is implementable by some transfers iff it is by one price in every fibre."""
    return [compare_criteria("B-Lemma-1", "Bikhchandani 2006, Lemma 1", case, criterion)]


def lemma_2(case: Case, largest: LargestOnCurve) -> list[Verdict]:
    """Lemma 2: own value less the rival's largest on the curve does not fall from curve to curve."""
    instance, rng = case.instance, np.random.default_rng(case.seed)
    worst, short, where = -np.inf, -np.inf, ""
    for i in range(instance.n):
        others = _random_others(instance, i, case.size, rng)
        for j in range(instance.n):
            if j == i:
                continue
            fall, miss, at = _gap_on_curves(instance, (i, j), others, largest, rng)
            if max(fall, miss) > max(worst, short):
                where = state_text({name: float(column[at]) for name, column in others.items()})
            worst, short = max(worst, fall), max(short, miss)
    scale = tie_of(np.array([1.0]), 1e-8)
    return [
        Verdict(
            "B-Lemma-2",
            "Bikhchandani 2006, Lemma 2",
            instance.name,
            assumptions(instance)[:2],
            f"largest fall of g_ij from one curve to a higher one, {case.size} fibres a buyer",
            worst,
            Relation.AT_MOST,
            0.0,
            scale,
            f"a signal on or below the curve is worth more to the rival, by {short:.3g}, at {where}"
            if short > scale
            else "",
            f"{CURVES} curves a fibre; worst at {where}" if worst > scale else f"{CURVES} curves a fibre",
        )
    ]


def _gap_on_curves(
    instance: Instance,
    pair: tuple[int, int],
    others: dict[str, Float],
    largest: LargestOnCurve,
    rng: np.random.Generator,
) -> tuple[float, float, int]:
    """The largest fall of g_ij along the curves of the fibres; by how much a signal below a curve is worth more to j
    than the largest there; and the fibre of the worse of the two."""
    i, j = pair
    count = len(next(iter(others.values())))
    repeated = {name: np.repeat(column, CURVES) for name, column in others.items()}
    fibre, _ = fibres(instance, i, repeated)
    index = np.tile(np.linspace(0.0, 1.0, CURVES + 1)[1:], count)
    rival = largest(fibre, j, index)
    gap = (diagonal_value(fibre, index) - rival).reshape(count, CURVES)
    falls = (np.maximum.accumulate(gap, axis=1) - gap).max(axis=1)
    rows = np.repeat(np.arange(fibre.count), BELOW)
    x = rng.random((fibre.dims, len(rows))) ** 0.5
    below = fibre.value(i)(x, rows) <= diagonal_value(fibre, index)[rows]
    misses = np.where(below, fibre.value(j)(x, rows) - rival[rows], -np.inf).reshape(count, -1).max(axis=1)
    return float(falls.max()), float(misses.max()), int(np.argmax(np.maximum(falls, misses)))


def _random_others(instance: Instance, i: int, count: int, rng: np.random.Generator) -> dict[str, Float]:
    found: dict[str, Float] = {}
    for j, buyer in enumerate(instance.buyers):
        if j != i:
            found |= own_signals(instance, j, rng.random((len(buyer.signals), count)))
    return found


def theorem_1(case: Case, prices_of: PricesOf) -> list[Verdict]:
    """Theorem 1: t* is admissible and not trivial in the continuum, and incentive compatible by definition."""
    instance = case.instance
    prices = prices_of("t*", instance)
    found = search_admissibility(instance, prices.price, accuracy=prices.accuracy, **FEW)
    space = discretize(instance, case.size)
    audit = audit_mechanism(space.values, priced_mechanism(space, prices))
    incentives = "" if all(buyer.passed for buyer in audit.buyers) else audit.explain()
    frequent = sorted(outcome_shares(instance, prices))[-2]
    hypotheses = assumptions(instance)
    triviality = "the rule is trivial" if frequent == 0.0 else "the rule is not trivial all the same"
    return [
        Verdict(
            "B-Theorem-1",
            "Bikhchandani 2006, Theorem 1 and Appendix A",
            instance.name,
            hypotheses,
            f"share of {STATES} random states with the second most frequent outcome, no state having two winners",
            frequent,
            Relation.MORE,
            0.0,
            0.0,
            incentives if found.admissible else found.explain(),
            found.explain() if all(h.holds for h in hypotheses) else triviality,
        )
    ]


def outcome_shares(instance: Instance, prices: PriceFunction) -> list[float]:
    """How often each buyer wins, and nobody, at random states of the continuum."""
    space = QuantileSpace(instance, (None,) * instance.n)
    levels = scrambled(STATES, sum(space.dims), np.random.default_rng(0))
    signals = space.signals(space.split(levels))
    wins = [instance.value(i, signals) > prices.price(i, signals) for i in range(instance.n)]
    return [*(float(won.mean()) for won in wins), float((~np.any(wins, axis=0)).mean())]


def _theorem_1_cases(quick: bool, seed: int) -> list[Case]:
    cases = [Case(catalogue.load("jmmz"), 6)]
    cases += [] if quick else [Case(catalogue.load("three-buyers"), 3)]
    cases += [Case(random_instance(seed + k), 4) for k in range(1 if quick else 3)]
    return [*cases, Case(no_single_crossing(), 6), Case(one_sided(), 6)]


def _jmmz(size: int, variant: str = "") -> Case:
    return Case(catalogue.load("jmmz"), size, variant)


def _ties() -> Case:
    return Case(random_instance(0, family="ties"), 3)


def _incentive_cases(quick: bool, seed: int) -> list[Case]:
    cases = [_jmmz(3), Case(random_instance(seed, family="ties"), 3, seed=seed)]
    return cases if quick else [*cases, _jmmz(5), Case(random_instance(seed, buyers=3), 3, seed=seed)]


def _lemma_2_cases(quick: bool, seed: int) -> list[Case]:
    count = 8 if quick else 32
    cases = [_jmmz(count), Case(random_instance(seed, buyers=2), count, seed=seed)]
    if not quick:
        cases += [Case(random_instance(seed + 1, buyers=3), 16), Case(random_instance(seed, signals=3), 6)]
    return [*cases, Case(no_single_crossing(), count)]


CLAIMS = (
    Claim(
        "B-Lemma-1",
        "a rule is implementable iff one price in every fibre implements it",
        by_one_price,
        _incentive_cases,
        lemma_1,
        (
            Mutant("ties told apart by their order", by_one_price_ties_in_order, _ties),
            Mutant("one type overlooked", by_one_price_overlooking_a_type, partial(_jmmz, 3)),
        ),
        lambda instance, quick: [Case(instance, 2 if quick else 3)],
    ),
    Claim(
        "B-Lemma-2",
        "own value less the rival's largest on the curve does not fall",
        LargestOnCurve(),
        _lemma_2_cases,
        lemma_2,
        (Mutant("the rival's value on the diagonal instead", OnDiagonal(), partial(_jmmz, 8)),),
        lambda instance, quick: [Case(instance, 4 if quick else 16)],
    ),
    Claim(
        "B-Theorem-1",
        "t* is admissible, incentive compatible and not trivial",
        prices_named,
        _theorem_1_cases,
        theorem_1,
        (
            Mutant("prices 0.02 too low", shifted_by(-0.02), partial(_jmmz, 4)),
            Mutant("prices that nobody pays", shifted_by(100.0), partial(_jmmz, 4)),
        ),
        lambda instance, quick: [Case(instance, 3 if quick or instance.n > 2 else 5)],
    ),
)
