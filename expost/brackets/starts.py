"""Strikes to start a completion from: read off grid optima, or sampled from a price function of the papers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from expost._typing import Bool, Float
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.lower.polish import falling
from expost.brackets.optimum import optimum
from expost.errors import InputError
from expost.formulations.assemble import assemble
from expost.formulations.timing import build_blocks
from expost.instances.environment import Instance
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.mechanisms.given import Given
from expost.spaces.mesh import hats, mesh_points
from expost.spaces.quantile_space import QuantileSpace, lattice
from expost.spaces.type_space import Grid, TypeSpace, discretize

FINEST = {1: 18, 2: 15, 3: 10}
"""Cells of a completion are no smaller than 2**-FINEST per level, by the later buyer's number of signals (static)."""
NODES = {1: 65, 2: 33, 3: 17, 4: 17, 5: 9, 6: 5}
NODES_SEQUENTIAL = {1: 65, 2: 9, 3: 9, 4: 9, 5: 5}
"""Nodes per level of the mesh, by the number of levels that given strikes depend on."""
FITTED_NODES = {1: 65, 2: 17, 3: 9, 4: 5}
"""The same, at most, of strikes that are fitted or computed point by point; 3 where there are more levels."""
GRID_NODES = FITTED_NODES | {4: 9}
"""The same of strikes that are read off a grid optimum."""
CLOSED_FORM = 1_200_000
"""Nodes of one buyer's strikes, at most, where they are given in closed form and there are three buyers or more."""
DENSE = 1_000
"""Nodes beyond which strikes are smoothed level by level."""
NODES_AT_ONCE = 256
"""Nodes at which a price that is computed is asked for at once."""
MOST_LEVELS = 12
"""Levels of the others that a strike on a mesh can depend on."""


Starts = Callable[[Instance], Iterable[Given]]
"""Mechanisms that somebody states for an instance, to start completions from."""


def nothing(instance: Instance) -> Iterable[Given]:
    """No mechanism to start from."""
    del instance
    return ()


def first_names(space: QuantileSpace) -> tuple[str, ...]:
    """The first-stage signals, one of each sequential buyer."""
    return tuple(
        space.instance.buyers[i].signals[place] for i, place in enumerate(space.first) if place is not None
    )


def timings(space: QuantileSpace) -> tuple[str, ...]:
    """The timing of each buyer, in words."""
    return tuple("static" if place is None else "sequential" for place in space.first)


def mesh_nodes(space: QuantileSpace, order: Sequence[int]) -> int:
    """Nodes per level of the given strikes' mesh, a power of two plus one. Raises InputError where strikes would
    depend on too many levels."""
    given = order[:-1]
    levels = max(sum(space.dims) - space.dims[j] for j in given)
    if levels > MOST_LEVELS:
        raise InputError(
            f"strikes of {levels} signals",
            where="completion",
            expected=f"at most {MOST_LEVELS} signals of the others",
        )
    sequential = any(space.first[j] is not None for j in given)
    return (NODES_SEQUENTIAL if sequential else NODES).get(levels, 3 if levels < 10 else 2)


def closed_form_nodes(space: QuantileSpace, nodes: int, j: int) -> int:
    """``nodes``, or as many more as strikes in closed form of buyer ``j`` may have: what interpolation adds to them
    everybody pays for. Two buyers' meshes are fine enough."""
    levels = sum(space.dims) - space.dims[j]
    finer = 2 * nodes - 1
    while space.n > 2 and not space.sequential and finer <= NODES[1] and finer**levels <= CLOSED_FORM:
        nodes, finer = finer, 2 * finer - 1
    return nodes


def thinned(mechanism: CompletedMechanism, nodes: int) -> CompletedMechanism:
    """The same strikes at every other node, and so on, down to ``nodes`` a level."""
    step = (mechanism.nodes - 1) // (nodes - 1)
    if step < 2:
        return mechanism
    dims = mechanism.space.dims
    theta = []
    for j, strikes in zip(mechanism.order, mechanism.theta, strict=False):
        levels = sum(dims) - dims[j]
        mesh = strikes.reshape(-1, *(mechanism.nodes,) * levels)[
            (slice(None), *(slice(None, None, step),) * levels)
        ]
        theta.append(np.ascontiguousarray(mesh).reshape(len(strikes), -1))
    return replace(mechanism, theta=tuple(theta), nodes=nodes, depth=mechanism.depth + step.bit_length() - 1)


