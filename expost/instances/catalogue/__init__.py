"""The catalogue: one TOML file per example of the papers, cited, with parameters that can be set.

A file of the catalogue is an instance file with two keys more: ``description``, one line, and
``parameters``, numbers that stand in its formulas as ``{name}``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from numbers import Real
from typing import Any

from expost.errors import InputError
from expost.instances.documents import instance_from_document
from expost.instances.environment import Instance
from expost.instances.priors import nearest
from expost.instances.valuations import number_text

_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Entry:
    """A line of the catalogue: ``signals`` per buyer, ``parameters`` with their defaults."""

    name: str
    buyers: tuple[str, ...]
    signals: tuple[tuple[str, ...], ...]
    citation: str
    description: str
    parameters: Mapping[str, float]


def names() -> tuple[str, ...]:
    """The names of all instances of the catalogue, in alphabetical order."""
    found = (entry.name for entry in files(__name__).iterdir() if entry.name.endswith(".toml"))
    return tuple(sorted(name.removesuffix(".toml") for name in found))


def load(name: str, **parameters: float) -> Instance:
    """The instance ``name``, with the given parameters in place of their defaults.

    Raises InputError for an unknown name or parameter and for a parameter that is no finite number.
    """
    document = dict(_document(name))
    given = _parameters(name, document.pop("parameters", {}), parameters)
    del document["description"]
    return instance_from_document(_filled(document, given))


def describe() -> tuple[Entry, ...]:
    """One entry per instance, in alphabetical order."""
    return tuple(_entry(name) for name in names())


def _entry(name: str) -> Entry:
    document = _document(name)
    buyers = document["buyers"]
    return Entry(
        name=name,
        buyers=tuple(buyer["name"] for buyer in buyers),
        signals=tuple(tuple(buyer["signals"]) for buyer in buyers),
        citation=document["citation"],
        description=document["description"],
        parameters=dict(document.get("parameters", {})),
    )


@cache
def _document(name: str) -> Mapping[str, Any]:
    known = names()
    if name not in known:
        raise InputError(
            f"no instance {name!r} in the catalogue",
            expected=f"one of {', '.join(known)}",
            remedy=nearest(name, list(known)),
        )
    return tomllib.loads(files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


def _parameters(name: str, defaults: Mapping[str, float], given: Mapping[str, float]) -> dict[str, str]:
    for key, value in given.items():
        where = f"catalogue instance {name}"
        if key not in defaults:
            raise InputError(
                f"unknown parameter {key!r}",
                where=where,
                expected=f"one of {', '.join(defaults)}" if defaults else "no parameters",
                remedy=nearest(key, list(defaults)),
            )
        if isinstance(value, bool) or not isinstance(value, Real):
            raise InputError(f"{key} = {value!r}", where=where, expected="a number")
    texts = {k: number_text(v, where=f"parameter {k}") for k, v in {**defaults, **given}.items()}
    return {key: f"({text})" if text.startswith("-") else text for key, text in texts.items()}


def _filled(part: Any, texts: Mapping[str, str]) -> Any:
    """The document with every ``{parameter}`` in its texts replaced by the number."""
    if isinstance(part, str):
        return _PLACE.sub(lambda place: texts[place[1]], part)
    if isinstance(part, list):
        return [_filled(item, texts) for item in part]
    if isinstance(part, dict):
        return {key: _filled(item, texts) for key, item in part.items()}
    return part
