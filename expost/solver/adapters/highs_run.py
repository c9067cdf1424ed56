"""Running HiGHS: matrices passed in bulk, quiet, interruptible, with progress."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import highspy
import numpy as np

from expost._typing import Float
from expost.errors import SolverError
from expost.solver.interrupts import listening, requested
from expost.solver.linear import Rows
from expost.solver.progress import Progress, ProgressCallback

STOPPED = {"Time limit reached": "time limit", "Interrupted by user": "interrupted"}


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


def run(
    h: Any,
    *,
    time_limit: float | None = None,
    progress: ProgressCallback | None = None,
    scale: float = 1.0,
    constant: float = 0.0,
    idle: Callable[[], bool] | None = None,
) -> str:
    """Solve and return why it stopped: HiGHS's words for the model status, ``STOPPED`` ones shortened.

    Ctrl-C stops the search and keeps what was found. scale, constant: the objective given to HiGHS is
    minus ``scale`` times the program's without the constant; used for the progress reports. idle: called
    again and again while HiGHS works, on another core; False when there is nothing left to do.
    """
    if time_limit is not None:
        # HiGHS counts from the creation of the object.
        h.setOptionValue("time_limit", h.getRunTime() + max(time_limit, 0.01))
    h.HandleUserInterrupt = True
    if progress is not None:
        _report(h, progress, scale, constant)
    interrupted = _wait(h, idle)
    text: str = h.modelStatusToString(h.getModelStatus())
    if interrupted and text != "Optimal":
        return "interrupted"
    return STOPPED.get(text, text)


def _wait(h: Any, idle: Callable[[], bool] | None) -> bool:
    """Run in a thread so that Ctrl-C reaches us; whether it did. (HiGHS's own handler prints.)"""
    interrupted = False
    with listening():
        h.startSolve()
        while True:
            try:
                if h.wait(0.05 if idle is None else 0.001)[0]:
                    return interrupted
                if idle is not None and not interrupted and not idle():
                    idle = None
            except KeyboardInterrupt:
                interrupted = True
            except BaseException:
                h.cancelSolve()
                h.wait()
                raise
            if interrupted or requested():
                interrupted = True
                h.cancelSolve()


def _report(h: Any, progress: ProgressCallback, scale: float, constant: float) -> None:
    """Pass on what the branch and bound logs."""
    begun = time.monotonic()

    def tell(event: Any) -> None:
        out = event.data_out
        progress(
            Progress(
                "branch and bound",
                constant - out.mip_dual_bound / scale,
                constant - out.mip_primal_bound / scale,
                time.monotonic() - begun,
            )
        )

    h.cbMipLogging += tell
