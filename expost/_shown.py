"""Results that can be looked at: printed in a few lines, shown in a notebook, drawn, written as a page.

Results live in lower rooms than what draws them. So the room that draws is named here, not imported: it is looked up
when somebody first looks at a result.
"""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

VIEWS = "expost.show.views"


def percent(share: float) -> str:
    """A share in per cent: two decimals, or one digit where these would hide it."""
    return f"{share:.2%}" if share == 0.0 or abs(share) >= 1e-4 else f"{100.0 * share:.1g}%"


def apart(width: float) -> int:
    """How many decimals tell two numbers apart that differ by ``width``: six, or more where they are closer."""
    return 6 if not 0.0 < width < 1e-6 else min(1 - math.floor(math.log10(width)), 15)


class Shown:
    """A result with views. ``summary`` is what it prints; ``to_frame`` its figures as a table."""

    def summary(self) -> str:
        """Three lines of text."""
        raise NotImplementedError

    def to_frame(self) -> pd.DataFrame:
        """The figures as a ``pandas.DataFrame``."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return str(_views().card(self))

    @property
    def plot(self) -> Any:
        """Pictures of the result: call it for the usual one, or one of its methods. Needs matplotlib."""
        return _views().plots(self)

    def page(self, out: str | Path) -> Path:
        """Write the result as one self-contained HTML file and return its path.

        Raises InputError when it cannot be written.
        """
        path: Path = _views().write_page(self, Path(out))
        return path


def _views() -> Any:
    return importlib.import_module(VIEWS)
