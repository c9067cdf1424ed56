"""Re-checking a saved run without any solver: files, figures, audit by definition, certificate.

The type space and the program are rebuilt from the instance and the settings alone. Then the rule is audited, every
figure is recomputed, the terms are compared with those that the rule implies, and the certificate's bound is
recomputed in integers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from expost.errors import ExpostError
from expost.files import is_regular
from expost.instances.functions import function_names
from expost.mechanisms.audit import allowed_gain
from expost.mechanisms.export.csv_files import Columns
from expost.runs.answers import Answer, figure_checks, file_checks, is_answer, read_answer, table_checks
from expost.runs.arguments import InstanceLike, given_again, nothing_given, path_of
from expost.runs.checks import Check, Verification
from expost.runs.folder import FILES, RESULT, digest, read_result, read_run
from expost.runs.record import Record
from expost.runs.solved import Solved, figures
from expost.runs.tables import read_terms, terms_columns
from expost.solver.answers import slack as agreement
from expost.solver.certificate import check
from expost.solver.program import Program
from expost.solver.result import Status
from expost.tolerances import WELFARE

UNCHECKED = ("backend", "details", "seconds", "peak_memory_mb", "expost")
"""What a record says of how it was made, which nothing in it can confirm."""


def verify(run: Solved | str | Path, *, instance: InstanceLike | None = None) -> Verification:
    """Every check of a run, or of what a folder holds, in order; a check that cannot be made ends the list as failed.

    The folder of an answer with lotteries, several items or epsilon is checked alike. A bracket's is checked too: its
    arithmetic, and both sides on fresh samples. Nothing is solved or searched.
    instance: the same instance again, for the folder of a bracket whose values are Python functions: without it
    nothing is checked there that needs them, and the list says so.
    Raises InputError when the folder is not a run at all; the check fails when the instance is another one.
    """
    if isinstance(run, Solved):
        nothing_given(instance)
        return Verification(run.instance.name, tuple(_readable(_run_checks(run))))
    folder = path_of(run, "run")
    if is_answer(folder):
        nothing_given(instance)
        return Verification(str(folder), tuple(_readable(_answer_checks(read_answer(folder)))))
    from expost.brackets.saved import RECORD  # late: whoever solves on a grid needs nothing of the continuum
    from expost.brackets.verification import bracket_checks

    if is_regular(folder / RECORD):
        checks = bracket_checks(folder, instance=given_again(instance))
        found = (Check(one.name, one.passed, one.detail, one.proved) for one in checks)
        return Verification(str(folder), tuple(_readable(found)))
    nothing_given(instance)
    read_result(folder)
    return Verification(str(folder), tuple(_readable(_folder_checks(folder))))


def _readable(checks: Iterator[Check]) -> Iterator[Check]:
    try:
        yield from checks
    except ExpostError as error:
        yield Check("readable", False, str(error))


def _answer_checks(answer: Answer) -> Iterator[Check]:
    """Of lotteries, several items, epsilon or the Bayesian benchmark; opening audits the mechanism by definition."""
    from expost.runs.kinds import open_answer

    yield from file_checks(answer)
    found = open_answer(answer)
    yield Check("audit by definition", True, found.audited())
    yield from figure_checks(answer.record, found.to_dict(), found.scale)
    yield from found.bound_checks(answer.record)
    yield from table_checks(answer.folder, found.tables())


def _folder_checks(folder: Path) -> Iterator[Check]:
    yield from _digests(folder)
    run = read_run(folder)
    yield from _run_checks(run)
    yield from _terms(run, folder)


def _run_checks(run: Solved) -> Iterator[Check]:
    yield from _rule(run)
    yield from _figures(run)
    yield from _bound(run)
    yield Check("not recomputed", True, ", ".join(UNCHECKED), proved=False)
    if run.record.sampled:
        detail = f"{', '.join(run.record.sampled)}: Python functions, taken as sampled on the grid"
        yield Check("sampled values", True, detail, proved=False)


def _digests(folder: Path) -> Iterator[Check]:
    recorded = read_result(folder)[1]
    present = {path.name for path in folder.iterdir()} - {RESULT}
    for name, value in sorted(recorded.items()):
        if name not in present:
            yield Check(f"file {name}", False, "missing")
        elif not (folder / name).is_file() or digest(folder / name) != value:
            yield Check(f"file {name}", False, "its bytes are not those that were written")
    strange = sorted(present ^ set(recorded))
    foreign = sorted(present - FILES)
    yield Check(
        "files",
        not (strange or foreign),
        f"{len(recorded)} recorded; not both there and recorded: {_few(strange)}; not of a run: {_few(foreign)}",
    )


def _few(names: list[str]) -> str:
    return ascii(", ".join(names))[1:-1][:200] or "none"


def _rule(run: Solved) -> Iterator[Check]:
    formulation, record = run.formulation, run.record
    program = formulation.program
    for name, rule in {"winner": run.mechanism.allocation, **run.extremes}.items():
        vector = formulation.vector(rule)
        broken = program.violations(vector)
        label = "rule" if name == "winner" else f"{name} optimal rule"
        yield Check(f"{label} satisfies the program", broken == 0, f"{broken} rows or fixings broken")
        if name != "winner":
            value = program.value(vector)
            yield Check(f"{label} is worth as much", _close(record.value, value, program.scale), f"{value!r}")
    yield from _nested(run)
    verdict = run.audit
    yield Check("audit by definition", verdict.passed, verdict.explain())
    largest = float(np.abs(formulation.space.values).max(initial=0.0))
    yield _same_number("audit_worst_gain", record.audit_worst_gain, verdict.worst_gain, largest)
    yield _same_number(
        "audit_allowed_gain", record.audit_allowed_gain, allowed_gain(formulation.space.values), largest
    )


def _nested(run: Solved) -> Iterator[Check]:
    """The smallest optimal closure takes every decision that any optimal one takes, the largest only those."""
    if set(run.extremes) != {"smallest", "largest"}:
        if run.extremes:
            yield Check("extreme rules", False, f"{', '.join(run.extremes)} without the other")
        return
    chain = [run.extremes["smallest"], run.mechanism.allocation, run.extremes["largest"]]
    outside = sum(
        int(np.count_nonzero(low[0] & ~high[0])) + int(np.count_nonzero(high[1:] & ~low[1:]))
        for low, high in pairwise(chain)
    )  # the smallest closure has the fewest wins of buyer 1 and the most of buyer 2
    yield Check("extreme rules nest", outside == 0, f"{outside} states where they do not")


def _figures(run: Solved) -> Iterator[Check]:
    record, formulation, mechanism, settings = run.record, run.formulation, run.mechanism, run.settings
    recorded, program, space = record.to_dict(), formulation.program, formulation.space
    counted = {
        "states": space.states,
        "binaries": space.states * space.n,
        "variables": program.variables,
        "arcs": program.arcs,
    }
    scale = max(program.scale, abs(space.first_best), float(np.abs(space.values).mean()))
    for key, value in figures(formulation, mechanism).items():
        if key == "share" and record.schema < 2:
            continue
        if value is None:
            yield Check(key, recorded[key] is None, f"recorded {recorded[key]!r}, there is none")
        else:
            yield _same_number(key, recorded[key], value, 1.0 if key in ("sold", "share") else scale)
    for key, value in (counted | settings.to_json() | {"sampled": function_names(space.instance)}).items():
        yield Check(key, recorded[key] == value, f"recorded {recorded[key]!r}, recomputed {value!r}")
    yield Check("instance name", record.instance == space.instance.name, f"recorded {record.instance!r}")
    known = record.status in list(Status) and record.status not in (Status.INFEASIBLE, Status.UNKNOWN)
    yield Check("status", known, f"recorded {record.status!r}", proved=record.status == Status.OPTIMAL)


def _same_number(name: str, recorded: float | None, value: float, scale: float) -> Check:
    return Check(name, _close(recorded, value, scale), f"recorded {recorded!r}, recomputed {value!r}")


def _close(recorded: float | None, value: float, scale: float) -> bool:
    return recorded is not None and abs(recorded - value) <= WELFARE * scale


def _terms(run: Solved, folder: Path) -> Iterator[Check]:
    expected = terms_columns(run.space, run.mechanism)
    saved = read_terms(folder, expected)
    for stem, columns in expected.items():
        for name in (f"{stem}.csv", f"{stem}.parquet"):
            if name in saved or name.endswith(".csv"):  # Parquet is written only where pyarrow is installed
                same = name in saved and _same(saved[name], columns)
                yield Check(name, same, "the terms that the rule implies")
            elif (folder / name).exists():
                yield Check(name, True, "not read: pyarrow is not installed", proved=False)


def _same(table: Columns, expected: Columns) -> bool:
    """Whether two tables agree: the same columns, the same text, numbers to the last digit written."""
    if list(table) != list(expected):
        return False
    return all(
        np.array_equal(table[name], column, equal_nan=column.dtype.kind == "f")
        for name, column in expected.items()
    )


def _bound(run: Solved) -> Iterator[Check]:
    """What the certificate proves, and how much of what the record claims rests on it."""
    record, formulation, program = run.record, run.formulation, run.formulation.program
    proved = math.inf
    if run.certificate is not None:
        report = check(program, run.certificate, formulation.vector(run.mechanism.allocation))
        seen = "; ".join(report.reasons) or f"integer bound {report.integer_bound}"
        yield Check("certificate is valid", report.valid, seen)
        proved = report.upper_bound
        scale = run.certificate.scale_exponent, run.certificate.rounding
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
    slack = agreement(program)
    word = proved > record.upper_bound + slack
    said = f"{record.backend}'s word; proved: {proved!r}" if word else "proved"
    above = record.upper_bound >= record.value - slack
    yield Check("upper bound", above, f"{record.upper_bound!r}: {said}", proved=not word)
    gap = max(record.upper_bound - record.value, 0.0)
    yield _same_number("gap", record.gap, gap, program.scale)
    if record.upper_bound > proved + slack:
        yield Check(
            "upper bound is the proved one", False, f"recorded {record.upper_bound!r}, proved {proved!r}"
        )
    if optimal:
        # With one or two blocks the linear program is exact, so an optimal rule has a certificate.
        exact = program.n_blocks <= 2
        attained = proved - record.value <= slack
        claimed = not exact
        detail = f"the rule attains {'the proved bound' if attained else 'the recorded bound'} to {gap:.3g}"
        yield Check("optimal", gap <= slack and (attained or claimed), detail, proved=attained)
