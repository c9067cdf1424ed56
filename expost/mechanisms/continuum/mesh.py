"""Multilinear functions on a mesh of equally spaced nodes in quantile space: values, and minima over small boxes."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Float = NDArray[np.float64]
Index = NDArray[np.int64]


def hats(levels: Float, nodes: int) -> sparse.csr_array:
    """The hat functions of a mesh with ``nodes`` nodes on each of d axes, at ``levels`` (P, d): sparse (P,
    nodes**d)."""
    points, dims = levels.shape
    cell, part = mesh_cell(levels, nodes)
    columns, weights = np.zeros((points, 1), dtype=np.int64), np.ones((points, 1))
    for axis in range(dims):
        near = np.stack([cell[:, axis], np.minimum(cell[:, axis] + 1, nodes - 1)], axis=1)
        share = np.stack([1.0 - part[:, axis], part[:, axis]], axis=1)
        columns = (columns[:, :, None] * nodes + near[:, None, :]).reshape(points, -1)
        weights = (weights[:, :, None] * share[:, None, :]).reshape(points, -1)
    pointer = np.arange(points + 1) * columns.shape[1]
    return sparse.csr_array((weights.ravel(), columns.ravel(), pointer), shape=(points, nodes**dims))


def mesh_cell(levels: Float, nodes: int) -> tuple[Index, Float]:
    """The mesh cell that each level lies in, and how far along it (0 to 1), same shape as ``levels``."""
    place = np.clip(levels, 0.0, 1.0) * (nodes - 1)
    cell = np.minimum(place.astype(np.int64), max(nodes - 2, 0))
    return cell, place - cell


def mesh_points(nodes: int, dims: int) -> Float:
    """The levels of all nodes, (nodes**dims, dims), last axis fastest."""
    line = np.linspace(0.0, 1.0, nodes)
    return np.stack(np.meshgrid(*([line] * dims), indexing="ij"), axis=-1).reshape(-1, dims)


@numba.njit(cache=True, nogil=True)
def box_minimum(
    theta: Float, row: Index, row_part: Float, cell: Index, low: Float, high: Float, nodes: int, out: Float
) -> None:
    """Minima of multilinear functions over boxes that each lie inside one mesh cell; a multilinear function takes its
    minimum over a box at a corner.

    theta: (rows, nodes**d), the function between ``row`` and ``row + 1`` (C,), ``row_part`` (C,) of the way.
    cell: (C, d). low, high: (C, d) ends of the box inside the cell, in [0, 1]. Fills ``out`` (C,).
    """
    count, dims = cell.shape
    corners = 1 << dims
    value = np.empty(corners)
    last = theta.shape[0] - 1
    for c in range(count):
        above = min(row[c] + 1, last)
        for corner in range(corners):
            node = 0
            for axis in range(dims):
                node = node * nodes + min(cell[c, axis] + ((corner >> axis) & 1), nodes - 1)
            value[corner] = (1.0 - row_part[c]) * theta[row[c], node] + row_part[c] * theta[above, node]
        for axis in range(dims):
            bit = 1 << axis
            for corner in range(corners):
                if corner & bit == 0:
                    near, far = value[corner], value[corner | bit]
                    value[corner] = near + (far - near) * low[c, axis]
                    value[corner | bit] = near + (far - near) * high[c, axis]
        out[c] = value.min()
