"""All claims of the papers that can be computed, and the walk over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from expost.errors import InputError
from expost.instances.words import nearest
from expost.papers.bikhchandani import claims as bikhchandani
from expost.papers.bikhchandani import claims_examples as bikhchandani_examples
from expost.papers.bikhchandani import claims_several_items as several_items
from expost.papers.verdict import Verdict
from expost.papers.zik import claims_second_best as zik_second_best
from expost.papers.zik import claims_several as zik_several
from expost.papers.zik import claims_single as zik_single
from expost.papers.zik import lotteries as zik_lotteries


@dataclass(frozen=True)
class Claim:
    """A claim: its id, what it says in a few words, and the function that computes it (``quick`` or not)."""

    id: str
    says: str
    compute: Callable[[bool], list[Verdict]]


_ALL = (
    Claim(
        "B-Examples-1-2",
        "expected welfare of the first best and of two price pairs",
        bikhchandani_examples.examples_welfare,
    ),
    Claim("B-Theorem-1", "t* is admissible, incentive compatible and not trivial", bikhchandani.theorem_1),
    Claim("B-Theorem-2", "prices that are not mutually pivotal are dominated", bikhchandani.theorem_2),
    Claim(
        "B-Theorem-3", "strongly mutually pivotal prices are constrained efficient", bikhchandani.theorem_3
    ),
    Claim("B-Theorem-4", "t* is the best conditionally efficient rule", bikhchandani.theorem_4),
    Claim("B-Lemma-3", "the demand mechanism is feasible for subadditive values", several_items.lemma_3),
    Claim("B-Example-3", "Tables 1 and 2", several_items.tables),
    Claim("B-Equation-15", "prices (15) with one item", bikhchandani_examples.equation_15_prices),
    Claim("Z-Claim-1", "static incentives are monotonicity in the value", zik_single.claim_1),
    Claim("Z-Theorem-2", "sequential incentives are strikes that do not rise", zik_single.theorem_2),
    Claim(
        "Z-Corollaries-3-4-11",
        "when the first best is attained, in each order of arrival",
        zik_single.corollaries,
    ),
    Claim("Z-Theorem-7", "the wrong order of arrival gains nothing", zik_second_best.theorem_7),
    Claim("Z-Theorem-8", "sequential timing gains where the boundary lets it", zik_second_best.theorem_8),
    Claim("Z-Appendix-A", "the static second best of one buyer", zik_second_best.appendix_a),
    Claim("Z-Appendix-A-randomization", "randomization does not help statically", zik_several.randomization),
    Claim("Z-Section-3.2", "linear values: two ratio conditions", zik_several.section_3_2),
    Claim(
        "Z-Section-3.3", "a sequential rule better than t*, conditionally efficient", zik_several.section_3_3
    ),
    Claim(
        "Z-Theorem-7-lotteries",
        "lotteries beat the one price of Theorem 7",
        zik_lotteries.theorem_7_lotteries,
    ),
    Claim("Z-Section-3.4", "does sequential timing beat the static second best?", zik_several.section_3_4),
)

CLAIMS: dict[str, Claim] = {claim.id: claim for claim in _ALL}


def validate(claims: Sequence[str] | None = None, quick: bool = False) -> list[Verdict]:
    """The verdicts on ``claims`` (ids, in any case; all of them by default); ``quick`` takes fewer and smaller
    instances.

    Raises InputError for an unknown id.
    """
    return [verdict for claim in select(claims) for verdict in claim.compute(quick)]


def select(claims: Sequence[str] | None = None) -> tuple[Claim, ...]:
    """The claims with these ids; an id also names all claims that begin with it (``B``, ``Z-Section``)."""
    if not claims:
        return _ALL
    chosen: dict[str, Claim] = {}
    for name in claims:
        matches = [c for c in _ALL if c.id.lower() == name.lower()]
        matches = matches or [c for c in _ALL if c.id.lower().startswith(name.lower() + "-")]
        if not matches:
            raise InputError(
                f"unknown claim {name!r}",
                where="validate",
                expected=f"one of {', '.join(CLAIMS)}",
                remedy=nearest(name, list(CLAIMS)),
            )
        chosen |= {claim.id: claim for claim in matches}
    return tuple(chosen.values())
