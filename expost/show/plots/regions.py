"""Who wins where, under the second best and under the first best, over any two signals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._typing import Array, Bool, Int64
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.runs.labelled import labelled
from expost.runs.own import Allocated
from expost.runs.run import Run
from expost.show.first_best import efficient_rule
from expost.show.plots.slices import At, average, axes_of, axis_label, hold, points, spoken
from expost.show.plots.style import (
    ACCENT,
    INK,
    MAP,
    NOBODY,
    colour,
    edges,
    legend_below,
    named,
    new_axes,
    new_grid,
    titled,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

MANY = 6
"""Panels of small multiples at most."""


def plot_regions(
    run: Run | Allocated,
    x: str | None = None,
    y: str | None = None,
    at: At = None,
    *,
    first_best: bool = True,
    over: str | None = None,
    ax: Axes | None = None,
) -> Axes | list[Axes]:
    """Who wins over the signals ``x`` and ``y``, the others held at ``at`` (by default at their middle points).

    first_best: also draw where the efficient rule changes hands, as a line. over: a third signal; one panel for each of
    up to six of its points, and a list of axes is returned (``ax`` is not taken then).
    Raises InputError for signals that there are not, or values that are no numbers.
    """
    if over is not None:
        return _multiples(run, x, y, at, over, first_best)
    ax = new_axes(ax)
    names = axes_of(run.space, x, y)
    rule = _coded(run, run.mechanism.allocation)
    shown, held = hold(rule, names, at)
    kinds = _draw_map(ax, shown, names)
    handles = [_patch(run.instance, kind) for kind in kinds]
    if first_best:
        efficient, _ = hold(_coded(run, efficient_rule(run.space)), names, at)
        handles += _draw_border(ax, efficient, names)
    if len(handles) > 1:
        legend_below(ax, handles=handles)
    titled(ax, f"who wins on {named(run.instance.name)}", f"held: {held}" if held else "")
    return ax


def plot_losses(
    run: Run | Allocated, x: str | None = None, y: str | None = None, at: At = None, *, ax: Axes | None = None
) -> Axes:
    """What the second best loses against the first best in each state (unit: values), over two signals.

    The other signals are averaged over, but for those in ``at``, which are held.
    """
    ax = new_axes(ax)
    names = axes_of(run.space, x, y)
    realized = run.mechanism.state_welfare(run.space.gains)
    attainable = np.where(efficient_rule(run.space), run.space.gains, 0.0).sum(axis=0)
    lost = labelled(run.space, attainable - realized, name="loss", about="first best less second best")
    shown, held = average(run.space, lost, names, at)
    draw_quantity(ax, shown, names, "welfare lost", floor=0.0)
    share = "" if run.share is None else f": {1 - run.share:.1%} of the first-best gain"
    titled(ax, f"where the first best is lost{share}", held)
    return ax


def draw_quantity(
    ax: Axes, array: xr.DataArray, names: Sequence[str], label: str, *, floor: float | None = None
) -> Any:
    """A map of a quantity over two signals with its scale, or a line over one; ``floor``: where the scale begins."""
    if len(names) == 1:
        ax.step(points(array, names[0]), array.to_numpy(), where="mid", color=colour(0)[0])
        ax.set_xlabel(axis_label(array, names[0]))
        ax.set_ylabel(label)
        return None
    image = ax.pcolormesh(
        edges(points(array, names[0])),
        edges(points(array, names[1])),
        array.to_numpy().T,
        cmap=MAP,
        vmin=floor,
        vmax=None if floor is None or float(array.max()) > floor else floor + 1.0,
        rasterized=True,
    )
    ax.set_facecolor(NOBODY)
    _label_axes(ax, array, names)
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02)
    bar.set_label(label, fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return image


def _multiples(
    run: Run | Allocated, x: str | None, y: str | None, at: At, over: str, first_best: bool
) -> list[Axes]:
    names = axes_of(run.space, x, y)
    if over not in run.instance.signals or over in names:
        left = [name for name in run.instance.signals if name not in names]
        raise InputError(f"{over!r}"[:80], where="over", expected=f"of {', '.join(left)}")
    array = _coded(run, run.mechanism.allocation)
    count = min(array.sizes[over], MANY)
    places = np.unique(np.linspace(0, array.sizes[over] - 1, count).round().astype(int))
    columns = min(3, len(places))
    panels = new_grid(math.ceil(len(places) / columns), columns, (3.3, 3.2))
    drawn: list[Axes] = []
    entries: dict[Any, Any] = {}
    for k, panel in enumerate(panels):
        if k >= len(places):
            panel.set_visible(False)
            continue
        value = float(array[over][places[k]])
        here = {**(at or {}), over: value}
        x, y = (*names, None)[:2]
        ax = plot_regions(run, x, y, here, first_best=first_best, ax=panel)
        assert not isinstance(ax, list)
        _, held = hold(array, [*names, over], {k: v for k, v in (at or {}).items() if k != over})
        titled(ax, spoken(array, over, int(places[k])), held)
        if legend := ax.get_legend():
            entries |= {handle.get_label(): handle for handle in legend.legend_handles if handle is not None}
            legend.remove()
        drawn.append(ax)
    panels[0].figure.suptitle(f"who wins on {named(run.instance.name)}", fontsize=11)
    panels[0].figure.legend(
        handles=list(entries.values()), loc="outside lower center", ncols=5, fontsize=8, frameon=False
    )
    return drawn


def _coded(run: Run | Allocated, rule: Bool) -> xr.DataArray:
    """The set of winners of each state as a number, a bit for each buyer."""
    bits = np.left_shift(np.int64(1), np.arange(len(rule)))
    codes = np.tensordot(bits, rule.astype(np.int64), axes=1) if len(rule) > 1 else rule[0].astype(np.int64)
    return labelled(run.space, codes, name="winners", about="who wins, a bit for each buyer")


def _draw_map(ax: Axes, shown: xr.DataArray, names: Sequence[str]) -> Int64:
    """Draw codes over one or two signals; returns the codes that are there."""
    from matplotlib.colors import ListedColormap

    codes = _two_axes(shown)
    horizontal = edges(points(shown, names[0]))
    vertical = edges(points(shown, names[1])) if len(names) > 1 else np.array([0.0, 1.0])
    kinds = np.unique(codes)
    for kind in kinds:
        face, hatch = _look(int(kind))
        cells = np.where(codes == kind, 1.0, np.nan).T
        paint: dict[str, Any] = {"cmap": ListedColormap([face])}
        if hatch:
            ax.pcolor(horizontal, vertical, cells, hatch=hatch, edgecolor=INK, linewidth=0.0, **paint)
        else:
            ax.pcolormesh(horizontal, vertical, cells, rasterized=True, **paint)
    _label_axes(ax, shown, names)
    return kinds


def _two_axes(shown: xr.DataArray) -> Array:
    codes = np.asarray(shown.to_numpy())
    return codes if codes.ndim == 2 else codes[:, None]


def _label_axes(ax: Axes, shown: xr.DataArray, names: Sequence[str]) -> None:
    ax.set_xlabel(axis_label(shown, names[0]))
    if len(names) > 1:
        ax.set_ylabel(axis_label(shown, names[1]))
    else:
        ax.set_yticks([])
    ax.tick_params(labelsize=8)


def _draw_border(ax: Axes, shown: xr.DataArray, names: Sequence[str]) -> list[Any]:
    """A line along the borders of cells where the winners change; its entry in the legend, if there is any."""
    from matplotlib.collections import LineCollection
    from matplotlib.lines import Line2D

    codes = _two_axes(shown)
    horizontal = edges(points(shown, names[0]))
    vertical = edges(points(shown, names[1])) if len(names) > 1 else np.array([0.0, 1.0])
    right, top = np.nonzero(np.diff(codes, axis=0)), np.nonzero(np.diff(codes, axis=1))
    lines = [
        ((horizontal[i + 1], vertical[j]), (horizontal[i + 1], vertical[j + 1]))
        for i, j in zip(*right, strict=True)
    ]
    lines += [
        ((horizontal[i], vertical[j + 1]), (horizontal[i + 1], vertical[j + 1]))
        for i, j in zip(*top, strict=True)
    ]
    if not lines:
        return []
    for width, shade in ((3.4, "white"), (1.7, ACCENT)):
        ax.add_collection(LineCollection(lines, colors=shade, linewidths=width, capstyle="round"))
    return [Line2D([], [], color=ACCENT, linewidth=1.7, label="first best changes hands")]


def _look(code: int) -> tuple[str, str]:
    """The colour and hatch of a set of winners; of several units, the first winner's colour, hatched."""
    if code == 0:
        return NOBODY, ""
    winners = [k for k in range(code.bit_length()) if code >> k & 1]
    face, hatch = colour(winners[0])
    return (face, hatch) if len(winners) == 1 else (face, "++")


def _patch(instance: Instance, code: int) -> Any:
    from matplotlib.patches import Patch

    face, hatch = _look(int(code))
    winners = [named(instance.buyers[k].name) for k in range(instance.n) if int(code) >> k & 1]
    label = f"buyer {', '.join(winners)}" if winners else "nobody"
    return Patch(facecolor=face, hatch=hatch, edgecolor=INK, linewidth=0.5, label=label)
