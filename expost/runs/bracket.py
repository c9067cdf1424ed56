"""``bracket``: bounds on the continuum second best, started from the papers' constructions too."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from expost._limits import limited
from expost._progress import bar
from expost.brackets import Bracket
from expost.brackets import bracket as search
from expost.papers.constructions import starts
from expost.runs.arguments import InstanceLike, Words, jobs_of, limit_of, load, seed_of, words_of
from expost.runs.own import MechanismLike, given_of, with_first
from expost.solver.progress import ProgressCallback


@limited
def bracket(
    instance: InstanceLike,
    accuracy: float = 0.01,
    time_limit: float | None = None,
    *,
    timing: Words = "static",
    first: Words = (),
    seed: int = 0,
    confidence: float = 0.99,
    jobs: int = 1,
    rigorous: bool = False,
    starts_from: Sequence[MechanismLike] = (),
    progress: ProgressCallback | None = None,
) -> Bracket:
    """``lower <= W* <= upper`` for the continuum second best, refined until ``upper - lower <= accuracy * upper``.

    instance: an ``Instance``, a name of the catalogue, or the path of a TOML file.
    time_limit: seconds; the best bracket so far is returned then. Without one the search ends after its last stage.
    timing, first: as in ``solve``. seed: of all random numbers. confidence: with which both sides hold together.
    jobs: pieces worked on at once. rigorous: bounds that no sample enters alone (two buyers or more). starts_from:
    prices or strikes of one's own, from which the lower side starts, too. progress: called as bounds come; by default a
    terminal or a notebook shows them.

    Bounds that cannot be had (say, because a value is not monotone) are named in ``left_out``. Raises InputError for
    unusable input, and for values without a finite mean.
    """
    jobs_of(jobs)
    stated = load(instance)
    ordered = with_first(stated, words_of(first, "first"))
    own = [given_of(mechanism, ordered) for mechanism in starts_from]
    with bar(f"bracket of {stated.name}") as shown:
        return search(
            stated,
            accuracy,
            limit_of(time_limit),
            timing=",".join(words_of(timing, "timing")),
            first=tuple(words_of(first, "first")),
            seed=seed_of(seed),
            confidence=confidence,
            jobs=jobs,
            rigorous=rigorous,
            progress=progress or shown.listener,
            starts=lambda named: chain(own, starts(named)),
        )
