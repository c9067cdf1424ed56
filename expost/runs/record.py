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

SCHEMA_VERSION = 1


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
    backend: str
    status: str
    value: float
    welfare: float
    upper_bound: float | None
    certified_upper_bound: float | None
    gap: float | None
    first_best: float
    no_sale: float
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
    details: dict[str, Any]
    seconds: dict[str, float]
    peak_memory_mb: float

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values."""
        return asdict(self)

    def to_json(self) -> str:
        """The record as JSON text."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"


def record_from_json(text: str) -> Record:
    """The record in ``text``. Raises InputError when it is not one of this version."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"not JSON ({error})", where="result.json", expected="the file that expost wrote"
        ) from None
    names = {field.name for field in fields(Record)}
    if not isinstance(data, dict) or data.get("schema") != SCHEMA_VERSION:
        raise InputError("another schema", where="result.json", expected=f"schema {SCHEMA_VERSION}")
    if set(data) != names:
        odd = sorted(set(data) ^ names)
        raise InputError(
            f"keys missing or unknown: {', '.join(odd)}",
            where="result.json",
            expected="exactly the keys of the schema",
        )
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Record).validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{place}: {first['msg']}", where="result.json", expected="values of the schema"
        ) from None


def finite(number: float) -> float | None:
    """The number, or None where it is infinite or not a number (JSON has neither)."""
    return number if math.isfinite(number) else None
