"""The record of a run, and the only home of the keys of its JSON.

``result.json`` holds exactly these keys; ``solve --json`` prints the same and the folder written. See
``docs/files.md`` for their meaning and units; the version below changes when a key does.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from expost.errors import InputError

SCHEMA_VERSION = 2
ADDED: dict[int, dict[str, Any]] = {2: {"share": None, "sampled": [], "symmetric": False}}
"""Keys that a version brought, with what older records mean by leaving them out."""


@dataclass(frozen=True)
class Record:
    """What a run reports. Welfare, revenue and the like are expectations on the finite type space, in units of
    value; None stands for an infinite bound."""

    schema: int
    expost: str
    instance: str
    timing: str
    first: list[str]
    grid: int | dict[str, int]
    points: str | float | dict[str, float]
    objective: str | float
    restrict: str | None
    symmetric: bool
    backend: str
    status: str
    value: float
    welfare: float
    upper_bound: float | None
    certified_upper_bound: float | None
    gap: float | None
    first_best: float
    no_sale: float
    share: float | None
    revenue: float
    sold: float
    states: int
    binaries: int
    variables: int
    arcs: int
    scale_exponent: int | None
    rounding: float | None
    audit_worst_gain: float
    audit_allowed_gain: float
    sampled: list[str]
    details: dict[str, Any]
    seconds: dict[str, float]
    peak_memory_mb: float

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values."""
        return asdict(self)

    def to_json(self) -> str:
        """The record as JSON text."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"


def share_of(welfare: float, first_best: float, no_sale: float) -> float | None:
    """(welfare - no sale) / (first best - no sale); None where even the first best gains nothing."""
    gain = first_best - no_sale
    return (welfare - no_sale) / gain if gain > 0.0 else None


def record_from_json(text: str) -> Record:
    """The record in ``text``, of this schema or an older one. Raises InputError when it is none."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"not JSON ({error})", where="result.json", expected="the file that expost wrote"
        ) from None
    schema = data.get("schema") if isinstance(data, dict) else None
    if not isinstance(schema, int) or not 1 <= schema <= SCHEMA_VERSION:
        raise InputError("another schema", where="result.json", expected=f"a schema up to {SCHEMA_VERSION}")
    added = {key: value for version, keys in ADDED.items() if version > schema for key, value in keys.items()}
    names = {field.name for field in fields(Record)} - set(added)
    if set(data) != names:
        odd = sorted(set(data) ^ names)
        raise InputError(
            f"keys missing or unknown: {', '.join(odd)}"[:300],
            where="result.json",
            expected="exactly the keys of the schema",
        )
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Record).validate_json(json.dumps(data | added), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{place}: {first['msg']}"[:300], where="result.json", expected="values of the schema"
        ) from None


def finite(number: float) -> float | None:
    """The number, or None where it is infinite or not a number (JSON has neither)."""
    return number if math.isfinite(number) else None
