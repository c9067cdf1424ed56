"""Rules over outcomes as saved arrays, and what their bounds rest on: shared by several items and epsilon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from expost._typing import Array
from expost.errors import CheckFailed
from expost.formulations.outcomes import OutcomeRule, Outcomes, assessed, outcome_program
from expost.runs.answers import ARRAYS, Answer
from expost.runs.checks import Check
from expost.solver.leaves import MOST, Leaves
from expost.solver.result import Status
from expost.tolerances import WELFARE


def rule_arrays(rule: OutcomeRule, tag: str = "") -> dict[str, Array]:
    """The outcome in every state, buyers' axis first as in all state arrays, and the proof of the bound."""
    return {
        f"choice{tag}": rule.choice[None],
        f"fixed{tag}": rule.proof.fixed,
        f"multipliers{tag}": rule.proof.multipliers,
    }


def rule_shapes(
    answer: Answer, outcomes: Outcomes, variables: int, rows: int, tag: str = ""
) -> dict[str, tuple[int, ...]]:
    """The shapes that ``rule_arrays`` must have; the number of cases is what the archive says, up to ``MOST``."""
    member = answer.archive.members.get(f"fixed{tag}")
    leaves = min(MOST + 1, member.shape[0]) if member is not None and member.shape else 1
    return {
        f"choice{tag}": (1, *outcomes.shape),
        f"fixed{tag}": (leaves, variables),
        f"multipliers{tag}": (leaves, rows),
    }


def reopened(
    answer: Answer,
    outcomes: list[Outcomes],
    tags: list[str],
    recorded: list[Mapping[str, Any]],
    what: str = "grid",
) -> list[OutcomeRule]:
    """The saved rules over ``outcomes``, audited, their proofs checked; ``recorded`` has the solver's bound and status.

    Raises InputError, CheckFailed and AuditError when parts are missing or do not fit together.
    """
    programs = [outcome_program(each, what) for each in outcomes]
    shapes: dict[str, tuple[int, ...]] = {}
    for each, program, tag in zip(outcomes, programs, tags, strict=True):
        shapes |= rule_shapes(answer, each, program.variables, program.rows, tag)
    arrays = answer.arrays(shapes)
    found = []
    for each, program, tag, row in zip(outcomes, programs, tags, recorded, strict=True):
        choice = arrays[f"choice{tag}"][0]
        count = each.welfare.shape[-1]
        if (choice != np.rint(choice)).any() or choice.min() < 0 or choice.max() >= count:
            raise CheckFailed(f"{ARRAYS}: choice{tag} has outcomes that there are not")
        proof = Leaves(arrays[f"fixed{tag}"].astype(np.int8), arrays[f"multipliers{tag}"])
        bound = float("inf") if row["upper_bound"] is None else float(row["upper_bound"])
        status = Status(row["status"])
        found.append(assessed(each, program, choice.astype(np.intp), proof, bound, status))
    return found


def word_of(rule: OutcomeRule) -> str:
    """What the upper bound rests on, in words."""
    slack = WELFARE * max(1.0, abs(rule.upper_bound))
    if rule.certified > rule.upper_bound + slack:
        return f"branch and bound's word; multipliers prove {rule.certified:.6f}"
    cases = len(rule.proof)
    return "proved by multipliers" + ("" if cases == 1 else f" in {cases} cases")


def bound_check(rule: OutcomeRule, claimed: Any, name: str = "upper bound") -> Check:
    """Whether the recorded status is what the bound says, and whether the bound is proved."""
    slack = WELFARE * max(1.0, abs(rule.upper_bound))
    held = claimed in list(Status) and (claimed != Status.OPTIMAL or rule.status is Status.OPTIMAL)
    proved = rule.certified <= rule.upper_bound + slack
    return Check(name, held, f"recorded {claimed!r:.40}: {rule.upper_bound!r}, {word_of(rule)}", proved)
