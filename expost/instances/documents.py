"""An instance as the plain document that its file holds (tables, lists, text, numbers), and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from expost.errors import InputError
from expost.instances.environment import Buyer, Instance
from expost.instances.priors import Prior
from expost.instances.valuations import Valuation, ValuationLike


def instance_from_document(document: Mapping[str, Any]) -> Instance:
    """The instance that a document of the right shape describes (see ``docs/instances.md``).

    Raises InputError when names or formulas do not fit together.
    """
    return Instance(
        name=document["name"],
        buyers=tuple(_buyer(entry) for entry in document["buyers"]),
        priors={signal: _prior(entry) for signal, entry in document.get("priors", {}).items()},
        seller=document.get("seller", {}).get("value", "0"),
        citation=document.get("citation", ""),
    )


def _prior(entry: Mapping[str, Any]) -> Prior:
    parameters = dict(entry)
    return Prior(parameters.pop("distribution", "uniform"), parameters)


def _buyer(entry: Mapping[str, Any]) -> Buyer:
    stages = entry.get("stages")
    return Buyer(
        name=entry["name"],
        signals=tuple(entry["signals"]),
        value=entry["value"],
        externality=entry.get("externality", "0"),
        stages=None if stages is None else tuple(tuple(stage) for stage in stages),
    )


def instance_to_document(instance: Instance) -> dict[str, Any]:
    """The document of an instance; what has its default value is left out.

    Raises InputError when a valuation is a callable, which no file can hold.
    """
    document: dict[str, Any] = {"name": instance.name}
    if instance.citation:
        document["citation"] = instance.citation
    seller = _text(instance.seller, "seller: value")
    if seller != "0":
        document["seller"] = {"value": seller}
    document["buyers"] = [_entry(buyer) for buyer in instance.buyers]
    if instance.priors:
        document["priors"] = {
            signal: {"distribution": prior.distribution, **prior.parameters}
            for signal, prior in instance.priors.items()
        }
    return document


def _entry(buyer: Buyer) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": buyer.name,
        "signals": list(buyer.signals),
        "value": _text(buyer.value, f"buyer {buyer.name}: value"),
    }
    externality = _text(buyer.externality, f"buyer {buyer.name}: externality")
    if externality != "0":
        entry["externality"] = externality
    if buyer.stages is not None:
        entry["stages"] = [list(stage) for stage in buyer.stages]
    return entry


def _text(value: ValuationLike, where: str) -> str:
    text = value.text if isinstance(value, Valuation) else value
    if not isinstance(text, str):
        raise InputError(
            "a Python callable, which a file cannot hold",
            where=where,
            expected="formula text",
            remedy="give the valuation as a formula to write the instance",
        )
    return text
