"""Strikes to start a completion from: read off grid optima, or sampled from a price function of the papers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from expost.errors import InputError
from expost.formulations.assemble import assemble
from expost.formulations.brackets.polish import falling
from expost.formulations.discretization import Grid, TypeSpace, discretize
from expost.formulations.timing import build_blocks
from expost.mechanisms.constructions import get
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.mechanisms.continuum.mesh import hats, mesh_points
from expost.mechanisms.continuum.space import QuantileSpace
from expost.solver.backends import solve_program

Float = NDArray[np.float64]
Bool = NDArray[np.bool_]

FINEST = {1: 18, 2: 15, 3: 10}
"""Cells of a completion are no smaller than 2**-FINEST per level, by the follower's number of signals (static)."""


def first_names(space: QuantileSpace) -> tuple[str, ...]:
    """The first-stage signals, one of each sequential buyer."""
    return tuple(
        space.instance.buyers[i].signals[place] for i, place in enumerate(space.first) if place is not None
    )


def timings(space: QuantileSpace) -> tuple[str, ...]:
    """The timing of each buyer, in words."""
    return tuple("static" if place is None else "sequential" for place in space.first)


def mesh_nodes(space: QuantileSpace, leader: int) -> tuple[int, int]:
    """Nodes per level of the follower, and of the leader's first level (1 if static); powers of two plus one."""
    static = space.first[leader] is None
    nodes = {1: 65, 2: 17 if static else 9, 3: 9 if static else 5}.get(space.dims[1 - leader], 5)
    return nodes, 1 if static else 9


def complete(
    space: QuantileSpace, leader: int, theta: Float, nodes: int, method: str, scale: float, negative: bool
) -> CompletedMechanism:
    """The completion of strikes ``theta`` with the usual precision; ``scale``: the mean first best, ``negative``:
    whether the follower's gain can be negative."""
    sequential = space.first[1 - leader] is not None
    finest = FINEST.get(space.dims[1 - leader], 6) - (4 if sequential else 0)
    depth = max(1, finest - int(math.log2(nodes - 1)))
    precision = (1e-4 if sequential else 2e-5) * scale
    return CompletedMechanism(
        space, method, leader, theta, nodes, 128 if sequential else 1, depth, precision, negative
    )


def construction_strikes(space: QuantileSpace, leader: int, name: str) -> Float:
    """The strikes of one of the papers' constructions on the mesh. Raises InputError where it is not defined."""
    construction = get(name, space.instance)
    nodes, count = mesh_nodes(space, leader)
    low, high = space.box[1 - leader]
    others = space.own(1 - leader, np.clip(mesh_points(nodes, space.dims[1 - leader]), low, high))
    if construction.prices is not None:
        return falling(np.tile(construction.prices.price(leader, others), (count, 1)))
    if construction.strikes is None or count == 1:
        raise InputError(f"construction {name!r} has no strikes here", where="completion")
    own = np.full((count, space.dims[leader]), 0.5)
    place = space.first[leader]
    own[:, 0 if place is None else place] = np.clip(
        np.linspace(0.0, 1.0, count), *(end[place or 0] for end in space.box[leader])
    )
    first = space.own(leader, own)[space.instance.buyers[leader].signals[place or 0]]
    signals = {key: column[None] for key, column in others.items()}
    return falling(
        np.broadcast_to(
            construction.strikes.strike(leader, first[:, None], signals),
            (count, len(others[next(iter(others))])),
        )
    )


def grid_strikes(space: QuantileSpace, leader: int, points: int) -> Float:
    """Strikes of the leader on the mesh, fitted to a grid optimum (the mean over its smallest and largest rule)."""
    grid = Grid(points)
    types = discretize(space.instance, grid)
    blocks = build_blocks(types, timings(space), first_names(space))
    formulation = assemble(types, blocks)
    solution = solve_program(formulation.program)
    assert solution.x is not None
    rules = [x for x in (solution.smallest, solution.largest) if x is not None] or [solution.x]
    found = np.mean(
        [_strikes(space, types, formulation.allocation(x)[leader], leader, points) for x in rules], axis=0
    )
    return _fit(space, leader, found, points)


def _strikes(space: QuantileSpace, types: TypeSpace, wins: Bool, leader: int, points: int) -> Float:
    """Implementing strikes by row of the leader's first level and type of the follower: (rows, T_f)."""
    values = np.moveaxis(types.values[leader], leader, 0)
    wins = np.moveaxis(wins, leader, 0)
    place = space.first[leader]
    shape = (points,) * space.dims[leader] + values.shape[1:]
    if place is None:
        rows, won = values[None], wins[None]
    else:
        rows, won = (
            np.moveaxis(array.reshape(shape), place, 0).reshape(points, -1, values.shape[1])
            for array in (values, wins)
        )
    lose = np.where(won, -np.inf, rows).max(axis=1)
    gain = np.where(won, rows, np.inf).min(axis=1)
    lower = np.maximum.accumulate(lose[::-1], axis=0)[::-1]
    upper = np.minimum.accumulate(gain, axis=0)
    lower_, upper_ = (np.where(np.isfinite(a), a, b) for a, b in ((lower, upper), (upper, lower)))
    return np.asarray(0.5 * (lower_ + upper_))


def _fit(space: QuantileSpace, leader: int, found: Float, points: int) -> Float:
    """Least squares on the mesh with a little smoothness: (rows of the mesh, nodes**d_f)."""
    nodes, count = mesh_nodes(space, leader)
    dims = space.dims[1 - leader]
    centres = (mesh_points(points, dims) * (points - 1) + 0.5) / points
    across = _smooth(hats(centres, nodes), nodes, dims)
    theta = across(found.T).T
    if count > 1:
        rows = ((np.arange(points) + 0.5) / points)[:, None]
        theta = _smooth(hats(rows, count), count, 1)(theta)
    return falling(np.ascontiguousarray(theta))


def _smooth(spread: sparse.csr_array, nodes: int, dims: int) -> Callable[[Float], Float]:
    """The map from data at points to the mesh function that fits them with small second differences."""
    second = sparse.diags_array([1.0, -2.0, 1.0], offsets=[0, 1, 2], shape=(max(nodes - 2, 0), nodes))
    rough = sparse.csr_array((nodes**dims, nodes**dims))
    for axis in range(dims):
        one = sparse.kron(
            sparse.kron(sparse.eye_array(nodes**axis), second), sparse.eye_array(nodes ** (dims - 1 - axis))
        )
        rough = rough + one.T @ one
    weight = spread.shape[0] / nodes**dims
    matrix = (spread.T @ spread + 0.03 * weight * rough + 1e-9 * sparse.eye_array(nodes**dims)).toarray()
    return lambda data: np.asarray(np.linalg.solve(matrix, spread.T @ data))
