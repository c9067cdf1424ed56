"""Pivotal signals and (strongly) mutually pivotal prices (Bikhchandani 2006, section 4), as checks with witnesses.

A signal of buyer i is pivotal at the others' signals s_-i when his value there equals his price t_i(s_-i). Two buyers'
signals are mutually pivotal when each is pivotal at all others'. Checks are made at finitely many s_-i: a violation
found is a fact, none found means none at the signals tried.

The paper has two buyers. With more, some rival has to be pivotal where i is: where none ever is, i's price can be
lowered, which is the proof of Theorem 2; and for Theorem 3 the two have to value the item alike, and nobody else more:
only then does neither a lower nor a higher price of i gain anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from expost._typing import Float, Int8, Place
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.mechanisms.given import PriceFunction
from expost.papers.fibres import Fibres, fibres, own_signals
from expost.papers.levels import Function, highest, highest_at
from expost.tolerances import PIVOTAL

State = Mapping[str, float]

SIDE = 9
"""Own signals a side at which clause (iii) is looked at."""


@dataclass(frozen=True)
class PivotalReport:
    """What a check found.

    claim: what was checked. worst: the largest residual over the signals tried (unit: values); the claim holds when it
    is at most ``allowed``. buyer, others: whose fibre it is, and the others' signals there. own: the buyer's signals
    that come closest to being mutually pivotal, None where no pivotal signal exists. clause: which part of the
    definition decides there. tried: fibres tried, all buyers together; pivotal: in how many a pivotal signal exists.
    """

    claim: str
    worst: float
    allowed: float
    buyer: int
    others: State
    own: State | None
    clause: str
    tried: int
    pivotal: int

    @property
    def holds(self) -> bool:
        """Whether no signal tried violates the claim."""
        return self.worst <= self.allowed


def mutually_pivotal(
    instance: Instance, prices: PriceFunction, *, samples: int = 32, seed: int = 0
) -> PivotalReport:
    """Whether prices are mutually pivotal: at every s_-i with a pivotal signal of i there is one at which some rival is
    pivotal too.

    samples: s_-i tried for each buyer, uniform on their supports. Raises InputError for one buyer, or several units.
    """
    return _worst(
        "mutually pivotal",
        [
            _clause_i(instance, prices, i, _draw(instance, i, samples, seed), strongly=False)
            for i in _buyers(instance)
        ],
    )


def strongly_mutually_pivotal(
    instance: Instance, prices: PriceFunction, *, samples: int = 32, seed: int = 0
) -> PivotalReport:
    """Whether prices are strongly mutually pivotal: clauses (i), (ii) and (iii) before Theorem 3.

    samples: s_-i tried for each buyer, uniform on their supports. Raises InputError for one buyer, or several units.
    """
    found = []
    for i in _buyers(instance):
        others = _draw(instance, i, samples, seed)
        found += [
            _clause_i(instance, prices, i, others, strongly=True),
            *_clauses_ii_iii(instance, prices, i, others),
        ]
    return _worst("strongly mutually pivotal", found)


@dataclass(frozen=True, eq=False)
class _Clause:
    """Residuals (count,) of one clause in the fibres of buyer ``i`` where it applies, -inf elsewhere."""

    name: str
    i: int
    others: Mapping[str, Float]
    residual: Float
    own: Mapping[str, Float] | None
    scale: float


def _buyers(instance: Instance) -> range:
    if instance.n < 2 or instance.units > 1:
        raise InputError(
            f"{instance.n} buyers and {instance.units} units",
            where="pivotal signals",
            expected="rivals for one unit (Bikhchandani 2006, section 4)",
        )
    return range(instance.n)


def _draw(instance: Instance, i: int, samples: int, seed: int) -> dict[str, Float]:
    """Signals of everybody but ``i``, (samples,) each."""
    found: dict[str, Float] = {}
    for j in _rivals(instance, i):
        rng = np.random.default_rng([seed, j])
        found |= own_signals(instance, j, rng.random((len(instance.buyers[j].signals), samples)))
    return found


def _rivals(instance: Instance, i: int) -> list[int]:
    return [j for j in range(instance.n) if j != i]


def _price_in(fibre: Fibres, prices: PriceFunction, j: int) -> Function:
    """t_j in the fibres of another buyer."""
    own = set(fibre.instance.buyers[j].signals)

    def function(x: Float, rows: Place) -> Float:
        rest = {name: column for name, column in fibre.signals(x, rows).items() if name not in own}
        return np.broadcast_to(prices.price(j, rest), rows.shape)

    return function


def pivotal_fibres(instance: Instance, prices: PriceFunction, i: int, others: Mapping[str, Float]) -> Int8:
    """At each of the others' signals: 0 where buyer ``i`` has a pivotal signal, -1 where he always wins, else 1."""
    fibre, shape = fibres(instance, i, others)
    price = np.broadcast_to(prices.price(i, others), shape).ravel()
    low, high = fibre.at(0.0, fibre.value(i)), fibre.at(1.0, fibre.value(i))
    return np.where(low > price, -1, np.where(high < price, 1, 0)).astype(np.int8).reshape(shape)


