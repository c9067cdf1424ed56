"""What is worth saying of a mechanism of one's own, of lotteries, benchmarks, frontiers and explanations."""

from __future__ import annotations

from expost._shown import percent
from expost.runs.bayesian import Bayesian
from expost.runs.check import CheckReport
from expost.runs.epsilon import EpsilonFrontier
from expost.runs.explain import Explanation
from expost.runs.fit import Fit
from expost.runs.frontier import Frontier
from expost.runs.items import ItemsRun
from expost.runs.lotteries import LotteryRun
from expost.runs.lottery_bracket import LotteryBracket
from expost.runs.simplify import Simplification
from expost.show.facts import Facts, facts, number

__all__ = ["facts"]


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.2%} of the first-best gain"


@facts.register
def _(found: CheckReport) -> Facts:
    words = {True: "admissible", False: "not admissible", None: "admissible on the grid?"}
    figures: list[tuple[str, str, str]] = []
    if found.welfare is not None:
        error = "" if found.error is None else f"± {found.error:.2g} (99%)"
        figures.append(("welfare", number(found.welfare), error))
        figures.append(
            ("share", "" if found.share is None else f"{found.share:.2%}", "of the first-best gain")
        )
    if found.revenue is not None:
        figures.append(("revenue", number(found.revenue), ""))
    if found.upper_bound is not None:
        share = "" if found.share_of_bound is None else f"{found.share_of_bound:.2%} of it attained"
        figures.append(("no mechanism has more than", number(found.upper_bound), share))
    if found.dominated_gain is not None:
        figures.append(
            ("dominated on the grid by", number(found.dominated_gain), "at least as good in every state")
        )
    proof = found.explanation if found.admissible is False else found.summary().splitlines()[0]
    return Facts(
        f"{found.mechanism} on {found.instance}: {words[found.admissible]}",
        f"{found.timing}; incentive compatible by construction, admissibility {found.how}",
        tuple(figures),
        proof,
        (("ex.fit(...)", "the best parameters"), ("ex.dominate(...)", "what beats it")),
        found.share,
    )


@facts.register
def _(found: Fit) -> Facts:
    report = facts(found.report)
    chosen = tuple(
        (name, f"{value:.6g}", "of {:g} to {:g}".format(*found.over[name]))
        for name, value in found.parameters.items()
    )
    return Facts(
        f"{found.mechanism.name} fitted to {found.instance}",
        f"{found.evaluations:,} mechanisms compared, seed {found.seed}",
        (*chosen, *report.figures),
        report.proof,
        (("found.mechanism", "the fitted prices"), ("ex.dominate(...)", "what beats them")),
        found.share,
    )


@facts.register
def _(found: Simplification) -> Facts:
    rows = [
        (
            "1 term" if one.terms == 1 else f"{one.terms} terms",
            number(one.welfare),
            "; ".join(f"{buyer}: {text}" for buyer, text in one.formulas().items()),
        )
        for one in found.mechanisms
    ]
    figures = (("to be simplified", number(found.welfare), found.of), *rows)
    most = max((one.terms for one in found.mechanisms), default=1)
    return Facts(
        f"{found.instance}: simple prices",
        "welfare by number of terms",
        figures,
        "Each was checked by sampling for states with two winners.",
        ((f"s.best({most})", "the mechanism with the most terms"), ("s.table", "all columns")),
    )


@facts.register
def _(found: Bayesian) -> Facts:
    figures = (
        ("first best", number(found.first_best), "if nobody could lie"),
        (
            "Bayesian second best",
            number(found.welfare),
            f"private information costs {found.private_information:.6f}",
        ),
        ("ex post second best", number(found.ex_post), f"robustness costs {found.robustness:.6f}"),
        ("revenue", number(found.revenue), f"participation {found.participation}"),
    )
    return Facts(
        f"{found.instance.name}: privacy or robustness",
        f"grid {found.grid}, static; incentives in expectation, then whatever the others know",
        figures,
        f"Status {found.status}: the multipliers prove that no Bayesian mechanism on this grid has more than "
        f"{number(found.upper_bound)}.",
        (
            ("found.plot()", "what the two cost"),
            ("found.payments", "what each type pays"),
            ("ex.compare(..., bayesian=True)", "beside everything else"),
        ),
    )


