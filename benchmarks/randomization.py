"""What randomization buys with three or more buyers: the linear program's value beside the integer optimum.

    python benchmarks/randomization.py [--seeds 30]     # the table of docs/randomization.md

On a finite type space the linear relaxation of the static program is exactly the set of randomized ex post
incentive-compatible rules, so the difference of the two optima is what randomization is worth there.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field

import numpy as np

from expost.formulations.assemble import assemble
from expost.formulations.discretization import discretize
from expost.formulations.timing import build_blocks
from expost.instances.environment import Instance
from expost.instances.random_instances import random_instance
from expost.solver.backends import solve_program
from expost.solver.program import Program
from expost.solver.relaxation import relax
from expost.solver.result import Status

FAMILIES = ("general", "linear", "ties", "private", "one-dimensional", "not-single-crossing")
SIZES = ((3, 2, 2), (3, 2, 3), (4, 2, 2))
"""Buyers, signals each, points per signal."""

HELPS = 1e-6
"""Relative gain from which randomization is said to help: a thousand times the tolerance of either optimum."""

HEADER = ("| family | buyers | points | instances | helps | largest gain | mean gain where it helps | open |\n"
          "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")


@dataclass
class Line:
    """What one family at one size showed."""

    gains: list[float] = field(default_factory=list)
    undecided: int = 0


def program_of(instance: Instance, points: int) -> Program:
    """The static program of an instance at midpoints."""
    space = discretize(instance, points)
    return assemble(space, build_blocks(space, ("static",) * space.n)).program


def gain(program: Program, limit: float) -> float | None:
    """The relative gain of the best randomized rule over the best deterministic one; None where not proved."""
    best = solve_program(program, time_limit=limit)
    if best.status is not Status.OPTIMAL:
        return None
    fractional = relax(program, method="simplex").fractional
    if fractional is None:
        return None
    randomized = program.constant + float((program.weights * fractional).sum())
    return (randomized - best.details["value"]) / max(abs(best.details["value"]), 1e-12)


def measure(family: str, size: tuple[int, int, int], seeds: int, limit: float) -> Line:
    """All seeds of one family at one size."""
    buyers, signals, points = size
    line = Line()
    for seed in range(seeds):
        found = gain(program_of(random_instance(seed, buyers=buyers, signals=signals, family=family), points), limit)
        if found is None:
            line.undecided += 1
        else:
            line.gains.append(found)
    return line


def row(family: str, size: tuple[int, int, int], line: Line) -> str:
    """One line of the table."""
    gains = np.array(line.gains)
    helped = gains[gains > HELPS]
    largest = f"{100 * gains.max():.4f} %" if len(helped) else "0"
    mean = f"{100 * helped.mean():.4f} %" if len(helped) else "0"
    counted = len(gains) + line.undecided
    return (f"| {family} | {size[0]} | {size[2]} | {counted} | {len(helped)} | {largest} | {mean} | "
            f"{line.undecided} |")


def main() -> None:
    """Print the table as it grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=30, help="instances of each family and size")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds for each instance")
    arguments = parser.parse_args()
    print(HEADER, flush=True)
    begun = time.process_time()
    for size in SIZES:
        for family in FAMILIES:
            if family != "one-dimensional" or size[2] == 2:
                points = (size[0], 1, 6) if family == "one-dimensional" else size
                print(row(family, points, measure(family, points, arguments.seeds, arguments.limit)), flush=True)
    print(f"\n{time.process_time() - begun:.0f} processor seconds in all.")


if __name__ == "__main__":
    main()
