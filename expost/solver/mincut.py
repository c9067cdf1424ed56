"""Backend ``mincut``: one- and two-buyer programs solved exactly as a maximum-weight closure."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from expost.errors import SolverError
from expost.solver import kernel
from expost.solver.compilation import Notify, announce
from expost.solver.network import Network, build, free_everywhere, is_infeasible_row
from expost.solver.program import Program
from expost.solver.result import Certificate, Solution, Status

Int = NDArray[np.int64]
Index = NDArray[np.int32]
Bits = NDArray[np.int8]

NAME = "mincut"

KERNELS = (
    kernel.adjacency, kernel.fill_cells, kernel.search_back, kernel.sweep, kernel.search_forward,
    kernel.force, kernel.supply,
)


def solve_mincut(
    program: Program,
    *,
    time_limit: float | None = None,
    extremes: bool = True,
    notify: Notify | None = None,
) -> Solution:
    """Solve a program of at most two blocks exactly, as a minimum cut in integers.

    time_limit: seconds; at the limit the status is TIME_LIMIT, with a feasible ``x`` and a proved bound.
    extremes: also return the smallest and the largest optimal closure; ``x`` is the smallest.
    notify: takes the line that announces a compilation; standard error by default.

    Raises InputError for more than two blocks.
    """
    started = time.perf_counter()
    network = build(program)
    compiled = announce(KERNELS, notify)
    flows = _Flows(network)
    details: dict[str, Any] = {"rounds": 0, "scale_exponent": network.scale_exponent, "compiled": compiled}
    if is_infeasible_row(program) or not flows.force():
        details["seconds"] = time.perf_counter() - started
        return Solution(NAME, Status.INFEASIBLE, bound=-math.inf, details=details)
    limit = math.inf if time_limit is None else started + time_limit
    status = flows.run(limit)
    solution = _assemble(program, network, flows, status, extremes)
    solution.details.update(details, rounds=flows.rounds, seconds=time.perf_counter() - started)
    return solution


@dataclass
class _Flows:
    """The working arrays of one solve."""

    network: Network

    def __post_init__(self) -> None:
        network = self.network
        nodes, arcs = len(network.supply), len(network.tails)
        self.rounds = 0
        self.excess = network.supply.copy()
        self.flow = np.zeros(arcs, dtype=np.int64)
        self.order = np.empty(nodes, dtype=np.int32)
        self.position = np.empty(nodes, dtype=np.int32)
        self.out_ptr, self.in_ptr = (np.empty(nodes + 1, dtype=np.int32) for _ in range(2))
        self.out_arc, self.in_arc = (np.empty(arcs, dtype=np.int32) for _ in range(2))
        kernel.adjacency(nodes, network.tails, self.out_ptr, self.out_arc)
        kernel.adjacency(nodes, network.heads, self.in_ptr, self.in_arc)
        self.one = np.zeros(nodes, dtype=np.int8)
        self.zero = np.zeros(nodes, dtype=np.int8)
        self.fixed_gain = 0
        self.root_need: Int = np.zeros(nodes, dtype=np.int64)

    @property
    def graph(self) -> tuple[Index, Index, Index, Index, Index, Index]:
        """Both ends of the arcs and both adjacencies."""
        network = self.network
        return network.tails, network.heads, self.out_ptr, self.out_arc, self.in_ptr, self.in_arc

    def force(self) -> bool:
        """Settle the nodes that fixings decide, with the flow that proves it; False when they clash."""
        network = self.network
        forced = network.forced
        if free_everywhere(forced):
            return True
        if (forced == 2).any():
            return False
        tails, heads, out_ptr, out_arc, in_ptr, in_arc = self.graph
        self.one[:] = forced == 1
        self.zero[:] = forced == 0
        parent = self.position
        need = -network.supply
        count = kernel.force(out_ptr, out_arc, heads, self.one, self.order, parent)
        kernel.supply(self.order, count, parent, tails, need, self.flow)
        np.copyto(self.root_need, need, where=forced == 1)
        need = network.supply.copy()
        count = kernel.force(in_ptr, in_arc, tails, self.zero, self.order, parent)
        kernel.supply(self.order, count, parent, heads, need, self.flow)
        np.copyto(self.root_need, need, where=forced == 0)
        self.fixed_gain = int(network.supply[self.one == 1].sum())
        self.excess[(self.one | self.zero) == 1] = 0
        return not (self.one & self.zero).any()

    def run(self, limit: float) -> Status:
        """Rounds of search and sweep until no excess reaches a demand, or the limit."""
        try:
            kernel.fill_cells(self.network.tails, self.network.heads, self.excess, self.flow)
            while True:
                count, active = self.search_back()
                if active == 0:
                    return Status.OPTIMAL
                if time.perf_counter() > limit:
                    return Status.TIME_LIMIT
                self.rounds += 1
                kernel.sweep(*self.graph, self.excess, self.flow, self.position, self.order, count)
        except KeyboardInterrupt:
            return Status.INTERRUPTED

    def search_back(self) -> tuple[int, int]:
        """Number the nodes that reach a demand; return how many there are and how many have excess."""
        count, active = kernel.search_back(*self.graph, self.excess, self.flow, self.position, self.order)
        return int(count), int(active)

    def largest(self) -> Bits:
        """The closure of the nodes that reach no unmet demand."""
        self.search_back()
        z = (self.position == kernel.UNREACHED).astype(np.int8)
        z[self.zero == 1] = 0
        return z

    def smallest(self) -> Bits:
        """The closure of the nodes that some excess reaches."""
        z = np.empty(len(self.excess), dtype=np.int8)
        kernel.search_forward(*self.graph, self.excess, self.flow, z, self.order)
        return np.asarray(z | self.one)


def _assemble(program: Program, network: Network, flows: _Flows, status: Status, extremes: bool) -> Solution:
    """Read the rule, the bound and the certificate off the flow."""
    proved = flows.fixed_gain + int(np.maximum(flows.excess, 0).sum())
    low = flows.smallest()
    high = flows.largest() if extremes or status is not Status.OPTIMAL else None
    z = low
    if status is Status.OPTIMAL:
        for closure in (low, high):
            if closure is not None and _value(network, closure) != proved:
                raise SolverError("mincut: flow and cut disagree; please report this program")
    elif high is not None and _value(network, high) > _value(network, low):
        z = high
    certificate = _certificate(program, network, flows)
    offset = -int(network.supply[network.second :].sum())
    slack = np.count_nonzero(program.weights) * certificate.rounding
    bound = math.ldexp(float(proved + offset), -network.scale_exponent) + program.constant + slack
    both = status is Status.OPTIMAL and high is not None
    return Solution(
        NAME, status, network.program_bits(z), bound, certificate,
        network.program_bits(low) if both else None,
        network.program_bits(high) if both and high is not None else None,
    )


def _value(network: Network, z: Bits) -> int:
    """The integer weight of a closure."""
    return int(network.supply[z == 1].sum())


def _certificate(program: Program, network: Network, flows: _Flows) -> Certificate:
    """The flow as multipliers of the program's rows."""
    packing = np.zeros(len(program.packing), dtype=np.int64)
    covering = np.zeros(len(program.covering), dtype=np.int64)
    arcs, pairs = program.arcs, len(network.packing_rows)
    packing[network.packing_rows] = flows.flow[arcs : arcs + pairs]
    covering[network.covering_rows] = flows.flow[arcs + pairs :]
    if program.covering.shape[1] == 1 and len(covering):
        must, first = np.unique(program.covering[:, 0], return_index=True)
        covering[first] = np.maximum(flows.root_need[must], 0)
    return Certificate(network.scale_exponent, flows.flow[:arcs], packing, covering)
