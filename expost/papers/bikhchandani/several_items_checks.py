"""Checks on several items, by definition: subadditivity (14), condition (13), feasibility, incentives (Lemma 3).

All at random signals: a violation found is a fact with its witness, none found means none there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from expost._typing import Float
from expost.papers.bikhchandani.several_items import (
    Demand,
    ItemPrices,
    ItemsInstance,
    bundle_prices,
    demand,
    other_item_signals,
)

State = dict[str, float]
DemandMechanism = Callable[[ItemsInstance, ItemPrices, dict[str, Float]], Demand]
"""Who gets which bundle at which prices, at arrays of signals."""


@dataclass(frozen=True)
class Finding:
    """The worst violation of a condition (unit: values; at most 0 when there is none), what it is, and where."""

    condition: str
    worst: float
    what: str
    witness: State


def random_states(instance: ItemsInstance, count: int, seed: int) -> dict[str, Float]:
    """``count`` states with independent uniform signals."""
    rng = np.random.default_rng(seed)
    return {name: rng.random(count) for name in instance.signals}


def subadditivity(instance: ItemsInstance, *, states: int = 4096, seed: int = 0) -> Finding:
    """(14): V^{L u L'} <= V^L + V^L' for disjoint L, L'. The worst excess over buyers, pairs and states."""
    signals = random_states(instance, states, seed)
    worst = (-np.inf, "no two items", 0)
    for i, buyer in enumerate(instance.buyers):
        values = instance.bundle_values(i, signals)
        for left in range(1, instance.bundles):
            for right in range(left + 1, instance.bundles):
                if left & right:
                    continue
                excess = values[left | right] - values[left] - values[right]
                at = int(np.argmax(excess))
                if excess[at] > worst[0]:
                    worst = (float(excess[at]), f"buyer {buyer.name}, bundles {left:b} and {right:b}", at)
    return Finding("(14) subadditive values", worst[0], worst[1], _state(signals, worst[2]))


def admissibility(
    instance: ItemsInstance, prices: ItemPrices, *, states: int = 4096, seed: int = 0
) -> Finding:
    """(13): V_i^k > t_i^k implies V_j^k <= t_j^k. The largest second-highest margin over items and states."""
    signals = random_states(instance, states, seed)
    n, items = len(instance.buyers), len(instance.items)
    margins = np.empty((n, items, states))
    for i in range(n):
        singles = np.stack([value(signals) for value in instance.buyers[i].valuations])
        margins[i] = singles - prices.price(i, other_item_signals(instance, i, signals))
    second = np.sort(margins, axis=0)[-2]
    k, at = (int(t) for t in np.unravel_index(int(np.argmax(second)), second.shape))
    both = [instance.buyers[i].name for i in np.argsort(-margins[:, k, at])[:2]]
    what = f"item {instance.items[k]}, buyers {both[0]} and {both[1]}"
    return Finding("(13) admissible prices", float(second[k, at]), what, _state(signals, at))


@dataclass(frozen=True)
class Feasibility:
    """How many of the states tried give some item to two buyers, one of them, and what the mechanism does.

    outcomes: how many different allocations occur where all demand sets are single bundles.
    """

    states: int
    crowded: int
    witness: State | None
    outcomes: int


def feasibility(
    instance: ItemsInstance,
    prices: ItemPrices,
    *,
    states: int = 4096,
    seed: int = 0,
    mechanism: DemandMechanism = demand,
) -> Feasibility:
    """Whether the demand mechanism (or another in its place) gives every item to at most one buyer (Lemma 3)."""
    signals = random_states(instance, states, seed)
    found = mechanism(instance, prices, signals)
    crowded = ~found.feasible
    robust = found.unique.all(axis=0) & ~crowded
    outcomes = len(np.unique(found.bundles[:, robust], axis=1).T) if robust.any() else 0
    witness = _state(signals, int(np.argmax(crowded))) if crowded.any() else None
    return Feasibility(states, int(crowded.sum()), witness, outcomes)


def incentives(
    instance: ItemsInstance,
    prices: ItemPrices,
    *,
    fibres: int = 64,
    types: int = 64,
    seed: int = 0,
    mechanism: DemandMechanism = demand,
) -> Finding:
    """The best deviation by definition (Lemma 3): every one of ``types`` random types of a buyer reports every other,
    and gets that type's bundle at its prices, in ``fibres`` random states of the others."""
    rng = np.random.default_rng(seed)
    worst = Finding("ex post incentives", -np.inf, "", {})
    for i, buyer in enumerate(instance.buyers):
        drawn = {
            name: rng.random((1, types) if name in buyer.signals else (fibres, 1))
            for name in instance.signals
        }
        signals = {name: np.broadcast_to(column, (fibres, types)) for name, column in drawn.items()}
        finding = _best_deviation(instance, i, signals, mechanism(instance, prices, drawn))
        worst = max(worst, finding, key=lambda found: found.worst)
    return worst


def _best_deviation(instance: ItemsInstance, i: int, signals: dict[str, Float], found: Demand) -> Finding:
    """The best report of buyer ``i``; ``signals`` (fibres, types), prices constant within a fibre."""
    offered = np.stack([(found.bundles[i] == bundle).any(axis=1) for bundle in range(instance.bundles)])
    utility = instance.bundle_values(i, signals) - bundle_prices(found.prices[i])
    reachable = np.where(offered[:, :, None], utility, -np.inf)
    truthful = np.take_along_axis(utility, found.bundles[i][None], axis=0)[0]
    gain = reachable.max(axis=0) - truthful
    fibre, own = (int(t) for t in np.unravel_index(int(np.argmax(gain)), gain.shape))
    bundle = int(np.argmax(reachable[:, fibre, own]))
    witness = {name: float(column[fibre, own]) for name, column in signals.items()}
    what = f"buyer {instance.buyers[i].name} reports a type with bundle {bundle:b}"
    return Finding("ex post incentives", float(gain[fibre, own]), what, witness)


def _state(signals: dict[str, Float], at: int) -> State:
    return {name: float(column[at]) for name, column in signals.items()}
