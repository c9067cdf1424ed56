"""The arguments and options that several commands take, one type each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Instance = Annotated[
    str,
    typer.Argument(metavar="INSTANCE", help="A name from `expost instances`, or the path of a TOML file."),
]
Run = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `expost solve` wrote.")]
RunOrInstance = Annotated[
    Path,
    typer.Argument(metavar="DIR|INSTANCE", help="A folder that a command wrote; with --prices an instance."),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else there.")
]
Grid = Annotated[
    str, typer.Option("--grid", metavar="M", help="Points per signal: one number, or p1=24,c1=12,...")
]
Timing = Annotated[
    str,
    typer.Option("--timing", help="static or sequential, or one of them for each buyer: static,sequential"),
]
First = Annotated[
    str, typer.Option("--first", metavar="SIGNAL,...", help="Signals that arrive first, overriding the file.")
]
Objective = Annotated[
    str, typer.Option("--objective", help="welfare, revenue, or the weight on welfare in [0, 1].")
]
Points = Annotated[str, typer.Option("--points", help="midpoint, endpoint, or an offset in [0, 1].")]
Limit = Annotated[
    float | None,
    typer.Option("--time-limit", metavar="S", help="Seconds after which to stop with the best found."),
]
Parameters = Annotated[
    str, typer.Option("--set", metavar="k=1.5,...", help="Parameters of the instance, overriding the file.")
]
AllParameters = Annotated[
    str,
    typer.Option("--set", metavar="a=0.5,...", help="Parameters of the prices or of the instance."),
]
Prices = Annotated[
    str,
    typer.Option(
        "--prices",
        metavar="FILE|NAME|TEXT",
        help="A TOML file, a construction, or '1: p2 + a*c2**b; 2: complete'.",
    ),
]
Brackets = Annotated[
    float,
    typer.Option("--brackets", metavar="S", help="Seconds for a certified upper bound; 0: none."),
]
Jobs = Annotated[
    int, typer.Option("--jobs", metavar="N", help="Cases worked on at once; -1: one a processor.")
]
Seed = Annotated[int, typer.Option("--seed", help="Of all random numbers.")]
