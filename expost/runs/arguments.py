"""What users pass, made into what the rooms below take: one vocabulary of keywords, one error for each wrong one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import TypeAlias

from expost._typing import Objective
from expost.errors import InputError
from expost.formulations.settings import Settings
from expost.formulations.timing import parse_timing
from expost.instances.environment import Instance
from expost.instances.load import load as load_any
from expost.spaces.type_space import ENDPOINT, MIDPOINT, Grid

InstanceLike: TypeAlias = "Instance | str | os.PathLike[str]"
GridLike: TypeAlias = "int | Mapping[str, int] | Grid"
Words: TypeAlias = "str | Sequence[str]"

CONDITIONAL = "conditional"
MOST_JOBS = 10_000
"""Cases at once that anybody may ask for: a process each, on a cluster's nodes or here."""

__all__ = [
    "GridLike",
    "InstanceLike",
    "Words",
    "flag_of",
    "given_again",
    "grid_of",
    "jobs_of",
    "left_of",
    "limit_of",
    "load",
    "load_any",
    "nothing_given",
    "offset_of",
    "path_of",
    "restricted",
    "seconds_of",
    "seed_of",
    "settings_of",
    "weight_of",
    "words_of",
]


def load(instance: InstanceLike, **parameters: float) -> Instance:
    """The instance, for everything whose theory leaves out that buyers care who else wins.

    Raises InputError as ``ex.load``, and for an instance with ``loses_to``.
    """
    found = load_any(instance, **parameters)
    caring = [buyer.name for buyer in found.buyers if buyer.loses_to]
    if caring:
        raise InputError(
            f"buyer {caring[0]} cares who else wins",
            where=f"buyer {caring[0]}: loses_to",
            expected="buyers who care for their own sale only: others take the mixed-integer program",
            remedy="ask epsilon (expost epsilon) instead",
        )
    return found


def given_again(instance: InstanceLike | None) -> Instance | None:
    """The instance of something saved, given again for the sake of its Python functions; None where it is not."""
    return None if instance is None else load(instance)


def nothing_given(instance: InstanceLike | None) -> None:
    """Raises InputError for an instance given again where what was saved is all there."""
    if instance is not None:
        raise InputError(
            f"{_shown(instance)}",
            where="instance",
            expected="nothing: only a saved bracket needs its instance again, where values are Python functions",
        )


def grid_of(grid: GridLike, points: str | float | Mapping[str, float] = "midpoint") -> Grid:
    """A grid: points per signal, one number or one for each; where they lie in their cells.

    points: ``midpoint``, ``endpoint``, an offset in [0, 1], or an offset for each signal.
    """
    if isinstance(grid, Grid):
        return grid
    if not isinstance(grid, Mapping) and (isinstance(grid, bool) or not isinstance(grid, Real)):
        raise InputError(
            f"{_shown(grid)}",
            where="grid",
            expected="a number of points per signal, or one for each signal",
            remedy='for example grid=16 or grid={"p1": 24, "c1": 12, ...}',
        )
    return Grid(grid, offset_of(points))


def offset_of(points: str | float | Mapping[str, float]) -> float | str | Mapping[str, float]:
    """Where points lie in their cells, as a ``Grid`` takes it."""
    if isinstance(points, Mapping):
        return points
    if points == "midpoint":
        return MIDPOINT
    if points == ENDPOINT:
        return ENDPOINT
    if isinstance(points, bool) or not isinstance(points, Real) or not 0.0 <= float(points) <= 1.0:
        raise InputError(
            f"{_shown(points)}", where="points", expected="midpoint, endpoint, or an offset in [0, 1]"
        )
    return float(points)


def settings_of(
    instance: Instance,
    grid: GridLike,
    *,
    timing: Words = "static",
    first: Words = (),
    objective: str | float = Objective.WELFARE,
    restrict: str | None = None,
    points: str | float | Mapping[str, float] = "midpoint",
    symmetric: bool = False,
) -> Settings:
    """Everything that, with the instance, determines the program. Raises InputError, naming the parameter."""
    words = parse_timing(instance.n, words_of(timing, "timing"))
    return Settings(
        grid_of(grid, points).resolve(instance),
        words[0] if len(set(words)) == 1 else ",".join(words),
        tuple(words_of(first, "first")),
        weight_of(objective),
        restricted(restrict),
        flag_of(symmetric, "symmetric"),
    )