def _clause_i(
    instance: Instance, prices: PriceFunction, i: int, others: Mapping[str, Float], *, strongly: bool
) -> _Clause:
    """How far the best signal on the pivotal curve is from being mutually pivotal with some rival's."""
    fibre, _ = fibres(instance, i, others)
    price = np.broadcast_to(prices.price(i, others), (fibre.count,))
    own_value = fibre.value(i)

    def below(x: Float, rows: Place) -> Float:
        return own_value(x, rows) - price[rows]

    applies = pivotal_fibres(instance, prices, i, others) == 0
    best, place = np.full(fibre.count, -np.inf), np.full((fibre.dims, fibre.count), np.nan)
    for j in _rivals(instance, i):
        found, at = highest_at(_closeness(fibre, prices, j, price, strongly), below, fibre.dims, fibre.count)
        place = np.where(found > best, at, place)
        best = np.maximum(best, found)
    residual = np.where(applies, -best, -np.inf)
    own = own_signals(instance, i, np.where(np.isnan(place), 0.0, place))
    return _Clause(
        "(i)" if strongly else "pair", i, others, residual, own, float(np.abs(price).max(initial=0.0))
    )


def _closeness(fibre: Fibres, prices: PriceFunction, j: int, price: Float, strongly: bool) -> Function:
    """Minus how far a point of buyer i's fibres is from being mutually pivotal with ``j``'s signal there."""
    own_value, rival_value, rival_price = fibre.value(fibre.i), fibre.value(j), _price_in(fibre, prices, j)
    rest = [fibre.value(k) for k in _rivals(fibre.instance, fibre.i) if k != j]

    def closeness(x: Float, rows: Place) -> Float:
        value, rival = own_value(x, rows), rival_value(x, rows)
        off = np.maximum(np.abs(value - price[rows]), np.abs(rival - rival_price(x, rows)))
        if strongly:
            off = np.maximum(off, np.abs(value - rival))
            for third in rest:
                off = np.maximum(off, third(x, rows) - value)
        return -off

    return closeness


def _clauses_ii_iii(
    instance: Instance, prices: PriceFunction, i: int, others: Mapping[str, Float]
) -> tuple[_Clause, _Clause]:
    """Where buyer ``i`` always wins he has to be worth at least any rival at his lowest signal; where he never does, at
    most some rival at his highest, and somebody else has to win everywhere."""
    fibre, _ = fibres(instance, i, others)
    side, rivals = pivotal_fibres(instance, prices, i, others), _rivals(instance, i)
    gap = []
    for corner in (0.0, 1.0):
        best = np.max([fibre.at(corner, fibre.value(j)) for j in rivals], axis=0)
        gap.append(fibre.at(corner, fibre.value(i)) - best)
    loses = _margin_of_others(prices, fibre, rivals)
    scale = float(np.abs(gap).max(initial=0.0))
    second = np.where(side == -1, np.maximum(-gap[0], 0.0), -np.inf)
    third = np.where(side == 1, np.maximum(np.maximum(gap[1], -loses), 0.0), -np.inf)
    return _Clause("(ii)", i, others, second, None, scale), _Clause("(iii)", i, others, third, None, scale)


