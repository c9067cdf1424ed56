"""``validate``: the papers' claims, computed."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from expost._progress import bar
from expost._shown import Shown
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.papers.claims import CLAIMS, is_claim, select
from expost.papers.claims import validate as compute
from expost.papers.verdict import Outcome, Verdict
from expost.runs.arguments import jobs_of, load, seed_of

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)


@dataclass(frozen=True, repr=False)
class Validation(Shown):
    """The verdicts on some claims, in order. instance: whose they are; None for the papers' instances and ours."""

    verdicts: tuple[Verdict, ...]
    instance: str | None = None

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
        """JSON values: ``instance``, ``good``, ``summary`` and ``verdicts``."""
        return {
            "instance": self.instance,
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


def validate(
    *claims: str | os.PathLike[str] | Instance,
    quick: bool = False,
    jobs: int = 1,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Validation:
    """The verdicts on ``claims`` (ids such as ``B-Theorem-1``; ``B`` and ``Z`` stand for all of a paper's; all of them
    by default).

    An instance among them (itself, a name of the catalogue or a path) is what the claims are held against: whether
    each applies to it, hypothesis by hypothesis, and what the computation finds there; without one they are computed
    on the papers' instances and ours. quick: fewer and smaller instances. jobs: how many cases at once. seed: of the
    random instances. progress: called with the number of finished cases and of all.

    Raises InputError for an unknown id, for two instances, and for a claim about one example with an instance.
    """
    jobs_of(jobs)
    seed_of(seed)
    names = [claim for claim in claims if isinstance(claim, str) and is_claim(claim)]
    others = [claim for claim in claims if not (isinstance(claim, str) and is_claim(claim))]
    if len(others) > 1:
        raise InputError(
            f"{_called(others[0])} and {_called(others[1])}, neither of which is a claim",
            where="claims",
            expected=f"claims ({', '.join(CLAIMS)}) and at most one instance",
        )
    instance = _loaded(others[0]) if others else None
    with bar("validate", 0) as shown:

        def tell(done: int, of: int, claim: str) -> None:
            _log.info("case %d of %d: %s", done, of, claim)
            shown.step(done, claim, of)
            if progress is not None:
                progress(done, of)

        verdicts = compute(names, instance, quick=quick, jobs=jobs, seed=seed, progress=tell)
    return Validation(tuple(verdicts), None if instance is None else instance.name)


def _called(given: object) -> str:
    return given.name if isinstance(given, Instance) else repr(given)


def _loaded(given: str | os.PathLike[str] | Instance) -> Instance:
    """The instance, or an error that speaks of claims too where the word looks like one."""
    try:
        return load(given)
    except InputError as refusal:
        if isinstance(given, str) and given[:2].upper() in {"B-", "Z-"}:
            select(given)
        raise refusal from None
