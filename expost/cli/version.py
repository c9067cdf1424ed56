"""``expost --version``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from expost._version import __version__
from expost.cli.common import app


def show(asked: bool) -> None:
    """Print the version and end."""
    if asked:
        sys.stdout.write(f"expost {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The best mechanism that ex post incentives allow, computed and proved."""
    del version
