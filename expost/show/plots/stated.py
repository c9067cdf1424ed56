"""A stated mechanism on a grid: who wins where, and where the first best is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expost.runs.check import CheckReport
from expost.runs.own import Allocated
from expost.show.plots.regions import plot_losses, plot_regions
from expost.show.plots.slices import At
from expost.show.plots.style import figure_of, named, new_grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def stated_figure(
    drawn: Allocated, title: str, x: str | None = None, y: str | None = None, at: At = None
) -> Figure:
    """Regions and losses over two signals, the others held or averaged."""
    panels = new_grid(1, 2, (4.7, 3.9), own=True)
    plot_regions(drawn, x, y, at, ax=panels[0])
    plot_losses(drawn, x, y, at, ax=panels[1])
    figure: Figure = figure_of(panels)
    figure.suptitle(title, fontsize=11)
    return figure


class CheckPlots:
    """The picture of a checked mechanism, on its grid."""

    def __init__(self, found: CheckReport) -> None:
        self._found = found

    def __call__(self, x: str | None = None, y: str | None = None, at: At = None) -> Figure:
        """Who wins where, and where the first best is lost."""
        found = self._found
        assert found.drawn is not None
        grid = found.drawn.space.grid.describe()
        verdict = "" if found.admissible else ", not admissible"
        return stated_figure(
            found.drawn,
            f"{named(found.mechanism)} on {named(found.instance)}, grid {grid}{verdict}",
            x,
            y,
            at,
        )
