"""A rule that shadow prices are compared with, to evaluate them with little noise.

For any functions q_i of the state, with one unit and two buyers,

    D(u) = E[sum_i w_i q_i] + sum_i E[max over prices - E_{s_i}[(w_i - u) q_i]] + E[u (1 - q_1 - q_2)]:

what q_i takes from one term it adds to another. If q is a good mechanism's rule, everything but the first term is small
and hardly varies from fibre to fibre, and the first needs no maxima. The rule need be neither admissible nor
implementable for that; it must only not depend on the sample. So a mechanism's strikes are read on a mesh, once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse

from expost._typing import Bool, Float, Float32
from expost.brackets.upper.samples import FibreSample
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.spaces.efficient import best_gains
from expost.spaces.mesh import hats, mesh_points
from expost.spaces.quantile_space import QuantileSpace, lattice

NODES = {1: 65, 2: 17, 3: 7}
"""Nodes per level of the other's, by how many levels he has (otherwise 3)."""
ROWS = 9
"""Nodes of a sequential buyer's own first level."""
LARGEST = 1 << 20
"""Strikes in a table, at most."""
STATES = 4096
"""From which a buyer's range of values is read."""


@dataclass(frozen=True, eq=False)
class Reference:
    """Strikes of both buyers, multilinear in the other's levels and, sequential, in the own first level: (rows,
    nodes ** levels of the other)."""

    strikes: tuple[Float, Float] = field(repr=False)

    def applied(self, space: QuantileSpace, fibres: FibreSample) -> FibreSample:
        """The fibres with this rule in place of the efficient one."""
        i, (outer, inner) = fibres.buyer, fibres.levels
        own, rival = self._wins(space, i, outer[:, None], inner[None])
        ridge = fibres.ridge
        if ridge is not None:
            ridge = replace(ridge, share=_share(*self._wins(space, i, outer[:, None], ridge.levels)))
        efficient = (fibres.gains * own).mean(axis=1)
        return replace(fibres, share=_share(own, rival), efficient=efficient, ridge=ridge)

    def welfare(self, space: QuantileSpace, outer: Float, inner: Float) -> float:
        """The rule's gains less the first best, over buyer 0's levels ``outer`` (P, d_0) times buyer 1's ``inner``
        (Q, d_1): the mean."""
        wins = self._wins(space, 1, outer[:, None], inner[None])
        signals = space.signals([outer[:, None], inner[None]])
        gains = np.stack(np.broadcast_arrays(*(space.instance.gain(i, signals) for i in range(2))))
        return float((gains[1] * wins[0] + gains[0] * wins[1] - best_gains(gains, 1)).mean())

    def _wins(self, space: QuantileSpace, i: int, outer: Float, inner: Float) -> tuple[Bool, Bool]:
        """Whether buyer ``i`` and whether the other wins, (P, Q): the other's levels ``outer`` (P, 1, d_j), the own
        ones ``inner`` (1 or P, Q, d_i)."""
        pair = [inner, outer] if i == 0 else [outer, inner]
        shape = np.broadcast_shapes(outer.shape[:2], inner.shape[:2])
        return (
            np.broadcast_to(space.value(i, pair), shape) > self._strikes(space, i, outer, inner),
            np.broadcast_to(space.value(1 - i, pair), shape) > self._strikes(space, 1 - i, inner, outer),
        )

    def _strikes(self, space: QuantileSpace, i: int, others: Float, own: Float) -> Float:
        """Buyer ``i``'s strikes, of a shape that broadcasts to (P, Q)."""
        table = _spread(others, reference_nodes(space, i)) @ self.strikes[i].T
        place = space.first[i]
        if place is None:
            return np.asarray(table).reshape(others.shape[:2])
        rows = _spread(own[..., [place]], len(self.strikes[i]))
        if others.shape[0] == 1 or own.shape[0] == 1:  # a product of types
            product = np.asarray(rows @ np.asarray(table).T)
            return product if own.shape[1] == 1 else product.T
        return np.asarray(rows.multiply(table).sum(axis=1)).reshape(own.shape[:2])


def _share(own: Bool, rival: Bool) -> Float32:
    """A buyer's of the unit: where he wins it, and half of it where nobody does."""
    return np.asarray(0.5 * (1.0 + own - rival), dtype=np.float32)


def _spread(levels: Float, nodes: int) -> sparse.csr_array:
    return hats(levels.reshape(-1, levels.shape[-1]), nodes)


def reference_nodes(space: QuantileSpace, i: int) -> int:
    """Nodes per level of the other's on which buyer ``i``'s strikes are."""
    return NODES.get(space.dims[1 - i], 3)


def reference_rule(mechanism: ContinuumMechanism | None) -> Reference | None:
    """The rule of a mechanism of two buyers and one unit, continuous priors; otherwise, or with too many signals for a
    table, None."""
    if mechanism is None or (mechanism.space.n, mechanism.space.units) != (2, 1) or mechanism.space.discrete:
        return None
    if max(rows * columns for rows, columns in table_shapes(mechanism.space)) > LARGEST:
        return None
    return Reference((_table(mechanism, 0), _table(mechanism, 1)))


def _table(mechanism: ContinuumMechanism, i: int) -> Float:
    """Buyer ``i``'s strikes on the mesh, finite: infinite ones lie beyond all of his values."""
    space, place, nodes = mechanism.space, mechanism.space.first[i], reference_nodes(mechanism.space, i)
    rows = np.zeros(1) if place is None else np.linspace(0.0, 1.0, ROWS)
    others = np.tile(np.clip(mesh_points(nodes, space.dims[1 - i]), *space.box[1 - i]), (len(rows), 1))
    own = np.full((len(others), space.dims[i]), 0.5)
    if place is not None:
        own[:, place] = np.clip(
            np.repeat(rows, nodes ** space.dims[1 - i]), *(end[place] for end in space.box[i])
        )
    pair = [own, others] if i == 0 else [others, own]
    joint = lattice(STATES, sum(space.dims), np.full(sum(space.dims), 0.5))
    inside = [np.clip(levels, *box) for levels, box in zip(space.split(joint), space.box, strict=True)]
    values = space.value(i, inside)
    strikes = np.clip(np.nan_to_num(mechanism.strikes(pair)[i], nan=np.inf), values.min(), values.max())
    return np.ascontiguousarray(strikes.reshape(len(rows), -1))


def table_shapes(space: QuantileSpace) -> list[tuple[int, int]]:
    """The shapes of both tables of a reference."""
    rows = [1 if place is None else ROWS for place in space.first]
    return [(rows[i], reference_nodes(space, i) ** space.dims[1 - i]) for i in range(2)]
