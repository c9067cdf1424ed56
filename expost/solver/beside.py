"""CBC in a process of its own, while this process goes on with something else."""

from __future__ import annotations

import threading
from collections.abc import Callable

from expost.errors import SolverError
from expost.solver.adapters.pulp import solve_pulp
from expost.solver.children import end_since, running
from expost.solver.interrupts import listening, stop_if_requested
from expost.solver.program import Program
from expost.solver.result import Solution, Status


def cbc_available() -> bool:
    """Whether PuLP brought its CBC along."""
    import pulp

    from expost.solver.quiet import quiet

    with quiet():
        return bool(pulp.PULP_CBC_CMD(msg=False).available())


def solve_beside(program: Program, time_limit: float | None, idle: Callable[[], bool] | None) -> Solution:
    """CBC's answer. idle: called again and again meanwhile; False when there is nothing left to do.

    Ctrl-C ends CBC and gives the status INTERRUPTED without a rule. Raises SolverError when CBC dies.
    """
    answers: list[Solution | SolverError] = []

    def work() -> None:
        try:
            answers.append(solve_pulp(program, time_limit=time_limit))
        except SolverError as error:
            answers.append(error)

    others = running()
    thread = threading.Thread(target=work, daemon=True)
    with listening():
        thread.start()
        try:
            _wait(thread, idle)
        except KeyboardInterrupt:
            _end_children(others, thread)
            return Solution("pulp", Status.INTERRUPTED)
        except BaseException:
            _end_children(others, thread)
            raise
    if not answers:
        raise SolverError("pulp:PULP_CBC_CMD died without a word")
    if isinstance(answers[0], SolverError):
        raise answers[0]
    return answers[0]


def _wait(thread: threading.Thread, idle: Callable[[], bool] | None) -> None:
    """Until the thread has ended. Raises KeyboardInterrupt on request."""
    while thread.is_alive():
        if idle is None:
            thread.join(0.05)
        elif not idle():
            idle = None
        stop_if_requested()


def _end_children(others: set[int], thread: threading.Thread) -> None:
    """End the processes that were started since, however late, and wait for the thread."""
    while thread.is_alive():
        end_since(others)
        thread.join(0.2)
