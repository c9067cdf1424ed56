"""What each buyer is offered: his prices over the others' signals, or his strikes and fees over his first one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.mechanisms.menu import Menu
from expost.mechanisms.prices import PriceTable
from expost.runs.labelled import labelled
from expost.runs.run import Run
from expost.show.plots.regions import draw_quantity
from expost.show.plots.slices import At, axes_of, axis_label, hold, points, spoken
from expost.show.plots.style import COLOURS, MUTED, legend_below, named, new_axes, tidy, titled

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

CURVES = 5
"""Curves of a menu: as many points of one signal of the others."""
VISIBLE = 0.03
"""A band narrower than this share of the picture is not seen."""
STROKES = ("-", "--", "-.", ":", (0, (6, 1.5, 1, 1.5, 1, 1.5)))


def buyer_of(run: Run, buyer: str | int | None, kind: type | None = None) -> int:
    """The place of a buyer given by name or, from 0, by number; by default the first with terms of that kind.

    Raises InputError when there is none.
    """
    names = [own.name for own in run.instance.buyers]
    fitting = [k for k, terms in enumerate(run.mechanism.terms) if kind is None or isinstance(terms, kind)]
    wanted = {PriceTable: "a buyer with prices (static)", Menu: "a buyer with a menu (sequential)"}
    what = "a buyer" if kind is None else wanted[kind]
    known = ", ".join(names[k] for k in fitting) or "nobody here"
    if buyer is None and fitting:
        return fitting[0]
    if isinstance(buyer, str) and buyer in names:
        place = names.index(buyer)
    elif isinstance(buyer, int) and not isinstance(buyer, bool) and 0 <= buyer < len(names):
        place = buyer
    else:
        place = -1
    if place not in fitting:
        raise InputError(f"{buyer!r}"[:80], where="buyer", expected=f"{what}: {known}")
    return place


def plot_prices(
    run: Run,
    buyer: str | int | None = None,
    x: str | None = None,
    y: str | None = None,
    at: At = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """A static buyer's price over two of the others' signals, or over one (``y=""``) with what else would implement it.

    Blank where he never wins. at: where the others' further signals are held, by default at their middle points.
    """
    ax = new_axes(ax)
    i = buyer_of(run, buyer, PriceTable)
    own = run.instance.buyers[i]
    prices = run.prices[own.name]
    title = f"price of buyer {named(own.name)}"
    if not prices.dims:
        return _only_price(ax, float(prices), title)
    among = [str(dim) for dim in prices.dims]
    names = axes_of(run.space, x, None if y == "" else y, among)[: 1 if y == "" else 2]
    shown, held = hold(prices, names, at)
    finite = shown.where(np.isfinite(shown))
    if len(names) == 1:
        _price_curve(ax, run, i, names, at)
    else:
        draw_quantity(ax, finite, names, "price")
    never = "blank: he never wins there" if bool(finite.isnull().any()) else ""
    titled(ax, title, f"held: {held}" if held else "", never)
    return ax


def _only_price(ax: Axes, price: float, title: str) -> Axes:
    if np.isfinite(price):
        ax.axhline(price, color=COLOURS[0])
    ax.set_xticks([])
    ax.set_ylabel("price")
    titled(tidy(ax), f"{title}: {price:.6g}" if np.isfinite(price) else f"{title}: he never wins")
    return ax


def _price_curve(ax: Axes, run: Run, i: int, names: list[str], at: At) -> None:
    terms: Any = run.mechanism.terms[i]
    others = [j for j in range(run.space.n) if j != i]
    low, high, price = (
        hold(labelled(run.space, part, others, name="price", about="price"), names, at)[0]
        for part in (terms.lower, terms.upper, terms.price)
    )
    along = points(price, names[0])
    inner = np.isfinite(low) & np.isfinite(high)
    lowest, highest = low.where(inner).to_numpy(), high.where(inner).to_numpy()
    scale = np.ptp(price.to_numpy()[np.isfinite(price)]) if np.isfinite(price).any() else 0.0
    seen = bool(((highest - lowest) > VISIBLE * scale).any())
    ax.fill_between(
        along,
        lowest,
        highest,
        color=COLOURS[1],
        alpha=0.45,
        linewidth=0,
        label="implements the rule too" if seen else None,
    )
    ax.plot(
        along,
        np.where(np.isfinite(price), price, np.nan),
        color=COLOURS[0],
        marker="o",
        markersize=3,
        label="price",
    )
    legend_below(ax)
    ax.set_xlabel(axis_label(price, names[0]))
    ax.set_ylabel("price")
    tidy(ax)


def plot_strikes(
    run: Run,
    buyer: str | int | None = None,
    over: str | None = None,
    at: At = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """A sequential buyer's strikes over his first signal, a curve for each of up to five points of ``over``.

    over: a signal of the others, by default their first. at: where their further signals are held.
    """
    ax = new_axes(ax)
    i = buyer_of(run, buyer, Menu)
    menu = _menu(run, i)
    _curves(ax, run, i, menu.strike, over, at, "strike")
    ax.set_ylabel("strike")
    return ax


def plot_fees(
    run: Run,
    buyer: str | int | None = None,
    over: str | None = None,
    at: At = None,
    *,
    ax: Axes | None = None,
) -> Axes:
    """A sequential buyer's fees over his first signal: the seller's best, and as thin lines Zik's integral formula."""
    ax = new_axes(ax)
    i = buyer_of(run, buyer, Menu)
    menu = _menu(run, i)
    _curves(ax, run, i, menu.seller_best, over, at, "fee", menu.integral)
    ax.plot([], [], color=MUTED, linewidth=0.8, label="thin: integral formula")
    legend_below(ax)
    ax.set_ylabel("fee (seller-best)")
    return ax


