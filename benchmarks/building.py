"""What it costs to hand a program of about 100,000 rows to each modelling layer (docs/backends.md).

    python benchmarks/building.py

Processor seconds, best of three, libraries already imported; what the package does in a process of its own is done
in this one here.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from expost.formulations.assemble import assemble
from expost.formulations.timing import build_blocks
from expost.instances.catalogue import load
from expost.solver.adapters import cvxpy_run, highs_run, pulp_run
from expost.solver.adapters.model_files import names_of
from expost.solver.linear import rows_of
from expost.solver.mincut.network import build as build_network
from expost.spaces.type_space import discretize


def best(work: Callable[[], object]) -> float:
    """Processor seconds of the fastest of three runs."""
    found = []
    for _ in range(3):
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return min(found)


def main() -> None:
    """Print one table."""
    import cvxpy

    space = discretize(load("jmmz"), 14)
    program = assemble(space, build_blocks(space, ("static",) * space.n)).program
    rows = rows_of(program)
    folder = Path(tempfile.mkdtemp())

    def through_cvxpy() -> None:
        problem, _, _ = cvxpy_run.build(rows_of(program), program.weights, boolean=True)
        problem.get_problem_data(cvxpy.HIGHS)

    def through_pulp() -> None:
        problem, _ = pulp_run.build(rows, program.weights)
        problem.writeMPS(str(folder / "pulp.mps"), rename=1)

    def written(name: str) -> None:
        h = highs_run.load(rows_of(program), program.weights, integer=True)
        highs_run.write_loaded(h, program.constant, names_of(program), str(folder / name))

    cases: list[tuple[str, Callable[[], object]]] = [
        ("`mincut`: the network", lambda: build_network(program)),
        (
            "`highs`: matrix and model",
            lambda: highs_run.load(rows_of(program), program.weights, integer=True),
        ),
        ("`cvxpy`: matrix form, compiled for HiGHS", through_cvxpy),
        ("`pulp`: problem object", lambda: pulp_run.build(rows, program.weights)),
        ("`pulp`: problem object and the file for CBC", through_pulp),
        ("`--write-model` as .mps", lambda: written("model.mps")),
        ("`--write-model` as .lp", lambda: written("model.lp")),
    ]
    print(f"{program.variables:,} variables, {rows.count:,} rows, {len(rows.index):,} entries\n")
    print("| what | CPU s |\n| --- | ---: |")
    for name, work in cases:
        print(f"| {name} | {best(work):.2f} |", flush=True)


if __name__ == "__main__":
    main()
