"""What the papers leave open, on the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from expost.cli import options, parse
from expost.cli.common import app, emit, loaded, opened_run, show
from expost.errors import InputError

if TYPE_CHECKING:
    from expost.runs.items_check import ItemsCheck
    from expost.runs.lotteries import LotteryRun
    from expost.runs.lottery_bracket import LotteryBracket


PICTURES = (".png", ".svg", ".pdf")


def claim(out: Path | None, suffixes: tuple[str, ...]) -> None:
    """Raise InputError unless ``out`` can become a file that ends so, or a new folder where it has no suffix."""
    from expost.files import claim_file, claim_folder

    if out is not None and out.suffix:
        claim_file(out, suffixes=(*suffixes, *PICTURES))
    elif out is not None:
        claim_folder(out)


def keep(found: Any, out: Path | None) -> None:
    """Write a result: a picture by its suffix, everything to a new folder where there is none."""
    from expost.show.plots.style import write_figure

    if out is None:
        return
    if out.suffix in PICTURES:
        write_figure(found.plot().figure, out)
    else:
        found.save(out)


def show_lottery_bracket(found: LotteryBracket, out: Path | None, as_json: bool) -> None:
    """Save and print bounds on the continuum's best stochastic mechanism."""
    keep(found, out)
    if as_json:
        emit({**found.to_dict(), "mechanism": None if out is None else str(out)})
        return
    sys.stdout.write(f"{found.summary()}\n")


def show_lotteries(run: LotteryRun, out: Path | None, as_json: bool) -> None:
    """Save and print the best stochastic mechanism."""
    keep(run, out)
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
    instance: options.Instance,
    grid: options.Grid = "6",
    participation: Annotated[
        str, typer.Option("--participation", help="interim, or ex post: payments in every state.")
    ] = "interim",
    parameters: options.Parameters = "",
    time_limit: options.Limit = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE|DIR",
            help="The interim payments (.csv, .json, .parquet, .tex), a picture, or a new folder for everything.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """What private information costs and what robustness costs: the Bayesian benchmark on a grid."""
    import expost as ex

    claim(out, (".csv", ".json", ".parquet", ".tex"))
    found = ex.bayesian(
        loaded(instance, parameters), parse.grid(grid), participation=participation, time_limit=time_limit
    )
    keep(found, out)
    show(found, as_json)


@app.command()
def explain(
    folder: options.Run,
    time_limit: options.Limit = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="A picture, or the costs of every type (.csv, .parquet)."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Which incentives bind in a saved run and what each costs, what every optimum decides alike."""
    from expost.files import claim_file

    if out is not None:
        claim_file(out, suffixes=(".csv", ".parquet", *PICTURES))
    found = opened_run(folder).explain(time_limit=time_limit)
    write_table_or_picture(found, found.by_type, out)
    show(found, as_json)


def write_table_or_picture(found: Any, table: Any, out: Path | None) -> None:
    """Write ``table`` as .csv or .parquet, or what else ``keep`` writes."""
    from expost.runs.sweep_table import write_table

    if out is not None and out.suffix in (".csv", ".parquet"):
        write_table(table, out)
    else:
        keep(found, out)


@app.command()
def items(
    instance: Annotated[
        str,
        typer.Argument(
            metavar="INSTANCE", help="A TOML file with items = [..], example3 or example3-unit-demand."
        ),
    ],
    grid: options.Grid = "2",
    parameters: options.Parameters = "",
    time_limit: options.Limit = 60.0,
    tables: Annotated[
        bool, typer.Option("--tables", help="Only the papers' Tables 1 and 2, computed (example3).")
    ] = False,
    prices: Annotated[
        str,
        typer.Option(
            "--prices",
            metavar="NAME",
            help="Check a paper's prices in the continuum: t*, (15) or (15) repaired.",
        ),
    ] = "",
    samples: Annotated[
        int, typer.Option("--samples", metavar="N", help="Random states of a check (--prices).")
    ] = 512,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE|DIR",
            help="Every state's bundles and payments (.csv), a picture, or a new folder for everything.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Several items: the best mechanism on a small grid, the demand mechanism, separate sales."""
    import expost as ex
    from expost.files import write_whole

    if tables:
        show_tables(instance)
        return
    points = parse.grid(grid)
    if not isinstance(points, int):
        raise InputError(f"{grid}", where="grid", expected="one number of points for every signal")
    if prices:
        from expost.files import claim_file
        from expost.instances.items import load_items

        stated = load_items(instance, **parse.numbers(parameters, "parameters"))
        if out is not None:
            claim_file(out, suffixes=(".csv", ".json", ".parquet", ".tex"))
        show_items_check(ex.items_check(stated, prices, samples=samples), points, out, as_json)
        return
    claim(out, (".csv",))
    found = ex.items(instance, points, time_limit=time_limit, **parse.numbers(parameters, "parameters"))
    if out is not None and out.suffix == ".csv":
        write_whole(out, found.allocation.to_csv(index=False).encode(), where="out")
    else:
        keep(found, out)
    show(found, as_json)


def show_items_check(found: ItemsCheck, points: int, out: Path | None, as_json: bool) -> None:
    """Print what checking a paper's prices found; ``out`` gets the prices on a grid of ``points`` points."""
    if out is not None:
        found.save(out, points)
    show(found, as_json)


def show_tables(instance: str) -> None:
    """Tables 1 and 2 of Example 3: values, prices and bundles of every buyer at buyer 1's signals."""
    from expost.papers.bikhchandani.example3 import COLUMNS, table

    kinds = {"example3": ("subadditive", COLUMNS), "example3-unit-demand": ("unit demand", COLUMNS[:2])}
    if instance not in kinds:
        raise InputError(f"tables of {instance}", where="instance", expected=f"one of {', '.join(kinds)}")
    kind, columns = kinds[instance]
    found = table(kind, columns)
    for at, signals in enumerate(columns):
        sys.stdout.write("pa1 = {}, pb1 = {}, c1 = {}\n".format(*signals))
        for i in range(3):
            worth = ", ".join(f"V^{k} {v:.4g}" for k, v in zip("ab", found.values[i, :, at], strict=True))
            prices = ", ".join(f"t^{k} {t:.4g}" for k, t in zip("ab", found.prices[i, :, at], strict=True))
            line = (
                f"  buyer {i + 1}: {worth}, V^ab {found.both[i, at]:.4g}, {prices}: {found.bundles[i][at]}\n"
            )
            sys.stdout.write(line)


@app.command()
def epsilon(
    instance: options.Instance,
    grid: options.Grid = "2",
    allowed: Annotated[
        str, typer.Option("--epsilon", metavar="E,...", help="What nobody may gain more than by lying.")
    ] = "0",
    loses_to: Annotated[
        str,
        typer.Option(
            "--loses-to", help="What a loser feels: '1<2: -0.1*p2; 2<1: -0.1*p1' (1 when 2 wins; ...)."
        ),
    ] = "",
    parameters: options.Parameters = "",
    time_limit: options.Limit = 60.0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE|DIR",
            help="A table (.csv, .parquet), a picture, or a new folder for everything.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Welfare against epsilon: what externalities among buyers leave of ex post incentives."""
    import expost as ex

    claim(out, (".csv", ".parquet"))
    found = ex.epsilon(
        loaded(instance, parameters),
        parse.grid(grid),
        parse.several(allowed, "epsilon"),
        loses_to=parse.feelings(loses_to) if loses_to else None,
        time_limit=time_limit,
    )
    write_table_or_picture(found, found.table, out)
    show(found, as_json)
