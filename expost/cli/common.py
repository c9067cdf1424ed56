"""What the commands share: the application, options, output, progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from expost.errors import InputError

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

# typer reads these at run time and wants Optional spelled out.
InstanceArgument = Annotated[
    str,
    typer.Argument(metavar="INSTANCE", help="A name from `expost instances`, or the path of a TOML file."),
]
RunArgument = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `expost solve` wrote.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else there.")
]
GridOption = Annotated[
    str, typer.Option("--grid", metavar="M", help="Points per signal: one number, or p1=24,c1=12,...")
]
TimingOption = Annotated[
    str,
    typer.Option("--timing", help="static or sequential, or one of them for each buyer: static,sequential"),
]
FirstOption = Annotated[
    str, typer.Option("--first", metavar="SIGNAL,...", help="Signals that arrive first, overriding the file.")
]
LimitOption = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option("--time-limit", metavar="S", help="Seconds after which to stop with the best found."),
]


def emit(data: object) -> None:
    """One JSON object on standard output."""
    sys.stdout.write(json.dumps(data, indent=2, allow_nan=False) + "\n")


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
    from expost.show.console import ProgressLine

    line = ProgressLine()
    try:
        yield line
    finally:
        line.done()
