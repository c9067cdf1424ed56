"""What conditional efficiency leaves: the lowest prices at which nobody of lower value wins, found by sampling, and
conditionally efficient rules of a grid that optimize whatever objective (Bikhchandani 2006, Theorem 4).

Independent of the construction of t*: nothing here maximizes over indifference curves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from expost._typing import Float
from expost.formulations.assemble import assemble
from expost.formulations.conditional import allowed_winners
from expost.formulations.timing import STATIC, build_blocks
from expost.instances.environment import Instance
from expost.mechanisms.given import PriceFunction, tie_of
from expost.papers.fibres import fibres, own_signals
from expost.papers.verdict import state_text
from expost.spaces.quantile_space import QuantileSpace, scrambled
from expost.spaces.type_space import discretize

SAMPLE, ZOOMS, CLOSER = 2**14, 4, 0.15
"""Own signals tried in each fibre, how often around the best, and by what factor closer."""
RESOLUTION = 2e-3
"""How far the sample may stay below the supremum (relative to the largest value)."""
OBJECTIVES = 6


@dataclass(frozen=True)
class Distance:
    """The largest distance of prices to the lowest conditionally efficient ones, where, and how fine the sample is."""

    distance: float
    witness: Mapping[str, float]
    resolution: float


def lowest_conditional_prices(instance: Instance, prices: PriceFunction, count: int, seed: int) -> Distance:
    """How far ``prices`` are from sup { V_i : some V_j (or V_0) > V_i } in ``count`` random fibres of each buyer."""
    rng = np.random.default_rng([seed, 4])
    worst, witness, scale = -np.inf, {}, 0.0
    for i in range(instance.n):
        others: dict[str, Float] = {}
        for j, buyer in enumerate(instance.buyers):
            if j != i:
                others |= own_signals(instance, j, rng.random((len(buyer.signals), count)))
        lowest, highest = _supremum(instance, i, others, rng)
        price = np.clip(np.broadcast_to(prices.price(i, others), (count,)), *highest)
        off = np.abs(price - lowest)
        scale = max(scale, float(np.abs(lowest).max()))
        if off.max() > worst:
            at = int(np.argmax(off))
            worst, witness = float(off[at]), {name: float(column[at]) for name, column in others.items()}
    return Distance(worst, witness, RESOLUTION * max(scale, 1e-300))


def _supremum(
    instance: Instance, i: int, others: Mapping[str, Float], rng: np.random.Generator
) -> tuple[Float, tuple[Float, Float]]:
    """The supremum in each fibre (its lowest value where nobody else is ever worth more), and the fibre's lowest and
    highest value of buyer ``i``, between which prices differ in what they do."""
    fibre, _ = fibres(instance, i, others)
    surplus, value = fibre.surplus(), fibre.value(i)
    rows, n = np.repeat(np.arange(fibre.count), SAMPLE), fibre.count
    low, high = fibre.at(0.0, value), fibre.at(1.0, value)
    best, centre, width = np.full(n, -np.inf), np.full((fibre.dims, n), 0.5), 1.0
    for _ in range(ZOOMS):
        x = scrambled(SAMPLE, fibre.dims, rng).T[:, None, :] - 0.5
        x = np.clip(centre[:, :, None] + width * x, 0.0, 1.0).reshape(fibre.dims, -1)
        found = np.where(surplus(x, rows) < 0.0, value(x, rows), -np.inf).reshape(n, SAMPLE)
        at = np.argmax(found, axis=1)
        better = found[np.arange(n), at] > best
        best = np.where(better, found[np.arange(n), at], best)
        centre = np.where(better, x.reshape(fibre.dims, n, SAMPLE)[:, np.arange(n), at], centre)
        width *= CLOSER
    return np.where(np.isneginf(best), low, best), (low, high)


def conditional_violation(instance: Instance, prices: PriceFunction, count: int) -> str:
    """A random state where the prices sell to a buyer while another is worth more, in words; empty if there is none."""
    space = QuantileSpace(instance, (None,) * instance.n)
    levels = scrambled(count, sum(space.dims), np.random.default_rng(4))
    signals = space.signals(space.split(levels))
    gains = np.stack([instance.gain(i, signals) for i in range(instance.n)])
    best = np.maximum(gains.max(axis=0), 0.0)
    slack = tie_of(gains, max(prices.accuracy, 1e-9))
    for i in range(instance.n):
        wrong = (instance.value(i, signals) > prices.price(i, signals) + slack) & (gains[i] < best - slack)
        if wrong.any():
            at = int(np.argmax(wrong))
            return "sold to a lower value at " + state_text({k: float(v[at]) for k, v in signals.items()})
    return ""


def sells_elsewhere(instance: Instance, seed: int) -> str:
    """A state of a small grid where a conditionally efficient and incentive compatible rule that optimizes a random
    objective sells and the best conditionally efficient rule does not, in words; empty if there is none."""
    from expost.solver.backends import solve_program

    space = discretize(instance, 4 if instance.n == 2 else 3)
    formulation = assemble(space, build_blocks(space, (STATIC,) * space.n), conditional=True)
    allowed = allowed_winners(space)
    sold = np.zeros(space.shape, dtype=np.bool_)
    for i in range(space.n):
        floor = space.values[i].max(axis=i, where=~allowed[i], initial=-np.inf, keepdims=True)
        sold |= allowed[i] & (space.values[i] >= floor - tie_of(space.values[i]))
    rng = np.random.default_rng([seed, 44])
    for _ in range(OBJECTIVES):
        weights = np.zeros(formulation.program.variables)
        for start, block in zip(formulation.program.blocks, formulation.blocks, strict=False):
            weights[start + block.index] = rng.normal(0.3, 1.0, space.shape) / space.states
        solution = solve_program(replace(formulation.program, weights=weights))
        assert solution.x is not None
        outside = formulation.allocation(solution.x).any(axis=0) & ~sold
        if outside.any():
            state = tuple(int(t) for t in np.argwhere(outside)[0])
            return "another rule sells at " + state_text(space.signals_at(state))
    return ""
