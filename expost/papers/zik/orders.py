"""Whether the first best is attained, statically and in each order of arrival (Zik, Corollaries 3, 4 and
11, section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.papers.zik.efficient import Boundary, efficient_boundary, own_signals


@dataclass(frozen=True)
class OrderReport:
    """What the efficient rule asks of one buyer when ``first`` arrives first (``first`` is his only signal
    if he has one).

    rise: the largest amount by which a value that should lose in a row exceeds one that should win in the
    same or a lower row; along the boundary, by how much the strike rises (Corollary 4; unit: values). The
    first best needs it to be at most ``allowed``.
    static_rise: the same over all pairs of rows (Corollary 3).
    mrs_excess: the largest MRS of V minus MRS of U on the boundary (Corollary 11; -inf where there is no
    boundary).
    witness, mrs_witness: signals at which the largest is attained (``from`` and ``to``: the two first
    signals).
    fall: by how much V or U falls at most along an own signal; where it exceeds ``allowed`` the corollaries
    do not apply.
    fibres, rows, on_boundary: how many states of the others and rows were looked at, and how many rows meet
    the boundary.
    """

    buyer: int
    first: str
    rise: float
    static_rise: float
    mrs_excess: float
    allowed: float
    witness: Mapping[str, float] = field(default_factory=dict)
    mrs_witness: Mapping[str, float] = field(default_factory=dict)
    fall: float = 0.0
    fibres: int = 0
    rows: int = 0
    on_boundary: int = 0

    @property
    def attained(self) -> bool:
        """Whether the buyer's part of the efficient rule is implementable with this order of arrival."""
        return self.rise <= self.allowed

    @property
    def attained_statically(self) -> bool:
        """Whether it is implementable when he knows all his signals at once."""
        return self.static_rise <= self.allowed


@dataclass(frozen=True)
class Implementability:
    """The reports of all buyers and orders. Evidence from a sample of rows: a rise disproves, its absence
    does not prove."""

    instance: str
    orders: tuple[OrderReport, ...]

    def order(self, first: str) -> OrderReport:
        """The report with ``first`` arriving first. Raises KeyError when there is none."""
        return {report.first: report for report in self.orders}[first]

    @property
    def static(self) -> bool:
        """Whether the first best is attained with static timing."""
        return all(report.attained_statically for report in self.orders)

    def sequential(self) -> dict[tuple[str, ...], bool]:
        """Whether the first best is attained for each combination of first signals, one per buyer."""
        buyers = sorted({report.buyer for report in self.orders})
        options = [[report for report in self.orders if report.buyer == i] for i in buyers]
        return {
            tuple(r.first for r in chosen): all(r.attained for r in chosen) for chosen in product(*options)
        }


def implementability(instance: Instance, *, others: int = 8, rows: int = 101) -> Implementability:
    """The efficient rule against incentives, for each buyer and each of his signals arriving first.

    others: points per signal of the other buyers (midpoints of quantile cells). rows: levels of the first
    signal. Orders in which the first signal's prior depends on the other signal are left out. Raises
    InputError for a buyer with more than two signals.
    """
    reports = []
    for i, buyer in enumerate(instance.buyers):
        fixed = others_sample(instance, i, others)
        for first in buyer.signals:
            if not instance.prior(first).conditions:
                reports.append(_report(efficient_boundary(instance, i, first, fixed, rows)))
    return Implementability(instance.name, tuple(reports))


def others_sample(instance: Instance, buyer: int, points: int) -> dict[str, Float]:
    """Signals of the other buyers at all combinations of quantile midpoints, each (F,). Raises InputError
    when there are too many."""
    levels = (np.arange(points) + 0.5) / points
    sample: dict[str, Float] = {}
    names = [name for name in instance.signals if name not in instance.buyers[buyer].signals]
    if math.pow(points, len(names)) > 1e6:
        raise InputError(
            f"{points}**{len(names)} states of the others",
            where="efficient rule",
            expected="at most a million",
            remedy="use fewer points",
        )
    grids = dict(
        zip(names, (grid.ravel() for grid in np.meshgrid(*[levels] * len(names), indexing="ij")), strict=True)
    )
    for j, other in enumerate(instance.buyers):
        if j != buyer:
            sample |= own_signals(instance, j, {name: grids[name] for name in other.signals})
    return sample


