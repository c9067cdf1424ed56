"""What is worth saying of each kind of result, in figures and sentences: cards and pages are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

from expost._shown import Shown, apart, percent
from expost.brackets import Bracket
from expost.brackets.records import RIGOROUS
from expost.runs.checks import Verification
from expost.runs.compare import Comparison
from expost.runs.dominate import Dominance
from expost.runs.run import Run
from expost.runs.validate import Validation


@dataclass(frozen=True)
class Facts:
    """title and about: what was computed. figures: label, number, remark. proof: one sentence. next: what to try, as
    code and words. share: a part of a whole to draw, or None."""

    title: str
    about: str
    figures: tuple[tuple[str, str, str], ...]
    proof: str
    next: tuple[tuple[str, str], ...] = ()
    share: float | None = None


@singledispatch
def facts(result: Shown) -> Facts:
    """What to say of ``result``."""
    head, *rest = result.summary().splitlines() or [type(result).__name__]
    return Facts(head, type(result).__name__, (), " ".join(line.strip() for line in rest))


@facts.register
def _(run: Run) -> Facts:
    record = run.record
    first = f", {', '.join(record.first)} first" if record.first else ""
    title = f"{record.instance}: {record.timing}{first}"
    about = (
        f"grid {run.settings.grid.describe()}, {record.states:,} states, {record.binaries:,} binaries; "
        f"solved by {record.backend} in {record.seconds['total']:.2f} s"
    )
    share = "" if run.share is None else f"{run.share:.2%} of the first-best gain"
    best = "second best" if record.objective == "welfare" else "welfare of the rule"
    figures = [
        ("first best", number(run.first_best), "if nobody could lie"),
        (best, number(run.welfare), share),
        ("upper bound", number(run.upper_bound), f"gap {run.gap:.2g}"),
        ("probability of sale", f"{run.sold:.4f}", ""),
        ("revenue", number(run.revenue), ""),
    ]
    if record.objective != "welfare":
        figures.insert(2, ("objective", number(run.value), str(record.objective)))
    terms = "prices" if run.prices else "menus"
    buyer = next(iter(run.prices or run.menus or {"": None}))
    return Facts(
        title,
        about,
        tuple(figures),
        proof_of(run),
        (
            ("run.plot()", "who wins where, and at what price"),
            (f"run.{terms}[{buyer!r}]", "the terms of a buyer"),
            ('run.page("page.html")', "a page to explore"),
            (f"ex.bracket({record.instance!r})", "the continuum, which a grid flatters"),
        ),
        run.share,
    )


def proof_of(run: Run) -> str:
    """In one sentence, what is proved."""
    record = run.record
    if record.certified_upper_bound is not None and run.status == "optimal":
        how = (
            "an integer certificate, which anybody can re-check without a solver, proves that no rule on this grid "
            "does better"
        )
    elif run.upper_bound < float("inf"):
        how = f"{record.backend} bounds every rule on this grid by {number(run.upper_bound)}"
    else:
        how = "nothing bounds the other rules on this grid"
    return (
        f"Status {run.status}: {how}; the audit by definition finds no deviation that gains more than "
        f"{record.audit_worst_gain:.2g}."
    )


@facts.register
def _(bracket: Bracket) -> Facts:
    first = f", {', '.join(bracket.first)} first" if bracket.first else ""
    figures = [
        (word, number(bound.value, apart(bracket.width)), f"{bound.method} ({bound.kind})")
        for word, bound in (("at least", bracket.lower), ("at most", bracket.upper))
    ]
    figures.append(("width", number(bracket.width), f"{percent(bracket.relative_width)} of the upper end"))
    figures += [("estimate, not a bound", number(e.value), e.method) for e in bracket.estimates]
    sure = bracket.lower.kind == bracket.upper.kind == RIGOROUS
    proof = (
        "Both bounds are rigorous."
        if sure
        else f"The statistical bounds hold together with confidence {bracket.confidence:.2%} (seed {bracket.seed})."
    )
    if bracket.left_out:
        proof += f" Left out: {'; '.join(bracket.left_out)}."
    return Facts(
        f"{bracket.instance}: {bracket.timing}{first}, the continuum's second best",
        f"{bracket.seconds:.1f} s; accuracy {percent(bracket.accuracy)} asked, "
        f"{'reached' if bracket.reached else 'not reached'}",
        tuple(figures),
        proof,
        (("b.plot()", "how both bounds closed in"), ("b.mechanism", "what attains the lower bound")),
    )


@facts.register
def _(comparison: Comparison) -> Facts:
    figures = [("first best", number(comparison.first_best), "if nobody could lie")]
    for row in (*comparison.rows[1:], *comparison.constructions):
        if row.welfare is not None:
            share = "" if row.share is None else f"{row.share:.2%}"
            figures.append((row.name, number(row.welfare), share))
    figures += [
        (
            f"continuum, {b.timing}",
            f"{number(b.lower.value, apart(b.width))} to {number(b.upper.value, apart(b.width))}",
            percent(b.relative_width),
        )
        for b in comparison.brackets
    ]
    return Facts(
        f"{comparison.instance}: everything there is to compare",
        f"grid {comparison.grid}; never selling is worth {number(comparison.no_sale)}",
        tuple(figures),
        "Every rule was audited by definition on this grid; grid figures flatter the continuum.",
        (("c.table", "all columns"), ("c.plot()", "on one scale"), ("c.to_latex()", "for a paper")),
    )


@facts.register
def _(found: Dominance) -> Facts:
    words = {True: "constrained efficient on this grid", False: "dominated on this grid", None: "undecided"}
    verdict = words[found.constrained_efficient]
    figures = (
        ("welfare", number(found.welfare), found.mechanism),
        ("dominating rule", number(found.dominating_welfare), f"better in {found.found.improved:,} states"),
        ("gain", number(found.gain), f"no rule gains more than {number(found.gain_bound)}"),
    )
    return Facts(
        f"{found.mechanism} on {found.instance}: {verdict}",
        f"grid {found.grid}, {found.space.states:,} states; {found.citation}",
        figures,
        f"The dominating rule is nowhere worse and was audited by definition; status {found.status}.",
        (("d.plot()", "where it gains"), ("d.dominating", "the dominating mechanism")),
    )


@facts.register
def _(found: Verification) -> Facts:
    failed = [check.name for check in found.checks if not check.passed]
    counted = (("checks", str(len(found.checks)), ""), ("failed", str(len(failed)), ", ".join(failed)))
    return Facts(found.of, "re-checked without any solver", counted, "Passed." if found.passed else "FAILED.")


@facts.register
def _(found: Validation) -> Facts:
    counts = tuple((str(outcome), str(count), "") for outcome, count in found.counts.items())
    good = "No verdict is bad." if found.good else "A verdict is bad."
    return Facts("The papers' claims, computed", f"{len(found.verdicts)} verdicts", counts, good)


def number(value: float, decimals: int = 6) -> str:
    """Six decimals or as many as are asked for, or six digits where these would hide it."""
    return f"{value:.{decimals}f}" if value == 0.0 or 1e-3 <= abs(value) < 1e9 else f"{value:.6g}"
