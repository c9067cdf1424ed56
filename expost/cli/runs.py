"""Commands that make, re-check and show runs."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from expost.cli import options, parse
from expost.cli.beyond import show_lotteries
from expost.cli.common import app, emit, loaded, opened_run
from expost.cli.own import with_set
from expost.errors import InputError
from expost.files import write_whole


@app.command()
def instances(
    instance: Annotated[
        str | None,
        typer.Argument(metavar="[INSTANCE]", help="One instance: its file, and Assumptions 1 to 3 tested."),
    ] = None,
    parameters: options.Parameters = "",
    as_json: options.Json = False,
) -> None:
    """List the catalogue, with citations; or show one instance and test the assumptions of the theory on it."""
    import expost as ex

    if instance is not None:
        show_instance(instance, parameters, as_json)
        return
    entries = ex.describe()
    if as_json:
        emit({"instances": [asdict(entry) for entry in entries]})
        return
    from expost.show.console import catalogue_table

    catalogue_table(entries)


def show_instance(name: str, parameters: str, as_json: bool) -> None:
    """One instance as TOML, and what testing the assumptions found."""
    import expost as ex
    from expost.runs.record import finite

    stated = loaded(name, parameters)
    text, reports = ex.instance_to_toml(stated), ex.check_assumptions(stated)
    if as_json:
        tested = [asdict(report) | {"violation": finite(report.violation)} for report in reports]
        emit({"instance": stated.name, "toml": text, "assumptions": tested})
        return
    sys.stdout.write(text + "\n" + "".join(f"# {report}\n" for report in reports))


@app.command()
def solve(
    instance: options.Instance,
    grid: options.Grid,
    timing: options.Timing = "static",
    backend: Annotated[
        str,
        typer.Option(
            "--backend", help="auto, mincut, highs, pdlp, pdlp:hipdlp, pulp, cvxpy, pulp:NAME, cvxpy:NAME."
        ),
    ] = "auto",
    points: options.Points = "midpoint",
    first: options.First = "",
    objective: options.Objective = "welfare",
    restrict: Annotated[
        str, typer.Option("--restrict", help="conditional: only conditionally efficient rules.")
    ] = "",
    lotteries: Annotated[
        bool, typer.Option("--lotteries", help="Stochastic mechanisms too, by a linear program.")
    ] = False,
    symmetric: Annotated[
        bool, typer.Option("--symmetric", help="Only rules that treat exchangeable buyers alike.")
    ] = False,
    gap: Annotated[
        float | None,
        typer.Option("--gap", metavar="G", help="Stop at this certified relative gap (minimum cut)."),
    ] = None,
    parameters: options.Parameters = "",
    time_limit: options.Limit = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="A new folder for the run."),
    ] = None,
    write_model: Annotated[
        Path | None,
        typer.Option("--write-model", metavar="FILE", help="Also write the program, as .lp or .mps."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Compute the best mechanism on a grid, prove it, audit it and save it.

    Without --out the run is saved below runs/; with --json it is saved only where --out says.
    """
    import expost as ex
    from expost.files import claim_folder
    from expost.runs.folder import save_numbered

    if out is not None:
        claim_folder(out)
    asked: dict[str, Any] = {
        "timing": timing,
        "first": first,
        "objective": parse.choice(objective),
        "restrict": restrict,
        "points": parse.choice(points),
        "symmetric": symmetric,
        "time_limit": time_limit,
    }
    stated, counts = loaded(instance, parameters), parse.grid(grid)
    if lotteries:
        show_lotteries(ex.solve(stated, counts, lotteries=True, **asked), out, as_json)
        return
    run = ex.solve(stated, counts, backend=backend, gap=gap, write_model=write_model, **asked)
    for name in run.record.details.get("ignored", ()):
        sys.stderr.write(f"{run.record.backend} takes no {name.replace('_', ' ')}: ignored\n")
    if out is None and not as_json:
        out = save_numbered(run)
    elif out is not None:
        run.save(out)
    if as_json:
        emit({**run.record.to_dict(), "run": None if out is None else str(out)})
        return
    from expost.show.console import result_table

    result_table(run.record, out)


@app.command()
def verify(folder: options.Run, as_json: options.Json = False) -> None:
    """Re-check a saved run without any solver: files, figures, audit by definition, certificate."""
    import expost as ex

    found = ex.verify(folder)
    if as_json:
        emit(
            {
                "run": str(folder),
                "passed": found.passed,
                "checks": [asdict(check) for check in found.checks],
            }
        )
    else:
        from expost.show.console import checks_table

        checks_table(found)
    if not found.passed:
        raise typer.Exit(1)


