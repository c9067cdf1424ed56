"""Several items: buyers with a value for each item, and how they value bundles (Bikhchandani 2006, Appendix B).

A bundle is a bit mask over the items: item k is in bundle L iff ``L >> k & 1``. Values per item are as in an instance
of one item; how a buyer values bundles is a function of his values for their items.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from expost._typing import Float
from expost.errors import InputError
from expost.instances.environment import Buyer, Instance
from expost.instances.parameters import checked_parameters, overridden
from expost.instances.toml_file import parse_document, read_document
from expost.instances.valuations import Valuation, ValuationLike, as_valuation

Signals = Mapping[str, Float]

MOST_ITEMS = 12

BundleValue = Callable[[Float, int, Signals], Float]
"""``f(singles, bundle, signals)``: ``singles`` (K, ..) the buyer's values per item, ``bundle`` of two items or more."""


def additive(singles: Float, bundle: int, signals: Signals) -> Float:
    """The sum of the values of the bundle's items."""
    del signals
    return singles[_members(bundle, len(singles))].sum(axis=0)


def unit_demand(singles: Float, bundle: int, signals: Signals) -> Float:
    """The highest value of the bundle's items."""
    del signals
    return singles[_members(bundle, len(singles))].max(axis=0)


def decreasing(*weights: float) -> BundleValue:
    """The r-th highest value of the bundle's items counts ``weights[r]`` (the last weight from there on).

    With weights that start at 1 and fall this is subadditive; (1,) is additive and (1, 0) unit demand.
    """

    def value(singles: Float, bundle: int, signals: Signals) -> Float:
        del signals
        ranked = -np.sort(-singles[_members(bundle, len(singles))], axis=0)
        each = np.array([weights[min(r, len(weights) - 1)] for r in range(len(ranked))])
        return np.tensordot(each, ranked, axes=1)

    return value


def stated(formulas: Mapping[int, ValuationLike]) -> BundleValue:
    """Bundles with a formula each, by mask. Raises InputError for a bundle without one."""
    compiled = {
        bundle: as_valuation(formula, where=f"bundle {bundle:b}") for bundle, formula in formulas.items()
    }

    def value(singles: Float, bundle: int, signals: Signals) -> Float:
        del singles
        if bundle not in compiled:
            raise InputError(
                f"no value for bundle {bundle:b}", where="several items", expected="one for every bundle"
            )
        return compiled[bundle](signals)

    return value


def _members(bundle: int, items: int) -> list[int]:
    return [k for k in range(items) if bundle >> k & 1]


@dataclass(frozen=True)
class ItemsBuyer:
    """A buyer of several items: his signals, his value for each item alone, and how he values bundles."""

    name: str
    signals: tuple[str, ...]
    values: tuple[ValuationLike, ...]
    bundle: BundleValue = additive

    @cached_property
    def valuations(self) -> tuple[Valuation, ...]:
        """V_i^k for each item k."""
        return tuple(
            as_valuation(value, where=f"buyer {self.name}: item {k}") for k, value in enumerate(self.values)
        )


