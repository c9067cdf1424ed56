"""Two buyers: our minimum cut against HiGHS, and against bare maximum-flow codes on the same graph.

    python benchmarks/two_buyers.py                # the tables of docs/benchmarks.md, static and sequential, an hour
    python benchmarks/two_buyers.py --quick        # grids up to 16 only, two or three minutes
    python benchmarks/two_buyers.py --mechaudit    # also the PyPI package mechaudit, in a venv of its own
    python benchmarks/two_buyers.py --timing sequential --grids 16,24 --repeat 1
    python benchmarks/two_buyers.py --grids 24,32 --solvers mincut,ortools,mineflow

Every solve runs in a process of its own, one after the other; compilation is cached before the clock
starts. ``expost solve`` is the whole command, from the start of Python to the saved run, audit and
certificate included; all other lines time the solver alone, on a program that is already built, ``mincut``
with the coarser programs that it starts from; each line is the run of median processor time out of
--repeat. MineFlow is the PyPI package pymineflow. The run fails when two solvers disagree on a value. At the
end the cost of the minimum cut is fitted as a power of the nodes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

import numpy as np
import psutil

INSTANCE = "jmmz"
AGREE = 1e-9
LINEAR = ["expost solve", "mincut", "highs"]
FLOWS = ["expost solve", "mincut", "ortools", "mineflow", "pymaxflow"]
LARGE = ["expost solve", "mincut", "mineflow"]
PLAN = {
    4: LINEAR,
    6: LINEAR[1:],
    8: LINEAR,
    12: LINEAR,
    16: FLOWS,
    24: FLOWS,
    32: FLOWS,
    40: LARGE,
    48: LARGE,
    64: LARGE[:2],
}
"""Who solves which grids. Other grids are solved by those of the next smaller one."""
QUICK = 16
"""The largest grid of a quick run."""
SEQUENTIAL = (8, 16, 24, 32)
"""The grids of sequential programs, which have more than twice the arcs."""
TIMINGS = {"static": (), "sequential": ("c1", "c2")}
"""The signals that arrive first."""
HEADER = (
    "| points | binaries | solver | value | CPU s | wall s | peak MB |\n"
    "| ---: | ---: | --- | ---: | ---: | ---: | ---: |"
)


def build(grid: int, timing: str) -> Any:
    """The instance on a grid, with its program."""
    from expost.formulations.second_best import formulate
    from expost.formulations.settings import Settings
    from expost.instances.catalogue import load
    from expost.spaces.type_space import Grid, discretize

    settings = Settings(Grid(grid), timing, TIMINGS[timing])
    return formulate(discretize(load(INSTANCE), grid), settings)


def graph_of(program: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, float]:
    """Tails, heads and integer supplies of the closure network, its scale, and what the flow is taken from."""
    second = int(program.blocks[1])
    exponent = 60 - int(np.ceil(np.log2(np.abs(program.weights).sum())))
    supply = np.rint(np.ldexp(program.weights, exponent)).astype(np.int64)
    ceiling = int(supply[supply > 0].sum())
    supply[second:] *= -1
    turned = program.tails >= second
    tails = np.concatenate([np.where(turned, program.heads, program.tails), program.packing[:, 0]])
    heads = np.concatenate([np.where(turned, program.tails, program.heads), program.packing[:, 1]])
    return tails, heads, supply, 2.0**exponent, program.constant + ceiling / 2.0**exponent


def with_mincut(formulation: Any) -> float:
    from expost.formulations.coarser import coarse_start
    from expost.solver.mincut.backend import solve_mincut

    found = solve_mincut(formulation.program, nearby=coarse_start(formulation))
    return float(formulation.program.value(found.x))


def with_highs(program: Any) -> float:
    from expost.solver.adapters.highs import solve_highs

    return float(program.value(solve_highs(program).x))


def with_ortools(program: Any) -> float:
    from ortools.graph.python import max_flow

    tails, heads, supply, scale, ceiling = graph_of(program)
    n, plus, minus = len(supply), np.flatnonzero(supply > 0), np.flatnonzero(supply < 0)
    flow = max_flow.SimpleMaxFlow()
    flow.add_arcs_with_capacity(
        np.concatenate([tails, np.full(len(plus), n), minus]),
        np.concatenate([heads, plus, np.full(len(minus), n + 1)]),
        np.concatenate([np.full(len(tails), supply[plus].sum()), supply[plus], -supply[minus]]),
    )
    if flow.solve(n, n + 1) != flow.OPTIMAL:
        raise SystemExit("ortools: not optimal")
    # what no closure can take is the flow: positive weights of both blocks less the cut
    return ceiling - flow.optimal_flow() / scale


def with_pymaxflow(program: Any) -> float:
    import maxflow

    tails, heads, supply, scale, ceiling = graph_of(program)
    graph = maxflow.Graph[float](len(supply), len(tails))
    graph.add_nodes(len(supply))
    graph.add_edges(tails, heads, np.full(len(tails), float(np.abs(supply).sum())), np.zeros(len(tails)))
    graph.add_grid_tedges(
        np.arange(len(supply)), np.maximum(supply, 0).astype(float), np.maximum(-supply, 0).astype(float)
    )
    return ceiling - graph.maxflow() / scale


def with_mineflow(program: Any) -> float:
    from pymineflow._mineflow import ExplicitPit

    tails, heads, supply, _, _ = graph_of(program)
    x = ExplicitPit(len(supply), tails, heads, supply).solve()[0]
    x[int(program.blocks[1]) :] ^= True
    return float(program.value(x))


SOLVERS = {
    "mincut": with_mincut,
    "highs": with_highs,
    "ortools": with_ortools,
    "mineflow": with_mineflow,
    "pymaxflow": with_pymaxflow,
}


def processor_seconds() -> float:
    """Of this process and of those that it has started: some solvers run in one of their own, which waits for more."""
    mine = psutil.Process()
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = [each.cpu_times() for each in (mine, *mine.children(recursive=True))]
    return float(sum(each.user + each.system for each in used) + ended.ru_utime + ended.ru_stime)


def peak_mb() -> float:
    """The peak memory of this process, or of one that it has started and that still runs, whichever is larger."""
    peaks = [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]
    for each in psutil.Process().children(recursive=True):
        for told in Path(f"/proc/{each.pid}/status").read_text(encoding="utf-8").splitlines():
            if told.startswith("VmHWM:"):
                peaks.append(int(told.split()[1]) / 1024)
    return max(peaks)


def child(solver: str, grid: int, timing: str) -> dict[str, float]:
    """Solve in this process, after a small solve that loads and compiles everything."""
    solve = SOLVERS[solver]
    whole = solver == "mincut"
    small, formulation = build(16 if whole else 3, timing), build(grid, timing)
    solve(small if whole else small.program)
    program = formulation.program
    begun, cpu = time.perf_counter(), processor_seconds()
    value = solve(formulation if whole else program)
    seconds = {"cpu": processor_seconds() - cpu, "wall": time.perf_counter() - begun}
    return {"value": value, "nodes": program.variables} | seconds


def run(command: list[str], limit: float) -> dict[str, float] | None:
    """What a process printed as JSON, with its own seconds and peak memory; None past the limit."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            out = process.communicate(timeout=limit)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            return None
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    wall, used = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"wall": wall, "total_cpu": used.ru_utime + used.ru_stime} | json.loads(out)


