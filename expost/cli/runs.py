"""Commands that make, re-check and show runs."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Optional

import typer

from expost.cli.common import (
    FirstOption,
    GridOption,
    InstanceArgument,
    JsonOption,
    LimitOption,
    RunArgument,
    TimingOption,
    app,
    checked_limit,
    emit,
    progress_line,
)
from expost.errors import InputError
from expost.files import write_whole


@app.command()
def instances(
    instance: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(metavar="[INSTANCE]", help="One instance: its file, and Assumptions 1 to 3 tested."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the catalogue, with citations; or show one instance and test the assumptions of the theory on it."""
    if instance is not None:
        show_instance(instance, as_json)
        return
    from expost.instances import catalogue

    entries = catalogue.describe()
    if as_json:
        emit({"instances": [asdict(entry) for entry in entries]})
        return
    from expost.show.console import catalogue_table

    catalogue_table(entries)


def show_instance(name: str, as_json: bool) -> None:
    """One instance as TOML, and what testing the assumptions found."""
    from expost.instances.assumptions import check_assumptions
    from expost.instances.toml_file import instance_to_toml, load_instance
    from expost.runs.record import finite

    stated = load_instance(name)
    text, reports = instance_to_toml(stated), check_assumptions(stated)
    if as_json:
        tested = [asdict(report) | {"violation": finite(report.violation)} for report in reports]
        emit({"instance": stated.name, "toml": text, "assumptions": tested})
        return
    sys.stdout.write(text + "\n" + "".join(f"# {report}\n" for report in reports))


@app.command()
def solve(
    instance: InstanceArgument,
    grid: GridOption,
    timing: TimingOption = "static",
    backend: Annotated[
        str,
        typer.Option("--backend", help="auto, mincut, highs, pulp, cvxpy, or pulp:NAME and cvxpy:NAME."),
    ] = "auto",
    points: Annotated[
        str, typer.Option("--points", help="midpoint, endpoint, or an offset in [0, 1].")
    ] = "midpoint",
    first: FirstOption = "",
    objective: Annotated[
        str, typer.Option("--objective", help="welfare, revenue, or the weight on welfare in [0, 1].")
    ] = "welfare",
    restrict: Annotated[
        str, typer.Option("--restrict", help="conditional: only conditionally efficient rules.")
    ] = "",
    time_limit: LimitOption = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", metavar="DIR", help="A new folder for the run."),
    ] = None,
    write_model: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--write-model", metavar="FILE", help="Also write the program, as .lp or .mps."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compute the best mechanism on a grid, prove it, audit it and save it.

    Without --out the run is saved below runs/; with --json it is saved only where --out says.
    """
    from expost.files import claim_folder
    from expost.instances.toml_file import load_instance
    from expost.runs.folder import default_folder, save_run
    from expost.runs.settings import make_settings
    from expost.runs.solve import solve as solve_run
    from expost.spaces.type_space import parse_grid

    settings = make_settings(parse_grid(grid, points), timing, first, objective, restrict)
    stated = load_instance(instance)
    folder = out if out is not None or as_json else default_folder(stated.name, settings)
    if folder is not None:
        claim_folder(folder)
    with progress_line() as progress:
        run = solve_run(
            stated,
            settings,
            backend=backend,
            time_limit=checked_limit(time_limit),
            progress=progress,
            model=write_model,
        )
    for name in run.record.details.get("ignored", ()):
        sys.stderr.write(f"{run.record.backend} takes no {name.replace('_', ' ')}: ignored\n")
    if folder is not None:
        save_run(run, folder)
    if as_json:
        emit({**run.record.to_dict(), "run": None if folder is None else str(folder)})
        return
    from expost.show.console import result_table

    result_table(run.record, folder)


@app.command()
def verify(folder: RunArgument, as_json: JsonOption = False) -> None:
    """Re-check a saved run without any solver: files, figures, audit by definition, certificate."""
    from expost.runs.verify import verify as verify_run

    checks = verify_run(folder)
    passed = all(check.passed for check in checks)
    if as_json:
        emit({"run": str(folder), "passed": passed, "checks": [asdict(check) for check in checks]})
    else:
        from expost.show.console import checks_table

        checks_table(checks, folder)
    if not passed:
        raise typer.Exit(1)


@app.command()
def menu(
    folder: RunArgument,
    form: Annotated[str, typer.Option("--format", help="csv, json, parquet or latex.")] = "csv",
    timing: Annotated[
        str, typer.Option("--timing", help="sequential: refuse a run that has prices and no menus.")
    ] = "",
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", metavar="FILE", help="A file instead of standard output."),
    ] = None,
) -> None:
    """Print the menus of a saved run: strikes, fees, and who takes which option.

    A static buyer's menu is one line: his price.
    """
    from expost.runs.export import exported_menu

    content = exported_menu(folder, form, sequential=wants_menus(timing))
    if out is not None:
        write_whole(out, content)
        return
    if form == "parquet" and sys.stdout.isatty():
        raise InputError(
            "Parquet on a terminal", where="--format", expected="a file", remedy="add --out FILE"
        )
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def wants_menus(timing: str) -> bool:
    """Whether ``--timing`` insists on sequential menus. Raises InputError for another word."""
    if timing not in ("", "sequential"):
        raise InputError(f"{timing!r}", where="--timing", expected="sequential, or nothing")
    return timing == "sequential"


@app.command()
def plot(
    folder: RunArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A .png, .svg or .pdf file.")],
) -> None:
    """Draw a saved run: who wins where, the prices or strikes, what admissibility costs."""
    from expost.show.plots import draw_run

    draw_run(folder, out)
    sys.stderr.write(f"written to {out}\n")


@app.command()
def report(
    folder: RunArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FILE.html", help="The page.")],
) -> None:
    """Write a saved run as one self-contained HTML page: figures, checks, plots, terms."""
    from expost.show.page import report_page

    write_whole(out, report_page(folder).encode())
    sys.stderr.write(f"written to {out}\n")
