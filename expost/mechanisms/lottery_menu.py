"""Lottery menus: options that are a fee and a lottery over strikes (Zik 2.3 with stochastic mechanisms).

In a fibre (the others' signals fixed) the option of first-stage type ``a`` costs a fee and draws a strike,
``strike[k]`` with probability ``probability[a, k]`` and otherwise none; whoever knows his second-stage signals buys at
the strike that was drawn if that is worth it. What the option pays a buyer of value ``v`` is the convex function
``U_a(v) = sum_k probability[a, k] (v - strike[k])^+``, and every convex schedule of payments in the probability of
getting the item is such a lottery. A static buyer is a buyer with one first-stage level and no fee: a lottery over
prices.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from expost._typing import Float, Place
from expost.spaces.second_stage import expected
from expost.spaces.stages import Stages

CHUNK = 1 << 22
"""Entries of the arrays that are held at once where a fibre's every pair of types is looked at."""


@dataclass(frozen=True)
class Layout:
    """How a buyer's state arrays are laid out as fibres (F, A, B): by his stages, or static, with A = 1.

    buyer: counted from 0. stages: None for a static buyer.
    """

    buyer: int
    stages: Stages | None = None

    def fibres(self, array: NDArray[np.float64]) -> Float:
        """A state array as fibres, the others' states in C order first."""
        if self.stages is not None:
            return self.stages.fibres(array)
        last = np.ascontiguousarray(np.moveaxis(array, self.buyer, -1))
        return last.reshape(-1, 1, array.shape[self.buyer])

    def states(self, fibres: Float, shape: tuple[int, ...]) -> Float:
        """The inverse of ``fibres``."""
        if self.stages is not None:
            return self.stages.states(fibres, shape)
        others = shape[: self.buyer] + shape[self.buyer + 1 :]
        back = np.moveaxis(fibres.reshape(*others, shape[self.buyer]), -1, self.buyer)
        return np.ascontiguousarray(back)

    def state(self, fibre: int, level: int, second: int, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The index in state arrays of one type in one fibre."""
        if self.stages is not None:
            return self.stages.state(fibre, level, second, shape)
        others = shape[: self.buyer] + shape[self.buyer + 1 :]
        rest = [int(t) for t in np.unravel_index(fibre, others)] if others else []
        rest.insert(self.buyer, second)
        return tuple(rest)


@dataclass(frozen=True, eq=False)
class LotteryMenu:
    """One buyer's lottery menus, one per state of the others.

    strike: float64 (F, K), not falling in k (unit: values). probability: float64 (F, A, K), rows sum to at most 1.
    fee: float64 (F, A), what the option costs at once (unit: values; zero for a static buyer).
    """

    layout: Layout
    strike: Float = field(repr=False)
    probability: Float = field(repr=False)
    fee: Float = field(repr=False)

    @property
    def buyer(self) -> int:
        """The buyer, counted from 0."""
        return self.layout.buyer

    def gains(self, values: Float, chances: Float | None = None) -> Float:
        """u(a, o): what each first-stage type expects of each option, its fee apart, shape (F, A, A), the option last.

        values: V as fibres (F, A, B). chances: the probability of each second-stage type given the first signal, (A,
        B), or None where all are equal. Whoever holds an option buys whenever the strike drawn is below his value.
        """
        worth = strike_gains(values, self.strike, chances)
        return np.einsum("fak,fok->fao", worth, self.probability, optimize=True)

    def opens(self) -> NDArray[np.bool_]:
        """Where a new option begins: bool (F, A); types up to the next one hold the same lottery at one fee."""
        opens = np.ones(self.fee.shape, dtype=np.bool_)
        same = (self.probability[:, 1:] == self.probability[:, :-1]).all(axis=2)
        opens[:, 1:] = ~(same & (self.fee[:, 1:] == self.fee[:, :-1]))
        return opens


def strike_gains(values: Float, strike: Float, chances: Float | None = None) -> Float:
    """E_b[(V(a, b) - strike_k)^+], shape (F, A, K); ``values`` (F, A, B), ``strike`` (F, K), ``chances`` (A, B)."""
    n_fibres, levels, seconds = values.shape
    step = max(1, CHUNK // max(1, levels * seconds * strike.shape[1]))
    parts = [
        expected(
            np.maximum(values[at : at + step, :, None, :] - strike[at : at + step, None, :, None], 0.0),
            None if chances is None else chances[:, None, :],
        )
        for at in range(0, n_fibres, step)
    ]
    return np.concatenate(parts)


def levels_of(values: Float, width: float) -> tuple[Float, Place]:
    """The distinct values of each fibre, and which of them every type has.

    values: (F, A, B); closer than ``width`` to the next lower one counts as equal. Returns strikes (F, A * B), rising
    and filled up with the highest, and levels (F, A, B), places in them.
    """
    flat = values.reshape(len(values), -1)
    order = np.argsort(flat, axis=1, kind="stable")
    ranked = np.take_along_axis(flat, order, axis=1)
    group = np.zeros(flat.shape, dtype=np.intp)
    np.cumsum(np.diff(ranked, axis=1) > width, axis=1, out=group[:, 1:])
    strike = np.repeat(ranked[:, -1:], flat.shape[1], axis=1)
    for column in range(flat.shape[1] - 1, -1, -1):  # the lowest of a group is written last
        np.put_along_axis(strike, group[:, column : column + 1], ranked[:, column : column + 1], axis=1)
    level = np.empty_like(group)
    np.put_along_axis(level, order, group, axis=1)
    return strike, level.reshape(values.shape)


def payments(menu: LotteryMenu, level: Place, wins: Float) -> Float:
    """What each type pays in expectation over the lottery, his fee included, shape (F, A, B).

    level: (F, A, B), the place of each type's value among the strikes. wins: (F, A, B), his probability of getting
    the item: at every strike below his value, and with some probability at his value.
    """
    below = np.concatenate(
        [np.zeros((*menu.fee.shape, 1)), np.cumsum(menu.probability, axis=2)], axis=2
    )  # of a strike lower than the k-th
    paid = np.concatenate(
        [np.zeros((*menu.fee.shape, 1)), np.cumsum(menu.probability * menu.strike[:, None, :], axis=2)],
        axis=2,
    )
    at_strike = np.take_along_axis(
        np.broadcast_to(menu.strike[:, None, :], menu.probability.shape), level, axis=2
    )
    rest = wins - np.take_along_axis(below, level, axis=2)
    return menu.fee[:, :, None] + np.take_along_axis(paid, level, axis=2) + rest * at_strike


def largest_fees(gains: Float) -> Float:
    """The largest fees that keep every type's choice and leave him a non-negative expected gain, shape (F, A).

    gains: u(a, o) of the options, (F, A, A). The constraints ``fee(a) - fee(o) <= u(a, a) - u(a, o)`` and
    ``fee(a) <= u(a, a)`` are differences, so the largest solution is a shortest path.
    """
    own = np.diagonal(gains, axis1=1, axis2=2)
    lengths = own[:, :, None] - gains
    fee = own.copy()
    for _ in range(gains.shape[1]):
        shorter = np.minimum(fee, (fee[:, None, :] + lengths).min(axis=2))
        if (shorter == fee).all():
            break
        fee = shorter
    return fee
