"""Zik's Theorem 7 with stochastic mechanisms, which he leaves open: an explicit lottery menu beats the best price.

On ``lottery`` (V = 2a + b, gain 0.05a + b - 0.5, a first) types up to ``start`` hold one strike with probability
``share``. From there on the strike follows ``2a + 1/2`` and what is lost to it comes back as a probability of getting
the item for nothing, until the two probabilities add up to 1; later types share that option. Along the way every type
is indifferent among the options next to his.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from expost._typing import Float
from expost.brackets.lotteries.lower import SECOND, best_deviation, welfare_replicate
from expost.brackets.lotteries.tables import Stage, stage_of
from expost.brackets.statistics import one_sided
from expost.instances import catalogue
from expost.mechanisms.audit import allowed_gain
from expost.mechanisms.continuum.lottery_options import LotteryOptions
from expost.papers.claim import Case, Claim, Mutant
from expost.papers.verdict import Hypothesis, Relation, Verdict

START, SHARE = 0.2044, 0.5623
"""Where the strikes begin to rise, and the probability of a strike: what maximizes welfare, by search."""
CONFIDENCE = 0.999


def explicit_menu(stage: Stage, options: int, start: float = START, share: float = SHARE) -> LotteryOptions:
    """The menu with so many options; fees make the type between two neighbouring ones indifferent."""
    stop = start + (1.0 - share) / share / 2.0
    edges = np.concatenate([[0.0], np.linspace(start, stop, options - 1), [1.0]])
    at = 0.5 * (edges[1:] + edges[:-1])
    at[0], at[-1] = start, stop
    strike = 2.0 * at + 0.5
    probability = np.zeros((options, options + 1))
    probability[:, 0] = share * (strike - strike[0])
    probability[np.arange(options), np.arange(1, options + 1)] = share
    strikes = np.concatenate([[0.0], strike])
    gains = stage.tables(edges[1:-1], strikes, stage.sample(SECOND, None)).gain @ probability.T
    each = np.arange(options - 1)
    fee: Float = np.concatenate([[0.0], np.cumsum(gains[each, each + 1] - gains[each, each])])
    instance = stage.space.instance
    return LotteryOptions(instance, instance.buyers[0].signals[stage.place], edges, strikes, probability, fee)


def best_single_price(stage: Stage, strikes: int = 4097) -> tuple[float, float]:
    """The best price for all types and its welfare: by Theorem 7 the best deterministic sequential mechanism."""
    points = (np.arange(512) + 0.5) / 512
    prices = np.linspace(*stage.value_range(), strikes)
    welfare = stage.tables(points, prices, stage.sample(SECOND, None)).welfare.mean(axis=0)
    best = int(np.argmax(welfare))
    return float(prices[best]), float(welfare[best])


MenuOf = Callable[[Stage, int], LotteryOptions]
"""``menu(stage, options)``: the menu with so many options."""


def theorem_7_lotteries(case: Case, menu_of: MenuOf) -> list[Verdict]:
    """Theorem 7 does not extend to stochastic mechanisms: the menu beats every deterministic one. With fees cut to a
    half it is no mechanism at all, and nothing is claimed."""
    stage = stage_of(case.instance)
    menu = menu_of(stage, case.size)
    name = case.instance.name
    if case.variant:
        menu, name = replace(menu, fee=0.5 * menu.fee), f"{name}, {case.variant}"
    return [_verdict(stage, menu, name, best_single_price(stage))]


def _verdict(stage: Stage, menu: LotteryOptions, name: str, single: tuple[float, float]) -> Verdict:
    rng = np.random.default_rng(7)
    found = one_sided([welfare_replicate(stage, menu, rng) for _ in range(8)], CONFIDENCE)
    values, _ = stage.outcomes(np.linspace(0.0, 1.0, 3), stage.sample(64, None))
    incentives = Hypothesis(
        "no first-stage type gains by another option and the best second stage (unit: values)",
        best_deviation(stage, menu, 1024),
        10 * allowed_gain(values),
        "types spread evenly, and on both sides of every type between two options",
    )
    return Verdict(
        "Z-Theorem-7-lotteries",
        "Zik, Theorem 7, for stochastic mechanisms (left open there)",
        name,
        (incentives,),
        f"welfare of a menu of {len(menu.fee)} lotteries in the continuum, {CONFIDENCE:.1%} from below, against the "
        "best price",
        found.mean - found.error,
        Relation.MORE,
        single[1],
        1e-3,
        "",
        f"the best price is {single[0]:.4f}; Theorem 7 does not extend to stochastic mechanisms",
    )


def _nearly_one_price(stage: Stage, options: int) -> LotteryOptions:
    """Wrong: next to no lottery, nearly one strike for all."""
    return explicit_menu(stage, options, share=0.97)


def _lottery(size: int, variant: str = "") -> Case:
    return Case(catalogue.load("lottery"), size, variant)


def _cases(quick: bool, seed: int) -> list[Case]:
    del seed
    size = 100 if quick else 400
    return [_lottery(size), _lottery(size, "half the fees")]


CLAIMS = (
    Claim(
        "Z-Theorem-7-lotteries",
        "lotteries beat the one price of Theorem 7",
        explicit_menu,
        _cases,
        theorem_7_lotteries,
        (Mutant("nearly one strike for all", _nearly_one_price, partial(_lottery, 100)),),
    ),
)
