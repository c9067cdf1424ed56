"""Values that are Python functions, in the file of an instance.

A function cannot be written to a file. What is written is its signature, in the place of the formula; who reads the
file says what stands for the function.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from expost._typing import Float
from expost.errors import InputError
from expost.instances.environment import Buyer, Instance
from expost.instances.toml_file import instance_from_toml, instance_to_toml
from expost.instances.valuations import Valuation

PARTS = ("value", "externality")
MARK = re.compile(r"python\((\w+(?:, \w+)*)?\)")
"""What stands for a Python function in the file."""

Place = tuple[int, str]
SELLER: Place = (-1, "value")


def functions_of(instance: Instance) -> Iterator[tuple[str, Valuation]]:
    """The places of an instance that hold Python functions, such as ``value.2``, and these."""
    return ((_key(place), valuation) for place, valuation in _functions(instance))


def function_names(instance: Instance) -> list[str]:
    """The places of the instance that hold Python functions, such as ``value.2``."""
    return [name for name, _ in functions_of(instance)]


def marked_toml(instance: Instance) -> str:
    """The instance as TOML, a marked signature where a value is a Python function."""
    import tomli_w

    document = tomllib.loads(instance_to_toml(_with_functions(instance, lambda *_: "0")))
    for place, valuation in _functions(instance):
        table = document.setdefault("seller", {}) if place == SELLER else document["buyers"][place[0]]
        table["value" if place == SELLER else place[1]] = f"python({', '.join(valuation.signals)})"
    return tomli_w.dumps(document)


def instance_from_marked(
    text: str, stand_in: Callable[[str, tuple[str, ...]], Callable[..., Float]], where: str
) -> Instance:
    """The instance of ``marked_toml``; ``stand_in`` gives, for the name of a place and the signals of the function that
    it held, what stands for that. Raises InputError when the text is no instance."""
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

    held = {place: stand_in(_key(place), names) for place, names in marked.items()}
    plain = instance_from_toml(tomli_w.dumps(document), where=where)
    return _with_functions(plain, held.get)


def signature_of(names: tuple[str, ...]) -> inspect.Signature:
    """That of a function of these signals."""
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature([inspect.Parameter(name, kind) for name in names])


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
