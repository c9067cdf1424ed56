"""The figures of the page on Bikhchandani (2006). Each function draws one and returns numbers that pin it down."""

from __future__ import annotations

from typing import Any

import numpy as np

from expost.instances.environment import Buyer, Instance
from expost.papers.bikhchandani.pivotal_prices import (
    PivotalPrices,
    curve_index,
    diagonal_value,
    largest_on_curve,
)
from expost.papers.fibres import fibres

BLUE, RED, GREY, PALE = "#1f5f99", "#b5452c", "#666666", "#dddddd"


def curved() -> Instance:
    """An instance with curved indifference curves for both buyers, in the spirit of Figure 1."""
    return Instance(
        "curved",
        (
            Buyer("1", ("a1", "b1"), "a1 + 0.8*b1 + 0.5*a1*b1 + 0.3*a2"),
            Buyer("2", ("a2", "b2"), "a2 + 0.7*b2 + 0.6*sqrt(a1 + 0.1) - 0.6*sqrt(0.1) + 0.3*b1**2"),
        ),
    )


OTHERS = {"a2": 0.5, "b2": 0.5}


def figure_1(axes: Any) -> dict[str, float]:
    """Indifference curves of both buyers in buyer 1's signals, with the pivotal one (Figure 1)."""
    instance = curved()
    others = {name: np.array([value]) for name, value in OTHERS.items()}
    price = float(PivotalPrices(instance).price(0, others)[0])
    side = np.linspace(0.0, 1.0, 201)
    a, b = np.meshgrid(side, side)
    signals = {"a1": a, "b1": b} | {name: np.full(a.shape, value) for name, value in OTHERS.items()}
    own, rival = instance.value(0, signals), instance.value(1, signals)
    axes.contour(a, b, own, levels=np.linspace(0.3, 2.3, 9), colors=BLUE, linewidths=0.7)
    axes.contour(
        a, b, rival, levels=np.linspace(0.85, 1.5, 8), colors=RED, linewidths=0.7, linestyles="dashed"
    )
    axes.contour(a, b, own, levels=[price], colors=BLUE, linewidths=2.4)
    on_curve = np.abs(own - price) < 4e-3
    at = np.argmax(np.where(on_curve, rival, -np.inf))
    axes.plot(a.flat[at], b.flat[at], "o", color=RED, markersize=7)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.6)
    axes.annotate(f"$V_1 = t_1^* = {price:.3f}$", (0.52, 0.62), color=BLUE)
    axes.annotate("most for buyer 2", (a.flat[at] + 0.03, b.flat[at] - 0.05), color=RED)
    axes.set(xlabel="$a_1$", ylabel="$b_1$", title="buyer 1 solid, buyer 2 dashed")
    fibre, _ = fibres(instance, 0, others)
    index = curve_index(fibre, np.array([price]))
    return {
        "price": price,
        "lambda": float(index[0]),
        "largest": float(largest_on_curve(fibre, 1, index)[0]),
        "own": float(diagonal_value(fibre, index)[0]),
    }


def figure_gap(axes: Any) -> dict[str, float]:
    """g_12(lambda) on the same fibre: it rises through zero at the pivotal indifference curve."""
    instance = curved()
    index = np.linspace(0.0, 1.0, 41)
    others = {name: np.full(41, value) for name, value in OTHERS.items()}
    fibre, _ = fibres(instance, 0, others)
    own, largest = diagonal_value(fibre, index), largest_on_curve(fibre, 1, index)
    axes.plot(index, own, color=BLUE, label=r"$V_1(\lambda 1, s_2)$")
    axes.plot(index, largest, "--", color=RED, label=r"$V^m_{12}(\lambda, s_2)$")
    axes.plot(index, own - largest, color=GREY, linewidth=1, label=r"$g_{12}$")
    axes.axhline(0.0, color=PALE)
    axes.legend(frameon=False)
    axes.set(xlabel=r"$\lambda$", title="Lemma 2: the gap rises")
    return {"least step of g": float(np.diff(own - largest).min()), "g(0)": float((own - largest)[0])}


def _regions(axes: Any, prices: str, c: tuple[float, float]) -> dict[str, float]:
    side = np.linspace(0.0, 1.0, 401)
    p1, p2 = np.meshgrid(side, side)
    t1, t2 = (p2 + c[1], p1 + c[0]) if prices == "t*" else (p2 + c[1] ** 2, p1 + c[0] ** 2)
    wins = [p1 + c[0] * c[1] > t1, p2 + c[0] * c[1] > t2]
    colour = np.where(wins[0], 1.0, np.where(wins[1], 2.0, 0.0))
    axes.contourf(p1, p2, colour, levels=[-0.5, 0.5, 1.5, 2.5], colors=[PALE, "#9fc2e0", "#e7b3a5"])
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":")
    axes.set(xlabel="$p_1$", ylabel="$p_2$", title=f"{'$t^*$' if prices == 't*' else 'Example 2'}, c = {c}")
    axes.text(0.72, 0.12, "$a_1$")
    axes.text(0.1, 0.85, "$a_2$")
    return {f"{prices} {c} buyer {i + 1}": float(wins[i].mean()) for i in range(2)}


def figure_regions(axes: Any) -> dict[str, float]:
    """Allocation regions of Examples 1 and 2 in the plane of private parts, at two pairs of common parts."""
    numbers: dict[str, float] = {}
    for row, prices in enumerate(("t*", "example2")):
        for column, c in enumerate(((0.5, 0.5), (0.2, 0.8))):
            numbers |= _regions(axes[row][column], prices, c)
    axes[1][1].plot(0.5, 0.4, "k.")
    axes[1][1].annotate("state of the text", (0.52, 0.36), fontsize=8)
    return numbers


def figure_3(axes: Any) -> dict[str, float]:
    """The partition of the signals when the item is always sold, and under t*, along two coordinates (Figure 3)."""
    side = np.linspace(-1.0, 1.0, 401)
    gap, c2 = np.meshgrid(side, np.linspace(0.0, 1.0, 401))
    c1 = 0.5
    always = np.where(gap > 0.0, 1.0, 2.0)
    lost = np.where(gap > c2 * (1 - c1), 1.0, np.where(-gap > c1 * (1 - c2), 2.0, 0.0))
    panels = ((axes[0], always, "always sold: one boundary"), (axes[1], lost, "$t^*$: kept between"))
    for ax, colour, title in panels:
        ax.contourf(gap, c2, colour, levels=[-0.5, 0.5, 1.5, 2.5], colors=[PALE, "#9fc2e0", "#e7b3a5"])
        ax.set(xlabel="$p_1 - p_2$", ylabel="$c_2$", title=title)
        ax.text(0.55, 0.1, "$a_1$")
        ax.text(-0.7, 0.1, "$a_2$")
    axes[1].text(-0.08, 0.55, "$a_0$")
    return {"kept at c1 = 0.5": float((lost == 0.0).mean())}


def figure_series(axes: Any, series: dict[str, list[float]], grids: tuple[int, ...]) -> dict[str, float]:
    """The largest dominating gain against the grid: it vanishes over Example 2's prices and stays over t*."""
    for (name, gains), colour in zip(series.items(), (RED, BLUE), strict=True):
        axes.plot(grids, gains, "o-", color=colour, label=name)
    axes.set(
        xlabel="points per signal", ylabel="largest gain", ylim=(0, None), title="what can still be gained"
    )
    axes.legend(frameon=False)
    return {
        f"{name} at {grid}": gain
        for name, gains in series.items()
        for grid, gain in zip(grids, gains, strict=True)
    }
