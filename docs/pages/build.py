"""Builds docs/bikhchandani.md and docs/zik.md with their figures, from templates and computed numbers.

    python docs/pages/build.py            writes the pages and figures
    python docs/pages/build.py --check    exits 1 if a page or a figure's data is stale

Checking compares text word by word and numbers to the digits printed, never the bytes of images.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent
FIGURES = DOCS / "figures"
DATA = FIGURES / "data.json"
PAGES = ("bikhchandani", "zik")

sys.path.insert(0, str(HERE))

import figures_b  # noqa: E402
import figures_beyond  # noqa: E402
import figures_z  # noqa: E402
import numbers_of_pages  # noqa: E402

NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w])")
PLACE = re.compile(r"\{\{([^}:]+)(?::([^}]*))?\}\}")
FIGURE_ACCURACY = 1e-6


def render(page: str) -> str:
    """The page, with every ``{{name:format}}`` of its template replaced by the number."""
    values = getattr(numbers_of_pages, page)()
    template = (HERE / f"{page}.md.in").read_text(encoding="utf-8")

    def fill(place: re.Match[str]) -> str:
        value = values[place[1].strip()]
        return value if isinstance(value, str) else format(value, place[2] or "")

    return PLACE.sub(fill, template)


def stale(stored: str, fresh: str) -> str:
    """The first difference between two texts, or nothing: words must be the same, numbers agree as printed."""
    for at, (old, new) in enumerate(zip(stored.splitlines(), fresh.splitlines(), strict=False), 1):
        if NUMBER.sub("#", old) != NUMBER.sub("#", new):
            return f"line {at}: {old!r} is now {new!r}"
        for left, right in zip(NUMBER.findall(old), NUMBER.findall(new), strict=True):
            if abs(float(left) - float(right)) > 1.5 * max(_unit(left), _unit(right)):
                return f"line {at}: {left} is now {right}"
    if len(stored.splitlines()) != len(fresh.splitlines()):
        return "the number of lines differs"
    return ""


def _unit(text: str) -> float:
    """One unit in the last digit of a number as printed; 0 for whole numbers, which have to agree."""
    mantissa, _, exponent = text.partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 0.0 if not decimals and not exponent else 10.0 ** (int(exponent or 0) - decimals)


def figure_list() -> dict[
    str, tuple[Callable[[Any], dict[str, float]], tuple[int, int], tuple[float, float]]
]:
    """Name to (draw, (rows, columns) of panels, inches)."""

    def series(axes: Any) -> dict[str, float]:
        return figures_b.figure_series(axes, numbers_of_pages.series(), numbers_of_pages.GRIDS)

    one, single, wide = (1, 1), (4.6, 3.6), (8.0, 3.4)
    return {
        "b-figure-1": (figures_b.figure_1, one, (4.8, 4.6)),
        "b-gap": (figures_b.figure_gap, one, single),
        "b-regions": (figures_b.figure_regions, (2, 2), (7.0, 6.8)),
        "b-figure-3": (figures_b.figure_3, (1, 2), wide),
        "b-series": (series, one, single),
        "z-figure-1": (figures_z.figure_1, one, single),
        "z-figure-2": (figures_z.figure_2, one, single),
        "z-figure-3": (figures_z.figure_3, one, single),
        "z-figure-4": (figures_z.figure_4, one, single),
        "z-figure-5": (figures_z.figure_5, one, single),
        "z-figure-6": (figures_z.figure_6, one, single),
        "lottery-map": (figures_beyond.lottery_map, one, single),
    }


def draw() -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """The numbers that pin each figure down, and the figures."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    data, drawn = {}, {}
    for name, (function, (rows, columns), inches) in figure_list().items():
        figure, axes = pyplot.subplots(rows, columns, figsize=inches, layout="constrained")
        data[name], drawn[name] = function(axes), figure
    return data, drawn


def write() -> None:
    """Write the pages and the figures."""
    FIGURES.mkdir(exist_ok=True)
    data, drawn = draw()
    for name, figure in drawn.items():
        figure.savefig(FIGURES / f"{name}.png", dpi=90, metadata={"Software": None})
    DATA.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for page in PAGES:
        (DOCS / f"{page}.md").write_text(render(page), encoding="utf-8")


def check() -> list[str]:
    """What is stale, one line each."""
    found = []
    for page in PAGES:
        path = DOCS / f"{page}.md"
        what = stale(path.read_text(encoding="utf-8"), render(page)) if path.exists() else "missing"
        found += [f"docs/{page}.md, {what}"] if what else []
    data, _ = draw()
    stored = json.loads(DATA.read_text(encoding="utf-8")) if DATA.exists() else {}
    for name, fresh in data.items():
        if not (FIGURES / f"{name}.png").exists():
            found.append(f"docs/figures/{name}.png, missing")
        old = stored.get(name, {})
        if old.keys() != fresh.keys():
            found.append(f"docs/figures/{name}.png, other data")
        found += [
            f"docs/figures/{name}.png, {key}: {old[key]} is now {value}"
            for key, value in fresh.items()
            if key in old and abs(old[key] - value) > FIGURE_ACCURACY * max(1.0, abs(value))
        ]
    return found


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare with what is stored instead of writing")
    if not parser.parse_args().check:
        write()
        return 0
    problems = check()
    for problem in problems:
        print(f"stale: {problem}; run python docs/pages/build.py", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
