"""``lottery_bracket``: the continuum's best stochastic mechanism between two bounds, saved and checked again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from expost._limits import limited
from expost.brackets.lotteries import LotteryBounds
from expost.brackets.lotteries import lottery_bracket as search
from expost.brackets.lotteries.lower import best_deviation, welfare_replicate
from expost.brackets.lotteries.tables import Stage, stage_of
from expost.brackets.lotteries.upper import value_at
from expost.brackets.records import LOWER, UPPER, Bound
from expost.brackets.statistics import one_sided
from expost.errors import CheckFailed
from expost.instances.toml_file import instance_from_toml, instance_to_toml
from expost.mechanisms.continuum.lottery_options import OPTION_NOTES, LotteryOptions
from expost.runs.answers import ARRAYS, INSTANCE, Answer, Tables, write_answer
from expost.runs.arguments import InstanceLike, limit_of, load, seed_of
from expost.runs.checks import Check
from expost.tolerances import INCENTIVE

LOTTERY_BRACKET = "lottery-bracket"
FRESH = 0.9999
"""Confidence of a comparison with a fresh sample: a right bracket fails it once in some thousand times."""
REPLICATES = 8
MOST = 4096
"""Options, strikes, first-stage types or replicates of a saved bracket, at most."""
LOOSE = 100.0
"""How many times ``INCENTIVE`` a menu of the continuum may be off: edges are bisected, sums are over samples."""


@dataclass(frozen=True, eq=False, repr=False)
class LotteryBracket(LotteryBounds):
    """Bounds on the best stochastic mechanism of one buyer in two stages: everything that ``LotteryBounds`` holds."""

    @property
    def scale(self) -> float:
        """The size of the figures, to which they are compared."""
        return max(abs(self.upper.value), abs(self.lower.value))

    def tables(self) -> Tables:
        """The menu as a saved table."""
        return {"menu": (self.mechanism.columns(), OPTION_NOTES)}

    def save(self, out: str | Path) -> Path:
        """Write both sides, the menu and the multipliers that the upper side rests on to the new folder ``out``.

        Raises InputError when it exists or cannot be written, and for values that are Python functions.
        """
        held = self.mechanism
        arrays = {
            "edges": held.edges,
            "strike": held.strike,
            "probability": held.probability,
            "fee": held.fee,
            "offsets": self.offsets,
            "flows": self.flows,
        }
        toml = instance_to_toml(held.instance)
        return write_answer(out, LOTTERY_BRACKET, self.to_dict(), toml, arrays, self.tables())

    def audited(self) -> str:
        """What the audit of the menu saw, at first-stage types other than those of the search."""
        gain = self._deviation()
        span = float(self.mechanism.strike.max(initial=0.0) - self.mechanism.strike.min(initial=0.0)) or 1.0
        if gain > LOOSE * INCENTIVE * span:
            raise CheckFailed(f"a first-stage type gains {gain:.3g} by another option")
        return f"nobody gains more than {gain:.3g} by another option"

    def _stage(self) -> Stage:
        return stage_of(self.mechanism.instance, self.first)

    def _deviation(self) -> float:
        return best_deviation(self._stage(), self.mechanism, 509)

    def bound_checks(self, record: Mapping[str, Any]) -> Iterator[Check]:
        """Both sides on fresh samples: the menu's welfare, and the value of the saved multipliers."""
        del record
        stage, rng = self._stage(), np.random.default_rng()
        kept = stage.seller(4096, rng)
        fresh = one_sided(
            [welfare_replicate(stage, self.mechanism, rng) + kept for _ in range(REPLICATES)], FRESH
        )
        held = self.lower.value <= fresh.mean + fresh.error
        yield Check(
            "lower side", held, f"recorded {self.lower.value!r}, fresh {fresh.mean:.6f} +- {fresh.error:.2g}"
        )
        values = [
            value_at(stage, float(offset), flows, rng) + kept
            for offset, flows in zip(self.offsets, self.flows, strict=True)
        ]
        fresh = one_sided(values, FRESH)
        held = self.upper.value >= fresh.mean - fresh.error
        yield Check(
            "upper side", held, f"recorded {self.upper.value!r}, fresh {fresh.mean:.6f} +- {fresh.error:.2g}"
        )
        yield Check("lower <= upper", self.lower.value <= self.upper.value, f"width {self.width:.3g}")
        for bound, sign in ((self.lower, -1.0), (self.upper, 1.0)):
            arithmetic = abs(bound.estimate + sign * bound.error - bound.value) <= 1e-12 * self.scale
            yield Check(
                f"{bound.side}: estimate and error", arithmetic and bound.error >= 0.0, f"{bound.value!r}"
            )


