"""Polish a leader's strikes: climb the welfare of the completed pair, on samples that its evaluation never sees."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from expost.formulations.brackets.fit import Adam
from expost.formulations.brackets.polish_kernel import welfare_gradient
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.mechanisms.continuum.mesh import hats, mesh_points
from expost.mechanisms.continuum.space import lattice

Float = NDArray[np.float64]
Index = NDArray[np.int64]


POLISHED = ", polished"


@dataclass(frozen=True)
class PolishPlan:
    """How one polish proceeds.

    points: types of each buyer in a sample. steps: how many. rate: first and last length of a step, width: smoothing of
    the allocation (both relative to the spread of the leader's values). samples: how many take turns.
    """

    points: int = 384
    steps: int = 400
    rate: tuple[float, float] = (4e-3, 2e-4)
    width: tuple[float, float] = (1e-2, 4e-3)
    samples: int = 6


@dataclass(frozen=True, eq=False)
class _Sample:
    """Values and gains of random pairs of types, and values on the follower's fine grid; see ``welfare_gradient``."""

    row: Index
    part: Float
    rows: sparse.csr_array
    spread: sparse.csr_array
    level: Float
    fine: tuple[Float, Float]
    drawn: tuple[Float, Float, Float, Float]


def fine_nodes(dims: int) -> int:
    """Nodes per level of the follower's fine grid."""
    return {1: 257, 2: 33, 3: 13}.get(dims, 7)


def polish(
    mechanism: CompletedMechanism, plan: PolishPlan, rng: np.random.Generator, deadline: float = np.inf
) -> CompletedMechanism:
    """The mechanism with its leader's strikes improved, as far as these samples can tell."""
    dims = mechanism.space.dims[mechanism.follower]
    nodes = fine_nodes(dims)
    samples = [_draw(mechanism, plan.points, nodes, rng) for _ in range(plan.samples)]
    fine = hats(_inside(mechanism, mesh_points(nodes, dims)), mechanism.nodes)
    spread = max(float(np.std(samples[0].drawn[0])), 1e-12)
    theta, adam, kept = mechanism.theta.copy(), Adam(mechanism.theta.shape), []
    began = time.perf_counter()
    for step in range(plan.steps):
        now = time.perf_counter()
        if now > deadline:
            break
        done = max(step / plan.steps, (now - began) / (deadline - began) if np.isfinite(deadline) else 0.0)
        width = spread * (plan.width[0] * (1.0 - done) + plan.width[1] * done)
        gradient = _gradient(mechanism, theta, samples[step % plan.samples], fine, nodes, width)
        rate = spread * (plan.rate[0] * (1.0 - done) + plan.rate[1] * done)
        theta = falling(theta + adam.step(gradient, rate, 1e-8))
        if done > 0.7:
            kept.append(theta)
    method = mechanism.method.removesuffix(POLISHED) + POLISHED
    return replace(mechanism, theta=falling(np.mean(kept, axis=0)) if kept else theta, method=method)


def falling(theta: Float) -> Float:
    """The nearest simple schedule that does not rise in the leader's first level (axis 0)."""
    if len(theta) == 1:
        return theta
    down = np.minimum.accumulate(theta, axis=0)
    up = np.maximum.accumulate(theta[::-1], axis=0)[::-1]
    return np.asarray(0.5 * (down + up))


def _inside(mechanism: CompletedMechanism, levels: Float) -> Float:
    low, high = mechanism.space.box[mechanism.follower]
    return np.clip(levels, low, high)


def _draw(mechanism: CompletedMechanism, points: int, nodes: int, rng: np.random.Generator) -> _Sample:
    space, leader, follower = mechanism.space, mechanism.leader, mechanism.follower
    own = lattice(points, space.dims[leader], rng.random(space.dims[leader]))
    others = _inside(mechanism, lattice(points, space.dims[follower], rng.random(space.dims[follower])))
    grid = _inside(mechanism, mesh_points(nodes, space.dims[follower]))
    row, part = mechanism.leader_rows(own)
    count = len(mechanism.theta)
    above = np.minimum(row + 1, count - 1)
    index = np.arange(points)
    rows = sparse.csr_array(
        (np.concatenate([1.0 - part, part]), (np.tile(index, 2), np.concatenate([row, above]))),
        shape=(points, count),
    )

    def at(levels: Float) -> list[Float]:
        pair = [own[:, None], levels[None]]
        return pair if leader == 0 else pair[::-1]

    fine = space.signals(at(grid))
    drawn = space.signals(at(others))
    value, gain = space.instance.value, space.instance.gain
    place = space.first[follower]
    level = others[:, place] if place is not None else np.zeros(points)
    return _Sample(
        row,
        part,
        rows,
        hats(others, mechanism.nodes),
        np.ascontiguousarray(level),
        (_full(value(leader, fine)), _full(value(follower, fine))),
        (value(leader, drawn), value(follower, drawn), gain(leader, drawn), gain(follower, drawn)),
    )


def _full(array: Float) -> Float:
    return np.ascontiguousarray(array)


def _gradient(
    mechanism: CompletedMechanism,
    theta: Float,
    sample: _Sample,
    fine: sparse.csr_array,
    nodes: int,
    width: float,
) -> Float:
    tau_fine = _full(sample.rows @ np.asarray((fine @ theta.T).T))
    tau = _full(sample.rows @ np.asarray((sample.spread @ theta.T).T))
    grad_fine, grad = np.zeros((len(theta), tau_fine.shape[1])), np.zeros((len(theta), tau.shape[1]))
    first = mechanism.space.first[mechanism.follower]
    welfare_gradient(
        *sample.fine,
        tau_fine,
        nodes,
        mechanism.space.dims[mechanism.follower],
        -1 if first is None else first,
        *sample.drawn,
        tau,
        sample.level,
        sample.row,
        sample.part,
        width,
        grad_fine,
        grad,
    )
    total = np.asarray((fine.T @ grad_fine.T).T) + np.asarray((sample.spread.T @ grad.T).T)
    return total / tau.size
