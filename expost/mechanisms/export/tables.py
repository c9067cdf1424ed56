"""Tables of terms as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from expost._typing import Float
from expost.instances.environment import Instance
from expost.mechanisms.export.csv_files import TEXT, Columns
from expost.mechanisms.prices import PriceTable

Types = Sequence[Mapping[str, Float]]

PRICE_NOTES = (
    "Prices of a static mechanism: one row for each buyer and each state of the other buyers' signals.",
    "buyer: the buyer who faces the price. Signals: the others' reports (a buyer's own are empty).",
    "A signal that is named like another column is called signal_NAME.",
    "lower, upper: any price between them implements the rule there (units of value):",
    "the best losing and the worst winning value, -inf if he always wins, inf if he never does.",
    "price: what he pays if he wins, in units of value.",
)
PRICE_COLUMNS = ("lower", "upper", "price")


def price_columns(instance: Instance, types: Types, prices: Sequence[PriceTable]) -> Columns:
    """One row per buyer and fibre. ``types`` are the own signals of each buyer at his types, shape (T_i,).

    A buyer's own signals are NaN in his rows. A signal that is named like another column is called as
    ``signal_names`` says.
    """
    parts = [_buyer_columns(instance, types, table) for table in prices]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _buyer_columns(instance: Instance, types: Types, table: PriceTable) -> Columns:
    rows = table.price.size
    columns: Columns = {"buyer": np.full(rows, instance.buyers[table.buyer].name)}
    signals: Columns = {signal: np.full(rows, np.nan) for signal in instance.signals}
    signals |= others_signals(types, table.buyer)
    called = signal_names(instance.signals, (*TEXT, *PRICE_COLUMNS))
    columns |= {called[name]: column for name, column in signals.items()}
    columns |= {"lower": table.lower.ravel(), "upper": table.upper.ravel(), "price": table.price.ravel()}
    return columns


def signal_names(signals: Sequence[str], reserved: Sequence[str]) -> dict[str, str]:
    """The column of each signal: its name, or ``signal_NAME`` where another column is called that, with as many
    underscores behind as make it the only one."""
    called: dict[str, str] = {}
    taken = {*signals, *reserved}
    for signal in signals:
        name = signal
        if signal in reserved:
            name = f"signal_{signal}"
            while name in taken:
                name += "_"
        taken.add(name)
        called[signal] = name
    return called


def others_signals(types: Types, buyer: int) -> Columns:
    """The signals of everybody but ``buyer`` in each of his fibres, flattened in C order."""
    others = [j for j in range(len(types)) if j != buyer]
    counts = [len(next(iter(types[j].values()))) for j in others]
    return {
        name: np.broadcast_to(column.reshape((1,) * k + (-1,) + (1,) * (len(others) - k - 1)), counts).ravel()
        for k, j in enumerate(others)
        for name, column in types[j].items()
    }
