"""HiGHS in a worker, on programs of which some variables are whole and others are not."""

from __future__ import annotations

from typing import Any

import numpy as np

from expost._typing import Bool, Float
from expost.solver.adapters.highs_run import Found, _found, _run, load
from expost.solver.linear import Rows
from expost.solver.worker import Line


def minimize(
    line: Line,
    *,
    rows: Rows,
    cost: Float,
    integral: Bool | None,
    options: dict[str, Any],
    start: Float | None,
) -> Found:
    """Minimize ``cost @ x`` over the rows; ``integral``: which variables are whole. ``start``: a feasible point."""
    with line.dying_with_parent():
        h = load(rows, cost, integer=False, options=options)
        if integral is not None:
            every = np.arange(len(cost), dtype=np.int32)
            h.changeColsIntegrality(len(cost), every, integral.astype(np.uint8))
            if start is not None:
                h.setSolution(len(cost), every, start.astype(np.float64))
        return _found(h, _run(h, line))
