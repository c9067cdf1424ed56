"""The efficient frontier: one objective against another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expost.runs.frontier import Frontier
from expost.show.plots.style import named, new_axes, titled

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
        markersize=3.5,
        color="#20406b",
    )
    ax.set_xlabel(named(one if one == "welfare" else f"gain from buyer {one}"))
    ax.set_ylabel(named(two if two == "revenue" else f"gain from buyer {two}"))
    more = "all corners" if found.complete else "the most telling corners"
    title = named(f"{found.instance}, {found.timing}, grid {found.grid}")
    titled(ax, title, f"{len(found.corners)} corners: {more}")
    return ax
