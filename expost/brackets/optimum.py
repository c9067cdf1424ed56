"""Solve the program of a finite type space, as a step of a bracket."""

from __future__ import annotations

from expost.brackets.clock import Clock, OutOfTime
from expost.brackets.memory import room
from expost.errors import InputError
from expost.formulations.assemble import Formulation
from expost.solver.backends import solve_program
from expost.solver.result import Solution

BYTES = 700
"""Of memory for each state and two buyers of a program, building and solving it."""
PACE = 40_000
"""States that are built and solved in a second at least: what the first steps are planned with."""
MOST = 20_000_000
"""States of one program, at most."""


def check_states(states: int, clock: Clock, pace: float = PACE) -> None:
    """Raise InputError where a program of so many states is too large for the memory, OutOfTime where it is for the
    time at a ``pace`` (states a second)."""
    if states > MOST or not room(states * BYTES):
        raise InputError(
            f"{states} states", where="grid", expected="a program that fits into the free memory"
        )
    if clock.limited and states > pace * clock.left:
        raise OutOfTime


def optimum(formulation: Formulation, clock: Clock) -> Solution:
    """The optimum of one or two buyers. With more, without a limit of time, the linear bound and a rounded rule: where
    the search for better rules ends depends on how fast the machine is."""
    program = formulation.program
    if clock.limited:
        clock.check()
        return solve_program(program, time_limit=max(clock.left, 0.02))
    if program.n_blocks > 2 and program.capacity == 1 and len(program.packing):
        return solve_program(program, "pdlp:chains")
    return solve_program(program)