def _margin_of_others(prices: PriceFunction, fibre: Fibres, rivals: list[int]) -> Float:
    """The least over a grid of s_i, in each fibre, of the rivals' largest V_j - t_j: (count,)."""
    axes = np.meshgrid(*[np.linspace(0.0, 1.0, SIDE)] * fibre.dims, indexing="ij")
    x = np.stack([axis.ravel() for axis in axes])
    points = np.tile(x, fibre.count)
    rows = np.repeat(np.arange(fibre.count), x.shape[1])
    margins = [fibre.value(j)(points, rows) - _price_in(fibre, prices, j)(points, rows) for j in rivals]
    return np.asarray(np.max(margins, axis=0).reshape(fibre.count, -1).min(axis=1))


def _worst(claim: str, clauses: list[_Clause]) -> PivotalReport:
    worst = max(clauses, key=lambda clause: float(clause.residual.max(initial=-np.inf)))
    at = int(np.argmax(worst.residual))
    pairs = [clause for clause in clauses if clause.own is not None]
    return PivotalReport(
        claim=claim,
        worst=max(float(worst.residual[at]), 0.0),
        allowed=PIVOTAL * max(1.0, *(clause.scale for clause in clauses)),
        buyer=worst.i,
        others={name: float(column[at]) for name, column in worst.others.items()},
        own=None if worst.own is None else {name: float(column[at]) for name, column in worst.own.items()},
        clause=worst.name,
        tried=sum(len(clause.residual) for clause in pairs),
        pivotal=sum(int(np.isfinite(clause.residual).sum()) for clause in pairs),
    )


@dataclass(frozen=True)
class LoweredPrices:
    """Prices with one buyer's lowered to the lowest that the others' admit (Bikhchandani 2006, proof of Theorem 2).

    t'_i(s_-i) = min(t_i, sup { V_i(s) : V_j(s) >= t_j(s_-j) for some j }), and t'_j = t_j; of k units, for k others j.
    Where t was not mutually pivotal this sells more and takes nothing from anybody.
    """

    instance: Instance
    prices: PriceFunction
    buyer: int = 0
    name: str = "lowered"
    citation: str = "Bikhchandani 2006, proof of Theorem 2"

    @property
    def accuracy(self) -> float:
        """That of the prices it starts from."""
        return max(self.prices.accuracy, 1e-10)

    def price(self, i: int, signals: Mapping[str, Float]) -> Float:
        """t'_i at the others' ``signals``, arrays that broadcast together."""
        given = self.prices.price(i, signals)
        if i != self.buyer:
            return given
        fibre, shape = fibres(self.instance, i, signals)
        lowest = np.zeros(fibre.count)
        others = [j for j in range(self.instance.n) if j != i]
        for group in combinations(others, self.instance.units):
            deficits = [self._deficit(fibre, j) for j in group]
            taken = deficits[0] if len(group) == 1 else _largest(deficits)
            lowest = np.maximum(lowest, highest(fibre.value(i), taken, fibre.dims, fibre.count))
        return np.minimum(given, lowest.reshape(shape))

    def _deficit(self, fibre: Fibres, j: int) -> Function:
        """t_j - V_j in the fibres of the lowered buyer: at most zero where ``j`` may win."""
        own = set(self.instance.buyers[j].signals)

        def function(x: Float, rows: Place) -> Float:
            signals = fibre.signals(x, rows)
            rest = {name: column for name, column in signals.items() if name not in own}
            return self.prices.price(j, rest) - self.instance.value(j, signals)

        return function


def _largest(functions: list[Function]) -> Function:
    """The pointwise maximum: at most zero where all are."""

    def function(x: Float, rows: Place) -> Float:
        return np.max(np.stack([one(x, rows) for one in functions]), axis=0)

    return function
