"""Bikhchandani's personalized prices t* for arbitrary valuations: equations (4)-(6) and Appendix A.

With the others' signals fixed, V^m_ij(lambda) is the largest value of buyer j on buyer i's indifference
curve through lambda * 1, g_ij(lambda) = V_i(lambda 1) - V^m_ij(lambda), lambda*_ij the largest root of g_ij,
and the price t*_i = max_j V^m_ij(lambda*_ij).

Labels of indifference curves do not matter, only their values: g_ij is at most zero on a curve iff the curve
has a point where V_j >= V_i. So at a root the price is the largest V_i among the signals where V_j >= V_i:
one constrained maximum instead of a search for a root whose every step is a maximum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from expost._typing import Float, Place
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.papers.fibres import ROUNDING, Fibres, fibres
from expost.papers.levels import Function, highest, last_feasible

SELLER = -1


@dataclass(frozen=True)
class PivotalPrices:
    """The prices t* of an instance (Bikhchandani 2006, equation (6) and Appendix A).

    Hypotheses: V_i continuous and non-decreasing in i's own signals; V_j non-decreasing in them too, or V_i
    increasing. Where g_ij is not monotone (Assumption 2 fails) the price is at the largest root all the same.
    A seller with a value of her own counts as a rival who never buys, and so does she against a single buyer;
    the paper has V_0 = 0.

    accuracy: how far a price may fall short (unit: values, relative); see ``levels.highest``.
    tick: called at every evaluation of a value; raises when time is up, for prices take long with many signals.

    Raises InputError for an instance with externalities, which the construction does not know.
    """

    instance: Instance
    name: str = "t*"
    citation: str = "Bikhchandani 2006, equations (4)-(6), Theorem 1, Appendix A"
    accuracy: float = 1e-10
    tick: Callable[[], object] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse externalities."""
        for buyer in self.instance.buyers:
            if not is_zero(buyer.externality):
                raise InputError(
                    f"an externality of buyer {buyer.name}",
                    where=f"prices {self.name} of {self.instance.name}",
                    expected="values only",
                    remedy="ask for the conditionally efficient rule instead",
                )

    def rivals(self, i: int) -> tuple[int, ...]:
        """The buyers other than ``i``, and the seller (-1) if she values the item or is the only rival."""
        others = tuple(j for j in range(self.instance.n) if j != i)
        return others if others and is_zero(self.instance.seller) else (*others, SELLER)

    def price(self, i: int, signals: Mapping[str, Float]) -> Float:
        """t*_i at the others' ``signals``, arrays that broadcast together; the result has their shape."""
        fibre, shape = fibres(self.instance, i, signals)
        fibre = replace(fibre, tick=self.tick)
        against = np.stack([self._against(fibre, j) for j in self.rivals(i)])
        return np.asarray(against.max(axis=0).reshape(shape), dtype=np.float64)

    def _against(self, fibre: Fibres, j: int) -> Float:
        """V^m_ij(lambda*_ij): (count,)."""
        price = highest(fibre.value(fibre.i), fibre.difference(j), fibre.dims, fibre.count)
        own, rival = fibre.at(1.0, fibre.value(fibre.i)), fibre.at(1.0, fibre.value(j))
        price = np.where(own < rival, rival, price)
        always = np.flatnonzero(np.isneginf(price))
        if len(always):
            price[always] = largest_on_curve(fibre.subset(always), j, np.zeros(len(always)))
        return price


def is_zero(value: object) -> bool:
    """Whether a valuation is stated as 0."""
    return isinstance(value, str) and value.strip() in {"0", "0.0"}


def largest_on_curve(fibre: Fibres, j: int, index: Float) -> Float:
    """V^m_ij(lambda), equation (4): the largest V_j on i's indifference curve through ``index`` (count,) * 1.

    V_j has to be non-decreasing in i's signals: a maximum over the curve is then one over all below it.
    """
    curve = diagonal_value(fibre, index)
    own = fibre.value(fibre.i)

    def above(x: Float, rows: Place) -> Float:
        return own(x, rows) - curve[rows] - ROUNDING * np.abs(curve[rows])

    return highest(fibre.value(j), above, fibre.dims, fibre.count)


def diagonal_value(fibre: Fibres, index: Float) -> Float:
    """V_i(lambda 1, s_-i) at lambda = ``index`` (count,)."""
    return fibre.value(fibre.i)(np.tile(index, (fibre.dims, 1)), np.arange(fibre.count))


def single_crossing_gap(fibre: Fibres, j: int, index: Float) -> Float:
    """g_ij(lambda) = V_i(lambda 1) - V^m_ij(lambda) at lambda = ``index`` (count,)."""
    return diagonal_value(fibre, index) - largest_on_curve(fibre, j, index)


def curve_index(fibre: Fibres, value: Float) -> Float:
    """lambda of i's indifference curve of ``value`` (count,): the largest with V_i(lambda 1) <= value, or 0."""
    own, dims = fibre.value(fibre.i), fibre.dims

    def diagonal(x: Float, rows: Place) -> Float:
        return own(np.repeat(x, dims, axis=0), rows) - value[rows] - ROUNDING * np.abs(value[rows])

    return _last_on_line(diagonal, fibre.count)


def _last_on_line(constraint: Function, count: int) -> Float:
    """The last point of the unit interval where the constraint is at most zero, 0 where none is: (count,)."""
    rows, zeros = np.arange(count), np.zeros(count)
    ends = (constraint(zeros[None], rows), constraint(zeros[None] + 1.0, rows))
    last = last_feasible(constraint, zeros[None], rows, 0, bracket=(zeros, zeros + 1.0), ends=ends)
    return np.where(ends[0] <= 0.0, last, 0.0)
