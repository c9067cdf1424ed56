"""What the solution of a nearby program says about another one: a start for a solver that can use it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from expost._typing import Float, Int8
from expost.errors import InputError
from expost.solver.program import Program
from expost.solver.result import Certificate, Solution


@dataclass(frozen=True, eq=False)
class Nearby:
    """What a nearby program's solution says about this one: the same rows with other weights, or a coarser grid.

    prices: float64 (packing rows,), multipliers of the packing rows in the unit of the weights; arcs: float64
    (arcs,), those of the precedence arcs. Neither need be optimal here, nor feasible. rule: int8
    (variables,), 0/1, any guess; it need not be feasible either. What is None is not known.
    """

    prices: Float | None = None
    arcs: Float | None = None
    rule: Int8 | None = None

    def check(self, program: Program) -> None:
        """Raise InputError unless it is about a program of this size."""
        sizes = {"prices": len(program.packing), "arcs": program.arcs, "rule": program.variables}
        for name, size in sizes.items():
            given = getattr(self, name)
            if given is not None and (given.shape != (size,) or not np.isfinite(given).all()):
                raise InputError(
                    f"{name} of shape {given.shape}",
                    where="nearby",
                    expected=f"{size} finite numbers, as the program has {'variables' if name == 'rule' else 'rows'}",
                )


def nearby(solution: Solution) -> Nearby:
    """What the solution of a program says about one with the same rows and other weights."""
    found = solution.certificate
    if not isinstance(found, Certificate):
        return Nearby(rule=solution.x)
    prices, arcs = (
        np.ldexp(y.astype(np.float64), -found.scale_exponent) for y in (found.packing, found.arcs)
    )
    return Nearby(prices, arcs, solution.x)
