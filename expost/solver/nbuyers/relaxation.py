"""The linear relaxation: by simplex where it is small, by HiGHS's first-order method (PDLP) where it is not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from expost._typing import Float
from expost.solver.adapters.highs_run import load, run
from expost.solver.linear import cost_scale, rows_of
from expost.solver.nbuyers.lagrangian import Priced, price
from expost.solver.program import Program
from expost.solver.reduction import Reduction
from expost.tolerances import WELFARE

SMALL = 3000
"""Variables up to which the simplex method is faster than the first-order method, and exact."""

# Presolve gains the first-order method nothing here, and its postsolve can lose the duals (HiGHS 1.15.1).
FIRST_ORDER = {
    "solver": "pdlp",
    "presolve": "off",
    "pdlp_optimality_tolerance": WELFARE,
    "kkt_tolerance": WELFARE,
}
SIMPLEX = {"presolve": "off", "dual_feasibility_tolerance": WELFARE}


@dataclass(frozen=True, eq=False)
class Relaxation:
    """A near-optimal point of the linear relaxation and prices that nearly prove it.

    stopped: HiGHS's word. fractional: float64 (variables,) or None. packing, covering: prices in the unit of
    the weights, float64 (rows,), zero where the method had none. method: ``simplex`` or ``pdlp``.
    """

    stopped: str
    fractional: Float | None
    packing: Float
    covering: Float
    method: str
    iterations: int

    @classmethod
    def nothing(cls, program: Program) -> Relaxation:
        """Prices of zero: each buyer on his own."""
        return cls("", None, np.zeros(len(program.packing)), np.zeros(len(program.covering)), "none", 0)


def relax(program: Program, time_limit: float | None = None, method: str | None = None) -> Relaxation:
    """Solve the linear relaxation; the answer is evidence, ``price`` turns it into proof."""
    method = method or ("simplex" if program.variables <= SMALL else "pdlp")
    scale = cost_scale(program)
    options = FIRST_ORDER if method == "pdlp" else SIMPLEX
    h = load(rows_of(program), -scale * program.weights, integer=False, options=dict(options))
    stopped = run(h, time_limit=time_limit)
    answer, info = h.getSolution(), h.getInfo()
    duals = np.zeros(program.arcs + len(program.packing) + len(program.covering))
    if answer.dual_valid:
        duals = np.maximum(-np.asarray(answer.row_dual) / scale, 0.0)
    packing, covering = np.split(duals[program.arcs :], [len(program.packing)])
    fractional = np.asarray(answer.col_value) if answer.value_valid else None
    iterations = info.pdlp_iteration_count if method == "pdlp" else info.simplex_iteration_count
    return Relaxation(stopped, fractional, packing, covering, method, int(iterations))


def lifted_price(program: Program, reduction: Reduction, packing: Float, covering: Float) -> Priced | None:
    """Prices of a reduced program's rows, put back into the original, with the flow that proves them.

    A row that fixings decide is dear enough there to imply what it does; None when the precedence and
    the fixings alone are infeasible.
    """
    full_packing, full_covering = np.zeros(len(program.packing)), np.zeros(len(program.covering))
    full_packing[reduction.packing_rows] = packing
    full_covering[reduction.covering_rows] = covering
    dear = float(np.abs(program.weights).sum())
    fixed = reduction.fixed
    full_packing[(fixed[program.packing] == 1).any(axis=1)] = dear
    full_covering[(fixed[program.covering] == 0).sum(axis=1) == program.covering.shape[1] - 1] = dear
    return price(program, full_packing, full_covering)
