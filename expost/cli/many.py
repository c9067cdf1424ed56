"""Commands that make many solves: ``sweep``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from expost.cli import options, parse
from expost.cli.common import app, emit, loaded, note
from expost.errors import InputError, LimitReached, SolverError

if TYPE_CHECKING:
    import pandas as pd

LARGEST_STUDY = 10 * 2**20
"""Bytes that a study's file may have."""


@app.command()
def sweep(
    instance: options.Instance,
    grid: options.Grid = "8",
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over",
            metavar="k=0:2:9",
            help="A parameter or a keyword and its values: first:last:count, or a|b|c. May be repeated.",
        ),
    ] = None,
    timing: Annotated[
        list[str] | None,
        typer.Option("--timing", help="static, sequential, or one a buyer; may be repeated."),
    ] = None,
    first: Annotated[
        list[str] | None,
        typer.Option("--first", metavar="SIGNAL,...", help="Signals that arrive first; may be repeated."),
    ] = None,
    prices: Annotated[
        list[str] | None,
        typer.Option("--prices", help="Mechanisms to check instead of solving; may be repeated."),
    ] = None,
    bracket: Annotated[bool, typer.Option("--bracket", help="Brackets of the continuum, not grids.")] = False,
    bayesian: Annotated[
        bool, typer.Option("--bayesian", help="The Bayesian benchmark: what information and robustness cost.")
    ] = False,
    accuracy: Annotated[
        float | None,
        typer.Option("--accuracy", help="Of brackets; by default 0.02."),
    ] = None,
    study: Annotated[
        Path | None,
        typer.Option("--study", metavar="FILE.toml", help="A file with [over] and the other keywords."),
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option("--rows", metavar="FILE.csv", help="A table of cases, a column for each keyword."),
    ] = None,
    parameters: options.Parameters = "",
    time_limit: options.Limit = None,
    jobs: options.Jobs = 1,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Save every run in this folder."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="A .csv or .parquet file; an interrupted sweep goes on."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Solve many cases: any parameters, grids, timings, orders, objectives. One row a case."""
    import expost as ex

    asked: dict[str, Any] = {} if bracket else {"grid": [parse.grid(part) for part in grid.split("|")]}
    asked |= {name: value for name, value in (("timing", timing), ("first", first)) if value}
    if accuracy is not None and not bracket:
        raise InputError(f"{accuracy}", where="accuracy", expected="nothing without --bracket")
    asked |= {"accuracy": 0.02 if accuracy is None else accuracy} if bracket else {}
    asked |= {"time_limit": time_limit} if time_limit is not None and not prices else {}
    asked |= read_study(study) if study is not None else {}
    named: set[str] = set()
    for text in over or ():
        name, values = parse.over(text)
        if name in named:
            raise InputError(f"{name} twice", where="over", expected="each name once: NAME=A|B|C")
        named.add(name)
        asked[name] = values
    table = ex.sweep(
        loaded(instance, parameters),
        bracket=bracket,
        bayesian=bayesian,
        prices=prices or asked.pop("prices", None),
        rows=rows,
        out=out,
        keep=keep,
        jobs=jobs,
        **asked,
    )
    refuse_if_all_failed(table)
    if as_json:
        emit({"rows": table.astype(object).where(table.notna(), None).to_dict("records")})
        return
    shown = table.drop(
        columns=["case", "instance", "backend", "states", "binaries", "value"], errors="ignore"
    )
    sys.stdout.write(shown.to_string(index=False, max_rows=40) + "\n")
    if out is not None:
        note(f"written to {out}")


def refuse_if_all_failed(table: pd.DataFrame) -> None:
    """Raise the first case's error, of its kind, where no case has an answer: that is no sweep."""
    if not len(table) or not table["error"].astype(bool).all():
        return
    kinds = {"refused": InputError, "limit": LimitReached}
    first, others = table.iloc[0], len(table) - 1
    more = f" (and so {others} more)" if others else ""
    raise kinds.get(str(first.get("status")), SolverError)(f"{first['error']}{more}")


def read_study(path: Path) -> dict[str, Any]:
    """The keywords of a study file: ``[over]`` with a list for each, other keys at the top."""
    import tomllib

    from expost.files import read_regular

    try:
        document = tomllib.loads(read_regular(path, LARGEST_STUDY).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot be read: {error}"[:160], where="study", expected="a TOML file") from None
    over = document.pop("over", {})
    if not isinstance(over, dict):
        raise InputError("over is no table", where="study", expected="[over] with a list for each keyword")
    found = {**document, **over}
    taken = sorted({"instance", "rows", "out", "keep", "jobs", "progress", "bracket"} & set(found))
    if taken:
        raise InputError(f"{taken[0]} in the file", where="study", expected="it on the command line")
    return found


@app.command()
def frontier(
    instance: options.Instance,
    grid: options.Grid = "8",
    between: Annotated[
        str, typer.Option("--between", metavar="A,B", help="welfare,revenue, or two buyers.")
    ] = "welfare,revenue",
    points: Annotated[
        int | None,
        typer.Option("--points", metavar="N", help="Corners at most; by default all."),
    ] = None,
    timing: options.Timing = "static",
    first: options.First = "",
    parameters: options.Parameters = "",
    time_limit: options.Limit = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="A .csv or .parquet file, or a picture."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Trade welfare against revenue, or one buyer against another: the efficient frontier, corner by corner."""
    import expost as ex
    from expost.files import claim_file
    from expost.runs.sweep_table import write_table

    pictures = (".png", ".svg", ".pdf")
    if out is not None:
        claim_file(out, suffixes=(".csv", ".parquet", *pictures))
    found = ex.frontier(
        loaded(instance, parameters),
        parse.grid(grid),
        between,
        points,
        timing=timing,
        first=first,
        time_limit=time_limit,
    )
    if out is not None and out.suffix in pictures:
        from expost.show.plots.style import write_figure

        write_figure(found.plot().figure, out)
    elif out is not None:
        write_table(found.table, out)
    if as_json:
        emit(found.to_dict())
        return
    sys.stdout.write(f"{found.summary()}\n\n{found.table.to_string(index=False, max_rows=40)}\n")
