"""Commands that hold an instance against the papers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from expost.cli.common import (
    FirstOption,
    GridOption,
    InstanceArgument,
    JsonOption,
    LimitOption,
    TimingOption,
    app,
    checked_limit,
    emit,
    progress_line,
)
from expost.errors import InputError


@app.command()
def compare(
    instance: InstanceArgument,
    grid: GridOption = "8",
    time_limit: LimitOption = None,
    brackets: Annotated[
        float,
        typer.Option("--brackets", metavar="S", help="Seconds for each bracket of the continuum; 0: none."),
    ] = 5.0,
    as_json: JsonOption = False,
) -> None:
    """First best, static and sequential second best, the papers' constructions, side by side."""
    from expost.instances.toml_file import load_instance
    from expost.runs.comparison import compare_all
    from expost.spaces.type_space import parse_grid

    if not 0.0 <= brackets < float("inf"):
        raise InputError(f"{brackets}", where="--brackets", expected="seconds, or 0 for no brackets")
    comparison = compare_all(
        load_instance(instance),
        parse_grid(grid),
        time_limit=checked_limit(time_limit),
        bracket_seconds=brackets,
    )
    if as_json:
        emit(comparison.to_json())
        return
    from expost.show.console import comparison_table

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
    from expost.instances.toml_file import load_instance
    from expost.runs.dominance import dominate_construction, dominate_run
    from expost.spaces.type_space import parse_grid

    require_one(instance, prices, run)
    limit = checked_limit(time_limit)
    if run is not None:
        verdict = dominate_run(run, limit)
    else:
        verdict = dominate_construction(load_instance(str(instance)), prices, parse_grid(grid), limit)
    if as_json:
        emit(verdict.to_json())
        return
    from expost.show.console import dominance_table

    dominance_table(verdict)


def require_one(instance: str | None, prices: str, run: Path | None) -> None:
    """Raise InputError unless the command line names one mechanism: INSTANCE with --prices, or --run."""
    if (run is None) == (instance is None) or (instance is not None) != bool(prices):
        raise InputError(
            "not one mechanism",
            where="dominate",
            expected="INSTANCE with --prices NAME, or --run DIR alone",
            remedy="for example: expost dominate jmmz --prices 't*'",
        )


@app.command()
def bracket(
    instance: InstanceArgument,
    accuracy: Annotated[
        float, typer.Option("--accuracy", metavar="EPS", help="Stop when upper - lower <= EPS * upper.")
    ] = 0.01,
    timing: TimingOption = "static",
    first: FirstOption = "",
    time_limit: LimitOption = None,
    seed: Annotated[int, typer.Option("--seed", help="Of all random numbers.")] = 0,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--out", metavar="DIR", help="A new folder for the mechanism that attains the lower bound."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Bounds on the continuum value, which no grid gives: refined until they are as close as asked."""
    from expost.files import claim_folder, new_folder
    from expost.instances.toml_file import load_instance
    from expost.runs.bracket import bracket as compute

    if out is not None:
        claim_folder(out)
    names = tuple(name.strip() for name in first.split(",")) if first else ()
    with progress_line() as progress:
        found = compute(
            load_instance(instance),
            accuracy,
            checked_limit(time_limit),
            timing=timing,
            first=names,
            seed=seed,
            progress=progress,
        )
    if out is not None and found.mechanism is not None:
        with new_folder(out) as work:
            found.mechanism.save(work)
    if as_json:
        emit({**found.to_dict(), "mechanism": None if out is None else str(out)})
        return
    from expost.show.console import bracket_table

    bracket_table(found, out)


@app.command()
def validate(
    claims: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="[CLAIM]...", help="Ids such as B-Theorem-1; B and Z stand for all of a paper's."
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer and smaller instances.")] = False,
    details: Annotated[bool, typer.Option("--details", help="Say what was seen for every verdict.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compute the papers' theorems: hypotheses, both sides, verdict. Exit code 1 if a verdict is bad."""
    from expost.papers.claims import select
    from expost.show.verdicts import records

    verdicts = []
    for claim in select(claims):
        note(f"{claim.id}: {claim.says}")
        verdicts += claim.compute(quick)
    if as_json:
        emit(records(verdicts))
    else:
        from expost.show.console import verdicts_table

        verdicts_table(verdicts, details=details)
    if not all(verdict.good for verdict in verdicts):
        raise typer.Exit(1)


def note(line: str) -> None:
    """A line of progress on standard error, silent where that is not a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{line}\n")
