"""How much of the time to the optimum a minimum cut takes until its gap is 1%, or another one: static ``jmmz``.

    python benchmarks/anytime.py [--grids 32,40,48,64] [--gaps 0.01,0.003] [--repeat 3]

Every solve is in a process of its own, the solver alone on a program that is built, with the coarser programs that it
starts from; each line has the run of median processor time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from statistics import median_low

INSTANCE, WARM = "jmmz", 24


def timed(points: int, gap: float | None) -> dict[str, float]:
    """Processor and wall seconds, bound and value of one solve."""
    from expost.formulations.coarser import coarse_start
    from expost.formulations.second_best import formulate, type_space
    from expost.formulations.settings import Settings
    from expost.instances.catalogue import load
    from expost.solver.mincut.backend import solve_mincut
    from expost.spaces.type_space import Grid

    for count in (WARM, points):
        settings = Settings(Grid(count))
        formulation = formulate(type_space(load(INSTANCE), settings), settings)
        wall, processor = time.perf_counter(), time.process_time()
        start = coarse_start(formulation)
        found = solve_mincut(formulation.program, gap=gap, nearby=start)
        seconds = {"cpu": time.process_time() - processor, "wall": time.perf_counter() - wall}
    return {**seconds, "bound": found.bound, "value": formulation.program.value(found.x)}


def measured(points: int, gap: float | None, repeat: int) -> dict[str, float]:
    """The run of median processor time, each in a process of its own."""
    runs = []
    for _ in range(repeat):
        line = [sys.executable, __file__, "--one", json.dumps([points, gap])]
        printed = subprocess.run(line, check=True, capture_output=True, text=True).stdout
        runs.append(json.loads(printed))
    middle = median_low(run["cpu"] for run in runs)
    return next(run for run in runs if run["cpu"] == middle)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grids", default="32,40,48,64")
    parser.add_argument("--gaps", default="0.01,0.003")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(timed(*json.loads(args.one))))
        return
    print("| points | gap asked | CPU s | wall s | share of CPU s | of wall s | bound | rule |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for points in map(int, args.grids.split(",")):
        whole = measured(points, None, args.repeat)
        for gap in (None, *map(float, args.gaps.split(","))):
            found = whole if gap is None else measured(points, gap, args.repeat)
            asked = "none" if gap is None else f"{gap:.2%}"
            shares = " | ".join(f"{found[name] / whole[name]:.1%}" for name in ("cpu", "wall"))
            seconds = " | ".join(f"{found[name]:.2f}" for name in ("cpu", "wall"))
            print(
                f"| {points} | {asked} | {seconds} | {shares} | {found['bound']:.5f} | {found['value']:.5f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
