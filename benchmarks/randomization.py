"""What randomization buys with three or more buyers: the linear program's value beside the integer optimum.

    python benchmarks/randomization.py [--seeds 30]     # the table of docs/randomization.md

On a finite type space the linear relaxation of the static program is exactly the set of randomized ex post
incentive-compatible rules, so the difference of the two optima is what randomization is worth there.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from expost.formulations.assemble import assemble
from expost.formulations.timing import build_blocks
from expost.instances.environment import Instance
from expost.instances.random_instances import random_instance, unstructured_instance
from expost.solver.backends import solve_program
from expost.solver.nbuyers.relaxation import relax
from expost.solver.program import Program
from expost.solver.result import Status
from expost.spaces.type_space import discretize

FAMILIES = ("general", "linear", "ties", "private", "one-dimensional", "not-single-crossing")
SIZES = ((3, 2, 2), (3, 2, 3), (3, 2, 4), (4, 2, 2))
"""Buyers, signals each, points per signal."""

UNSTRUCTURED = ((3, 4), (3, 6), (3, 8), (4, 4))
"""Buyers and types each, where every value in every state is drawn on its own."""

HELPS = 1e-6
"""Relative gain from which randomization is said to help: a thousand times the tolerance of either optimum."""

HEADER = (
    "| family | buyers | types each | instances | helps | largest gain | mean gain where it helps | open |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


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


def measure(programs: Iterable[Program], limit: float) -> Line:
    """All programs of one family at one size."""
    line = Line()
    for program in programs:
        found = gain(program, limit)
        if found is None:
            line.undecided += 1
        else:
            line.gains.append(found)
    return line


def family_line(family: str, size: tuple[int, int, int], seeds: int, limit: float) -> Line:
    """All seeds of one family of instances at one size."""
    buyers, signals, points = size
    instances = (
        random_instance(seed, buyers=buyers, signals=signals, family=family) for seed in range(seeds)
    )
    return measure((program_of(instance, points) for instance in instances), limit)


def row(family: str, buyers: int, types: int, line: Line) -> str:
    """One line of the table."""
    gains = np.array(line.gains)
    helped = gains[gains > HELPS]
    largest = f"{100 * gains.max():.4f} %" if len(helped) else "0"
    mean = f"{100 * helped.mean():.4f} %" if len(helped) else "0"
    counted = len(gains) + line.undecided
    return (
        f"| {family} | {buyers} | {types} | {counted} | {len(helped)} | {largest} | {mean} | "
        f"{line.undecided} |"
    )


def main() -> None:
    """Print the table as it grows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=30, help="instances of each family and size")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds for each instance")
    arguments = parser.parse_args()
    print(HEADER, flush=True)
    begun = time.process_time()
    for buyers, signals, points in SIZES:
        for family in FAMILIES:
            size = (buyers, 1, 6) if family == "one-dimensional" else (buyers, signals, points)
            if family != "one-dimensional" or points == 2:
                line = family_line(family, size, arguments.seeds, arguments.limit)
                print(row(family, buyers, size[2] ** size[1], line), flush=True)
    for buyers, types in UNSTRUCTURED:
        instances = (
            unstructured_instance(seed, buyers=buyers, types=types) for seed in range(arguments.seeds)
        )
        line = measure((program_of(instance, types) for instance in instances), arguments.limit)
        print(row("unstructured", buyers, types, line), flush=True)
    print(f"\n{time.process_time() - begun:.0f} processor seconds in all.")


if __name__ == "__main__":
    main()
