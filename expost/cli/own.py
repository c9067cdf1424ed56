"""Commands for a mechanism of the user's own: ``check`` and ``fit``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from expost.cli.common import (
    FirstOption,
    GridOption,
    InstanceArgument,
    JobsOption,
    JsonOption,
    LimitOption,
    app,
    emit,
    parse_grid,
    parse_parameters,
)
from expost.errors import InputError

if TYPE_CHECKING:
    from expost.instances.environment import Instance
    from expost.mechanisms.own import Prices, Strikes

PricesOption = Annotated[
    str,
    typer.Option(
        "--prices",
        metavar="FILE|NAME|TEXT",
        help="A TOML file, a construction, or '1: p2 + a*c2**b; 2: complete'.",
    ),
]
SetOption = Annotated[
    str,
    typer.Option("--set", metavar="a=0.5,...", help="Parameters of the prices or of the instance."),
]
BracketsOption = Annotated[
    float,
    typer.Option("--brackets", metavar="S", help="Seconds for a certified upper bound; 0: none."),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Of all random numbers.")]


@app.command()
def check(
    instance: InstanceArgument,
    prices: PricesOption,
    grid: GridOption = "8",
    first: FirstOption = "",
    parameters: SetOption = "",
    brackets: BracketsOption = 0.0,
    time_limit: LimitOption = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Test prices or strikes of your own: are they a mechanism, what are they worth, what does the theory say?"""
    import expost as ex

    stated, mechanism = with_set(instance, prices, parameters)
    found = ex.check(
        stated,
        mechanism,
        parse_grid(grid),
        first=first,
        brackets=brackets,
        time_limit=time_limit,
        seed=seed,
    )
    if as_json:
        emit(found.to_dict())
        return
    from expost.show.console import lines_table

    lines_table(f"{found.mechanism} on {found.instance}", found.lines())


@app.command()
def fit(
    instance: InstanceArgument,
    prices: PricesOption,
    over: Annotated[
        str, typer.Option("--over", metavar="a=0:2,...", help="Ranges of the parameters to choose.")
    ],
    parameters: SetOption = "",
    objective: Annotated[
        str, typer.Option("--objective", help="welfare, revenue, or the weight on welfare in [0, 1].")
    ] = "welfare",
    brackets: BracketsOption = 0.0,
    time_limit: LimitOption = None,
    jobs: JobsOption = 1,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Find the best parameters of a family of prices, in the continuum and admissible."""
    import expost as ex
    from expost.cli.common import parse_objective

    ranges = parse_ranges(over)
    middles = {name: 0.5 * (low + high) for name, (low, high) in ranges.items()}
    stated, mechanism = with_set(instance, prices, parameters, middles)
    found = ex.fit(
        stated,
        mechanism,
        ranges,
        objective=parse_objective(objective),
        brackets=brackets,
        time_limit=time_limit,
        jobs=jobs,
        seed=seed,
    )
    if as_json:
        emit(found.to_dict())
        return
    from expost.show.console import lines_table

    rows = [(name, f"{value:.6g}", "chosen") for name, value in found.parameters.items()]
    lines_table(f"{found.mechanism.name} on {found.instance}", rows + found.report.lines())


def with_set(
    instance: str, prices: str, text: str, defaults: dict[str, float] | None = None
) -> tuple[Instance, str | Prices | Strikes]:
    """The instance and the mechanism, with the numbers of ``--set`` where each has a parameter of that name; what the
    instance does not have belongs to the prices. ``defaults``: parameters that these have in any case."""
    import expost as ex
    from expost.runs.own import stated as read

    given, stated, mechanism = parse_parameters(text), ex.load(instance), read(prices)
    mine = {name: value for name, value in given.items() if name in stated.parameters}
    rest = {name: value for name, value in given.items() if name not in mine}
    if isinstance(mechanism, str):
        if rest:
            ex.load(stated, **rest)  # refuses the unknown parameter by name
        return ex.load(stated, **mine), mechanism
    kept = {**(defaults or {}), **mechanism.parameters, **rest}
    return ex.load(stated, **mine), type(mechanism)(mechanism.terms, name=mechanism.name, **kept)


def parse_ranges(text: str) -> dict[str, tuple[float, float]]:
    """``a=0:2,b=0.25:4``. Raises InputError for anything else."""
    ranges: dict[str, tuple[float, float]] = {}
    for part in text.split(","):
        name, equals, ends = (piece.strip() for piece in part.partition("="))
        low, colon, high = ends.partition(":")
        try:
            ranges[name] = (float(low), float(high))
        except ValueError:
            equals = ""
        if not (equals and colon and name):
            raise InputError(
                f"{part!r}"[:60], where="over", expected="NAME=LOWEST:HIGHEST, separated by commas"
            )
    return ranges
