"""``bayesian``: what private information costs and what robustness costs, side by side on one grid."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._limits import limited
from expost._shown import Shown
from expost._typing import Array, Bool, Float
from expost.errors import CheckFailed, InputError
from expost.formulations.bayesian import BayesianSecondBest, assessed, bayesian_program, bayesian_second_best
from expost.formulations.second_best import formulate, second_best
from expost.formulations.settings import Settings, settings_from_json
from expost.instances.environment import Instance
from expost.instances.functions import marked_toml
from expost.mechanisms.export.csv_files import Columns
from expost.mechanisms.export.formats import export_table
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.runs.answers import Answer, Tables, write_answer
from expost.runs.arguments import GridLike, InstanceLike, grid_of, left_of, limit_of, load
from expost.runs.checks import Check
from expost.runs.record import finite
from expost.runs.sampled import sampled_arrays
from expost.solver.result import Status
from expost.spaces.type_space import TypeSpace, discretize
from expost.tolerances import WELFARE

if TYPE_CHECKING:
    import pandas as pd

BAYESIAN = "bayesian"
INTERIM, EX_POST = "interim", "ex post"
NOTES = (
    "Interim payments of the best Bayesian incentive-compatible mechanism: one row for each type of each buyer.",
    "buyer. Columns named after signals: his own (the others' are empty).",
    "wins: with which probability he expects to get the item. pays: what he expects to pay (units of value), the",
    "largest that keep incentives and leave every type a non-negative expected gain. gain: what he expects to gain.",
)


@dataclass(frozen=True, eq=False, repr=False)
class Bayesian(Shown):
    """The Bayesian benchmark on a grid, static timing.

    found: the mechanism. participation: ``interim`` or ``ex post``; it costs no welfare (docs/robustness.md) and
    decides ``payments``. ex_post: welfare of the ex post second best on the same grid, ``ex_post_bound`` its bound,
    ``ex_post_rule`` who wins in it, (n, T_1, .., T_n).
    """

    instance: Instance
    grid: int | str
    participation: str
    found: BayesianSecondBest = field(repr=False)
    ex_post: float
    ex_post_bound: float
    ex_post_rule: Bool = field(repr=False)
    seconds: float

    @property
    def welfare(self) -> float:
        """Expected welfare of the Bayesian second best on this grid, recomputed from its probabilities."""
        return self.found.welfare

    @property
    def upper_bound(self) -> float:
        """What the program's multipliers prove, rounded upwards."""
        return self.found.upper_bound

    @property
    def first_best(self) -> float:
        """Expected welfare of the efficient rule on this grid."""
        return self.found.space.first_best

    @property
    def revenue(self) -> float:
        """The seller's expected revenue."""
        return self.found.revenue

    @property
    def status(self) -> str:
        """``optimal`` where the welfare attains the bound."""
        return str(self.found.status)

    @property
    def private_information(self) -> float:
        """What private information costs: first best less the Bayesian second best."""
        return self.first_best - self.welfare

    @property
    def robustness(self) -> float:
        """What robustness costs: the Bayesian second best less the ex post one."""
        return self.welfare - self.ex_post

    @cached_property
    def payments(self) -> dict[str, Any]:
        """By buyer: a table of his types with interim probability, payment and gain; with ex post participation a
        ``xarray.DataArray`` of payments in every state."""
        import pandas as pd

        from expost.runs.labelled import labelled

        if self.participation == INTERIM:
            table = pd.DataFrame(self.columns())
            return {
                buyer.name: table.loc[
                    table["buyer"] == buyer.name, [*buyer.signals, "wins", "pays", "gain"]
                ].reset_index(drop=True)
                for buyer in self.instance.buyers
            }
        return {
            buyer.name: labelled(
                self.found.space,
                self.found.ex_post_payments(i),
                name="payment",
                about=f"payment of buyer {buyer.name}",
            )
            for i, buyer in enumerate(self.instance.buyers)
        }

    def columns(self) -> Columns:
        """The interim payments of all buyers as one table."""
        space, found = self.found.space, self.found
        parts = []
        for i, buyer in enumerate(self.instance.buyers):
            wins, pays = found.winning(i), found.payments[i]
            worth = found.ex_post_payments(i)
            axes = tuple(k for k in range(space.n) if k != i)
            others = (
                np.full(space.shape, 1.0 / space.states) if space.weights is None else space.weights.chances
            )
            total = others.sum(axis=axes)
            gained = found.allocation[i] * space.values[i] - worth
            gain = (gained * others).sum(axis=axes) / np.where(total > 0.0, total, 1.0)
            own = {name: np.full(len(pays), np.nan) for name in self.instance.signals} | dict(space.types[i])
            parts.append(
                {"buyer": np.full(len(pays), buyer.name), **own, "wins": wins, "pays": pays, "gain": gain}
            )
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def export(self, form: str = "csv") -> bytes:
        """The interim payments as a file: ``csv``, ``json``, ``parquet`` or ``latex``."""
        return export_table(self.columns(), NOTES, form)

    @property
    def scale(self) -> float:
        """The size of the program's objective, to which figures are compared."""
        return max(self.found.program.scale, abs(self.first_best))

    def tables(self) -> Tables:
        """The interim payments as a saved table."""
        return {"payments": (self.columns(), NOTES)}

    def audited(self) -> str:
        """What the audit by definition saw."""
        return self.found.audit.explain()

    def bound_checks(self, record: Mapping[str, Any]) -> Iterator[Check]:
        """The recorded status against the bound of the multipliers; the ex post second best would have to be solved."""
        claimed, gap = record["status"], self.upper_bound - self.welfare
        held = claimed in list(Status) and (claimed != Status.OPTIMAL or self.status == Status.OPTIMAL)
        yield Check(
            "status", held, f"recorded {claimed!r:.40}, gap to the bound of the multipliers {gap:.3g}"
        )
        slack = self.scale * WELFARE
        ordered = self.first_best >= self.welfare - slack and self.upper_bound >= self.ex_post - slack
        yield Check("first best >= Bayesian >= ex post", ordered, f"ex post rule, audited: {self.ex_post!r}")
        best = self.ex_post_bound >= self.ex_post - slack
        yield Check(
            "ex post upper bound", best, "the solver's word: its certificate is that of a run", proved=False
        )

    def save(self, out: str | Path) -> Path:
        """Write the interim payments to the file ``out``, format by suffix; without one everything to a new folder,
        which ``ex.open`` reads and ``ex.verify`` checks. Raises InputError when it cannot."""
        from expost.files import write_whole

        path = Path(out)
        if not path.suffix:
            found = self.found
            arrays: dict[str, Array] = {
                "probability": found.allocation,
                "multipliers": found.multipliers,
                "ex_post": self.ex_post_rule.astype(np.int8),
            }
            sampled = {f"sampled.{name}": array for name, array in sampled_arrays(found.space).items()}
            return write_answer(
                path, BAYESIAN, self.to_dict(), marked_toml(self.instance), arrays | sampled, self.tables()
            )
        forms = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".tex": "latex"}
        if path.suffix not in forms:
            raise InputError(f"{path.name}", where="out", expected=f"a file that ends in {', '.join(forms)}")
        write_whole(path, self.export(forms[path.suffix]), where="out")
        return path

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "instance": self.instance.name,
            **Settings(self.found.space.grid).to_json(),
            "participation": self.participation,
            "status": self.status,
            "first_best": self.first_best,
            "welfare": self.welfare,
            "upper_bound": finite(self.upper_bound),
            "ex_post": self.ex_post,
            "ex_post_upper_bound": finite(self.ex_post_bound),
            "private_information": self.private_information,
            "robustness": self.robustness,
            "revenue": self.revenue,
            "audit_worst_gain": self.found.audit.worst_gain,
            "rows": self.found.program.rows,
            "seconds": self.seconds,
        }

    def to_frame(self) -> pd.DataFrame:
        """The figures as a table of one row."""
        import pandas as pd

        return pd.DataFrame([self.to_dict()])

    def summary(self) -> str:
        """Three lines: the three welfares, the two losses, the proof."""
        return "\n".join(
            (
                f"{self.instance.name}, grid {self.grid}: first best {self.first_best:.6f}, Bayesian "
                f"{self.welfare:.6f}, ex post {self.ex_post:.6f}",
                f"private information costs {self.private_information:.6f}, robustness {self.robustness:.6f}",
                f"{self.status}: no Bayesian mechanism on this grid has more than {self.upper_bound:.6f} (from the "
                f"multipliers); revenue {self.revenue:.6f}",
            )
        )


