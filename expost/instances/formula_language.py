"""What a formula may hold: the words of the language, each with the numpy operation that it stands for."""

from __future__ import annotations

import ast
import keyword
import operator
import unicodedata
from collections.abc import Callable, Sequence
from functools import partial, reduce
from itertools import pairwise
from typing import Any

import numpy as np

from expost.instances.words import LONGEST_NAME

Operation = Callable[..., Any]

LONGEST = 10_000
"""Characters a formula may have: longer ones are refused before the parser, which they could exhaust."""
LARGEST = 1e100
"""Absolute value that a constant part of a formula may have."""
CONSTANTS = {"pi": float(np.pi)}
ALLOWED = (
    "numbers, signals, parameters, pi, + - * / **, comparisons < <= > >= == !=, parentheses, "
    "min, max, exp, log, sqrt, abs, where(condition, a, b), sin, cos"
)


def compare(operators: Sequence[Operation], *operands: Any) -> Any:
    """A chain of comparisons as 1.0 where all hold and 0.0 elsewhere."""
    links = (op(a, b) for op, (a, b) in zip(operators, pairwise(operands), strict=True))
    return np.asarray(reduce(np.logical_and, links), dtype=np.float64)


def _where(condition: Any, then: Any, otherwise: Any) -> Any:
    return np.where(np.not_equal(condition, 0.0), then, otherwise)


def _many(operation: Operation, *operands: Any) -> Any:
    return reduce(operation, operands)


BINARY: dict[type[ast.operator], Operation] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
UNARY: dict[type[ast.unaryop], Operation] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
COMPARISON: dict[type[ast.cmpop], Operation] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
FUNCTIONS: dict[str, tuple[Operation, int, int]] = {
    "min": (partial(_many, np.minimum), 2, LONGEST),
    "max": (partial(_many, np.maximum), 2, LONGEST),
    "exp": (np.exp, 1, 1),
    "log": (np.log, 1, 1),
    "sqrt": (np.sqrt, 1, 1),
    "abs": (np.abs, 1, 1),
    "sin": (np.sin, 1, 1),
    "cos": (np.cos, 1, 1),
    "where": (_where, 3, 3),
}
RESERVED = frozenset(FUNCTIONS) | frozenset(CONSTANTS)
"""Names that mean something in a formula, so that no signal can have them."""


def is_signal_name(name: str) -> bool:
    """Whether ``name`` can be a signal: an identifier as formulas read it, without a meaning of its own."""
    return (
        len(name) <= LONGEST_NAME
        and name.isidentifier()
        and unicodedata.normalize("NFKC", name) == name
        and not keyword.iskeyword(name)
        and name not in RESERVED
    )
