"""Formula text as a function of signals: arithmetic over a short list of names, never evaluated as Python.

The text is parsed into a syntax tree, every node of the tree is looked up in a fixed table, and what the
tables do not hold is refused with its position. What remains becomes a list of numpy operations for a
stack machine, so that depth of nesting costs no recursion.
"""

from __future__ import annotations

import ast
import keyword
import operator
import unicodedata
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from expost.errors import InputError

Float = NDArray[np.float64]
Operation = Callable[..., Any]

LONGEST = 10_000
"""Characters a formula may have: longer ones are refused before the parser, which they could exhaust, sees them."""
LARGEST = 1e100
"""Absolute value that a constant part of a formula may have."""
CONSTANTS = {"pi": float(np.pi)}
ALLOWED = (
    "numbers, signals, pi, + - * / **, comparisons < <= > >= == !=, parentheses, "
    "min, max, exp, log, sqrt, abs, where(condition, a, b), sin, cos"
)


def _compare(operators: Sequence[Operation], *operands: Any) -> Any:
    """A chain of comparisons as 1.0 where all hold and 0.0 elsewhere."""
    links = (op(a, b) for op, (a, b) in zip(operators, pairwise(operands), strict=True))
    return np.asarray(reduce(np.logical_and, links), dtype=np.float64)


def _where(condition: Any, then: Any, otherwise: Any) -> Any:
    return np.where(np.not_equal(condition, 0.0), then, otherwise)


def _many(operation: Operation, *operands: Any) -> Any:
    return reduce(operation, operands)


