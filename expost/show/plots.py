"""Figures of a saved run. Every function takes ``ax=None`` and returns the axes that it drew on."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._typing import Array
from expost.errors import InputError
from expost.files import write_whole
from expost.mechanisms.menu import Menu
from expost.mechanisms.prices import Prices
from expost.runs.run import Run, winners
from expost.spaces.type_space import TypeSpace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
COLOURS = ("#e8e6e1", "#3b6ea5", "#c8553d", "#6a994e", "#8e6c8a", "#d9a441", "#4a9c9c")
"""Nobody, then the buyers in order."""


class RunPlots:
    """The pictures of a run: call it for the overview."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def __call__(self) -> Figure:
        """One row per buyer: who wins over his signals at the others' median types, and his terms."""
        return run_figure(self.run)


def draw_run(run: Run, out: Path) -> None:
    """Draw ``run`` into the file ``out``. Raises InputError for another kind of file."""
    if out.suffix not in FORMATS:
        raise InputError(f"{out.suffix or 'no'} suffix", where="out", expected=f"one of {', '.join(FORMATS)}")
    write_whole(out, rendered(run_figure(run), out.suffix[1:]))


def rendered(figure: Figure, form: str) -> bytes:
    """The bytes of a figure as ``png``, ``svg`` or ``pdf``."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, dpi=150)
    return buffer.getvalue()


def run_figure(run: Run) -> Figure:
    """One row per buyer: who wins over his signals at the others' median types, and his terms."""
    from matplotlib.figure import Figure

    n = run.instance.n
    figure = Figure(figsize=(10.0, 3.8 * n), layout="constrained")
    axes = np.atleast_2d(figure.subplots(n, 2))
    for i in range(n):
        plot_allocation(run, i, ax=axes[i, 0])
        plot_terms(run, i, ax=axes[i, 1])
    record = run.record
    figure.suptitle(f"{record.instance}, {record.timing}: welfare {record.welfare:.6f} on the grid")
    return figure


