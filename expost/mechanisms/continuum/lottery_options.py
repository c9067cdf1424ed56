"""A finite lottery menu for every type of the continuum: whoever prefers an option takes it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from expost._typing import Float, Place
from expost.instances.environment import Instance
from expost.mechanisms.export.csv_files import Columns

OPTION_NOTES = (
    "Lottery menu: one row for each strike of each option.",
    "option: its number, from the lowest first signals to the highest.",
    "first_from, first_to: between which values of the first signal the types take it (in units of the signal).",
    "fee: what it costs at once. strike: what a holder pays if he buys (units of value).",
    "probability: with which this strike is drawn; with the rest there is nothing to buy.",
)


@dataclass(frozen=True, eq=False)
class LotteryOptions:
    """Options of one buyer with a first signal: (probabilities over strikes, fee).

    first: the signal that is reported first. edges: (N + 1,), between which quantile levels of it the types take
    each option. strike: (K,), rising. probability: (N, K). fee: (N,).
    """

    instance: Instance
    first: str
    edges: Float = field(repr=False)
    strike: Float = field(repr=False)
    probability: Float = field(repr=False)
    fee: Float = field(repr=False)

    def held(self, levels: Float) -> Place:
        """The option of first-stage types at quantile levels (A,)."""
        return np.clip(np.searchsorted(self.edges, levels, side="right") - 1, 0, len(self.fee) - 1)

    def wins(self, option: Place, values: Float) -> Float:
        """The probability that a holder of ``option`` (A,) with ``values`` (A, B) buys, (A, B)."""
        upto = np.concatenate([np.zeros((len(self.fee), 1)), np.cumsum(self.probability, axis=1)], axis=1)
        below = np.searchsorted(self.strike, values, side="left")
        return upto[option[:, None], below]

    def columns(self) -> Columns:
        """The menu as a table, one row for each strike with a positive probability (an option without any has one)."""
        prior = self.instance.prior(self.first)
        ends = np.broadcast_to(prior.quantile(self.edges, {}), self.edges.shape)
        option, place = np.nonzero(self.probability > 0.0)
        empty = np.setdiff1d(np.arange(len(self.fee)), option)
        rows = np.concatenate([option, empty])
        order = np.argsort(rows, kind="stable")
        rows = rows[order]
        strike = np.concatenate([self.strike[place], np.full(len(empty), np.inf)])[order]
        chance = np.concatenate([self.probability[option, place], np.zeros(len(empty))])[order]
        return {
            "option": rows + 1,
            "first_from": ends[rows],
            "first_to": ends[rows + 1],
            "fee": self.fee[rows],
            "strike": strike,
            "probability": chance,
        }
