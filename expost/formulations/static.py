"""Static timing: a buyer knows all his signals when he reports.

In each fibre (own types of buyer i at fixed signals of the others) V_i(a) < V_i(b) implies q_i(a) <= q_i(b)
(Bikhchandani 2006, Lemma 1; Zik, Claim 1 and Corollary 9). Types of equal value are free of each other. A fibre is
encoded as a chain of its groups of equal value. Each group has a gate, the variable that every member implies and that
implies every member of the next group: the member itself when it is alone, an auxiliary variable otherwise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from expost._typing import Bool, Float, Int32, Place
from expost.formulations.blocks import Block, tie_width


class _Groups(NamedTuple):
    """Groups of equal value, fibre by fibre in increasing order; positions count sorted types of all fibres."""

    of: Int32  # (positions,) the group of each position
    start: Int32  # (groups,) first position
    size: Int32  # (groups,)
    first: Bool  # (groups,) lowest of its fibre
    last: Bool  # (groups,) highest of its fibre


def static_block(values: Float, axis: int, *, revenue: bool = False, chances: Float | None = None) -> Block:
    """The block of the buyer on ``axis`` with values ``V_i`` of state shape (T_1, .., T_n).

    Variables are numbered fibre by fibre, by increasing value within a fibre, so that chains are
    contiguous in memory; gates follow. ``revenue`` asks for the revenue weights too, in expectation where ``chances``
    says how likely each state is.
    """
    fibres = np.ascontiguousarray(np.moveaxis(values, axis, -1)).reshape(-1, values.shape[axis])
    order = np.argsort(fibres, axis=1, kind="stable")
    ranked = np.take_along_axis(fibres, order, axis=1)
    groups = _group(ranked, tie_width(values))
    gate, size = _gates(groups, fibres.size)
    tails, heads = _arcs(groups, gate)
    weights = None
    if revenue:
        above = (
            _counts_above(ranked, groups) if chances is None else _chances_above(chances, axis, order, groups)
        )
        weights = _revenue_weights(ranked, groups, gate, size, *above)
    spread = float(np.max(ranked.ravel()[groups.start + groups.size - 1] - ranked.ravel()[groups.start]))
    return Block(_state_index(order, values.shape, axis), size, tails, heads, weights, spread)


def _group(ranked: Float, width: float) -> _Groups:
    n_fibres, types = ranked.shape
    opens = np.ones(ranked.shape, dtype=np.bool_)
    opens[:, 1:] = np.diff(ranked, axis=1) > width
    start = np.flatnonzero(opens).astype(np.int32)
    of = np.cumsum(opens.ravel(), dtype=np.int32) - np.int32(1)
    size = np.diff(start, append=np.int32(n_fibres * types)).astype(np.int32)
    first = start % types == 0
    last = (start + size) % types == 0
    return _Groups(of, start, size, first, last)


def _gates(groups: _Groups, positions: int) -> tuple[Int32, int]:
    """The gate variable of each group (-1 for a highest group of several members), and the block's size."""
    shared = (groups.size > 1) & ~groups.last
    gate = np.where(groups.size == 1, groups.start, np.int32(-1)).astype(np.int32)
    extra = int(np.count_nonzero(shared))
    gate[shared] = positions + np.arange(extra, dtype=np.int32)
    return gate, positions + extra


def _arcs(groups: _Groups, gate: Int32) -> tuple[Int32, Int32]:
    """Arcs from each member of a shared group to its gate, and from each gate to the members above."""
    members = np.flatnonzero(((groups.size > 1) & ~groups.last)[groups.of]).astype(np.int32)
    above = np.flatnonzero(~groups.first[groups.of]).astype(np.int32)
    tails = np.concatenate([members, gate[groups.of[above] - 1]])
    heads = np.concatenate([gate[groups.of[members]], above])
    return tails, heads


def _state_index(order: Place, shape: tuple[int, ...], axis: int) -> Int32:
    """The position of each state: the inverse of the sort, laid back into state shape."""
    position = np.empty(order.shape, dtype=np.int32)
    np.put_along_axis(position, order, np.arange(order.size, dtype=np.int32).reshape(order.shape), axis=1)
    others = shape[:axis] + shape[axis + 1 :]
    return np.ascontiguousarray(np.moveaxis(position.reshape((*others, shape[axis])), -1, axis))


def _counts_above(ranked: Float, groups: _Groups) -> tuple[float, Float]:
    """The weight of every type, 1, and how many types lie above each group but the highest."""
    inner = np.flatnonzero(~groups.last)
    above = ranked.shape[1] - (groups.start[inner] + groups.size[inner]) % ranked.shape[1]
    return 1.0, above.astype(np.float64)


def _chances_above(chances: Float, axis: int, order: Place, groups: _Groups) -> tuple[Float, Float]:
    """How likely each type is, by increasing value, and how likely the types above each group but the highest are."""
    fibres = np.ascontiguousarray(np.moveaxis(chances, axis, -1)).reshape(order.shape)
    ranked = np.take_along_axis(fibres, order, axis=1)
    from_here = np.cumsum(ranked[:, ::-1], axis=1)[:, ::-1].ravel()
    return ranked.ravel(), from_here[groups.start[np.flatnonzero(~groups.last) + 1]]


def _revenue_weights(
    ranked: Float, groups: _Groups, gate: Int32, size: int, weight: Float | float, above: Float
) -> Float:
    """Weights whose sum over an upper set is (its lowest value) x (its size, or how likely it is), fibre by fibre.

    A member brings the value of its group: the highest of those that count as equal, so that a bound on the
    program is one whatever the width of a tie. Opening a group moves the price of every type above down
    from the next group's value; that loss sits on the gate, which every member implies.
    """
    value = ranked.ravel()[groups.start + groups.size - 1]
    weights = np.zeros(size)
    weights[: ranked.size] = value[groups.of] * weight
    inner = np.flatnonzero(~groups.last)
    weights[gate[inner]] -= (value[inner + 1] - value[inner]) * above
    return weights
