"""Three and four buyers: the pipeline against plain HiGHS and plain CBC on the same programs.

    python benchmarks/nbuyers.py              # the table of docs/benchmarks.md, about half an hour
    python benchmarks/nbuyers.py --quick      # the smallest programs only, under two minutes
    python benchmarks/nbuyers.py --bounds     # linear bounds: our first-order method against HiGHS's two
    python benchmarks/nbuyers.py --fifty      # random instances with 16 types: what the certificate alone proves

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

BOUNDS = [
    ("three-buyers", 5, "static"),
    ("three-buyers", 6, "static"),
    ("three-buyers", 8, "static"),
    ("three-buyers", 10, "static"),
    ("three-buyers", 6, "sequential"),
]
METHODS = ["chains", "pdlp", "hipdlp"]
FOREIGN = 200_000
"""Binaries up to which HiGHS's methods are asked too."""

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


def bound_one(name: str, points: int, timing: str, method: str, limit: float) -> dict[str, object]:
    """One linear bound, certified, in this process; compilation and imports are not counted."""
    from expost.formulations.assemble import assemble
    from expost.formulations.timing import build_blocks
    from expost.instances.catalogue import load
    from expost.solver.certificate import check
    from expost.solver.nbuyers.relaxation import lifted_price, relax
    from expost.solver.reduction import reduced
    from expost.spaces.type_space import discretize

    for number in (2, points):
        space = discretize(load(name), number)
        program = assemble(space, build_blocks(space, (timing,) * space.n)).program
        begun, cpu = time.perf_counter(), _cpu()
        reduction = reduced(program, program.fixings)
        assert reduction is not None
        answer = relax(reduction.program, limit, method)
        solved, used = time.perf_counter() - begun, _cpu() - cpu
        priced = lifted_price(program, reduction, answer.packing, answer.covering)
        assert priced is not None
    return {
        "instance": name,
        "points": points,
        "timing": timing,
        "binaries": space.n * space.states,
        "method": method,
        "stopped": answer.stopped,
        "steps": answer.iterations,
        "bound": check(program, priced.certificate).upper_bound,
        "cpu": used,
        "wall": solved,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def bounds() -> None:
    """The table of linear bounds."""
    print(
        "| instance | points | timing | binaries | method | certified bound | steps | stopped | CPU s | wall s | MB |\n"
        "| --- | ---: | --- | ---: | --- | ---: | ---: | --- | ---: | ---: | ---: |",
        flush=True,
    )
    for name, points, timing in BOUNDS:
        for method in METHODS:
            command = [
                sys.executable,
                str(Path(__file__)),
                "--bound",
                name,
                str(points),
                timing,
                method,
                "180",
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                print(
                    f"| {name} | {points} | {timing} | | {method} | failed: {done.stderr[-200:]} |",
                    flush=True,
                )
                continue
            found = json.loads(done.stdout.splitlines()[-1])
            print(
                f"| {name} | {points} | {timing} | {found['binaries']:,} | {method} | {found['bound']:.9f} | "
                f"{found['steps']} | {found['stopped']} | {found['cpu']:.2f} | {found['wall']:.1f} | "
                f"{found['memory']:.0f} |",
                flush=True,
            )
            if found["binaries"] > FOREIGN:
                break


def fifty() -> None:
    """Fifty random instances with three buyers and 16 types, every family in turn: proved by the certificate alone?"""
    from typing import get_args

    from expost.formulations.assemble import assemble
    from expost.formulations.timing import build_blocks
    from expost.instances.random_instances import Family, random_instance
    from expost.solver.answers import slack
    from expost.solver.backends import solve_program
    from expost.solver.certificate import check
    from expost.spaces.type_space import discretize

    families = get_args(Family)
    proved, seconds = [], []
    for seed in range(51):  # the first one pays for imports
        family = families[seed % len(families)]
        signals = 1 if family == "one-dimensional" else 2
        space = discretize(
            random_instance(seed, buyers=3, signals=signals, family=family), 16 if signals == 1 else 4
        )
        program = assemble(space, build_blocks(space, ("static",) * 3)).program
        cpu = _cpu()
        solution = solve_program(program, time_limit=60.0)
        seconds.append(_cpu() - cpu)
        report = check(program, solution.certificate, solution.x)
        proved.append(
            report.violations == 0 and report.upper_bound - solution.details["value"] <= slack(program)
        )
    times = sorted(seconds[1:])
    print(
        f"{sum(proved[1:])} of 50 proved by the certificate alone; CPU s: median {times[24]:.2f}, most {times[-1]:.2f}"
    )


def _cpu() -> float:
    """Processor seconds of this process, of the children that it waited for, and of those that still run."""
    import psutil

    ended = sum(
        use.ru_utime + use.ru_stime
        for use in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )
    running = psutil.Process().children(recursive=True)
    return ended + sum(sum(child.cpu_times()[:2]) for child in running)


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
    parser.add_argument("--bounds", action="store_true", help="linear bounds")
    parser.add_argument("--fifty", action="store_true", help="random instances with 16 types")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--bound", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bound:
        name, points, timing, method, limit = arguments.bound
        print(json.dumps(bound_one(name, int(points), timing, method, float(limit))))
        return
    if arguments.bounds or arguments.fifty:
        bounds() if arguments.bounds else fifty()
        return
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
