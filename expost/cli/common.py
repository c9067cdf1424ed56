"""What the commands share: the application, what they are given, what they print."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import typer

from expost.cli import parse
from expost.errors import InputError

if TYPE_CHECKING:
    from expost.runs.run import Run

app = typer.Typer(
    name="expost",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The best mechanism that ex post incentives allow, computed and proved.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def emit(data: object) -> None:
    """One JSON object on standard output."""
    sys.stdout.write(json.dumps(data, indent=2, allow_nan=False) + "\n")


class Answer(Protocol):
    """What the front door returns: figures, and the same as text."""

    def to_dict(self) -> dict[str, Any]:
        """What ``--json`` prints."""

    def summary(self) -> str:
        """What people read."""


def show(found: Answer, as_json: bool) -> None:
    """The answer on standard output, as ``--json`` asks or for people."""
    if as_json:
        emit(found.to_dict())
    else:
        sys.stdout.write(f"{found.summary()}\n")


def note(text: str) -> None:
    """A line for people on standard error, where that is a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{text}\n")


@contextmanager
def aloud(logger: str) -> Iterator[None]:
    """What ``logger`` tells during the call inside, on standard error."""
    told, handler = logging.getLogger(logger), logging.StreamHandler()
    handler.setFormatter(logging.Formatter("expost: %(message)s"))
    before = told.level
    told.addHandler(handler)
    told.setLevel(logging.INFO)
    try:
        yield
    finally:
        told.setLevel(before)
        told.removeHandler(handler)


def loaded(instance: str, parameters: str = "") -> Any:
    """The instance that the command line names, with its ``--set``."""
    import expost as ex

    return ex.load(instance, **parse.numbers(parameters, "parameters"))


def opened_run(folder: Path) -> Run:
    """The run in ``folder``. Raises InputError for a bracket's folder, and as ``ex.open``."""
    import expost as ex

    saved = ex.open(folder)
    if not isinstance(saved, ex.Run):
        raise InputError(
            f"{folder} is a {type(saved).__name__}",
            where="run",
            expected="a solved run without lotteries",
            remedy="what else was saved is ex.open(folder)",
        )
    return saved
