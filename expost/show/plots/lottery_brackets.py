"""The lottery menu of a bracket of the continuum: which strikes are drawn for which first-stage type, and the fees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from expost._typing import Float
from expost.runs.lottery_bracket import LotteryBracket
from expost.show.plots.style import ACCENT, MAP, named, new_axes, tidy, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST = 1e-6
"""Probabilities below are not drawn."""


def plot_lottery_bracket(found: LotteryBracket, *, ax: Axes | None = None) -> Axes:
    """The menu that attains the lower side of the continuum: strikes, their probabilities, and fees."""
    columns = found.mechanism.columns()
    ax = new_axes(ax, (5.2, 3.9))
    _draw(ax, columns["first_from"], columns["first_to"], columns["strike"], columns["probability"])
    first = np.unique(columns["option"], return_index=True)[1]
    _fees(ax, columns["first_from"][first], columns["first_to"][first], columns["fee"][first])
    ax.set_xlabel(named(found.first))
    ax.set_ylabel("strike (and fee, dashed)")
    bounds = f"welfare between {found.lower.value:.5f} and {found.upper.value:.5f}"
    titled(tidy(ax), f"lotteries of {named(found.instance)} in the continuum", bounds)
    return ax


def _draw(ax: Any, low: Float, high: Float, strike: Float, chance: Float) -> None:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import LineCollection
    from matplotlib.colors import Normalize

    seen = (chance > LEAST) & np.isfinite(strike)
    lines = np.stack(
        [np.stack([low[seen], strike[seen]], axis=1), np.stack([high[seen], strike[seen]], axis=1)], axis=1
    )
    scale = Normalize(0.0, 1.0)
    shades = colormaps[MAP].reversed()
    ax.add_collection(
        LineCollection(list(lines), colors=shades(scale(chance[seen])), linewidths=1.5 + 4.0 * chance[seen])
    )
    ax.autoscale_view()
    bar = ax.figure.colorbar(ScalarMappable(scale, shades), ax=ax, pad=0.02)
    bar.set_label("probability", fontsize=9)
    bar.ax.tick_params(labelsize=8)


def _fees(ax: Any, low: Float, high: Float, fee: Float) -> None:
    order = np.argsort(low, kind="stable")
    x = np.stack([low[order], high[order]], axis=1).ravel()
    ax.plot(x, np.repeat(fee[order], 2), color=ACCENT, linestyle="--", linewidth=1.2)
