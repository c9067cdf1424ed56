"""Many solves: what a sweep costs beyond its solves, how a bracket spreads, what frontiers cost a corner.

    python benchmarks/many.py sweep | starts | bracket | spread | frontier | nested

Seconds are processor time, so that a busy machine changes little. With several processes the critical path is the
processor time of the busiest one: what a quiet machine with as many processors would take.
"""

from __future__ import annotations

import argparse
import heapq
import time
from typing import Any

import joblib
import numpy as np
import psutil

import expost as ex
from expost.runs import sweep_case


def used() -> dict[int, float]:
    """Processor seconds so far of this process and its children, by process."""
    me = psutil.Process()
    return {p.pid: sum(p.cpu_times()[:2]) for p in [me, *me.children(recursive=True)]}


def spent(before: dict[int, float]) -> dict[int, float]:
    return {pid: now - before.get(pid, 0.0) for pid, now in used().items()}


def sweep(cases: int = 200, grid: int = 12) -> None:
    k, mine = np.linspace(0.0, 2.0, cases).tolist(), ex.load("jmmz")
    ex.sweep(mine, grid=grid, k=k[:2])
    plain, solves = sweep_case._COMPUTE["solve"], 0.0

    def timed(case: Any) -> Any:
        nonlocal solves
        began = time.process_time()
        try:
            return plain(case)
        finally:
            solves += time.process_time() - began

    sweep_case._COMPUTE["solve"] = timed
    began = time.process_time()
    ex.sweep(mine, grid=grid, k=k)
    one = time.process_time() - began
    sweep_case._COMPUTE["solve"] = plain
    print(f"{cases} cases at {grid} points: {one:.2f} s, of which {solves:.2f} s solves", end="; ")
    print(f"overhead {(one - solves) / cases * 1e3:.2f} ms a case")
    for jobs in (2, 4):
        before = used()
        ex.sweep(mine, grid=[2, 3, 4, grid], k=k[:jobs], jobs=jobs)  # starts the workers
        start = max(used()[pid] for pid in used() if pid not in before) if len(used()) > len(before) else 0.0
        before = used()
        ex.sweep(mine, grid=grid, k=k, jobs=jobs)
        parts = sorted(spent(before).values())
        path = parts[-1]
        print(
            f"{jobs} processes: critical path {path:.2f} s, {one / path:.2f} times as fast, efficiency "
            f"{one / path / jobs:.2f}; all {sum(parts):.2f} s; to start a worker {start:.1f} s, once a session"
        )


def starts() -> None:
    """Sweeps, whose cases start from the one before, against as many separate solves, which do not."""
    mine = ex.load("jmmz")
    ex.solve(mine, 16)
    ex.sweep(mine, grid=2, k=[0.0, 1.0])
    for grid, cases, timing in (
        (12, 12, "static"),
        (16, 12, "static"),
        (24, 6, "static"),
        (16, 12, "sequential"),
    ):
        for step in (0.01, 0.1):
            k = (1.0 + step * np.arange(cases)).tolist()
            began = time.process_time()
            apart = [ex.solve(mine.with_parameters(k=value), grid, timing) for value in k]
            cold = time.process_time() - began
            began = time.process_time()
            table = ex.sweep(mine, grid=grid, k=k, timing=timing)
            warm = time.process_time() - began
            same = table["upper_bound"].tolist() == [run.upper_bound for run in apart]
            print(
                f"{grid} points, {timing}, k in steps of {step}: {cold / cases * 1e3:.1f} ms a separate solve, "
                f"{warm / cases * 1e3:.1f} ms a case of a sweep ({1 - warm / cold:.0%} less); same bounds: {same}"
            )


