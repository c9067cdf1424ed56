"""The linear relaxation: by the first-order method that knows the chains, or by one of HiGHS's for a second opinion."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from expost._typing import Float
from expost.solver.adapters.highs import minimized
from expost.solver.answers import slack
from expost.solver.interrupts import listening
from expost.solver.linear import cost_scale
from expost.solver.nbuyers.chains import Cover, cover
from expost.solver.nbuyers.first_order import FirstOrder, Progressed
from expost.solver.nbuyers.lagrangian import Priced, price
from expost.solver.nbuyers.layers import Layers, layers
from expost.solver.nbuyers.odd_cycles import PricedCuts
from expost.solver.program import Program
from expost.solver.reduction import Reduction
from expost.solver.result import HalfSums
from expost.tolerances import WELFARE

METHODS = ("chains", "pdlp", "hipdlp", "simplex")
"""Ours first; the others are HiGHS's."""

FEASIBLE = 1e-6
"""Excess of rows up to which the first-order method's value counts as attained; its bound is proved all the same."""

ENOUGH = 0.3
"""Part of the slack between welfares to which bound and value have to agree."""

LONG, NEAR = 500, 3e-6
"""Steps after which bound and value that are this near, relatively, are near enough: cuts bring more than steps."""

STALLED = 3000
"""Steps without an improvement of the bound that counts, after which the first-order method gives up."""

# Presolve gains the first-order method nothing here, and its postsolve can lose the duals (HiGHS 1.15.1).
FIRST_ORDER = {
    "presolve": "off",
    "pdlp_optimality_tolerance": WELFARE,
    "kkt_tolerance": WELFARE,
}
SIMPLEX = {"presolve": "off", "dual_feasibility_tolerance": WELFARE}


@dataclass(frozen=True, eq=False)
class Relaxation:
    """A near-optimal point of the linear relaxation and prices that nearly prove it.

    stopped: ``Optimal``, ``Infeasible``, ``time limit``, ``interrupted``, ``near``, ``stalled``, or HiGHS's word.
    fractional: float64 (variables,) or None. packing, covering: prices in the unit of the weights, float64
    (rows,), zero where the method had none. method: of ``METHODS``.
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


def relax(
    program: Program,
    time_limit: float | None = None,
    method: str = METHODS[0],
    forecast: Callable[[float], None] | None = None,
    order: Layers | None = None,
) -> Relaxation:
    """Solve the linear relaxation of a reduced program; the answer is evidence, ``price`` turns it into proof.

    forecast: told by the method on chains, after its first steps, in how many seconds at most it will be near the end.
    order: the layers of the program, if known.
    """
    if method == "chains":
        return by_chains(program, time_limit, forecast, order)
    scale = cost_scale(program)
    options = SIMPLEX if method == "simplex" else FIRST_ORDER | {"solver": method}
    found, reply = minimized(program, scale, time_limit, dict(options))
    if found is None:
        return replace(Relaxation.nothing(program), stopped=reply.stopped, method=method)
    duals = np.zeros(program.arcs + len(program.packing) + len(program.covering))
    if found.duals is not None:
        duals = np.maximum(-found.duals / scale, 0.0)
    packing, covering = np.split(duals[program.arcs :], [len(program.packing)])
    stopped = reply.stopped if reply.stopped and found.stopped == "interrupted" else found.stopped
    return Relaxation(stopped, found.point, packing, covering, method, found.iterations)


def by_chains(
    program: Program,
    time_limit: float | None = None,
    forecast: Callable[[float], None] | None = None,
    order: Layers | None = None,
) -> Relaxation:
    """The first-order method on chains, until bound and value agree, nothing moves, or time is up."""
    deadline = math.inf if time_limit is None else time.monotonic() + time_limit
    chains = cover(program, layers(program) if order is None else order)
    patience, begun, told = Patience(program), time.monotonic(), forecast is None

    def enough(seen: Progressed) -> str:
        nonlocal told
        if forecast is not None and not told:
            told = True
            forecast((time.monotonic() - begun) / max(seen.steps, 1) * max(LONG - seen.steps, 0))
        return patience(seen)

    with listening():
        seen = FirstOrder.at(chains).run(enough, deadline)
    return read(program, chains, seen)


def read(program: Program, chains: Cover, seen: Progressed) -> Relaxation:
    """What the first-order method has, in the program's own variables and rows."""
    rows = len(program.packing)
    packing, covering = seen.prices[:rows], seen.prices[rows : rows + len(program.covering)]
    stopped = "Infeasible" if hopeless(program, seen.bound) else seen.stopped
    return Relaxation(stopped, chains.point(program, seen.x), packing, covering, "chains", seen.steps)


def hopeless(program: Program, bound: float) -> bool:
    """Whether a bound (without the constant) is below what any 0/1 vector is worth: then there is no rule at all."""
    return bound < float(np.minimum(program.weights, 0.0).sum()) - slack(program)


class Patience:
    """When the first-order method has done what it can: says why, or nothing."""

    def __init__(self, program: Program) -> None:
        self.program, self.width = program, ENOUGH * slack(program)
        self.best, self.improved = math.inf, 0

    def __call__(self, seen: Progressed) -> str:
        """Why to stop, or ``""``."""
        if hopeless(self.program, seen.bound):
            return "Infeasible"
        if abs(seen.bound - seen.value) <= self.width and seen.excess <= FEASIBLE:
            return "Optimal"
        if seen.steps >= LONG and abs(seen.bound - seen.value) <= NEAR * abs(seen.bound):
            return "near"
        if seen.bound < self.best - self.width:
            self.best, self.improved = seen.bound, seen.steps
        return "stalled" if seen.steps - self.improved > STALLED else ""


def lifted_price(
    program: Program,
    reduction: Reduction,
    packing: Float,
    covering: Float,
    deadline: float = math.inf,
    cuts: PricedCuts | None = None,
) -> Priced | None:
    """Prices of a reduced program's rows, put back into the original, with the flow that proves them.

    A row that fixings decide is dear enough there to imply what it does; None when the precedence and
    the fixings alone are infeasible. deadline: see ``price``.
    """
    full_packing, full_covering = np.zeros(len(program.packing)), np.zeros(len(program.covering))
    full_packing[reduction.packing_rows] = packing
    full_covering[reduction.covering_rows] = covering
    dear = float(np.abs(program.weights).sum())
    fixed = reduction.fixed
    full_packing[(fixed[program.packing] == 1).any(axis=1)] = dear
    full_covering[(fixed[program.covering] == 0).sum(axis=1) == program.covering.shape[1] - 1] = dear
    lifted = None if cuts is None else lifted_cuts(program, reduction, cuts)
    return price(program, full_packing, full_covering, deadline, lifted)


def lifted_cuts(program: Program, reduction: Reduction, cuts: PricedCuts) -> PricedCuts:
    """The same cuts as sums of the original program's rows: those that the rows of the reduced one come from."""
    packing = program.arcs + reduction.packing_rows
    covering = program.arcs + len(program.packing) + reduction.covering_rows
    rows = np.concatenate([reduction.arcs, packing, covering])
    return PricedCuts(HalfSums(cuts.sums.start, rows[cuts.sums.rows], cuts.sums.multiplier), cuts.prices)