_BINARY: dict[type[ast.operator], Operation] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_UNARY: dict[type[ast.unaryop], Operation] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_COMPARISON: dict[type[ast.cmpop], Operation] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
_FUNCTIONS: dict[str, tuple[Operation, int, int]] = {
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
RESERVED = frozenset(_FUNCTIONS) | frozenset(CONSTANTS)
"""Names that mean something in a formula, so that no signal can have them."""

_SAID_OTHERWISE: dict[type[ast.AST], tuple[str, str]] = {
    ast.BoolOp: ("'and' or 'or'", "multiply comparisons, take their max, or chain them"),
    ast.IfExp: ("'if ... else'", "write where(condition, a, b)"),
    ast.Attribute: ("an attribute", ""),
    ast.Subscript: ("a subscript", ""),
    ast.Lambda: ("a lambda", ""),
    ast.NamedExpr: ("an assignment ':='", ""),
    ast.Tuple: ("a tuple", "separate arguments only inside a function's parentheses"),
    ast.JoinedStr: ("a text", ""),
    ast.Starred: ("a starred argument", ""),
}


class Formula:
    """A compiled formula. ``text`` as given, ``signals`` the names that it uses in order of appearance.

    Raises InputError with the position (column, from 1) when the text is not a formula.
    """

    def __init__(self, text: str, *, where: str = "formula") -> None:
        self.text = text
        self._program = _Compiler(text, where).program()
        self.signals = tuple(dict.fromkeys(name for name, _, _ in self._program if name))

    def __call__(self, signals: Mapping[str, Float]) -> Any:
        """The value at the given signals, of the broadcast shape of those that the formula uses.

        Never warns: what is undefined comes out as NaN, what overflows as infinite.
        """
        stack: list[Any] = []
        with np.errstate(all="ignore"):
            for name, operation, arity in self._program:
                if operation is None:
                    stack.append(np.asarray(signals[name], dtype=np.float64) if name else arity)
                    continue
                operands = stack[-int(arity) :]
                del stack[-int(arity) :]
                stack.append(operation(*operands))
        return stack.pop()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Formula({self.text!r})"

    def __reduce__(self) -> tuple[type[Formula], tuple[str]]:
        return (Formula, (self.text,))


Instruction = tuple[str, Operation | None, float]
"""(signal, None, 0) loads a signal, ("", None, x) a constant, ("", operation, k) applies it to k operands."""


class _Compiler:
    """One pass over one formula; keeps the text for the messages."""

    def __init__(self, text: str, where: str) -> None:
        self.text, self.where = text, where

    def program(self) -> list[Instruction]:
        """The instructions in postfix order, constant parts folded."""
        code: list[Instruction] = []
        pending: list[tuple[ast.AST, bool]] = [(self._parse(), False)]
        while pending:
            node, ready = pending.pop()
            operands = self._operands(node)
            if operands and not ready:
                pending.append((node, True))
                pending.extend((operand, False) for operand in reversed(operands))
            else:
                self._emit(code, node, len(operands))
        return code

    def _parse(self) -> ast.expr:
        if len(self.text) > LONGEST:
            raise InputError(f"a formula of {len(self.text)} characters", where=self.where,
                             expected=f"at most {LONGEST}", remedy="write it as a Python callable")
        if not self.text.strip():
            raise InputError("an empty formula", where=self.where, expected=ALLOWED, remedy='write "0" for zero')
        if "#" in self.text:
            raise self._refusal("a comment '#'", self.text.index("#"))
        # A formula may run over several lines of a file; blanks keep every column where it was.
        line = "".join(" " if char.isspace() else char for char in self.text)
        indent = len(line) - len(line.lstrip())
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(line.strip(), mode="eval").body
        except SyntaxError as error:
            at = min(max((error.offset or 1) - 1, 0) + indent, len(self.text))
            raise self._refusal("a syntax error", at) from None
        except (RecursionError, MemoryError):
            raise self._refusal("parentheses or signs nested too deeply", 0) from None
        except ValueError:  # null bytes, lone surrogates, integers of thousands of digits
            raise self._refusal("text that is not a formula", 0) from None

    def _refusal(self, found: str, at: int, remedy: str = "") -> InputError:
        shown = self.text if len(self.text) <= 60 else self.text[:57] + "..."
        return InputError(f"{found} at column {at + 1} of {ascii(shown)}", where=self.where,
                          expected=f"only {ALLOWED}", remedy=remedy)

    def _at(self, node: ast.AST) -> int:
        stripped = self.text.lstrip()
        bytes_before = stripped.encode()[: getattr(node, "col_offset", 0)]
        return len(self.text) - len(stripped) + len(bytes_before.decode(errors="ignore"))

    def _refuse(self, node: ast.AST, found: str, remedy: str = "") -> InputError:
        return self._refusal(found, self._at(node), remedy)

    def _operands(self, node: ast.AST) -> list[ast.expr]:
        """The children whose values the node combines."""
        if isinstance(node, ast.BinOp):
            return [node.left, node.right]
        if isinstance(node, ast.UnaryOp):
            return [node.operand]
        if isinstance(node, ast.Compare):
            return [node.left, *node.comparators]
        if isinstance(node, ast.Call):
            return self._arguments(node)
        return []

    def _arguments(self, call: ast.Call) -> list[ast.expr]:
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name not in _FUNCTIONS:
            raise self._refuse(call, f"a call of {name!r}" if name else "a call of something that is no function")
        if call.keywords:
            raise self._refuse(call, f"a named argument of {name}")
        _, fewest, most = _FUNCTIONS[name]
        if not fewest <= len(call.args) <= most:
            wanted = f"{fewest}" if fewest == most else f"{fewest} or more"
            raise self._refuse(call, f"{name} with {len(call.args)} arguments", f"give it {wanted}")
        return call.args

    def _emit(self, code: list[Instruction], node: ast.AST, arity: int) -> None:
        if arity == 0:
            code.append(self._leaf(node))
            return
        operation = self._operation(node)
        operands = code[-arity:]
        if any(name or applied for name, applied, _ in operands):
            code.append(("", operation, arity))
            return
        with np.errstate(all="ignore"):
            value = float(operation(*(np.float64(constant) for _, _, constant in operands)))
        code[-arity:] = [("", None, self._constant(node, value))]

    def _operation(self, node: ast.AST) -> Operation:
        found: Operation | None = None
        if isinstance(node, ast.BinOp):
            found = _BINARY.get(type(node.op))
        elif isinstance(node, ast.UnaryOp):
            found = _UNARY.get(type(node.op))
        elif isinstance(node, ast.Compare) and all(type(op) in _COMPARISON for op in node.ops):
            found = partial(_compare, [_COMPARISON[type(op)] for op in node.ops])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found = _FUNCTIONS[node.func.id][0]
        if found is None:
            raise self._refuse(node, "an operator that is not listed")
        return found

    def _leaf(self, node: ast.AST) -> Instruction:
        if isinstance(node, ast.Name):
            if node.id in CONSTANTS:
                return ("", None, CONSTANTS[node.id])
            if node.id in _FUNCTIONS:
                raise self._refuse(node, f"the function {node.id} without arguments")
            return (node.id, None, 0.0)
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            try:
                return ("", None, self._constant(node, float(node.value)))
            except OverflowError:
                raise self._refuse(node, "an astronomically large constant") from None
        if isinstance(node, ast.Constant):
            raise self._refuse(node, f"{type(node.value).__name__} {ascii(node.value)[:40]}")
        found, remedy = _SAID_OTHERWISE.get(type(node), (f"Python's {type(node).__name__}", ""))
        raise self._refuse(node, found, remedy)

    def _constant(self, node: ast.AST, value: float) -> float:
        if np.isnan(value):
            raise self._refuse(node, "a constant part that has no value")
        if abs(value) > LARGEST:
            raise self._refuse(node, "an astronomically large constant", f"stay below {LARGEST:g}")
        return value


def is_signal_name(name: str) -> bool:
    """Whether ``name`` can be a signal: an identifier as formulas read it, and no word with a meaning there."""
    return (
        name.isidentifier()
        and unicodedata.normalize("NFKC", name) == name
        and not keyword.iskeyword(name)
        and name not in RESERVED
    )
