"""Programs as LP and MPS files, for any solver that reads these."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from expost.errors import SolverError
from expost.files import claim_file, write_whole
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
    claim_file(target, where="write_model", suffixes=SUFFIXES)
    with tempfile.TemporaryDirectory(prefix="expost-") as folder:
        draft = Path(folder) / f"model{target.suffix}"
        reply = call(
            "expost.solver.adapters.highs_run:write",
            who="highs",
            rows=rows_of(program),
            weights=program.weights,
            constant=program.constant,
            names=names_of(program),
            target=str(draft),
        )
        if reply.ended:
            raise KeyboardInterrupt
        if not reply.answer or not draft.is_file():
            raise SolverError("highs wrote no model: is there room for temporary files?")
        write_whole(target, draft.read_bytes(), where="write_model")
    return target


def names_of(program: Program) -> list[str]:
    """The names of all variables."""
    return [f"x{b}_{k}" for b, size in enumerate(np.diff(program.blocks)) for k in range(size)]
