"""``epsilon``: externalities among buyers, and welfare against how much anybody may gain by lying."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._shown import Shown
from expost.errors import InputError
from expost.formulations.epsilon import LosesTo, winner_outcomes
from expost.formulations.outcomes import OutcomeRule, best_outcomes
from expost.runs.arguments import GridLike, InstanceLike, grid_of, limit_of, load
from expost.runs.record import finite, share_of
from expost.spaces.type_space import discretize

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class EpsilonFrontier(Shown):
    """The best mechanism for every epsilon asked for, on one grid, static timing."""

    instance: str
    grid: int | str
    epsilons: tuple[float, ...]
    rules: tuple[OutcomeRule, ...] = field(repr=False)
    seconds: float

    @property
    def welfare(self) -> float:
        """Expected welfare at the first epsilon (unit: values)."""
        return self.rules[0].welfare

    @property
    def upper_bound(self) -> float:
        """Branch and bound's bound at the first epsilon."""
        return self.rules[0].upper_bound

    @property
    def first_best(self) -> float:
        """Expected welfare when nobody can lie, externalities counted."""
        return self.rules[0].outcomes.first_best

    @property
    def table(self) -> pd.DataFrame:
        """One row an epsilon: welfare, bound, share of the first best, the largest gain from another report."""
        import pandas as pd

        return pd.DataFrame(self._rows())

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                "epsilon": epsilon,
                "welfare": rule.welfare,
                "upper_bound": finite(rule.upper_bound),
                "gap": finite(rule.gap),
                "share": share_of(rule.welfare, self.first_best, 0.0),
                "worst_gain": rule.audit.worst_gain,
                "status": str(rule.status),
            }
            for epsilon, rule in zip(self.epsilons, self.rules, strict=True)
        ]

    def to_frame(self) -> pd.DataFrame:
        """The same as ``table``."""
        return self.table

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "instance": self.instance,
            "grid": self.grid,
            "first_best": self.first_best,
            "welfare": self.welfare,
            "upper_bound": finite(self.upper_bound),
            "rows": self._rows(),
            "seconds": self.seconds,
        }

    def summary(self) -> str:
        """One line an epsilon."""
        lines = [f"{self.instance}, grid {self.grid}: first best {self.first_best:.6f}"]
        for epsilon, rule in zip(self.epsilons, self.rules, strict=True):
            lines.append(
                f"epsilon {epsilon:g}: welfare {rule.welfare:.6f}, at most {rule.upper_bound:.6f} ({rule.status})"
            )
        return "\n".join(lines)


def epsilon(
    instance: InstanceLike,
    grid: GridLike = 2,
    epsilon: float | Sequence[float] = 0.0,
    *,
    loses_to: LosesTo | None = None,
    time_limit: float | None = 60.0,
) -> EpsilonFrontier:
    """The best deterministic mechanism from which nobody gains more than ``epsilon`` by another report (static timing).

    epsilon: one number or several (unit: values); 0 is ex post incentive compatibility. loses_to: what a buyer
    feels when another wins, ``{"1": {"2": "-0.1*p2"}}``; society counts it. time_limit: seconds for each epsilon;
    the best rule by then is returned with the gap that is left.

    Raises InputError for unusable input or a size out of reach, LimitReached when a limit came before any rule.
    """
    started = time.perf_counter()
    stated, limit = load(instance), limit_of(time_limit)
    values = _numbers(epsilon)
    space = discretize(stated, grid_of(grid))
    rules: list[OutcomeRule] = []
    for each in values:
        outcomes = winner_outcomes(space, loses_to, each)
        start = rules[-1].choice if rules and each >= rules[-1].outcomes.epsilon else None
        rules.append(best_outcomes(outcomes, time_limit=limit, start=start))
    return EpsilonFrontier(
        stated.name, space.grid.describe(), values, tuple(rules), time.perf_counter() - started
    )


def _numbers(epsilon: float | Sequence[float]) -> tuple[float, ...]:
    """One number or several. Raises InputError for anything else."""
    given: Any = [epsilon] if isinstance(epsilon, Real) else epsilon
    several = isinstance(given, list | tuple | np.ndarray) and len(given) > 0
    if not several or not all(isinstance(e, Real) and not isinstance(e, bool) for e in given):
        raise InputError(f"{epsilon!r:.60}", where="epsilon", expected="one number or several")
    return tuple(float(e) for e in given)
