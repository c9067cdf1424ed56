"""Formula text as a function of signals: arithmetic over a short list of names, never evaluated as Python."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.formula_compiler import Compiler, Instruction
from expost.instances.formula_language import is_signal_name

__all__ = ["Formula", "is_signal_name"]


class Formula:
    """A compiled formula. ``text`` as given, ``signals`` the names that it uses in order of appearance, those of
    ``parameters`` left out: these are numbers, put in their places before anything is computed. ``program``: its
    instructions in postfix order (see ``formula_compiler.Instruction``).

    Raises InputError with the position (column, from 1) when the text is not a formula.
    """

    def __init__(
        self, text: str, *, where: str = "formula", parameters: Mapping[str, float] | None = None
    ) -> None:
        self.text, self.parameters = text, dict(parameters or {})
        try:
            self.program = _compiled(text, tuple(sorted(self.parameters.items())))
        except InputError as error:
            raise InputError(error.found, where=where, expected=error.expected, remedy=error.remedy) from None
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
        return isinstance(other, Formula) and (other.text, other.parameters) == (self.text, self.parameters)

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Formula({self.text!r})"

    def __reduce__(self) -> tuple[Any, tuple[str, dict[str, float]]]:
        return (_rebuilt, (self.text, self.parameters))


@lru_cache(maxsize=512)
def _compiled(text: str, parameters: tuple[tuple[str, float], ...]) -> tuple[Instruction, ...]:
    """A file's formulas are looked at when it is checked and used when its instance is built: compiled once."""
    return tuple(Compiler(text, "", dict(parameters)).program())


def _rebuilt(text: str, parameters: dict[str, float]) -> Formula:
    return Formula(text, parameters=parameters)
