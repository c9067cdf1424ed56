"""HiGHS in a worker: matrices passed in bulk, notes of the search sent back. Nothing else imports highspy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

from expost._typing import Float, Int8
from expost.errors import SolverError
from expost.solver.linear import Rows
from expost.solver.worker import Line

FEASIBLE = 2
"""HiGHS's number for a feasible primal solution."""

STOPPED = {"Time limit reached": "time limit", "Interrupted by user": "interrupted"}


@dataclass(frozen=True)
class Found:
    """What HiGHS found, in its own sense (it minimizes) and unit.

    stopped: its words for the model status, those for limits shortened. point: (variables,) or None; duals: of the
    rows or None. bound: from below, by branch and bound (minus infinity without). feasible: whether the point is.
    """

    stopped: str
    point: Float | None
    duals: Float | None
    bound: float
    feasible: bool
    iterations: int
    nodes: int


def linear(line: Line, *, rows: Rows, cost: Float, options: dict[str, Any]) -> Found:
    """Minimize ``cost @ x`` over the rows."""
    with line.dying_with_parent():
        h = load(rows, cost, integer=False, options=options)
        return _found(h, _run(h, line))


def integer(line: Line, *, rows: Rows, cost: Float, options: dict[str, Any], start: Int8 | None) -> Found:
    """Minimize over 0/1 vectors. Notes: ``("log", bound, incumbent)`` and ``("rule", x as int8)`` as they come."""
    with line.dying_with_parent():
        h = load(rows, cost, integer=True, options=options)
        if start is not None:
            h.setSolution(len(start), np.arange(len(start), dtype=np.int32), start.astype(np.float64))

        def log(event: Any) -> None:
            line.tell(("log", event.data_out.mip_dual_bound, event.data_out.mip_primal_bound))

        def improved(event: Any) -> None:
            line.tell(("rule", rounded(event.data_out.mip_solution)))

        h.cbMipLogging += log
        h.cbMipImprovingSolution += improved
        return _found(h, _run(h, line))


def write(_: Line, *, rows: Rows, weights: Float, constant: float, names: list[str], target: str) -> bool:
    """Write the program, to be maximized, as ``target`` (absolute); whether HiGHS could."""
    return write_loaded(load(rows, weights, integer=True), constant, names, target)


def write_loaded(h: Any, constant: float, names: list[str], target: str) -> bool:
    """Write a loaded model, to be maximized; whether HiGHS could."""
    h.changeObjectiveSense(highspy.ObjSense.kMaximize)
    h.changeObjectiveOffset(constant)
    for column, name in enumerate(names):
        h.passColName(column, name)
    return bool(h.writeModel(target) != highspy.HighsStatus.kError)


def load(rows: Rows, cost: Float, *, integer: bool, options: dict[str, Any] | None = None) -> Any:
    """A Highs object that minimizes ``cost @ x`` over the rows, output off, gaps zero.

    Raises SolverError when HiGHS refuses the model or an option.
    """
    h = highspy.Highs()
    settings: dict[str, Any] = {"output_flag": False, "mip_rel_gap": 0.0, "mip_abs_gap": 0.0}
    for name, setting in (settings | (options or {})).items():
        if h.setOptionValue(name, setting) == highspy.HighsStatus.kError:
            raise SolverError(f"highs refuses the option {name} = {setting!r}")
    n = len(cost)
    layout, sense = int(highspy.MatrixFormat.kRowwise), int(highspy.ObjSense.kMinimize)
    kind = np.full(n, 1 if integer else 0, dtype=np.int32)
    lower = np.full(rows.count, -math.inf)
    status = h.passModel(
        n,
        rows.count,
        len(rows.index),
        layout,
        sense,
        0.0,
        cost,
        rows.lower_x,
        rows.upper_x,
        lower,
        rows.upper,
        rows.start[:-1],
        rows.index,
        rows.value,
        kind,
    )
    if status == highspy.HighsStatus.kError:
        raise SolverError("highs refuses the model")
    return h


def rounded(values: Any) -> Int8:
    """Floating-point variables as 0/1."""
    return (np.asarray(values) > 0.5).astype(np.int8)


def _run(h: Any, line: Line) -> str:
    """Solve until done, at the deadline or asked to stop; why it stopped."""
    if math.isfinite(line.deadline):
        # HiGHS counts from the creation of the object.
        h.setOptionValue("time_limit", h.getRunTime() + line.left())
    h.HandleUserInterrupt = True
    h.startSolve()
    while not h.wait(0.05)[0]:
        if line.stop.is_set():
            h.cancelSolve()
    text: str = h.modelStatusToString(h.getModelStatus())
    return STOPPED.get(text, text)


def _found(h: Any, stopped: str) -> Found:
    """What there is to read off."""
    answer, info = h.getSolution(), h.getInfo()
    value_valid = answer.value_valid and math.isfinite(info.objective_function_value)
    return Found(
        stopped,
        np.asarray(answer.col_value) if value_valid else None,
        np.asarray(answer.row_dual) if answer.dual_valid else None,
        float(info.mip_dual_bound),
        int(info.primal_solution_status) == FEASIBLE,
        int(max(info.simplex_iteration_count, info.pdlp_iteration_count)),
        int(info.mip_node_count),
    )
