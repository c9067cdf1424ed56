"""The Lagrangian over packing and covering: prices of these rows to a certificate, exactly.

At prices ``u >= 0`` of the packing rows (``c >= 0`` of the covering rows) the program falls apart into one
maximum-weight closure for each fibre. A minimum cut gives its exact flow, hence integer multipliers of
the precedence rows: whatever the prices came from, the bound they prove is the best that they can.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from expost._typing import Float, Int8, Int64
from expost.solver.interrupts import stop_if_requested
from expost.solver.mincut.backend import solve_mincut
from expost.solver.nbuyers.odd_cycles import PricedCuts, inequalities
from expost.solver.program import Program
from expost.solver.result import Certificate, HalfSums, Status
from expost.solver.scaling import multipliers, scale_exponent, scaled

HEADROOM = 50
"""Integer weights sum to less than 2**HEADROOM here, so that float64 still carries the reduced ones exactly."""


@dataclass(frozen=True, eq=False)
class Priced:
    """A program at given prices.

    certificate: prices and flows. priced: int64 (variables,), the scaled weights minus packing plus covering
    prices, before any flow. closure: int8 (variables,), the best response to the prices.
    """

    certificate: Certificate
    priced: Int64
    closure: Int8


def price(
    program: Program,
    packing: Float,
    covering: Float,
    deadline: float = math.inf,
    cuts: PricedCuts | None = None,
) -> Priced | None:
    """Best responses to prices in the unit of the weights, with the flow that proves them.

    deadline: on ``time.monotonic``; a flow that is cut off there proves a bound too, a weaker one. None when
    precedence and fixings alone are infeasible. Raises KeyboardInterrupt when interrupted.
    """
    stop_if_requested()
    exponent, priced, rows, sums = _priced(program, packing, covering, cuts)
    alone = Program(
        priced.astype(np.float64),
        np.array([0, program.variables]),
        program.tails,
        program.heads,
        fixed=program.fixings,
    )
    left = None if math.isinf(deadline) else max(deadline - time.monotonic(), 0.01)
    solution = solve_mincut(alone, time_limit=left, extremes=False)
    if solution.status is Status.INTERRUPTED:
        raise KeyboardInterrupt
    if solution.x is None or solution.certificate is None:
        return None
    # The weights were integers, so the flow is a multiple of the scale that the minimum cut added.
    extra = solution.certificate.scale_exponent
    flow = solution.certificate.arcs >> extra if extra >= 0 else solution.certificate.arcs << -extra
    return Priced(Certificate(exponent, flow, *rows, sums), priced, solution.x)


def _priced(
    program: Program, packing: Float, covering: Float, cuts: PricedCuts | None
) -> tuple[int, Int64, tuple[Int64, Int64], HalfSums | None]:
    """The finest scale at which the priced weights sum to less than 2**53, and they."""
    exponent = scale_exponent(program.weights, HEADROOM)
    found = None if cuts is None else inequalities(program, cuts.sums)
    while True:
        rows = multipliers(packing, exponent), multipliers(covering, exponent)
        magnitude = sum(
            float(part.sum(dtype=np.float64)) * program_rows.shape[1]
            for part, program_rows in zip(rows, (program.packing, program.covering), strict=True)
        )
        further = None if cuts is None else multipliers(cuts.prices, exponent)
        if found is not None and further is not None:
            entries = np.add.reduceat(np.append(np.abs(found.coefficient), 0), found.start[:-1])
            magnitude += float((entries * further.astype(np.float64)).sum())
        if magnitude < 2.0 ** (HEADROOM + 2):
            break
        exponent -= 1
    priced = scaled(program.weights, exponent)
    for column in program.packing.T:
        np.subtract.at(priced, column, rows[0])
    for column in program.covering.T:
        np.add.at(priced, column, rows[1])
    if found is None or further is None or cuts is None:
        return exponent, priced, rows, None
    cut = np.repeat(np.arange(len(further)), np.diff(found.start))
    np.subtract.at(priced, found.variable, found.coefficient * further[cut])
    return exponent, priced, rows, HalfSums(cuts.sums.start, cuts.sums.rows, further)
