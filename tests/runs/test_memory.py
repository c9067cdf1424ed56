"""What a run says about its memory, and what is reckoned with before it starts."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from expost._typing import Timing
from expost.formulations import room
from expost.formulations.room import memory_of
from expost.formulations.second_best import formulate
from expost.formulations.settings import Settings
from expost.instances.catalogue import load
from expost.runs import memory
from expost.solver.mincut.network import build
from expost.spaces.type_space import Grid, discretize, type_counts


def test_a_run_says_how_many_bytes_a_binary_it_took(monkeypatch):
    sizes = iter([100.0, 104.0, 110.0])
    peaks = iter([120.0, 130.0, 120.0])
    monkeypatch.setattr(memory, "resident_mb", lambda: next(sizes))
    monkeypatch.setattr(memory, "peak_memory_mb", lambda: next(peaks))
    used = memory.MemoryUsed()
    used.load("expost")
    assert used.bytes_per(2**20) == 130.0 - 100.0 - 6.0
    assert used.bytes_per(2**20) is None  # the process has been as large before


LARGE = """
import subprocess, sys
held = b"1" * (400 << 20)
command = "from expost._memory import peak_bytes; print(peak_bytes())"
print(subprocess.run([sys.executable, "-c", command], check=True, capture_output=True, text=True).stdout)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process begins with nothing")
def test_a_process_counts_nothing_of_who_started_it():
    found = subprocess.run([sys.executable, "-c", LARGE], check=True, capture_output=True, text=True).stdout
    assert 1 << 20 < int(found) < 200 << 20


CASES = [
    ("jmmz", 24, {}),
    ("jmmz", 32, {}),
    ("jmmz", 40, {}),
    ("common-value", 40, {}),
    ("linear", 32, {}),
    ("jmmz", 24, {"first": "c1,c2"}),
    ("linear", 24, {"first": "x1,x2"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "points", "more"), CASES)
def test_the_estimate_before_a_solve_is_right_within_a_fifth(name, points, more):
    timing = Timing.SEQUENTIAL if more else Timing.STATIC
    code = "from expost.cli import main; main()"
    command = [sys.executable, "-c", code, "solve", name, "--grid", str(points), "--timing", timing]
    command += [word for key, value in more.items() for word in (f"--{key}", value)]
    for _ in range(2):  # the first may compile, which takes more
        record = json.loads(subprocess.run([*command, "--json"], check=True, capture_output=True).stdout)
    first = tuple(more["first"].split(",")) if more else ()
    instance = load(name)
    reckoned = memory_of(instance, Grid(points).resolve(instance), (timing,), first)
    added = record["details"]["bytes_per_binary"] * record["binaries"]
    assert reckoned == pytest.approx(added, rel=0.2)


def test_ties_and_stages_are_counted_before_a_solve():
    instance = load("jmmz")

    def reckoned(points, *timings, **named):
        grid = Grid(points).resolve(instance)
        states = math.prod(type_counts(instance, grid))
        return memory_of(instance, grid, timings, **named) / states

    # 32 points make no ties, 36 do
    assert reckoned(36, Timing.STATIC) > 1.05 * reckoned(32, Timing.STATIC)
    static, sequential = (reckoned(24, timing) for timing in (Timing.STATIC, Timing.SEQUENTIAL))
    assert 1.2 * static < sequential
    assert static < reckoned(24, Timing.STATIC, Timing.SEQUENTIAL) < sequential


@pytest.mark.parametrize("points", [24, 32])
def test_what_is_sampled_are_the_nodes_and_arcs_of_the_program(points):
    instance, timings = load("jmmz"), (Timing.STATIC, Timing.SEQUENTIAL)
    grid = Grid(points).resolve(instance)
    program = formulate(discretize(instance, grid), Settings(grid, "static,sequential")).program
    network = build(program)
    found = np.mean([room._program_of(instance, grid, timings, (), i) for i in range(2)], axis=0)
    states = math.prod(type_counts(instance, grid))
    known = np.array([program.variables, len(network.graph.xtail)]) / states / 2
    np.testing.assert_allclose(found, known, rtol=0.2)


def test_what_cannot_be_sampled_is_reckoned_with_all_the_same(monkeypatch):
    instance = load("lottery")
    grid = Grid(300).resolve(instance)
    assert memory_of(instance, grid, (Timing.STATIC,)) > 200 * 90_000
    two = load("jmmz")
    grid = Grid(24).resolve(two)
    before = memory_of(two, grid, (Timing.SEQUENTIAL,))
    wrong = memory_of(two, grid, (Timing.SEQUENTIAL,), ("nobody", "c2"))
    assert wrong == room.ANY_SOLVE + 2 * 24**4 * room.BYTES_PER_BINARY[Timing.SEQUENTIAL] != before
