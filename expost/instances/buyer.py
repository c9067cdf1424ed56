"""A buyer: the signals he observes and what the item is worth to him."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from expost.errors import InputError
from expost.instances.valuations import ValuationLike, plain_valuation


@dataclass(frozen=True, init=False)
class Buyer:
    """A buyer: the signals he observes, in order of arrival, and what the item is worth.

    value: V_i, formula text or a callable of the signals that it uses (any buyer's).
    externality: E_i, what society gets on top of V_i when this buyer gets the item.
    stages: the signals of the first and of the second stage; by default the first-listed signal
    comes first and the others second.
    loses_to: what he feels when another buyer wins, by that buyer's name (``{"2": "-0.1*p2"}``); society counts it.

    Raises InputError when signals or stages are no lists of names, or ``loses_to`` is no mapping.
    """

    name: str
    signals: tuple[str, ...]
    value: ValuationLike
    externality: ValuationLike
    stages: tuple[tuple[str, ...], ...] | None
    loses_to: Mapping[str, ValuationLike]

    def __init__(
        self,
        name: str,
        signals: Sequence[str],
        value: ValuationLike,
        externality: ValuationLike = "0",
        stages: Sequence[Sequence[str]] | None = None,
        loses_to: Mapping[str, ValuationLike] | None = None,
    ) -> None:
        where = f"buyer {name}"
        fields = {
            "name": name,
            "signals": _names(signals, f"{where}: signals"),
            "value": plain_valuation(value, f"{where}: value"),
            "externality": plain_valuation(externality, f"{where}: externality"),
            "stages": None if stages is None else _stages(stages, f"{where}: stages"),
            "loses_to": _feelings({} if loses_to is None else loses_to, f"{where}: loses_to"),
        }
        for field, content in fields.items():
            object.__setattr__(self, field, content)


def _feelings(loses_to: object, where: str) -> dict[str, ValuationLike]:
    if not isinstance(loses_to, Mapping):
        raise InputError(
            f"{loses_to!r:.60}", where=where, expected='a formula by the winner\'s name: {"2": "-0.1*p2"}'
        )
    return {str(name): plain_valuation(felt, f"{where}.{name}") for name, felt in loses_to.items()}


def _stages(stages: object, where: str) -> tuple[tuple[str, ...], ...]:
    if isinstance(stages, str) or not isinstance(stages, (tuple, list)):
        raise InputError(f"{stages!r}", where=where, expected="a list of two lists of names")
    return tuple(_names(stage, where) for stage in stages)


def _names(names: object, where: str) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, (tuple, list)):
        raise InputError(f"{names!r}", where=where, expected='a list of names: ["p1", "c1"]')
    return tuple(names)
