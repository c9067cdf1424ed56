"""What the papers leave open, on the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from expost.cli.common import (
    GridOption,
    InstanceArgument,
    JsonOption,
    LimitOption,
    RunArgument,
    SetOption,
    app,
    emit,
    loaded,
    opened_run,
    parse_grid,
)

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


@app.command()
def bayesian(
    instance: InstanceArgument,
    grid: GridOption = "6",
    participation: Annotated[
        str, typer.Option("--participation", help="interim, or ex post: payments in every state.")
    ] = "interim",
    parameters: SetOption = "",
    time_limit: LimitOption = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--out", metavar="FILE", help="Write the interim payments: .csv, .json, .parquet or .tex."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What private information costs and what robustness costs: the Bayesian benchmark on a grid."""
    import expost as ex

    found = ex.bayesian(
        loaded(instance, parameters), parse_grid(grid), participation=participation, time_limit=time_limit
    )
    if out is not None:
        found.save(out)
    if as_json:
        emit(found.to_dict())
        return
    sys.stdout.write(f"{found.summary()}\n")


@app.command()
def explain(folder: RunArgument, time_limit: LimitOption = None, as_json: JsonOption = False) -> None:
    """Which incentives bind in a saved run and what each costs, what every optimum decides alike."""
    found = opened_run(folder).explain(time_limit=time_limit)
    if as_json:
        emit(found.to_dict())
        return
    sys.stdout.write(f"{found.summary()}\n")
