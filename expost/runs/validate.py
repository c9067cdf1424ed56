"""``validate``: the papers' claims, computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from expost._shown import Shown
from expost.papers.claims import select
from expost.papers.verdict import Outcome, Verdict

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Validation(Shown):
    """The verdicts on some claims, in order."""

    verdicts: tuple[Verdict, ...]

    @property
    def good(self) -> bool:
        """Whether every verdict is what the theory says."""
        return all(verdict.good for verdict in self.verdicts)

    @property
    def counts(self) -> dict[str, int]:
        """How many verdicts of each kind there are."""
        return {outcome.value: sum(v.outcome is outcome for v in self.verdicts) for outcome in Outcome}

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self.verdicts)

    def __bool__(self) -> bool:
        return self.good

    def to_dict(self) -> dict[str, Any]:
        """JSON values: ``good``, ``summary`` and ``verdicts``."""
        return {
            "good": self.good,
            "summary": self.counts,
            "verdicts": [verdict.record() for verdict in self.verdicts],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a verdict."""
        import pandas as pd

        return pd.DataFrame([verdict.record() for verdict in self.verdicts])

    def summary(self) -> str:
        """How many of each kind, and which are bad."""
        counted = ", ".join(f"{count} {outcome}" for outcome, count in self.counts.items())
        bad = [f"{v.citation}, {v.instance}" for v in self.verdicts if not v.good]
        return "\n".join([f"{len(self.verdicts)} verdicts: {counted}", *bad[:3]])


def validate(*claims: str, quick: bool = False, progress: Callable[[str], None] | None = None) -> Validation:
    """The verdicts on ``claims`` (ids such as ``B-Theorem-1``; ``B`` and ``Z`` stand for all of a paper's; all of them
    by default).

    quick: fewer and smaller instances. progress: called with a line before each claim. Raises InputError for an
    unknown id.
    """
    verdicts: list[Verdict] = []
    for claim in select(_named(claims)):
        if progress is not None:
            progress(f"{claim.id}: {claim.says}")
        verdicts += claim.compute(quick)
    return Validation(tuple(verdicts))


def _named(claims: Sequence[str]) -> list[str]:
    return [claim for claim in claims if claim]
