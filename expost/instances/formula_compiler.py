"""From formula text to a list of numpy operations in postfix order, refusing all that is not in the language.

The text is parsed into a syntax tree and never evaluated as Python: every node is looked up in the tables
of ``formula_language``; what they do not hold is refused with its position.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from functools import partial

import numpy as np

from expost.errors import InputError
from expost.instances.formula_language import (
    ALLOWED,
    BINARY,
    COMPARISON,
    CONSTANTS,
    FUNCTIONS,
    LARGEST,
    LONGEST,
    UNARY,
    Operation,
    compare,
)

Instruction = tuple[str, Operation | None, float]
"""(signal, None, 0) loads a signal, ("", None, x) a constant, ("", operation, k) applies it to k operands."""

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


class Compiler:
    """One pass over one formula; keeps the text for the messages. ``parameters`` are names that stand for numbers."""

    def __init__(self, text: str, where: str, parameters: Mapping[str, float]) -> None:
        self.text, self.where, self.parameters = text, where, parameters

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
            raise InputError(
                f"a formula of {len(self.text)} characters",
                where=self.where,
                expected=f"at most {LONGEST}",
                remedy="write it as a Python callable",
            )
        if not self.text.strip():
            raise InputError(
                "an empty formula", where=self.where, expected=ALLOWED, remedy='write "0" for zero'
            )
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
            at = indent + error.offset - 1 if error.offset else len(self.text)
            raise self._refusal("a syntax error", min(at, len(self.text))) from None
        except (RecursionError, MemoryError):
            raise self._refusal("parentheses, signs or sums nested too deeply", 0) from None
        except ValueError:  # null bytes, lone surrogates, integers of thousands of digits
            raise self._refusal("text that is not a formula", 0) from None

    def _refusal(self, found: str, at: int, remedy: str = "") -> InputError:
        shown = self.text if len(self.text) <= 60 else self.text[:57] + "..."
        return InputError(
            f"{found} at column {at + 1} of {shown!a}",
            where=self.where,
            expected=f"only {ALLOWED}",
            remedy=remedy,
        )

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
        if name not in FUNCTIONS:
            raise self._refuse(call, f"a call of {name!r}" if name else "a call of what is no function")
        if call.keywords:
            raise self._refuse(call, f"a named argument of {name}")
        _, fewest, most = FUNCTIONS[name]
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
            found = BINARY.get(type(node.op))
        elif isinstance(node, ast.UnaryOp):
            found = UNARY.get(type(node.op))
        elif isinstance(node, ast.Compare) and all(type(op) in COMPARISON for op in node.ops):
            found = partial(compare, [COMPARISON[type(op)] for op in node.ops])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found = FUNCTIONS[node.func.id][0]
        if found is None:
            raise self._refuse(node, "an operator that is not listed")
        return found

    def _leaf(self, node: ast.AST) -> Instruction:
        if isinstance(node, ast.Name):
            if node.id in CONSTANTS:
                return ("", None, CONSTANTS[node.id])
            if node.id in FUNCTIONS:
                raise self._refuse(node, f"the function {node.id} without arguments")
            if node.id in self.parameters:
                return ("", None, self._constant(node, self.parameters[node.id]))
            return (node.id, None, 0.0)
        if (
            isinstance(node, ast.Constant)
            and not isinstance(node.value, bool)
            and isinstance(node.value, (int, float))
        ):
            try:
                return ("", None, self._constant(node, float(node.value)))
            except OverflowError:
                raise self._refuse(node, "an astronomically large constant") from None
        if isinstance(node, ast.Constant):
            raise self._refuse(node, f"{type(node.value).__name__} {ascii(node.value)[:40]}")
        found, remedy = _SAID_OTHERWISE.get(type(node), (f"Python's {type(node).__name__}", ""))
        raise self._refuse(node, found, remedy)

    def _constant(self, node: ast.AST, value: float) -> float:
        if not np.isfinite(value):
            raise self._refuse(node, "a constant part without a finite value")
        if abs(value) > LARGEST:
            raise self._refuse(node, "an astronomically large constant", f"stay below {LARGEST:g}")
        return value
