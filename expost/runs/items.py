"""``items``: the best mechanism for several items on a small grid, beside the demand mechanism and separate sales."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._limits import limited
from expost._shown import Shown
from expost._typing import Place
from expost.errors import CheckFailed, ExpostError, InputError, LimitReached
from expost.formulations.items import allocations, item_outcomes, item_signals
from expost.formulations.outcomes import OutcomeRule, best_outcomes, payments_of, require_reach, welfare_of
from expost.instances.items import ItemsInstance, additive, items_from_toml, items_to_toml, load_items
from expost.mechanisms.export.csv_files import Columns
from expost.papers.bikhchandani.example3 import equation_15
from expost.papers.bikhchandani.several_items import ItemPrices, demand, pivotal_item_prices
from expost.runs.answers import INSTANCE, Answer, Tables, alike, write_answer
from expost.runs.arguments import left_of, limit_of
from expost.runs.checks import Check
from expost.runs.record import finite, share_of
from expost.runs.rules import bound_check, reopened, rule_arrays, word_of

if TYPE_CHECKING:
    import pandas as pd

ITEMS = "items"
FIRST_BEST, BEST, SEPARATE = "first best", "best mechanism", "separate sales"
NOTES = (
    "The best mechanism for several items: one row for each state of the grid.",
    "Columns named after signals: everybody's reports. bundle.NAME: the items that the buyer gets, joined by +.",
    "payment.NAME: what he pays (units of value): the largest payments that keep incentives and leave nobody a loss.",
)
CITED = {
    "t*": "Bikhchandani (2006), equation (12)",
    "(15)": "Bikhchandani (2006), equation (15), as printed",
    "(15) repaired": "Bikhchandani (2006), equation (15), with the rivals' own c",
}
PRICES_SHARE, SEPARATE_SHARE = 0.25, 0.1
"""Of the time limit, what is kept for the prices (12), and for separate sales after branch and bound."""
LATE = "left out: no time for it"


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
        """No mechanism on this grid has more: proved by multipliers where ``certified_upper_bound`` is no higher, else
        branch and bound's word."""
        return self.rule.upper_bound

    @property
    def certified_upper_bound(self) -> float:
        """What the multipliers of the linear relaxation prove, in as many cases as it took, rounded to safety."""
        return self.rule.certified

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

        return pd.DataFrame(self.columns())

    def columns(self) -> Columns:
        """The same as arrays."""
        shape = self.rule.outcomes.shape
        columns: Columns = {
            name: np.broadcast_to(column, shape).ravel()
            for name, column in item_signals(self.instance, self.grid).items()
        }
        bundles = allocations(self.instance)[self.rule.choice.ravel()]
        names = np.array([bundle_name(b, self.instance.items) for b in range(self.instance.bundles)])
        for i, buyer in enumerate(self.instance.buyers):
            columns[f"bundle.{buyer.name}"] = names[bundles[:, i]]
            columns[f"payment.{buyer.name}"] = self.rule.payments[i].ravel()
        return columns

    @property
    def scale(self) -> float:
        """The size of the figures, to which they are compared."""
        return max(1.0, float(np.abs(self.rule.outcomes.welfare).max(initial=0.0)))

    def tables(self) -> Tables:
        """The states as a saved table."""
        return {"states": (self.columns(), NOTES)}

    def audited(self) -> str:
        """What the audit by definition saw."""
        return self.rule.audit.explain()

    def save(self, out: str | Path) -> Path:
        """Write figures, instance, rule and the proof of its bound to the new folder ``out``; ``ex.open`` reads it,
        ``ex.verify`` checks it. Raises InputError when it exists or cannot be written, or for an instance made in
        Python."""
        arrays = rule_arrays(self.rule)
        return write_answer(out, ITEMS, self.to_dict(), items_to_toml(self.instance), arrays, self.tables())

    def bound_checks(self, record: Mapping[str, Any]) -> Iterator[Check]:
        """The bound against its proof, and the constructions made again; separate sales would have to be solved."""
        yield bound_check(self.rule, record["status"])
        outcomes = self.rule.outcomes
        stated = {row.name: row for row in self.rows}
        late = {row.name for row in self.rows if row.note == LATE}
        made = {name: prices for name, prices in _prices(self.instance) if name not in late}
        again = [
            _best_rows(self.rule),
            *(
                [_demand_row(self.instance, self.grid, name, prices, outcomes)[0]]
                for name, prices in made.items()
            ),
        ]
        for row in (row for part in again for row in part):
            same = row.name in stated and alike(_plain(stated[row.name]), _plain(row), self.scale)
            yield Check(row.name, same, "made again from the instance")
        for name in late - {SEPARATE}:
            yield Check(name, True, LATE, proved=False)
        yield Check(SEPARATE, True, "not solved again", proved=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "instance": self.instance.name,
            "grid": self.grid,
            "items": list(self.instance.items),
            "status": self.status,
            "welfare": self.welfare,
            "upper_bound": finite(self.upper_bound),
            "certified_upper_bound": finite(self.certified_upper_bound),
            "gap": finite(self.gap),
            "proof": word_of(self.rule),
            "first_best": self.first_best,
            "states": self.rule.outcomes.states,
            "nodes": self.rule.nodes,
            "rows": [_plain(row) for row in self.rows],
            "seconds": self.seconds,
        }

    def summary(self) -> str:
        """What was found, the bound, and the mechanisms beside it."""
        lines = [
            f"{self.instance.name}, {len(self.instance.items)} items, grid {self.grid}: welfare {self.welfare:.6f} of "
            f"{self.first_best:.6f}",
            f"{self.status}: at most {self.upper_bound:.6f} (gap {self.gap:.2g}; {word_of(self.rule)})",
        ]
        for row in self.rows[2:]:
            figure = "no figure" if row.welfare is None else f"{row.welfare:.6f}"
            lines.append(f"{row.name}: {figure}" + (f" ({row.note})" if row.note else ""))
        return "\n".join(lines)


