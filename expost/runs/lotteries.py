"""``solve(.., lotteries=True)``: the stochastic second best of a grid, with its lottery menus and its bound."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._shown import Shown
from expost._version import __version__
from expost.errors import CheckFailed, InputError
from expost.formulations.lotteries import lottery_formulation
from expost.formulations.lotteries_solve import LotterySecondBest, assessed, lottery_second_best
from expost.formulations.settings import Settings, settings_from_json
from expost.instances.environment import Instance
from expost.instances.functions import marked_toml
from expost.mechanisms.audit import Audit
from expost.mechanisms.export.formats import export_table
from expost.mechanisms.export.lottery_table import LOTTERY_NOTES, lottery_columns
from expost.runs.answers import ARRAYS, SAMPLED, Answer, Tables, write_answer
from expost.runs.arguments import limit_of
from expost.runs.checks import Check, Verification
from expost.runs.labelled import labelled
from expost.runs.record import finite, share_of
from expost.runs.sampled import sampled_arrays
from expost.runs.verify import verify
from expost.solver.result import Status
from expost.spaces.type_space import discretize
from expost.tolerances import PROBABILITY

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

LOTTERIES = "lotteries"


@dataclass(frozen=True, eq=False, repr=False)
class LotteryRun(Shown):
    """The best stochastic mechanism of an instance on a grid.

    upper_bound: recomputed from the program's multipliers, rounded upwards; no stochastic mechanism on this grid that
    satisfies the definition of incentive compatibility has more welfare.
    """

    instance: Instance
    settings: Settings
    second_best: LotterySecondBest = field(repr=False)
    seconds: dict[str, float]

    @property
    def welfare(self) -> float:
        """Expected welfare of the mechanism on this grid (unit: values), recomputed from its probabilities."""
        return self.second_best.welfare

    @property
    def upper_bound(self) -> float:
        """See the class."""
        return self.second_best.upper_bound

    @property
    def gap(self) -> float:
        """``upper_bound`` less ``welfare``."""
        return self.upper_bound - self.welfare

    @property
    def first_best(self) -> float:
        """Expected welfare of the efficient rule on this grid."""
        return self.second_best.space.first_best

    @property
    def no_sale(self) -> float:
        """Expected welfare of never selling, E[V_0]."""
        return self.second_best.space.seller

    @property
    def share(self) -> float | None:
        """(welfare - no sale) / (first best - no sale); None where even the first best gains nothing."""
        return share_of(self.welfare, self.first_best, self.no_sale)

    @property
    def status(self) -> str:
        """``optimal`` where the welfare attains the bound."""
        return str(self.second_best.status)

    @property
    def revenue(self) -> float:
        """The seller's expected revenue at the largest fees that keep all choices."""
        return self.second_best.revenue

    @property
    def sold(self) -> float:
        """The expected number of units sold."""
        return self.second_best.sold

    @property
    def audit(self) -> Audit:
        """The audit by definition: every first report followed by any second-stage strategy."""
        return self.second_best.audit

    @cached_property
    def allocation(self) -> dict[str, xr.DataArray]:
        """Each buyer's probability of winning, by his name, over all signals."""
        return {
            buyer.name: labelled(
                self.second_best.space, chance, name="probability", about="probability of winning"
            )
            for buyer, chance in zip(self.instance.buyers, self.second_best.allocation, strict=True)
        }

    @cached_property
    def menus(self) -> dict[str, pd.DataFrame]:
        """Each buyer's lottery menus, by his name: one row for each strike of each option."""
        import pandas as pd

        table = pd.DataFrame(self._columns())
        return {
            buyer.name: table[table["buyer"] == buyer.name].drop(columns="buyer").reset_index(drop=True)
            for buyer in self.instance.buyers
        }

    def _columns(self) -> dict[str, Any]:
        found = self.second_best
        return lottery_columns(self.instance, found.space.types, found.menus)

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON values, with the keys of ``solve --json``."""
        found, program = self.second_best, self.second_best.formulation.program
        return {
            "expost": __version__,
            "instance": self.instance.name,
            **self.settings.to_json(),
            "lotteries": True,
            "backend": "highs",
            "status": self.status,
            "welfare": self.welfare,
            "upper_bound": finite(self.upper_bound),
            "gap": finite(self.gap),
            "first_best": self.first_best,
            "no_sale": self.no_sale,
            "share": self.share,
            "revenue": self.revenue,
            "sold": self.sold,
            "states": found.space.states,
            "random_states": found.random_states,
            "binaries": 0,
            "variables": program.variables,
            "rows": program.rows,
            "audit_worst_gain": self.audit.worst_gain,
            "seconds": self.seconds,
        }

    def to_frame(self) -> pd.DataFrame:
        """The figures as a table of one row."""
        import pandas as pd

        return pd.DataFrame([self.to_dict()])

    @property
    def scale(self) -> float:
        """The size of the program's objective, to which figures are compared."""
        return max(self.second_best.formulation.program.scale, abs(self.first_best))

    def tables(self) -> Tables:
        """The lottery menus as a saved table."""
        return {"menu": (self._columns(), LOTTERY_NOTES)}

    def export(self, form: str = "csv", digits: int | None = None) -> bytes:
        """The lottery menus as a file: ``csv``, ``json``, ``parquet`` or ``latex``."""
        return export_table(self._columns(), LOTTERY_NOTES, form, digits=digits)

    def save(self, out: str | Path) -> Path:
        """Write figures, instance, lottery menus (CSV, Parquet with pyarrow), the mechanism and the multipliers that
        bound it to the new folder ``out``. Raises InputError when it exists or cannot be written."""
        found = self.second_best
        arrays = {
            "probability": found.allocation,
            "point": found.point,
            "multipliers": found.multipliers,
            **{f"{SAMPLED}{name}": array for name, array in sampled_arrays(found.space).items()},
        }
        return write_answer(out, LOTTERIES, self.to_dict(), marked_toml(self.instance), arrays, self.tables())

    def verify(self) -> Verification:
        """Re-check everything without any solver, as ``ex.verify`` does a saved one."""
        with tempfile.TemporaryDirectory() as place:
            return verify(self.save(Path(place) / "run"))

    def audited(self) -> str:
        """What the audit by definition saw."""
        return self.audit.explain()

    def bound_checks(self, record: Mapping[str, Any]) -> Iterator[Check]:
        """The recorded status against the bound that the multipliers prove."""
        claimed, gap = record.get("status"), self.gap
        yield Check("bound from the multipliers", True, f"{self.upper_bound!r}")
        held = claimed != Status.OPTIMAL or self.status == Status.OPTIMAL
        yield Check("status", held and claimed in list(Status), f"recorded {claimed!r:.40}, gap {gap:.3g}")

    def summary(self) -> str:
        """Three lines: what was solved and how much is attained, the proof, where it stands."""
        share = "" if self.share is None else f", {self.share:.2%} of the first-best gain"
        return "\n".join(
            (
                f"{self.instance.name}, {self.settings.timing}, lotteries, grid {self.settings.to_json()['grid']}: "
                f"welfare {self.welfare:.6f} of {self.first_best:.6f}{share}",
                f"{self.status}: no stochastic mechanism on this grid has more than {self.upper_bound:.6f} "
                f"(gap {self.gap:.2g}, from the multipliers)",
                f"sold {self.sold:.4f}, revenue {self.revenue:.6f}; random in {self.second_best.random_states} of "
                f"{self.second_best.space.states:,} states, {self.seconds['total']:.2f} s",
            )
        )