@limited
def lottery_bracket(
    instance: InstanceLike,
    accuracy: float = 0.01,
    time_limit: float | None = 60.0,
    *,
    first: str | None = None,
    seed: int = 0,
) -> LotteryBracket:
    """Bounds on the best stochastic mechanism of one buyer in two stages, in the continuum.

    The lower side is a lottery menu with audited incentives, the upper side the dual of the program with first-stage
    types at random offsets. Raises InputError for several buyers or a buyer of one stage, LimitReached when the limit
    came before both sides.
    """
    found = search(load(instance), accuracy, limit_of(time_limit), first=first, seed=seed_of(seed))
    return LotteryBracket(**vars(found))


def open_lottery_bracket(answer: Answer) -> LotteryBracket:
    """The saved bracket. Raises InputError and CheckFailed when parts are missing or do not fit together."""
    record, members = answer.record, answer.archive.members
    instance = instance_from_toml(answer.toml, where=INSTANCE)
    sizes = [members[name].shape for name in ("probability", "flows")]
    if len(sizes[0]) != 2 or len(sizes[1]) != 4 or max(*sizes[0], *sizes[1]) > MOST:
        raise CheckFailed(f"{ARRAYS}: {sizes} are no menu and multipliers")
    (options, strikes), (count, _, types, _) = sizes
    arrays = answer.arrays(
        {
            "edges": (options + 1,),
            "strike": (strikes,),
            "probability": (options, strikes),
            "fee": (options,),
            "offsets": (count,),
            "flows": (count, 2, types, types),
        }
    )
    _check_menu(arrays)
    mechanism = LotteryOptions(
        instance,
        str(record["first"]),
        arrays["edges"],
        arrays["strike"],
        arrays["probability"],
        arrays["fee"],
    )
    sides = {side: Bound(side=side, **record[side]) for side in (LOWER, UPPER)}
    return LotteryBracket(
        instance.name,
        str(record["first"]),
        sides[LOWER],
        sides[UPPER],
        float(record["accuracy"]),
        float(record["confidence"]),
        float(record["seconds"]),
        float(record["incentive_gain"]),
        mechanism,
        arrays["offsets"],
        arrays["flows"],
        tuple(sides.values()),
    )


def _check_menu(arrays: Mapping[str, Any]) -> None:
    """Raise CheckFailed unless these are options: probabilities, rising strikes and edges from 0 to 1, multipliers."""
    chance, edges = arrays["probability"], arrays["edges"]
    whole = chance.min(initial=0.0) >= 0.0 and chance.sum(axis=1).max(initial=0.0) <= 1.0 + INCENTIVE
    ordered = (np.diff(edges) >= 0.0).all() and edges[0] == 0.0 and edges[-1] == 1.0
    rising = (np.diff(arrays["strike"]) >= 0.0).all()
    inside = ((arrays["offsets"] >= 0.0) & (arrays["offsets"] <= 1.0)).all() and (
        arrays["flows"] >= 0.0
    ).all()
    if not (whole and ordered and rising and inside):
        raise CheckFailed(f"{ARRAYS}: what is saved is no menu with multipliers")
