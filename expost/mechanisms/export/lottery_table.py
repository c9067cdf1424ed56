"""Lottery menus as tables: one row for each strike of each option of each menu."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from expost.instances.environment import Instance
from expost.mechanisms.export.csv_files import Columns
from expost.mechanisms.export.tables import Types, others_signals
from expost.mechanisms.lottery_menu import LotteryMenu
from expost.tolerances import TIE

LOTTERY_NOTES = (
    "Lottery menus: one row for each strike of each option of each buyer in each state of the others' signals.",
    "buyer: to whom the menu is offered. first_signal: what he reports first (empty: static timing, a lottery over",
    "prices). Columns named after signals: the others' reports that select the menu (a buyer's own are empty).",
    "option: its number in the menu, from the lowest first signals to the highest.",
    "first_from, first_to: the interval of the first signal whose types take it, in units of the signal.",
    "fee: what the option costs at once (units of value). strike: what a holder pays if he buys at it.",
    "probability: with which this strike is drawn; with the rest of the probability there is nothing to buy.",
)
_OWN = ("buyer", "first_signal", "option", "first_from", "first_to", "fee", "strike", "probability")


def lottery_columns(instance: Instance, types: Types, menus: Sequence[LotteryMenu]) -> Columns:
    """The lottery menus of all buyers; an option that never sells has one row with strike inf and probability 0.

    types: the own signals of each buyer at his types, shape (T_i,). A signal that is named like a column gets the
    prefix ``signal_``.
    """
    parts = [_buyer_columns(instance, types, menu) for menu in menus]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _buyer_columns(instance: Instance, types: Types, menu: LotteryMenu) -> Columns:
    opens = menu.opens()
    fibre, start = np.nonzero(opens)
    closes = np.concatenate([opens[:, 1:], np.ones((len(opens), 1), dtype=np.bool_)], axis=1)
    stop = np.nonzero(closes)[1]
    number = np.cumsum(opens, axis=1)[fibre, start]
    chance = menu.probability[fibre, start]
    option, place = np.nonzero(chance > TIE)
    never = np.setdiff1d(np.arange(len(fibre)), option)
    rows = np.concatenate([option, never])
    order = np.argsort(rows, kind="stable")
    rows = rows[order]
    strike = np.concatenate([menu.strike[fibre[option], place], np.full(len(never), np.inf)])[order]
    likely = np.concatenate([chance[option, place], np.zeros(len(never))])[order]
    stages = menu.layout.stages
    first = "" if stages is None else stages.first
    levels = np.array([np.nan]) if stages is None else types[menu.buyer][stages.first][stages.types[:, 0]]
    columns: Columns = {
        "buyer": np.full(len(rows), instance.buyers[menu.buyer].name),
        "first_signal": np.full(len(rows), first),
    }
    signals: Columns = {signal: np.full(len(rows), np.nan) for signal in instance.signals}
    signals |= {name: column[fibre[rows]] for name, column in others_signals(types, menu.buyer).items()}
    columns |= {f"signal_{name}" if name in _OWN else name: column for name, column in signals.items()}
    return columns | {
        "option": number[rows],
        "first_from": levels[start[rows]],
        "first_to": levels[stop[rows]],
        "fee": menu.fee[fibre[rows], start[rows]],
        "strike": strike,
        "probability": likely,
    }
