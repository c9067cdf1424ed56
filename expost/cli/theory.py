"""Commands that hold an instance against the papers, and against the continuum."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from expost.cli import options, parse
from expost.cli.beyond import show_lottery_bracket
from expost.cli.common import aloud, app, emit
from expost.cli.own import with_set
from expost.errors import InputError


@app.command()
def compare(
    instance: options.Instance,
    grid: options.Grid = "8",
    prices: options.Prices = "",
    first: options.First = "",
    parameters: options.AllParameters = "",
    time_limit: options.Limit = None,
    brackets: Annotated[
        float,
        typer.Option("--brackets", metavar="S", help="Seconds for each bracket of the continuum; 0: none."),
    ] = 5.0,
    bayesian: Annotated[
        bool, typer.Option("--bayesian", help="Also the Bayesian benchmark: what robustness costs.")
    ] = False,
    jobs: options.Jobs = 1,
    as_json: options.Json = False,
) -> None:
    """First best, static and sequential second best, the papers' constructions, side by side."""
    import expost as ex

    stated, mechanism = with_set(instance, prices, parameters)
    found = ex.compare(
        stated,
        parse.grid(grid),
        mechanisms=[mechanism] if prices else [],
        first=first,
        time_limit=time_limit,
        brackets=brackets,
        bayesian=bayesian,
        jobs=jobs,
    )
    if as_json:
        emit(found.to_dict())
        return
    from expost.show.console import comparison_table

    comparison_table(found)


@app.command()
def dominate(
    instance: Annotated[
        str | None, typer.Argument(metavar="INSTANCE", help="A catalogue name or a TOML file.")
    ] = None,
    prices: options.Prices = "",
    run: Annotated[Path | None, typer.Option("--run", metavar="DIR", help="A saved run instead.")] = None,
    grid: options.Grid = "8",
    first: options.First = "",
    parameters: options.AllParameters = "",
    time_limit: options.Limit = None,
    as_json: options.Json = False,
) -> None:
    """Is a mechanism constrained efficient on a grid? If not, show what dominates it, and by how much."""
    import expost as ex

    if (run is None) == (instance is None) or (instance is not None) != bool(prices):
        raise InputError(
            "not one mechanism",
            where="dominate",
            expected="INSTANCE with --prices, or --run DIR alone",
            remedy="for example: expost dominate jmmz --prices 't*'",
        )
    if run is not None:
        found = ex.dominate(None, run, first=first, time_limit=time_limit)
    else:
        stated, mechanism = with_set(str(instance), prices, parameters)
        found = ex.dominate(stated, mechanism, parse.grid(grid), first=first, time_limit=time_limit)
    if as_json:
        emit(found.to_dict())
        return
    from expost.show.console import dominance_table

    dominance_table(found)


@app.command()
def bracket(
    instance: options.Instance,
    accuracy: Annotated[
        float, typer.Option("--accuracy", metavar="EPS", help="Stop when upper - lower <= EPS * upper.")
    ] = 0.01,
    timing: options.Timing = "static",
    first: options.First = "",
    prices: options.Prices = "",
    parameters: options.AllParameters = "",
    time_limit: options.Limit = None,
    seed: options.Seed = 0,
    jobs: options.Jobs = 1,
    rigorous: Annotated[
        bool, typer.Option("--rigorous", help="Only bounds that no sample enters (two buyers or more).")
    ] = False,
    lotteries: Annotated[
        bool, typer.Option("--lotteries", help="Of stochastic mechanisms: one buyer in two stages.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="A new folder for both sides, their proofs and the mechanism."
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Bounds on the continuum value, which no grid gives: refined until they are as close as asked.

    With --prices the lower side starts from that mechanism, too.
    """
    import expost as ex
    from expost.files import claim_folder

    if out is not None:
        claim_folder(out)
    stated, mechanism = with_set(instance, prices, parameters)
    if lotteries:
        if rigorous:
            raise InputError(
                "rigorous bounds of lotteries", where="rigorous", expected="statistical ones: leave it out"
            )
        show_lottery_bracket(
            ex.lottery_bracket(stated, accuracy, time_limit, first=first or None, seed=seed),
            out,
            as_json,
        )
        return
    with nullcontext() if as_json else aloud("expost.brackets.forecast"):
        found = ex.bracket(
            stated,
            accuracy,
            time_limit,
            timing=timing,
            first=first,
            seed=seed,
            jobs=jobs,
            rigorous=rigorous,
            starts_from=[mechanism] if prices else [],
        )
    if out is not None:
        found.save(out)
    if as_json:
        emit({**found.to_dict(), "mechanism": None if out is None else str(out)})
        return
    from expost.show.console import bracket_table

    bracket_table(found, out)


@app.command()
def validate(
    claims: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CLAIM]... [INSTANCE]",
            help="Ids such as B-Theorem-1 (B and Z stand for all of a paper's); an instance to hold them against.",
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer and smaller instances.")] = False,
    details: Annotated[bool, typer.Option("--details", help="Say what was seen for every verdict.")] = False,
    jobs: options.Jobs = 1,
    seed: Annotated[int, typer.Option("--seed", help="Of the random instances.")] = 0,
    as_json: options.Json = False,
) -> None:
    """Compute the papers' theorems: hypotheses, both sides, verdict. Exit code 1 if a verdict is bad."""
    import expost as ex

    found = ex.validate(*(claims or ()), quick=quick, jobs=jobs, seed=seed)
    if as_json:
        emit(found.to_dict())
    else:
        from expost.show.console import verdicts_table

        verdicts_table(found, details=details)
    if not found.good:
        raise typer.Exit(1)