def mesh_rows(space: QuantileSpace, j: int) -> int:
    """Nodes of buyer ``j``'s own first level: 1 if he is static."""
    return 1 if space.first[j] is None else 9


def complete(
    space: QuantileSpace,
    order: tuple[int, ...],
    theta: Sequence[Float],
    nodes: int,
    method: str,
    scale: float,
    negative: bool,
) -> CompletedMechanism:
    """The completion of given strikes ``theta`` with the usual precision; ``scale``: the mean first best,
    ``negative``: whether the last buyer's gain can be negative."""
    later = order[1:]
    sequential = any(space.first[k] is not None for k in later)
    coarser = 0 if not sequential else 4 if space.n == 2 else 2
    finest = min(FINEST.get(space.dims[k], 6) for k in later) - coarser
    depth = max(1, finest - (nodes - 1).bit_length() + 1)
    precision = scale * (2e-5 if space.n == 2 and not sequential else 1e-4)
    # two buyers' evaluation asks for many suprema; of more buyers few states have exact ones
    bins = 1 if not sequential else 128 if space.n == 2 else 256
    return CompletedMechanism(space, method, order, tuple(theta), nodes, bins, depth, precision, negative)


def given_strikes(space: QuantileSpace, given: Given, j: int, nodes: int, clock: Clock = ENDLESS) -> Float:
    """Buyer ``j``'s strikes in a mechanism that is stated, on the mesh; infinite ones are cut to his range of values.

    Raises InputError where it has no strikes under this timing, OutOfTime."""
    levels = sum(space.dims) - space.dims[j]
    few = min(nodes, FITTED_NODES.get(levels, 3))
    if few < nodes and not given.closed_form:
        return prolonged(given_strikes(space, given, j, few, clock), few, nodes, levels)
    count = mesh_rows(space, j)
    dims = [own if k != j else 0 for k, own in enumerate(space.dims)]
    points = np.split(mesh_points(nodes, levels), np.cumsum(dims)[:-1], axis=1)
    others: dict[str, Float] = {}
    for k, own in enumerate(points):
        if k != j:
            others |= space.own(k, np.clip(own, *space.box[k]))
    if given.prices is not None:
        prices = given.prices
        found = [
            np.broadcast_to(prices.price(j, some), len(next(iter(some.values()))))
            for some in _parts(others, nodes**levels, clock)
        ]
        return falling(_cut(space, j, np.tile(np.concatenate(found), (count, 1))))
    place = space.first[j]
    if given.strikes is None or place is None:
        raise InputError(f"{given.name!r} has no strikes here", where="completion")
    own = np.full((count, space.dims[j]), 0.5)
    own[:, place] = np.clip(np.linspace(0.0, 1.0, count), *(end[place] for end in space.box[j]))
    first = space.own(j, own)[space.instance.buyers[j].signals[place]]
    strikes = [
        np.broadcast_to(
            given.strikes.strike(j, first[:, None], {key: part[None] for key, part in some.items()}),
            (count, len(next(iter(some.values())))),
        )
        for some in _parts(others, nodes**levels, clock)
    ]
    return falling(_cut(space, j, np.concatenate(strikes, axis=1)))


def _parts(others: dict[str, Float], count: int, clock: Clock) -> Iterator[dict[str, Float]]:
    """The signals of the others, some of the ``count`` nodes at a time, and a look at the clock before each."""
    for start in range(0, count, NODES_AT_ONCE):
        clock.check()
        yield {key: column[start : start + NODES_AT_ONCE] for key, column in others.items()}


def _cut(space: QuantileSpace, j: int, strikes: Float) -> Float:
    """Strikes that interpolate: infinite ones below or above all of buyer j's values."""
    joint = lattice(4096, sum(space.dims), np.full(sum(space.dims), 0.5))
    values = space.value(j, space.split(joint))
    return np.nan_to_num(strikes, neginf=float(values.min()), posinf=float(values.max()))


@dataclass(frozen=True, eq=False)
class GridRules:
    """Optimal rules of a grid, to read strikes from: who wins, (buyers, types of buyer 1, types of buyer 2, ..)."""

    points: int
    types: TypeSpace
    wins: tuple[Bool, ...]


