"""An instance as the plain document that its file holds (tables, lists, text, numbers), and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from expost.errors import InputError
from expost.instances.buyer import Buyer
from expost.instances.environment import Instance
from expost.instances.given_priors import AnyPrior, as_prior
from expost.instances.parameters import checked_parameters, overridden
from expost.instances.priors import Prior
from expost.instances.valuations import Valuation, ValuationLike


def instance_from_document(
    document: Mapping[str, Any],
    parameters: Mapping[str, float] | None = None,
    folder: Path | None = None,
) -> Instance:
    """The instance that a document of the right shape describes (see ``docs/instances.md``).

    parameters: values in place of the document's own. folder: where paths of data files start.
    Raises InputError when names or formulas do not fit together.
    """
    own = checked_parameters(document.get("parameters"))
    joint = document.get("joint")
    return Instance(
        name=document["name"],
        buyers=tuple(_buyer(entry) for entry in document["buyers"]),
        priors={
            signal: as_prior(entry, where=f"priors.{signal}", folder=folder)
            for signal, entry in document.get("priors", {}).items()
        },
        seller=document.get("seller", {}).get("value", "0"),
        citation=document.get("citation", ""),
        parameters=overridden(own, parameters or {}, f"parameters of {document['name']}"),
        joint=None if joint is None else joint["density"],
        units=document.get("units", 1),
    )


def _buyer(entry: Mapping[str, Any]) -> Buyer:
    return Buyer(
        name=entry["name"],
        signals=entry["signals"],
        value=entry["value"],
        externality=entry.get("externality", "0"),
        stages=entry.get("stages"),
        loses_to=entry.get("loses_to"),
    )


def instance_to_document(instance: Instance) -> dict[str, Any]:
    """The document of an instance; what has its default value is left out.

    Raises InputError when a valuation is a callable, which no file can hold.
    """
    document: dict[str, Any] = {"name": instance.name}
    if instance.citation:
        document["citation"] = instance.citation
    if instance.units != 1:
        document["units"] = instance.units
    if instance.parameters:
        document["parameters"] = dict(instance.parameters)
    seller = _text(instance.seller, "seller: value")
    if seller != "0":
        document["seller"] = {"value": seller}
    document["buyers"] = [_entry(buyer) for buyer in instance.buyers]
    if instance.priors:
        document["priors"] = {signal: _table(prior) for signal, prior in instance.priors.items()}
    if instance.joint is not None:
        document["joint"] = {"density": _text(instance.joint, "joint: density")}
    return document


def _table(prior: AnyPrior) -> dict[str, Any]:
    if isinstance(prior, Prior):
        return {"distribution": prior.distribution, **prior.parameters}
    return prior.table()


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
    if buyer.loses_to:
        entry["loses_to"] = {
            winner: _text(felt, f"buyer {buyer.name}: loses_to.{winner}")
            for winner, felt in buyer.loses_to.items()
        }
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