@limited
def bayesian(
    instance: InstanceLike,
    grid: GridLike = 6,
    *,
    participation: str = INTERIM,
    time_limit: float | None = None,
) -> Bayesian:
    """The best mechanism on a grid whose incentives hold in expectation over the others' signals (static timing).

    participation: ``interim`` (every type expects to gain) or ``ex post`` (nobody loses in any state); the welfare is
    the same. time_limit: seconds for the two programs together, this one and the ex post second best beside it.

    Raises InputError for unusable input, correlated buyers or a size out of reach, LimitReached when the limit came
    before any mechanism, AuditError when one fails the audit by definition.
    """
    if participation not in (INTERIM, EX_POST):
        raise InputError(f"{participation!r}", where="participation", expected=f"{INTERIM} or {EX_POST}")
    started = time.perf_counter()
    stated, left = load(instance), left_of(limit_of(time_limit))
    settings = Settings(grid_of(grid).resolve(stated))
    space = discretize(stated, settings.grid)
    found = bayesian_second_best(space, time_limit=left())
    robust = second_best(space, settings, time_limit=left())
    return Bayesian(
        stated,
        space.grid.describe(),
        participation,
        found,
        robust.welfare,
        robust.solution.bound,
        robust.mechanism.allocation,
        time.perf_counter() - started,
    )


