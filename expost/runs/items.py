"""``items``: the best mechanism for several items on a small grid, beside the demand mechanism and separate sales."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._shown import Shown
from expost._typing import Place
from expost.errors import ExpostError, InputError
from expost.formulations.items import allocations, item_outcomes, item_signals
from expost.formulations.outcomes import OutcomeRule, best_outcomes, payments_of, welfare_of
from expost.instances.items import ItemsInstance, additive, load_items
from expost.papers.bikhchandani.example3 import equation_15
from expost.papers.bikhchandani.several_items import ItemPrices, demand, pivotal_item_prices
from expost.runs.arguments import limit_of
from expost.runs.record import finite, share_of

if TYPE_CHECKING:
    import pandas as pd

CITED = {
    "t*": "Bikhchandani (2006), equation (12)",
    "(15)": "Bikhchandani (2006), equation (15), as printed",
    "(15) repaired": "Bikhchandani (2006), equation (15), with the rivals' own c",
}


@dataclass(frozen=True)
class ItemsRow:
    """One mechanism on the grid; figures are None where it gives an item to two buyers (``crowded`` states).

    worst_gain: the most that anybody gains by another report (unit: values), from the audit by definition.
    """

    name: str
    welfare: float | None
    upper_bound: float | None
    share: float | None
    crowded: int
    worst_gain: float | None
    note: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class ItemsRun(Shown):
    """The best mechanism for several items on a grid, and what it is compared with."""

    instance: ItemsInstance
    grid: int
    rule: OutcomeRule = field(repr=False)
    rows: tuple[ItemsRow, ...]
    seconds: float

    @property
    def welfare(self) -> float:
        """Expected welfare of the best rule found (unit: values)."""
        return self.rule.welfare

    @property
    def upper_bound(self) -> float:
        """Branch and bound's upper bound, gap zero asked for."""
        return self.rule.upper_bound

    @property
    def gap(self) -> float:
        """``upper_bound`` less ``welfare``."""
        return self.rule.gap

    @property
    def first_best(self) -> float:
        """Expected welfare when nobody can lie."""
        return self.rule.outcomes.first_best

    @property
    def status(self) -> str:
        """Why branch and bound stopped."""
        return str(self.rule.status)

    @property
    def table(self) -> pd.DataFrame:
        """One row a mechanism."""
        import pandas as pd

        return pd.DataFrame([vars(row) for row in self.rows])

    def to_frame(self) -> pd.DataFrame:
        """The same as ``table``."""
        return self.table

    @property
    def allocation(self) -> pd.DataFrame:
        """Every state: all signals, and each buyer's bundle and payment."""
        import pandas as pd

        shape = self.rule.outcomes.shape
        columns: dict[str, Any] = {
            name: np.broadcast_to(column, shape).ravel()
            for name, column in item_signals(self.instance, self.grid).items()
        }
        bundles = allocations(self.instance)[self.rule.choice.ravel()]
        names = np.array([bundle_name(b, self.instance.items) for b in range(self.instance.bundles)])
        for i, buyer in enumerate(self.instance.buyers):
            columns[f"bundle of {buyer.name}"] = names[bundles[:, i]]
            columns[f"payment of {buyer.name}"] = self.rule.payments[i].ravel()
        return pd.DataFrame(columns)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "instance": self.instance.name,
            "grid": self.grid,
            "items": list(self.instance.items),
            "status": self.status,
            "welfare": self.welfare,
            "upper_bound": finite(self.upper_bound),
            "gap": finite(self.gap),
            "first_best": self.first_best,
            "states": self.rule.outcomes.states,
            "nodes": self.rule.nodes,
            "rows": [vars(row) for row in self.rows],
            "seconds": self.seconds,
        }

    def summary(self) -> str:
        """What was found, the bound, and the mechanisms beside it."""
        lines = [
            f"{self.instance.name}, {len(self.instance.items)} items, grid {self.grid}: welfare {self.welfare:.6f} of "
            f"{self.first_best:.6f}",
            f"{self.status}: at most {self.upper_bound:.6f} (gap {self.gap:.2g}, branch and bound)",
        ]
        for row in self.rows[2:]:
            figure = "no figure" if row.welfare is None else f"{row.welfare:.6f}"
            lines.append(f"{row.name}: {figure}" + (f" ({row.note})" if row.note else ""))
        return "\n".join(lines)