def _menu(run: Run, i: int) -> Menu:
    menu = run.mechanism.terms[i]
    assert isinstance(menu, Menu)
    return menu


def _curves(
    ax: Axes, run: Run, i: int, array: Float, over: str | None, at: At, what: str, thin: Float | None = None
) -> None:
    """Draw (F, A) arrays over the first signal for some points of one signal of the others."""
    menu, name = _menu(run, i), named(run.instance.buyers[i].name)
    levels = run.space.types[i][menu.stages.first][menu.stages.types[:, 0]]
    cube, slim = (_by_signals(run, i, part) for part in (array, array if thin is None else thin))
    others = [str(dim) for dim in cube.dims if dim != "level"]
    title = f"{what}s of buyer {name}"
    if not others:
        ax.step(levels, _drawn(cube), where="mid", color=COLOURS[0], marker="o", markersize=3, label=what)
        if thin is not None:
            ax.step(levels, _drawn(slim), where="mid", color=COLOURS[0], linewidth=0.8)
        titled(ax, title)
    else:
        across = axes_of(run.space, over, None, others)[0]
        shown, held = hold(cube, [across, "level"], at)
        fine, _ = hold(slim, [across, "level"], at)
        places = np.unique(np.linspace(0, shown.sizes[across] - 1, CURVES).round().astype(int))
        for k, place in enumerate(places):
            style: dict[str, Any] = {"color": _shade(k, len(places)), "where": "mid"}
            stroke = STROKES[k % len(STROKES)]
            ax.step(
                levels,
                _drawn(shown[place]),
                linestyle=stroke,
                label=spoken(shown, across, int(place)),
                **style,
            )
            if thin is not None:
                ax.step(levels, _drawn(fine[place]), linewidth=0.8, linestyle=stroke, **style)
        titled(ax, title, f"held: {held}" if held else "")
    ax.set_xlabel(f"{named(menu.stages.first)} (first stage)")
    legend_below(ax)
    tidy(ax)


def _by_signals(run: Run, i: int, array: Float) -> xr.DataArray:
    """(F, A) as labelled by the others' signals, and by the level of the buyer's first one."""
    others = [j for j in range(run.space.n) if j != i]
    shape = tuple(run.space.shape[j] for j in others)
    parts = [
        labelled(run.space, column.reshape(shape), others, name="terms", about="terms")
        for column in np.ascontiguousarray(array.T)
    ]
    import xarray as xr

    return xr.concat(parts, dim="level").transpose(..., "level")


def _drawn(array: xr.DataArray) -> Float:
    values = np.asarray(array.to_numpy(), dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _shade(k: int, count: int) -> Any:
    from matplotlib import colormaps

    return colormaps["cividis"](0.7 * k / max(count - 1, 1))


def plot_shadow_prices(
    run: Run, x: str | None = None, y: str | None = None, at: At = None, *, ax: Axes | None = None
) -> Axes:
    """What one more item would be worth (unit: values) over two signals: where admissibility binds, and how much.

    The other signals are averaged over, but for those in ``at``, which are held. Raises InputError for a run without a
    certificate, and for one buyer, who competes with nobody.
    """
    from expost.show.plots.slices import average

    prices = run.shadow_prices
    if prices is None or run.space.n == 1:
        found = "a run without a certificate" if prices is None else "one buyer, with whom nobody competes"
        raise InputError(found, where="shadow_prices", expected="two or more buyers and a certificate")
    ax = new_axes(ax)
    names = axes_of(run.space, x, y)
    shown, held = average(run.space, prices, names, at)
    draw_quantity(ax, shown, names, "shadow price", floor=0.0)
    titled(ax, "what one more item would be worth", held)
    return ax


def plot_terms(run: Run, buyer: int, at: At = None, *, ax: Axes | None = None) -> Axes:
    """A buyer's prices, or his strikes."""
    others = [name for j, own in enumerate(run.instance.buyers) if j != buyer for name in own.signals]
    kept = {name: value for name, value in (at or {}).items() if name in others}
    draw = plot_prices if isinstance(run.mechanism.terms[buyer], PriceTable) else plot_strikes
    return draw(run, buyer, at=kept, ax=ax)
