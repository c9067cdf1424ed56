"""Stochastic mechanisms: with which probability who wins, and the lotteries over strikes that a buyer chooses from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from expost.errors import InputError
from expost.runs.lotteries import LotteryRun
from expost.show.plots.regions import draw_quantity
from expost.show.plots.slices import At, average, axes_of
from expost.show.plots.style import ACCENT, COLOURS, INK, legend_below, named, new_axes, tidy, titled

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

LARGEST = 110.0
"""The area of a strike that is certain, in square points."""


def plot_chances(
    run: LotteryRun,
    buyer: str | int | None = None,
    x: str | None = None,
    y: str | None = None,
    at: At = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """A buyer's probability of winning over two signals, the others averaged over but for those held by ``at``."""
    ax = new_axes(ax)
    name = _buyer(run, buyer)
    space = run.second_best.space
    names = axes_of(space, x, y)
    shown, held = average(space, run.allocation[name], names, at)
    image = draw_quantity(ax, shown, names, "probability of winning", floor=0.0)
    if image is not None:
        image.set_clim(0.0, 1.0)
    titled(ax, f"how likely buyer {named(name)} wins", named(run.instance.name), held)
    return ax


def plot_lottery_menus(
    run: LotteryRun,
    buyer: str | int | None = None,
    over: str | None = None,
    at: At = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """The lotteries over strikes among which a buyer chooses: each strike a dot, the larger the likelier, and the fee.

    Over his first signal; where he has none (static timing), over a signal ``over`` of the others. at: where the
    others' signals are held, by default at their middle points.
    """
    ax = new_axes(ax, (5.2, 4.0))
    name = _buyer(run, buyer)
    menu = run.menus[name]
    first = str(menu["first_signal"].iloc[0])
    others = [signal for own in run.instance.buyers if own.name != name for signal in own.signals]
    if over is not None and (first or over not in others):
        raise InputError(f"{over!r}"[:60], where="over", expected=_choices(first, others))
    along = first or over or next(iter(others), "")
    rows, held = _held(menu, [signal for signal in others if signal != along], at)
    drawn = rows[(rows["probability"] > 0) & np.isfinite(rows["strike"])]
    place = _middles(rows) if first else rows[along] if along else rows["option"]
    ax.scatter(
        place[drawn.index],
        drawn["strike"],
        s=LARGEST * drawn["probability"],
        color=COLOURS[0],
        edgecolor=INK,
        linewidth=0.5,
        label="strike; area: its probability",
        zorder=3,
    )
    if first:
        options = rows.drop_duplicates("option")
        ax.plot(place[options.index], options["fee"], color=ACCENT, marker="_", linestyle="--", label="fee")
    legend_below(ax)
    ax.set_xlabel(f"{named(along)} (first stage)" if first else named(along))
    ax.set_ylabel("value")
    titled(tidy(ax), f"lotteries over strikes of buyer {named(name)}", f"held: {held}" if held else "")
    return ax


def _choices(first: str, others: list[str]) -> str:
    return f"nothing: his first signal {first} is on the axis" if first else f"one of {', '.join(others)}"


def _buyer(run: LotteryRun, buyer: str | int | None) -> str:
    names = [own.name for own in run.instance.buyers]
    if buyer is None:
        return names[0]
    if isinstance(buyer, int) and not isinstance(buyer, bool) and 0 <= buyer < len(names):
        return names[buyer]
    if buyer in names:
        return str(buyer)
    raise InputError(f"{buyer!r}"[:80], where="buyer", expected=f"one of {', '.join(names)}")


def _middles(rows: pd.DataFrame) -> Any:
    return 0.5 * (rows["first_from"] + rows["first_to"])


def _held(menu: pd.DataFrame, signals: list[str], at: At) -> tuple[pd.DataFrame, str]:
    """The rows at one point of the others' signals, and which."""
    strange = [name for name in at or {} if name not in signals]
    if strange:
        raise InputError(f"{strange[0]!r}"[:60], where="at", expected=f"of {', '.join(signals) or 'nothing'}")
    words = []
    for name in signals:
        column = f"signal_{name}" if f"signal_{name}" in menu else name
        points = np.unique(menu[column])
        wanted = (at or {}).get(name, points[(len(points) - 1) // 2])
        point = points[np.argmin(np.abs(points - float(wanted)))]
        menu = menu[menu[column] == point]
        words.append(f"{named(name)} = {point:.3g}")
    return menu, ", ".join(words)
