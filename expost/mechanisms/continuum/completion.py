"""Completion in sequence: given strikes for all buyers but the last, and the lowest admissible ones after the first.

Buyers come in an ``order``. Each of them but the last has a given strike theta_j, multilinear in the levels of the
others (and, sequential, in his own first level, in which it does not rise). Where somebody earlier may win, a later
buyer must lose:

    tau_k(a; s_-k) = max(theta_k(a; s_-k),
                         sup { V_k(s) : first level of s_k >= a, some earlier j has V_j(s) > theta_j(s) }).

The first buyer's strike is the given one, the last buyer's the supremum alone. If two buyers won in one state, the
later one's value would be in the set of his own supremum: so nobody ever shares the item. With k units the same is
said of k earlier buyers: k + 1 then never win. The condition speaks of theta_j where j's strike may be higher; it makes
the suprema independent of each other, and costs nothing where theta_j is the higher one already. With two buyers: one
leader, one follower.

The supremum is over a continuum and is computed to a guaranteed over-estimate, see ``Suprema``. That rests on the
values of k and of all earlier buyers being monotone in every level of k (the direction is found on a grid and then
relied upon). Where a support is unbounded, nobody with a given strike wins against types of the others beyond a share
``CLIP`` of the mass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from expost._typing import Array, Bool, Float, Int8, Int64
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.mechanisms.continuum.monotone import directions
from expost.mechanisms.continuum.suprema import Conflicts, Suprema, batch, bins_at, untimed
from expost.spaces.mesh import hats, mesh_cell
from expost.spaces.quantile_space import Levels, lattice

RAISE_TYPES = 512
"""Types of the last buyer on which the best price at or above the admissible one is chosen."""


@dataclass(frozen=True, eq=False)
class CompletedMechanism(ContinuumMechanism):
    """Given strikes on a mesh, completed.

    order: the buyers, each once; the first leads, the last has no given strike.
    theta: per buyer of the order but the last, (rows, nodes**(levels of the others)), others in listed order, C
    order; one row for a static buyer, else one per node of his first level, not rising from row to row.
    bins: first-stage bins of a sequential buyer's suprema. depth, precision: when cells are no longer halved, and by
    how much a supremum may be over-estimated before (unit: values). raised: whether the last buyer's strike is raised
    to the best one at or above the admissible (worth it where his gain can be negative).
    """

    order: tuple[int, ...]
    theta: tuple[Float, ...] = field(repr=False)
    nodes: int
    bins: int
    depth: int
    precision: float
    raised: bool

    kind: ClassVar[str] = "completion"

    @property
    def last(self) -> int:
        """The buyer whose strikes are suprema alone."""
        return self.order[-1]

    def earlier(self, k: int) -> tuple[int, ...]:
        """The buyers that come before ``k``."""
        return self.order[: self.order.index(k)]

    @cached_property
    def directions(self) -> dict[tuple[int, int], Int8]:
        """For each later buyer k, the sign in each of his levels of V_j of every earlier j, and of V_k: key (j, k).

        Raises NotMonotone."""
        return {(j, k): directions(self.space, j, k) for k in self.order[1:] for j in (*self.earlier(k), k)}

    def check(self) -> None:
        """Raises NotMonotone where a value that the suprema rely on rises and falls in a later buyer's signal."""
        _ = self.directions

    def others(self, j: int) -> list[int]:
        """Everybody but ``j``, in listed order."""
        return [k for k in range(self.space.n) if k != j]

    def spread(self, j: int, levels: Levels, without: int) -> sparse.csr_array:
        """Interpolation weights of theta_j at P states, over his rows and then the others' nodes; the part of buyer
        ``without`` (j himself: the rows) is left out."""
        place = self.space.first[j]
        own = np.empty((len(levels[j]), 0)) if place is None or without == j else levels[j][:, place, None]
        rest = [levels[k] for k in self.others(j) if k != without]
        count = sum(part.shape[1] for part in rest)
        return hats(np.hstack([own, *rest]), (len(self.given(j)),) * own.shape[1] + (self.nodes,) * count)

    def given(self, j: int) -> Float:
        """theta_j as it is kept."""
        return self.theta[self.order.index(j)]

    def outside(self, j: int, levels: Levels, without: int) -> Bool:
        """In which of P states some type of j's others lies where j's strike is infinite."""
        found = np.zeros(len(levels[j]), dtype=np.bool_)
        for k in self.others(j):
            low, high = self.space.box[k]
            if k != without:
                found |= ((levels[k] < low) | (levels[k] > high)).any(axis=1)
        return found

    def given_along(self, j: int, levels: Levels, own: Float) -> Float:
        """theta_j against P states of the others, at Q own types each (P, Q, d_j): (P, Q)."""
        rows, place = self.slices(j, j, levels), self.space.first[j]
        if place is None:
            return np.asarray(np.broadcast_to(rows, own.shape[:2]))
        cell, part = mesh_cell(own[..., place], rows.shape[1])
        near = np.take_along_axis(rows, cell, axis=1)
        far = np.take_along_axis(rows, np.minimum(cell + 1, rows.shape[1] - 1), axis=1)
        return np.where(np.isinf(near), near, near + part * (np.where(np.isinf(far), near, far) - near))

    def _axes(self, j: int) -> tuple[list[int], list[int]]:
        """The axes of theta_j: whose they are (j's own first level first), and their lengths."""
        others = self.others(j)
        return [j, *others], [len(self.given(j)), *(self.nodes ** self.space.dims[k] for k in others)]

    def by_type(self, j: int, k: int) -> Float:
        """theta_j as a matrix, the part of buyer k last: (everything else, nodes**d_k), or (.., rows) for j
        himself."""
        owners, shape = self._axes(j)
        array = np.moveaxis(self.given(j).reshape(shape), owners.index(k), -1)
        return array.reshape(-1, array.shape[-1])

    def from_type(self, j: int, k: int, matrix: Float) -> Float:
        """The inverse of ``by_type``: a matrix in the shape of theta_j."""
        owners, shape = self._axes(j)
        place = owners.index(k)
        last = shape.pop(place)
        return np.moveaxis(matrix.reshape(*shape, last), -1, place).reshape(self.given(j).shape)

    def slices(self, j: int, k: int, levels: Levels) -> Float:
        """theta_j on the mesh of buyer k's levels, all else as in P states: (P, nodes**d_k); for k = j by his rows,
        (P, rows)."""
        found = np.asarray(self.spread(j, levels, without=k) @ self.by_type(j, k))
        found[self.outside(j, levels, without=k)] = np.inf
        return found

    def bins_of(self, k: int) -> int:
        """How many first-stage bins buyer k's suprema have: 1 when he is static."""
        return 1 if self.space.first[k] is None else self.bins

    def bin_at(self, k: int, own: Float) -> Int64:
        """The bin of each of buyer k's types (.., d_k) in ``suprema``."""
        return bins_at(own, self.space.first[k], self.bins)

    def suprema(self, k: int, levels: Levels, tick: Callable[[], None] = untimed) -> Float:
        """Buyer k's lowest admissible strikes in P states, by bin of his first level, not rising: (P, bins); his own
        levels do not matter. The last buyer's are raised where that is asked for. ``tick`` is called now and then,
        and may raise."""
        count = max(len(own) for own in levels)
        whole = [np.broadcast_to(own, (count, own.shape[1])) for own in levels]
        step = batch(self.nodes, self.space.dims[k])
        parts = [
            self._suprema(k, [own[start : start + step] for own in whole], tick)
            for start in range(0, count, step)
        ]
        found = np.concatenate(parts) if parts else np.empty((0, self.bins_of(k)))
        return self.raised_from(whole, found) if self.raised and k == self.last else found

    def _suprema(self, k: int, levels: Levels, tick: Callable[[], None]) -> Float:
        """The same for one batch of states, not raised."""
        earlier = self.earlier(k)
        conflicts = Conflicts(
            self.space,
            k,
            {j: self.slices(j, k, levels) for j in earlier},
            {j: self.directions[j, k] for j in (*earlier, k)},
            self.nodes,
            self.bins_of(k),
            self.depth,
            self.precision,
        )
        return Suprema(conflicts, levels).run(tick)

    def raised_from(self, levels: Levels, strikes: Float) -> Float:
        """Schedules of the last buyer (P, bins), each lifted to the floor that earns most; a floor keeps it from
        rising."""
        k = self.last
        types = lattice(RAISE_TYPES, self.space.dims[k], np.full(self.space.dims[k], 0.5))
        signals = self.space.signals(
            [types[None] if j == k else own[:, None] for j, own in enumerate(levels)]
        )
        shape = (len(strikes), RAISE_TYPES)
        value = np.broadcast_to(self.space.instance.value(k, signals), shape)
        gain = np.broadcast_to(self.space.instance.gain(k, signals), shape)
        allowed = value > strikes[:, self.bin_at(k, types)]
        order = np.argsort(-value, axis=1)
        ranked = np.take_along_axis(value, order, axis=1)
        total = np.cumsum(np.take_along_axis(np.where(allowed, gain, 0.0), order, axis=1), axis=1)
        best = total.argmax(axis=1)[:, None]
        nothing = np.take_along_axis(total, best, axis=1) <= 0.0
        below = np.take_along_axis(ranked, np.minimum(best + 1, RAISE_TYPES - 1), axis=1)
        floor = np.where(nothing, np.inf, np.where(best + 1 < RAISE_TYPES, below, -np.inf))
        return np.maximum(strikes, floor)

    def strikes_along(self, k: int, levels: Levels, own: Float, tick: Callable[[], None] = untimed) -> Float:
        """Buyer k's strikes against P states of the others (his own levels there do not matter), at Q own types each
        (P, Q, d_k): (P, Q)."""
        result = np.full(own.shape[:2], -np.inf)
        if k != self.last:
            result = self.given_along(k, levels, own)
        if k != self.order[0]:
            found = np.take_along_axis(self.suprema(k, levels, tick), self.bin_at(k, own), axis=1)
            result = np.maximum(result, found)
        return result

    def strike(self, i: int, levels: Levels) -> Float:
        """The strike of buyer ``i`` at P states, (P,)."""
        count = max(len(own) for own in levels)
        whole = [np.broadcast_to(own, (count, own.shape[1])) for own in levels]
        return self.strikes_along(i, whole, whole[i][:, None])[:, 0]

    def strikes(self, levels: Levels) -> Float:
        """The strikes at P states: see ``ContinuumMechanism``."""
        return np.stack([self.strike(i, levels) for i in range(self.space.n)])

    def arrays(self) -> dict[str, Array]:
        """The meshes."""
        return {f"theta_{place}": theta for place, theta in enumerate(self.theta)}

    def facts(self) -> dict[str, Any]:
        """Everything else."""
        return {
            "order": list(self.order),
            "rows": [len(theta) for theta in self.theta],
            "nodes": self.nodes,
            "bins": self.bins,
            "depth": self.depth,
            "precision": self.precision,
            "raised": self.raised,
        }
