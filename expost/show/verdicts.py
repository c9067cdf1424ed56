"""The verdicts as a table for people and as data for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from expost.papers.verdict import Outcome, Verdict

COLOURS = {
    Outcome.CONFIRMED: "green",
    Outcome.NOT_CLAIMED: "yellow",
    Outcome.REFUTED: "red",
    Outcome.UNDECIDED: "magenta",
}


def verdict_table(verdicts: Sequence[Verdict], *, details: bool = False, instance: str | None = None) -> Any:
    """A ``rich`` table, a row per verdict; ``details`` adds notes, failed hypotheses and violating states. With the
    name of an ``instance`` the verdicts say whether each claim applies to it."""
    from rich.table import Table
    from rich.text import Text

    title = "The papers' claims, computed" if instance is None else f"The papers' claims on {instance}"
    table = Table(title=Text(title), show_lines=details)
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
        word = verdict.outcome.value if instance is None else verdict.outcome.applied
        coloured = Text(word, style=COLOURS[verdict.outcome])
        table.add_row(
            *(Text(cell) for cell in cells), coloured, *([Text(details_of(verdict))] if details else [])
        )
    return table


def details_of(verdict: Verdict) -> str:
    """What was computed; the hypotheses that fail, with residuals and places; where the conclusion fails."""
    parts = [verdict.quantity]
    for hypothesis in verdict.hypotheses:
        if not hypothesis.holds:
            where = f" ({hypothesis.where})" if hypothesis.where else ""
            parts.append(
                f"hypothesis violated: {hypothesis.name}, residual {hypothesis.residual:.4g}, "
                f"allowed {hypothesis.allowed:.4g}{where}"
            )
    if not verdict.hypotheses_hold:
        parts.append(f"conclusion {'holds all the same' if verdict.conclusion_holds else 'fails'}")
    parts += [text for text in (verdict.violation, verdict.note) if text]
    return "; ".join(parts)
