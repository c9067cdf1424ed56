"""Expected welfare in the continuum of rules with formulas: quadrature, with its error stated.

A buyer's region is where his margin is positive, and the margin rises in one of his own signals. That signal is
integrated exactly up to smoothness, from the root of the margin upwards; the others by composite Gauss rules on
ever more panels while there are at most three of them, by scrambled Sobol points beyond. Everything happens in
quantile space, where every signal is uniform.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from expost._limits import in_time
from expost._typing import Float, Place
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.instances.plain import require_plain
from expost.mechanisms.continuum.admissibility import STARTS, STATES, STEPS, search_admissibility
from expost.mechanisms.given import PriceFunction
from expost.papers.levels import last_feasible
from expost.spaces.quantile_space import MANTISSA

Margin = Callable[[int, Mapping[str, Float]], Float]
"""``margin(i, signals)``: positive exactly where buyer ``i`` wins; it has to rise in the signal ``along``."""

PANELS = (6, 10, 16, 26, 42)
NODES, INNER = 3, 12
MOST_GAUSS = 3
SOBOL, REPLICATES = 15, 8
EDGE = 2.0**-40
"""Quantile levels stay this far inside (0, 1), so that unbounded signals stay finite."""


@dataclass(frozen=True)
class Integral:
    """An expectation: ``value``, its estimated ``error`` (absolute, not a bound), ``points`` evaluated.

    The error is the last change between two Gauss rules, or three standard errors of the Sobol replicates.
    """

    value: float
    error: float
    points: int


def continuum_welfare(instance: Instance, prices: PriceFunction, accuracy: float = 1e-6) -> Integral:
    """E[V_0] + E[sum_i w_i 1{V_i > t_i}] for prices that are admissible (Bikhchandani 2006, rule (3)).

    Stops when the estimated error is at most ``accuracy`` (absolute), or at the finest rule.

    Raises InputError when two buyers win in some state that the search for one finds: the prices then are those of
    no mechanism.
    """
    require_admissible(instance, prices)
    return expected_welfare(instance, instance.value, prices.price, accuracy=accuracy)


FEW = {"states": 2**8, "starts": 4, "steps": 6}
"""The effort of the search where every price is a search of its own."""


def require_admissible(instance: Instance, prices: PriceFunction) -> None:
    """Raise InputError when a state is found in which two buyers win, with their values and prices there."""
    effort = {"states": STATES, "starts": STARTS, "steps": STEPS} if prices.accuracy == 0.0 else FEW
    found = search_admissibility(instance, prices.price, accuracy=prices.accuracy, **effort)
    if not found.admissible:
        raise InputError(
            found.explain(),
            where=f"prices {prices.name} of {instance.name}",
            expected="admissible prices (Bikhchandani 2006, section 2)",
            remedy="raise a price: the figures of a rule with two winners are those of no mechanism",
        )


def continuum_first_best(instance: Instance, accuracy: float = 1e-6) -> Integral:
    """E[V_0] + E[max(0, max_i w_i)]; the gains have to satisfy single crossing in the signal integrated first."""

    def margin(i: int, signals: Mapping[str, Float]) -> Float:
        rivals = [instance.gain(j, signals) for j in range(instance.n) if j != i]
        best = np.max(np.stack(rivals), axis=0) if rivals else np.zeros(())
        return instance.gain(i, signals) - np.maximum(best, 0.0)

    return expected_welfare(instance, margin, accuracy=accuracy)


def expected_welfare(
    instance: Instance,
    margin: Margin,
    threshold: Margin | None = None,
    *,
    along: tuple[str, ...] | None = None,
    own: bool = False,
    accuracy: float = 1e-6,
) -> Integral:
    """E[V_0] + E[sum_i w_i 1{margin_i > threshold_i}].

    along: for each buyer the own signal in which his margin rises and of which his threshold is free; by
    default his first-listed signal. The threshold is 0 unless given, and depends on no signal of the buyer's
    own unless ``own`` (a strike depends on the first).
    """
    axes = along or tuple(buyer.signals[0] for buyer in instance.buyers)
    parts = [
        BuyerPart(instance, margin, threshold, i, axes[i], own).integrate(accuracy / instance.n)
        for i in range(instance.n)
    ]
    kept = _integrate(
        lambda u: instance.seller_value(quantile_signals(instance, u)), len(instance.signals), accuracy
    )
    parts.append(kept)
    return Integral(sum(p.value for p in parts), sum(p.error for p in parts), sum(p.points for p in parts))


@dataclass(frozen=True, eq=False)
class BuyerPart:
    """E[w_i 1{margin_i > threshold_i}], the signal ``along`` integrated from the root of the margin upwards.

    own: the threshold depends on the buyer's own signals too (not on ``along``).
    """

    instance: Instance
    margin: Margin
    threshold: Margin | None
    i: int
    along: str
    own: bool

    @property
    def _order(self) -> list[int]:
        """The places of the others' signals, then of the own ones but ``along``, in the instance's list."""
        signals, own = self.instance.signals, self.instance.buyers[self.i].signals
        others = [k for k, name in enumerate(signals) if name not in own]
        return others + [k for k, name in enumerate(signals) if name in own and name != self.along]

    def integrate(self, accuracy: float) -> Integral:
        """The expectation, to the given estimated error (absolute)."""
        return _integrate(self._gain, len(self.instance.signals) - 1, accuracy)

    def _gain(self, free: Float) -> Float:
        """The integral over ``along`` at the others of the ``free`` levels (dims, P): (P,)."""
        axis = self.instance.signals.index(self.along)
        levels = np.zeros((len(self.instance.signals), free.shape[1]))
        levels[self._order] = free
        start = self._root(levels, axis, self._thresholds(levels))
        length, total = 1.0 - start, np.zeros(free.shape[1])
        for node, weight in zip(*np.polynomial.legendre.leggauss(INNER), strict=True):
            levels[axis] = start + 0.5 * (node + 1.0) * length
            total += weight * self.instance.gain(self.i, quantile_signals(self.instance, levels))
        return 0.5 * total * length

    def _thresholds(self, levels: Float) -> Float:
        """The thresholds (P,), each computed once for a run of points that differ in nothing that it uses."""
        if self.threshold is None:
            return np.zeros(levels.shape[1])
        fresh = np.ones(levels.shape[1], dtype=np.bool_)
        others = len(self.instance.signals) - len(self.instance.buyers[self.i].signals)
        used = levels[self._order if self.own else self._order[:others]]
        fresh[1:] = (np.diff(used, axis=1) != 0.0).any(axis=0)
        runs = np.cumsum(fresh) - 1
        found = self.threshold(self.i, quantile_signals(self.instance, levels[:, fresh]))
        return np.broadcast_to(found, (int(fresh.sum()),))[runs]

    def _root(self, levels: Float, axis: int, thresholds: Float) -> Float:
        """The last level on ``axis`` where the buyer loses, 0 where he wins throughout: (P,)."""
        count = levels.shape[1]
        rows, zeros = np.arange(count), np.zeros(count)

        def constraint(u: Float, at: Place) -> Float:
            return self.margin(self.i, quantile_signals(self.instance, u)) - thresholds[at]

        ends = []
        for level in (0.0, 1.0):
            levels[axis] = level
            ends.append(constraint(levels, rows))
        bracket = (zeros, zeros + 1.0)
        last = last_feasible(constraint, levels, rows, axis, bracket=bracket, ends=(ends[0], ends[1]))
        return np.where(ends[0] <= 0.0, last, 0.0)


def quantile_signals(instance: Instance, levels: Float) -> dict[str, Float]:
    """All signals at quantile levels (signals, P), conditional ones at their conditional quantiles."""
    require_plain(instance, "the continuum")
    signals: dict[str, Float] = {}
    for name, level in zip(instance.signals, levels, strict=True):
        prior = instance.prior(name)
        uniform = prior.distribution == "uniform" and not prior.parameters
        inside = level if uniform else np.clip(level, EDGE, 1.0 - EDGE)
        signals[name] = inside if uniform else prior.quantile(inside, signals)
    return signals


def _integrate(function: Callable[[Float], Float], dims: int, accuracy: float) -> Integral:
    """The integral of ``function(u)``, ``u`` of shape (dims, P), over the unit cube."""
    if dims == 0:
        return Integral(float(function(np.empty((0, 1)))[0]), 0.0, 1)
    if dims > MOST_GAUSS:
        return _sobol(function, dims)
    previous, points = np.nan, 0
    for panels in PANELS if dims > 1 else tuple(p * p for p in PANELS):
        value, used = _gauss(function, dims, panels)
        points, error = points + used, abs(value - previous)
        if error <= accuracy:
            break
        previous = value
    return Integral(value, error, points)


def _gauss(function: Callable[[Float], Float], dims: int, panels: int) -> tuple[float, int]:
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    line = ((np.arange(panels)[:, None] + 0.5 * (nodes + 1.0)) / panels).ravel()
    weight = np.tile(0.5 * weights / panels, panels)
    rest = [np.ravel(a) for a in np.meshgrid(*[line] * (dims - 1), indexing="ij")]
    rest_weight = np.ones(1)
    for _ in range(dims - 1):
        rest_weight = np.multiply.outer(rest_weight, weight).ravel()
    batch = max(1, 2**18 // len(rest_weight))
    total = 0.0
    for start in range(0, len(line), batch):
        outer, count = line[start : start + batch], len(rest_weight)
        points = np.stack([np.repeat(outer, count), *(np.tile(column, len(outer)) for column in rest)])
        values = function(points).reshape(len(outer), count)
        total += float(weight[start : start + batch] @ (values @ rest_weight))
    return total, len(line) ** dims


def _sobol(function: Callable[[Float], Float], dims: int) -> Integral:
    """The mean of scrambled Sobol' points' replicates. Raises LimitReached at the limit of this thread."""
    from scipy.stats import qmc

    means = []
    for seed in range(REPLICATES):
        in_time()
        points = qmc.Sobol(dims, scramble=True, bits=MANTISSA, rng=seed).random_base2(SOBOL).T.copy()
        means.append(float(function(points).mean()))
    error = 3.0 * float(np.std(means, ddof=1)) / REPLICATES**0.5
    return Integral(float(np.mean(means)), error, REPLICATES * 2**SOBOL)
