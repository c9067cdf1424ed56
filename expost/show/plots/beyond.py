"""What the papers leave open, drawn: losses of information and robustness, several items, what binds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from expost.runs.bayesian import Bayesian
from expost.runs.explain import Explanation
from expost.runs.items import ItemsRun
from expost.show.plots.style import ACCENT, COLOURS, INK, MAP, MUTED, named, new_axes, new_grid, tidy, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_bayesian(found: Bayesian, *, ax: Axes | None = None) -> Axes:
    """First best, Bayesian and ex post second best as bars, and between them what private information and robustness
    cost."""
    ax = new_axes(ax, (5.6, 2.6))
    figures = [found.first_best, found.welfare, found.ex_post]
    losses = [0.0, found.private_information, found.robustness]
    floor = found.found.space.seller
    for k, (value, loss) in enumerate(zip(figures, losses, strict=True)):
        ax.barh(k, value - floor, left=floor, color=COLOURS[0], height=0.6)
        if loss > 0.0:
            ax.barh(k, loss, left=value, color=COLOURS[1], height=0.6, edgecolor=INK, linewidth=0.5)
        ax.annotate(f"{value:.4f}", (1.02, k), xycoords=("axes fraction", "data"), fontsize=8, va="center")
    ax.set_yticks(range(3), ["first best", "Bayesian", "ex post"], fontsize=8)
    ax.invert_yaxis()
    low = min(figures)
    ax.set_xlim(low - 2.0 * max(figures[0] - low, 0.01), figures[0])
    ax.set_xlabel("expected welfare (the scale does not begin at 0)")
    words = f"private information costs {losses[1]:.4f}, robustness {losses[2]:.4f}"
    titled(tidy(ax), f"{named(found.instance.name)}, grid {found.grid}", words)
    return ax


def plot_items(found: ItemsRun, *, ax: Axes | None = None) -> Axes:
    """The welfare of the best mechanism, of the papers' constructions and of separate sales; bars from the rule found
    to the bound."""
    rows = [row for row in found.rows[1:] if row.welfare is not None]
    ax = new_axes(ax, (6.0, 1.5 + 0.34 * len(rows)))
    for k, row in enumerate(rows):
        welfare = row.welfare or 0.0
        if row.upper_bound is not None and row.upper_bound > welfare:
            ax.plot([welfare, row.upper_bound], [k, k], color=COLOURS[0], linewidth=1.5)
        shade, mark = (COLOURS[0], "o") if k == 0 else (COLOURS[1], "D")
        ax.plot([welfare], [k], mark, color=shade, markeredgecolor=INK, markeredgewidth=0.6, markersize=7)
        ax.annotate(f"{welfare:.4f}", (1.02, k), xycoords=("axes fraction", "data"), fontsize=8, va="center")
    ax.axvline(found.first_best, color=ACCENT, linewidth=1.4, linestyle="--")
    ax.set_yticks(range(len(rows)), [named(row.name) for row in rows], fontsize=8)
    ax.set_ylim(len(rows) - 0.4, -0.8)
    ax.margins(x=0.1)
    ax.set_xlabel("expected welfare (dashed: first best)")
    title = f"{named(found.instance.name)}, {len(found.instance.items)} items, grid {found.grid}"
    titled(tidy(ax), title, f"best mechanism: gap {found.gap:.2g}")
    return ax


def plot_explanation(found: Explanation, *, ax: Axes | None = None) -> Axes:
    """What each family of constraints costs: charged to each buyer's incentives, and what dropping a family gains."""
    charged = [
        (f"charged to buyer {named(name)}", cost, COLOURS[0]) for name, cost in found.incentives.items()
    ]
    dropped = [
        (f"without {named(entry.constraint)}", entry.gain, COLOURS[1])
        for entry in found.dropped
        if entry.gain is not None
    ]
    rows = [*charged, ("credited", -(found.unsold + found.slack), MUTED), *dropped]
    ax = new_axes(ax, (6.2, 1.4 + 0.34 * len(rows)))
    for k, (_, value, shade) in enumerate(rows):
        ax.barh(k, value, color=shade, height=0.6)
        ax.annotate(f"{value:.4f}", (1.02, k), xycoords=("axes fraction", "data"), fontsize=8, va="center")
    ax.axvline(found.loss, color=ACCENT, linewidth=1.2, linestyle="--")
    ax.axvline(0.0, color=INK, linewidth=0.6)
    ax.set_yticks(range(len(rows)), [row[0] for row in rows], fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel("expected welfare (dashed: first best less the bound)")
    share = (
        "" if found.decided is None else f"{found.decided:.1%} of the states decided alike in every optimum"
    )
    titled(tidy(ax), f"{named(found.instance)}: what incentives cost", share)
    return ax


def plot_costs(found: Explanation) -> list[Axes]:
    """A map for each buyer: what keeping each of his types from lying costs, over his first two signals."""
    buyers = found.space.instance.buyers
    panels = new_grid(1, len(buyers), (3.4, 3.2))
    table = found.by_type
    for panel, buyer in zip(panels, buyers, strict=True):
        own = table[table["buyer"] == buyer.name]
        names = list(buyer.signals[:2])
        grouped = own.groupby(names)["cost"].sum()
        if len(names) == 1:
            panel.plot(
                grouped.index.to_numpy(), grouped.to_numpy(), color=COLOURS[0], marker="o", markersize=3
            )
            panel.set_ylabel("cost")
        else:
            grid = grouped.unstack()
            x, y = (np.asarray(index, dtype=float) for index in (grid.index, grid.columns))
            image = panel.pcolormesh(x, y, grid.to_numpy().T, cmap=MAP, shading="nearest", rasterized=True)
            panel.figure.colorbar(image, ax=panel, pad=0.02).ax.tick_params(labelsize=7)
            panel.set_ylabel(named(names[1]))
        panel.set_xlabel(named(names[0]))
        titled(panel, f"buyer {named(buyer.name)}", f"{found.incentives[buyer.name]:.4f} in all")
    return panels
