"""Commands that make many solves: ``sweep``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from expost.cli.common import (
    FirstOption,
    GridOption,
    InstanceArgument,
    JobsOption,
    JsonOption,
    LimitOption,
    SetOption,
    TimingOption,
    app,
    emit,
    loaded,
    note,
    parse_grid,
    parse_objective,
)
from expost.errors import InputError

KINDS: dict[str, Callable[[str], Any]] = {
    "grid": parse_grid,
    "objective": parse_objective,
    "seed": int,
    "accuracy": float,
    "time_limit": float,
}
"""Keywords whose values on the command line are no plain words."""
MOST = 100_000


@app.command()
def sweep(
    instance: InstanceArgument,
    grid: GridOption = "8",
    over: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--over",
            metavar="k=0:2:9",
            help="A parameter or a keyword and its values: first:last:count, or a|b|c. May be repeated.",
        ),
    ] = None,
    timing: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--timing", help="static, sequential, or one a buyer; may be repeated."),
    ] = None,
    first: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--first", metavar="SIGNAL,...", help="Signals that arrive first; may be repeated."),
    ] = None,
    prices: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--prices", help="Mechanisms to check instead of solving; may be repeated."),
    ] = None,
    bracket: Annotated[bool, typer.Option("--bracket", help="Brackets of the continuum, not grids.")] = False,
    accuracy: Annotated[float, typer.Option("--accuracy", help="Of brackets.")] = 0.02,
    study: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--study", metavar="FILE.toml", help="A file with [over] and the other keywords."),
    ] = None,
    rows: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--rows", metavar="FILE.csv", help="A table of cases, a column for each keyword."),
    ] = None,
    parameters: SetOption = "",
    time_limit: LimitOption = None,
    jobs: JobsOption = 1,
    keep: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--keep", metavar="DIR", help="Save every run in this folder."),
    ] = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", metavar="FILE", help="A .csv or .parquet file; an interrupted sweep goes on."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Solve many cases: any parameters, grids, timings, orders, objectives. One row a case."""
    import expost as ex

    asked: dict[str, Any] = {} if bracket else {"grid": _grids(grid)}
    asked |= {name: value for name, value in (("timing", timing), ("first", first)) if value}
    asked |= {"accuracy": accuracy} if bracket else {}
    asked |= {"time_limit": time_limit} if time_limit is not None and not prices else {}
    asked |= read_study(study) if study is not None else {}
    for text in over or ():
        name, values = parse_over(text)
        asked[name] = values
    table = ex.sweep(
        loaded(instance, parameters),
        bracket=bracket,
        prices=prices or None,
        rows=rows,
        out=out,
        keep=keep,
        jobs=jobs,
        progress=_Count() if sys.stderr.isatty() else None,
        **asked,
    )
    if as_json:
        emit({"rows": table.astype(object).where(table.notna(), None).to_dict("records")})
        return
    shown = table.drop(
        columns=["case", "instance", "backend", "states", "binaries", "value"], errors="ignore"
    )
    sys.stdout.write(shown.to_string(index=False, max_rows=40) + "\n")
    if out is not None:
        note(f"written to {out}")


class _Count:
    """Progress on standard error: how many cases are done, and about how long the rest takes."""

    def __init__(self) -> None:
        import time

        self.begun = time.monotonic()

    def __call__(self, done: int, of: int) -> None:
        import time

        left = (time.monotonic() - self.begun) / done * (of - done)
        sys.stderr.write(
            f"\r\033[K{done} of {of} cases, about {left:.0f} s left" + ("\n" if done == of else "")
        )
        sys.stderr.flush()


def parse_over(text: str) -> tuple[str, list[Any]]:
    """``k=0:2:9`` (first, last, how many) or ``timing=static|sequential``. Raises InputError for anything else."""
    import numpy as np

    name, equals, given = (piece.strip() for piece in text.partition("="))
    if not equals or not name or not given:
        raise InputError(f"{text!r}"[:60], where="over", expected="NAME=FIRST:LAST:COUNT, or NAME=A|B|C")
    parts = given.split(":")
    if len(parts) == 3:
        try:
            low, high, count = float(parts[0]), float(parts[1]), int(parts[2])
        except ValueError:
            low, high, count = 0.0, 0.0, 0
        if not 1 <= count <= MOST or not np.isfinite([low, high]).all():
            raise InputError(
                f"{text!r}"[:60], where="over", expected=f"FIRST:LAST:COUNT with a count from 1 to {MOST}"
            )
        return name, [float(value) for value in np.linspace(low, high, count)]
    return name, [_value(name, part.strip()) for part in given.split("|")]


def _value(name: str, text: str) -> Any:
    if name in KINDS:
        try:
            return KINDS[name](text)
        except ValueError:
            raise InputError(f"{text!r}"[:60], where=name, expected="a number") from None
    try:
        return float(text)
    except ValueError:
        return text


def _grids(text: str) -> list[Any]:
    return [parse_grid(part) for part in text.split("|")]


def read_study(path: Path) -> dict[str, Any]:
    """The keywords of a study file: ``[over]`` with a list for each, other keys at the top."""
    import tomllib

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {error}"[:160], where="study", expected="a TOML file") from None
    over = document.pop("over", {})
    if not isinstance(over, dict):
        raise InputError("over is no table", where="study", expected="[over] with a list for each keyword")
    return {**document, **over}


@app.command()
def frontier(
    instance: InstanceArgument,
    grid: GridOption = "8",
    between: Annotated[
        str, typer.Option("--between", metavar="A,B", help="welfare,revenue, or two buyers.")
    ] = "welfare,revenue",
    points: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--points", metavar="N", help="Corners at most; by default all."),
    ] = None,
    timing: TimingOption = "static",
    first: FirstOption = "",
    parameters: SetOption = "",
    time_limit: LimitOption = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", metavar="FILE", help="A .csv or .parquet file, or a picture."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Trade welfare against revenue, or one buyer against another: the efficient frontier, corner by corner."""
    import expost as ex
    from expost.runs.sweep import write_table

    found = ex.frontier(
        loaded(instance, parameters),
        parse_grid(grid),
        between,
        points,
        timing=timing,
        first=first,
        time_limit=time_limit,
    )
    if out is not None and out.suffix in (".png", ".svg", ".pdf"):
        from expost.show.plots.style import write_figure

        write_figure(found.plot().figure, out)
    elif out is not None:
        write_table(found.table, out)
    if as_json:
        emit(found.to_dict())
        return
    sys.stdout.write(f"{found.summary()}\n\n{found.table.to_string(index=False, max_rows=40)}\n")
