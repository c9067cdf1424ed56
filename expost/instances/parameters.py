"""Parameters of an instance: named numbers that its formulas, Python functions and priors may use."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from expost.errors import InputError
from expost.instances.formula import is_signal_name
from expost.instances.formula_language import LARGEST
from expost.instances.words import nearest

Parameters = Mapping[str, float]
NONE: Parameters = {}


def checked_parameters(given: Any, where: str = "parameters") -> dict[str, float]:
    """The parameters as floats by name. Raises InputError for what is no name or no finite number."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InputError(f"{type(given).__name__}", where=where, expected='numbers by name: {"k": 1.0}')
    return {checked_name(name, where): checked_number(name, value, where) for name, value in given.items()}


def checked_name(name: Any, where: str) -> str:
    """The name itself. Raises InputError unless formulas read it as one."""
    if not isinstance(name, str) or not is_signal_name(name):
        raise InputError(
            f"a parameter named {name!r}",
            where=where,
            expected="a name like k (letters, digits, _) that is no function or constant of formulas",
        )
    return name


def checked_number(name: str, value: Any, where: str) -> float:
    """The value as a float. Raises InputError unless it is a finite number of usual size."""
    if value is None:
        raise InputError(f"{name} without a value", where=where, expected=f"a number: {name} = 1.0")
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise InputError(f"{name} = {value!r}", where=where, expected="a number")
    try:
        number = float(value)
    except OverflowError:
        number = np.inf
    if not np.isfinite(number):
        raise InputError(f"{name} = {number}", where=where, expected="a finite number")
    if abs(number) > LARGEST:
        raise InputError(
            f"{name} = {number:g}, astronomically large", where=where, expected=f"less than {LARGEST:g}"
        )
    return number


def is_parameter(value: Any) -> bool:
    """Whether ``value`` can be that of a parameter."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        return False
    try:
        return bool(np.isfinite(float(value)))
    except OverflowError:
        return False


def overridden(defaults: Parameters, given: Mapping[str, Any], where: str) -> dict[str, float]:
    """``defaults`` with the ``given`` in their place. Raises InputError for a parameter without a default."""
    for name in given:
        if name not in defaults:
            raise InputError(
                f"unknown parameter {name!r}",
                where=where,
                expected=f"one of {', '.join(defaults)}" if defaults else "no parameters",
                remedy=nearest(str(name), list(defaults)),
            )
    return {**defaults, **{name: checked_number(name, value, where) for name, value in given.items()}}
