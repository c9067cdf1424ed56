"""Fit shadow prices on fibres whose types lie on levels of equal value: ``fit``, with less noise in every step."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from expost._typing import Float
from expost.brackets.clock import ENDLESS, Clock, OutOfTime
from expost.brackets.memory import room
from expost.brackets.symmetry import symmetrized
from expost.brackets.upper.basis import ShadowPrices
from expost.brackets.upper.fit import BYTES, PARTS, RECENT, FitPlan, Momentum
from expost.brackets.upper.level_fibres import LevelFibres, Lines, Private, draw_levels
from expost.brackets.upper.samples import outer_points
from expost.brackets.workers import Workers
from expost.spaces.quantile_space import QuantileSpace

TYPES = 32
"""Types of a line; a fibre has as many lines as make the plan's types."""


def fit_on_levels(
    space: QuantileSpace,
    private: tuple[Private, ...],
    start: ShadowPrices,
    plan: FitPlan,
    rng: np.random.Generator,
    *,
    clock: Clock = ENDLESS,
    workers: Workers | None = None,
    symmetric: bool = False,
) -> list[ShadowPrices]:
    """The last shadow prices of a fit on the mesh of ``start``, without a ridge, and their mean over the last steps:
    see ``fit_prices``. private: see ``private_levels``."""
    size = Lines(max(1, plan.types // TYPES), TYPES)
    while not room(plan.samples * space.n * plan.fibres * plan.types * BYTES) and plan.fibres > 2 * PARTS:
        plan = replace(plan, fibres=plan.fibres // 2)
    draw = partial(_draw, space, private, start, plan.fibres, size, rng)
    try:
        samples = [draw(clock) for _ in range(plan.samples)]
    except OutOfTime:
        return [start]
    scale = max(sum(float(part.efficient.mean()) for part in samples[0]) / PARTS, 1e-300)
    mean = even = symmetrized(start.mesh) if symmetric else start.mesh
    u, momentum = replace(start, mesh=even), Momentum(even.shape)

    def summed(found: list[Float]) -> Float:
        total = np.sum(found, axis=0)
        return symmetrized(total) if symmetric else total

    mass = summed(
        [part.gathered(u, part.base / (part.base.size * PARTS)) for sample in samples for part in sample]
    )
    mass = mass / len(samples)
    mass += 1e-3 * mass.mean() + 1e-300
    with (workers or Workers(1)).threads() as pool:
        for step, done in clock.paced(plan.steps):
            if plan.refresh and step and step % plan.refresh == 0:
                samples[step // plan.refresh % plan.samples] = draw()
            smoothing = scale * plan.smoothing[0] * (plan.smoothing[1] / plan.smoothing[0]) ** done
            one = partial(_subgradient, u, smoothing=smoothing)
            slope = summed(pool.map(one, samples[step % plan.samples])) / mass
            u = replace(u, mesh=np.maximum(u.mesh - momentum.step(slope, plan.length(done)), 0.0))
            recent = max(RECENT, 1.0 / (1 + step))
            mean = (1.0 - recent) * mean + recent * u.mesh
    return [u, replace(u, mesh=mean)]


def _draw(
    space: QuantileSpace,
    private: tuple[Private, ...],
    u: ShadowPrices,
    fibres: int,
    size: Lines,
    rng: np.random.Generator,
    clock: Clock = ENDLESS,
) -> list[LevelFibres]:
    """One sample, in parts: some fibres of one buyer each."""
    parts = []
    for i in range(space.n):
        for outer in np.array_split(outer_points(space, i, fibres, rng), PARTS):
            clock.check()
            parts.append(draw_levels(space, private[i], i, outer, size, u, rng))
    return parts


def _subgradient(u: ShadowPrices, fibres: LevelFibres, smoothing: float) -> Float:
    """Of every node: base x (share - chance to win), averaged over its hat."""
    net, _ = fibres.net(u)
    _, wins = fibres.respond(net, smoothing, rule=True)
    return fibres.gathered(u, fibres.base * (fibres.share - wins) / (fibres.base.size * PARTS))
