"""The menus of a saved run as files for other programs and for papers."""

from __future__ import annotations

from pathlib import Path

from expost.mechanisms.export.formats import export_table
from expost.mechanisms.export.menu_table import MENU_NOTES, menu_columns, require_menus
from expost.runs.reopen import reopen


def exported_menu(folder: Path, form: str, *, sequential: bool = False) -> bytes:
    """The menus of the run in ``folder`` as the bytes of a file in format ``form``.

    sequential: refuse a run whose buyers are all static. Raises InputError for an unknown format, and as ``reopen``.
    """
    run = reopen(folder)
    if sequential:
        require_menus(run.mechanism.terms, str(folder))
    space = run.formulation.space
    return export_table(menu_columns(space.instance, space.types, run.mechanism), MENU_NOTES, form)