class Log:
    """What a bracket's tasks cost, call by call, when they are worked on one after the other."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[float]]] = []

    def mapping(self, kind: str) -> Any:
        def mapped(_: Any, task: Any, tasks: Any) -> list[Any]:
            seconds: list[float] = []

            def timed(one: Any) -> Any:
                began = time.thread_time()
                try:
                    return task(one)
                finally:
                    seconds.append(time.thread_time() - began)

            found = [timed(one) for one in tasks]
            self.calls.append((kind, seconds))
            return found

        return mapped


def makespan(seconds: list[float], workers: int) -> float:
    """How long the tasks take on so many workers, longest first."""
    ends = [0.0] * workers
    for one in sorted(seconds, reverse=True):
        heapq.heapreplace(ends, ends[0] + one)
    return max(ends)


def bracket(name: str = "jmmz", accuracy: float = 0.03) -> None:
    from expost.brackets.workers import Threads, Workers

    plain = Workers.map, Threads.map
    ex.bracket(name, 0.3)
    log = Log()
    Workers.map, Threads.map = log.mapping("tasks"), log.mapping("threads")
    began = time.process_time()
    found = ex.bracket(name, accuracy)
    whole = time.process_time() - began
    Workers.map, Threads.map = plain
    by = {
        kind: [seconds for what, seconds in log.calls if what == kind and seconds]
        for kind in ("tasks", "threads")
    }
    total = {kind: sum(map(sum, calls)) for kind, calls in by.items()}
    serial = whole - sum(total.values())
    print(f"{name} to {accuracy}: width {found.width:.4f}, {whole:.1f} s on one process, of which")
    for kind, calls in by.items():
        count, grain = sum(map(len, calls)), total[kind] / max(sum(map(len, calls)), 1)
        print(
            f"  {kind}: {total[kind] / whole:.1%} in {len(calls)} calls, {count} pieces of {grain * 1e3:.1f} ms"
        )
    print(f"  serial: {serial / whole:.1%}")
    for workers in (1, 2, 4, 16, 64):
        tasks, threads = (sum(makespan(part, workers) for part in by[kind]) for kind in ("tasks", "threads"))
        both, away = serial + tasks + threads, serial + tasks + total["threads"]
        law = whole / (serial + (whole - serial) / workers)
        print(
            f"  {workers:2d} workers: by their pieces {whole / both:.2f} times as fast (threads too), "
            f"{whole / away:.2f} (tasks alone); Amdahl {law:.2f}"
        )


def law(jobs: int, one: float, now: float) -> str:
    """What one job's time and that of several say: times as fast, efficiency, and by Amdahl's law the serial share."""
    serial = max(jobs * now / one - 1.0, 0.0) / (jobs - 1)
    most = 1.0 / (serial + (1.0 - serial) / 64)
    return (
        f"{one / now:.2f} times as fast, efficiency {one / now / jobs:.2f}, serial {serial:.0%}, so at most {most:.1f} "
        "times on 64"
    )


def spread(name: str = "jmmz", accuracy: float = 0.05) -> None:
    """The same bracket with one, two and four jobs, for real: in processes, then in threads.

    The clock tells something on a quiet machine, up to as many jobs as it has processors. The critical path is the
    processor time of the main thread, half that of its other threads (pieces of gradients come in twos or threes) and
    that of the busiest worker, against all processor time of the same run.
    """
    for where in ("loky", "threading"):
        clock = 0.0
        for jobs in (1, 2, 4):
            with joblib.parallel_config(where):
                ex.bracket("one-dimensional", 0.3, jobs=jobs)  # starts the workers
                before, main, began = used(), time.thread_time(), time.perf_counter()
                found = ex.bracket(name, accuracy, jobs=jobs)
            wall, main = time.perf_counter() - began, time.thread_time() - main
            parts = spent(before)
            threads = parts.pop(psutil.Process().pid) - main
            workers = sorted((one for one in parts.values() if one > 0.05), reverse=True)
            print(
                f"{where}, {jobs} jobs: [{float(found.lower):.6f}, {float(found.upper):.6f}]; processor seconds: main "
                f"thread {main:.1f}, other threads {threads:.1f}, workers "
                f"{', '.join(f'{one:.1f}' for one in workers) or 'none'}; {wall:.1f} s, load "
                f"{psutil.getloadavg()[0]:.1f}",
                flush=True,
            )
            clock = clock or wall
            if jobs > 1:
                print(f"    by the clock: {law(jobs, clock, wall)}")
                path = main + threads / 2 + max(workers, default=0.0)
                print(
                    f"    by the critical path: {law(jobs, main + threads + sum(workers), path)}", flush=True
                )


def frontier(grid: int = 16, points: int = 100, times: int = 5) -> None:
    """Frontiers and separate solves in turn, so that what else the machine does falls on both."""
    ex.frontier("jmmz", 4)
    ex.solve("jmmz", grid, objective=0.5)
    mine = apart = 0.0
    for turn in range(times):
        began = time.process_time()
        found = ex.frontier("jmmz", grid, points=points)
        mine += time.process_time() - began
        some = found.corners[turn :: max(1, points // 10)]
        began = time.process_time()
        for corner in some:
            ex.solve("jmmz", grid, objective=corner.share)
        apart += (time.process_time() - began) / len(some) * len(found.corners)
    print(
        f"welfare against revenue, {len(found.corners)} corners at {grid} points: {mine / times:.2f} s; as many "
        f"separate solves {apart / times:.2f} s ({mine / apart:.3f}); all proved: {found.table['proved'].all()}"
    )
    ex.frontier("jmmz", 4, "1,2")
    began = time.process_time()
    found = ex.frontier("jmmz", 12, "1,2", points=1000)
    mine = time.process_time() - began
    print(
        f"buyer 1 against buyer 2 at 12 points: {len(found.corners)} corners, all: {found.complete}, {mine:.2f} s"
    )


def nested(grid: int = 12, points: int = 1000) -> None:
    """Closures of buyers' shares alone, without proofs: nodes a second, counting every node at every share."""
    from expost.formulations.frontier import buyers_shares
    from expost.formulations.second_best import type_space
    from expost.formulations.settings import Settings
    from expost.solver.mincut.family import Family
    from expost.spaces.grid import Grid

    instance = ex.load("jmmz")
    settings = Settings(Grid(grid).resolve(instance))
    objectives = buyers_shares(type_space(instance, settings), settings, (0, 1))
    family = Family(objectives.formulation.program, *objectives.weights)
    family.cut(family.root(), 0.5)
    began, solved = time.process_time(), 0

    def between(span: Any, low: int, high: int) -> None:
        nonlocal solved
        middle = (low + high) // 2
        if middle == low:
            return
        cut = family.cut(span, middle / (points + 1))
        solved += len(cut.z)
        below, above = family.split(span, middle / (points + 1), cut)
        between(below, low, middle)
        between(above, middle, high)

    between(family.root(), 0, points + 1)
    seconds, nodes = time.process_time() - began, len(family.start)
    print(
        f"{points} nested closures of {nodes} nodes: {seconds:.2f} s, {points * nodes / seconds:.3g} nodes a second"
    )
    print(f"  solved: {solved} nodes, {solved / nodes:.1f} times the network")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["sweep", "starts", "bracket", "spread", "frontier", "nested"])
    parser.add_argument("--grid", type=int)
    asked = parser.parse_args()
    given = {} if asked.grid is None else {"grid": asked.grid}
    globals()[asked.what](**given)
