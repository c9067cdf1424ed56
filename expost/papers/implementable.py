"""Which rules of one fibre are implementable: by definition, and by the criteria of the papers.

A fibre's own types have the values ``values`` (T,); ``rules`` (R, T) are R rules, True where the type wins.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from expost._typing import Bool, Float
from expost.tolerances import TIE, allowance

Criterion = Callable[[Float, Bool], Bool]
"""``criterion(values, rules)``: which of the rules it calls implementable, (R,)."""


def by_some_transfers(values: Float, rules: Bool) -> Bool:
    """By definition: whether any payments, one a type, keep every type from every other's report (Bikhchandani 2006,
    condition (1)).

    Type a prefers his own report to b's iff t_a - t_b <= V_a (q_a - q_b). Such payments exist iff these bounds have no
    negative cycle (Floyd and Warshall, over all types). Each has the allowance for ties: a cycle that is negative by
    rounding alone would be gone round again and again, and doubled at every type.
    """
    gain = rules[:, :, None].astype(np.float64) - rules[:, None, :]
    bound = values[None, :, None] * gain + allowance(TIE, values)
    for k in range(len(values)):
        np.minimum(bound, bound[:, :, k, None] + bound[:, None, k, :], out=bound)
    return np.asarray(np.einsum("rtt->rt", bound).min(axis=1) >= 0.0)


def by_one_price(values: Float, rules: Bool) -> Bool:
    """Whether one price separates winners from losers: no loser is worth more than a winner (Bikhchandani 2006,
    Lemma 1; Zik, Claim 1). At the price itself either outcome will do."""
    highest_loser = np.where(rules, -np.inf, values).max(axis=1)
    lowest_winner = np.where(rules, values, np.inf).min(axis=1)
    return np.asarray(highest_loser <= lowest_winner + allowance(TIE, values))


def by_one_price_ties_in_order(values: Float, rules: Bool) -> Bool:
    """Wrong: types of equal value are told apart by their place in the list."""
    order = np.argsort(values, kind="stable")
    return np.asarray((np.diff(rules[:, order].astype(np.int8), axis=1) >= 0).all(axis=1))


def by_one_price_overlooking_a_type(values: Float, rules: Bool) -> Bool:
    """Wrong: the last type of the list is not looked at."""
    return by_one_price(values[:-1], rules[:, :-1])


def every_rule(types: int) -> Bool:
    """All rules of so many types: (2**types, types)."""
    return np.asarray((np.arange(2**types)[:, None] >> np.arange(types)) & 1, dtype=np.bool_)


def nearly_monotone_rules(values: Float, count: int, rng: np.random.Generator) -> Bool:
    """Rules by a price, with up to two types flipped that are closest to it, and with ties split at random."""
    price = rng.choice(values, count)
    rules = values > price[:, None]
    at_price = np.abs(values - price[:, None]) <= allowance(TIE, values)
    rules |= at_price & (rng.random(rules.shape) < 0.5)
    near = np.argsort(np.abs(values - price[:, None]), axis=1)
    for place in range(2):
        flipped = np.flatnonzero(rng.random(count) < 0.4)
        at = near[flipped, rng.integers(place, min(place + 4, len(values)), len(flipped))]
        rules[flipped, at] = ~rules[flipped, at]
    return rules