@facts.register
def _(run: LotteryRun) -> Facts:
    first = f", {', '.join(run.settings.first)} first" if run.settings.first else ""
    figures = (
        ("first best", number(run.first_best), "if nobody could lie"),
        ("second best, lotteries too", number(run.welfare), _percent(run.share)),
        ("upper bound", number(run.upper_bound), f"gap {run.gap:.2g}"),
        ("probability of sale", f"{run.sold:.4f}", ""),
        ("revenue", number(run.revenue), "at the largest fees"),
    )
    buyer = run.instance.buyers[0].name
    return Facts(
        f"{run.instance.name}: lotteries, {run.settings.timing}{first}",
        f"grid {run.settings.grid.describe()}, {run.second_best.space.states:,} states",
        figures,
        f"Status {run.status}: the bound is recomputed from the multipliers; the audit by definition finds no strategy "
        f"that gains more than {run.audit.worst_gain:.2g}.",
        (("run.plot()", "the lotteries over strikes"), (f"run.menus[{buyer!r}]", "the menu of a buyer")),
        run.share,
    )


@facts.register
def _(found: LotteryBracket) -> Facts:
    figures = [
        (word, number(bound.value), f"{bound.method} ({bound.kind})")
        for word, bound in (("at least", found.lower), ("at most", found.upper))
    ]
    figures.append(
        ("width", number(found.width), f"{percent(found.width / abs(found.upper.value))} of the upper end")
    )
    return Facts(
        f"{found.instance}: lotteries, {found.first} first, the continuum's second best",
        f"{found.seconds:.1f} s; accuracy {percent(found.accuracy)} asked",
        tuple(figures),
        f"Both sides hold together with confidence {found.confidence:.2%}; no audited type gains more than "
        f"{found.incentive_gain:.2g} by another option.",
        (("b.plot()", "the menu of the lower side"), ("b.mechanism", "its options")),
    )


@facts.register
def _(found: EpsilonFrontier) -> Facts:
    rows = [
        (f"epsilon {epsilon:g}", number(rule.welfare), f"at most {number(rule.upper_bound)}")
        for epsilon, rule in zip(found.epsilons, found.rules, strict=True)
    ]
    return Facts(
        f"{found.instance}: incentives up to epsilon",
        f"grid {found.grid}, static; {found.seconds:.1f} s",
        (("first best", number(found.first_best), "if nobody could lie"), *rows),
        "Each rule was audited: nobody gains more than its epsilon by another report.",
        (("found.plot()", "the staircase"), ("found.table", "all columns")),
    )


@facts.register
def _(found: Frontier) -> Facts:
    low, high = found.corners[0], found.corners[-1]
    one, two = found.between
    figures = (
        (f"least {one}", number(low.first), f"{two} {number(low.second)}"),
        (f"most {one}", number(high.first), f"{two} {number(high.second)}"),
        ("corners", str(len(found.corners)), "all there are" if found.complete else "the most telling"),
    )
    proved = all(corner.proved for corner in found.corners)
    return Facts(
        f"{found.instance}: {one} against {two}",
        f"grid {found.grid}, {found.timing}; {found.seconds:.1f} s",
        figures,
        "Every corner is proved optimal for its weights."
        if proved
        else "Some corners are not proved optimal.",
        (("found.plot()", "one against the other"), ("found.table", "one row a corner")),
    )


@facts.register
def _(run: ItemsRun) -> Facts:
    figures = [("first best", number(run.first_best), "if nobody could lie")]
    figures += [(row.name, number(row.welfare), row.note) for row in run.rows if row.welfare is not None]
    return Facts(
        f"{run.instance.name}: several items",
        f"grid {run.grid}; {run.seconds:.1f} s",
        tuple(figures),
        f"Status {run.status}: no mechanism on this grid has more than {number(run.upper_bound)}.",
        (
            ("run.plot()", "on one scale"),
            ("run.allocation", "every state's bundles and payments"),
            ("run.table", "all columns"),
        ),
    )


@facts.register
def _(found: Explanation) -> Facts:
    figures = [
        ("first best", number(found.first_best), "if nobody could lie"),
        ("proved bound", number(found.bound), f"the loss is {number(found.loss)}"),
    ]
    figures += [
        (f"incentives of {buyer}", number(charge), "charged to his efficient winners")
        for buyer, charge in found.incentives.items()
    ]
    figures += [("unsold", number(found.unsold), "credited"), ("slack", number(found.slack), "credited")]
    decided = (
        ""
        if found.decided is None
        else f" Every optimal rule decides {found.decided:.1%} of the states alike."
    )
    return Facts(
        f"{found.instance}: which incentives bind",
        "the account of the certificate, in expected welfare",
        tuple(figures),
        f"The account is exact in integers: {found.residual:g} is left over.{decided}",
        (
            ("found.plot()", "the charges as bars"),
            ("found.by_region", "the charges by halves of each signal"),
            ("found.deviations", "the costliest lies"),
        ),
    )
