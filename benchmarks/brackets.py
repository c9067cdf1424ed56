"""Cost against accuracy of brackets on jmmz: processor seconds and memory when the width first falls below 4% to 0.3%,
and the bracket after 10 to 600 processor seconds.

    python benchmarks/brackets.py [--accuracy 0.01] [--time-limit 900] [--out brackets.json] [--plot brackets.svg]
                                  [--before FOLDER] [--jobs 2]

--before: the root of another version, whose brackets are run between these, in the same environment.

Processor seconds are those of this process, all threads together; wall seconds depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

CASES = (("static", ""), ("sequential", "c1,c2"))
WIDTHS = (0.04, 0.02, 0.015, 0.01, 0.005, 0.004, 0.003)
BUDGETS = (10, 30, 60, 120, 300, 600)
"""Processor seconds."""
NOW, BEFORE = "now", "before"


def processor_seconds() -> float:
    """Of this process so far."""
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


def run(timing: str, first: str, accuracy: float, time_limit: float, jobs: int) -> dict[str, Any]:
    """One bracket with its trace: (wall, processor, memory in MiB, lower, upper) at each report."""
    from expost.instances.catalogue import load
    from expost.runs.bracket import bracket

    trace = []
    began = processor_seconds()

    def note(progress: Any) -> None:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        trace.append(
            (progress.elapsed, processor_seconds() - began, memory, progress.incumbent, progress.bound)
        )

    names = tuple(first.split(",")) if first else ()
    found = bracket(load("jmmz"), accuracy, time_limit, timing=timing, first=names, jobs=jobs, progress=note)
    return {"timing": timing, "first": first, "trace": trace, **found.to_dict()}


def first_below(trace: list[list[float]], width: float) -> list[float] | None:
    """The first report at which the relative width is at most ``width``."""
    return next((row for row in trace if row[4] < 1e300 and row[4] - row[3] <= width * row[4]), None)


def table(results: list[dict[str, Any]]) -> str:
    """The table of ``docs/benchmarks.md``."""
    lines = ["| timing | width | processor s | wall s | memory MiB | lower | upper |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    for result in results:
        for width in WIDTHS:
            row = first_below(result["trace"], width)
            if row is not None:
                cost = f"{row[1]:.0f} | {row[0]:.0f} | {row[2]:.0f}"
                lines.append(
                    f"| {result['timing']} | {100 * width:g}% | {cost} | {row[3]:.4f} | {row[4]:.4f} |"
                )
    return "\n".join(lines)


def by_budget(results: list[dict[str, Any]]) -> str:
    """What each version knows after so many processor seconds: the last report before, of runs that went on so long."""
    lines = [
        "| timing | version | processor s | lower | upper | width |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for result in results:
        trace = [row for row in result["trace"] if row[4] < 1e300 and row[3] > -1e300]
        for budget in BUDGETS:
            rows = [row for row in trace if row[1] <= budget]
            if rows and result["trace"][-1][1] >= 0.8 * budget:
                lower, upper = rows[-1][3:5]
                width = f"{100 * (upper - lower) / upper:.2f}%"
                lines.append(
                    f"| {result['timing']} | {result['version']} | {budget} | {lower:.4f} | {upper:.4f} | {width} |"
                )
    return "\n".join(lines)


def plot(results: list[dict[str, Any]], path: Path) -> None:
    """Both sides against processor seconds, and below them the relative width."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    timings = list(dict.fromkeys(result["timing"] for result in results))
    figure, axes = plt.subplots(
        2, len(timings), figsize=(9, 5.6), constrained_layout=True, squeeze=False, sharex=True
    )
    for result in results:
        sides, widths = axes[:, timings.index(result["timing"])]
        rows = [row for row in result["trace"] if row[3] > -1e300 and row[4] < 1e300]
        seconds, lower, upper = ([row[place] for row in rows] for place in (1, 3, 4))
        colour, name = ("0.55", BEFORE) if result["version"] == BEFORE else ("C0", NOW)
        sides.fill_between(seconds, lower, upper, step="post", alpha=0.25, color=colour, label=name)
        for end in (lower, upper):
            sides.step(seconds, end, where="post", color=colour)
        relative = [100 * (high - low) / high for low, high in zip(lower, upper, strict=True)]
        widths.step(seconds, relative, where="post", color=colour, label=name)
        middle, first = 0.5 * (lower[-1] + upper[-1]), result["first"]
        sides.set_ylim(middle - 0.025, middle + 0.035)
        sides.set_title(f"jmmz, {result['timing']}" + (f" ({', '.join(first)} first)" if first else ""))
        widths.legend(loc="lower left")
        widths.set_xscale("log")
        widths.set_yscale("log")
        widths.set_yticks([0.3, 0.5, 1, 2, 5, 10, 20], ["0.3", "0.5", "1", "2", "5", "10", "20"])
        widths.minorticks_off()
        widths.grid(axis="y", alpha=0.3)
        widths.set_xlabel("processor seconds")
    axes[0, 0].set_ylabel("welfare")
    axes[1, 0].set_ylabel("width, % of the upper side")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Each case in a process of its own, so that memory is its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accuracy", type=float, default=0.01)
    parser.add_argument("--time-limit", type=float, default=900.0)
    parser.add_argument("--out", type=Path, default=Path("brackets.json"))
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", choices=[timing for timing, _ in CASES])
    given = parser.parse_args()
    if given.only:
        first = dict(CASES)[given.only]
        print(json.dumps(run(given.only, first, given.accuracy, given.time_limit, given.jobs)))
        return
    results = []
    versions = [(NOW, None)] if given.before is None else [(BEFORE, given.before), (NOW, None)]
    for (timing, _), (version, root) in itertools.product(CASES, versions):
        path = {} if root is None else {"PYTHONPATH": str(root.resolve())}
        limits = [
            "--accuracy",
            str(given.accuracy),
            "--time-limit",
            str(given.time_limit),
            "--jobs",
            str(given.jobs),
        ]
        command = [sys.executable, __file__, "--only", timing, *limits]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **path})
        results.append({"version": version, **json.loads(done.stdout.splitlines()[-1])})
    given.out.write_text(json.dumps(results, indent=1), encoding="utf-8")
    print(table([result for result in results if result["version"] == NOW]))
    print(by_budget(results))
    if given.plot:
        plot(results, given.plot)


if __name__ == "__main__":
    main()
