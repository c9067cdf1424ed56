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
