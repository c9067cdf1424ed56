"""From the words of the command line to the values of keywords; whatever is neither is an InputError."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from expost.errors import InputError

MOST = 100_000
"""Values that one option may ask for."""


def grid(text: str) -> int | dict[str, int]:
    """``16`` or ``p1=24,c1=12``. Raises InputError for anything else."""
    if "=" not in text:
        return _count(text)
    counts: dict[str, int] = {}
    for name, number in _pairs(text, "grid", "SIGNAL=POINTS"):
        counts[name] = _count(number)
    return counts


def choice(text: str) -> str | float:
    """A word or a number (``midpoint``, ``0.25``); the library checks which."""
    number = _number(text)
    return text if math.isnan(number) else number


def numbers(text: str, where: str, expected: str = "NAME=NUMBER") -> dict[str, float]:
    """``k=1.5,a=2``. Raises InputError for anything else."""
    found: dict[str, float] = {}
    for name, given in _pairs(text, where, expected) if text else ():
        found[name] = _number(given)
        if not math.isfinite(found[name]):
            raise InputError(f"{name}={given}"[:60], where=where, expected="a finite number")
    return found


def several(text: str, where: str) -> list[float]:
    """``0,0.1``. Raises InputError for anything else."""
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise InputError(f"{text!r}"[:60], where=where, expected="numbers, separated by commas") from None


def ranges(text: str) -> dict[str, tuple[float, float]]:
    """``a=0:2,b=0.25:4``. Raises InputError for anything else."""
    found: dict[str, tuple[float, float]] = {}
    for part in text.split(","):
        name, equals, ends = (piece.strip() for piece in part.partition("="))
        low, colon, high = ends.partition(":")
        try:
            found[name] = (float(low), float(high))
        except ValueError:
            equals = ""
        if not (equals and colon and name):
            raise InputError(
                f"{part!r}"[:60], where="over", expected="NAME=LOWEST:HIGHEST, separated by commas"
            )
    return found


def feelings(text: str) -> dict[str, dict[str, str]]:
    """``1<2: -0.1*p2; 2<1: -0.1*p1``: what a loser feels, by the winner. Raises InputError for anything else."""
    found: dict[str, dict[str, str]] = {}
    for part in (piece.strip() for piece in text.split(";") if piece.strip()):
        who, colon, formula = part.partition(":")
        loser, less, winner = (word.strip() for word in who.partition("<"))
        if not colon or not less:
            raise InputError(
                f"{part!r}", where="loses_to", expected="LOSER<WINNER: FORMULA, separated by semicolons"
            )
        found.setdefault(loser, {})[winner] = formula.strip()
    return found


KINDS: dict[str, Callable[[str], Any]] = {
    "grid": grid,
    "objective": choice,
    "seed": int,
    "accuracy": float,
    "time_limit": float,
}
"""Keywords whose values on the command line are no plain words."""


def over(text: str) -> tuple[str, list[Any]]:
    """``k=0:2:9`` (first, last, how many) or ``timing=static|sequential``. Raises InputError for anything else."""
    import numpy as np

    name, equals, given = (piece.strip() for piece in text.partition("="))
    if not equals or not name or not given:
        raise InputError(f"{text!r}"[:60], where="over", expected="NAME=FIRST:LAST:COUNT, or NAME=A|B|C")
    parts = given.split(":")
    if len(parts) == 3:
        try:
            low, high, count = float(parts[0]), float(parts[1]), int(parts[2])
        except ValueError:
            low, high, count = 0.0, 0.0, 0
        if not 1 <= count <= MOST or not np.isfinite([low, high]).all():
            raise InputError(
                f"{text!r}"[:60], where="over", expected=f"FIRST:LAST:COUNT with a count from 1 to {MOST}"
            )
        return name, [float(value) for value in np.linspace(low, high, count)]
    return name, [_value(name, part.strip()) for part in given.split("|")]


def _value(name: str, text: str) -> Any:
    if name in KINDS:
        try:
            return KINDS[name](text)
        except ValueError:
            raise InputError(f"{text!r}"[:60], where=name, expected="a number") from None
    try:
        return float(text)
    except ValueError:
        return text


def _pairs(text: str, where: str, expected: str) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for part in text.split(","):
        name, equals, given = (piece.strip() for piece in part.partition("="))
        if not equals or not name or name in seen:
            raise InputError(
                f"{part[:60]!r}", where=where, expected=f"{expected}, each name once, separated by commas"
            )
        seen.add(name)
        yield name, given


def _count(text: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and int(digits) > 0):
        raise InputError(
            f"{text[:60]!r}",
            where="grid",
            expected="a positive whole number of points per signal",
            remedy='for example grid=16 or grid={"p1": 24, "c1": 12, ...}',
        )
    return int(digits)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
