"""Sweeps: a figure over one thing that varies, a curve for each value of another, with bands for what is bounded."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.runs.sweep_case import CHECKED, FIGURES
from expost.show.plots.style import (
    COLOURS,
    INK,
    legend_below,
    named,
    new_axes,
    require_matplotlib,
    tidy,
    titled,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

BRACKETED = ("lower", "upper", "width", "reached", "confidence", "seed", "lower_by", "upper_by")
"""The figures of a row of brackets, beside those of solves and of checks."""
ABOUT = ("instance", "case", "seconds", "error")
STROKES = ("-", "--", "-.", ":")
MARKS = "osD^vP*X"
MOST = 8
"""Curves at most."""


def plot_sweep(
    table: pd.DataFrame,
    x: str | None = None,
    y: str | None = None,
    *,
    by: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """A figure of a sweep over one of the things that vary, with a curve for each value of the others.

    table: as ``ex.sweep`` returns it, or read from its file. x: a column that says which case it is, by default the
    first that varies. y: a figure, by default ``share`` of solves and ``welfare`` of checks; sweeps of brackets show
    both sides. by: what tells the curves apart, by default all others that vary; those not named are averaged over.

    Bands: from the welfare to its proved upper bound (solves), from the lower to the upper bound (brackets), the 99%
    confidence interval (checks). Returns the axes. Raises InputError for a table that is no sweep's, a column that it
    does not have, and more curves than can be told apart.
    """
    require_matplotlib()
    shown = _read(table, x, y, by)
    ax = new_axes(ax, (5.4, 3.9))
    curves = list(_curves(shown))
    if len(curves) > MOST:
        found = f"{len(curves)} curves"
        raise InputError(
            found, where="by", expected=f"at most {MOST}", remedy="name the column that tells them apart"
        )
    for k, (label, rows) in enumerate(curves):
        _draw(ax, shown, label, rows, k)
    words = shown.places
    if words is not None:
        ax.set_xticks(range(len(words)), [_broken(word) for word in words], fontsize=8)
        ax.margins(x=0.2)
    elif np.issubdtype(np.asarray(shown.table[shown.x].to_numpy()).dtype, np.integer):
        from matplotlib.ticker import MaxNLocator

        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(named(shown.x))
    ax.set_ylabel("the continuum's second best" if shown.bracket else named(shown.y.replace("_", " ")))
    ax.grid(axis="y", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    if len(curves) > 1:
        legend_below(ax)
    failed = len(table) - len(shown.table)
    lost = f"{failed} cases without a figure" if failed else ""
    titled(
        tidy(ax), named(", ".join(sorted(set(map(str, table["instance"]))))), *shown.held, shown.band, lost
    )
    return ax


@dataclass(frozen=True)
class _Sweep:
    """What to draw: the rows that have figures, what varies along x and between curves, and what is held."""

    table: pd.DataFrame
    x: str
    y: str
    between: list[str]
    held: list[str]
    band: str
    places: list[str] | None

    @property
    def bracket(self) -> bool:
        return "lower" in self.table


def _read(table: pd.DataFrame, x: str | None, y: str | None, by: str | None) -> _Sweep:
    columns = [str(name) for name in table.columns]
    default = {"status": "share", "lower": "lower", "admissible": "welfare"}
    kind = next((name for name in default if name in columns), None)
    if kind is None or "instance" not in columns or table.empty:
        raise InputError("a table of other columns", where="table", expected="what ex.sweep returns")
    figures = {"status": FIGURES, "lower": BRACKETED, "admissible": CHECKED}[kind]
    labels = [name for name in columns if name not in (*figures, *ABOUT)]
    varying = [name for name in labels if table[name].nunique(dropna=False) > 1]
    along = x or next(iter(varying or labels))
    _one_of("x", along, labels)
    what = y or default[kind]
    _one_of("y", what, [name for name in columns if name in figures or name == "seconds"])
    if by is not None:
        _one_of("by", by, labels)
    between = [by] if by is not None else [name for name in varying if name != along]
    usable = table[table[what].notna()]
    if not np.issubdtype(np.asarray(usable[what].to_numpy()).dtype, np.number):
        usable = usable.assign(**{what: usable[what].astype(float)})
    numeric = np.issubdtype(np.asarray(table[along].to_numpy()).dtype, np.number)
    places = None if numeric else list(dict.fromkeys(map(str, table[along])))
    held = [
        f"{named(name)} = {_said(table[name].iloc[0])}"
        for name in labels
        if name not in (*varying, along) and str(table[name].iloc[0]) not in ("", "nan", "None")
    ]
    averaged = [name for name in varying if name not in (along, *between)]
    held += [f"averaged over {', '.join(map(named, averaged))}"] if averaged else []
    return _Sweep(usable, along, what, between, held, _band_words(usable, what, kind), places)


def _one_of(where: str, found: str, known: list[str]) -> None:
    if found not in known:
        raise InputError(f"{found!r}"[:60], where=where, expected=f"one of {', '.join(known)}")


def _band_words(table: pd.DataFrame, y: str, kind: str) -> str:
    if kind == "lower":
        return "band: between both bounds"
    if kind == "admissible" and y == "welfare":
        return "band: 99% confidence"
    low, high = _band(table, y)
    open_ = high is not None and bool((high - low > 1e-9 * np.abs(high)).any())
    return "band: up to the proved bound" if open_ else ""


def _band(table: pd.DataFrame, y: str) -> tuple[Float, Float | None]:
    """The lower and the upper edge of the band; no upper one where nothing is bounded."""
    values = table[y].to_numpy(dtype=np.float64)
    if "lower" in table:
        return (values, table["upper"].to_numpy(dtype=np.float64)) if y == "lower" else (values, None)
    if y == "welfare" and "welfare_error" in table:
        error = table["welfare_error"].to_numpy(dtype=np.float64)
        return values - error, values + error
    if y == "welfare" and "upper_bound" in table:
        return values, table["upper_bound"].to_numpy(dtype=np.float64)
    if y == "share" and {"upper_bound", "no_sale", "first_best"} <= set(table.columns):
        bound, kept, best = (
            table[name].to_numpy(dtype=np.float64) for name in ("upper_bound", "no_sale", "first_best")
        )
        with np.errstate(all="ignore"):
            return values, np.clip((bound - kept) / (best - kept), values, None)
    return values, None


def _curves(shown: _Sweep) -> Any:
    """The label and the rows of each curve, in the order of the table."""
    if not shown.between:
        yield "", shown.table
        return
    for keys, rows in shown.table.groupby(shown.between, sort=False, dropna=False):
        label = ", ".join(
            f"{named(name)} = {_said(key)}" for name, key in zip(shown.between, keys, strict=True)
        )
        yield label, rows


def _broken(word: str) -> str:
    """A long word over several lines."""
    lines = textwrap.wrap(word, 20)
    return named(word) if len(lines) < 2 else "\n".join(named(line) for line in lines[:4])


def _said(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else named(str(value))


def _draw(ax: Axes, shown: _Sweep, label: str, rows: pd.DataFrame, k: int) -> None:
    at = rows[shown.x].to_numpy()
    if shown.places is not None:
        at = np.array([shown.places.index(str(value)) for value in at])
    low, high = _band(rows, shown.y)
    middle = rows[shown.y].to_numpy(dtype=np.float64)
    points, inverse = np.unique(np.asarray(at, dtype=np.float64), return_inverse=True)
    middle, low = _mean(middle, inverse), _mean(low, inverse)
    shade = COLOURS[k % len(COLOURS)]
    style: dict[str, Any] = {"color": shade, "markersize": 4.5, "linewidth": 1.6, "markeredgecolor": INK}
    style |= {"marker": MARKS[k % len(MARKS)], "linestyle": STROKES[k % len(STROKES)], "markeredgewidth": 0.4}
    if shown.places is not None:  # nothing lies between two words
        style |= {"linestyle": "none", "markersize": 6.5}
    if high is not None:
        high = _mean(high, inverse)
    if high is not None and shown.places is not None:
        ax.vlines(points, low, high, color=shade, linewidth=2.5, alpha=0.5)
    elif high is not None:
        ax.fill_between(points, low, high, color=shade, alpha=0.25, linewidth=0)
    if high is not None and shown.bracket:
        ax.plot(points, high, **style)
    ax.plot(points, middle, label=label or None, **style)


def _mean(values: Float, inverse: Any) -> Float:
    return np.bincount(inverse, weights=values) / np.bincount(inverse)