def open_lotteries(answer: Answer) -> LotteryRun:
    """The saved lotteries, rebuilt without a solver: program, mechanism, audit, bound.

    Raises InputError, CheckFailed and AuditError when parts are missing or do not fit together.
    """
    settings = settings_from_json(answer.record)
    instance = answer.instance(settings.grid, "probability")
    space = discretize(instance, settings.grid)
    formulation = lottery_formulation(space, settings.timing, settings.first)
    program = formulation.program
    arrays = answer.arrays(
        {
            "probability": (space.n, *space.shape),
            "point": (program.variables,),
            "multipliers": (program.rows,),
        }
    )
    status = Status(answer.record["status"])
    found = assessed(formulation, arrays["point"], arrays["multipliers"], status)
    if np.abs(found.allocation - arrays["probability"]).max() > PROBABILITY:
        raise CheckFailed(f"{ARRAYS}: the probabilities are not those of the point saved with them")
    return LotteryRun(instance, settings, found, dict(answer.record["seconds"]))


def solve_lotteries(instance: Instance, settings: Settings, time_limit: float | None = None) -> LotteryRun:
    """The best stochastic mechanism under ``settings``.

    Raises InputError for another objective than welfare, a restriction, or a size out of reach; LimitReached,
    AuditError and SolverError as ``solve``.
    """
    if settings.conditional:
        raise InputError(
            "conditional, with lotteries",
            where="restrict",
            expected="nothing: conditionally efficient rules are compared state by state, lotteries are not",
            remedy="leave out restrict, or lotteries",
        )
    if settings.alpha != 1.0:
        raise InputError(
            f"{settings.alpha:g} on welfare, with lotteries", where="objective", expected="welfare"
        )
    begun = time.perf_counter()
    space = discretize(instance, settings.grid)
    built = time.perf_counter()
    found = lottery_second_best(space, settings.timing, settings.first, time_limit=limit_of(time_limit))
    now = time.perf_counter()
    return LotteryRun(
        instance,
        settings,
        found,
        {"build": built - begun, "solve": now - built, "audit": 0.0, "total": now - begun},
    )
