"""The audit of menus by definition (Zik 2.3, and 3.1 for several buyers), in every fibre.

A type who reports ``o`` in the first stage pays its fee and then has the outcomes that some second-stage
report to ``o`` gives: to win at the strike if some type of row ``o`` wins, to lose if some type of it
loses. The best second-stage strategy takes, for each of his own second-stage types, the better of those.
Nothing here looks at how rule, strikes or fees were found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from expost._typing import Bool, Float
from expost.mechanisms.audit import Audit, BuyerAudit, allowed_gain, audit_admissibility, audit_prices
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.menu import Fees, Menu
from expost.mechanisms.prices import PriceTable
from expost.spaces.second_stage import expected

CHUNK = 1 << 18
"""States that are audited at once: a few arrays of this many numbers are all the memory the audit takes."""


class _Finding(NamedTuple):
    """A best deviation: its gain, its fibre, first-stage level and second-stage type, and what it is."""

    gain: float
    fibre: int
    level: int
    second: int
    deviation: str


def audit_menu(values: Float, wins: Bool, menu: Menu, fees: tuple[Fees, ...] = tuple(Fees)) -> BuyerAudit:
    """Sequential incentives and participation of one buyer; ``values`` and ``wins`` of state shape.

    Every first-stage type tries every first report followed by the best second-stage strategy; every
    second-stage type tries every second report after a truthful first; every first-stage type may stay
    away. The fee schedules in ``fees`` must all pass; the gain reported is the largest over all of them.
    """
    stages = menu.stages
    fibres, rule = stages.fibres(values), stages.fibres(wins)
    worst = _Finding(0.0, 0, 0, 0, "none")
    for start, stop in _chunks(fibres.shape):
        part = slice(start, stop)
        for finding in _findings(fibres[part], rule[part], menu, part, fees):
            if finding.gain > worst.gain:
                worst = finding._replace(fibre=finding.fibre + start)
    state = stages.state(worst.fibre, worst.level, worst.second, values.shape)
    return BuyerAudit(menu.buyer, worst.gain, state, worst.deviation, allowed_gain(values))


def audit_mechanism(values: Float, mechanism: Mechanism) -> Audit:
    """The audit of a mechanism with prices, menus or both; ``values`` has shape (n, T_1, .., T_n)."""
    buyers: list[BuyerAudit] = []
    for terms, value, wins in zip(mechanism.terms, values, mechanism.allocation, strict=True):
        if isinstance(terms, Menu):
            buyers.append(audit_menu(value, wins, terms))
        else:
            assert isinstance(terms, PriceTable)
            buyers.append(audit_prices(value, wins, terms))
    return Audit(
        tuple(buyers), *audit_admissibility(mechanism.allocation, mechanism.units), units=mechanism.units
    )


def _chunks(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Ranges of fibres of about ``CHUNK`` states."""
    n_fibres, levels, seconds = shape
    step = max(1, CHUNK // max(1, levels * seconds))
    return ((start, min(start + step, n_fibres)) for start in range(0, n_fibres, step))


def _findings(
    values: Float, wins: Bool, menu: Menu, part: slice, fees: tuple[Fees, ...]
) -> Iterator[_Finding]:
    """The best deviation of each kind in some fibres: ``values`` and ``wins`` (F, A, B)."""
    strike = menu.strike[part]
    can_win = np.asarray(wins.any(axis=2))
    can_lose = ~np.asarray(wins.all(axis=2))
    margin = values - strike[:, :, None]
    gain = np.where(
        wins, np.where(can_lose[:, :, None], -margin, -np.inf), np.where(can_win[:, :, None], margin, -np.inf)
    )
    yield _finding(gain, "another report in the second stage")
    truthful = expected(np.where(wins, margin, 0.0), menu.chances)
    schedules = [menu.fees(schedule)[part] for schedule in fees]
    for schedule, fee in zip(fees, schedules, strict=True):
        yield _finding(fee - truthful, f"staying away, {schedule} fees")
    for o in range(strike.shape[1]):
        best = _best_after(values, strike[:, o], can_win[:, o], can_lose[:, o], menu.chances)
        for schedule, fee in zip(fees, schedules, strict=True):
            gain = (best - fee[:, o, None]) - (truthful - fee)
            yield _finding(gain, f"reporting level {o} in the first stage, {schedule} fees")


def _best_after(values: Float, strike: Float, can_win: Bool, can_lose: Bool, chances: Float | None) -> Float:
    """What each first-stage type expects from the second stage of one option, its fee apart, shape (F, A)."""
    margin = values - strike[:, None, None]
    np.maximum(margin, 0.0, out=margin, where=can_lose[:, None, None])
    np.copyto(margin, 0.0, where=~can_win[:, None, None])
    return expected(margin, chances)


def _finding(gain: Float, deviation: str) -> _Finding:
    """The largest of ``gain``, shape (F, A) or (F, A, B); what is not a number counts as an infinite gain."""
    gain = np.where(np.isnan(gain), np.inf, gain)
    at = np.unravel_index(int(np.argmax(gain)), gain.shape)
    fibre, level, second = (*(int(k) for k in at), 0)[:3]
    return _Finding(float(gain[at]), fibre, level, second, deviation)
