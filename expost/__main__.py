"""The command ``expost``: hears Ctrl-C before anything is loaded, so that even the first moment ends in one line."""

from __future__ import annotations

import os
import signal
from typing import Any


def main() -> None:
    """Run the command line in this process, which is ours alone."""
    hears = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a script's background jobs do not
    if hears:
        signal.signal(signal.SIGINT, _leave)
    from expost.cli import main as command

    if hears:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command()


def _leave(*_: Any) -> None:
    os.write(2, b"expost: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
