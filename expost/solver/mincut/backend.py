"""Backend ``mincut``: one- and two-buyer programs solved exactly, as a maximum-weight closure."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from expost._typing import Int8
from expost.errors import SolverError
from expost.solver.mincut import kernels
from expost.solver.mincut.fixed_nodes import Settled, demanded, settle
from expost.solver.mincut.network import CYCLE_BITS, Network, build
from expost.solver.mincut.preflow import PiledUpError, Preflow
from expost.solver.program import Program
from expost.solver.result import Certificate, Solution, Status

NAME = "mincut"


def solve_mincut(
    program: Program,
    *,
    time_limit: float | None = None,
    extremes: bool = True,
) -> Solution:
    """Solve a program of at most two blocks exactly, as a minimum cut in integers.

    time_limit: seconds; at the limit the status is TIME_LIMIT, with a feasible ``x`` and a proved bound.
    extremes: also return the smallest and the largest optimal closure; ``x`` is the smallest.

    Raises InputError for more than two blocks.
    """
    try:
        return _solve(program, 0, time_limit, extremes)
    except PiledUpError:
        return _solve_coarsely(program, time_limit, extremes)


def _solve_coarsely(program: Program, time_limit: float | None, extremes: bool) -> Solution:
    """Solve with weights that leave room for flow to pile up on cycles."""
    try:
        return _solve(program, CYCLE_BITS, time_limit, extremes)
    except PiledUpError as error:
        raise SolverError('mincut: too many rounds on rows that form cycles; use backend="highs"') from error


def _solve(program: Program, spare_bits: int, time_limit: float | None, extremes: bool) -> Solution:
    """One solve at one scale. Raises PiledUpError when flow on cycles comes near to overflowing."""
    started = time.perf_counter()
    network = build(program, spare_bits)
    details: dict[str, Any] = {"scale_exponent": network.scale_exponent, "rounds": 0}
    preflow = Preflow(network.graph, network.acyclic)
    kernels.start(network.graph, network.supply)
    settled = settle(network, demanded(program), program.covering)
    if settled is None:
        details["seconds"] = time.perf_counter() - started
        return Solution(NAME, Status.INFEASIBLE, bound=-math.inf, details=details)
    status = preflow.run(math.inf if time_limit is None else started + time_limit)
    solution = _assemble(program, network, preflow, settled, status, extremes)
    solution.details.update(details, rounds=preflow.rounds)
    solution.details["seconds"] = time.perf_counter() - started
    return solution


def _assemble(
    program: Program, network: Network, preflow: Preflow, settled: Settled, status: Status, extremes: bool
) -> Solution:
    """Read the rule, the bound and the certificate off the flow."""
    proved = settled.gain + int(np.maximum(network.graph.node[:, kernels.EXCESS], 0).sum())
    optimal = status is Status.OPTIMAL
    high = settled.complete(preflow.largest()) if extremes or not optimal else None
    low = settled.complete(preflow.smallest())
    z = low
    for closure in (low, high):
        if optimal and closure is not None and _value(network, closure) != proved:
            raise SolverError("mincut: flow and cut disagree; please report this program")
    if not optimal and high is not None and _value(network, high) > _value(network, low):
        z = high
    certificate = _certificate(program, network, settled)
    slack = int(np.count_nonzero(program.weights)) * certificate.rounding
    total = proved - int(network.supply[network.second :].sum())
    bound = math.ldexp(float(total), -network.scale_exponent) + program.constant + slack
    both = optimal and high is not None
    return Solution(
        NAME,
        status,
        network.variables(z),
        bound,
        certificate,
        network.variables(low) if both else None,
        network.variables(high) if both and high is not None else None,
    )


def _value(network: Network, z: Int8) -> int:
    """The integer weight of a closure."""
    return int(np.dot(network.supply, z))


def _certificate(program: Program, network: Network, settled: Settled) -> Certificate:
    """The flow as multipliers of the program's rows."""
    graph = network.graph
    arcs = np.zeros(program.arcs, dtype=np.int64)
    chained = np.flatnonzero(network.chain_arc >= 0)
    arcs[network.chain_arc[chained]] = graph.node[chained, kernels.ALONG]
    packing = np.zeros(len(program.packing), dtype=np.int64)
    paired = np.flatnonzero(network.pair_row >= 0)
    packing[network.pair_row[paired]] = graph.node[paired, kernels.OVER]
    first, last = len(network.extra_arcs), len(network.extra_arcs) + len(network.extra_rows)
    explicit = np.empty_like(graph.xflow)
    explicit[network.explicit] = graph.xflow
    arcs[network.extra_arcs] = explicit[:first]
    packing[network.extra_rows] = explicit[first:last]
    covering = settled.covering
    if covering is None:
        covering = explicit[last:].copy()
    return Certificate(network.scale_exponent, arcs, packing, covering)
