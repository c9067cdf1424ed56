"""Mechanisms of the user's own: prices or strikes by formula, by Python function, or left to be completed.

``Prices({"1": "p2 + a*c2**b", "2": "complete"}, a=0.5, b=1.5)`` says nothing of an instance yet; ``bind`` gives the
functions for one, and refuses whatever a price may not depend on.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.environment import Instance
from expost.instances.parameters import checked_parameters
from expost.instances.valuations import Valuation, as_valuation
from expost.instances.words import nearest
from expost.mechanisms.given import first_signal

Term: TypeAlias = "str | float | Callable[..., Float] | None"

COMPLETE = "complete"
"""In the place of a formula: the lowest admissible price, given everybody else's."""
LARGEST_FILE = 100_000
"""Bytes that a mechanism file may have."""


@dataclass(frozen=True, init=False)
class Stated:
    """What prices and strikes have in common.

    terms: by buyer's name a formula, a number, a function of named signals, or None where the buyer is completed.
    parameters: numbers that formulas and functions may use beside those of the instance. name: what it is called.
    """

    terms: Mapping[str, Term]
    parameters: Mapping[str, float]
    name: str
    table: ClassVar[str] = "terms"

    def __init__(self, terms: Mapping[str, Term], *, name: str = "mine", **parameters: float) -> None:
        if not isinstance(terms, Mapping) or not terms:
            raise InputError(
                f"{terms!r}"[:60],
                where=self.table,
                expected="a formula or a function for each buyer, by his name",
                remedy='for example ex.Prices({"1": "p2 + c2**2", "2": "complete"})',
            )
        kept = {str(buyer): None if term == COMPLETE else term for buyer, term in terms.items()}
        object.__setattr__(self, "terms", kept)
        object.__setattr__(self, "parameters", checked_parameters(parameters))
        object.__setattr__(self, "name", name)

    def with_parameters(self, **parameters: float) -> Stated:
        """The same with other numbers. Raises InputError for a parameter that it does not have."""
        for name in parameters:
            if name not in self.parameters:
                raise InputError(
                    f"unknown parameter {name!r}",
                    where="parameters",
                    expected=f"one of {', '.join(self.parameters)}" if self.parameters else "no parameters",
                    remedy=nearest(name, list(self.parameters)),
                )
        return type(self)(self.terms, name=self.name, **{**self.parameters, **parameters})

    def formulas(self) -> dict[str, str]:
        """The terms as text, by buyer; a function as its repr, a completed buyer as ``complete``."""
        return {
            buyer: COMPLETE if term is None else term if isinstance(term, str) else repr(term)
            for buyer, term in self.terms.items()
        }

    def valuations(self, instance: Instance, allowed: Callable[[int], list[str]]) -> list[Valuation | None]:
        """The terms of each buyer for ``instance``; ``allowed(i)`` are the signals that his may use.

        Raises InputError for an unknown buyer, a formula that is refused, and a signal that is not allowed.
        """
        names = [buyer.name for buyer in instance.buyers]
        for buyer in self.terms:
            if buyer not in names:
                raise InputError(
                    f"no buyer {buyer!r} in {instance.name}",
                    where=self.table,
                    expected=f"one of {', '.join(names)}",
                    remedy=nearest(buyer, names),
                )
        numbers = {**instance.parameters, **self.parameters}
        clash = [name for name in self.parameters if name in instance.signals]
        if clash:
            raise InputError(
                f"{clash[0]!r} is both a parameter and a signal",
                where="parameters",
                expected="different names",
            )
        return [self._valuation(i, name, numbers, allowed(i)) for i, name in enumerate(names)]

    def _valuation(
        self, i: int, buyer: str, numbers: Mapping[str, float], allowed: list[str]
    ) -> Valuation | None:
        del i
        term = self.terms.get(buyer)
        if term is None:
            return None
        where = f"{self.table}.{buyer}"
        valuation = as_valuation(term, where=where, parameters=numbers)
        strange = [name for name in valuation.signals if name not in allowed]
        if strange:
            raise InputError(
                f"uses {strange[0]!r}",
                where=where,
                expected=f"only {', '.join(allowed) or 'numbers'}"
                + (f" and the parameters {', '.join(numbers)}" if numbers else ""),
                remedy=nearest(strange[0], [*allowed, *numbers]) or self._rule(),
            )
        return valuation

    def _rule(self) -> str:
        raise NotImplementedError


class Prices(Stated):
    """Prices of one's own for static timing: for each buyer a formula or function of the *others'* signals.

    A buyer left out, None or ``"complete"`` is completed: his is the lowest price that is admissible given the others'.
    """

    table: ClassVar[str] = "prices"

    def bind(self, instance: Instance) -> OwnPrices:
        """The price functions for ``instance``. Raises InputError for what a price may not depend on."""

        def others(i: int) -> list[str]:
            own = instance.buyers[i].signals
            return [name for name in instance.signals if name not in own]

        return OwnPrices(instance, tuple(self.valuations(instance, others)), self.parameters, self.name)

    def _rule(self) -> str:
        return "a price may not depend on the buyer's own signals (Bikhchandani 2006, Lemma 1)"


class Strikes(Stated):
    """Strikes of one's own for sequential timing: for each buyer a formula or function of his first-stage signal and
    the others' signals, which must not rise in the first (Zik, Theorem 2). A buyer left out, None or ``"complete"`` is
    completed: the lowest schedule that the others' admit."""

    table: ClassVar[str] = "strikes"

    def bind(self, instance: Instance) -> OwnStrikes:
        """The strike functions for ``instance``. Raises InputError for what a strike may not depend on."""

        def known(i: int) -> list[str]:
            own, first = instance.buyers[i].signals, first_signal(instance, i)
            return [name for name in instance.signals if name not in own or name == first]

        return OwnStrikes(instance, tuple(self.valuations(instance, known)), self.name)

    def _rule(self) -> str:
        return "a strike may depend on the buyer's first signal and on the others' (Zik 2.3)"


