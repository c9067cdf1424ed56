"""Polish given strikes: climb the welfare of the completion, on samples that its evaluation never sees."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy import sparse

from expost._typing import Float
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.lower.polish_fibres import gradient, polish_fibres, polish_types
from expost.brackets.workers import Threads, Workers
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.spaces.mesh import hats, mesh_points
from expost.spaces.quantile_space import Levels, lattice

POLISHED = ", polished"

BLOCK = 25
"""Steps after which their mean welfare is compared with the best so far."""
GUARD = 0.1
"""Of the steps, relative to the root mean square of the gradient."""


@dataclass(frozen=True)
class PolishPlan:
    """How one polish proceeds.

    points: types of each buyer in a sample, a fresh one at every step. steps: how many. rate: first and last length of
    a step, width: smoothing of the allocation (both relative to the spread of the leader's values). nodes: corrections
    are multilinear on a mesh with that many nodes per level, or, if 0 or no coarser, on the strikes' own.
    """

    points: int = 384
    steps: int = 400
    rate: tuple[float, float] = (8e-3, 2e-4)
    width: tuple[float, float] = (1e-2, 4e-3)
    nodes: int = 0


def polish(
    mechanism: CompletedMechanism,
    plan: PolishPlan,
    rng: np.random.Generator,
    *,
    clock: Clock = ENDLESS,
    workers: Workers | None = None,
) -> CompletedMechanism:
    """The mechanism with its given strikes improved, as far as these samples can tell: the mean over the last steps."""
    climb = _Climb(mechanism, plan)
    with (workers or Workers(1)).threads() as pool:
        for _, done in clock.paced(plan.steps):
            climb.step(polish_types(mechanism, plan.points, rng), done, pool)
    method = mechanism.method.removesuffix(POLISHED) + POLISHED
    return replace(mechanism, theta=climb.mean(), method=method)


class Adam:
    """First and second moments of the gradient, and the step they give.

    The second moment is the largest so far: with fresh samples at every step, rare large gradients count for too little
    otherwise, and the steps drift (Reddi, Kale and Kumar 2018)."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.mean, self.square, self.steps = np.zeros(shape), np.zeros(shape), 0
        self.largest = np.zeros(shape)

    def step(self, gradient: Float, rate: float, guard: float) -> Float:
        """The step, at most about ``rate`` in each coordinate; ``guard`` (unit: the root mean square of the gradient)
        keeps small gradients from being blown up."""
        self.steps += 1
        self.mean += 0.1 * (gradient - self.mean)
        self.square += 0.01 * (gradient**2 - self.square)
        mean = self.mean / (1.0 - 0.9**self.steps)
        square = np.maximum(self.largest, self.square / (1.0 - 0.99**self.steps), out=self.largest)
        least = max(guard * math.sqrt(float(square.mean())), 1e-300)
        return np.asarray(rate * mean / (np.sqrt(square) + least))


class _Climb:
    """Strikes on their way up: steps along the gradient, back to the best ones and on more slowly where a block of
    steps earned less."""

    def __init__(self, mechanism: CompletedMechanism, plan: PolishPlan) -> None:
        self.at, self.plan, self.scale = mechanism, plan, 1.0
        joint = lattice(4096, sum(mechanism.space.dims), np.full(sum(mechanism.space.dims), 0.5))
        levels = mechanism.space.split(joint)
        inside = [np.clip(own, *box) for own, box in zip(levels, mechanism.space.box, strict=True)]
        self.spread = max(float(np.std(mechanism.space.value(mechanism.order[0], inside))), 1e-300)
        self.onto = [_corrections(mechanism, j, plan.nodes) for j in mechanism.order[:-1]]
        self.best, self.block = (-np.inf, mechanism.theta), list[float]()
        self._restart()

    def _restart(self) -> None:
        shapes = [(len(theta), onto.shape[1]) for theta, onto in zip(self.at.theta, self.onto, strict=True)]
        self.adams = [Adam(shape) for shape in shapes]
        self.kept = [np.zeros(theta.shape) for theta in self.at.theta]
        self.count = 0

    def step(self, types: Levels, done: float, pool: Threads) -> None:
        """One step on the fibres of these types, ``done`` (0 to 1) of the way."""
        width, rate = (
            self.spread * (first * (1.0 - done) + last * done)
            for first, last in (self.plan.width, self.plan.rate)
        )
        parts = pool.map(partial(self._slopes, types, width), self.at.order)
        self.block.append(sum(welfare for welfare, _ in parts))
        if len(self.block) == BLOCK and not self._gained():
            return
        slopes = [sum(terms) for terms in zip(*(slopes for _, slopes in parts), strict=True)]
        self.at = replace(
            self.at,
            theta=tuple(
                falling(theta + (onto @ adam.step((onto.T @ slope.T).T, self.scale * rate, GUARD).T).T)
                for theta, onto, adam, slope in zip(self.at.theta, self.onto, self.adams, slopes, strict=True)
            ),
        )
        if done > 0.7:
            self.kept = [total + theta for total, theta in zip(self.kept, self.at.theta, strict=True)]
            self.count += 1

    def _slopes(self, types: Levels, width: float, k: int) -> tuple[float, list[Float]]:
        return gradient(self.at, polish_fibres(self.at, k, types), width)

    def _gained(self) -> bool:
        """Whether the last block was no worse than the best; if it was, back to that."""
        mean, error = np.mean(self.block), np.std(self.block) / math.sqrt(BLOCK)
        self.block = []
        if mean < self.best[0] - 3.0 * error:
            self.at = replace(self.at, theta=self.best[1])
            self.scale *= 0.5
            self._restart()
            return False
        if mean > self.best[0]:
            self.best = (float(mean), self.at.theta)
        return True

    def mean(self) -> tuple[Float, ...]:
        """The mean over the last steps, or the best strikes where none was kept."""
        if self.count:
            return tuple(falling(total / self.count) for total in self.kept)
        return self.best[1]


def _corrections(mechanism: CompletedMechanism, j: int, nodes: int) -> sparse.csr_array:
    """From corrections on a coarse mesh to buyer j's mesh."""
    dims = sum(mechanism.space.dims) - mechanism.space.dims[j]
    if not 0 < nodes < mechanism.nodes:
        return sparse.csr_array(sparse.eye_array(mechanism.nodes**dims))
    return hats(mesh_points(mechanism.nodes, dims), nodes)


def falling(theta: Float) -> Float:
    """The nearest simple schedule that does not rise in the buyer's own first level (axis 0)."""
    if len(theta) == 1:
        return theta
    down = np.minimum.accumulate(theta, axis=0)
    up = np.maximum.accumulate(theta[::-1], axis=0)[::-1]
    return np.asarray(0.5 * (down + up))