def items(instance: Any, grid: int = 2, *, time_limit: float | None = 60.0, **parameters: float) -> ItemsRun:
    """The best ex post mechanism for several items on a grid (static timing, uniform signals).

    instance: the path of a TOML file with ``items = [..]``, a name (``example3``, ``example3-unit-demand``), or an
    ``ItemsInstance``. grid: points per signal. time_limit: seconds for branch and bound; the best rule by then is
    returned with the gap that is left. parameters: of the file.

    Beside it: the demand mechanism at the prices (12), and (15) where they are defined, audited on the same grid; and,
    for additive values, each item sold on its own by its best static mechanism. Raises InputError for unusable input or
    a size out of reach, LimitReached when the limit came before any rule.
    """
    started = time.perf_counter()
    stated, limit = load_items(instance, **parameters), limit_of(time_limit)
    if isinstance(grid, bool) or not isinstance(grid, int) or grid < 1:
        raise InputError(f"{grid!r}", where="grid", expected="one whole number of points for every signal")
    outcomes = item_outcomes(stated, grid)
    made = [_demand_row(stated, grid, name, prices, outcomes) for name, prices in _prices(stated)]
    starts = [(row.welfare or 0.0, choice) for row, choice in made if choice is not None]
    start = max(starts, key=lambda found: found[0])[1] if starts else None
    rule = best_outcomes(outcomes, time_limit=limit, start=start)
    best = outcomes.first_best
    rows = [
        ItemsRow("first best", best, best, 1.0, 0, None),
        ItemsRow(
            "best mechanism",
            rule.welfare,
            rule.upper_bound,
            share_of(rule.welfare, best, 0.0),
            0,
            rule.audit.worst_gain,
        ),
        *(row for row, _ in made),
        _separate(stated, grid, best, limit),
    ]
    return ItemsRun(stated, grid, rule, tuple(rows), time.perf_counter() - started)


def bundle_name(bundle: int, names: tuple[str, ...]) -> str:
    """``a+b``; ``nothing`` for the empty one."""
    return "+".join(name for k, name in enumerate(names) if bundle >> k & 1) or "nothing"


def _prices(instance: ItemsInstance) -> list[tuple[str, ItemPrices | ExpostError]]:
    """The papers' prices, or why they are not defined here."""
    makers: dict[str, Callable[[ItemsInstance], ItemPrices]] = {
        "t*": pivotal_item_prices,
        "(15)": equation_15,
        "(15) repaired": partial(equation_15, literal=False),
    }
    found: list[tuple[str, ItemPrices | ExpostError]] = []
    for name, make in makers.items():
        try:
            found.append((name, make(instance)))
        except ExpostError as error:
            found.append((name, error))
    return found


def _demand_row(
    instance: ItemsInstance, grid: int, name: str, prices: ItemPrices | ExpostError, outcomes: Any
) -> tuple[ItemsRow, Place | None]:
    """The demand mechanism at ``prices`` on the grid, audited by definition, and its outcomes where it is feasible."""
    if isinstance(prices, ExpostError):
        return ItemsRow(name, None, None, None, 0, None, f"not defined: {prices}"), None
    try:
        found = demand(instance, prices, item_signals(instance, grid))
    except ExpostError as error:
        return ItemsRow(name, None, None, None, 0, None, f"not defined: {error}"), None
    bundles = np.broadcast_to(found.bundles, (len(instance.buyers), *outcomes.shape))
    crowded = int(np.count_nonzero(~np.broadcast_to(found.feasible, outcomes.shape)))
    if crowded:
        return ItemsRow(
            name, None, None, None, crowded, None, "gives an item to two buyers: no mechanism"
        ), None
    every = allocations(instance)
    same = np.stack([(np.moveaxis(bundles, 0, -1) == row).all(axis=-1) for row in every], axis=-1)
    choice = same.argmax(axis=-1)
    _, audit = payments_of(outcomes, choice)
    welfare = welfare_of(outcomes, choice)
    share = share_of(welfare, outcomes.first_best, 0.0)
    note = CITED[name] if audit.passed else f"{CITED[name]}: {audit.explain()}"
    return ItemsRow(name, welfare, None, share, 0, audit.worst_gain, note), choice if audit.passed else None


def _separate(instance: ItemsInstance, grid: int, best: float, limit: float | None) -> ItemsRow:
    """Each item sold on its own by its best static mechanism: with additive values their welfares add up."""
    from expost.runs.solve import solve

    name = "separate sales"
    if any(buyer.bundle is not additive for buyer in instance.buyers):
        return ItemsRow(
            name, None, None, None, 0, None, "values are not additive: separate sales do not add up"
        )
    runs = [solve(instance.item(k), grid, time_limit=limit) for k in range(len(instance.items))]
    welfare = sum(run.welfare for run in runs)
    bound = sum(run.upper_bound for run in runs)
    return ItemsRow(
        name, welfare, bound, share_of(welfare, best, 0.0), 0, max(run.audit.worst_gain for run in runs)
    )
