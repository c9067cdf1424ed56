"""Solves in several threads at once, and what they leave of the user's process: everything."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.programs import max_program, random_program

from expost.solver.backends import BACKENDS, solve_program
from expost.solver.program import Program
from expost.solver.result import Status


def cube(seed: int):
    return random_program(np.random.default_rng(seed), 3, 4)


def long_chain(types: int) -> Program:
    """One buyer of so many types, each a little more willing than the last, with weights of both signs."""
    ranks = np.arange(types, dtype=np.int32)
    weights = np.random.default_rng(types).normal(size=types) / types
    return Program(weights, np.array([0, types]), ranks[:-1], ranks[1:], np.empty((0, 2), dtype=np.int32))


@pytest.mark.parametrize("name", ["auto", "highs", "pulp"])
def test_two_solves_at_once_are_right_and_leave_everything_as_it_was(name, capfd):
    handler, stream, output = signal.getsignal(signal.SIGINT), sys.stdout, os.fstat(1)
    seeds = range(4)
    expected = [solve_program(cube(seed), "highs") for seed in seeds]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda seed: solve_program(cube(seed), name), seeds))
    for seed, ours, theirs in zip(seeds, found, expected, strict=True):
        assert ours.status is Status.OPTIMAL
        assert cube(seed).value(ours.x) == pytest.approx(cube(seed).value(theirs.x), abs=1e-9)
    assert signal.getsignal(signal.SIGINT) is handler
    assert sys.stdout is stream and os.fstat(1) == output
    print("still here", flush=True)
    assert capfd.readouterr().out == "still here\n"


def test_a_time_limit_ends_nobody_elses_processes():
    """Younger ones least of all: what another thread starts while the solver runs is its own."""
    mine = []

    def start() -> None:
        time.sleep(0.5)
        mine.append(subprocess.Popen(["sleep", "600"]))

    thread = threading.Thread(target=start)
    thread.start()
    try:
        solution = solve_program(max_program(3, 5), "pulp", time_limit=1.0)
        thread.join()
        assert solution.status is Status.TIME_LIMIT
        time.sleep(0.2)
        assert mine[0].poll() is None
    finally:
        thread.join()
        mine[0].kill()
        mine[0].wait()


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [1, 2, 3])
@pytest.mark.parametrize(
    "name", ["mincut", "highs", "pdlp", "nbuyers", "pulp", "pulp:HiGHS", "cvxpy", "cvxpy:SCIPY"]
)
def test_every_backend_ends_at_its_limit(name, blocks):
    """Within 10% and 2 seconds, on programs that few of them finish; this one test looks at the clock."""
    if BACKENDS[name.split(":")[0]].blocks < blocks:
        return
    program = long_chain(300_000) if blocks == 1 else max_program(blocks, {2: 18, 3: 5}[blocks])
    solve_program(random_program(np.random.default_rng(0), blocks, 2), name)
    for limit in (1.0, 4.0):
        begun = time.monotonic()
        solution = solve_program(program, name, time_limit=limit)
        assert time.monotonic() - begun < 1.1 * limit + 2.0
        if solution.status is not Status.OPTIMAL and solution.x is not None:
            assert solution.status in (Status.TIME_LIMIT, Status.FEASIBLE)
            assert program.value(solution.x) <= solution.bound + 1e-9
