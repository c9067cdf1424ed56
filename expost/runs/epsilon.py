"""``epsilon``: externalities among buyers, and welfare against how much anybody may gain by lying."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._limits import limited
from expost._shown import Shown
from expost.errors import InputError
from expost.formulations.epsilon import winner_outcomes
from expost.formulations.outcomes import OutcomeRule, best_outcomes
from expost.formulations.settings import Settings, settings_from_json
from expost.instances.buyer import Buyer
from expost.instances.environment import Instance
from expost.instances.functions import marked_toml
from expost.instances.valuations import ValuationLike
from expost.mechanisms.export.csv_files import Columns
from expost.runs.answers import Answer, Tables, write_answer
from expost.runs.arguments import GridLike, InstanceLike, grid_of, left_of, limit_of, load_any
from expost.runs.checks import Check
from expost.runs.record import finite, share_of
from expost.runs.rules import bound_check, reopened, rule_arrays, word_of
from expost.runs.sampled import sampled_arrays
from expost.spaces.type_space import TypeSpace, discretize, open_signals

if TYPE_CHECKING:
    import pandas as pd

EPSILON = "epsilon"
LosesTo = Mapping[str, Mapping[str, ValuationLike]]
NOTES = (
    "The best mechanism for every epsilon: one row for each epsilon and state of the grid.",
    "Columns named after signals: everybody's reports. winner: 0 nobody, k the k-th buyer.",
    "payment.NAME: what the buyer pays (units of value): the largest payments that keep incentives up to epsilon and",
    "leave nobody a loss.",
)


@dataclass(frozen=True, eq=False, repr=False)
class EpsilonFrontier(Shown):
    """The best mechanism for every epsilon asked for, on one grid, static timing."""

    instance: Instance
    settings: Settings
    space: TypeSpace = field(repr=False)
    epsilons: tuple[float, ...]
    rules: tuple[OutcomeRule, ...] = field(repr=False)
    seconds: float

    @property
    def grid(self) -> int | str:
        """Points per signal."""
        return self.settings.grid.describe()

    @property
    def welfare(self) -> float:
        """Expected welfare at the first epsilon (unit: values)."""
        return self.rules[0].welfare

    @property
    def upper_bound(self) -> float:
        """The bound at the first epsilon: proved by multipliers where ``certified_upper_bound`` is no higher."""
        return self.rules[0].upper_bound

    @property
    def certified_upper_bound(self) -> float:
        """What the multipliers prove at the first epsilon, rounded to safety."""
        return self.rules[0].certified

    @property
    def first_best(self) -> float:
        """Expected welfare when nobody can lie, externalities counted."""
        return self.rules[0].outcomes.first_best

    @property
    def table(self) -> pd.DataFrame:
        """One row an epsilon: welfare, bounds, share of the first best, the largest gain from another report."""
        import pandas as pd

        return pd.DataFrame(self._rows())

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                "epsilon": epsilon,
                "welfare": rule.welfare,
                "upper_bound": finite(rule.upper_bound),
                "certified_upper_bound": finite(rule.certified),
                "gap": finite(rule.gap),
                "share": share_of(rule.welfare, self.first_best, self.space.seller),
                "worst_gain": rule.audit.worst_gain,
                "status": str(rule.status),
                "proof": word_of(rule),
            }
            for epsilon, rule in zip(self.epsilons, self.rules, strict=True)
        ]

    def to_frame(self) -> pd.DataFrame:
        """The same as ``table``."""
        return self.table

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "instance": self.instance.name,
            **self.settings.to_json(),
            "first_best": self.first_best,
            "welfare": self.welfare,
            "upper_bound": finite(self.upper_bound),
            "certified_upper_bound": finite(self.certified_upper_bound),
            "rows": self._rows(),
            "seconds": self.seconds,
        }

    def columns(self) -> Columns:
        """Every state of every epsilon: all signals, who wins, what everybody pays."""
        signals = {
            name: np.broadcast_to(column, self.space.shape).ravel()
            for name, column in open_signals(self.space.types).items()
        }
        parts = []
        for epsilon, rule in zip(self.epsilons, self.rules, strict=True):
            part = {"epsilon": np.full(rule.outcomes.states, epsilon), **signals}
            part["winner"] = rule.choice.ravel().astype(np.int64)
            for i, buyer in enumerate(self.instance.buyers):
                part[f"payment.{buyer.name}"] = rule.payments[i].ravel()
            parts.append(part)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    @property
    def scale(self) -> float:
        """The size of the figures, to which they are compared."""
        return max(1.0, float(np.abs(self.rules[0].outcomes.welfare).max(initial=0.0)))

    def tables(self) -> Tables:
        """The states as a saved table."""
        return {"states": (self.columns(), NOTES)}

    def audited(self) -> str:
        """What the audits by definition saw."""
        return "; ".join(rule.audit.explain() for rule in self.rules)[:200]

    def bound_checks(self, record: Mapping[str, Any]) -> Iterator[Check]:
        """The recorded bounds and statuses against what the saved multipliers prove."""
        for epsilon, rule, row in zip(self.epsilons, self.rules, record["rows"], strict=True):
            yield bound_check(rule, row["status"], f"upper bound at epsilon {epsilon:g}")

    def save(self, out: str | Path) -> Path:
        """Write figures, instance, rules and the proofs of their bounds to the new folder ``out``; ``ex.open`` reads
        it, ``ex.verify`` checks it. Raises InputError when it exists or cannot be written."""
        arrays = {f"sampled.{name}": array for name, array in sampled_arrays(self.space).items()}
        for k, rule in enumerate(self.rules):
            arrays |= rule_arrays(rule, f".{k}")
        return write_answer(out, EPSILON, self.to_dict(), marked_toml(self.instance), arrays, self.tables())

    def summary(self) -> str:
        """One line an epsilon."""
        lines = [
            f"{self.instance.name}, grid {self.settings.grid.describe()}: first best {self.first_best:.6f}"
        ]
        for epsilon, rule in zip(self.epsilons, self.rules, strict=True):
            lines.append(
                f"epsilon {epsilon:g}: welfare {rule.welfare:.6f}, at most {rule.upper_bound:.6f} "
                f"({rule.status}; {word_of(rule)})"
            )
        return "\n".join(lines)


@limited
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
    feels when another wins, ``{"1": {"2": "-0.1*p2"}}``, in place of what the instance says; society counts it.
    time_limit: seconds for all of it; the best rule by then is returned with the gap that is left.

    Raises InputError for unusable input or a size out of reach, LimitReached when a limit came before any rule.
    """
    started = time.perf_counter()
    stated, left = with_feelings(load_any(instance), loses_to), left_of(limit_of(time_limit))
    values = _numbers(epsilon)
    settings = Settings(grid_of(grid).resolve(stated))
    space = discretize(stated, settings.grid)
    rules: list[OutcomeRule] = []
    for each in values:
        outcomes = winner_outcomes(space, each)
        start = rules[-1].choice if rules and each >= rules[-1].outcomes.epsilon else None
        rules.append(best_outcomes(outcomes, time_limit=left(), start=start))
    return EpsilonFrontier(stated, settings, space, values, tuple(rules), time.perf_counter() - started)


