"""What the commands share: the application, options, output, progress."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from expost.errors import InputError

if TYPE_CHECKING:
    from expost.runs.run import Run
    from expost.solver.progress import ProgressCallback

app = typer.Typer(
    name="expost",
    no_args_is_help=True,
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
SetOption = Annotated[
    str, typer.Option("--set", metavar="k=1.5,...", help="Parameters of the instance, overriding the file.")
]
JobsOption = Annotated[
    int, typer.Option("--jobs", metavar="N", help="Cases worked on at once; -1: one a processor.")
]


def emit(data: object) -> None:
    """One JSON object on standard output."""
    sys.stdout.write(json.dumps(data, indent=2, allow_nan=False) + "\n")


def parse_grid(text: str) -> int | dict[str, int]:
    """``16`` or ``p1=24,c1=12``. Raises InputError for anything else."""
    if "=" not in text:
        return _count(text)
    counts: dict[str, int] = {}
    for name, number in _pairs(text, "grid", "SIGNAL=POINTS"):
        counts[name] = _count(number)
    return counts


def parse_points(text: str) -> str | float:
    """``midpoint``, ``endpoint`` or a number; the library checks which."""
    number = _number(text)
    return text if math.isnan(number) else number


def parse_objective(text: str) -> str | float:
    """``welfare``, ``revenue`` or a number; the library checks which."""
    number = _number(text)
    return text if math.isnan(number) else number


def parse_parameters(text: str) -> dict[str, float]:
    """``k=1.5,a=2``. Raises InputError for anything else."""
    found: dict[str, float] = {}
    for name, given in _pairs(text, "parameters", "NAME=NUMBER") if text else ():
        found[name] = _number(given)
        if not math.isfinite(found[name]):
            raise InputError(f"{name}={given}"[:60], where="parameters", expected="a finite number")
    return found


def parse_at(text: str) -> dict[str, float]:
    """``c1=0.5,c2=0.5``. Raises InputError for anything else."""
    found: dict[str, float] = {}
    for name, given in _pairs(text, "at", "SIGNAL=NUMBER") if text else ():
        found[name] = _number(given)
        if not math.isfinite(found[name]):
            raise InputError(f"{name}={given}"[:60], where="at", expected="a finite number")
    return found


def _pairs(text: str, where: str, expected: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for part in text.split(","):
        name, equals, given = (piece.strip() for piece in part.partition("="))
        if not equals or not name or name in seen:
            raise InputError(
                f"{part[:60]!r}", where=where, expected=f"{expected}, each name once, separated by commas"
            )
        seen.add(name)
        yield name, given


def _count(text: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and int(digits) > 0):
        raise InputError(
            f"{text[:60]!r}",
            where="grid",
            expected="a positive whole number of points per signal",
            remedy='for example grid=16 or grid={"p1": 24, "c1": 12, ...}',
        )
    return int(digits)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


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


def note(text: str) -> None:
    """A line for people on standard error, where that is a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")


def loaded(instance: str, parameters: str = "") -> Any:
    """The instance that the command line names, with its ``--set``."""
    import expost as ex

    return ex.load(instance, **parse_parameters(parameters))


def opened_run(folder: Path) -> Run:
    """The run in ``folder``. Raises InputError for a bracket's folder, and as ``ex.open``."""
    import expost as ex

    saved = ex.open(folder)
    if not isinstance(saved, ex.Run):
        raise InputError(
            f"{folder} is a bracket",
            where="run",
            expected="a solved run",
            remedy="a bracket's mechanism is ex.open(folder).mechanism",
        )
    return saved