@dataclass(frozen=True)
class ItemsInstance:
    """Buyers of several items (Bikhchandani 2006, Appendix B); all signals lie in [0, 1].

    document: the tables of the file that it was read from, which write it back; None for one made in Python.

    Raises InputError when a buyer has not one value per item, or there are too many items to enumerate bundles.
    """

    name: str
    items: tuple[str, ...]
    buyers: tuple[ItemsBuyer, ...]
    citation: str = ""
    document: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.items) <= MOST_ITEMS:
            raise InputError(f"{len(self.items)} items", where=self.name, expected=f"1 to {MOST_ITEMS}")
        for buyer in self.buyers:
            if len(buyer.values) != len(self.items):
                raise InputError(
                    f"{len(buyer.values)} values for {len(self.items)} items",
                    where=f"{self.name}: buyer {buyer.name}",
                    expected="one value per item",
                )

    @property
    def bundles(self) -> int:
        """How many bundles there are, the empty one included."""
        return 1 << len(self.items)

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of all signals, buyer by buyer."""
        return tuple(signal for buyer in self.buyers for signal in buyer.signals)

    def item(self, k: int) -> Instance:
        """The instance of item ``k`` alone, with the signals that matter for it (at least one per buyer)."""
        used = {name for buyer in self.buyers for name in buyer.valuations[k].signals}
        buyers = tuple(
            Buyer(b.name, tuple(name for name in b.signals if name in used) or b.signals[:1], b.values[k])
            for b in self.buyers
        )
        return Instance(f"{self.name}: item {self.items[k]}", buyers)

    def bundle_values(self, i: int, signals: Signals) -> Float:
        """V_i^L(s) for every bundle L, shape (2^K, ..); 0 for the empty one."""
        singles = np.stack([value(signals) for value in self.buyers[i].valuations])
        values = np.zeros((self.bundles, *singles.shape[1:]))
        for bundle in range(1, self.bundles):
            members = _members(bundle, len(self.items))
            alone = len(members) == 1
            values[bundle] = singles[members[0]] if alone else self.buyers[i].bundle(singles, bundle, signals)
        return values


CATALOGUE = ("example3", "example3-unit-demand")
KINDS: Mapping[str, BundleValue] = {"additive": additive, "unit-demand": unit_demand}


def load_items(name: str | Path | ItemsInstance, **parameters: float) -> ItemsInstance:
    """The instance of several items of a TOML file or of the catalogue; keywords override its parameters.

    Raises InputError, naming the place, for a file that is not one.
    """
    if isinstance(name, ItemsInstance):
        return name
    if str(name) in CATALOGUE:
        text = files("expost.instances.items_catalogue").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    else:
        text = read_document(Path(name))
    return items_from_toml(text, str(name), parameters)


def items_from_toml(text: str, where: str, parameters: Mapping[str, float]) -> ItemsInstance:
    """The instance that TOML text describes; ``where`` names it in messages. Raises InputError when it is none."""
    return items_from_document(parse_document(text, where), parameters, where)


def items_from_document(
    document: Mapping[str, Any], parameters: Mapping[str, float], where: str = ""
) -> ItemsInstance:
    """The instance that a document describes (see ``docs/items.md``). Raises InputError for one of another shape."""
    from expost.instances.file_model import ItemsFile, check_document

    check_document(document, where=where, parameters=parameters, shape=ItemsFile)
    names = document["items"]
    if len(names) > MOST_ITEMS or len(set(names)) < len(names):
        raise InputError(
            f"{len(names)} items", where="items", expected=f"at most {MOST_ITEMS}, no name twice"
        )
    own = checked_parameters(document.get("parameters"))
    numbers = overridden(own, parameters, "parameters")
    buyers = tuple(_items_buyer(entry, tuple(names), numbers) for entry in document["buyers"])
    found = ItemsInstance(
        str(document.get("name", "items")), tuple(names), buyers, str(document.get("citation", ""))
    )
    _check_signals(found)
    parameters_used = {"parameters": numbers} if numbers else {}
    return replace(found, document={**document, **parameters_used})


def items_to_toml(instance: ItemsInstance) -> str:
    """The TOML text that reads back as ``instance``. Raises InputError for one that was made in Python."""
    if instance.document is None:
        raise InputError(
            "an instance made in Python, whose bundle values a file cannot hold",
            where="instance",
            expected="a TOML file or a document",
            remedy="state it as a TOML file to save what was found",
        )
    import tomli_w

    text: str = tomli_w.dumps(instance.document)
    return text


def _items_buyer(
    entry: Mapping[str, Any], items: tuple[str, ...], numbers: Mapping[str, float]
) -> ItemsBuyer:
    where = f"buyer {entry['name']}"
    if "timing" in entry or "stages" in entry:
        raise InputError(
            "two stages",
            where=f"{where}: stages",
            expected="static timing: several items under sequential timing are not covered",
        )
    values = entry["values"]
    if set(values) != set(items):
        raise InputError(
            f"values for {sorted(values)}", where=where, expected=f"one for each of {', '.join(items)}"
        )
    singles = tuple(_filled(values[item], numbers) for item in items)
    bundle = _bundle_rule(entry.get("bundles", "additive"), items, numbers, where)
    return ItemsBuyer(str(entry["name"]), tuple(entry["signals"]), singles, bundle)


def _bundle_rule(given: Any, items: tuple[str, ...], numbers: Mapping[str, float], where: str) -> BundleValue:
    """``additive``, ``unit-demand``, weights by rank, or a formula for each bundle of two items and more ("a+b")."""
    if isinstance(given, str) and given in KINDS:
        return KINDS[given]
    if (
        isinstance(given, list)
        and given
        and all(isinstance(w, int | float) and math.isfinite(w) for w in given)
    ):
        return decreasing(*(float(w) for w in given))
    if isinstance(given, Mapping):
        formulas = {_mask(name, items, where): _filled(formula, numbers) for name, formula in given.items()}
        missing = [b for b in range(1 << len(items)) if b.bit_count() > 1 and b not in formulas]
        if missing:
            name = "+".join(items[k] for k in _members(missing[0], len(items)))
            raise InputError(
                f"no value for {name}", where=f"{where}: bundles", expected="one for every bundle"
            )
        return stated(formulas)
    raise InputError(
        f"{given!r}",
        where=f"{where}: bundles",
        expected='"additive", "unit-demand", weights by rank as [1.0, 0.5], or formulas as {"a+b" = "..."}',
    )


def _mask(name: str, items: tuple[str, ...], where: str) -> int:
    parts = [part.strip() for part in name.split("+")]
    unknown = [part for part in parts if part not in items]
    if unknown:
        raise InputError(
            f"unknown item {unknown[0]!r}", where=f"{where}: bundles", expected=f"of {', '.join(items)}"
        )
    return sum(1 << items.index(part) for part in set(parts))


def _filled(formula: Any, numbers: Mapping[str, float]) -> str:
    """The formula with parameters written out."""
    if not isinstance(formula, str):
        return repr(float(formula))
    for name, value in numbers.items():
        formula = re.sub(rf"\b{re.escape(name)}\b", f"({value!r})", formula)
    return formula


def _check_signals(instance: ItemsInstance) -> None:
    if len(set(instance.signals)) < len(instance.signals):
        raise InputError(
            "a signal declared twice", where=instance.name, expected="each signal with one buyer"
        )
    for buyer in instance.buyers:
        for item, valuation in zip(instance.items, buyer.valuations, strict=True):
            odd = [name for name in valuation.signals if name not in instance.signals]
            if odd:
                raise InputError(
                    f"unknown signal {odd[0]!r}",
                    where=f"buyer {buyer.name}: values.{item}",
                    expected=f"of {', '.join(instance.signals)}",
                )
