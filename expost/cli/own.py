"""Commands for a mechanism of the user's own: ``check``, ``fit`` and ``simplify``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from expost.cli import options, parse
from expost.cli.common import app, emit
from expost.errors import InputError

if TYPE_CHECKING:
    from expost.instances.environment import Instance
    from expost.mechanisms.own import Prices, Strikes


@app.command()
def check(
    instance: options.Instance,
    prices: options.Prices,
    grid: options.Grid = "8",
    first: options.First = "",
    parameters: options.AllParameters = "",
    brackets: options.Brackets = 0.0,
    time_limit: options.Limit = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Test prices or strikes of your own: are they a mechanism, what are they worth, what does the theory say?"""
    import expost as ex

    stated, mechanism = with_set(instance, prices, parameters)
    found = ex.check(
        stated,
        mechanism,
        parse.grid(grid),
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
    instance: options.Instance,
    prices: options.Prices,
    over: Annotated[
        str, typer.Option("--over", metavar="a=0:2,...", help="Ranges of the parameters to choose.")
    ],
    parameters: options.AllParameters = "",
    objective: options.Objective = "welfare",
    brackets: options.Brackets = 0.0,
    time_limit: options.Limit = None,
    jobs: options.Jobs = 1,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Find the best parameters of a family of prices, in the continuum and admissible."""
    import expost as ex

    ranges = parse.ranges(over)
    middles = {name: 0.5 * (low + high) for name, (low, high) in ranges.items()}
    stated, mechanism = with_set(instance, prices, parameters, middles)
    found = ex.fit(
        stated,
        mechanism,
        ranges,
        objective=parse.choice(objective),
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


@app.command()
def simplify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A saved run or bracket, static.")],
    most: Annotated[int, typer.Option("--terms", metavar="N", help="Terms of a price, at most.")] = 2,
    add: Annotated[
        list[str] | None,
        typer.Option(
            "--add", metavar="FORMULA", help="A term to consider beside the library; may be repeated."
        ),
    ] = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Find price formulas of few terms that come close to an optimum, each an admissible mechanism."""
    import expost as ex

    saved = ex.open(folder)
    if not isinstance(saved, ex.Run | ex.Bracket):
        raise InputError(f"{folder} is a {type(saved).__name__}", where="run", expected="a run or a bracket")
    found = ex.simplify(saved, most, terms=add or (), seed=seed)
    if as_json:
        emit(found.to_dict())
        return
    from expost.show.console import lines_table

    lines_table(f"simple prices on {found.instance}: {found.of}, welfare {found.welfare:.6f}", found.lines())


def with_set(
    instance: str, prices: str, text: str, defaults: dict[str, float] | None = None
) -> tuple[Instance, str | Prices | Strikes]:
    """The instance and the mechanism, with the numbers of ``--set`` where each has a parameter of that name; what the
    instance does not have belongs to the prices. ``defaults``: parameters that these have in any case."""
    import expost as ex
    from expost.runs.own import stated as read

    given, stated, mechanism = parse.numbers(text, "parameters"), ex.load(instance), read(prices)
    mine = {name: value for name, value in given.items() if name in stated.parameters}
    rest = {name: value for name, value in given.items() if name not in mine}
    if isinstance(mechanism, str):
        if rest:
            ex.load(stated, **rest)  # refuses the unknown parameter by name
        return ex.load(stated, **mine), mechanism
    _refuse_unused(rest, mechanism, defaults or {})
    kept = {**(defaults or {}), **mechanism.parameters, **rest}
    return ex.load(stated, **mine), type(mechanism)(mechanism.terms, name=mechanism.name, **kept)


def _refuse_unused(given: dict[str, float], mechanism: Prices | Strikes, defaults: dict[str, float]) -> None:
    """Raise InputError for a number of ``--set`` that nothing uses."""
    texts = " ".join(term for term in mechanism.terms.values() if isinstance(term, str))
    used = {*mechanism.parameters, *defaults, *re.findall(r"[^\W\d]\w*", texts)}
    unused = [name for name in given if name not in used]
    if unused:
        raise InputError(
            f"unknown parameter {unused[0][:60]!r}",
            where="parameters",
            expected="parameters of the instance or of the prices",
        )
