"""Suprema of later buyers, roughly: on a grid of their types, compiled, a hundred times as fast as ``Suprema``.

They are no bound, so no mechanism posts them. An evaluation takes them for most states, and from a few others what the
exact ones are worth more or less."""

from __future__ import annotations

import numpy as np

from expost._typing import Float
from expost.brackets.lower.polish_kernel import rough_kernel
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.spaces.mesh import hats, mesh_points
from expost.spaces.quantile_space import Levels

BEYOND_ALL = 1e300
"""What stands for an infinite given strike, which cannot be interpolated."""


def rough_nodes(dims: int) -> int:
    """Nodes per level of a later buyer's grid."""
    return {1: 129, 2: 17, 3: 9, 4: 5, 5: 4, 6: 3}.get(dims, 2)


def rough_strikes(mechanism: CompletedMechanism, k: int, levels: Levels, own: Float) -> Float:
    """Buyer ``k``'s strikes against P states of the others, at Q own types each (P, Q, d_k): (P, Q). Those of the first
    buyer are exact."""
    if k == mechanism.order[0]:
        return mechanism.given_along(k, levels, own)
    found = rough_suprema(mechanism, k, levels)
    if mechanism.raised and k == mechanism.last:
        found = mechanism.raised_from(levels, found)
    found = np.take_along_axis(found, mechanism.bin_at(k, own), axis=1)
    return found if k == mechanism.last else np.maximum(found, mechanism.given_along(k, levels, own))


def rough_suprema(mechanism: CompletedMechanism, k: int, levels: Levels) -> Float:
    """Buyer ``k``'s suprema in P states by bin of his first level, as ``mechanism.suprema`` has them: (P, bins)."""
    space, earlier, points = mechanism.space, mechanism.earlier(k), len(levels[k])
    dims, first, nodes = space.dims[k], space.first[k], rough_nodes(space.dims[k])
    grid = np.clip(mesh_points(nodes, dims), *space.box[k])
    there = [grid[None] if j == k else rest[:, None] for j, rest in enumerate(levels)]
    values = np.empty((points, len(earlier) + 1, len(grid)))
    for place, j in enumerate((*earlier, k)):
        values[:, place] = space.value(j, there)
    given = np.stack([mechanism.slices(j, k, levels) for j in earlier], axis=1)
    spread = hats(grid, mechanism.nodes)
    found = np.empty((points, 1 if first is None else nodes))
    rough_kernel(
        values,
        np.minimum(given, BEYOND_ALL),
        spread.indices.reshape(len(grid), -1),
        spread.data.reshape(len(grid), -1),
        nodes,
        dims,
        -1 if first is None else first,
        space.units,
        found,
    )
    return found if first is None else _binned(found, mechanism.bins)


def _binned(found: Float, bins: int) -> Float:
    """From nodes of the first level (P, nodes) to bins: between two nodes where a bin begins, as all types of a bin
    face what the first of them does. Where nobody loses beyond the next node, what holds at the one before."""
    place = np.arange(bins) / bins * (found.shape[1] - 1)
    near = place.astype(np.int64)
    before, after = found[:, near], found[:, near + 1]
    after = np.where(np.isfinite(after), after, before)
    finite = np.isfinite(before)
    moved = (place - near) * np.subtract(after, before, where=finite, out=np.zeros_like(before))
    return np.where(finite, before + moved, -np.inf)
