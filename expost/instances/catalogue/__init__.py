"""The catalogue: one TOML file per example of the papers, cited, with parameters that can be set.

A file of the catalogue is an instance file with one key more: ``description``, one line.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from expost.errors import InputError
from expost.instances.documents import instance_from_document
from expost.instances.environment import Instance
from expost.instances.words import nearest


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
    return instance_from_document(_document(name), parameters)


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
            f"no instance {name!r:.60} in the catalogue",
            expected=f"one of {', '.join(known)}",
            remedy=nearest(name, list(known)),
        )
    return tomllib.loads(files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))
