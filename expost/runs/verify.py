"""Re-checking a saved run without any solver: files, figures, audit by definition, certificate.

The type space and the program are rebuilt from the instance and the settings alone. Then the rule is audited, every
figure is recomputed, the terms are compared with those that the rule implies, and the certificate's bound is
recomputed in integers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from expost.errors import ExpostError
from expost.formulations.assemble import Formulation
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.mechanisms.tables import Columns
from expost.runs.folder import RESULT, SavedRun, digest, read_result
from expost.runs.record import Record
from expost.runs.reopen import reopen
from expost.runs.solve import figures
from expost.runs.tables import terms_columns
from expost.solver.result import Status
from expost.tolerances import WELFARE


@dataclass(frozen=True)
class Check:
    """One check of a saved run: what was checked, whether it held, and what was seen."""

    name: str
    passed: bool
    detail: str


def verify(folder: Path) -> list[Check]:
    """Every check of the run in ``folder``, in order; a check that cannot be made ends the list as failed.

    Raises InputError when ``folder`` is not a run at all.
    """
    read_result(folder)
    checks: list[Check] = []
    try:
        checks.extend(_checks(folder))
    except ExpostError as error:
        checks.append(Check("readable", False, str(error)))
    return checks


def _checks(folder: Path) -> Iterator[Check]:
    yield from _digests(folder)
    run = reopen(folder)
    saved, formulation, mechanism = run.saved, run.formulation, run.mechanism
    yield from _rule(saved, formulation, mechanism)
    yield from _figures(saved.record, formulation, mechanism)
    yield from _terms(saved, formulation, mechanism)
    yield from _certificate(saved, formulation)


def _digests(folder: Path) -> Iterator[Check]:
    recorded = read_result(folder)[1]
    present = {path.name for path in folder.iterdir()} - {RESULT}
    for name, value in sorted(recorded.items()):
        if name not in present:
            yield Check(f"file {name}", False, "missing")
        elif digest(folder / name) != value:
            yield Check(f"file {name}", False, "its bytes are not those that were written")
    yield Check("files", set(recorded) <= present, f"{len(recorded)} files recorded")


def _rule(saved: SavedRun, formulation: Formulation, mechanism: Mechanism) -> Iterator[Check]:
    valid = int(saved.winners["winner"].max(initial=0)) <= formulation.space.n
    broken = formulation.program.violations(formulation.vector(mechanism.allocation))
    yield Check("rule satisfies the program", valid and broken == 0, f"{broken} rows or fixings broken")
    verdict = audit_mechanism(formulation.space.values, mechanism)
    yield Check("audit by definition", verdict.passed, verdict.explain())


def _figures(record: Record, formulation: Formulation, mechanism: Mechanism) -> Iterator[Check]:
    recorded = record.to_dict()
    counted = {
        "states": formulation.space.states,
        "binaries": formulation.space.states * formulation.space.n,
        "variables": formulation.program.variables,
        "arcs": formulation.program.arcs,
    }
    for key, value in {**figures(formulation, mechanism), **counted}.items():
        yield Check(key, _close(recorded[key], value), f"recorded {recorded[key]!r}, recomputed {value!r}")
    yield Check(
        "instance name", record.instance == formulation.space.instance.name, f"recorded {record.instance!r}"
    )


def _close(recorded: object, value: float) -> bool:
    if isinstance(recorded, bool) or not isinstance(recorded, int | float):
        return False
    return math.isclose(recorded, value, rel_tol=WELFARE, abs_tol=WELFARE)


def _terms(saved: SavedRun, formulation: Formulation, mechanism: Mechanism) -> Iterator[Check]:
    for stem, expected in terms_columns(formulation.space, mechanism).items():
        for suffix in (".csv", ".parquet"):
            table = saved.terms.get(stem + suffix)
            yield Check(
                stem + suffix, table is not None and _same(table, expected), "the terms that the rule implies"
            )


def _same(table: Columns, expected: Columns) -> bool:
    """Whether two tables agree: the same columns, the same text, numbers to the last digit written."""
    if list(table) != list(expected):
        return False
    return all(
        np.array_equal(table[name], column, equal_nan=column.dtype.kind == "f")
        for name, column in expected.items()
    )


def _certificate(saved: SavedRun, formulation: Formulation) -> Iterator[Check]:
    from expost.solver.certificate import check

    record = saved.record
    if saved.certificate is None:
        yield Check(
            "certificate",
            record.certified_upper_bound is None,
            "none in the folder: the upper bound is the solver's word, not proved",
        )
        return
    report = check(
        formulation.program,
        saved.certificate,
        formulation.vector(saved.allocation),
    )
    yield Check(
        "certificate is valid",
        report.valid,
        "; ".join(report.reasons) or f"integer bound {report.integer_bound}",
    )
    proved = report.upper_bound
    yield Check(
        "certified upper bound",
        record.certified_upper_bound is not None and _close(record.certified_upper_bound, proved),
        f"recorded {record.certified_upper_bound!r}, recomputed {proved!r}",
    )
    if record.upper_bound is not None:
        claimed = record.upper_bound < proved - WELFARE * max(1.0, abs(proved))
        detail = f"{record.upper_bound!r}" + (
            f" is {record.backend}'s word; the certificate proves {proved!r}" if claimed else " is proved"
        )
        yield Check(
            "upper bound",
            not math.isnan(record.upper_bound) and record.upper_bound >= record.value - WELFARE,
            detail,
        )
        gap = max(record.upper_bound - record.value, 0.0)
        yield Check(
            "gap",
            record.gap is not None and _close(record.gap, gap),
            f"recorded {record.gap!r}, recomputed {gap!r}",
        )
    if record.status == Status.OPTIMAL and formulation.program.n_blocks <= 2:
        within = proved - record.value <= WELFARE * max(1.0, abs(proved))
        yield Check("optimal", within, f"the rule attains the proved bound to {proved - record.value:.3g}")
