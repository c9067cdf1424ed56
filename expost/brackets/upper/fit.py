"""Fit shadow prices by minimizing the dual function of the continuum over a mesh.

    D(u) = E[u] + sum_i E_{s_-i}[ max over prices (or strikes that do not rise) of E_{s_i}[(w_i - u) 1{V_i above}] ]

is convex in u. A few random samples of fibres take turns; each gives a subgradient, 1 - (chance that somebody wants
the item) averaged over each node's hat, and the nodes move by Adam steps scaled by the hats' masses, kept
non-negative. Nothing here is
a bound: bounds come from fresh samples (``dual``).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from expost._typing import Float
from expost.brackets.upper.basis import ShadowPrices, mesh_size
from expost.brackets.upper.samples import FibreSample, draw_fibres, outer_points, respond
from expost.spaces.quantile_space import QuantileSpace


@dataclass(frozen=True)
class FitPlan:
    """How one fit proceeds.

    fibres, types, rows: size of each sample, per buyer. samples: how many take turns. steps: how many steps.
    rate: first and last length of a step (unit: multiples of the base). smoothing: first and last (unit: values,
    relative to the mean best gain)."""

    fibres: int = 512
    types: int = 1024
    rows: int = 24
    samples: int = 4
    steps: int = 600
    rate: tuple[float, float] = (0.1, 1e-3)
    smoothing: tuple[float, float] = (3e-3, 3e-4)


class Adam:
    """First and second moments of the scaled subgradient, and the step they give.

    With ``steady`` the second moment is the largest so far: with fresh samples at every step, rare large subgradients
    count for too little otherwise, and the steps drift (Reddi, Kale and Kumar 2018)."""

    def __init__(self, shape: tuple[int, ...], *, steady: bool = False) -> None:
        self.mean, self.square, self.steps = np.zeros(shape), np.zeros(shape), 0
        self.largest = np.zeros(shape) if steady else None

    def step(self, gradient: Float, rate: float, guard: float) -> Float:
        """The step to subtract, at most about ``rate`` in each coordinate; ``guard`` (unit: the gradient; with
        ``steady``: its root mean square) keeps small gradients from being blown up."""
        self.steps += 1
        self.mean += 0.1 * (gradient - self.mean)
        self.square += 0.01 * (gradient**2 - self.square)
        mean = self.mean / (1.0 - 0.9**self.steps)
        square = self.square / (1.0 - 0.99**self.steps)
        if self.largest is not None:
            square = np.maximum(self.largest, square, out=self.largest)
            guard = max(guard * math.sqrt(float(square.mean())), 1e-300)
        return np.asarray(rate * mean / (np.sqrt(square) + guard))


def paced(steps: int, deadline: float) -> Iterator[tuple[int, float]]:
    """The numbers of the steps, each with the share of the way that lies behind it (0 to 1): of the steps or of the
    time, whichever is larger. Ends early at ``deadline`` (``time.perf_counter``)."""
    began = time.perf_counter()
    for step in range(steps):
        now = time.perf_counter()
        if now >= deadline:
            return
        yield step, max(step / steps, (now - began) / (deadline - began))


def fit_prices(
    space: QuantileSpace,
    start: ShadowPrices,
    plan: FitPlan,
    rng: np.random.Generator,
    deadline: float = np.inf,
) -> ShadowPrices:
    """The best shadow prices found on the mesh of ``start``; stops early at ``deadline`` (``time.perf_counter``)."""
    samples = [_draw(space, start, plan, rng) for _ in range(plan.samples)]
    scale = max(float(np.mean([part.best_gain.mean() for part in samples[0]])), 1e-300)
    masses = sum((_masses(start, sample) for sample in samples), np.zeros(start.mesh.shape)) / plan.samples
    masses += 1e-3 * masses.mean() + 1e-300
    mesh, adam = start.mesh.copy(), Adam(start.mesh.shape)
    with ThreadPoolExecutor(max_workers=max(1, min(space.n, 2))) as pool:
        for step, done in paced(plan.steps, deadline):
            u = ShadowPrices(start.dims, start.nodes, start.floor, mesh)
            smoothing = scale * plan.smoothing[0] * (plan.smoothing[1] / plan.smoothing[0]) ** done
            sample = samples[step % plan.samples]
            parts = pool.map(
                lambda fibres, u=u, smoothing=smoothing: _subgradient(u, fibres, smoothing, space.n), sample
            )
            gradient = sum(parts, np.zeros(mesh.shape)) / masses
            rate = plan.rate[0] * (1.0 - done) + plan.rate[1]
            mesh = np.maximum(mesh - adam.step(gradient, rate, 0.05), 0.0)
    return ShadowPrices(start.dims, start.nodes, start.floor, mesh)


def _draw(
    space: QuantileSpace, start: ShadowPrices, plan: FitPlan, rng: np.random.Generator
) -> list[FibreSample]:
    return [
        draw_fibres(
            space,
            i,
            outer_points(space, i, plan.fibres, rng),
            plan.types,
            plan.rows,
            start.nodes,
            start.floor,
            rng,
        )
        for i in range(space.n)
    ]


def _masses(u: ShadowPrices, sample: list[FibreSample]) -> Float:
    """E[base x hat] of every node."""
    total = np.zeros(u.mesh.shape)
    for fibres in sample:
        total += spread(u, fibres, fibres.base / (fibres.base.size * len(sample)))
    return total


def _subgradient(u: ShadowPrices, fibres: FibreSample, smoothing: float, n: int) -> Float:
    _, wins = respond(fibres, fibres.prices(u), smoothing=smoothing, bins=128, rule=fibres.rows > 1)
    return spread(u, fibres, fibres.base * (1.0 / n - wins) / wins.size)


def spread(u: ShadowPrices, fibres: FibreSample, weights: Float) -> Float:
    """The transpose of interpolation: ``weights`` (P, Q) of the states gathered at the nodes, in the mesh's shape."""
    at_nodes = np.asarray(fibres.inner.T @ np.asarray(fibres.outer.T @ weights).T)
    own = u.mesh.shape[fibres.buyer]
    others = [k for j, k in enumerate(u.mesh.shape) if j != fibres.buyer]
    return np.moveaxis(at_nodes.reshape(own, *others), 0, fibres.buyer)


def largest_nodes(dims: tuple[int, ...], limit: int) -> int:
    """The most nodes per signal, from 2, 3, 5, 9, 17, 33, whose mesh has at most ``limit`` nodes."""
    return max((k for k in (2, 3, 5, 9, 17, 33) if mesh_size(dims, k) <= limit), default=2)
