"""A multilinear function at all pairs of states of the others and own types, and the transpose, compiled.

States of the others and own types each have a fixed number of corners: node numbers and weights, (P, K) and (Q, L)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from expost._compiled import compiled
from expost._typing import Float, Int32


class Corners(NamedTuple):
    """The nodes (P, K) around each of P points, and their weights."""

    nodes: Int32
    weights: Float


def corners(spread: sparse.csr_array) -> Corners:
    """Of ``hats`` (P, nodes), which have as many entries in every row."""
    shape = (spread.shape[0], spread.nnz // max(spread.shape[0], 1))
    return Corners(spread.indices.astype(np.int32, copy=False).reshape(shape), spread.data.reshape(shape))


def corners_at(levels: Float, nodes: int) -> Corners:
    """Of ``hats(levels, nodes)``, levels (P, d): straight from the levels."""
    count = 1 << levels.shape[1]
    found = Corners(np.empty((len(levels), count), np.int32), np.empty((len(levels), count)))
    place_corners(np.ascontiguousarray(levels), nodes, *found)
    return found


@compiled(nogil=True)
def place_corners(levels: Float, nodes: int, where: Int32, weights: Float) -> None:
    """Fill ``where`` and ``weights`` (P, 2**d) with the nodes around ``levels`` (P, d), in the order of ``hats``."""
    points, dims = levels.shape
    for p in range(points):
        where[p, 0], weights[p, 0] = 0, 1.0
        for axis in range(dims):
            place = min(max(levels[p, axis], 0.0), 1.0) * (nodes - 1)
            cell = min(int(place), max(nodes - 2, 0))
            part, step = place - cell, 1 if cell < nodes - 1 else 0
            for k in range((1 << axis) - 1, -1, -1):
                node, weight = where[p, k] * nodes + cell, weights[p, k]
                where[p, 2 * k], weights[p, 2 * k] = node, weight * (1.0 - part)
                where[p, 2 * k + 1], weights[p, 2 * k + 1] = node + step, weight * part


@compiled(nogil=True, fastmath=True)
def interpolate(
    mesh: Float,
    outer: Int32,
    outer_weights: Float,
    inner: Int32,
    inner_weights: Float,
    base: Float,
    out: Float,
) -> None:
    """Fill ``out`` (P, Q) with ``base`` times the function with the values ``mesh`` (others' nodes, own nodes)."""
    own = mesh.shape[1]
    row = np.empty(own)
    for p in range(len(outer)):
        row[:] = 0.0
        for k in range(outer.shape[1]):
            weight, node = outer_weights[p, k], outer[p, k]
            for j in range(own):
                row[j] += weight * mesh[node, j]
        for q in range(len(inner)):
            found = 0.0
            for c in range(inner.shape[1]):
                found += inner_weights[q, c] * row[inner[q, c]]
            out[p, q] = found * base[p, q]


@compiled(nogil=True, fastmath=True)
def gather(
    weights: Float,
    outer: Int32,
    outer_weights: Float,
    inner: Int32,
    inner_weights: Float,
    mesh: Float,
) -> None:
    """Add ``weights`` (P, Q) of the states to ``mesh`` (others' nodes, own nodes)."""
    own = mesh.shape[1]
    row = np.empty(own)
    for p in range(len(outer)):
        row[:] = 0.0
        for q in range(len(inner)):
            for c in range(inner.shape[1]):
                row[inner[q, c]] += inner_weights[q, c] * weights[p, q]
        for k in range(outer.shape[1]):
            weight, node = outer_weights[p, k], outer[p, k]
            for j in range(own):
                mesh[node, j] += weight * row[j]


@compiled(nogil=True, fastmath=True)
def move(
    part: Float,
    slope: Float,
    mass: Float,
    momentum: Float,
    mean: Float,
    rate: float,
    reach: float,
    recent: float,
) -> None:
    """One step of every node, all flat, in place: ``momentum`` is the mean of the last ten or so of ``slope / mass``,
    ``part`` moves against it by ``rate`` (with ``reach`` > 0 times where it is and so much more) and stays
    non-negative, and ``mean`` follows it by a share ``recent``."""
    for k in range(len(part)):
        momentum[k] += 0.1 * (slope[k] / mass[k] - momentum[k])
        step = rate * momentum[k]
        if reach > 0.0:
            step *= part[k] + reach
        part[k] = max(part[k] - step, 0.0)
        mean[k] += recent * (part[k] - mean[k])
