"""``open``: whatever was saved, as the kind of result that it was."""

from __future__ import annotations

from pathlib import Path

from expost.brackets import Bracket, open_bracket
from expost.brackets.saved import RECORD
from expost.files import is_regular
from expost.runs.answers import is_answer, read_answer
from expost.runs.arguments import path_of
from expost.runs.kinds import Kind, open_answer
from expost.runs.run import Run, open_run


def open(folder: str | Path) -> Run | Bracket | Kind:  # noqa: A001 - the front door reads ex.open("dir")
    """The run or the bracket in ``folder``, with everything that ``solve`` or ``bracket`` gave, or the answer that
    ``lotteries``, ``items``, ``epsilon`` or ``bayesian`` gave; nothing is computed again but what follows from what was
    saved.

    Raises InputError when the folder is none that expost wrote or a file in it is damaged, CheckFailed when its parts
    do not fit together.
    """
    path = path_of(folder, "run")
    if is_answer(path):
        return open_answer(read_answer(path))
    return open_bracket(path) if is_regular(path / RECORD) else open_run(path)
