"""Priors of signals: scipy.stats distributions by name, independent or conditional on an earlier
signal of the same buyer (a parameter may then be a formula in those signals)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from numbers import Real
from typing import Any

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.formula import Formula
from expost.instances.parameters import Parameters
from expost.instances.words import nearest

LARGEST_SHAPES = {"ksone": {"n": 1e4}}
"""Shapes beyond which scipy's quantiles take minutes instead of a fraction of a second (measured: ksone with
n = 10,000 takes 0.06 s, with 100,000 more than 8 s)."""


@dataclass(frozen=True)
class Prior:
    """A prior: ``distribution`` is a scipy.stats name, ``parameters`` its parameters by name; a parameter
    given as text is a formula in earlier signals of the same buyer (Zik 2.3.1).

    given: parameters of the instance that these formulas may use (see ``bound``).
    """

    distribution: str = "uniform"
    parameters: Mapping[str, float | str] = field(default_factory=dict)
    given: Parameters = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        plain = {name: _plain(value) for name, value in dict(self.parameters).items()}
        object.__setattr__(self, "parameters", plain)

    def bound(self, parameters: Parameters) -> Prior:
        """The same prior where the parameters of the instance are numbers; what depends on nothing else is one too."""
        if not any(isinstance(value, str) for value in self.parameters.values()):
            return self
        known = replace(self, given=dict(parameters))
        numbers = {
            name: float(formula({})) for name, formula in known._formulas.items() if not formula.signals
        }
        return replace(known, parameters={**self.parameters, **numbers})

    @property
    def atoms(self) -> None:
        """The values and weights of a discrete prior: this one has none."""
        return None

    @property
    def plain(self) -> bool:
        """Whether this is the uniform prior on [0, 1], whose quantiles are the levels themselves."""
        return self.distribution == "uniform" and not self.parameters

    @cached_property
    def _formulas(self) -> dict[str, Formula]:
        return {
            name: Formula(value, where=name, parameters=self.given)
            for name, value in self.parameters.items()
            if isinstance(value, str)
        }

    @property
    def conditions(self) -> tuple[str, ...]:
        """The earlier signals that the parameters depend on; empty for an unconditional prior."""
        return tuple(dict.fromkeys(name for formula in self._formulas.values() for name in formula.signals))

    def quantile(self, probability: Float, earlier: Mapping[str, Float] | None = None) -> Float:
        """F^{-1}(probability | earlier signals), broadcast; may be infinite at 0 and 1 (see ``support``).

        Raises InputError when a parameter becomes impossible at some earlier signals, and says at which.
        """
        probability = np.asarray(probability, dtype=np.float64)
        given = self._parameters_at(earlier or {})
        if self.distribution == "uniform":
            quantile = given.get("loc", 0.0) + given.get("scale", 1.0) * probability
            impossible = np.asarray(given.get("scale", 1.0)) <= 0.0
            quantile = np.where(impossible, np.nan, quantile) if np.any(impossible) else quantile
        else:
            with np.errstate(all="ignore"):  # impossible parameters give NaN, which is refused next
                quantile = _continuous(self.distribution).ppf(probability, **given)
        self._refuse_undefined(np.asarray(quantile), given, earlier or {})
        return np.asarray(quantile, dtype=np.float64)

    def level(self, value: Float, earlier: Mapping[str, Float] | None = None) -> Float:
        """F(value | earlier signals), broadcast: the inverse of ``quantile`` where the distribution has a density."""
        value = np.asarray(value, dtype=np.float64)
        given = self._parameters_at(earlier or {})
        if self.distribution == "uniform":
            below = (value - given.get("loc", 0.0)) / given.get("scale", 1.0)
            return np.asarray(np.clip(below, 0.0, 1.0), dtype=np.float64)
        with np.errstate(all="ignore"):
            return np.asarray(_continuous(self.distribution).cdf(value, **given), dtype=np.float64)

    def support(self, earlier: Mapping[str, Float] | None = None) -> tuple[Float, Float]:
        """The lowest and the highest value that the signal can take given the earlier signals, broadcast."""
        return self.quantile(np.float64(0.0), earlier), self.quantile(np.float64(1.0), earlier)  # type: ignore[arg-type]

    def _parameters_at(self, earlier: Mapping[str, Float]) -> dict[str, Any]:
        absent = [name for name in self.conditions if name not in earlier]
        if absent:
            raise InputError(
                f"no values for {', '.join(absent)}",
                where=f"prior {self.distribution}",
                expected="the earlier signals on which the prior depends",
            )
        return {
            name: self._formulas[name](earlier) if name in self._formulas else value
            for name, value in self.parameters.items()
        }

    def _refuse_undefined(
        self, quantile: Float, given: Mapping[str, Any], earlier: Mapping[str, Float]
    ) -> None:
        bad = np.isnan(quantile)
        if not bad.any():
            return
        state = np.unravel_index(int(np.argmax(bad)), quantile.shape)
        shown = {**given, **{name: earlier[name] for name in self.conditions}}
        at = {name: np.broadcast_to(value, quantile.shape)[state] for name, value in shown.items()}
        raise InputError(
            f"impossible parameters of {self.distribution}: "
            + ", ".join(f"{k} = {v:g}" for k, v in at.items()),
            where=f"prior {self.distribution}",
            expected="what scipy.stats accepts (a positive scale, shapes in their range)",
        )

    def check(self, *, where: str) -> None:
        """Raise InputError unless the distribution exists and has these parameters.

        Parameters given as formulas are checked where they are evaluated, in ``quantile``.
        """
        if not isinstance(self.distribution, str):
            raise InputError(
                f"a distribution of type {type(self.distribution).__name__}",
                where=where,
                expected="the name of a continuous distribution of scipy.stats",
            )
        shapes = [] if self.distribution == "uniform" else _shapes(self.distribution, where)
        self._check_names(shapes, where)
        for name, value in self.parameters.items():
            self._check_parameter(name, value, where)
        if not self.conditions:
            try:
                self.quantile(np.array([0.25, 0.5]))
            except InputError as error:
                raise InputError(error.found, where=where, expected=error.expected) from None

    def _check_parameter(self, name: str, value: object, where: str) -> None:
        if isinstance(value, str):
            Formula(value, where=f"{where}.{name}", parameters=self.given)
            return
        if not isinstance(value, float) or not np.isfinite(value):
            raise InputError(f"{name} = {value!r}", where=where, expected="a finite number or formula text")
        largest = LARGEST_SHAPES.get(self.distribution, {}).get(name, np.inf)
        if value > largest:
            raise InputError(
                f"{self.distribution} with {name} = {value:g}, whose quantiles take scipy minutes",
                where=where,
                expected=f"{name} of at most {largest:g}",
                remedy="take the limiting distribution instead",
            )

    def _check_names(self, shapes: list[str], where: str) -> None:
        allowed = [*shapes, "loc", "scale"]
        for name in self.parameters:
            if name not in allowed:
                raise InputError(
                    f"unknown parameter {name!r} of {self.distribution}",
                    where=where,
                    expected=f"one of {', '.join(allowed)}",
                    remedy=nearest(name, allowed),
                )
        lacking = [name for name in shapes if name not in self.parameters]
        if lacking:
            raise InputError(
                f"{self.distribution} without {', '.join(lacking)}",
                where=where,
                expected=f"the parameters {', '.join(shapes)} (loc and scale are optional)",
            )


def _plain(value: Any) -> Any:
    """Numbers of any kind as floats, so that a prior reads back from a file as it was; the rest is for ``check``."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return value
    try:
        return float(value)
    except OverflowError:
        return np.inf


@cache
def _names() -> tuple[str, ...]:
    import scipy.stats  # 0.4 s, and only priors that are not uniform need it

    kind = scipy.stats.rv_continuous
    return tuple(name for name in dir(scipy.stats) if isinstance(getattr(scipy.stats, name), kind))


def _continuous(name: str) -> Any:
    import scipy.stats

    return getattr(scipy.stats, name)


def _shapes(distribution: str, where: str) -> list[str]:
    if distribution not in _names():
        raise InputError(
            f"unknown distribution {distribution!r}",
            where=where,
            expected="a continuous distribution of scipy.stats, such as beta, truncnorm or triang, "
            "or discrete, or empirical",
            remedy=nearest(distribution, list(_names())),
        )
    shapes = _continuous(distribution).shapes
    return [shape.strip() for shape in shapes.split(",")] if shapes else []


UNIFORM = Prior()
