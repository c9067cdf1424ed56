"""What a run was asked to do: everything that, with the instance, determines the program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from expost.errors import InputError
from expost.formulations.timing import STATIC
from expost.spaces.type_space import ENDPOINT, MIDPOINT, Grid


@dataclass(frozen=True)
class Settings:
    """Grid, timing, objective and restriction of a run.

    grid: a Grid, or the number of points of every signal.
    timing: static or sequential, or one of them for each buyer, joined by commas.
    first: signals that arrive first, overriding their owners' declared stages (sequential only).
    alpha: weight on welfare; the rest is on revenue.
    conditional: only conditionally efficient rules (Bikhchandani 2006, section 3).
    symmetric: only rules that treat exchangeable buyers alike.
    """

    grid: Grid
    timing: str = STATIC
    first: tuple[str, ...] = ()
    alpha: float = 1.0
    conditional: bool = False
    symmetric: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.grid, Grid):
            object.__setattr__(self, "grid", Grid(self.grid))
        names = self.first.split(",") if isinstance(self.first, str) else self.first
        object.__setattr__(self, "first", tuple(name.strip() for name in names if name.strip()))

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values; ``from_json`` reads them back."""
        offset = self.grid.offset
        points = (
            {MIDPOINT: "midpoint", ENDPOINT: "endpoint"}.get(offset, offset)
            if not isinstance(offset, dict)
            else offset
        )
        counts = self.grid.describe()
        return {
            "grid": counts if isinstance(counts, int) else dict(self.grid.points),  # type: ignore[arg-type]
            "points": points,
            "timing": self.timing,
            "first": list(self.first),
            "objective": objective_name(self.alpha),
            "restrict": "conditional" if self.conditional else None,
            "symmetric": self.symmetric,
        }


def settings_from_json(record: dict[str, Any]) -> Settings:
    """Settings from what ``to_json`` wrote. Raises InputError when a value is not one that it writes."""
    try:
        offset: Any = record["points"]
        if isinstance(offset, str):
            offset = {"midpoint": MIDPOINT, "endpoint": ENDPOINT}[offset]
        return Settings(
            Grid(record["grid"], offset),
            str(record["timing"]),
            tuple(record["first"]),
            _weight(record["objective"]),
            {"conditional": True, None: False}[record["restrict"]],
            bool(record["symmetric"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{type(error).__name__}: {error}",
            where="result.json: settings",
            expected="the settings that expost wrote",
        ) from None


def objective_name(alpha: float) -> str | float:
    """``welfare``, ``revenue`` or the weight on welfare."""
    return {1.0: "welfare", 0.0: "revenue"}.get(alpha, alpha)


def _weight(objective: str | float) -> float:
    named = {"welfare": 1.0, "revenue": 0.0}
    return named[objective] if isinstance(objective, str) else float(objective)
