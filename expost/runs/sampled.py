"""Values that are Python functions, saved as what they gave on the grid.

A function cannot be written to a file. What is written is its signature, in the place of the formula, and its values
in every state. Read back it stands for itself on that grid and nowhere else.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.environment import Buyer, Instance
from expost.instances.toml_file import instance_from_toml, instance_to_toml
from expost.instances.valuations import Valuation
from expost.spaces.type_space import TypeSpace, open_signals

PARTS = ("value", "externality")
MARK = re.compile(r"python\((\w+(?:, \w+)*)?\)")
"""What stands for a Python function in an instance file of a run."""


def sampled_toml(instance: Instance) -> str:
    """The instance as TOML, a marked signature where a value is a Python function."""
    import tomli_w

    document = tomllib.loads(instance_to_toml(_with_functions(instance, lambda *_: "0")))
    for place, valuation in _functions(instance):
        table = document.setdefault("seller", {}) if place == SELLER else document["buyers"][place[0]]
        table["value" if place == SELLER else place[1]] = f"python({', '.join(valuation.signals)})"
    return tomli_w.dumps(document)


def sampled_arrays(space: TypeSpace) -> dict[str, Float]:
    """The values in every state, by place, of whatever is a Python function; state shape each."""
    signals = open_signals(space.types)
    return {
        _key(place): np.broadcast_to(valuation(signals), space.shape).copy()
        for place, valuation in _functions(space.instance)
    }


def instance_of(text: str, arrays: Mapping[str, Float], where: str) -> Instance:
    """The instance of ``sampled_toml``, functions replaced by what ``arrays`` holds.

    Raises InputError when the text is no instance, or a function has no array.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"malformed TOML: {error}"[:300], where=where, expected="an instance") from None
    marked: dict[Place, tuple[str, ...]] = {}
    for k, buyer in enumerate(document.get("buyers", ())):
        for part in PARTS:
            _unmark(buyer, part, (k, part), marked)
    _unmark(document.get("seller", {}), "value", SELLER, marked)
    if not marked:
        return instance_from_toml(text, where=where)
    import tomli_w

    missing = [_key(place) for place in marked if _key(place) not in arrays]
    if missing:
        raise InputError(
            f"no sampled values of {missing[0]}", where=where, expected="the arrays saved with it"
        )
    plain = instance_from_toml(tomli_w.dumps(document), where=where)
    return _with_functions(
        plain, lambda place, old: Sampled(marked[place], arrays[_key(place)]) if place in marked else old
    )


class Sampled:
    """A function of which only the values in every state of one grid are known."""

    def __init__(self, names: tuple[str, ...], values: Float) -> None:
        self.values = values
        kind = inspect.Parameter.KEYWORD_ONLY
        self.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])

    def __call__(self, **signals: Float) -> Float:
        """The saved values. Raises InputError for signals that are not those of all states of the grid."""
        shape = np.broadcast_shapes(*(np.shape(array) for array in signals.values()))
        if len(shape) != self.values.ndim or any(
            size not in (1, full) for size, full in zip(shape, self.values.shape, strict=True)
        ):
            raise InputError(
                "a Python function that was saved as sampled on its grid",
                where="instance",
                expected="the grid of the saved run",
                remedy="state the instance again with the function",
            )
        return self.values


Place = tuple[int, str]
SELLER: Place = (-1, "value")


def _functions(instance: Instance) -> Iterator[tuple[Place, Valuation]]:
    """The places of an instance that hold Python functions, and these."""
    for k, pair in enumerate(instance.valuations):
        for part, valuation in zip(PARTS, pair, strict=True):
            if valuation.text is None:
                yield (k, part), valuation
    if instance.seller_valuation.text is None:
        yield SELLER, instance.seller_valuation


def _with_functions(instance: Instance, new: Callable[[Place, Any], Any]) -> Instance:
    """The instance with ``new(place, old)`` wherever a value is a Python function, or the text 0."""

    def changed(buyer: Buyer, k: int) -> Buyer:
        parts = {part: getattr(buyer, part) for part in PARTS}
        return replace(buyer, **{part: new((k, part), old) for part, old in parts.items() if _open(old)})

    buyers = tuple(changed(buyer, k) for k, buyer in enumerate(instance.buyers))
    seller = new(SELLER, instance.seller) if _open(instance.seller) else instance.seller
    return replace(instance, buyers=buyers, seller=seller)


def _open(value: Any) -> bool:
    return value == "0" or callable(value)


def _unmark(table: dict[str, Any], part: str, place: Place, marked: dict[Place, tuple[str, ...]]) -> None:
    found = MARK.fullmatch(str(table.get(part, "")))
    if found:
        marked[place] = tuple((found[1] or "").split(", ")) if found[1] else ()
        table[part] = "0"


def _key(place: Place) -> str:
    return "seller" if place == SELLER else f"{place[1]}.{place[0] + 1}"


def sampled_names(instance: Instance) -> list[str]:
    """The places of the instance that hold Python functions, such as ``value.2``."""
    return [_key(place) for place, _ in _functions(instance)]
