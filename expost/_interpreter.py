"""Another interpreter of ours: where it finds modules, and how it is started."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def modules_path() -> list[str]:
    """Where modules are found here, without relative places."""
    return [str(Path(entry or ".").absolute()) for entry in sys.path]


def interpreter(function: str, *numbers: int) -> list[str]:
    """The command of a process that finds modules where this one does and calls ``module:function`` with the numbers.

    Raises FileNotFoundError where there is no interpreter to be started, as in a frozen application.
    """
    if not sys.executable or getattr(sys, "frozen", False):
        raise FileNotFoundError("no Python interpreter (sys.executable is none)")
    module, name = function.split(":")
    boot = (
        "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
        f"from {module} import {name}; {name}(*map(int, sys.argv[2:]))"
    )
    return [sys.executable, "-c", boot, json.dumps(modules_path()), *map(str, numbers)]
