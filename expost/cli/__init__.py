"""The command line: parses, delegates, prints. Messages and progress go to standard error."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import typer

from expost.cli import many, own, runs, streams, theory, version
from expost.cli.common import app
from expost.cli.flags import message
from expost.errors import ExpostError, InputError, brief

__all__ = ["app", "main", "many", "own", "run_command", "runs", "streams", "theory", "version"]


LONGEST = 2000
"""Characters of a line on standard error."""
INTERRUPTED = 130
"""The exit code after Ctrl-C, as a shell has it."""


def main() -> None:
    """Run the command line; every failure is one line on standard error and the right exit code."""
    try:
        streams.prepare()
        code = run_command(sys.argv[1:])
        try:
            streams.finish()
        except InputError as error:
            code = fail(message(error, ()), error.exit_code)
    except KeyboardInterrupt:  # between any two lines of the above
        code = fail("interrupted", INTERRUPTED)
    sys.exit(code)


def run_command(arguments: list[str]) -> int:
    """Run one command; its exit code: 0 done, 1 a check failed, 2 unusable input, 3 no answer before a limit."""
    command = typer.main.get_command(app)
    try:
        code = command.main(arguments or ["--help"], prog_name="expost", standalone_mode=False)
    except ExpostError as error:
        return fail(message(error, _options(command, arguments)), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return fail("interrupted", INTERRUPTED)
    except Exception as error:
        # The parser's own errors (an unknown option, a missing argument) know their message and exit code.
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            return fail(brief(str(error.format_message())), int(error.exit_code))
        raise
    if code == INTERRUPTED:  # some versions of typer catch Ctrl-C themselves, and say nothing
        return fail("interrupted", INTERRUPTED)
    return code if isinstance(code, int) else 0


def _options(group: Any, arguments: list[str]) -> set[str]:
    """The options of the command that a line asks for."""
    asked = next((group.commands[word] for word in arguments if word in group.commands), group)
    return {name for parameter in asked.params for name in parameter.opts}


def fail(message: str, code: int) -> int:
    """One line on standard error, where there is one; ``code``."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"expost: {brief(message, LONGEST)}\n")
    return code
