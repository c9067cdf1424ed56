"""How each kind of result shows itself: as a card in a notebook, as pictures, as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from expost._shown import Shown
from expost.errors import InputError
from expost.files import write_whole
from expost.show.facts_more import facts
from expost.show.templating import filled


def card(result: Shown) -> str:
    """HTML for a notebook: what was computed, its figures, what is proved and what to do next."""
    return filled("card.html", facts=facts(result))


def plots(result: Shown) -> Any:
    """What ``result.plot`` is. Raises InputError for a kind of result that has no picture."""
    from expost.show.plots.accessors import ACCESSORS, accessor

    found = accessor(result)
    if found is None:
        known = ", ".join(kind.__name__ for kind in ACCESSORS)
        raise InputError(f"a {type(result).__name__}", where="plot", expected=f"one of {known}")
    return found


def write_page(result: Shown, out: Path) -> Path:
    """Write the result's page. Raises InputError for an unwritable place."""
    from expost.show.page import page_of

    write_whole(out, page_of(result).encode(), where="out")
    return out
