"""All claims of the papers that can be computed, and the walk over them, on the papers' instances or on any."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import chain

from expost._parallel import in_turn
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.instances.words import nearest
from expost.papers.bikhchandani import (
    claims_efficiency,
    claims_examples,
    claims_existence,
    claims_several_items,
)
from expost.papers.claim import Case, Claim
from expost.papers.verdict import Hypothesis, Relation, Verdict
from expost.papers.zik import (
    claims_incentives,
    claims_orders,
    claims_randomization,
    claims_second_best,
    claims_several,
    claims_single_price,
    lotteries,
)

CLAIMS: dict[str, Claim] = {
    claim.id: claim
    for module in (
        claims_existence,
        claims_efficiency,
        claims_examples,
        claims_several_items,
        claims_incentives,
        claims_orders,
        claims_single_price,
        lotteries,
        claims_second_best,
        claims_randomization,
        claims_several,
    )
    for claim in module.CLAIMS
}


def validate(
    claims: str | Sequence[str] | None = None,
    instance: Instance | None = None,
    *,
    quick: bool = False,
    jobs: int = 1,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[Verdict]:
    """The verdicts on ``claims`` (ids, in any case; all of them by default).

    instance: whose verdicts are asked for: whether each claim applies to it, hypothesis by hypothesis, and what the
    computation finds; by default the papers' instances and ours. quick: fewer and smaller instances. jobs: how many
    cases at once, by joblib. seed: of the random instances. progress: told after each case
    how many of how many are done, and of which claim it is.

    Raises InputError for an unknown id, and for a claim about one example only when an instance is given.
    """
    work = [
        (claim, case) for claim in select(claims, instance) for case in _cases(claim, instance, quick, seed)
    ]
    done: list[list[Verdict]] = []
    cases = [(claim.id, case, instance is not None) for claim, case in work]
    for verdicts, (claim, _) in zip(in_turn(_verdicts, cases, jobs), work, strict=True):
        done.append(verdicts)
        if progress is not None:
            progress(len(done), len(work), claim.id)
    return list(chain.from_iterable(done))


def select(claims: str | Sequence[str] | None = None, instance: Instance | None = None) -> tuple[Claim, ...]:
    """The claims with these ids; an id also names all claims that begin with it (``B``, ``Z-Section``). With an
    ``instance``, those that can be computed on one."""
    able = [claim for claim in CLAIMS.values() if instance is None or claim.on is not None]
    chosen: dict[str, Claim] = {}
    for name in [claims] if isinstance(claims, str) else claims or []:
        matches = [claim for claim in CLAIMS.values() if claim.id.lower() == name.lower()]
        if matches and matches[0] not in able:
            raise InputError(
                f"{matches[0].id}, which is about an example of the paper",
                where="claims",
                expected=f"with an instance, one of {', '.join(claim.id for claim in able)}",
            )
        matches = matches or [claim for claim in able if claim.id.lower().startswith(name.lower() + "-")]
        if not matches:
            raise InputError(
                f"unknown claim {name!r}",
                where="claims",
                expected=f"one of {', '.join(CLAIMS)}",
                remedy=nearest(name, list(CLAIMS)),
            )
        chosen |= {claim.id: claim for claim in matches}
    return tuple(chosen.values()) or tuple(able)


def is_claim(name: str) -> bool:
    """Whether ``name`` names a claim or several."""
    return any(
        claim.lower() == name.lower() or claim.lower().startswith(name.lower() + "-") for claim in CLAIMS
    )


def _cases(claim: Claim, instance: Instance | None, quick: bool, seed: int) -> Sequence[Case]:
    if instance is None:
        return claim.cases(quick, seed)
    assert claim.on is not None
    return claim.on(instance, quick)


def _verdicts(claim: str, case: Case, foreign: bool) -> list[Verdict]:
    """The verdicts on one case; an instance of the user's on which the construction is not defined is no error."""
    chosen = CLAIMS[claim]
    if not foreign:
        return chosen.compute(case, chosen.subject)
    try:
        return chosen.compute(case, chosen.subject)
    except InputError as refusal:
        return [_undefined(chosen, case, str(refusal))]


def _undefined(claim: Claim, case: Case, why: str) -> Verdict:
    return Verdict(
        claim.id,
        claim.id.replace("B-", "Bikhchandani 2006, ").replace("Z-", "Zik, ").replace("-", " "),
        case.instance.name,
        (Hypothesis("what the claim speaks of is defined for the instance", math.inf, 0.0, why),),
        "nothing was computed",
        math.nan,
        Relation.EQUAL,
        math.nan,
        0.0,
    )
