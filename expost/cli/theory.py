"""Commands that hold an instance against the papers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from expost.cli.common import (
    GridOption,
    InstanceArgument,
    JsonOption,
    LimitOption,
    app,
    checked_limit,
    emit,
)


@app.command()
def compare(
    instance: InstanceArgument,
    grid: GridOption = "8",
    time_limit: LimitOption = None,
    as_json: JsonOption = False,
) -> None:
    """First best, static and sequential second best, the papers' constructions, side by side."""
    from expost.formulations.discretization import parse_grid
    from expost.instances.toml_file import load_instance
    from expost.runs.comparison import compare_all

    comparison = compare_all(load_instance(instance), parse_grid(grid), time_limit=checked_limit(time_limit))
    if as_json:
        emit(comparison.to_json())
        return
    from expost.console import comparison_table

    comparison_table(comparison)


@app.command()
def dominate(
    instance: Annotated[
        str | None, typer.Argument(metavar="INSTANCE", help="A catalogue name or a TOML file.")
    ] = None,
    prices: Annotated[
        str, typer.Option("--prices", metavar="NAME", help="A construction: t*, example2, ...")
    ] = "",
    run: Annotated[Optional[Path], typer.Option("--run", metavar="DIR", help="A saved run instead.")] = None,  # noqa: UP045
    grid: GridOption = "8",
    time_limit: LimitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Is a mechanism constrained efficient on a grid? If not, show what dominates it, and by how much."""
    from expost.formulations.discretization import parse_grid
    from expost.instances.toml_file import load_instance
    from expost.runs.dominance import dominate_construction, dominate_run, require_one

    require_one(instance, prices, run)
    limit = checked_limit(time_limit)
    if run is not None:
        verdict = dominate_run(run, limit)
    else:
        verdict = dominate_construction(load_instance(str(instance)), prices, parse_grid(grid), limit)
    if as_json:
        emit(verdict.to_json())
        return
    from expost.console import dominance_table

    dominance_table(verdict)
