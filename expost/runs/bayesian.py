"""``bayesian``: what private information costs and what robustness costs, side by side on one grid."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._shown import Shown
from expost.errors import InputError
from expost.formulations.bayesian import BayesianSecondBest, bayesian_second_best
from expost.formulations.second_best import second_best
from expost.formulations.settings import Settings
from expost.instances.environment import Instance
from expost.mechanisms.export.csv_files import Columns
from expost.mechanisms.export.formats import export_table
from expost.runs.arguments import GridLike, InstanceLike, grid_of, limit_of, load
from expost.runs.record import finite
from expost.spaces.type_space import discretize

if TYPE_CHECKING:
    import pandas as pd

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
    decides ``payments``. ex_post: welfare of the ex post second best on the same grid, ``ex_post_bound`` its bound.
    """

    instance: Instance
    grid: int | str
    participation: str
    found: BayesianSecondBest = field(repr=False)
    ex_post: float
    ex_post_bound: float
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

    def save(self, out: str | Path) -> Path:
        """Write the interim payments to the file ``out``, format by suffix. Raises InputError when it cannot."""
        from expost.files import write_whole

        path = Path(out)
        forms = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".tex": "latex"}
        if path.suffix not in forms:
            raise InputError(f"{path.name}", where="out", expected=f"a file that ends in {', '.join(forms)}")
        write_whole(path, self.export(forms[path.suffix]), where="out")
        return path

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "instance": self.instance.name,
            "grid": self.grid,
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


def bayesian(
    instance: InstanceLike,
    grid: GridLike = 6,
    *,
    participation: str = INTERIM,
    time_limit: float | None = None,
) -> Bayesian:
    """The best mechanism on a grid whose incentives hold in expectation over the others' signals (static timing).

    participation: ``interim`` (every type expects to gain) or ``ex post`` (nobody loses in any state); the welfare is
    the same. time_limit: seconds for each of the two programs, this one and the ex post second best beside it.

    Raises InputError for unusable input, correlated buyers or a size out of reach, LimitReached when the limit came
    before any mechanism, AuditError when one fails the audit by definition.
    """
    if participation not in (INTERIM, EX_POST):
        raise InputError(f"{participation!r}", where="participation", expected=f"{INTERIM} or {EX_POST}")
    started = time.perf_counter()
    stated, limit = load(instance), limit_of(time_limit)
    settings = Settings(grid_of(grid).resolve(stated))
    space = discretize(stated, settings.grid)
    found = bayesian_second_best(space, time_limit=limit)
    robust = second_best(space, settings, time_limit=limit)
    return Bayesian(
        stated,
        space.grid.describe(),
        participation,
        found,
        robust.welfare,
        robust.solution.bound,
        time.perf_counter() - started,
    )
