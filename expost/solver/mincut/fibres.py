"""A first bound and a first rule without the network: fibre by fibre, from the prices and the rule of a nearby program.

At prices of the packing rows the program falls apart into its fibres, and what a fibre of a static buyer is worth then
is one pass over its variables; so is the best response to what the other buyer gets. That takes a few hundredths of the
time to the optimum, less than laying the network out.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from expost._limits import Carried
from expost._typing import Float, Int8, Int32, UInt8
from expost.solver.mincut import fibre_kernels as kernels
from expost.solver.nearby import Nearby
from expost.solver.program import FREE, Program
from expost.solver.result import Certificate
from expost.solver.scaling import HEADROOM, scale_exponent

LEAST = 100_000
"""Variables; with fewer the network is there as soon."""

LARGE = 10
"""Prices whose sum is 2**LARGE times that of the weights' sizes are of no use."""


@dataclass(frozen=True, eq=False)
class Fibres:
    """A program of two blocks whose precedence is chains of groups.

    before, out: int32 (variables,), the arc that leads to each variable and the one from it to the gate of its group,
    -1 where there is none. kind: uint8 (variables,), as ``fibre_kernels`` says. stride: how far apart the rows of a
    fibre of the first block are, or any number: it is faster where it is right.
    """

    program: Program
    before: Int32
    out: Int32
    kind: UInt8
    stride: int

    @classmethod
    def of(cls, program: Program) -> Fibres | None:
        """None where the program is anything else, or has fixings or covering rows."""
        rows = program.packing
        if program.n_blocks != 2 or rows.shape[1] != 2 or len(program.covering) or program.capacity != 1:
            return None
        if (program.fixings != FREE).any():
            return None
        before, out = (np.full(program.variables, -1, dtype=np.int32) for _ in range(2))
        kind, marks = (np.zeros(program.variables, dtype=np.uint8) for _ in range(2))
        if not kernels.recognize(program.tails, program.heads, before, out, kind):
            return None
        # the second block's fibres have their rows one after the other
        chains = np.flatnonzero(kind[program.blocks[1] :] == kernels.CHAIN)
        stride = int(np.diff(chains[:2], append=program.variables)[0]) if len(chains) else 1
        stride = max(min(stride, len(rows)), 1)
        if not all(kernels.mark_rows(column, stride, marks) for column in rows.T):
            return None
        gates = np.flatnonzero(kind == kernels.GATE)
        if program.weights[gates].any() or marks[gates].any():
            return None
        return cls(program, before, out, kind, stride)

    def certificate(self, prices: Float) -> tuple[Certificate, float] | None:
        """What prices, float64 (rows,) in the unit of the weights, prove: the multipliers and the bound, the program's
        constant included. None where they are so large that they prove nothing, and the weights would not be seen."""
        program = self.program
        exponent, paid = scale_exponent(program.weights), np.maximum(prices, 0.0)
        with np.errstate(over="ignore"):
            most = math.frexp(float(paid.sum()))
        room = HEADROOM - 1 - most[1]  # at this scale prices sum to less than half of what there is room for
        if not math.isfinite(most[0]) or room < exponent - LARGE:
            return None
        exponent = min(exponent, room)
        factor = math.ldexp(1.0, exponent)
        paid *= factor
        whole = np.rint(paid, out=paid).astype(np.int64)
        arcs = np.zeros(program.arcs, dtype=np.int64)
        fibres = 0
        strides = self.stride, len(whole)  # rows of the second block's fibres are next to each other
        for block, stride in enumerate(strides):
            low, high = self._ends(block)
            priced = np.zeros(high - low, dtype=np.int64)
            kernels.lay_prices(program.packing[:, block], stride, whole, priced, low)
            flow = self.before, self.out, arcs
            fibres += kernels.worth(self.kind, program.weights, factor, priced, *flow, low, high)
        found = Certificate(exponent, arcs, whole, np.zeros(0, dtype=np.int64))
        # weights are off by their rounding, and this sum by the float's
        rounding = np.count_nonzero(program.weights) * found.rounding
        total = math.ldexp(float(fibres + int(whole.sum())), -exponent)
        return found, float(total + rounding + program.constant)

    def rule(self, guess: Int8) -> Int8:
        """A rule, int8 (variables,): buyer 2 has what is nearest to the guess, buyer 1 responds to it, then he to that.

        Of the optimal rules a minimum cut gives the one in which buyer 2 has most (``Solution.smallest``): he is who
        the other one should respond to.
        """
        x = np.zeros(self.program.variables, dtype=np.int8)
        low, high = self._ends(1)
        nearest = guess[low:high].astype(np.float64)
        nearest -= 0.5
        kernels.respond(self.kind, nearest, np.zeros(high - low, dtype=np.uint8), x, low, high)
        for block in (0, 1):
            low, high = self._ends(block)
            taken = np.zeros(high - low, dtype=np.uint8)
            columns = self.program.packing[:, 1 - block], self.program.packing[:, block]
            kernels.take(*columns, self.stride, x, taken, low)
            kernels.respond(self.kind, self.program.weights[low:high], taken, x, low, high)
        members = np.flatnonzero(self.out >= 0)
        x[self.program.heads[self.out[members[x[members] == 1]]]] = 1
        return x

    def _ends(self, block: int) -> tuple[int, int]:
        return int(self.program.blocks[block]), int(self.program.blocks[block + 1])


@dataclass(eq=False)
class FirstAnswer:
    """What is known before a network is there: a bound with its certificate, and a rule with its value.

    certificate: None once the network's flow proves more. rule: int8 (variables,).
    """

    bound: float
    certificate: Certificate | None
    rule: Int8
    value: float


def first_answer(program: Program, start: Nearby) -> FirstAnswer | None:
    """The answer that the prices and the rule of a nearby program make; None where one of them is not known or of no
    use, or where the program's fibres are no chains."""
    if start.prices is None or start.rule is None or program.variables < LEAST:
        return None
    fibres = Fibres.of(program)
    if fibres is None:
        return None
    with ThreadPoolExecutor(1) as pool:
        responses = pool.submit(Carried(fibres.rule), start.rule)
        proved = fibres.certificate(start.prices)
        rule = responses.result()
    if proved is None:
        return None
    certificate, bound = proved
    return FirstAnswer(bound, certificate, rule, program.value(rule))