def words_of(words: Words | None, where: str) -> list[str]:
    """Names in a sequence, or in one text separated by commas. Raises InputError for anything else."""
    if words is None:
        return []
    parts = words.split(",") if isinstance(words, str) else words
    if not isinstance(parts, Sequence) or not all(isinstance(part, str) for part in parts):
        raise InputError(f"{_shown(words)}", where=where, expected="a word, or a list of words")
    return [part.strip() for part in parts if part.strip()]


def weight_of(objective: str | float) -> float:
    """The weight on welfare that ``welfare``, ``revenue`` or a number in [0, 1] stands for; the rest is on revenue."""
    named: dict[str, float] = {Objective.WELFARE: 1.0, Objective.REVENUE: 0.0}
    if isinstance(objective, str):
        alpha = named.get(objective, -1.0)
    else:
        alpha = float(objective) if isinstance(objective, Real) and not isinstance(objective, bool) else -1.0
    if not 0.0 <= alpha <= 1.0:
        raise InputError(
            f"{_shown(objective)}",
            where="objective",
            expected="welfare, revenue, or a weight on welfare in [0, 1]",
        )
    return alpha


def restricted(restrict: str | None) -> bool:
    """Whether only conditionally efficient rules may be chosen."""
    if restrict not in (None, "", CONDITIONAL):
        raise InputError(f"{_shown(restrict)}", where="restrict", expected=f"{CONDITIONAL}, or nothing")
    return restrict == CONDITIONAL


def flag_of(given: bool, where: str) -> bool:
    """True or False. Raises InputError for anything else."""
    if not isinstance(given, bool):
        raise InputError(f"{_shown(given)}", where=where, expected="True or False")
    return given


def beside_brackets(limit: float | None, brackets: float, count: int = 1) -> tuple[float | None, float]:
    """What is left of a limit without ``count`` brackets, and the seconds of each: they take half of it at most."""
    if limit is None:
        return None, brackets
    each = min(brackets, 0.5 * limit / count)
    return limit - count * each, each


def limit_of(time_limit: float | None) -> float | None:
    """A time limit in seconds. Raises InputError unless it is None or a positive finite number."""
    if time_limit is None:
        return None
    if (
        isinstance(time_limit, bool)
        or not isinstance(time_limit, Real)
        or not 0.0 < time_limit < float("inf")
    ):
        raise InputError(
            f"{_shown(time_limit)}", where="time_limit", expected="a positive number of seconds, or none"
        )
    return float(time_limit)


def path_of(given: str | os.PathLike[str], where: str) -> Path:
    """A path. Raises InputError, naming ``where``, for what names none."""
    if not isinstance(given, str | os.PathLike):
        raise InputError(f"{_shown(given)}", where=where, expected="a path")
    return Path(given)


def seconds_of(brackets: float) -> float:
    """Seconds for each bracket, 0 for none. Raises InputError for anything else."""
    if isinstance(brackets, bool) or not isinstance(brackets, Real) or not 0.0 <= brackets < float("inf"):
        raise InputError(f"{_shown(brackets)}", where="brackets", expected="seconds, or 0 for no brackets")
    return float(brackets)


def left_of(limit: float | None) -> Callable[[], float | None]:
    """How much of a limit is left, a millisecond at least; always None without one. Time runs from now on."""
    ends = None if limit is None else time.monotonic() + limit
    return lambda: None if ends is None else max(ends - time.monotonic(), 1e-3)


def jobs_of(jobs: int) -> int:
    """How many cases are worked on at once. Raises InputError unless it is a whole number from 1 to ``MOST_JOBS``,
    or -1 for all processors."""
    if isinstance(jobs, bool) or not isinstance(jobs, int) or not (1 <= jobs <= MOST_JOBS or jobs == -1):
        raise InputError(
            f"{_shown(jobs)}",
            where="jobs",
            expected=f"a whole number from 1 to {MOST_JOBS}, or -1 for one a processor",
        )
    return jobs


def seed_of(seed: int) -> int:
    """A seed of random numbers. Raises InputError unless it is a whole number from 0 on."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InputError(f"{_shown(seed)}", where="seed", expected="a whole number, 0 or more")
    return seed


def _shown(given: object) -> str:
    """A value in a message, short."""
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}..."
