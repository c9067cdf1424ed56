"""What a claim is here: cases to compute it on, the thing under test, and wrong things on which it must turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from expost.instances.environment import Instance
from expost.papers.verdict import Outcome, Verdict


@dataclass(frozen=True)
class Case:
    """One instance with the effort spent on it.

    instance: an ``Instance``, or an ``ItemsInstance`` where the claim is about several items. size: how many points
    per signal, states or rules (the claim says which). variant: which prices or rule, where the claim has several.
    """

    instance: Any
    size: int
    variant: str = ""
    seed: int = 0


@dataclass(frozen=True)
class Mutant:
    """Something wrong in place of the claim's subject: on ``case`` the conclusion must fail with it, and a verdict must
    turn from ``turns_from``, which the right subject gives, to ``turns_to``."""

    name: str
    subject: Any
    case: Callable[[], Case]
    turns_from: Outcome = Outcome.CONFIRMED
    turns_to: Outcome = Outcome.REFUTED


Compute = Callable[[Case, Any], list[Verdict]]


@dataclass(frozen=True)
class Claim:
    """A claim of a paper.

    says: in a few words. subject: the thing under test, a construction, a criterion or a condition; whatever takes its
    place runs through the same ``compute``. cases: the instances it is validated on, ``cases(quick, seed)``.
    mutants: see there. on: the cases of an instance of the user's, ``on(instance, quick)``; None where the claim
    is about one example of the paper.
    """

    id: str
    says: str
    subject: Any
    cases: Callable[[bool, int], Sequence[Case]]
    compute: Compute
    mutants: tuple[Mutant, ...]
    on: Callable[[Instance, bool], Sequence[Case]] | None = None
