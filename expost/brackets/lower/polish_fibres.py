"""Fibres to polish on: one buyer's types against random states of the others, his welfare there and its gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from expost._typing import Float, Int64
from expost.brackets.lower.polish_kernel import welfare_gradient
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.spaces.efficient import should_win
from expost.spaces.mesh import hats, mesh_cell, mesh_points
from expost.spaces.quantile_space import Levels, lattice


@dataclass(frozen=True, eq=False)
class PolishFibres:
    """P states of the others of one buyer and Q own types: what ``welfare_gradient`` takes, but for the strikes.

    lead, fine: values of the earlier buyers (P, E, G) and his own (P, G) on the fine grid. earlier, own: interpolation
    weights of the earlier buyers' given strikes and of his own. mesh: those of the fine grid in the strikes' mesh.
    efficient: his mean gain where he should win, which takes most of the noise out of comparisons of samples."""

    buyer: int
    lead: Float
    fine: Float
    earlier: tuple[sparse.csr_array, ...]
    own: sparse.csr_array
    mesh: sparse.csr_array
    value: Float
    gain: Float
    cell: Int64
    part: Float
    level: Float
    efficient: float


def fine_nodes(dims: int) -> int:
    """Nodes per level of a later buyer's fine grid."""
    return {1: 257, 2: 33, 3: 13, 4: 7, 5: 5, 6: 4, 7: 3}.get(dims, 2)


def polish_types(mechanism: CompletedMechanism, points: int, rng: np.random.Generator) -> Levels:
    """Random types of every buyer, whose fibres make a sample: what one buyer takes from another he takes where the
    other loses it."""
    space = mechanism.space
    count = sum(space.dims)
    joint = np.split(lattice(points, count, rng.random(count)), np.cumsum(space.dims)[:-1], axis=1)
    return [np.clip(own, *space.box[j]) for j, own in enumerate(joint)]


def polish_fibres(mechanism: CompletedMechanism, k: int, levels: Levels) -> PolishFibres:
    """Buyer ``k``'s types against the states of the others."""
    space, types, points = mechanism.space, levels[k], len(levels[k])
    earlier = mechanism.earlier(k)
    grid = np.clip(mesh_points(fine_nodes(space.dims[k]), space.dims[k]), *space.box[k])

    def along(own: Float) -> list[Float]:
        return [own[None] if j == k else rest[:, None] for j, rest in enumerate(levels)]

    def full(array: Float, last: int) -> Float:
        return np.ascontiguousarray(np.broadcast_to(array, (points, last)))

    fine = [full(space.value(j, along(grid)), len(grid)) for j in (*earlier, k)] if earlier else []
    gains = np.stack([full(space.gain(j, along(types)), points) for j in range(space.n)])
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
        gains[k],
        cell,
        part,
        np.ascontiguousarray(level),
        float((gains[k] * should_win(gains, k, space.units)).mean()),
    )


def gradient(mechanism: CompletedMechanism, fibres: PolishFibres, width: float) -> tuple[float, list[Float]]:
    """The smoothed welfare from one buyer's fibres less the efficient one, and its derivatives in every given strike,
    in the shape of ``mechanism.theta``."""
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
        space.units,
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
    return welfare - fibres.efficient, [found / fibres.value.size for found in slopes]