def plot_allocation(
    run: Run, buyer: int = 0, state: Sequence[int] | None = None, ax: Axes | None = None
) -> Axes:
    """Who wins over the buyer's first two signals (or his only one), the others' types held fixed.

    state: the type of every buyer; by default the middle one. Further own signals are held there too.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    ax = _axes(ax)
    space, n = run.space, run.instance.n
    fixed = _types_at(space, 0.5) if state is None else list(state)
    winner = winners(run.mechanism.allocation)[
        tuple(slice(None) if j == buyer else fixed[j] for j in range(n))
    ]
    _own_map(
        ax, space, buyer, winner, fixed[buyer], cmap=ListedColormap(COLOURS[: n + 1]), vmin=-0.5, vmax=n + 0.5
    )
    names = ["nobody", *(f"buyer {other.name}" for other in run.instance.buyers)]
    ax.legend(handles=[Patch(color=COLOURS[k], label=name) for k, name in enumerate(names)], fontsize="small")
    at = ", ".join(
        f"{name} = {column[fixed[j]]:.3g}"
        for j, own in enumerate(space.types)
        if j != buyer
        for name, column in own.items()
    )
    ax.set_title(f"who wins, at {at}" if at else "who wins", fontsize="medium")
    return ax


def plot_terms(run: Run, buyer: int = 0, ax: Axes | None = None) -> Axes:
    """The buyer's prices over the others' signals, or his strikes over his first signal."""
    terms = run.mechanism.terms[buyer]
    if isinstance(terms, Menu):
        return plot_strikes(run, terms, ax=ax)
    assert isinstance(terms, Prices)
    return plot_prices(run, terms, ax=ax)


def plot_prices(run: Run, prices: Prices, ax: Axes | None = None) -> Axes:
    """Static prices over the signals of one other buyer, the rest at their middle types; one line without others."""
    ax = _axes(ax)
    space = run.space
    name = run.instance.buyers[prices.buyer].name
    others = [j for j in range(space.n) if j != prices.buyer]
    if not others:
        ax.axhline(float(prices.price), color=COLOURS[1])
        ax.set_xticks([])
        ax.set_ylabel("price")
        ax.set_title(f"price of buyer {name}: {float(prices.price):.6g}", fontsize="medium")
        return ax
    middle = _types_at(space, 0.5)
    fixed = tuple(slice(None) if k == 0 else middle[j] for k, j in enumerate(others))
    price = np.where(np.isfinite(prices.price), prices.price, np.nan)[fixed]
    image = _own_map(ax, space, others[0], price, middle[others[0]], cmap="viridis")
    if image is not None:
        ax.figure.colorbar(image, ax=ax, label="price")
    ax.set_title(f"price of buyer {name} (blank: never wins)", fontsize="medium")
    return ax


def plot_strikes(run: Run, menu: Menu, ax: Axes | None = None) -> Axes:
    """Strikes over the first signal, with all signals of the others low, .., middle, .., high."""
    ax = _axes(ax)
    space = run.space
    stages = menu.stages
    levels = space.types[menu.buyer][stages.first][stages.types[:, 0]]
    for fibre in _fibres_across(space, menu.buyer):
        strike = np.where(np.isfinite(menu.strike[fibre]), menu.strike[fibre], np.nan)
        ax.step(levels, strike, where="mid", label=_fibre_label(space, menu.buyer, int(fibre)))
    ax.set_xlabel(f"{stages.first} (first stage)")
    ax.set_ylabel("strike")
    ax.legend(fontsize="small")
    ax.set_title(f"menu of buyer {run.instance.buyers[menu.buyer].name}", fontsize="medium")
    return ax


def _types_at(space: TypeSpace, level: float) -> list[int]:
    """The type of each buyer whose signals all sit at the relative place ``level`` of their points."""
    types = []
    for buyer in space.instance.buyers:
        counts = [space.grid.size(name) for name in buyer.signals]
        types.append(int(np.ravel_multi_index([int(level * (count - 1)) for count in counts], counts)))
    return types


def _fibres_across(space: TypeSpace, buyer: int) -> list[int]:
    """A few fibres of the buyer, from low to high signals of the others; the only one without others."""
    others = [j for j in range(space.n) if j != buyer]
    if not others:
        return [0]
    shape = [space.shape[j] for j in others]
    places = [[_types_at(space, level)[j] for j in others] for level in (0.1, 0.3, 0.5, 0.7, 0.9)]
    return sorted({int(np.ravel_multi_index(place, shape)) for place in places})


def _fibre_label(space: TypeSpace, buyer: int, fibre: int) -> str:
    others = [j for j in range(space.n) if j != buyer]
    if not others:
        return "strike"
    at = np.unravel_index(fibre, [space.shape[j] for j in others])
    return ", ".join(
        f"{name} = {column[t]:.2g}"
        for j, t in zip(others, at, strict=True)
        for name, column in space.types[j].items()
    )


def _own_map(ax: Axes, space: TypeSpace, buyer: int, array: Array, middle: int, **style: Any) -> Any:
    """Draw an array over one buyer's types: a map over his first two signals, or a step line over his only one."""
    names = space.instance.buyers[buyer].signals
    counts = tuple(space.grid.size(name) for name in names)
    cube = np.asarray(array, dtype=np.float64).reshape(counts)
    rest = np.unravel_index(middle, counts)[2:]
    columns = [space.types[buyer][name].reshape(counts) for name in names]
    ax.set_xlabel(names[0])
    if len(names) == 1 and "vmin" in style:  # a map of few colours: a strip along his only signal
        ax.set_yticks([])
        return ax.pcolormesh(columns[0], [0.0, 1.0], np.stack([cube, cube]), shading="nearest", **style)
    if len(names) == 1:
        ax.step(columns[0], cube, where="mid", color=COLOURS[1])
        ax.set_ylabel("price")
        return None
    ax.set_ylabel(names[1])
    plane: Any = (slice(None), slice(None), *rest)
    return ax.pcolormesh(columns[0][plane], columns[1][plane], cube[plane], shading="nearest", **style)


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    return Figure(figsize=(5.0, 4.0), layout="constrained").subplots()
