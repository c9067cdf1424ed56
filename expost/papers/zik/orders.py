"""Whether the first best is attained, statically and in each order of arrival (Zik, Corollaries 3, 4 and
11, section 3.2)."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.instances.load import load
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
    boundary). mrs_gap: the largest difference of the two in absolute value (Corollary 3, in rates; -inf likewise).
    witness, mrs_witness: signals at which the largest is attained (``from`` and ``to``: the two first
    signals).
    fall: by how much V or U falls at most along an own signal; where it exceeds ``allowed`` the corollaries
    do not apply. least_slope: the least slope of U along an own signal, per unit of quantile; the corollaries ask
    for more than 0.
    fibres, rows, on_boundary: how many states of the others and rows were looked at, and how many rows meet
    the boundary.
    """

    buyer: int
    first: str
    rise: float
    static_rise: float
    mrs_excess: float
    mrs_gap: float
    allowed: float
    witness: Mapping[str, float] = field(default_factory=dict)
    mrs_witness: Mapping[str, float] = field(default_factory=dict)
    fall: float = 0.0
    least_slope: float = 0.0
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
    """The reports of all buyers and orders. Evidence from the states searched and a sample of rows: a rise
    disproves, its absence does not prove."""

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


def implementability(
    instance: Instance | str | os.PathLike[str], *, others: int = 8, rows: int = 101, seed: int = 0
) -> Implementability:
    """The efficient rule against incentives, for each buyer and each of his signals arriving first.

    The states of the others where it is worst are searched for: from the corners inwards, over ``others`` midpoints of
    quantile cells per signal, then around the worst found. rows: levels of the first signal. Orders in which the
    first signal's prior depends on the other signal are left out. Raises InputError for a buyer with more than two
    signals.
    """
    instance = load(instance)
    reports = []
    for i, buyer in enumerate(instance.buyers):
        for first in buyer.signals:
            if not instance.prior(first).conditions:
                reports.append(_searched(instance, i, first, others, rows, np.random.default_rng(seed)))
    return Implementability(instance.name, tuple(reports))


INWARDS = (2.0**-10, 2.0**-6, 2.0**-4, 0.25)
"""How far from a corner, in quantile levels, states of the others are looked at."""
MOST_CORNERS = 64
ROUNDS, KEPT, TRIED = 6, 4, 8
"""Rounds of the search, states that each starts from, and states tried around each."""


def _searched(
    instance: Instance, i: int, first: str, others: int, rows: int, rng: np.random.Generator
) -> OrderReport:
    """The report over all states of the others that the search looks at."""
    names = [name for name in instance.signals if name not in instance.buyers[i].signals]
    levels = _starting_levels(len(names), others, rng)
    reports = []
    for round_ in range(ROUNDS):
        boundary = efficient_boundary(instance, i, first, others_at(instance, i, levels), rows)
        reports.append(_report(boundary))
        if not names:
            break
        ranks = [np.argsort(-measure, kind="stable")[:KEPT] for measure in _by_fibre(boundary)]
        best = levels[:, np.unique(np.concatenate(ranks))]
        width = 0.25 * 0.5**round_
        moves = rng.normal(size=(len(names), best.shape[1], TRIED)) * width
        levels = np.clip(best[:, :, None] + moves, INWARDS[0], 1.0 - INWARDS[0]).reshape(len(names), -1)
    return _joined(reports)


def _starting_levels(dims: int, others: int, rng: np.random.Generator) -> Float:
    """Levels of the others' signals, (dims, states): near all corners (or some of many), and cells' midpoints."""
    if math.pow(others, dims) > 1e6:
        raise InputError(
            f"{others}**{dims} states of the others",
            where="others",
            expected="at most a million",
            remedy="use fewer points",
        )
    if dims == 0:
        return np.empty((0, 1))
    corners = np.array(list(product((0.0, 1.0), repeat=dims))[: 2**16])
    if len(corners) > MOST_CORNERS:
        corners = rng.choice(corners, MOST_CORNERS, replace=False)
    near = [corners + step * (1.0 - 2.0 * corners) for step in INWARDS]
    middles = np.meshgrid(*[(np.arange(others) + 0.5) / others] * dims, indexing="ij")
    return np.concatenate([*near, np.stack([axis.ravel() for axis in middles], axis=1)]).T


