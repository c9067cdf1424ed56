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
from expost.mechanisms.audit import allowed_gain
from expost.mechanisms.export.tables import Columns
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.runs.folder import RESULT, SavedRun, digest, read_result
from expost.runs.record import Record
from expost.runs.reopen import reopen
from expost.runs.solve import figures
from expost.runs.tables import terms_columns
from expost.solver.certificate import check
from expost.solver.program import Program
from expost.solver.result import Status
from expost.tolerances import WELFARE


@dataclass(frozen=True)
class Check:
    """One check of a saved run: what was checked, whether it held, and what was seen.

    proved: False where nothing contradicts the record and nothing in the folder proves it either.
    """

    name: str
    passed: bool
    detail: str
    proved: bool = True


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
    yield from _bound(saved, formulation)


def _digests(folder: Path) -> Iterator[Check]:
    recorded = read_result(folder)[1]
    present = {path.name for path in folder.iterdir()} - {RESULT}
    for name, value in sorted(recorded.items()):
        if name not in present:
            yield Check(f"file {name}", False, "missing")
        elif not (folder / name).is_file() or digest(folder / name) != value:
            yield Check(f"file {name}", False, "its bytes are not those that were written")
    strange = sorted(present ^ set(recorded))
    yield Check(
        "files", not strange, f"{len(recorded)} recorded; not both there and recorded: {strange or 'none'}"
    )


def _rule(saved: SavedRun, formulation: Formulation, mechanism: Mechanism) -> Iterator[Check]:
    program, record, n = formulation.program, saved.record, formulation.space.n
    for name, array in saved.winners.items():
        vector = formulation.vector(saved.rule(name))
        broken = program.violations(vector) + int(np.count_nonzero(array > n))
        label = "rule" if name == "winner" else f"{name} optimal rule"
        yield Check(f"{label} satisfies the program", broken == 0, f"{broken} rows or fixings broken")
        if name != "winner":
            value = program.value(vector)
            yield Check(f"{label} is worth as much", _close(record.value, value, program.scale), f"{value!r}")
    verdict = audit_mechanism(formulation.space.values, mechanism)
    yield Check("audit by definition", verdict.passed, verdict.explain())
    largest = float(np.abs(formulation.space.values).max(initial=0.0))
    yield _same_number("audit_worst_gain", record.audit_worst_gain, verdict.worst_gain, largest)
    yield _same_number(
        "audit_allowed_gain", record.audit_allowed_gain, allowed_gain(formulation.space.values), largest
    )


def _figures(record: Record, formulation: Formulation, mechanism: Mechanism) -> Iterator[Check]:
    recorded, program, space = record.to_dict(), formulation.program, formulation.space
    counted = {
        "states": space.states,
        "binaries": space.states * space.n,
        "variables": program.variables,
        "arcs": program.arcs,
    }
    scale = max(program.scale, abs(space.first_best), float(np.abs(space.values).mean()))
    for key, value in figures(formulation, mechanism).items():
        yield _same_number(key, recorded[key], value, 1.0 if key == "sold" else scale)
    for key, value in counted.items():
        yield Check(key, recorded[key] == value, f"recorded {recorded[key]!r}, recomputed {value!r}")
    yield Check("instance name", record.instance == space.instance.name, f"recorded {record.instance!r}")
    yield Check("status", record.status in list(Status), f"recorded {record.status!r}")


def _same_number(name: str, recorded: float | None, value: float, scale: float) -> Check:
    return Check(name, _close(recorded, value, scale), f"recorded {recorded!r}, recomputed {value!r}")


def _close(recorded: float | None, value: float, scale: float) -> bool:
    return recorded is not None and abs(recorded - value) <= WELFARE * scale


def _terms(saved: SavedRun, formulation: Formulation, mechanism: Mechanism) -> Iterator[Check]:
    for stem, expected in terms_columns(formulation.space, mechanism).items():
        for suffix in (".csv", ".parquet"):
            table = saved.terms.get(stem + suffix)
            same = table is not None and _same(table, expected)
            yield Check(stem + suffix, same, "the terms that the rule implies")


def _same(table: Columns, expected: Columns) -> bool:
    """Whether two tables agree: the same columns, the same text, numbers to the last digit written."""
    if list(table) != list(expected):
        return False
    return all(
        np.array_equal(table[name], column, equal_nan=column.dtype.kind == "f")
        for name, column in expected.items()
    )


def _bound(saved: SavedRun, formulation: Formulation) -> Iterator[Check]:
    """What the certificate proves, and how much of what the record claims rests on it."""
    record, program = saved.record, formulation.program
    proved = math.inf
    if saved.certificate is not None:
        report = check(program, saved.certificate, formulation.vector(saved.allocation))
        seen = "; ".join(report.reasons) or f"integer bound {report.integer_bound}"
        yield Check("certificate is valid", report.valid, seen)
        proved = report.upper_bound
        scale = saved.certificate.scale_exponent, saved.certificate.rounding
        recorded = record.scale_exponent, record.rounding
        yield Check(
            "scale and rounding", recorded == scale, f"recorded {recorded}, in the certificate {scale}"
        )
    missing = record.certified_upper_bound is None and math.isinf(proved)
    yield Check(
        "certified upper bound",
        missing or _close(record.certified_upper_bound, proved, program.scale),
        f"recorded {record.certified_upper_bound!r}, recomputed {proved!r}",
    )
    yield from _claims(record, program, proved)


def _claims(record: Record, program: Program, proved: float) -> Iterator[Check]:
    """The recorded bound, gap and status, against what is ``proved``."""
    optimal = record.status == Status.OPTIMAL
    if record.upper_bound is None:
        yield Check("upper bound", not optimal and record.gap is None, "none recorded")
        return
    slack = WELFARE * program.scale
    word = proved > record.upper_bound + slack
    said = f"{record.backend}'s word; proved: {proved!r}" if word else "proved"
    above = record.upper_bound >= record.value - slack
    yield Check("upper bound", above, f"{record.upper_bound!r}: {said}", proved=not word)
    gap = max(record.upper_bound - record.value, 0.0)
    yield _same_number("gap", record.gap, gap, program.scale)
    if optimal:
        # With one or two blocks the linear program is exact, so an optimal rule has a certificate.
        exact = program.n_blocks <= 2
        attained = proved - record.value <= slack
        claimed = gap <= slack and not exact
        detail = f"the rule attains {'the proved bound' if attained else 'the recorded bound'} to {gap:.3g}"
        yield Check("optimal", attained or claimed, detail, proved=attained)
