"""A result as one HTML page that needs no other file and no network."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import Any

from expost._shown import Shown
from expost._version import __version__
from expost.brackets.records import Bounds
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.instances.functions import marked_toml
from expost.mechanisms.export.csv_files import Columns
from expost.mechanisms.export.menu_table import menu_columns
from expost.runs.run import Run
from expost.runs.verify import verify
from expost.show.explorer import explorer_data
from expost.show.facts_more import facts
from expost.show.templating import filled, script_data

MENU_ROWS = 300
"""Rows of a menu that a page shows."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, and whether it is a number."""

    text: str
    number: bool


@dataclass(frozen=True)
class PageTable:
    """A table of a page: column names, rows, and what is left out."""

    title: str
    names: list[str]
    rows: list[list[Cell]]
    note: str = ""


def page_of(result: Shown) -> str:
    """The HTML of ``result``."""
    return _run_page(result) if isinstance(result, Run) else _plain_page(result)


def _run_page(run: Run) -> str:
    checks = verify(run if run.folder is None else run.folder).checks
    data = explorer_data(run)
    return filled(
        "run.html",
        **_common(run),
        data=None if data is None else script_data(data),
        states=f"{run.space.states:,}",
        checks=checks,
        failed=sum(not check.passed for check in checks),
        folder=str(run.folder or ""),
        table=_menu_table(run),
        citations=citations(run.instance.citation),
        toml=marked_toml(run.instance),
    )


def _plain_page(result: Shown) -> str:
    frame = result.to_frame()
    columns = {str(name): frame[name].to_numpy() for name in frame.columns}
    table = PageTable("All figures", list(columns), _rows(columns, len(frame)))
    picture, stated = _picture(result), _continuous(result)
    return filled(
        "plain.html",
        **_common(result),
        picture=picture,
        picture_text=result.summary(),
        table=table,
        bracket=stated is not None,
        citations=citations("" if stated is None else stated.citation),
        toml="" if stated is None else marked_toml(stated),
    )


def _continuous(result: Shown) -> Instance | None:
    """The instance of a bracket."""
    if not isinstance(result, Bounds) or result.mechanism is None:
        return None
    return result.mechanism.space.stated


def _common(result: Shown) -> dict[str, Any]:
    return {"facts": facts(result), "version": __version__}


def _picture(result: Shown) -> str:
    """The usual picture as a data URI; nothing for results without one, or where matplotlib is not installed."""
    from expost.show.plots.accessors import accessor
    from expost.show.plots.style import figure_of, rendered

    try:
        found = accessor(result)
    except InputError:  # matplotlib is not installed: the page says everything else
        return ""
    if found is None:
        return ""
    image = rendered(figure_of(found()), "svg")
    return f"data:image/svg+xml;base64,{base64.b64encode(image).decode()}"


def citations(instance: str) -> list[str]:
    """How to cite: the program, the papers that it computes, the source of the instance."""
    lines = [
        f"expost {__version__}: the best mechanism that ex post incentives allow, computed and proved.",
        "Bikhchandani, S. (2006). Ex post implementation in environments with private goods. "
        "Theoretical Economics 1, 369-393.",
        "Zik, B. Efficient allocation with informational externalities.",
    ]
    return [*lines, f"The instance: {instance}"] if instance else lines


def _menu_table(run: Run) -> PageTable:
    columns = menu_columns(run.instance, run.space.types, run.mechanism)
    total = len(next(iter(columns.values())))
    shown = min(total, MENU_ROWS)
    static = all(kind == "" for kind in columns["first_signal"][:1]) and not run.menus
    if static:
        skip = {
            "first_signal",
            "option",
            "first_from",
            "first_to",
            "types",
            "seller_best_fee",
            "integral_fee",
        }
        called = {"strike": "price", "strike_lower": "lower", "strike_upper": "upper", "exercise": "wins"}
        columns = {called.get(name, name): column for name, column in columns.items() if name not in skip}
    note = "" if shown == total else f"The first {shown:,} of {total:,} rows; all of them: expost menu DIR."
    return PageTable("The prices" if static else "The menu", list(columns), _rows(columns, shown), note)


def _rows(columns: Columns, count: int) -> list[list[Cell]]:
    return [[_cell(column[k]) for column in columns.values()] for k in range(count)]


def _cell(value: Any) -> Cell:
    if isinstance(value, str | bool) or value is None:
        return Cell("" if value is None else str(value), False)
    try:
        number = float(value)
    except (TypeError, ValueError):
        return Cell(str(value), False)
    if math.isnan(number):
        return Cell("", True)
    if math.isinf(number):
        return Cell("∞" if number > 0 else "-∞", True)
    return Cell(f"{number:.6g}", True)