@dataclass(frozen=True, eq=False)
class OwnPrices:
    """Price functions for one instance; ``functions[i]`` is None where buyer ``i`` has none yet."""

    instance: Instance
    functions: tuple[Valuation | None, ...] = field(repr=False)
    parameters: Mapping[str, float] = field(default_factory=dict)
    name: str = "mine"
    citation: str = "the user's own"
    accuracy: float = 0.0

    @property
    def open(self) -> tuple[int, ...]:
        """The buyers without a price."""
        return tuple(i for i, function in enumerate(self.functions) if function is None)

    def price(self, i: int, signals: Mapping[str, Float]) -> Float:
        """Buyer ``i``'s price at the others' ``signals``, arrays that broadcast together; +inf where he has none."""
        function = self.functions[i]
        shape = np.broadcast_shapes(*(np.shape(column) for column in signals.values()))
        if function is None:
            return np.full(shape, np.inf)
        return _number(function(signals), f"prices.{self.instance.buyers[i].name}", signals)

    def texts(self) -> list[str] | None:
        """The formulas, where all are: for a proof by cells."""
        found = [None if function is None else function.text for function in self.functions]
        return None if any(text is None for text in found) else [str(text) for text in found]


@dataclass(frozen=True, eq=False)
class OwnStrikes:
    """Strike functions for one instance; ``functions[i]`` is None where buyer ``i`` has none yet."""

    instance: Instance
    functions: tuple[Valuation | None, ...] = field(repr=False)
    name: str = "mine"
    citation: str = "the user's own"
    accuracy: float = 0.0

    @property
    def open(self) -> tuple[int, ...]:
        """The buyers without a strike."""
        return tuple(i for i, function in enumerate(self.functions) if function is None)

    def strike(self, i: int, first: Float, signals: Mapping[str, Float]) -> Float:
        """Buyer ``i``'s strike at his first signal and the others' ``signals``, all broadcasting together; +inf where
        he has none."""
        known = {**signals, first_signal(self.instance, i): first}
        function = self.functions[i]
        if function is None:
            return np.full(np.broadcast_shapes(*(np.shape(column) for column in known.values())), np.inf)
        return _number(function(known), f"strikes.{self.instance.buyers[i].name}", known)


def _number(found: Float, where: str, signals: Mapping[str, Float]) -> Float:
    """The array itself. Raises InputError where it is not a number, saying at which signals."""
    bad = np.isnan(found)
    if bad.any():
        at = np.unravel_index(int(np.argmax(bad)), found.shape)
        state = ", ".join(
            f"{name} = {np.broadcast_to(column, found.shape)[at]:.6g}" for name, column in signals.items()
        )
        raise InputError(f"not a number at {state}", where=where, expected="a number at all signals")
    return found


def read_stated(path: Path) -> Prices | Strikes:
    """The mechanism in a TOML file: ``name``, ``[parameters]``, and ``[prices]`` or ``[strikes]``, one formula a buyer.

    Raises InputError when it is no such file.
    """
    try:
        if not path.is_file():
            raise InputError("no such file", where=str(path)[:80], expected="a mechanism file")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise InputError("too large", where=str(path)[:80], expected="a mechanism file")
        document = tomllib.loads(content.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"cannot be read: {error}"[:200], where=str(path)[:80], expected="a TOML file"
        ) from None
    return _from_document(document, str(path)[:80])


def _from_document(document: dict[str, Any], where: str) -> Prices | Strikes:
    kinds: dict[str, type[Prices] | type[Strikes]] = {"prices": Prices, "strikes": Strikes}
    present = [kind for kind in kinds if kind in document]
    unknown = sorted(set(document) - {"name", "parameters", *kinds})
    if unknown or len(present) != 1:
        raise InputError(
            f"unknown key {unknown[0]!r}"[:80] if unknown else f"{' and '.join(present) or 'no terms'}",
            where=where,
            expected="name, [parameters], and one of [prices] and [strikes]",
        )
    terms, parameters = document[present[0]], document.get("parameters", {})
    if not isinstance(terms, dict) or not all(isinstance(term, str | int | float) for term in terms.values()):
        raise InputError(
            "terms that are no formulas", where=f"{where}: {present[0]}", expected="formulas by buyer"
        )
    kept = checked_parameters(parameters, f"{where}: parameters")
    made = kinds[present[0]](terms, name=str(document.get("name", Path(where).stem)))
    object.__setattr__(made, "parameters", kept)  # names that are Python keywords are fine in a file
    return made


def parse_stated(text: str) -> Prices:
    """Prices on one line: ``1: p2 + c2**2; 2: complete``. Raises InputError for anything else."""
    terms: dict[str, Term] = {}
    for part in text.split(";"):
        if not part.strip():
            continue
        buyer, colon, formula = (piece.strip() for piece in part.partition(":"))
        if not colon or not buyer or not formula or buyer in terms:
            raise InputError(
                f"{part.strip()!r}"[:60],
                where="prices",
                expected='BUYER: FORMULA, each buyer once, separated by ";"',
                remedy="for example '1: p2 + c2**2; 2: complete'",
            )
        terms[buyer] = formula
    return Prices(terms, name="typed")
