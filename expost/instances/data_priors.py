"""Priors that are data: atoms with weights, and samples of observations."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.parameters import Parameters

MOST_ATOMS = 10_000
"""Atoms that a discrete prior may have: each is a point of every grid."""
MOST_OBSERVATIONS = 100_000
"""Observations that an empirical prior may have: an instance's file holds them all."""


class _Unconditional:
    """What all priors made of data have in common: nothing in them depends on other signals or on parameters."""

    conditions: ClassVar[tuple[str, ...]] = ()
    parameters: ClassVar[Mapping[str, float | str]] = {}
    plain: ClassVar[bool] = False

    def quantile(self, probability: Float, earlier: Mapping[str, Float] | None = None) -> Float:
        raise NotImplementedError

    def support(self, earlier: Mapping[str, Float] | None = None) -> tuple[Float, Float]:
        """The lowest and the highest value."""
        return self.quantile(np.float64(0.0), earlier), self.quantile(np.float64(1.0), earlier)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Discrete(_Unconditional):
    """Atoms: ``values`` in increasing order, ``weights`` their probabilities up to a common factor."""

    distribution: ClassVar[str] = "discrete"

    values: tuple[float, ...]
    weights: tuple[float, ...]

    @cached_property
    def atoms(self) -> tuple[Float, Float]:
        """Values and probabilities, each (atoms,)."""
        weights = np.array(self.weights)
        return np.array(self.values), weights / weights.sum()

    @cached_property
    def _tops(self) -> Float:
        """P(signal <= value) at each value."""
        tops: Float = np.cumsum(self.atoms[1])
        return tops

    def bound(self, parameters: Parameters) -> Discrete:  # noqa: ARG002
        """Itself: atoms use no parameters."""
        return self

    def quantile(self, probability: Float, earlier: Mapping[str, Float] | None = None) -> Float:  # noqa: ARG002
        """The lowest value up to which there is at least that much probability, same shape."""
        at = np.searchsorted(self._tops, np.asarray(probability) * (1.0 - 1e-14), side="left")
        return np.asarray(self.atoms[0][np.minimum(at, len(self.values) - 1)], dtype=np.float64)

    def level(self, value: Float, earlier: Mapping[str, Float] | None = None) -> Float:  # noqa: ARG002
        """The middle of the levels at which the signal is the highest atom that is at most ``value``, same shape."""
        values, weights = self.atoms
        at = np.clip(np.searchsorted(values, np.asarray(value), side="right") - 1, 0, len(values) - 1)
        return np.asarray((self._tops - 0.5 * weights)[at], dtype=np.float64)

    def check(self, *, where: str) -> None:
        """Raise InputError unless there are values, all different, each with a positive weight."""
        _check_numbers(self.values, f"{where}.values", MOST_ATOMS, "atoms")
        _check_numbers(self.weights, f"{where}.weights", MOST_ATOMS, "weights")
        if len(self.values) != len(self.weights):
            raise InputError(
                f"{len(self.values)} values and {len(self.weights)} weights",
                where=where,
                expected="one weight for each value",
            )
        for low, high in zip(self.values, self.values[1:], strict=False):
            if high <= low:
                raise InputError(
                    f"the value {high:g} twice", where=f"{where}.values", expected="different values"
                )
        least = min(self.weights)
        if least <= 0.0 or not math.isfinite(sum(self.weights)):
            raise InputError(
                f"a weight of {least:g}",
                where=f"{where}.weights",
                expected="positive weights",
                remedy="leave out values that do not occur",
            )

    def table(self) -> dict[str, Any]:
        """The table of a file."""
        return {
            "distribution": self.distribution,
            "values": list(self.values),
            "weights": list(self.weights),
        }


@dataclass(frozen=True)
class Empirical(_Unconditional):
    """A sample: ``sample`` holds the observations in increasing order.

    Its quantile function takes the k-th of n observations at level (k - 1/2)/n, is straight between these and flat
    beyond the first and the last (Hazen's rule): a grid of n midpoints is the sample itself.
    """

    distribution: ClassVar[str] = "empirical"
    atoms: ClassVar[None] = None

    sample: tuple[float, ...]

    @property
    def observations(self) -> int:
        """How many there are."""
        return len(self.sample)

    @cached_property
    def _sorted(self) -> Float:
        return np.array(self.sample)

    @cached_property
    def _levels(self) -> Float:
        return (np.arange(self.observations) + 0.5) / self.observations

    def bound(self, parameters: Parameters) -> Empirical:  # noqa: ARG002
        """Itself: observations use no parameters."""
        return self

    def quantile(self, probability: Float, earlier: Mapping[str, Float] | None = None) -> Float:  # noqa: ARG002
        """The sample's quantile at each level, same shape; never beyond the extreme observations."""
        return np.asarray(np.interp(probability, self._levels, self._sorted), dtype=np.float64)

    def level(self, value: Float, earlier: Mapping[str, Float] | None = None) -> Float:  # noqa: ARG002
        """A level whose quantile is ``value`` (the nearest observed value where there is none), same shape."""
        different, first = np.unique(self._sorted, return_index=True)
        last = np.append(first[1:], self.observations) - 1
        middle = 0.5 * (self._levels[first] + self._levels[last])
        return np.asarray(np.interp(value, different, middle), dtype=np.float64)

    def check(self, *, where: str) -> None:
        """Raise InputError unless there are at least two different finite observations."""
        _check_numbers(self.sample, f"{where}.sample", MOST_OBSERVATIONS, "observations")
        if self.sample[0] == self.sample[-1]:
            raise InputError(
                f"{self.observations} observations, all of them {self.sample[0]:g}",
                where=f"{where}.sample",
                expected="at least two different ones",
                remedy="for a signal that does not vary write its value into the formulas",
            )

    def table(self) -> dict[str, Any]:
        """The table of a file."""
        return {"distribution": self.distribution, "sample": list(self.sample)}


