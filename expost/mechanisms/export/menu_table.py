"""Menus as tables: one row for each option of each menu, whole, with what every column is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from expost._typing import Bool, Place
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.mechanisms.export.csv_files import Columns
from expost.mechanisms.export.tables import Types, others_signals, signal_names
from expost.mechanisms.mechanism import Mechanism, Terms
from expost.mechanisms.menu import Menu
from expost.mechanisms.prices import PriceTable
from expost.spaces.weights import Weights

MENU_NOTES = (
    "Menus: one row for each option of each buyer in each state of the other buyers' signals.",
    "buyer: to whom the menu is offered. first_signal: what he reports first (empty: static timing).",
    "Columns named after signals: the others' reports that select the menu (a buyer's own are empty).",
    "A signal that is named like another column is called signal_NAME.",
    "option: its number in the menu, from the highest strike to the lowest.",
    "first_from, first_to: the interval of the first signal whose types take the option, in units of the",
    "signal (empty: all types, who know all their signals). types: how many types of the grid these are.",
    "strike_lower, strike_upper: any strike between them implements the rule for all of these types",
    "(units of value); -inf if they always buy, inf if they never do.",
    "strike: what a holder pays if he buys (units of value).",
    "seller_best_fee: what the option costs at once, the largest that every type accepts (units of value).",
    "integral_fee: the same by Zik's integral construction, the cheapest option free (units of value).",
    "exercise: the probability that a holder buys.",
)
TERM_COLUMNS = (
    "option",
    "first_from",
    "first_to",
    "types",
    "strike_lower",
    "strike_upper",
    "strike",
    "seller_best_fee",
    "integral_fee",
    "exercise",
)
PAPER_NOTES = (
    "One row for each option of each buyer at the others' signals. from, to: whose first signals take it.",
    "price or strike: what a holder pays if he buys. fee: what it costs at once. buys: with which probability he does.",
)
_ON_PAPER = {
    "first_from": "from",
    "first_to": "to",
    "strike": "strike",
    "seller_best_fee": "fee",
    "exercise": "buys",
}
_RESERVED = ("buyer", "first_signal", *TERM_COLUMNS)


def menu_columns(instance: Instance, types: Types, mechanism: Mechanism) -> Columns:
    """The menus of all buyers, option by option; a static buyer's menu has one line (a free option at his
    price).

    types: the own signals of each buyer at his types, shape (T_i,). A signal that is named like a column of
    the table gets the prefix ``signal_`` (see ``signal_names``).
    """
    parts = [
        _buyer_columns(instance, types, terms, wins, mechanism.weights)
        for terms, wins in zip(mechanism.terms, mechanism.allocation, strict=True)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def paper_columns(columns: Columns) -> Columns:
    """The columns of menus that a page has room for, under short names; prices alone have no fees.

    Signals keep their names. ``columns``: of ``menu_columns``.
    """
    static = not any(columns["first_signal"])
    names = {"strike": "price", "exercise": "buys"} if static else _ON_PAPER
    hidden = {*_RESERVED[1:]} - set(names)
    return {names.get(name, name): column for name, column in columns.items() if name not in hidden}


def require_menus(terms: Sequence[Terms], where: str) -> None:
    """Raise InputError unless some buyer's terms are a sequential menu."""
    if not any(isinstance(own, Menu) for own in terms):
        raise InputError(
            "a run with static timing, which has prices and no menus of strikes",
            where=where,
            expected='a run solved with timing="sequential"',
            remedy='solve it again with timing="sequential", or leave out timing for the one-line menu',
        )


def _buyer_columns(
    instance: Instance, types: Types, terms: Terms, wins: Bool, weights: Weights | None
) -> Columns:
    if isinstance(terms, Menu):
        fibre, options = _menu_options(terms, types, wins)
        first = terms.stages.first
    else:
        assert isinstance(terms, PriceTable)
        fibre, options = _price_option(terms, wins, weights)
        first = ""
    columns: Columns = {
        "buyer": np.full(len(fibre), instance.buyers[terms.buyer].name),
        "first_signal": np.full(len(fibre), first),
    }
    signals: Columns = {signal: np.full(len(fibre), np.nan) for signal in instance.signals}
    signals |= {name: column[fibre] for name, column in others_signals(types, terms.buyer).items()}
    called = signal_names(instance.signals, _RESERVED)
    columns |= {called[name]: column for name, column in signals.items()}
    return columns | {name: options[name] for name in TERM_COLUMNS}


def _menu_options(menu: Menu, types: Types, wins: Bool) -> tuple[Place, Mapping[str, NDArray[np.generic]]]:
    """The fibre of each option, and its columns: types that share a strike are one option."""
    opens = menu.opens()
    fibre, start = np.nonzero(opens)
    closes = np.concatenate([opens[:, 1:], np.ones((len(opens), 1), dtype=np.bool_)], axis=1)
    stop = np.nonzero(closes)[1]
    levels = types[menu.buyer][menu.stages.first][menu.stages.types[:, 0]]
    starts = np.flatnonzero(opens.ravel())
    level = (
        np.ones(opens.shape)
        if menu.weights is None
        else np.broadcast_to(menu.weights.sum(axis=1), opens.shape)
    )
    holders = np.add.reduceat(level.ravel(), starts)
    buying = np.add.reduceat((menu.exercise(wins) * level).ravel(), starts)
    return fibre, {
        "option": _numbers_within(fibre),
        "first_from": levels[start],
        "first_to": levels[stop],
        "types": stop - start + 1,
        "strike_lower": menu.lower[fibre, start],
        "strike_upper": menu.upper[fibre, stop],
        "strike": menu.strike[fibre, start],
        "seller_best_fee": menu.seller_best[fibre, start],
        "integral_fee": menu.integral[fibre, start],
        "exercise": np.divide(buying, holders, out=np.zeros(len(holders)), where=holders > 0.0),
    }


def _numbers_within(fibre: Place) -> Place:
    """1, 2, .. within each run of equal entries."""
    place = np.arange(len(fibre))
    new = np.concatenate([[True], np.diff(fibre) > 0])
    return place - np.maximum.accumulate(np.where(new, place, 0)) + 1


def _price_option(
    prices: PriceTable, wins: Bool, weights: Weights | None
) -> tuple[Place, Mapping[str, NDArray[np.generic]]]:
    """The one option of a static buyer in each fibre: his price, free to hold."""
    rows = prices.price.size
    nothing, free = np.full(rows, np.nan), np.zeros(rows)
    return np.arange(rows), {
        "option": np.ones(rows, dtype=np.intp),
        "first_from": nothing,
        "first_to": nothing,
        "types": np.full(rows, wins.shape[prices.buyer], dtype=np.intp),
        "strike_lower": prices.lower.ravel(),
        "strike_upper": prices.upper.ravel(),
        "strike": prices.price.ravel(),
        "seller_best_fee": free,
        "integral_fee": free,
        "exercise": prices.exercise(wins, weights).ravel(),
    }