def with_feelings(instance: Instance, loses_to: LosesTo | None) -> Instance:
    """The instance whose buyers feel what ``loses_to`` says, by loser and winner. Raises InputError for other names."""
    if loses_to is None:
        return instance
    names = [buyer.name for buyer in instance.buyers]
    odd = [loser for loser in loses_to if str(loser) not in names]
    if odd:
        raise InputError(f"no buyer {odd[0]!r}", where="loses_to", expected=f"of {', '.join(names)}")
    given = {str(loser): felt for loser, felt in loses_to.items()}
    return replace(
        instance, buyers=tuple(_feeling(b, given.get(b.name, b.loses_to)) for b in instance.buyers)
    )


def _numbers(epsilon: float | Sequence[float]) -> tuple[float, ...]:
    """One number or several. Raises InputError for anything else."""
    given: Any = [epsilon] if isinstance(epsilon, Real) else epsilon
    several = isinstance(given, list | tuple | np.ndarray) and len(given) > 0
    if not several or not all(isinstance(e, Real) and not isinstance(e, bool) for e in given):
        raise InputError(f"{epsilon!r:.60}", where="epsilon", expected="one number or several")
    return tuple(float(e) for e in given)


def _feeling(buyer: Buyer, felt: Mapping[str, ValuationLike]) -> Buyer:
    return replace(buyer, loses_to=felt)


def open_epsilon(answer: Answer) -> EpsilonFrontier:
    """The saved rules, audited by definition, their bounds proved again from the multipliers; nothing is solved.

    Raises InputError, CheckFailed and AuditError when parts are missing or do not fit together.
    """
    settings, rows = settings_from_json(answer.record), list(answer.record["rows"])
    instance = answer.instance(settings.grid, "choice.0")
    space = discretize(instance, settings.grid)
    values = tuple(float(row["epsilon"]) for row in rows)
    outcomes = [winner_outcomes(space, each) for each in values]
    rules = reopened(answer, outcomes, [f".{k}" for k in range(len(values))], rows)
    return EpsilonFrontier(instance, settings, space, values, tuple(rules), float(answer.record["seconds"]))
