"""The static second best of one buyer in the continuum (Zik, Appendix A): the price V* with W(V*) = 0.

W(v) is the expected gain from a sale given that the buyer's value is v. Any price t realizes E[w 1{V > t}], whose slope
is -W(t) times the density of V at t; where W rises, its only root is the best price.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from expost._typing import Bool, Float, Place
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.papers.continuum_welfare import BuyerPart, quantile_signals
from expost.papers.levels import Function, last_feasible

CANDIDATES = 33
ACCURACY, COARSE = 1e-7, 1e-4
GAUSS, MESH, LARGEST_MESH = 160, 2**16, 2**20
DIFFERENCE = 2.0**-17


@dataclass(frozen=True)
class StaticSecondBest:
    """The best single price of a one-buyer instance (Zik, Appendix A).

    V has to rise strictly in the last-listed signal. The price is the best of 33, refined to where W changes sign.

    Raises InputError for more than one buyer.
    """

    instance: Instance
    name: str = "static-second-best"
    citation: str = "Zik, Appendix A: W(V*) = 0"
    accuracy: float = 1e-7

    def __post_init__(self) -> None:
        if self.instance.n != 1:
            raise InputError(
                f"{self.instance.n} buyers",
                where=self.name,
                expected="one buyer (Zik, Appendix A)",
                remedy="solve the program: expost solve",
            )

    @cached_property
    def level(self) -> float:
        """V*."""
        from scipy.optimize import brentq

        levels = np.linspace(*self._range(), CANDIDATES)
        best = int(np.argmax([self.gain(level, COARSE) for level in levels]))
        low, high = levels[max(best - 1, 0)], levels[min(best + 1, CANDIDATES - 1)]
        inside = (low + DIFFERENCE * (high - low), high - DIFFERENCE * (high - low))
        signs = [gain_at_value(self.instance, level) for level in inside]
        if not signs[0] < 0.0 < signs[1]:
            return float(levels[best])
        return float(brentq(lambda level: gain_at_value(self.instance, level), *inside, xtol=1e-13))

    def gain(self, price: float, accuracy: float = ACCURACY) -> float:
        """E[w 1{V > price}]."""
        part = BuyerPart(
            self.instance,
            self.instance.value,
            lambda _, __: np.array([price]),
            0,
            self.instance.buyers[0].signals[-1],
            False,
        )
        return part.integrate(accuracy).value

    def price(self, i: int, signals: Mapping[str, Float]) -> Float:
        """V*, whatever the arguments: there is nobody else."""
        del i, signals
        return np.asarray(self.level)

    def _range(self) -> tuple[float, float]:
        dims = len(self.instance.signals)
        corners = quantile_signals(self.instance, np.array([[0.0, 1.0]] * dims))
        low, high = self.instance.value(0, corners)
        return float(low), float(high)


def gain_at_value(instance: Instance, value: float) -> float:
    """W(v): the expected gain given that the only buyer's value is ``value``; NaN where no signals give it.

    V has to rise strictly in every signal. With at most two signals the curve of equal value is integrated between
    its ends by a Gauss rule; with more, by the mean over a mesh of all but the last (coarse: 1 / side).
    """
    free = len(instance.signals) - 1

    def above(u: Float, _: Place) -> Float:
        return instance.value(0, quantile_signals(instance, u)) - value

    levels, weights = _nodes(above, free)
    levels[free], inside = _on_line(above, levels, free)
    around = []
    for step in (-DIFFERENCE, DIFFERENCE):
        moved = levels.copy()
        moved[free] = np.clip(levels[free] + step, 0.0, 1.0)
        around.append((above(moved, np.arange(len(weights))), moved[free]))
    slope = (around[1][0] - around[0][0]) / (around[1][1] - around[0][1])
    density = np.where(inside, weights / np.where(inside, slope, 1.0), 0.0)
    total = density.sum()
    return (
        float(density @ instance.gain(0, quantile_signals(instance, levels)) / total)
        if total > 0.0
        else np.nan
    )


def _on_line(above: Function, levels: Float, axis: int) -> tuple[Float, Bool]:
    """Where ``above`` crosses zero along ``axis``, and whether it does: (P,) each; ``levels`` is left alone."""
    points, rows, zeros = levels.copy(), np.arange(levels.shape[1]), np.zeros(levels.shape[1])
    ends = []
    for level in (0.0, 1.0):
        points[axis] = level
        ends.append(above(points, rows))
    root = last_feasible(above, points, rows, axis, bracket=(zeros, zeros + 1.0), ends=(ends[0], ends[1]))
    return np.where(ends[0] <= 0.0, root, 0.0), (ends[0] <= 0.0) & (ends[1] >= 0.0)


def _nodes(above: Function, free: int) -> tuple[Float, Float]:
    """Nodes in all signals but the last, (free + 1, P) with the last at 0, and their weights (P,)."""
    if free == 0:
        return np.zeros((1, 1)), np.ones(1)
    if free == 1:
        start, end = (float(_on_line(above, np.array([[0.0], [second]]), 0)[0][0]) for second in (1.0, 0.0))
        nodes, weights = np.polynomial.legendre.leggauss(GAUSS)
        line = start + 0.5 * (nodes + 1.0) * (end - start)
        return np.stack([line, np.zeros(GAUSS)]), 0.5 * weights * (end - start)
    side = max(2, int(MESH ** (1.0 / free)))
    if side**free > LARGEST_MESH:
        raise InputError(
            f"{free + 1} signals",
            where="static-second-best",
            expected=f"at most {int(math.log2(LARGEST_MESH)) + 1}: two points of each are too many already",
        )
    line = (np.arange(side) + 0.5) / side
    mesh = [axis.ravel() for axis in np.meshgrid(*[line] * free, indexing="ij")]
    return np.stack([*mesh, np.zeros(side**free)]), np.full(side**free, float(side) ** -free)
