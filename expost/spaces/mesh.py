"""Multilinear functions on a mesh of equally spaced nodes in quantile space: values, and minima over small boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import sparse

from expost._compiled import compiled
from expost._typing import Float, Int64


def hats(levels: Float, nodes: int | Sequence[int]) -> sparse.csr_array:
    """The hat functions of a mesh with ``nodes`` nodes on each of d axes (one number for all, or one per axis), at
    ``levels`` (P, d): sparse (P, product of the nodes)."""
    points, dims = levels.shape
    counts = (nodes,) * dims if isinstance(nodes, int) else tuple(nodes)
    if all(count == 1 for count in counts):  # constant along every axis: no corners to interpolate between
        return sparse.csr_array(np.ones((points, 1)))
    columns, weights = np.zeros((points, 1), dtype=np.int64), np.ones((points, 1))
    for axis, count in enumerate(counts):
        cell, part = mesh_cell(levels[:, axis], count)
        near = np.stack([cell, np.minimum(cell + 1, count - 1)], axis=1)
        share = np.stack([1.0 - part, part], axis=1)
        columns = (columns[:, :, None] * count + near[:, None, :]).reshape(points, -1)
        weights = (weights[:, :, None] * share[:, None, :]).reshape(points, -1)
    pointer = np.arange(points + 1) * columns.shape[1]
    return sparse.csr_array((weights.ravel(), columns.ravel(), pointer), shape=(points, math.prod(counts)))


def mesh_cell(levels: Float, nodes: int) -> tuple[Int64, Float]:
    """The mesh cell that each level lies in, and how far along it (0 to 1), same shape as ``levels``."""
    place = np.clip(levels, 0.0, 1.0) * (nodes - 1)
    cell = np.minimum(place.astype(np.int64), max(nodes - 2, 0))
    return cell, place - cell


def mesh_points(nodes: int, dims: int) -> Float:
    """The levels of all nodes, (nodes**dims, dims), last axis fastest."""
    line = np.linspace(0.0, 1.0, nodes)
    return np.stack(np.meshgrid(*([line] * dims), indexing="ij"), axis=-1).reshape(-1, dims)


def shifted_grid(points: int, dims: int, rng: np.random.Generator) -> Float:
    """About ``points`` levels on an equally spaced grid with a random offset, (.., dims)."""
    count = max(1, round(points ** (1.0 / dims)))
    axes = [(np.arange(count) + rng.random()) / count for _ in range(dims)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, dims)


@compiled(nogil=True)
def box_minimum(
    theta: Float, row: Int64, cell: Int64, low: Float, high: Float, nodes: int, out: Float
) -> None:
    """Minima of multilinear functions over boxes that each lie inside one mesh cell; a multilinear function takes its
    minimum over a box at a corner.

    theta: (rows, nodes**d), a function each. row: (C,) which one. cell: (C, d). low, high: (C, d) ends of the box
    inside the cell, in [0, 1]. Fills ``out`` (C,).
    """
    count, dims = cell.shape
    corners = 1 << dims
    value = np.empty(corners)
    for c in range(count):
        for corner in range(corners):
            node = 0
            for axis in range(dims):
                node = node * nodes + min(cell[c, axis] + ((corner >> axis) & 1), nodes - 1)
            value[corner] = theta[row[c], node]
        for axis in range(dims):
            bit = 1 << axis
            for corner in range(corners):
                if corner & bit == 0:
                    near, far = value[corner], value[corner | bit]
                    value[corner] = near + (far - near) * low[c, axis]
                    value[corner | bit] = near + (far - near) * high[c, axis]
        out[c] = value.min()
