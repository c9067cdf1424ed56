"""What a backend answers: why it stopped, the rule, the bound and the certificate are four things."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from expost._typing import Int8, Int64


class Status(StrEnum):
    """Why a solver stopped. Only ``OPTIMAL`` claims that the rule attains the bound."""

    UNKNOWN = "unknown"
    OPTIMAL = "optimal"
    TIME_LIMIT = "time limit"
    INTERRUPTED = "interrupted"
    INFEASIBLE = "infeasible"
    FEASIBLE = "feasible"


@dataclass(frozen=True, eq=False)
class Certificate:
    """Integer dual multipliers, one for each row of a program: a proof of an upper bound.

    The program's weights are scaled: ``integer_weights = rint(weights * 2**scale_exponent)``. With
    multipliers ``y >= 0`` the bound is, in those integers,

        capacity * sum(packing) - sum(covering) + sum_v max over allowed x_v of x_v * reduced_v,
        reduced_v = integer_weight_v - (arcs out of v) + (arcs into v) - (packing rows of v) + (covering rows of v).

    For two blocks the arc multipliers are the flow on the precedence arcs and the packing multipliers
    the flow across, i.e. the shadow prices of admissibility. All arrays are int64.
    """

    scale_exponent: int
    arcs: Int64
    packing: Int64
    covering: Int64

    @property
    def rounding(self) -> float:
        """How far one weight can be from its scaled integer, in the unit of the weights."""
        return math.ldexp(0.5, -self.scale_exponent)


@dataclass(frozen=True, eq=False)
class Solution:
    """What a backend found. ``x`` is 0/1 of shape (variables,) or None; ``bound`` is an upper bound on
    the optimum in the unit of the weights (infinite when nothing was proved).

    ``smallest`` and ``largest`` are the extreme optimal closures as 0/1 vectors in the program's own
    variables (block 1 complemented inside the order: ``smallest`` has the fewest of block 0 and the
    most of block 1), given by backends that know them.
    """

    backend: str
    status: Status = Status.UNKNOWN
    x: Int8 | None = None
    bound: float = math.inf
    certificate: Certificate | None = None
    smallest: Int8 | None = None
    largest: Int8 | None = None
    details: dict[str, Any] = field(default_factory=dict)
