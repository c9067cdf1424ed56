"""Brackets: how both bounds closed in on the continuum's second best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from expost._shown import apart, percent
from expost.brackets import Bracket
from expost.brackets.records import LOWER, RIGOROUS, UPPER, Bound
from expost.show.plots.style import COLOURS, INK, MUTED, named, new_axes, tidy, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_history(bracket: Bracket, *, ax: Axes | None = None) -> Axes:
    """The best lower and upper bound over the seconds in which they were found, every bound as a dot.

    A hollow dot is statistical: it holds with the confidence that the title says. Estimates are crosses, never bounds.
    """
    ax = new_axes(ax, (6.0, 3.9))
    end = max([bracket.seconds, *(bound.seconds for bound in bracket.history)])
    for side, final, shade in ((UPPER, bracket.upper, COLOURS[1]), (LOWER, bracket.lower, COLOURS[0])):
        found = sorted((b for b in bracket.history if b.side == side), key=lambda bound: bound.seconds)
        found = found or [final]
        when = np.array([bound.seconds for bound in found] + [end])
        values = np.array([bound.value for bound in found])
        best = (np.minimum if side == UPPER else np.maximum).accumulate(values)
        ax.step(when, [*best, final.value], where="post", color=shade, linewidth=1.8)
        for bound in found:
            face = shade if bound.kind == RIGOROUS else "white"
            ax.plot([bound.seconds], [bound.value], "o", color=shade, markerfacecolor=face, markersize=5)
        _mark(ax, final, "at most" if side == UPPER else "at least", apart(bracket.width))
    for estimate in bracket.estimates:
        ax.plot(
            [end], [estimate.value], "x", color=MUTED, markersize=7, label=f"estimate {estimate.value:.5g}"
        )
    ax.axhspan(bracket.lower.value, bracket.upper.value, color=COLOURS[3], alpha=0.35, linewidth=0)
    _focus(ax, bracket)
    ax.set_xlabel("seconds")
    ax.set_ylabel("expected welfare")
    if bracket.estimates:
        ax.legend(fontsize=8, loc="center right")
    held = [f"first: {', '.join(map(named, bracket.first))}"] if bracket.first else []
    certainty = (
        ""
        if bracket.lower.kind == bracket.upper.kind == RIGOROUS
        else f"; hollow: statistical, confidence {bracket.confidence:.2%}"
    )
    titled(
        tidy(ax),
        f"{named(bracket.instance)}, {bracket.timing}: the continuum's second best",
        *held,
        f"width {percent(bracket.relative_width)} of the upper end{certainty}",
    )
    return ax


def _mark(ax: Axes, bound: Bound, word: str, decimals: int) -> None:
    """What a final bound says, to the right of the picture: five digits, or ``decimals`` where six are too few."""
    value = f"{bound.value:.{decimals}f}" if decimals > 6 else f"{bound.value:.5g}"
    ax.annotate(
        f"{word}\n{value}",
        (1.02, bound.value),
        xycoords=("axes fraction", "data"),
        va="bottom" if bound.side == UPPER else "top",
        fontsize=8,
        color=INK,
    )


def _focus(ax: Axes, bracket: Bracket) -> None:
    """Look at what counts: three widths around the final bracket, and what of the history lies there."""
    room = 3.0 * max(bracket.width, 1e-3 * abs(bracket.upper.value))
    values = [bound.value for bound in bracket.history] + [bracket.lower.value, bracket.upper.value]
    low, high = max(min(values), bracket.lower.value - room), min(max(values), bracket.upper.value + room)
    edge = 0.12 * max(high - low, 1e-12)
    ax.set_ylim(low - edge, high + edge)