@limited
def items(instance: Any, grid: int = 2, *, time_limit: float | None = 60.0, **parameters: float) -> ItemsRun:
    """The best ex post mechanism for several items on a grid (static timing, uniform signals).

    instance: the path of a TOML file with ``items = [..]``, a name (``example3``, ``example3-unit-demand``), or an
    ``ItemsInstance``. grid: points per signal. time_limit: seconds; the best rule by then is returned with
    the gap that is left. parameters: of the file.

    Beside it: the demand mechanism at the prices (12), and (15) where they are defined, audited on the same grid; and,
    for additive values, each item sold on its own by its best static mechanism. The prices (12) have a quarter of
    the limit, separate sales a tenth and what is left; a row that had no time says so. Raises InputError for unusable
    input or a size out of reach, LimitReached when the limit came before any rule.
    """
    started, limit = time.perf_counter(), limit_of(time_limit)
    left, pricing = left_of(limit), left_of(None if limit is None else PRICES_SHARE * limit)
    stated = load_items(instance, **parameters)
    if isinstance(grid, bool) or not isinstance(grid, int) or grid < 1:
        raise InputError(f"{grid!r}", where="grid", expected="one whole number of points for every signal")
    outcomes = item_outcomes(stated, grid)
    require_reach(outcomes)
    every = _prices(stated, partial(_in_time, pricing))
    made = [_demand_row(stated, grid, name, prices, outcomes) for name, prices in every]
    starts = [(row.welfare or 0.0, choice) for row, choice in made if choice is not None]
    start = max(starts, key=lambda found: found[0])[1] if starts else None
    most, kept = left(), SEPARATE_SHARE if _adds_up(stated) else 0.0
    rule = best_outcomes(
        outcomes,
        time_limit=None if most is None or limit is None else max(most - kept * limit, 0.1),
        start=start,
    )
    rows = [
        *_best_rows(rule),
        *(row for row, _ in made),
        _separate(stated, grid, outcomes.first_best, left),
    ]
    return ItemsRun(stated, grid, rule, tuple(rows), time.perf_counter() - started)


def open_items(answer: Answer) -> ItemsRun:
    """The saved rule, audited by definition, its bound proved again from the multipliers; nothing is solved.

    Raises InputError, CheckFailed and AuditError when parts are missing or do not fit together.
    """
    record = answer.record
    instance, grid = items_from_toml(answer.toml, INSTANCE, {}), record["grid"]
    member = answer.archive.members.get("choice")
    expected = tuple(grid ** len(buyer.signals) for buyer in instance.buyers)
    if member is None or member.shape != (1, *expected):
        raise CheckFailed(f"the saved rule is none of a grid of {grid!r:.40}")
    outcomes = item_outcomes(instance, grid)
    rule = reopened(answer, [outcomes], [""], [record])[0]
    rows = tuple(ItemsRow(**row) for row in record["rows"])
    return ItemsRun(instance, grid, rule, rows, float(record["seconds"]))


def _plain(row: ItemsRow) -> dict[str, Any]:
    return asdict(row)


def _best_rows(rule: OutcomeRule) -> list[ItemsRow]:
    best, share = rule.outcomes.first_best, share_of(rule.welfare, rule.outcomes.first_best, 0.0)
    return [
        ItemsRow(FIRST_BEST, best, best, 1.0, 0, None),
        ItemsRow(BEST, rule.welfare, finite(rule.upper_bound), share, 0, rule.audit.worst_gain),
    ]


def bundle_name(bundle: int, names: tuple[str, ...]) -> str:
    """``a+b``; ``nothing`` for the empty one."""
    return "+".join(name for k, name in enumerate(names) if bundle >> k & 1) or "nothing"


def _in_time(left: Callable[[], float | None]) -> None:
    """Raise LimitReached when the time for prices is up."""
    seconds = left()
    if seconds is not None and seconds <= 1e-3:
        raise LimitReached(LATE)


def _prices(
    instance: ItemsInstance, tick: Callable[[], object] | None = None
) -> list[tuple[str, ItemPrices | ExpostError]]:
    """The papers' prices, or why they are not defined here; ``tick`` raises when time is up."""
    makers: dict[str, Callable[[ItemsInstance], ItemPrices]] = {
        "t*": partial(pivotal_item_prices, tick=tick),
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
    except LimitReached:
        return ItemsRow(name, None, None, None, 0, None, LATE), None
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


def _adds_up(instance: ItemsInstance) -> bool:
    return all(buyer.bundle is additive for buyer in instance.buyers)


def _separate(instance: ItemsInstance, grid: int, best: float, left: Callable[[], float | None]) -> ItemsRow:
    """Each item sold on its own by its best static mechanism: with additive values their welfares add up."""
    from expost.runs.solve import solve

    name = SEPARATE
    if not _adds_up(instance):
        return ItemsRow(
            name, None, None, None, 0, None, "values are not additive: separate sales do not add up"
        )
    try:
        runs = [solve(instance.item(k), grid, time_limit=left()) for k in range(len(instance.items))]
    except LimitReached:
        return ItemsRow(name, None, None, None, 0, None, LATE)
    welfare = sum(run.welfare for run in runs)
    bound = sum(run.upper_bound for run in runs)
    return ItemsRow(
        name, welfare, bound, share_of(welfare, best, 0.0), 0, max(run.audit.worst_gain for run in runs)
    )
