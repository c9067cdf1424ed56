"""The usual picture of a run: who wins where, where the first best is lost, everybody's terms."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from expost.runs.run import Run
from expost.show.plots.regions import plot_losses, plot_regions
from expost.show.plots.slices import At
from expost.show.plots.style import (
    figure_of,
    named,
    new_grid,
    require_format,
    require_matplotlib,
    write_figure,
)
from expost.show.plots.terms import plot_terms

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def run_figure(run: Run, x: str | None = None, y: str | None = None, at: At = None) -> Figure:
    """Regions and losses over two signals, and the terms of every buyer."""
    n = run.instance.n
    columns = 3 if n == 1 else 2 if n == 2 else 3 if n < 8 else 4
    rows = math.ceil((n + 2) / columns)
    panels = new_grid(rows, columns, (4.7, 3.9), own=True)
    plot_regions(run, x, y, at, ax=panels[0])
    plot_losses(run, x, y, ax=panels[1])
    for i in range(n):
        plot_terms(run, i, at, ax=panels[2 + i])
    for panel in panels[n + 2 :]:
        panel.set_visible(False)
    figure: Figure = figure_of(panels)
    share = "" if run.share is None else f", {run.share:.2%} of the first-best gain"
    record = run.record
    figure.suptitle(
        f"{named(record.instance)}, {record.timing}, grid {run.settings.grid.describe()}: "
        f"welfare {record.welfare:.6g}{share}",
        fontsize=11,
    )
    return figure


def draw_run(run: Run, out: Path, axes: tuple[str, ...] = (), at: At = None, over: str | None = None) -> None:
    """Draw ``run`` into the file ``out``: the overview, or with ``over`` small multiples of the regions.

    axes: none, one or two signals. Raises InputError for another kind of file, and for signals that there are not.
    """
    require_format(out)
    require_matplotlib()
    x, y = (*axes, None, None)[:2]
    if over is not None:
        write_figure(figure_of(plot_regions(run, x, y, at, over=over)), out)
    else:
        write_figure(run_figure(run, x, y, at), out)
