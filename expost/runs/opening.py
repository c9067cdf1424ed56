"""``open``: whatever was saved, as the kind of result that it was."""

from __future__ import annotations

from pathlib import Path

from expost.runs.folder import open_run
from expost.runs.run import Run


def open(folder: str | Path) -> Run:  # noqa: A001 - the front door reads ex.open("dir")
    """The run in ``folder``, with everything that ``solve`` gave, rebuilt without any solver.

    Raises InputError when the folder is none that expost wrote or a file in it is damaged, CheckFailed when its parts
    do not fit together.
    """
    return open_run(Path(folder))
