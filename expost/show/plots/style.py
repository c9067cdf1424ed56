"""What all pictures share: colours that survive grey print and colour-blindness, names as text, axes."""

from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._typing import Array, Float
from expost.errors import InputError
from expost.files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
NOBODY = "#f4f2ee"
COLOURS = ("#1f5a94", "#f0a45d", "#5b2a62", "#a5d3b4", "#ad3b2c", "#ecdf77", "#47776b", "#c9b3d9")
"""The buyers in order: dark and light take turns, so that neighbours differ in grey print too."""
HATCHES = ("", "////", "....", "xx")
"""From the ninth buyer on colours come again, hatched."""
INK, MUTED, ACCENT = "#222222", "#6b6b6b", "#b5402f"
MAP = "cividis"
"""For quantities: of growing lightness, the same to the colour-blind."""
LONGEST = 28
"""Characters of a name in a picture."""


def named(text: str) -> str:
    """A name as the text that it is: dollar signs start no formula, and a long one is cut."""
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return short.replace("$", r"\$")


def colour(buyer: int) -> tuple[str, str]:
    """The colour and the hatch of a buyer, counted from 0."""
    return COLOURS[buyer % len(COLOURS)], HATCHES[buyer // len(COLOURS) % len(HATCHES)]


def require_matplotlib() -> None:
    """Raise InputError where there is no matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError(
            "matplotlib is not installed",
            where="plot",
            expected="the extra that draws",
            remedy="install expost[plot]",
        )


def new_axes(ax: Axes | None, size: tuple[float, float] = (4.6, 3.9)) -> Axes:
    """``ax``, or axes of a new figure."""
    return ax if ax is not None else new_grid(1, 1, size)[0]


def new_grid(rows: int, columns: int, panel: tuple[float, float], *, own: bool = False) -> list[Axes]:
    """The axes of a new figure row by row; ``panel`` is the size of one in inches.

    own: a figure that shows itself as a result does, and is in nobody's list of open ones.
    """
    size = (panel[0] * columns, panel[1] * rows)
    if not own and _pyplot_is_used():
        from matplotlib import pyplot

        figure: Any = pyplot.figure(figsize=size, layout="constrained")
    else:
        figure = _figure_class()(figsize=size, layout="constrained")
    return list(np.atleast_1d(figure.subplots(rows, columns)).ravel())


def _pyplot_is_used() -> bool:
    return "matplotlib.pyplot" in sys.modules or "ipykernel" in sys.modules


def _figure_class() -> Any:
    from matplotlib.figure import Figure

    class Picture(Figure):
        """A figure that a notebook shows."""

        def _repr_png_(self) -> bytes:
            return rendered(self, "png")

    return Picture


def rendered(figure: Figure, form: str) -> bytes:
    """The bytes of a figure as ``png``, ``svg`` or ``pdf``."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, dpi=150)
    return buffer.getvalue()


def write_figure(figure: Figure, out: Path) -> None:
    """Write a figure to the file ``out``."""
    require_format(out)
    write_whole(out, rendered(figure, out.suffix[1:]))


def require_format(out: Path) -> None:
    """Raise InputError for another kind of file than the ones that pictures are written to."""
    if out.suffix not in FORMATS:
        found = f"{out.suffix or 'no'} suffix"
        raise InputError(found, where="out", expected=f"a name that ends in {', '.join(FORMATS)}")


def figure_of(axes: Axes | Sequence[Axes]) -> Any:
    """The figure that axes are in."""
    first: Any = axes[0] if isinstance(axes, Sequence) else axes
    return first.figure


def edges(points: Array) -> Float:
    """The borders of the cells around points in increasing order, shape (points + 1,): halfway between neighbours."""
    at = np.asarray(points, dtype=np.float64)
    if len(at) == 1:
        return np.array([at[0] - 0.5, at[0] + 0.5])
    middle = 0.5 * (at[1:] + at[:-1])
    return np.concatenate([[2 * at[0] - middle[0]], middle, [2 * at[-1] - middle[-1]]])


def titled(ax: Axes, title: str, *held: str) -> None:
    """A title, and below it what is held fixed and at what value."""
    ax.set_title(title, fontsize=10, loc="left", color=INK)
    words = "; ".join(part for part in held if part)
    if words:
        ax.set_title(f"{title}\n{_folded(words)}", fontsize=9, loc="left", color=INK)


def _folded(words: str, width: int = 58) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(words, width)[:3])


def no_rounding(ax: Axes) -> None:
    """Show at least a thousandth of the numbers' size upwards: where they differ by rounding alone, rounding is no
    picture."""
    low, high = ax.get_ylim()
    least = 1e-3 * max(abs(low), abs(high))
    if high - low < least:
        middle = 0.5 * (low + high)
        ax.set_ylim(middle - 0.5 * least, middle + 0.5 * least)


def legend_below(ax: Axes, **what: Any) -> None:
    """A legend under the axes, where it hides nothing."""
    entries = what.get("handles") or ax.get_legend_handles_labels()[0]
    columns = 2 if len(entries) != 3 else 3
    ax.legend(
        **what, fontsize=8, ncols=columns, loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False
    )


def tidy(ax: Axes) -> Axes:
    """Thin axes without a frame."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.tick_params(labelsize=8)
    return ax
