"""Three and four buyers: the pipeline against plain HiGHS and plain CBC on the same programs.

    python benchmarks/nbuyers.py              # the table of docs/benchmarks.md, about half an hour
    python benchmarks/nbuyers.py --quick      # the smallest programs only, under two minutes

Every solve runs in a process of its own, one after the other, with gap zero and the same time limit.
Seconds are processor seconds of that process and its children, wall seconds beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

CASES = [("three-buyers", 4, 60), ("four-buyers", 3, 60), ("three-buyers", 5, 60), ("three-buyers", 6, 120)]
BACKENDS = ["auto", "highs", "pulp:PULP_CBC_CMD"]
OVERRUN = 3
"""Times the limit after which a solver that does not stop is ended."""

HEADER = (
    "| instance | points | binaries | backend | status | value | upper bound | gap | CPU s | wall s |\n"
    "| --- | ---: | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: |"
)


def solve_one(name: str, points: int, backend: str, limit: float) -> dict[str, object]:
    """One solve in this process, after the same backend has solved the same instance at two points: every
    backend's libraries are then loaded, and nobody pays for imports.
    """
    from expost.formulations.assemble import assemble
    from expost.formulations.timing import build_blocks
    from expost.instances.catalogue import load
    from expost.solver.backends import solve_program
    from expost.solver.program import Program
    from expost.spaces.type_space import TypeSpace, discretize

    def program_at(number: int) -> tuple[Program, TypeSpace]:
        space = discretize(load(name), number)
        return assemble(space, build_blocks(space, ("static",) * space.n)).program, space

    solve_program(program_at(2)[0], backend)
    program, space = program_at(points)
    begun, cpu = time.perf_counter(), _cpu()
    solution = solve_program(program, backend, time_limit=limit)
    value = solution.details["value"]
    return {
        "instance": name,
        "points": points,
        "binaries": space.n * space.states,
        "backend": backend,
        "status": solution.status.value,
        "value": value,
        "bound": solution.bound,
        "certified": solution.details["certified_bound"],
        "cpu": _cpu() - cpu,
        "wall": time.perf_counter() - begun,
    }


def _cpu() -> float:
    """Processor seconds of this process and of the children that it waited for."""
    return sum(
        use.ru_utime + use.ru_stime
        for use in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def row(found: dict[str, object]) -> str:
    """One line of the table."""
    value, bound = found["value"], float(found["bound"])
    if value is None:
        shown, gap = "none", "none"
    else:
        shown = f"{float(value):.7f}"
        gap = (
            f"{100.0 * max(bound - float(value), 0.0) / float(value):.4f} %"
            if bound < float("inf")
            else "none"
        )
    limit = f"{bound:.7f}" if bound < float("inf") else "none"
    return (
        f"| {found['instance']} | {found['points']} | {found['binaries']:,} | {found['backend']} | "
        f"{found['status']} | {shown} | {limit} | {gap} | {found['cpu']:.1f} | {found['wall']:.1f} |"
    )


def main() -> None:
    """Run the cases one by one and print the table as it grows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="the two smallest programs, 20 seconds each at most"
    )
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, points, backend, limit = arguments.one
        print(json.dumps(solve_one(name, int(points), backend, float(limit))))
        return
    print(HEADER, flush=True)
    cases = [(name, points, 20) for name, points, _ in CASES[:2]] if arguments.quick else CASES
    for name, points, limit in cases:
        for backend in BACKENDS:
            command = [sys.executable, str(Path(__file__)), "--one", name, str(points), backend, str(limit)]
            print(run_apart(command, name, points, backend, limit), flush=True)


def run_apart(command: list[str], name: str, points: int, backend: str, limit: float) -> str:
    """One line of the table from a process of its own, ended with its children when it overruns threefold."""
    started = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        out, problems = started.communicate(timeout=OVERRUN * limit + 30)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        started.communicate()
        return (
            f"| {name} | {points} | | {backend} | had not stopped {OVERRUN * limit + 30:.0f} s after the start, "
            f"limit {limit} s | none | none | none | | |"
        )
    if started.returncode:
        return f"| {name} | {points} | | {backend} | failed: {problems.strip().splitlines()[-1]} | | | | | |"
    return row(json.loads(out))


if __name__ == "__main__":
    main()