def discrete(values: Sequence[float], weights: Sequence[float] | None = None) -> Discrete:
    """A discrete prior: a signal that takes ``values`` with probabilities proportional to ``weights`` (equal ones by
    default). Its points on every grid are its atoms, with their own weights.

    Raises InputError unless the values are different finite numbers, and the weights positive, one for each.
    """
    points = numbers(values, "discrete.values")
    masses = (1.0,) * len(points) if weights is None else numbers(weights, "discrete.weights")
    if len(points) != len(masses):
        raise InputError(
            f"{len(points)} values and {len(masses)} weights",
            where="discrete",
            expected="one weight for each value",
        )
    pairs = sorted(zip(points, masses, strict=True))
    prior = Discrete(tuple(v for v, _ in pairs), tuple(w for _, w in pairs))
    prior.check(where="discrete")
    return prior


def empirical(sample: Sequence[float]) -> Empirical:
    """An empirical prior: the quantile function of a sample, any sequence or array of numbers.

    Says in a log message (logger ``expost``) how many observations there are and what is not known from them.
    Raises InputError for fewer than two different observations and for what is no finite number.
    """
    prior = Empirical(tuple(sorted(numbers(sample, "empirical.sample"))))
    prior.check(where="empirical")
    warn_of_extrapolation(prior, "empirical prior")
    return prior


def warn_of_extrapolation(prior: Empirical, what: str) -> None:
    """Say what a sample does not tell."""
    logging.getLogger("expost").warning(
        "%s: %d observations from %g to %g; no value beyond these ever occurs, values between neighbouring ones "
        "are interpolated, and figures inherit the sample's error (of the order of 1/sqrt(%d))",
        what,
        prior.observations,
        prior.sample[0],
        prior.sample[-1],
        prior.observations,
    )


def numbers(given: Any, where: str) -> tuple[float, ...]:
    """A sequence or one-dimensional array as floats. Raises InputError when it is none."""
    if isinstance(given, str | bytes) or np.ndim(given) != 1 or not len(given):
        found = (
            "no numbers" if np.ndim(given) == 1 and not isinstance(given, str | bytes) else f"{given!r:.40}"
        )
        raise InputError(found, where=where, expected="a list of numbers: [0.0, 0.5, 1.0]")
    array = np.asarray(given)
    if array.dtype.kind not in "iuf":
        bad = next(
            (item for item in given if isinstance(item, bool) or not isinstance(item, int | float)), given
        )
        raise InputError(f"{bad!r:.40} among the numbers", where=where, expected="only numbers")
    return tuple(array.astype(np.float64).tolist())


def _check_numbers(given: tuple[float, ...], where: str, most: int, what: str) -> None:
    if not given:
        raise InputError("no numbers", where=where, expected="at least one")
    if len(given) > most:
        raise InputError(
            f"{len(given)} {what}",
            where=where,
            expected=f"at most {most}",
            remedy="take a random part of them, or every so many-th of them in order of size",
        )
    bad = [x for x in given if not math.isfinite(x)]
    if bad:
        raise InputError(f"{bad[0]} among the numbers", where=where, expected="finite numbers")


LARGEST_DATA = 100_000_000
"""Bytes that a file of observations may have."""


def read_column(path: Path, column: str | None, where: str) -> tuple[float, ...]:
    """The numbers in one column of a CSV file with a header; ``column`` may be left out where there is only one.

    Raises InputError when the file cannot be read, has no such column, or holds something else than numbers.
    """
    import csv

    where = f"{where}.file"
    try:
        if not path.is_file():
            raise InputError(f"{path} is not a file", where=where, expected="a CSV file")
        if path.stat().st_size > LARGEST_DATA:
            raise InputError(
                f"{path} has more than {LARGEST_DATA} bytes", where=where, expected="a smaller file"
            )
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _cells(csv.reader(file), path.name, column, where)
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InputError(f"{path} cannot be read: {reason}", where=where, expected="a CSV file") from None


def _cells(rows: Any, name: str, column: str | None, where: str) -> tuple[float, ...]:
    """The numbers below one name of the header."""
    header = [cell.strip() for cell in next(rows, [])]
    if column is None and len(header) == 1:
        column = header[0]
    if column not in header:
        raise InputError(
            f"no column {column!r} in {name}" if column is not None else f"{len(header)} columns in {name}",
            where=where.replace(".file", ".column"),
            expected=f"one of {', '.join(header)}" if any(header) else "a header with the names of columns",
        )
    place = header.index(column)
    found = []
    for line, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        cell = row[place].strip() if place < len(row) else ""
        try:
            found.append(float(cell))
        except ValueError:
            raise InputError(
                f"{cell!r:.40} in line {line} of {name}, column {column}", where=where, expected="a number"
            ) from None
    if not found:
        raise InputError(f"column {column} of {name} is empty", where=where, expected="numbers")
    return tuple(found)
