"""What the papers leave open, on the command line: lotteries."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from expost.cli.common import emit

if TYPE_CHECKING:
    from expost.runs.lotteries import LotteryRun


def show_lotteries(run: LotteryRun, out: Path | None, as_json: bool) -> None:
    """Save and print the best stochastic mechanism."""
    if out is not None:
        run.save(out)
    if as_json:
        emit({**run.to_dict(), "run": None if out is None else str(out)})
        return
    sys.stdout.write(f"{run.summary()}\n")
    for name, menu in run.menus.items():
        if len(menu) <= 60:
            sys.stdout.write(f"\nbuyer {name}\n{menu.to_string(index=False)}\n")
        else:
            sys.stdout.write(f"\nbuyer {name}: {len(menu)} rows; --out DIR writes them as a table\n")
