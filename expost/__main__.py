"""The command ``expost``: hears Ctrl-C before anything is loaded, so that even the first moment ends in one line.

Neither ``signal`` nor ``typing`` is anything: they make enumerations and classes for as long as Python itself takes to
start.
"""

from __future__ import annotations

import os
from _signal import SIGINT, default_int_handler, getsignal, signal  # type: ignore[import-not-found]


def main() -> None:
    """Run the command line in this process, which is ours alone."""
    hears = getsignal(SIGINT) is default_int_handler  # a script's background jobs do not
    if hears:
        signal(SIGINT, _leave)
    from expost.cli import main as command

    if hears:
        signal(SIGINT, default_int_handler)
    command()


def _leave(*_: object) -> None:
    os.write(2, b"expost: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