def grid_rules(space: QuantileSpace, points: int, clock: Clock = ENDLESS) -> GridRules:
    """The smallest and the largest optimal rule of a grid, or the best found in the time. Raises InputError where the
    grid is too large or nothing is found."""
    types = discretize(space.instance, Grid(points))
    formulation = assemble(types, build_blocks(types, timings(space), first_names(space)))
    solution = optimum(formulation, clock)
    found = [x for x in (solution.smallest, solution.largest) if x is not None]
    if not found and solution.x is not None:
        found = [solution.x]
    if not found:
        raise InputError(f"no rule found on {points} points per signal in time", where="completion")
    return GridRules(points, types, tuple(formulation.allocation(x) for x in found))


def grid_strikes(space: QuantileSpace, rules: GridRules, j: int, nodes: int) -> Float:
    """Buyer ``j``'s strikes on the mesh, fitted to a grid optimum (the mean over its smallest and largest rule)."""
    found = np.mean([_strikes(space, rules, wins[j], j) for wins in rules.wins], axis=0)
    return _fit(found, rules.points, nodes, mesh_rows(space, j), sum(space.dims) - space.dims[j])


def _strikes(space: QuantileSpace, rules: GridRules, won: Bool, j: int) -> Float:
    """Implementing strikes of buyer ``j`` by row of his first level and types of the others: (rows, types)."""
    values = np.moveaxis(rules.types.values[j], j, 0)
    wins = np.moveaxis(won, j, 0)
    place, points = space.first[j], rules.points
    values, wins = values.reshape(len(values), -1), wins.reshape(len(wins), -1)
    shape = (points,) * space.dims[j] + values.shape[1:]
    rows, taken = (
        array[None]
        if place is None
        else np.moveaxis(array.reshape(shape), place, 0).reshape(points, -1, values.shape[1])
        for array in (values, wins)
    )
    lose = np.where(taken, -np.inf, rows).max(axis=1)
    gain = np.where(taken, rows, np.inf).min(axis=1)
    lower = np.maximum.accumulate(lose[::-1], axis=0)[::-1]
    upper = np.minimum.accumulate(gain, axis=0)
    lower_, upper_ = (np.where(np.isfinite(a), a, b) for a, b in ((lower, upper), (upper, lower)))
    return np.asarray(0.5 * (lower_ + upper_))


def _fit(found: Float, points: int, nodes: int, count: int, dims: int) -> Float:
    """Least squares on the mesh with a little smoothness: (rows of the mesh, nodes**dims)."""
    few = min(nodes, GRID_NODES.get(dims, 3))
    line = ((np.arange(points) + 0.5) / points)[:, None]
    if few**dims > DENSE:
        along, theta = _smooth(hats(line, few), few, 1), found.reshape(-1, *(points,) * dims)
        for axis in range(1, dims + 1):
            front = np.moveaxis(theta, axis, 0)
            fitted = along(front.reshape(points, -1)).reshape(few, *front.shape[1:])
            theta = np.moveaxis(fitted, 0, axis)
        theta = theta.reshape(len(found), -1)
    else:
        centres = (mesh_points(points, dims) * (points - 1) + 0.5) / points
        theta = _smooth(hats(centres, few), few, dims)(found.T).T
    if count > 1:
        theta = _smooth(hats(line, count), count, 1)(theta)
    return falling(prolonged(theta, few, nodes, dims))


def prolonged(theta: Float, few: int, nodes: int, dims: int) -> Float:
    """The same strikes on a finer mesh: from (rows, few**dims) to (rows, nodes**dims)."""
    return np.ascontiguousarray((hats(mesh_points(nodes, dims), few) @ theta.T).T)


def _smooth(spread: sparse.csr_array, nodes: int, dims: int) -> Callable[[Float], Float]:
    """The map from data at points to the mesh function that fits them with small second differences."""
    second = sparse.csr_array(np.diff(np.eye(nodes), n=2, axis=0))
    rough = sparse.csr_array((nodes**dims, nodes**dims))
    for axis in range(dims):
        one = sparse.kron(
            sparse.kron(sparse.eye_array(nodes**axis), second), sparse.eye_array(nodes ** (dims - 1 - axis))
        )
        rough = rough + one.T @ one
    weight = spread.shape[0] / nodes**dims
    matrix = (spread.T @ spread + 0.03 * weight * rough + 1e-9 * sparse.eye_array(nodes**dims)).toarray()
    return lambda data: np.asarray(np.linalg.solve(matrix, spread.T @ data))