def measure(solver: str, grid: int, timing: str, limit: float) -> dict[str, float] | None:
    """One line of the table: a grandchild, so that peak memory and processor time are its own."""
    command = [sys.executable, __file__, "--child", solver, str(grid), timing]
    if solver != "expost solve":
        return run(command, limit)
    with tempfile.TemporaryDirectory() as folder:
        return run([*command, str(Path(folder) / "run")], limit)


def median(solver: str, grid: int, timing: str, limit: float, repeat: int) -> dict[str, float] | None:
    """The run of median processor time out of ``repeat``; None when one was not done."""
    runs = []
    for _ in range(repeat):
        found = measure(solver, grid, timing, limit)
        if found is None:
            return None
        runs.append(found)
    return sorted(runs, key=lambda found: found["cpu"])[repeat // 2]


def whole_command(grid: int, timing: str, folder: str) -> dict[str, float]:
    """``expost solve``, from outside."""
    command = [
        sys.executable,
        "-c",
        "from expost.cli import main; main()",
        "solve",
        INSTANCE,
        "--grid",
        str(grid),
        "--timing",
        timing,
        *(["--first", ",".join(TIMINGS[timing])] if TIMINGS[timing] else []),
    ]
    begun = time.perf_counter()
    out = subprocess.run(
        [*command, "--json", "--out", folder], check=True, capture_output=True, text=True
    ).stdout
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "value": json.loads(out)["welfare"],
        "wall": time.perf_counter() - begun,
        "cpu": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss / 1024,
    }


