"""What a backend answers: why it stopped, the rule, the bound and the certificate are four things."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from expost._typing import Int8, Int64


class Status(StrEnum):
    """Why a solver stopped. Only ``OPTIMAL`` claims that the rule attains the bound."""

    UNKNOWN = "unknown"
    OPTIMAL = "optimal"
    TIME_LIMIT = "time limit"
    INTERRUPTED = "interrupted"
    INFEASIBLE = "infeasible"
    FEASIBLE = "feasible"
    GAP = "gap reached"


@dataclass(frozen=True, eq=False)
class HalfSums:
    """Inequalities that follow from the rows of a program and from x being 0 or 1, each with a multiplier.

    Inequality ``k`` is half the sum of the rows ``rows[start[k] : start[k + 1]]``, every coefficient and the right-hand
    side rounded down (Chvatal and Gomory; for closed walks with an odd number of packing rows these are the odd-cycle
    inequalities). Rows are numbered arcs first (``x_tail - x_head <= 0``), then packing (``sum <= 1``), then covering
    (``-sum <= -1``). All arrays are int64: start (inequalities + 1,), rows, multiplier (inequalities,).
    """

    start: Int64
    rows: Int64
    multiplier: Int64


@dataclass(frozen=True, eq=False)
class Tree:
    """A proof by cases: each inner node settles a variable to 0 or 1, each leaf has multipliers of its own.

    Node 0 is the root. variable: int64 (nodes,), -1 at leaves. child: int64 (nodes, 2), the nodes where the variable
    is 0 and where it is 1. leaf: int64 (nodes,), the leaf's place below, -1 at inner nodes. exponent: int64 (leaves,),
    arcs, packing, covering: int64 (leaves, rows of the kind), as in ``Certificate``. cut_start, cut_rows: the
    inequalities that all leaves share, as in ``HalfSums``; cut_multiplier: int64 (leaves, inequalities).
    """

    variable: Int64
    child: Int64
    leaf: Int64
    exponent: Int64
    arcs: Int64
    packing: Int64
    covering: Int64
    cut_start: Int64
    cut_rows: Int64
    cut_multiplier: Int64

    def certificate(self, leaf: int) -> Certificate:
        """The multipliers of one leaf."""
        cuts = HalfSums(self.cut_start, self.cut_rows, self.cut_multiplier[leaf])
        parts = self.arcs[leaf], self.packing[leaf], self.covering[leaf]
        return Certificate(int(self.exponent[leaf]), *parts, cuts)


@dataclass(frozen=True)
class Grain:
    """``numerator * 2**-exponent``, of which the value of every rule, without the constant, is a whole multiple."""

    numerator: int
    exponent: int

    @property
    def size(self) -> float:
        """In the unit of the weights."""
        return math.ldexp(self.numerator, -self.exponent)


@dataclass(frozen=True, eq=False)
class Certificate:
    """Integer dual multipliers, one for each row of a program: a proof of an upper bound.

    The program's weights are scaled: ``integer_weights = rint(weights * 2**scale_exponent)``. With
    multipliers ``y >= 0`` the bound is, in those integers,

        capacity * sum(packing) - sum(covering) + sum_v max over allowed x_v of x_v * reduced_v,
        reduced_v = integer_weight_v - (arcs out of v) + (arcs into v) - (packing rows of v) + (covering rows of v).

    For two blocks the arc multipliers are the flow on the precedence arcs and the packing multipliers
    the flow across, i.e. the shadow prices of admissibility. All arrays are int64. ``cuts`` are further
    rows that the program implies: ``+ sum(multiplier * right-hand side)`` in the bound, ``- multiplier * coefficient``
    in the reduced weights. ``tree``, where there is one, proves a bound of its own. ``grain``, where there is one,
    rounds the bound down to a value that a rule can have.
    """

    scale_exponent: int
    arcs: Int64
    packing: Int64
    covering: Int64
    cuts: HalfSums | None = None
    tree: Tree | None = None
    grain: Grain | None = None

    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """Everything by name, as it is saved."""
        named = {
            "scale_exponent": np.array(self.scale_exponent, dtype=np.int64),
            "arcs": self.arcs,
            "packing": self.packing,
            "covering": self.covering,
        }
        if self.cuts is not None:
            named |= {f"cuts_{name}": getattr(self.cuts, name) for name in ("start", "rows", "multiplier")}
        if self.tree is not None:
            named |= {f"tree_{part.name}": getattr(self.tree, part.name) for part in fields(Tree)}
        if self.grain is not None:
            named["grain"] = np.array([self.grain.numerator, self.grain.exponent], dtype=np.int64)
        return named

    @classmethod
    def from_arrays(cls, named: Mapping[str, NDArray[Any]]) -> Certificate:
        """What ``arrays`` says. Raises KeyError, TypeError or ValueError where something is missing or no number."""
        cuts = None
        if "cuts_start" in named:
            cuts = HalfSums(named["cuts_start"], named["cuts_rows"], named["cuts_multiplier"])
        tree = None
        if "tree_variable" in named:
            tree = Tree(*(named[f"tree_{part.name}"] for part in fields(Tree)))
        rows = named["arcs"], named["packing"], named["covering"]
        grain = Grain(*(int(part) for part in named["grain"])) if "grain" in named else None
        return cls(int(named["scale_exponent"]), *rows, cuts, tree, grain)

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
    most of block 1), given by backends that know them. ``certified`` is what the certificate proves, once that has
    been checked; infinite before, and without one.
    """

    backend: str
    status: Status = Status.UNKNOWN
    x: Int8 | None = None
    bound: float = math.inf
    certificate: Certificate | None = None
    smallest: Int8 | None = None
    largest: Int8 | None = None
    details: dict[str, Any] = field(default_factory=dict)
    certified: float = math.inf
