"""Polish given strikes: climb the welfare of the completion, on samples that its evaluation never sees."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from expost.formulations.brackets.fit import Adam
from expost.formulations.brackets.polish_kernel import welfare_gradient
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.mechanisms.continuum.mesh import hats, mesh_cell, mesh_points
from expost.mechanisms.continuum.space import Levels, lattice

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
class PolishFibres:
    """P states of the others of one buyer and Q own types: what ``welfare_gradient`` takes, but for the strikes.

    lead, fine: values of the earlier buyers (P, E, G) and his own (P, G) on the fine grid. earlier, own: interpolation
    weights of the earlier buyers' given strikes and of his own. mesh: those of the fine grid in the strikes' mesh."""

    buyer: int
    lead: Float
    fine: Float
    earlier: tuple[sparse.csr_array, ...]
    own: sparse.csr_array
    mesh: sparse.csr_array
    value: Float
    gain: Float
    cell: Index
    part: Float
    level: Float


def fine_nodes(dims: int) -> int:
    """Nodes per level of a later buyer's fine grid."""
    return {1: 257, 2: 33, 3: 13}.get(dims, 7)


def polish(
    mechanism: CompletedMechanism, plan: PolishPlan, rng: np.random.Generator, deadline: float = np.inf
) -> CompletedMechanism:
    """The mechanism with its given strikes improved, as far as these samples can tell."""
    samples = [draw_fibres(mechanism, plan.points, rng) for _ in range(plan.samples)]
    spread = max(float(np.std(samples[0][0].value)), 1e-12)
    adams, kept = [Adam(theta.shape) for theta in mechanism.theta], []
    best, began = mechanism, time.perf_counter()
    with ThreadPoolExecutor(max_workers=2) as pool:
        for step in range(plan.steps):
            now = time.perf_counter()
            if now > deadline:
                break
            done = max(
                step / plan.steps, (now - began) / (deadline - began) if np.isfinite(deadline) else 0.0
            )
            width = spread * (plan.width[0] * (1.0 - done) + plan.width[1] * done)
            rate = spread * (plan.rate[0] * (1.0 - done) + plan.rate[1] * done)
            parts = pool.map(
                lambda fibres, at=best, width=width: gradient(at, fibres, width)[1],
                samples[step % plan.samples],
            )
            slopes = [sum(terms) for terms in zip(*parts, strict=True)]
            best = replace(
                best,
                theta=tuple(
                    falling(theta + adam.step(slope, rate, 1e-8))
                    for theta, adam, slope in zip(best.theta, adams, slopes, strict=True)
                ),
            )
            if done > 0.7:
                kept.append(best.theta)
    if kept:
        best = replace(best, theta=tuple(falling(np.mean(path, axis=0)) for path in zip(*kept, strict=True)))
    return replace(best, method=mechanism.method.removesuffix(POLISHED) + POLISHED)


def falling(theta: Float) -> Float:
    """The nearest simple schedule that does not rise in the buyer's own first level (axis 0)."""
    if len(theta) == 1:
        return theta
    down = np.minimum.accumulate(theta, axis=0)
    up = np.maximum.accumulate(theta[::-1], axis=0)[::-1]
    return np.asarray(0.5 * (down + up))


def draw_fibres(mechanism: CompletedMechanism, points: int, rng: np.random.Generator) -> list[PolishFibres]:
    """Random fibres of every buyer in order, of the same types: what one buyer takes from another he takes where the
    other loses it."""
    space = mechanism.space
    count = sum(space.dims)
    joint = np.split(lattice(points, count, rng.random(count)), np.cumsum(space.dims)[:-1], axis=1)
    levels = [np.clip(own, *space.box[j]) for j, own in enumerate(joint)]
    return [_fibres(mechanism, k, levels) for k in mechanism.order]


def _fibres(mechanism: CompletedMechanism, k: int, levels: Levels) -> PolishFibres:
    """Buyer ``k``'s types against the states of the others."""
    space, types, points = mechanism.space, levels[k], len(levels[k])
    earlier = mechanism.earlier(k)
    grid = np.clip(mesh_points(fine_nodes(space.dims[k]), space.dims[k]), *space.box[k])

    def along(own: Float) -> list[Float]:
        return [own[None] if j == k else rest[:, None] for j, rest in enumerate(levels)]

    def full(array: Float, last: int) -> Float:
        return np.ascontiguousarray(np.broadcast_to(array, (points, last)))

    fine = [full(space.value(j, along(grid)), len(grid)) for j in (*earlier, k)] if earlier else []
    place = space.first[k]
    level = types[:, place] if place is not None else np.zeros(points)
    given = k != mechanism.last
    cell, part = mesh_cell(level, len(mechanism.given(k)) if given else 1)
    return PolishFibres(
        k,
        np.stack(fine[:-1], axis=1) if earlier else np.empty((points, 0, 1)),
        fine[-1] if earlier else np.empty((points, 1)),
        tuple(mechanism.spread(j, levels, without=k) for j in earlier),
        mechanism.spread(k, levels, without=k) if given else sparse.csr_array((points, 0)),
        hats(grid, mechanism.nodes),
        full(space.value(k, along(types)), points),
        full(space.gain(k, along(types)), points),
        cell,
        part,
        np.ascontiguousarray(level),
    )


def gradient(mechanism: CompletedMechanism, fibres: PolishFibres, width: float) -> tuple[float, list[Float]]:
    """The smoothed welfare from one buyer's fibres, and its derivatives in every given strike, in the shape of
    ``mechanism.theta``."""
    k, space = fibres.buyer, mechanism.space
    earlier, given, points = mechanism.earlier(k), k != mechanism.last, len(fibres.value)
    nodes, dims, first = fine_nodes(space.dims[k]), space.dims[k], space.first[k]
    strikes = np.empty((points, len(earlier), fibres.mesh.shape[1]))
    for e, (j, spread) in enumerate(zip(earlier, fibres.earlier, strict=True)):
        strikes[:, e] = spread @ mechanism.by_type(j, k)
    own = fibres.own @ mechanism.by_type(k, k) if given else np.full((points, 1), -np.inf)
    slope = np.zeros(own.shape)
    bins = nodes if first is not None else 1
    link, push = np.empty((points, bins, 3), dtype=np.int64), np.empty((points, bins, 2))
    welfare = welfare_gradient(
        fibres.lead,
        strikes,
        fibres.mesh.indices.reshape(fibres.mesh.shape[0], -1),
        fibres.mesh.data.reshape(fibres.mesh.shape[0], -1),
        fibres.fine,
        nodes,
        dims,
        -1 if first is None else first,
        fibres.value,
        fibres.gain,
        np.ascontiguousarray(own),
        fibres.cell,
        fibres.part,
        fibres.level,
        width,
        slope,
        link,
        push,
    )
    slopes = [np.zeros(theta.shape) for theta in mechanism.theta]
    if given:
        slopes[len(earlier)] = mechanism.from_type(k, k, fibres.own.T @ slope)
    for e, (j, spread) in enumerate(zip(earlier, fibres.earlier, strict=True)):
        state, bin_ = np.nonzero((link[:, :, 2] == e) & (push != 0.0).any(axis=2))
        at = sparse.csr_array(
            (push[state, bin_].ravel(), (np.repeat(state, 2), link[state, bin_, :2].ravel())),
            shape=fibres.fine.shape,
        )
        slopes[e] = mechanism.from_type(j, k, (spread.T @ (at @ fibres.mesh)).toarray())
    return welfare, [found / fibres.value.size for found in slopes]