def others_at(instance: Instance, buyer: int, levels: Float) -> dict[str, Float]:
    """The others' signals (states,) at quantile ``levels`` (signals, states)."""
    names = [name for name in instance.signals if name not in instance.buyers[buyer].signals]
    at = dict(zip(names, levels, strict=True))
    found: dict[str, Float] = {}
    for j, other in enumerate(instance.buyers):
        if j != buyer:
            found |= own_signals(instance, j, {name: at[name] for name in other.signals})
    return found


def _by_fibre(boundary: Boundary) -> tuple[Float, Float, Float, Float]:
    """What the worst state is searched for, each on its own: ``rise``, ``static_rise``, ``mrs_excess`` and ``mrs_gap``
    in each state of the others, (F,) each; -inf where there is nothing to measure."""
    rise = (boundary.lower - np.minimum.accumulate(boundary.upper, axis=1)).max(axis=1)
    static = boundary.lower.max(axis=1) - boundary.upper.min(axis=1)
    excess = _excess(boundary)
    gap = np.where(np.isneginf(excess), -np.inf, np.abs(excess))
    return rise, static, excess.max(axis=1), gap.max(axis=1)


def _joined(reports: list[OrderReport]) -> OrderReport:
    """One report: the worst of each measure, with its witness."""
    rise, excess = (max(reports, key=lambda report: getattr(report, name)) for name in ("rise", "mrs_excess"))
    return replace(
        rise,
        static_rise=max(report.static_rise for report in reports),
        mrs_excess=excess.mrs_excess,
        mrs_witness=excess.mrs_witness,
        mrs_gap=max(report.mrs_gap for report in reports),
        allowed=max(report.allowed for report in reports),
        fall=max(report.fall for report in reports),
        least_slope=min(report.least_slope for report in reports),
        fibres=sum(report.fibres for report in reports),
        on_boundary=sum(report.on_boundary for report in reports),
    )


def _report(boundary: Boundary) -> OrderReport:
    rise, witness = _largest_rise(boundary)
    excess, mrs_witness = _largest_excess(boundary)
    return OrderReport(
        buyer=boundary.buyer,
        first=boundary.first,
        rise=rise,
        static_rise=float((boundary.lower.max(axis=1) - boundary.upper.min(axis=1)).max()),
        mrs_excess=excess,
        mrs_gap=float(_by_fibre(boundary)[3].max()),
        allowed=boundary.scale,
        witness=witness,
        mrs_witness=mrs_witness,
        fall=boundary.fall,
        least_slope=boundary.least_slope,
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


def _excess(boundary: Boundary) -> Float:
    """MRS of V less MRS of U, (F, P); -inf off the boundary."""
    with np.errstate(invalid="ignore"):
        excess = boundary.mrs_value - boundary.mrs_society
    return np.where(np.isnan(excess), -np.inf, excess)


def _largest_excess(boundary: Boundary) -> tuple[float, dict[str, float]]:
    excess = _excess(boundary)
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


def ratio_conditions(alpha: Float, beta: Float) -> RatioConditions:
    """The conditions for V_i = alpha_i . theta_1 + beta_i . theta_2; row i of ``alpha`` and ``beta`` (2, 2)
    belongs to buyer i. Section 3.2 speaks of alpha_1^k > alpha_2^k > 0 and beta_2^k > beta_1^k > 0 only."""
    return RatioConditions(
        float(alpha[0, 0] * alpha[1, 1] - alpha[1, 0] * alpha[0, 1]),
        float(beta[1, 0] * beta[0, 1] - beta[0, 0] * beta[1, 1]),
    )