def _report(boundary: Boundary) -> OrderReport:
    rise, witness = _largest_rise(boundary)
    excess, mrs_witness = _largest_excess(boundary)
    return OrderReport(
        buyer=boundary.buyer,
        first=boundary.first,
        rise=rise,
        static_rise=float((boundary.lower.max(axis=1) - boundary.upper.min(axis=1)).max()),
        mrs_excess=excess,
        allowed=boundary.scale,
        witness=witness,
        mrs_witness=mrs_witness,
        fall=boundary.fall,
        fibres=boundary.lower.shape[0],
        rows=boundary.lower.shape[1],
        on_boundary=int(np.isfinite(boundary.second).sum()),
    )


def _largest_rise(boundary: Boundary) -> tuple[float, dict[str, float]]:
    rises = boundary.lower - np.minimum.accumulate(boundary.upper, axis=1)
    fibre, row = (int(k) for k in np.unravel_index(int(np.argmax(rises)), rises.shape))
    rise = float(rises[fibre, row])
    if not np.isfinite(rise):
        return rise, {}
    source = int(np.argmin(boundary.upper[fibre, : row + 1]))
    ends = {"from": float(boundary.signal[source]), "to": float(boundary.signal[row])}
    return rise, _signals(boundary, fibre) | ends


def _largest_excess(boundary: Boundary) -> tuple[float, dict[str, float]]:
    with np.errstate(invalid="ignore"):
        excess = boundary.mrs_value - boundary.mrs_society
    excess = np.where(np.isnan(excess), -np.inf, excess)
    fibre, row = (int(k) for k in np.unravel_index(int(np.argmax(excess)), excess.shape))
    largest = float(excess[fibre, row])
    if not np.isfinite(largest):
        return largest, {}
    return largest, _signals(boundary, fibre) | {boundary.first: float(boundary.signal[row])}


def _signals(boundary: Boundary, fibre: int) -> dict[str, float]:
    return {name: float(column[fibre]) for name, column in boundary.others.items()}


@dataclass(frozen=True)
class RatioConditions:
    """The conditions of section 3.2 on linear values, each as a slack that must not be negative.

    first: alpha_1^1 alpha_2^2 - alpha_2^1 alpha_1^2 (buyer 1's signals), second: beta_2^1 beta_1^2 -
    beta_1^1 beta_2^2 (buyer 2's).
    """

    first: float
    second: float

    @property
    def sequential(self) -> bool:
        """Whether the first best is attained sequentially with the first-listed signals first."""
        return self.first >= 0.0 and self.second >= 0.0

    @property
    def static(self) -> bool:
        """Whether it is attained statically (Jehiel and Moldovanu's equalities)."""
        return self.first == 0.0 and self.second == 0.0


def ratio_conditions(alpha: Float, beta: Float) -> RatioConditions:
    """The conditions for V_i = alpha_i . theta_1 + beta_i . theta_2; row i of ``alpha`` and ``beta`` (2, 2)
    belongs to buyer i.

    Raises InputError unless alpha_1^k > alpha_2^k > 0 and beta_2^k > beta_1^k > 0, as section 3.2 asks.
    """
    if (
        not (alpha[0] > alpha[1]).all()
        or not (alpha[1] > 0).all()
        or not (beta[1] > beta[0]).all()
        or not (beta[0] > 0).all()
    ):
        raise InputError(
            f"alpha = {alpha.tolist()}, beta = {beta.tolist()}",
            where="linear values",
            expected="alpha_1k > alpha_2k > 0 and beta_2k > beta_1k > 0 (Zik 3.2)",
        )
    return RatioConditions(
        float(alpha[0, 0] * alpha[1, 1] - alpha[1, 0] * alpha[0, 1]),
        float(beta[1, 0] * beta[0, 1] - beta[0, 0] * beta[1, 1]),
    )
