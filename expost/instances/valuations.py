"""Valuations: formula text or Python callables, as one kind of object."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.formula import Formula
from expost.instances.parameters import NONE, Parameters


class Valuation:
    """A function of named signals; ``signals`` are the names it uses, ``text`` its formula or None, ``constants`` what
    a callable gets besides signals: parameters of the instance, by name.

    Calling it gives float64 in an array of its own, C-contiguous, of the broadcast shape of all the
    signals passed (also of those that it does not use), without numpy warnings: NaN and infinities
    are for the caller to find (see ``expost.instances.non_finite_witness``).
    """

    signals: tuple[str, ...]
    text: str | None

    def __init__(
        self,
        function: Callable[..., Any],
        signals: tuple[str, ...],
        text: str | None,
        where: str,
        constants: Parameters = NONE,
    ) -> None:
        self._function, self.signals, self.text, self._where = function, signals, text, where
        self._constants = dict(constants)
        self.is_zero = text is not None and text.strip() in ("0", "0.0")
        """Whether the text says 0: most externalities, which need not be computed."""

    def __call__(self, signals: Mapping[str, Float]) -> Float:
        """The value at the given signals, float64 of their broadcast shape.

        Raises InputError when a signal is missing or a callable returns something else than such numbers.
        """
        missing = [name for name in self.signals if name not in signals]
        if missing:
            raise InputError(
                f"no values for {', '.join(missing)}",
                where=self._where,
                expected="an array for every signal that the valuation uses",
            )
        shape = np.broadcast_shapes(*(np.shape(array) for array in signals.values()))
        if self.text is not None:
            return _own(self._function(signals), shape)
        with np.errstate(all="ignore"):
            given = {name: signals[name] for name in self.signals} | self._constants
            return self._checked(self._function(**given), shape)

    @property
    def function(self) -> Callable[..., Any]:
        """What is called: the user's callable, or a compiled formula."""
        return self._function

    def bound(self, parameters: Parameters) -> Valuation:
        """The same callable with the parameters that it names given; a formula is bound when it is compiled."""
        named = {name: parameters[name] for name in self.signals if name in parameters}
        if not named or self.text is not None:
            return self
        rest = tuple(name for name in self.signals if name not in named)
        return Valuation(self._function, rest, None, self._where, {**self._constants, **named})

    def _checked(self, result: Any, shape: tuple[int, ...]) -> Float:
        array = np.asarray(result)
        if array.dtype.kind not in "biuf":
            raise InputError(
                f"the callable returned {array.dtype}", where=self._where, expected="real numbers"
            )
        try:
            return _own(array, shape)
        except ValueError:
            raise InputError(
                f"the callable returned an array of shape {array.shape}",
                where=self._where,
                expected=f"one that broadcasts to {shape}",
            ) from None

    def __repr__(self) -> str:
        return f"Valuation({self.text if self.text is not None else self._function!r})"


ValuationLike = str | float | Callable[..., Float] | Valuation


def _own(result: Any, shape: tuple[int, ...]) -> Float:
    """A fresh contiguous array: a formula such as "p1" would otherwise hand out the caller's own signal."""
    array = np.empty(shape)
    array[...] = result
    return array


def as_valuation(value: ValuationLike, *, where: str, parameters: Parameters = NONE) -> Valuation:
    """A Valuation from formula text, a number, a callable of keyword arrays, or a Valuation.

    A callable is called with one keyword array per signal and one number per parameter of the instance that it
    names; what has a default and is no parameter of the instance is left alone. ``where`` names the place in messages.

    Raises InputError for a formula that is refused, a number that is not finite, and a callable whose
    parameters cannot be passed by name.
    """
    if isinstance(value, Valuation):
        return value.bound(parameters)
    if isinstance(value, str):
        formula = Formula(value, where=where, parameters=parameters)
        return Valuation(formula, formula.signals, value, where)
    if isinstance(value, Real) and not isinstance(value, bool):
        return as_valuation(number_text(value, where=where), where=where)
    if callable(value):
        return Valuation(value, _arguments(value, where, parameters), None, where).bound(parameters)
    raise InputError(
        f"a value of type {type(value).__name__}",
        where=where,
        expected="formula text, a number or a callable",
    )


def number_text(value: Real | float, *, where: str) -> str:
    """The formula that is this number. Raises InputError when it is not finite."""
    try:
        number = float(value)
    except OverflowError:
        raise InputError(
            "an astronomically large number", where=where, expected="one that a float holds"
        ) from None
    if not np.isfinite(number):
        raise InputError(f"the number {number}", where=where, expected="a finite one")
    return repr(number)


def plain_valuation(value: ValuationLike, where: str) -> ValuationLike:
    """Numbers and compiled formulas become text, so that an instance reads back from a file as it was."""
    if isinstance(value, Real) and not isinstance(value, bool):
        return number_text(value, where=where)
    if isinstance(value, Valuation) and value.text is not None:
        return value.text
    return value


def _arguments(function: Callable[..., Any], where: str, given: Parameters) -> tuple[str, ...]:
    """The names that a callable is called with: those without a default, and the parameters of the instance."""
    try:
        arguments = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise InputError(
            "a callable whose parameters cannot be read",
            where=where,
            expected="parameters named like signals",
            remedy="wrap it in a lambda",
        ) from None
    names = []
    for argument in arguments:
        if argument.kind not in (argument.POSITIONAL_OR_KEYWORD, argument.KEYWORD_ONLY):
            raise InputError(
                f"a callable with the parameter {argument}",
                where=where,
                expected="parameters named like signals",
                remedy="wrap it in a lambda",
            )
        if argument.default is argument.empty or argument.name in given:
            names.append(argument.name)
    return tuple(names)
