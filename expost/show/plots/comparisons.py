"""Mechanisms side by side, and where one beats another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expost.runs.compare import Comparison
from expost.runs.dominate import Dominance
from expost.show.plots.regions import draw_quantity
from expost.show.plots.slices import At, average, axes_of
from expost.show.plots.style import ACCENT, COLOURS, INK, MUTED, named, new_axes, tidy, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_comparison(comparison: Comparison, *, ax: Axes | None = None) -> Axes:
    """The welfare of every second best (dots), construction (diamonds) and bracket (bars) on one scale."""
    rows = [row for row in (*comparison.rows[1:], *comparison.constructions) if row.welfare is not None]
    made = set(map(id, comparison.constructions))
    ax = new_axes(ax, (6.4, 1.5 + 0.34 * (len(rows) + len(comparison.brackets))))
    labels, figures = [], []
    for k, row in enumerate(rows):
        welfare, built = row.welfare or 0.0, id(row) in made
        shade, mark = (COLOURS[1], "D") if built else (COLOURS[0], "o")
        if row.upper_bound is not None and row.upper_bound > welfare:
            ax.plot([welfare, row.upper_bound], [k, k], color=shade, linewidth=1.5)
        ax.plot([welfare], [k], mark, color=shade, markeredgecolor=INK, markeredgewidth=0.6, markersize=7)
        labels.append(named(row.name.replace(" second best", "")) if not built else named(row.name))
        figures.append(f"{welfare:.4f}")
    for k, found in enumerate(comparison.brackets, len(rows)):
        ax.plot(
            [found.lower.value, found.upper.value],
            [k, k],
            color=COLOURS[2],
            linewidth=5,
            solid_capstyle="butt",
        )
        labels.append(f"continuum, {found.timing}")
        figures.append(f"{found.lower.value:.4f} to {found.upper.value:.4f}")
    ax.axvline(comparison.first_best, color=ACCENT, linewidth=1.4, linestyle="--")
    ax.annotate(
        "first best",
        (comparison.first_best, -0.85),
        (-4, 0),
        textcoords="offset points",
        fontsize=8,
        ha="right",
        va="center",
        color=ACCENT,
    )
    ax.set_yticks(range(len(labels)), labels, fontsize=8)
    for k, figure in enumerate(figures):
        ax.annotate(figure, (1.02, k), xycoords=("axes fraction", "data"), fontsize=8, va="center")
    ax.set_ylim(len(labels) - 0.4, -1.2)
    ax.margins(x=0.1)
    ax.grid(axis="y", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.set_xlabel("expected welfare")
    kinds = "dots: second bests; diamonds: the papers' constructions"
    titled(
        tidy(ax),
        f"{named(comparison.instance)} on a grid of {comparison.grid}",
        kinds,
        f"never selling: {comparison.no_sale:.4g}",
    )
    ax.tick_params(axis="y", length=0, colors=INK)
    ax.spines["bottom"].set_color(MUTED)
    return ax


def plot_dominance(
    found: Dominance, x: str | None = None, y: str | None = None, at: At = None, *, ax: Axes | None = None
) -> Axes:
    """Where the dominating rule gains (unit: values) over two signals, the others averaged but for those in ``at``."""
    ax = new_axes(ax)
    names = axes_of(found.space, x, y)
    shown, held = average(found.space, found.gains, names, at)
    draw_quantity(ax, shown, names, "welfare gained", floor=0.0)
    verdict = (
        f"gains {found.gain:.4g} in expectation" if found.gain > 0 else "nothing dominates it on this grid"
    )
    titled(ax, f"where {named(found.mechanism)} is beaten", f"{named(found.instance)}: {verdict}", held)
    return ax
