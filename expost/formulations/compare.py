"""First best, static second best and sequential second best in every order of arrival, side by side on one
grid.

All figures are the finite type space's, not the continuum's: a grid faces fewer incentive constraints, and
the more points it has the lower its second best (``mathematics``: outer and cell bounds bracket the
continuum).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from expost._typing import Bool
from expost.errors import InputError
from expost.formulations.assemble import assemble
from expost.formulations.timing import SEQUENTIAL, STATIC, build_blocks, buyer_stages, mixed_mechanism
from expost.instances.environment import Instance
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.spaces.type_space import Grid, TypeSpace, discretize

FIRST_BEST, SECOND_BEST, REFUSED = "first best", "second best", "refused"


@dataclass(frozen=True)
class Row:
    """One line of a comparison; figures that do not exist are None.

    name: what is compared. kind: ``first best``, ``second best``, or the name of a construction.
    timing: of each buyer. first: the first signal of each buyer, None for static ones.
    welfare: of the rule that was found and audited. upper_bound: proved for this timing on this grid. gap:
    between the two.
    share: (welfare - no sale) / (first best - no sale), the part of the first-best gain that the rule
    reaches.
    revenue: the expected payments, with seller-best fees where there are menus. status: why the solver
    stopped, or ``refused``.
    note: why an order is refused.
    """

    name: str
    kind: str
    timing: tuple[str, ...]
    first: tuple[str | None, ...]
    welfare: float | None = None
    upper_bound: float | None = None
    gap: float | None = None
    share: float | None = None
    revenue: float | None = None
    sold: float | None = None
    status: str = ""
    seconds: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """The rows, in order: first best, static, sequential. ``no_sale`` = E[V_0] is the baseline of all
    shares."""

    instance: str
    grid: int | str
    no_sale: float
    first_best: float
    rows: tuple[Row, ...]

    def row(self, name: str) -> Row:
        """The row of that name. Raises KeyError when there is none."""
        return {row.name: row for row in self.rows}[name]

    def with_rows(self, *rows: Row) -> Comparison:
        """The same comparison with more rows (constructions, brackets)."""
        return Comparison(self.instance, self.grid, self.no_sale, self.first_best, (*self.rows, *rows))


def compare(
    instance: Instance,
    grid: Grid | int,
    *,
    backend: str = "auto",
    time_limit: float | None = None,
    firsts: Sequence[Sequence[str | None]] | None = None,
) -> Comparison:
    """The comparison of ``instance`` on ``grid``; each second best is solved, audited and bounded.

    firsts: which first signals to compare, one tuple of names for each row (by default every combination of
    one signal per buyer who has at least two; buyers with one signal stay static). time_limit: seconds for
    each solve. An order that sequential timing does not admit (values that fall, priors the wrong way
    round) becomes a refused row.
    """
    space = discretize(instance, grid)
    rows = [
        Row(
            "first best",
            FIRST_BEST,
            (),
            (),
            space.first_best,
            space.first_best,
            0.0,
            gain_share(space, space.first_best),
            status="computed",
        )
    ]
    rows.append(_row(space, (STATIC,) * space.n, (None,) * space.n, backend, time_limit))
    for first in _orders(instance) if firsts is None else firsts:
        names = tuple(first)
        timing = tuple(STATIC if name is None else SEQUENTIAL for name in names)
        try:
            rows.append(_row(space, timing, names, backend, time_limit))
        except InputError as error:
            rows.append(Row(_name(names), SECOND_BEST, timing, names, status=REFUSED, note=str(error)))
    return Comparison(instance.name, space.grid.describe(), space.seller, space.first_best, tuple(rows))


def gain_share(space: TypeSpace, welfare: float) -> float | None:
    """(welfare - no sale) / (first best - no sale); None where even the first best gains nothing."""
    best = space.first_best - space.seller
    return (welfare - space.seller) / best if best > 0.0 else None


def mechanism_row(space: TypeSpace, name: str, kind: str, mechanism: Mechanism, **given: Any) -> Row:
    """A row for any mechanism on the type space; it must pass the audit. ``given`` are further fields of
    the row.

    Raises AuditError when it does not.
    """
    audit_mechanism(space.values, mechanism).require(name)
    welfare = mechanism.welfare(space.gains, space.seller)
    fields: dict[str, Any] = {
        "timing": (),
        "first": (),
        "welfare": welfare,
        "share": gain_share(space, welfare),
        "revenue": mechanism.revenue(),
        "sold": mechanism.sold,
    }
    return Row(name, kind, **(fields | given))


def _orders(instance: Instance) -> Iterator[tuple[str | None, ...]]:
    """Every combination of first signals; nothing when no buyer has two signals."""
    options = [buyer.signals if len(buyer.signals) > 1 else (None,) for buyer in instance.buyers]
    return (names for names in product(*options) if any(names))


def _name(first: tuple[str | None, ...]) -> str:
    arriving = ", ".join(name for name in first if name is not None)
    return f"sequential second best, {arriving} first" if arriving else "static second best"


def _row(
    space: TypeSpace,
    timing: tuple[str, ...],
    first: tuple[str | None, ...],
    backend: str,
    time_limit: float | None,
) -> Row:
    from expost.solver.backends import solve_program

    started = time.perf_counter()
    formulation = assemble(space, build_blocks(space, timing, first))
    solution = solve_program(formulation.program, backend, time_limit=time_limit)
    given: dict[str, Any] = {
        "timing": timing,
        "first": first,
        "status": str(solution.status),
        "upper_bound": solution.bound if math.isfinite(solution.bound) else None,
    }
    if solution.x is None:
        return Row(_name(first), SECOND_BEST, seconds=time.perf_counter() - started, **given)
    rule: Bool = formulation.allocation(solution.x)
    mechanism = mixed_mechanism(space, rule, buyer_stages(space, timing, first))
    row = mechanism_row(space, _name(first), SECOND_BEST, mechanism, **given)
    assert row.welfare is not None
    gap = None if row.upper_bound is None else max(row.upper_bound - row.welfare, 0.0)
    return Row(**(vars(row) | {"gap": gap, "seconds": time.perf_counter() - started}))
