"""The command line: parses, delegates, prints. Messages and progress go to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from expost.errors import ExpostError, InputError

if TYPE_CHECKING:
    from expost.solver.progress import ProgressCallback

app = typer.Typer(
    name="expost",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The best mechanism that ex post incentives allow, computed and proved.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

InstanceArgument = Annotated[
    str,
    typer.Argument(metavar="INSTANCE", help="A name from `expost instances`, or the path of a TOML file."),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else there.")
]
GridOption = Annotated[
    str, typer.Option("--grid", metavar="M", help="Points per signal: one number, or p1=24,c1=12,...")
]
TimingOption = Annotated[str, typer.Option("--timing", help="static or sequential.")]
FirstOption = Annotated[
    str,
    typer.Option(
        "--first", metavar="SIGNAL,...", help="Signals that arrive first, overriding the file (sequential)."
    ),
]
LimitOption = Annotated[
    float | None, typer.Option("--time-limit", metavar="S", help="Seconds for the solver.")
]
RunArgument = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `expost solve` wrote.")]


def emit(data: object) -> None:
    """One JSON object on standard output."""
    sys.stdout.write(json.dumps(data, indent=2, allow_nan=False) + "\n")


@app.command()
def instances(as_json: JsonOption = False) -> None:
    """List the catalogue, with citations."""
    from expost.instances import catalogue

    entries = catalogue.describe()
    if as_json:
        emit({"instances": [asdict(entry) for entry in entries]})
        return
    from expost.console import catalogue_table

    catalogue_table(entries)


@app.command()
def solve(
    instance: InstanceArgument,
    grid: GridOption,
    timing: TimingOption = "static",
    backend: Annotated[
        str, typer.Option("--backend", help="auto, mincut, highs, pulp, cvxpy, or pulp:NAME and cvxpy:NAME.")
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
        Path | None, typer.Option("--out", metavar="DIR", help="A new folder for the run.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compute the best mechanism on a grid, prove it, audit it and save it.

    Without --out the run is saved below runs/, and with --json it is not saved unless --out says where.
    """
    from expost.formulations.discretization import parse_grid
    from expost.instances.toml_file import load_instance
    from expost.runs.folder import claim_folder, default_folder, save_run
    from expost.runs.settings import make_settings
    from expost.runs.solve import solve as solve_run

    settings = make_settings(parse_grid(grid, points), timing, first, objective, restrict)
    stated = load_instance(instance)
    folder = out if out is not None or as_json else default_folder(stated.name, settings)
    if folder is not None:
        claim_folder(folder)
    with progress_line() as progress:
        run = solve_run(
            stated, settings, backend=backend, time_limit=checked_limit(time_limit), progress=progress
        )
    if folder is not None:
        save_run(run, folder)
    if as_json:
        emit({**run.record.to_dict(), "run": None if folder is None else str(folder)})
        return
    from expost.console import result_table

    result_table(run.record, folder)


@app.command()
def verify(folder: RunArgument, as_json: JsonOption = False) -> None:
    """Re-check a saved run without any solver: files, figures, audit by definition, certificate."""
    from expost.runs.verify import verify as verify_run

    checks = verify_run(folder)
    passed = all(check.passed for check in checks)
    if as_json:
        emit({"run": str(folder), "passed": passed, "checks": [vars(check) for check in checks]})
    else:
        from expost.console import checks_table

        checks_table(checks, folder)
    if not passed:
        raise typer.Exit(1)


def checked_limit(seconds: float | None) -> float | None:
    """A time limit that makes sense. Raises InputError otherwise."""
    if seconds is not None and not 0.0 < seconds < float("inf"):
        raise InputError(f"{seconds}", where="--time-limit", expected="a positive number of seconds")
    return seconds


@contextmanager
def progress_line() -> Iterator[ProgressCallback | None]:
    """A progress callback that rewrites one line of standard error, or None where that is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from expost.console import ProgressLine

    line = ProgressLine()
    try:
        yield line
    finally:
        line.done()


def main() -> None:
    """Run the command line; every failure is one line on standard error and the right exit code."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run one command; its exit code. 0 done, 1 a check failed, 2 unusable input, 3 no answer before a limit."""
    command = typer.main.get_command(app)
    try:
        code = command.main(arguments, prog_name="expost", standalone_mode=False)
    except ExpostError as error:
        return fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return fail("interrupted", 130)
    except BrokenPipeError:
        sys.stdout = None
        return 0
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            return fail(str(error.format_message()), int(error.exit_code))
        if type(error).__name__ == "Abort":
            return fail("interrupted", 130)
        raise
    return code if isinstance(code, int) else 0


def fail(message: str, code: int) -> int:
    """One line on standard error; ``code``."""
    text = " ".join(message.split())
    sys.stderr.write(f"expost: {text}\n")
    return code


if __name__ == "__main__":
    main()
