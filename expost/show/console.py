"""Tables for people, on standard output."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from expost._shown import apart, percent
from expost.tolerances import WELFARE, allowance

if TYPE_CHECKING:
    from expost.brackets import Bracket
    from expost.instances.catalogue import Entry
    from expost.runs.checks import Check, Verification
    from expost.runs.compare import Comparison, Row
    from expost.runs.dominate import Dominance
    from expost.runs.record import Record
    from expost.runs.validate import Validation


WIDTH = 100
NARROW = 76
"""Columns of a terminal below which a comparison has fewer decimals."""


def console() -> Console:
    """A console for standard output: as wide as the terminal, or wide enough for every table when there is none."""
    return (
        Console(highlight=False, markup=False)
        if sys.stdout.isatty()
        else Console(highlight=False, markup=False, width=WIDTH, soft_wrap=True)
    )


def result_table(record: Record, folder: Path | None) -> None:
    """The figures of a solved run."""
    table = Table(
        box=box.SIMPLE_HEAD,
        show_header=True,
        pad_edge=False,
        title=Text(_title(record)),
        title_justify="left",
        title_style="bold",
    )
    table.add_column("on this grid", no_wrap=True)
    table.add_column("expected value", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for row in _rows(record):
        table.add_row(*row)
    out = console()
    out.print(table)
    for line in _notes(record, folder):
        out.print(Text(line))


def _title(record: Record) -> str:
    grid = (
        record.grid if isinstance(record.grid, int) else ",".join(f"{k}={v}" for k, v in record.grid.items())
    )
    first = f", first {','.join(record.first)}" if record.first else ""
    size = f"{record.states:,} states, {record.binaries:,} binaries"
    return f"{record.instance}: {record.timing}{first}, {grid} points per signal ({size})"


def _rows(record: Record) -> list[tuple[str, str, str]]:
    share = _share(record)
    best = "second best" if record.restrict is None else "best conditionally efficient"
    if record.symmetric:
        best = "best symmetric rule"
    if record.status != "optimal":
        best = "best rule found"
    if record.objective != "welfare":
        best = "welfare of the rule"
    rows = [
        ("first best", figure(record.first_best), "if nobody could lie"),
        (best, figure(record.welfare), f"{share} of the first-best gain"),
    ]
    if record.objective != "welfare":
        rows.append(("objective", figure(record.value), _objective(record)))
    rows += [
        (
            "certified bound" if _is_proved(record) else "upper bound",
            _bound(record),
            _gap(record),
        ),
        *_unrestricted(record),
        ("probability of sale", f"{record.sold:.6f}", ""),
        (
            "revenue",
            figure(record.revenue),
            "at the highest prices" if record.objective != "welfare" else _terms(record),
        ),
    ]
    return rows


def _unrestricted(record: Record) -> list[tuple[str, str, str]]:
    """What symmetry costs, for a rule that treats exchangeable buyers alike."""
    bound, cost = (record.details.get(name) for name in ("unrestricted_bound", "cost_of_symmetry"))
    if bound is None or cost is None:
        return []
    return [("unrestricted bound", figure(bound), f"symmetry costs at most {cost:.6f} on this grid")]


def _is_proved(record: Record) -> bool:
    """Whether the certificate proves the upper bound, to the last digits of a sum."""
    if record.certified_upper_bound is None or record.upper_bound is None:
        return False
    digits = allowance(WELFARE, record.upper_bound, record.first_best)
    return record.certified_upper_bound <= record.upper_bound + digits


def figure(value: float) -> str:
    """An expected value in six decimals, or six digits where these would hide it."""
    return f"{value:.6f}" if value == 0.0 or abs(value) >= 1e-3 else f"{value:.5e}"


def _objective(record: Record) -> str:
    if isinstance(record.objective, str):
        return record.objective
    return f"{record.objective:g} welfare + {1 - record.objective:g} revenue"


def _terms(record: Record) -> str:
    return (
        "at the middle of the implementing prices"
        if record.timing == "static"
        else "at the seller's best fees"
    )


def _share(record: Record) -> str:
    return "all" if record.share is None else f"{record.share:.2%}"


def _bound(record: Record) -> str:
    return "none" if record.upper_bound is None else figure(record.upper_bound)


def _gap(record: Record) -> str:
    return f"{record.status}" if record.gap is None else f"{record.status}, gap {record.gap:.2g}"


def _notes(record: Record, folder: Path | None) -> list[str]:
    seconds = ", ".join(
        f"{phase} {spent:.2f} s" for phase, spent in record.seconds.items() if phase != "total"
    )
    lines = [
        f"  {record.backend}: {record.seconds['total']:.2f} s ({seconds}), {record.peak_memory_mb:.0f} MB",
        f"  audit by definition: no deviation gains more than {record.audit_worst_gain:.2g}",
        "  These are figures of the finite grid, which is easier than the continuum: see `expost bracket`.",
    ]
    if folder is not None:
        lines.append(f"  written to {folder}; re-check it with: expost verify {folder}")
    return lines


def checks_table(found: Verification) -> None:
    """The checks of a run."""
    checks = found.checks
    table = Table(box=box.SIMPLE_HEAD, title=Text(found.of), title_justify="left", title_style="bold")
    table.add_column("check")
    table.add_column("")
    table.add_column("seen", overflow="fold")
    for check in checks:
        table.add_row(Text(check.name), _verdict(check), Text(check.detail))
    out = console()
    out.print(table)
    failed = sum(not check.passed for check in checks)
    unproved = sum(check.passed and not check.proved for check in checks)
    out.print(f"  {len(checks)} checks, {failed} failed" + (f", {unproved} not proved" if unproved else ""))


def _verdict(check: Check) -> str:
    if not check.passed:
        return "FAILED"
    return "ok" if check.proved else "not proved"


def lines_table(title: str, rows: Sequence[tuple[str, str, str]]) -> None:
    """Answers, one a line: what was asked, the answer, what was seen."""
    table = Table(box=box.SIMPLE_HEAD, title=Text(title), title_justify="left", title_style="bold")
    for name, justify in (("", "left"), ("", "right"), ("seen", "left")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)


def catalogue_table(entries: Sequence[Entry]) -> None:
    """The catalogue of instances."""
    table = Table(box=box.SIMPLE_HEAD, show_header=False, padding=(0, 1, 1, 1))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for entry in entries:
        signals = "; ".join(", ".join(own) for own in entry.signals)
        about = f"{entry.description} (signals {signals})"
        table.add_row(entry.name, Text.assemble(about, "\n", (entry.citation, "dim")))
    console().print(table)


def dominance_table(verdict: Dominance) -> None:
    """Whether a mechanism is constrained efficient on a grid, and what beats it."""
    found = verdict.found
    title = (
        f"{verdict.mechanism} on {verdict.instance}, grid {verdict.grid} ({verdict.space.states:,} states)"
    )
    table = Table(box=box.SIMPLE_HEAD, title=Text(title), title_justify="left", title_style="bold")
    for name, justify in (("", "left"), ("expected value", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_row("welfare", f"{found.welfare:.6f}")
    table.add_row("welfare of the dominating rule", f"{found.dominating_welfare:.6f}")
    table.add_row("gain", f"{found.gain:.6f}")
    out = console()
    out.print(table)
    words = {True: "constrained efficient on this grid: proved", None: "undecided: a limit came first"}
    answer = words.get(
        found.constrained_efficient, f"dominated: {found.improved:,} states improve, none suffers"
    )
    out.print(Text(f"  {answer} ({found.backend}, {found.status})"))
    if found.example is not None:
        at = ", ".join(
            f"{name} = {value:.4g}" for name, value in verdict.space.signals_at(found.example).items()
        )
        out.print(Text(f"  the largest improvement, {found.example_gain:.6f}, is at {at}"))


def comparison_table(comparison: Comparison) -> None:
    """Second bests side by side, then the constructions; what was refused, and why, below."""
    out = console()
    narrow = out.width < NARROW
    title = f"{comparison.instance}, grid {comparison.grid}; never selling is worth {comparison.no_sale:.6g}"
    table = _figure_table(title, narrow, "proved")
    for row in comparison.rows:
        table.add_row(*_comparison_cells(row, narrow), _proved(row, narrow))
    out.print(table)
    made = [row for row in comparison.constructions if not row.note]
    if made:
        table = _figure_table("constructions of the papers on this grid", narrow, "beaten by", "c. eff.")
        for row in made:
            beaten = "undecided" if row.dominated_by is None else f"{row.dominated_by:.4g}"
            efficient = {True: "yes", False: "no", None: ""}[row.conditionally_efficient]
            table.add_row(*_comparison_cells(row, narrow), beaten, efficient)
        out.print(table)
    if comparison.brackets:
        out.print(_brackets_table(comparison))
    for row in (*comparison.rows, *comparison.constructions):
        if row.note:
            out.print(Text(f"  {short_name(row.name)}: {row.note}"))
    if any(any(row.first) for row in comparison.rows):
        out.print(Text("  SIGNALS first: sequential timing, these signals known at the first stage"))
    if made:
        words = "beaten by: what a rule that is nowhere worse gains; c. eff.: only the highest gain ever wins"
        out.print(Text(f"  {words}"))
    if comparison.no_bracket:
        out.print(Text(f"  no bracket of the continuum: {comparison.no_bracket}"))


def _proved(row: Row, narrow: bool) -> str:
    """The status; the bound where it says more."""
    if row.welfare is None or row.upper_bound is None or row.gap is None or row.gap <= 5e-7:
        return row.status
    return f"at most {row.upper_bound:.{4 if narrow else 6}f}"


def _brackets_table(comparison: Comparison) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title="the continuum", title_justify="left", title_style="bold")
    for name, justify in (("", "left"), ("at least", "right"), ("at most", "right"), ("width", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for found in comparison.brackets:
        name = f"{found.timing} second best"
        lower, upper = (f"{side.value:.{apart(found.width)}f}" for side in (found.lower, found.upper))
        table.add_row(name, lower, upper, percent(found.relative_width))
    return table


def _figure_table(title: str, narrow: bool, *further: str) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        title=Text(title),
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        padding=(0, 0) if narrow else (0, 1),
    )
    table.add_column("", overflow="fold")
    for name in ("welfare", "share", "revenue", "sold"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in further:
        table.add_column(name, justify="left" if name == "proved" else "right", no_wrap=True)
    return table


def _comparison_cells(row: Row, narrow: bool) -> tuple[str | Text, ...]:
    share = "" if row.share is None else f"{row.share:.{1 if narrow else 2}%}"
    welfare, *rest = (
        "" if value is None else f"{value:.{4 if narrow else 6}f}"
        for value in (row.welfare, row.revenue, row.sold)
    )
    return Text(short_name(row.name)), welfare, share, *rest


def short_name(name: str) -> str:
    """``static second best`` is ``static`` and ``sequential second best, c1, c2 first`` is ``c1, c2 first``."""
    return name.removeprefix("sequential second best, ").replace("static second best", "static")


def bracket_table(found: Bracket, folder: Path | None) -> None:
    """Both sides of a bracket, what produced them, and what is only an estimate."""
    from expost.brackets.records import RIGOROUS

    first = f", first {','.join(found.first)}" if found.first else ""
    title = f"{found.instance}: {found.timing}{first}, the continuum's second best"
    table = Table(box=box.SIMPLE_HEAD, title=Text(title), title_justify="left", title_style="bold")
    table.add_column("")
    table.add_column("expected value", justify="right")
    table.add_column("by")
    table.add_column("")
    for name, bound in (("at most", found.upper), ("at least", found.lower)):
        certainty = (
            bound.kind if bound.kind == RIGOROUS else f"{bound.kind}, error {bound.error:.1g} included"
        )
        table.add_row(name, f"{bound.value:.{apart(found.width)}f}", Text(bound.method), certainty)
    out = console()
    out.print(table)
    goal = "reached" if found.reached else "not reached"
    out.print(
        Text(
            f"  width {percent(found.relative_width)} of the upper end; asked {percent(found.accuracy)}: {goal}; "
            f"{found.seconds:.1f} s, {found.peak_memory_mb:.0f} MB"
        )
    )
    if not found.lower.kind == found.upper.kind == RIGOROUS:
        out.print(
            Text(
                f"  statistical sides hold together with confidence {found.confidence:.2%} (seed {found.seed})"
            )
        )
    for estimate in found.estimates:
        out.print(Text(f"  estimate, not a bound: {estimate.value:.6f} ({estimate.method})"))
    for reason in found.left_out:
        out.print(Text(f"  left out: {reason}"))
    if folder is not None:
        out.print(Text(f"  written to {folder}; re-check it on fresh samples with: expost verify {folder}"))


def verdicts_table(found: Validation, *, details: bool) -> None:
    """What was seen of every claim."""
    from expost.show.verdicts import verdict_table

    out = console()
    told = details or found.instance is not None
    out.print(verdict_table(found.verdicts, details=told, instance=found.instance))
    out.print("  " + ", ".join(f"{count} {outcome}" for outcome, count in found.counts.items()))
