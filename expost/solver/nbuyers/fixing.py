"""What it costs, at given prices, to force one variable to 0 or to 1; and the fixings that this proves.

At prices that prove the bound ``B``, a rule with ``x_v = 1`` is worth at most ``B - to_one[v]``. Where
that is less than an incumbent, ``x_v = 0`` in every better rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from expost._typing import Int8, Int32, Int64, Place
from expost.solver.nbuyers.lagrangian import Priced
from expost.solver.nbuyers.layers import Layers
from expost.solver.program import Program

NEVER = 1 << 60
"""More than any difference of integer weights: what it costs to go against a fixing."""


@dataclass(frozen=True, eq=False)
class Costs:
    """What forcing costs, in units of ``2**-exponent``: int64 (variables,) each."""

    to_zero: Int64
    to_one: Int64
    exponent: int

    def fixings(self, program: Program, allowance: float) -> Int8 | None:
        """The fixings that hold in every rule worth at least the bound minus ``allowance`` (unit: weights).

        int8 (variables,), the program's own included; None where no rule is worth that much.
        """
        limit = min(float(np.ldexp(allowance, self.exponent)), float(NEVER // 2))
        one, zero = self.to_zero > limit, self.to_one > limit
        if (one & zero).any():
            return None
        fixed = program.fixings.copy()
        fixed[one] = 1
        fixed[zero] = 0
        return fixed


def forcing_costs(program: Program, priced: Priced, layers: Layers) -> Costs:
    """Exact costs where levels are completely joined (static timing), valid lower bounds elsewhere.

    The program is reduced: its only fixed variables are isolated and fixed to 0.
    """
    to_zero, to_one = _exact(priced, layers) if layers.series else _along_paths(program, priced, layers)
    to_one[program.fixings == 0] = NEVER
    to_zero[program.fixings == 0] = 0
    return Costs(to_zero, to_one, priced.certificate.scale_exponent)


def _exact(priced: Priced, layers: Layers) -> tuple[Int64, Int64]:
    """All thresholds of all fibres at once.

    A closure of a fibre is everything above one level and any part of that level. ``best[f, l]`` is
    the best closure with its threshold at level ``l``; forcing ``v`` leaves the levels on one side, or its
    own level with ``v`` put right.
    """
    weights, shape = priced.priced, (layers.fibres, layers.depth)
    key = layers.fibre.astype(np.int64) * layers.depth + layers.level
    whole, part = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    np.add.at(whole.reshape(-1), key, weights)
    np.add.at(part.reshape(-1), key, np.maximum(weights, 0))
    best = np.cumsum(whole[:, ::-1], axis=1)[:, ::-1] - whole + part
    lower, higher = np.full(shape, -NEVER), np.full(shape, -NEVER)
    lower[:, 1:] = np.maximum.accumulate(best, axis=1)[:, :-1]
    higher[:, :-1] = np.maximum.accumulate(best[:, ::-1], axis=1)[:, ::-1][:, 1:]
    here, optimum = best.reshape(-1)[key], best.max(axis=1)[layers.fibre]
    with_one = np.maximum(lower.reshape(-1)[key], here + np.minimum(weights, 0))
    with_zero = np.maximum(higher.reshape(-1)[key], here - np.maximum(weights, 0))
    return optimum - with_zero, optimum - with_one


def _along_paths(program: Program, priced: Priced, layers: Layers) -> tuple[Int64, Int64]:
    """With the flow, every variable has its own reduced weight; forcing one forces a path of others.

    ``x_v = 1`` forces every variable after ``v``, whose negative reduced weights are then paid for: at
    least those on the dearest path. Likewise ``x_v = 0`` and the positive ones before ``v``.
    """
    flow = priced.certificate.arcs
    reduced = priced.priced.copy()
    np.subtract.at(reduced, program.tails, flow)
    np.add.at(reduced, program.heads, flow)
    to_one, to_zero = np.maximum(-reduced, 0), np.maximum(reduced, 0)
    if not layers.acyclic:
        return to_zero, to_one
    order = np.argsort(layers.level[program.tails], kind="stable")
    for arcs in reversed(np.split(order, _steps(layers.level[program.tails][order]))):
        _raise(to_one, reduced, program.tails[arcs], to_one[program.heads[arcs]], -1)
    order = np.argsort(layers.level[program.heads], kind="stable")
    for arcs in np.split(order, _steps(layers.level[program.heads][order])):
        _raise(to_zero, reduced, program.heads[arcs], to_zero[program.tails[arcs]], 1)
    return to_zero, to_one


def _steps(sorted_levels: Int32) -> Place:
    """Where the level changes."""
    return np.flatnonzero(np.diff(sorted_levels)) + 1


def _raise(cost: Int64, reduced: Int64, at: Int32, beyond: Int64, sign: int) -> None:
    """Own cost plus the dearest neighbour's, for the variables ``at``."""
    np.maximum.at(cost, at, beyond + np.maximum(sign * reduced[at], 0))
