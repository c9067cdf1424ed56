"""The tables of a run's folder: prices of static buyers, menus of sequential ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from expost.errors import InputError
from expost.mechanisms.export.csv_files import Columns, read_csv
from expost.mechanisms.export.formats import export_table, save_table
from expost.mechanisms.export.menu_table import (
    MENU_NOTES,
    PAPER_NOTES,
    menu_columns,
    paper_columns,
    require_menus,
)
from expost.mechanisms.export.parquet_files import has_parquet, read_parquet
from expost.mechanisms.export.tables import PRICE_NOTES, price_columns
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.prices import PriceTable
from expost.runs.solved import Solved
from expost.spaces.type_space import TypeSpace

PRICES, MENU = "prices", "menu"


def terms_columns(space: TypeSpace, mechanism: Mechanism) -> dict[str, Columns]:
    """The table of a mechanism's terms by file stem: prices when all buyers are static, else menus."""
    prices = [terms for terms in mechanism.terms if isinstance(terms, PriceTable)]
    if len(prices) == len(mechanism.terms):
        return {PRICES: price_columns(space.instance, space.types, prices)}
    return {MENU: menu_columns(space.instance, space.types, mechanism)}


def write_terms(space: TypeSpace, mechanism: Mechanism, folder: Path) -> None:
    """Write the table as CSV, and where pyarrow is installed as Parquet."""
    notes = {PRICES: PRICE_NOTES, MENU: MENU_NOTES}
    for stem, columns in terms_columns(space, mechanism).items():
        save_table(columns, notes[stem], folder, stem)


def read_terms(folder: Path, expected: Mapping[str, Columns]) -> dict[str, Columns]:
    """The tables in ``folder`` by file name; ``expected``, by stem, says how large they may be.

    Parquet is read only where pyarrow is installed.

    Raises InputError when there is none, one is damaged, or one is of another kind.
    """
    readers = {".csv": read_csv} | ({".parquet": read_parquet} if has_parquet() else {})
    names = [(stem, suffix) for stem in (PRICES, MENU) for suffix in (".csv", ".parquet")]
    present = [(stem, suffix) for stem, suffix in names if os.path.lexists(folder / f"{stem}{suffix}")]
    strange = [f"{stem}{suffix}" for stem, suffix in present if stem not in expected]
    if strange or not present:
        raise InputError(
            strange[0] if strange else "neither prices.csv nor menu.csv",
            where=str(folder),
            expected=f"{' and '.join(expected)} alone" if strange else "the tables that expost wrote",
        )
    return {
        f"{stem}{suffix}": readers[suffix](folder / f"{stem}{suffix}", expected[stem])
        for stem, suffix in present
        if suffix in readers
    }


def exported_menu(run: Solved, form: str, *, sequential: bool = False, digits: int | None = None) -> bytes:
    """The menus of ``run`` as the bytes of a file in format ``form``.

    sequential: refuse a run whose buyers are all static. digits: decimals of a LaTeX table, by default all.
    Raises InputError for an unknown format.
    """
    if sequential:
        require_menus(run.mechanism.terms, str(run.folder))
    columns = menu_columns(run.instance, run.space.types, run.mechanism)
    notes: tuple[str, ...] = MENU_NOTES
    if form == "latex" and digits is not None:
        columns, notes = paper_columns(columns), PAPER_NOTES
    return export_table(columns, notes, form, digits=digits, caption=menu_caption(run))


def menu_caption(run: Solved) -> str:
    """What a table of the run's terms is, in one sentence."""
    what = "Prices" if all(isinstance(terms, PriceTable) for terms in run.mechanism.terms) else "Menus"
    share = "" if run.share is None else f", {run.share:.2%} of the first-best gain"
    grid = run.settings.grid.describe()
    return f"{what} of the second best of {run.instance.name} ({run.record.timing}, grid {grid}{share})."
