"""Frontiers: one objective against another, and welfare against how much anybody may gain by lying."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expost.runs.epsilon import EpsilonFrontier
from expost.runs.frontier import Frontier
from expost.show.plots.style import ACCENT, COLOURS, INK, named, new_axes, no_rounding, tidy, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_frontier(found: Frontier, ax: Axes | None = None) -> Axes:
    """Corners of the frontier, joined: between two corners lies what mixing them attains."""
    ax = new_axes(ax)
    one, two = found.between
    ax.plot(
        [corner.first for corner in found.corners],
        [corner.second for corner in found.corners],
        marker="o",
        markersize=4.5,
        markeredgecolor=INK,
        markeredgewidth=0.4,
        color=COLOURS[0],
    )
    ax.set_xlabel(named(one if one == "welfare" else f"gain from buyer {one}"))
    ax.set_ylabel(named(two if two == "revenue" else f"gain from buyer {two}"))
    more = "all corners" if found.complete else "the most telling corners"
    title = named(f"{found.instance}, {found.timing}, grid {found.grid}")
    titled(tidy(ax), title, f"{len(found.corners)} corners: {more}")
    return ax


def plot_epsilon(found: EpsilonFrontier, *, ax: Axes | None = None) -> Axes:
    """The best welfare over epsilon; the band reaches to the proved bound, the dashed line is the first best."""
    ax = new_axes(ax)
    table = found.table
    low, high = table["welfare"].to_numpy(dtype=float), table["upper_bound"].to_numpy(dtype=float)
    ax.fill_between(table["epsilon"], low, high, step="post", color=COLOURS[0], alpha=0.25, linewidth=0)
    ax.plot(
        table["epsilon"],
        low,
        drawstyle="steps-post",
        marker="o",
        markersize=4.5,
        markeredgecolor=INK,
        markeredgewidth=0.4,
        color=COLOURS[0],
    )
    ax.axhline(found.first_best, color=ACCENT, linewidth=1.4, linestyle="--")
    ax.annotate(
        "first best",
        (1.0, found.first_best),
        (-4, 4),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        fontsize=8,
        ha="right",
        color=ACCENT,
    )
    ax.margins(y=0.15)
    no_rounding(ax)
    ax.set_xlabel("epsilon: what nobody gains more than by lying")
    ax.set_ylabel("expected welfare")
    titled(tidy(ax), named(f"{found.instance.name}, static, grid {found.grid}"))
    return ax
