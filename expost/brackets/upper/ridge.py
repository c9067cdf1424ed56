"""Shadow prices on a surface: the part of u that piles up where one level of a buyer equals one of his rival's.

In two-buyer instances with a private and a common part, the prices of both buyers bind together where the rivals trade
the parts off alike. In ``jmmz`` that is at c1 = c2: along every line of equal value of a buyer's fibre, u may sit in
that one point. A density on a mesh can only smear it, and pays for the width of a cell; a measure on the surface itself
does not:

    u = base x M  on all states  +  base x N  on {level a of buyer 0 = level b of buyer 1},   N >= 0,

with N multilinear in both buyers' other levels and the common one, all uniform. Weak duality holds for any measure u:
no two buyers win in a state, so E[u] bounds what u takes from both. (Where mechanisms are compared almost everywhere
only, take u spread over |level a - level b| <= d: a bound for every d > 0, and the maxima over prices of finite sets of
types, ties free, are no less in the limit.) A fibre meets the surface in his types whose level a is the rival's level
b."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse

from expost._typing import Float, Float32
from expost.spaces.mesh import hats, mesh_points
from expost.spaces.quantile_space import QuantileSpace

BAND = 0.15
"""Half width of the band (unit: levels) over which sets of some hundred types smear what lies on a surface."""
MOST_NODES = 9
"""Nodes per level of N, at most: finer ones follow the noise of the samples."""


@dataclass(frozen=True, eq=False)
class Ridge:
    """N on a mesh of ``nodes`` per level. places: a and b. mesh: (nodes**(d_0 - 1), nodes**(d_1 - 1), nodes): buyer 0's
    levels but a, buyer 1's but b, the common level."""

    dims: tuple[int, ...]
    places: tuple[int, int]
    nodes: int
    mesh: Float = field(repr=False)

    def slices(self, i: int) -> Float:
        """The mesh as (others' nodes x common nodes, own nodes) of buyer ``i``."""
        own_last = self.mesh.transpose(1, 2, 0) if i == 0 else self.mesh.transpose(0, 2, 1)
        return np.ascontiguousarray(own_last).reshape(-1, own_last.shape[2])

    def evaluate(self, i: int, sample: RidgeSample) -> Float:
        """base x N at the types (P, R) of the sample of buyer ``i``."""
        return sample.base * np.asarray((sample.inner @ (sample.outer @ self.slices(i)).T).T)

    def spread(self, i: int, sample: RidgeSample, weights: Float) -> Float:
        """The transpose of ``evaluate`` without the base: ``weights`` (P, R) gathered at the nodes, in the mesh's
        shape."""
        at_nodes = np.asarray(sample.inner.T @ np.asarray(sample.outer.T @ weights).T)
        by_rival = at_nodes.reshape(at_nodes.shape[0], -1, self.nodes)
        return by_rival if i == 0 else by_rival.transpose(1, 0, 2)

    def symmetrized(self) -> Ridge:
        """The mean with its mirror image, of exchangeable buyers (a = b)."""
        return replace(self, mesh=np.ascontiguousarray(0.5 * (self.mesh + self.mesh.transpose(1, 0, 2))))

    def refined(self, nodes: int) -> Ridge:
        """The same function on a mesh of ``nodes`` per level (exactly the same where the meshes are nested)."""
        mesh = self.mesh
        for axis, dims in enumerate((self.dims[0] - 1, self.dims[1] - 1, 1)):
            finer = hats(mesh_points(nodes, dims), self.nodes) if dims else sparse.eye_array(1, format="csr")
            moved = np.moveaxis(mesh, axis, 0)
            flat = np.asarray(finer @ moved.reshape(moved.shape[0], -1))
            mesh = np.moveaxis(flat.reshape(-1, *moved.shape[1:]), 0, axis)
        return replace(self, nodes=nodes, mesh=np.ascontiguousarray(mesh))


@dataclass(frozen=True, eq=False)
class RidgeSample:
    """The types of P fibres on the surface, R each: their base, values and shares (P, R), and the hats of the others'
    levels (others but theirs on the surface, then the common one) and of the own ones; all own ``levels``
    (P, R, d_i)."""

    base: Float = field(repr=False)
    values: Float = field(repr=False)
    share: Float32 = field(repr=False)
    outer: sparse.csr_array = field(repr=False)
    inner: sparse.csr_array = field(repr=False)
    levels: Float = field(repr=False)


def mesh_shape(dims: tuple[int, ...], nodes: int) -> tuple[int, int, int]:
    """The shape of N."""
    return nodes ** (dims[0] - 1), nodes ** (dims[1] - 1), nodes


def ridge_nodes(nodes: int) -> int:
    """Nodes per level of N beside a mesh of ``nodes`` per signal."""
    return min(nodes, MOST_NODES)


def candidates(space: QuantileSpace, *, symmetric: bool) -> list[tuple[int, int]]:
    """Pairs of levels whose equality may carry a ridge: two static buyers, one unit, continuous priors. symmetric: the
    buyers are exchangeable, and the surface has to be its own mirror image."""
    if space.n != 2 or space.sequential or space.units > 1 or space.discrete:
        return []
    pairs = [(a, b) for a in range(space.dims[0]) for b in range(space.dims[1])]
    return [(a, b) for a, b in pairs if a == b or not symmetric]


def in_band(levels: list[Float], places: tuple[int, int], array: Float) -> float:
    """The sum of ``array`` (types of 0, types of 1) over the states of a finite set that lie near the surface."""
    inside = np.abs(levels[0][:, [places[0]]] - levels[1][None, :, places[1]]) <= BAND
    return float(array.sum(where=inside))


def constant_ridge(dims: tuple[int, ...], places: tuple[int, int], nodes: int, value: float) -> Ridge:
    """N = value."""
    return Ridge(dims, places, nodes, np.full(mesh_shape(dims, nodes), value))
