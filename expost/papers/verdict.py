"""What validating a claim returns: hypotheses with residuals, both sides, the verdict, the violating state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What was seen.

    CONFIRMED: the hypotheses hold where they were tested, and so does the conclusion. NOT_CLAIMED: a
    hypothesis fails, so nothing is claimed; ``conclusion_holds`` says whether the conclusion fails with it.
    REFUTED: the hypotheses hold and the conclusion does not. UNDECIDED: likewise, but what was computed is too coarse
    to speak against the claim.
    """

    CONFIRMED = "confirmed"
    NOT_CLAIMED = "not claimed"
    REFUTED = "refuted"
    UNDECIDED = "undecided"

    @property
    def applied(self) -> str:
        """The same of one instance: whether the claim applies to it, and whether it holds there."""
        return {
            Outcome.CONFIRMED: "applies and holds",
            Outcome.NOT_CLAIMED: "does not apply",
            Outcome.REFUTED: "applies and fails",
            Outcome.UNDECIDED: "applies, undecided",
        }[self]


class Relation(StrEnum):
    """How the computed value has to stand to the theoretical one."""

    EQUAL = "="
    AT_MOST = "<="
    AT_LEAST = ">="
    LESS = "<"
    MORE = ">"


@dataclass(frozen=True)
class Hypothesis:
    """A hypothesis of a claim, tested numerically.

    residual: by how much it is violated where it is worst; at most ``allowed`` when it holds. where: that place.
    """

    name: str
    residual: float
    allowed: float = 0.0
    where: str = ""

    @property
    def holds(self) -> bool:
        """Whether the residual is within what is allowed."""
        return self.residual <= self.allowed


@dataclass(frozen=True)
class Verdict:
    """One claim on one instance.

    quantity: what ``computed`` and ``theoretical`` are; ``computed relation theoretical`` to within
    ``tolerance`` is the conclusion. violation: a state where the conclusion fails, in words; empty when it
    holds. decisive: whether a conclusion that does not hold speaks against the claim.
    """

    claim: str
    citation: str
    instance: str
    hypotheses: tuple[Hypothesis, ...]
    quantity: str
    computed: float
    relation: Relation
    theoretical: float
    tolerance: float
    violation: str = ""
    note: str = ""
    decisive: bool = True

    @property
    def conclusion_holds(self) -> bool:
        """Whether the computed value stands to the theoretical one as claimed."""
        return not self.violation and holds(self.computed, self.relation, self.theoretical, self.tolerance)

    @property
    def hypotheses_hold(self) -> bool:
        """Whether every hypothesis was found to hold."""
        return all(hypothesis.holds for hypothesis in self.hypotheses)

    @property
    def outcome(self) -> Outcome:
        """The verdict."""
        if not self.hypotheses_hold:
            return Outcome.NOT_CLAIMED
        if self.conclusion_holds:
            return Outcome.CONFIRMED
        return Outcome.REFUTED if self.decisive else Outcome.UNDECIDED

    @property
    def good(self) -> bool:
        """Whether nothing speaks against the claim."""
        return self.outcome is not Outcome.REFUTED

    def record(self) -> dict[str, object]:
        """The verdict as plain data, for JSON; infinities become null."""
        return {
            "claim": self.claim,
            "citation": self.citation,
            "instance": self.instance,
            "hypotheses": [
                {
                    "name": h.name,
                    "residual": _finite(h.residual),
                    "allowed": h.allowed,
                    "holds": h.holds,
                    "where": h.where,
                }
                for h in self.hypotheses
            ],
            "quantity": self.quantity,
            "computed": _finite(self.computed),
            "relation": self.relation.value,
            "theoretical": _finite(self.theoretical),
            "tolerance": self.tolerance,
            "conclusion_holds": self.conclusion_holds,
            "applies": self.hypotheses_hold,
            "verdict": self.outcome.value,
            "applied": self.outcome.applied,
            "violation": self.violation,
            "note": self.note,
        }


def holds(computed: float, relation: Relation, theoretical: float, tolerance: float) -> bool:
    """Whether ``computed relation theoretical`` to within ``tolerance``; strict relations need more than it."""
    excess = computed - theoretical
    return {
        Relation.EQUAL: abs(excess) <= tolerance,
        Relation.AT_MOST: excess <= tolerance,
        Relation.AT_LEAST: excess >= -tolerance,
        Relation.LESS: excess < -tolerance,
        Relation.MORE: excess > tolerance,
    }[relation]


def state_text(state: dict[str, float]) -> str:
    """A state in words."""
    return ", ".join(f"{name} = {value:.4g}" for name, value in state.items())


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