def mechaudit(grid: int, limit: float) -> dict[str, float] | None:
    """The same finite instance through mechaudit's linear program, in a venv of its own."""
    home = Path(tempfile.gettempdir()) / "expost-benchmark-mechaudit"
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "mechaudit==0.1.0"], check=True)
    return run([str(python), str(Path(__file__).with_name("with_mechaudit.py")), str(grid)], limit)


def planned(grid: int) -> list[str]:
    """Who solves a grid."""
    return PLAN[max((known for known in PLAN if known <= grid), default=min(PLAN))]


def line(grid: int, solver: str, found: dict[str, float] | None, limit: float) -> str:
    """A row of the table."""
    head = f"| {grid} | {2 * grid**4:,} | {solver} "
    if found is None:
        return f"{head}| not done in {limit:.0f} s | | | |"
    return f"{head}| {found['value']:.9f} | {found['cpu']:.2f} | {found['wall']:.2f} | {found['peak']:.0f} |"


def check(grid: int, values: dict[str, float]) -> None:
    """Stop loudly unless all solvers agree."""
    if values and max(values.values()) - min(values.values()) > AGREE:
        raise SystemExit(f"grid {grid}: the solvers disagree: {values}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--mechaudit", action="store_true")
    parser.add_argument("--grids", help="only these, e.g. 16,24")
    parser.add_argument("--solvers", help="only these, e.g. mincut,ortools")
    parser.add_argument("--timing", choices=list(TIMINGS), help="only this one")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, of which the median counts")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for one solve")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        solver, grid, timing = given.child[0], int(given.child[1]), given.child[2]
        whole = solver == "expost solve"
        found = whole_command(grid, timing, given.child[3]) if whole else child(solver, grid, timing)
        found.setdefault("peak", peak_mb())
        print(json.dumps(found))
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(f"{os.cpu_count()} cores, {memory:.0f} GB", flush=True)
    for timing in [given.timing] if given.timing else TIMINGS:
        table(given, timing)


def table(given: argparse.Namespace, timing: str) -> None:
    """All lines of one timing, and the power that they give."""
    grids = list(PLAN) if timing == "static" else list(SEQUENTIAL)
    if given.grids:
        grids = [int(g) for g in given.grids.split(",")]
    elif given.quick:
        grids = [grid for grid in grids if grid <= QUICK]
    measure("mincut", 16, timing, given.limit)  # compiles, should that be necessary
    print(f"\n{timing}\n\n{HEADER}", flush=True)
    costs: dict[int, float] = {}
    for grid in grids:
        values: dict[str, float] = {}
        for solver in planned(grid) + (["mechaudit"] if given.mechaudit and grid <= 6 else []):
            if given.solvers and solver not in given.solvers.split(","):
                continue
            if solver == "mechaudit":
                found = mechaudit(grid, given.limit)
            else:
                found = median(solver, grid, timing, given.limit, given.repeat)
            print(line(grid, solver, found, given.limit), flush=True)
            if found is not None:
                values[solver] = found["value"]
                if solver == "mincut" and grid >= 16:
                    costs[int(found["nodes"])] = found["cpu"]
        check(grid, values)
    if len(costs) > 1:
        power = np.polyfit(np.log(list(costs)), np.log(list(costs.values())), 1)[0]
        print(f"\nmincut: cost grows with the nodes to the power {power:.2f}", flush=True)


if __name__ == "__main__":
    main()
