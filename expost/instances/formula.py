"""Formula text as a function of signals: arithmetic over a short list of names, never evaluated as Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from expost._typing import Float
from expost.instances.formula_compiler import Compiler
from expost.instances.formula_language import is_signal_name

__all__ = ["Formula", "is_signal_name"]


class Formula:
    """A compiled formula. ``text`` as given, ``signals`` the names that it uses in order of appearance,
    ``program`` its instructions in postfix order (see ``formula_compiler.Instruction``).

    Raises InputError with the position (column, from 1) when the text is not a formula.
    """

    def __init__(self, text: str, *, where: str = "formula") -> None:
        self.text = text
        self.program = tuple(Compiler(text, where).program())
        self.signals = tuple(dict.fromkeys(name for name, _, _ in self.program if name))

    def __call__(self, signals: Mapping[str, Float]) -> Any:
        """The value at the given signals, of the broadcast shape of those that the formula uses.

        Never warns: what is undefined comes out as NaN, what overflows as infinite.
        """
        stack: list[Any] = []
        with np.errstate(all="ignore"):
            for name, operation, arity in self.program:
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