@app.command()
def menu(
    folder: options.Run,
    form: Annotated[str, typer.Option("--format", help="csv, json, parquet or latex.")] = "csv",
    timing: Annotated[
        str, typer.Option("--timing", help="sequential: refuse a run that has prices and no menus.")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="A file instead of standard output."),
    ] = None,
    digits: Annotated[
        int | None,
        typer.Option("--digits", metavar="N", help="Decimals of a LaTeX table; by default every digit."),
    ] = None,
) -> None:
    """Print the menus of a saved run: strikes, fees, and who takes which option.

    A static buyer's menu is one line: his price. Of a saved bracket: the strikes of its mechanism at random states.
    """
    from expost.runs.tables import exported_menu

    if timing not in ("", "sequential"):
        raise InputError(f"{timing!r}", where="timing", expected="sequential, or nothing")
    import expost as ex

    saved = ex.open(folder)
    if isinstance(saved, ex.LotteryRun):
        content = saved.export(form, digits)
    elif isinstance(saved, ex.Bracket):
        if form != "csv" or saved.mechanism is None:
            raise InputError(f"the strikes of a bracket as {form}", where="format", expected="csv")
        content = saved.mechanism.exported()
    else:
        content = exported_menu(opened_run(folder), form, sequential=timing == "sequential", digits=digits)
    if out is not None:
        write_whole(out, content)
        return
    if form == "parquet" and sys.stdout.isatty():
        raise InputError("Parquet on a terminal", where="format", expected="a file", remedy="add out=FILE")
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


@app.command()
def plot(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|INSTANCE",
            help="A folder of `expost solve` or `bracket`, or a sweep's table; with --prices an instance.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A .png, .svg or .pdf file.")],
    prices: options.Prices = "",
    grid: options.Grid = "8",
    first: options.First = "",
    parameters: options.AllParameters = "",
    axes: Annotated[
        str,
        typer.Option(
            "--axes",
            metavar="X,Y",
            help="The signals on the axes of who wins where; of a sweep, what varies and the figure.",
        ),
    ] = "",
    at: Annotated[
        str, typer.Option("--at", metavar="c1=0.5,...", help="Where the other signals are held.")
    ] = "",
    over: Annotated[
        str, typer.Option("--over", metavar="SIGNAL", help="A panel for each of up to six points of a third.")
    ] = "",
) -> None:
    """Draw a saved run: who wins where, what is lost against the first best, and the prices or strikes.

    Of a bracket the bounds over time, of a sweep's table curves.

    With --prices: a mechanism of your own, or of the papers, on a grid of an instance.
    """
    import expost as ex
    from expost.runs.sweep_table import read_table
    from expost.show.plots.overview import draw_run
    from expost.show.plots.style import figure_of, write_figure

    names = tuple(part.strip() for part in axes.split(",") if part.strip())
    if len(names) > 2:
        raise InputError(f"{len(names)} signals", where="axes", expected="two signals, separated by a comma")
    if prices:
        held = parse.numbers(at, "at", "SIGNAL=NUMBER")
        _draw_stated(str(folder), prices, parameters, grid, first, out, names, held)
        return
    _no_order_of_a_folder(first)
    if folder.is_file():
        x, y = (*names, None, None)[:2]
        write_figure(figure_of(ex.plot_sweep(read_table(folder, "run"), x, y)), out)
    elif isinstance(saved := ex.open(folder), ex.Run):
        draw_run(saved, out, names, parse.numbers(at, "at", "SIGNAL=NUMBER"), over or None)
    else:
        write_figure(saved.plot().figure, out)
    sys.stderr.write(f"written to {out}\n")


def _no_order_of_a_folder(first: str) -> None:
    if first:
        raise InputError(
            "signals that arrive first", where="first", expected="nothing without strikes of your own"
        )


PageOption = Annotated[Path, typer.Option("--out", metavar="FILE.html", help="The page.")]


def _draw_stated(
    instance: str,
    prices: str,
    parameters: str,
    grid: str,
    first: str,
    out: Path,
    axes: tuple[str, ...],
    at: dict[str, float],
) -> None:
    """Draw a stated mechanism on a grid."""
    from expost.runs.own import allocated
    from expost.show.plots.stated import stated_figure
    from expost.show.plots.style import require_format, write_figure

    require_format(out)
    stated, mechanism = with_set(instance, prices, parameters)
    drawn = allocated(stated, mechanism, parse.grid(grid), first)
    points = drawn.space.grid.describe()
    x, y = (*axes, None, None)[:2]
    name = mechanism if isinstance(mechanism, str) else mechanism.name
    write_figure(stated_figure(drawn, f"{name} on {stated.name}, grid {points}", x, y, at), out)
    sys.stderr.write(f"written to {out}\n")


@app.command()
def page(
    folder: options.RunOrInstance,
    out: PageOption,
    prices: options.Prices = "",
    grid: options.Grid = "8",
    first: options.First = "",
    parameters: options.AllParameters = "",
) -> None:
    """Write a saved run as one self-contained HTML page: figures, checks, plots, terms.

    With --prices: the check of a mechanism of your own, or of the papers, on an instance.
    """
    import expost as ex

    if prices:
        stated, mechanism = with_set(str(folder), prices, parameters)
        ex.check(stated, mechanism, parse.grid(grid), first=first).page(out)
    else:
        _no_order_of_a_folder(first)
        ex.open(folder).page(out)
    sys.stderr.write(f"written to {out}\n")


app.command("report", help="Another name for page.", hidden=True)(page)
