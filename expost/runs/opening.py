"""``open``: whatever was saved, as the kind of result that it was."""

from __future__ import annotations

from pathlib import Path

from expost.brackets import Bracket, open_bracket
from expost.brackets.saved import RECORD
from expost.files import is_regular
from expost.runs.answers import is_answer, read_answer
from expost.runs.arguments import InstanceLike, given_again, nothing_given, path_of
from expost.runs.kinds import Kind, open_answer
from expost.runs.run import Run, open_run


def open(  # noqa: A001 - the front door reads ex.open("dir")
    folder: str | Path, *, instance: InstanceLike | None = None
) -> Run | Bracket | Kind:
    """The run or the bracket in ``folder``, with everything that ``solve`` or ``bracket`` gave, or the answer that
    ``lotteries``, ``items``, ``epsilon`` or ``bayesian`` gave; nothing is computed again but what follows from what was
    saved.

    instance: the same instance again, for a bracket whose values are Python functions: no file can hold these. Without
    it such a bracket has its figures, and a mechanism that cannot be evaluated.
    Raises InputError when the folder is none that expost wrote or a file in it is damaged, CheckFailed when its parts
    do not fit together; InputError, too, when the instance is another one, or nothing needs it.
    """
    path = path_of(folder, "run")
    if is_regular(path / RECORD) and not is_answer(path):
        return open_bracket(path, given_again(instance))
    nothing_given(instance)
    return open_answer(read_answer(path)) if is_answer(path) else open_run(path)
