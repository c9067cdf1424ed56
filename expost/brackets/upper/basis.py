"""Multilinear functions on a mesh in quantile space: the shadow prices u(s) that the dual minimizes over.

    u(s) = base(s) x sum_k M_k phi_k(levels of s),   M >= 0,

with phi the hat functions of a mesh of ``nodes`` equally spaced nodes per signal and base(s) the second largest gain
(of k units the (k+1)-st) where it is positive. In two-buyer instances with a private part, the optimal u piles up where
the buyers' willingness to pay crosses, in proportion to the smaller gain; the base carries that kink, and the mesh
stays smooth. Two static buyers may have a part of u on a surface besides (``ridge``)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy import sparse

from expost._typing import Float, Int32
from expost.brackets.symmetry import orbits, symmetric, symmetrized
from expost.brackets.upper.mesh_kernel import corners, interpolate
from expost.brackets.upper.ridge import Ridge, ridge_nodes
from expost.spaces.efficient import last_margin
from expost.spaces.mesh import hats, mesh_points


def base_gain(gains: Float, floor: float, units: int = 1, blend: float = 0.0) -> Float:
    """The largest of ``gains`` (n, ..) but ``units``, or with ``blend`` as large a share of the largest and the rest of
    it, where that exceeds ``floor``, else ``floor``; 0 where there are as many units as buyers: nobody takes one from
    another then."""
    if len(gains) <= units:
        return np.zeros(gains.shape[1:])
    base = last_margin(gains, units)
    if blend:
        base = (1.0 - blend) * base + blend * gains.max(axis=0)
    return np.maximum(base, floor)


class Sided(Protocol):
    """What can be seen from each buyer's side."""

    def slices(self, i: int) -> Float:
        """Numbers at (others' nodes, or sets of them; own nodes) of buyer ``i``."""
        ...


@dataclass(frozen=True, eq=False)
class Side:
    """The mesh of exchangeable buyers' shadow prices from the side of any of them: (sets of the others' nodes, own
    nodes), see ``Orbits``."""

    numbers: Float = field(repr=False)

    def slices(self, i: int) -> Float:
        """The same for every buyer."""
        del i
        return self.numbers


@dataclass(frozen=True, eq=False)
class ShadowPrices:
    """A function u(s) >= 0. ``mesh`` has one axis per buyer, of length nodes**d_i; ``floor`` and ``blend`` as in
    ``base_gain``. ridge: what lies on a surface beside it."""

    dims: tuple[int, ...]
    nodes: int
    floor: float
    mesh: Float = field(repr=False)
    ridge: Ridge | None = None
    blend: float = 0.0

    @property
    def parts(self) -> tuple[Float, ...]:
        """The mesh, and that of the ridge where there is one."""
        return (self.mesh,) if self.ridge is None else (self.mesh, self.ridge.mesh)

    def with_parts(self, parts: Iterable[Float]) -> ShadowPrices:
        """The same with other numbers on the meshes, in the order of ``parts``."""
        mesh, *pile = parts
        ridge = self.ridge and replace(self.ridge, mesh=pile[0])
        return replace(self, mesh=mesh, ridge=ridge)

    def symmetrized(self) -> ShadowPrices:
        """The mean over the orders of exchangeable buyers."""
        ridge = self.ridge and self.ridge.symmetrized()
        return replace(self, mesh=symmetrized(self.mesh), ridge=ridge)

    def slices(self, i: int) -> Float:
        """The mesh as (others' nodes, own nodes) of buyer ``i``."""
        others = np.moveaxis(self.mesh, i, -1)
        return np.ascontiguousarray(others).reshape(-1, self.mesh.shape[i])

    @cached_property
    def others(self) -> Int32 | None:
        """Of mesh numbers that are the same in all orders of three buyers or more, the sets of the others' nodes (see
        ``Orbits``): of four buyers' mesh a fifth is seen from a side then, which stays near the processor."""
        return orbits(self.mesh.shape).others if len(self.dims) > 2 and symmetric(self.mesh) else None

    @cached_property
    def sides(self) -> tuple[Side, ...]:
        """The mesh from each buyer's side, with sets of the ``others``' nodes where there are some."""
        if self.others is None:
            return tuple(Side(self.slices(i)) for i in range(len(self.dims)))
        return (Side(orbits(self.mesh.shape).side_of(self.mesh)),) * len(self.dims)

    def evaluate(self, i: int, outer: sparse.csr_array, inner: sparse.csr_array, base: Float) -> Float:
        """u off the ridge at P states of the others (their ``hats`` (P, others' nodes)) and Q own types (Q, own nodes):
        (P, Q)."""
        if self.nodes == 0:
            return np.zeros(base.shape)
        found = np.empty(base.shape)
        interpolate(self.slices(i), *corners(outer), *corners(inner), base, found)
        return found

    def refined(self, nodes: int) -> ShadowPrices:
        """The same function on a finer mesh (exactly the same where the meshes are nested)."""
        mesh = self.mesh
        for axis, dims in enumerate(self.dims):
            spread = hats(mesh_points(nodes, dims), self.nodes)
            flat = np.moveaxis(mesh, axis, 0)
            mesh = np.moveaxis(
                (spread @ flat.reshape(flat.shape[0], -1)).reshape(-1, *flat.shape[1:]), 0, axis
            )
        ridge = self.ridge and self.ridge.refined(max(self.ridge.nodes, ridge_nodes(nodes)))
        return replace(self, nodes=nodes, mesh=np.ascontiguousarray(mesh), ridge=ridge)


def constant_prices(
    dims: tuple[int, ...], nodes: int, floor: float, value: float, blend: float = 0.0
) -> ShadowPrices:
    """u = value x base(s)."""
    return ShadowPrices(dims, nodes, floor, np.full(tuple(nodes**d for d in dims), value), blend=blend)


def mesh_size(dims: tuple[int, ...], nodes: int) -> int:
    """How many nodes the mesh of ``nodes`` per signal has."""
    return math.prod(nodes**d for d in dims)