def open_bayesian(answer: Answer) -> Bayesian:
    """The saved benchmark, its mechanism audited by definition, its bound recomputed from the multipliers.

    Raises InputError, CheckFailed and AuditError when parts are missing or do not fit together.
    """
    record = answer.record
    grid = settings_from_json(record).grid
    instance = answer.instance(grid, "probability")
    space = discretize(instance, grid)
    program = bayesian_program(space)
    states = (space.n, *space.shape)
    arrays = answer.arrays({"probability": states, "multipliers": (program.rows,), "ex_post": states})
    found = assessed(space, program, arrays["probability"], arrays["multipliers"], Status(record["status"]))
    bound = record["ex_post_upper_bound"]
    rule, welfare = _robust(space, arrays["ex_post"])
    if record["participation"] not in (INTERIM, EX_POST):
        raise InputError(
            f"{record['participation']!r:.40}", where="participation", expected=f"{INTERIM} or {EX_POST}"
        )
    return Bayesian(
        instance,
        space.grid.describe(),
        record["participation"],
        found,
        welfare,
        float("inf") if bound is None else float(bound),
        rule,
        float(record["seconds"]),
    )


def _robust(space: TypeSpace, saved: Float) -> tuple[Bool, float]:
    """The saved ex post rule, audited by definition, and its welfare. Raises CheckFailed or AuditError if not."""
    if ((saved != 0.0) & (saved != 1.0)).any():
        raise CheckFailed("the saved ex post rule is not 0 or 1 everywhere")
    rule = saved.astype(np.bool_)
    mechanism = formulate(space, Settings(space.grid)).mechanism(rule)
    audit_mechanism(space.values, mechanism).require("the saved ex post rule")
    return rule, mechanism.welfare(space.gains, space.seller)
