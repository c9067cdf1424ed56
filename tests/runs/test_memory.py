"""What a run says about its memory, and what is reckoned with before it starts."""

import json
import subprocess
import sys

import pytest

from expost.formulations.second_best import BYTES_PER_BINARY, Timing
from expost.runs import memory

ANY_SOLVE = 145 * 2**20
"""What the smallest solve takes: imports and compiled code."""


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


@pytest.mark.slow
@pytest.mark.parametrize(("timing", "grid"), [("static", 24), ("static", 32), ("sequential", 24)])
def test_the_estimate_before_a_solve_is_right_within_a_fifth(timing, grid):
    code = "from expost.cli import main; main()"
    first = ["--first", "c1,c2"] if timing == "sequential" else []
    command = [sys.executable, "-c", code, "solve", "jmmz", "--grid", str(grid), "--timing", timing, *first]
    for _ in range(2):  # the first may compile, which takes more
        record = json.loads(subprocess.run([*command, "--json"], check=True, capture_output=True).stdout)
    reckoned = ANY_SOLVE + record["binaries"] * BYTES_PER_BINARY[Timing(timing)]
    assert reckoned == pytest.approx(record["peak_memory_mb"] * 2**20, rel=0.2)
    assert record["details"]["bytes_per_binary"] > 100
