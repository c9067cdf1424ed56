"""The verdicts as a table for people and as data for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from expost.papers.verdict import Outcome, Verdict

COLOURS = {Outcome.CONFIRMED: "green", Outcome.NOT_CLAIMED: "yellow", Outcome.REFUTED: "red"}


def verdict_table(verdicts: Sequence[Verdict], *, details: bool = False) -> Any:
    """A ``rich`` table, a row per verdict; ``details`` adds notes, failed hypotheses and violating states."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title="The papers' claims, computed", show_lines=details)
    for name in ("claim", "instance", "computed", "", "theory", "verdict"):
        table.add_column(name, justify="right" if name in ("computed", "theory") else "left")
    if details:
        table.add_column("what was seen", overflow="fold")
    for verdict in verdicts:
        cells = [
            verdict.citation,
            verdict.instance,
            f"{verdict.computed:.7g}",
            verdict.relation.value,
            f"{verdict.theoretical:.7g}",
        ]
        coloured = Text(verdict.outcome.value, style=COLOURS[verdict.outcome])
        table.add_row(
            *(Text(cell) for cell in cells), coloured, *([Text(details_of(verdict))] if details else [])
        )
    return table


def details_of(verdict: Verdict) -> str:
    """What was computed, what failed and where, in one paragraph."""
    parts = [verdict.quantity]
    for hypothesis in verdict.hypotheses:
        if not hypothesis.holds:
            where = f" ({hypothesis.where})" if hypothesis.where else ""
            parts.append(f"hypothesis violated: {hypothesis.name}, by {hypothesis.residual:.4g}{where}")
    if not verdict.hypotheses_hold:
        parts.append(f"conclusion {'holds all the same' if verdict.conclusion_holds else 'fails'}")
    parts += [text for text in (verdict.violation, verdict.note) if text]
    return "; ".join(parts)
