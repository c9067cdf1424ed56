"""Programs as LP and MPS files, for any solver that reads these."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from expost.errors import InputError, SolverError
from expost.solver.linear import rows_of
from expost.solver.processes import call
from expost.solver.program import Program

SUFFIXES = (".lp", ".mps")


def write_model(program: Program, path: str | Path) -> Path:
    """Write a program as an LP or MPS file (by its suffix), to be maximized, numbers with 15 digits.

    Variable ``x<b>_<k>`` is the k-th of block b, both counted from 0; rows ``r<k>`` are precedence, then
    packing, then covering. Raises InputError for another suffix or a place that cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"a model file {target.name!r}", where="write_model", expected="a name ending in .lp or .mps"
        )
    if not target.parent.is_dir():
        raise InputError(
            f"no folder {str(target.parent)!r}", where="write_model", expected="an existing folder"
        )
    reply = call(
        "expost.solver.adapters.highs_run:write",
        who="highs",
        rows=rows_of(program),
        weights=program.weights,
        constant=program.constant,
        names=names_of(program),
        target=str(target.absolute()),
    )
    if reply.ended:
        raise KeyboardInterrupt
    if not reply.answer:
        raise InputError(
            f"{str(target)!r} cannot be written", where="write_model", expected="a writable place"
        )
    if not target.is_file():
        raise SolverError(f"highs wrote no model to {str(target)!r}")
    return target


def names_of(program: Program) -> list[str]:
    """The names of all variables."""
    return [f"x{b}_{k}" for b, size in enumerate(np.diff(program.blocks)) for k in range(size)]
