"""``compare``: everything there is to compare about an instance on one grid, side by side.

First best, static second best and sequential second best in every order of arrival, the papers' constructions, and
brackets of the continuum. Grid figures are the finite type space's: a grid faces fewer incentive constraints, and the
more points it has the lower its second best.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._limits import Carried, limited
from expost._parallel import in_turn
from expost._progress import bar
from expost._shown import Shown
from expost._typing import Timing
from expost.brackets import Bracket
from expost.errors import ExpostError, InputError, LimitReached
from expost.formulations.conditional import allowed_winners
from expost.formulations.dominance import dominate
from expost.formulations.room import least_seconds, room_for_solve
from expost.formulations.second_best import second_best, type_space
from expost.formulations.settings import Settings
from expost.instances.environment import Instance
from expost.mechanisms.given import Given
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.runs.arguments import (
    GridLike,
    InstanceLike,
    Words,
    beside_brackets,
    grid_of,
    jobs_of,
    limit_of,
    load,
    seconds_of,
    words_of,
)
from expost.runs.own import MechanismLike, given_in_order
from expost.runs.record import finite, share_of
from expost.solver.backends import known_backend
from expost.spaces.type_space import TypeSpace

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)

FIRST_BEST, SECOND_BEST, CONSTRUCTION, REFUSED = "first best", "second best", "construction", "refused"
BAYESIAN = "benchmark"
TIME_LIMIT = "time limit"

BRACKET_ACCURACY = 0.01
"""Brackets beside grid values stop at this relative width, if the seconds allowed suffice."""


@dataclass(frozen=True)
class Row:
    """One line of a comparison; figures that do not exist are None.

    name: what is compared. kind: ``first best``, ``second best`` or ``construction``.
    timing: of each buyer. first: the first signal of each buyer, None for static ones.
    welfare: of the rule that was found and audited. upper_bound: proved for this timing on this grid. gap:
    between the two.
    share: (welfare - no sale) / (first best - no sale), the part of the first-best gain that the rule
    reaches.
    revenue: the expected payments, with seller-best fees where there are menus. status: why the solver
    stopped, or ``refused``.
    note: why it is refused.
    """

    name: str
    kind: str
    timing: tuple[str, ...]
    first: tuple[str | None, ...]
    welfare: float | None = None
    upper_bound: float | None = None
    gap: float | None = None
    share: float | None = None
    revenue: float | None = None
    sold: float | None = None
    status: str = ""
    seconds: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class ConstructionRow(Row):
    """A construction of the papers on the grid, and what the theory asks about it.

    conditionally_efficient: whether only a buyer with the highest gain wins, and never with a negative one.
    dominated_by: the largest expected gain of a rule of the same timing that is at least as good in every
    state; 0 when it is constrained efficient on this grid, None when that was not decided.
    """

    citation: str = ""
    conditionally_efficient: bool | None = None
    dominated_by: float | None = None


@dataclass(frozen=True, repr=False)
class Comparison(Shown):
    """Second bests and constructions on one grid, brackets of the continuum beside them.

    no_sale: E[V_0], the baseline of all shares. rows: first best, static, then sequential in every order of arrival.
    constructions: of the papers, where they are defined. no_bracket: why there is no bracket where there is none.
    """

    instance: str
    grid: int | str
    no_sale: float
    first_best: float
    rows: tuple[Row, ...]
    constructions: tuple[ConstructionRow, ...] = ()
    brackets: tuple[Bracket, ...] = field(default=(), repr=False)
    no_bracket: str = ""

    def row(self, name: str) -> Row:
        """The row of that name. Raises KeyError when there is none."""
        return {row.name: row for row in (*self.rows, *self.constructions)}[name]

    @property
    def table(self) -> pd.DataFrame:
        """One row for each second best, construction and bracket; figures that do not exist are NaN.

        Brackets have ``lower`` and ``upper`` of the continuum in ``welfare`` and ``upper_bound``.
        """
        import pandas as pd

        rows = [asdict(row) for row in (*self.rows, *self.constructions)]
        rows += [
            {
                "name": "continuum",
                "kind": "bracket",
                "timing": (found.timing,),
                "first": found.first,
                "welfare": found.lower.value,
                "upper_bound": found.upper.value,
                "gap": found.width,
                "seconds": found.seconds,
            }
            for found in self.brackets
        ]
        table = pd.DataFrame(rows)
        for column in ("timing", "first"):
            table[column] = [_spoken(words) for words in table[column]]
        return table

    def to_latex(self, *, digits: int | None = 4) -> str:
        """The table in LaTeX for a paper (needs ``booktabs``); digits: decimals, None writes every one."""
        from expost.mechanisms.export.latex import to_latex

        kept = ("name", "welfare", "upper_bound", "share", "revenue", "sold")
        table = self.table
        columns = {name.replace("_", " "): table[name].to_numpy() for name in kept}
        columns["name"] = np.array([name.removeprefix("sequential second best, ") for name in table["name"]])
        no_sale = f"never selling is worth {self.no_sale:.6g}"
        caption = f"Second bests and constructions of {self.instance} on a grid of {self.grid}; {no_sale}."
        return to_latex(columns, digits=digits, caption=caption)

    def to_frame(self) -> pd.DataFrame:
        """The same as ``table``."""
        return self.table

    def summary(self) -> str:
        """First best, the second bests' range, the best construction."""
        best = [row for row in self.rows if row.kind == SECOND_BEST and row.welfare is not None]
        lines = [f"{self.instance}, grid {self.grid}: first best {self.first_best:.6f}"]
        if best:
            top = max(best, key=lambda row: row.welfare or 0.0)
            lines.append(f"best second best: {top.name}, {top.welfare:.6f}")
        made = [row for row in self.constructions if row.welfare is not None]
        if made:
            top = max(made, key=lambda row: row.welfare or 0.0)
            lines.append(f"best construction: {top.name}, {top.welfare:.6f}")
        return "\n".join(lines)

    def save(self, out: str | Path) -> Path:
        """Write the figures: ``.csv`` or ``.parquet`` the table, ``.json`` all. Raises InputError when it cannot.

        They are the same whether values are formulas or Python functions: nothing of the instance is needed again.
        """
        from expost.runs.figures_file import save_figures

        return save_figures(self, out)

    def to_dict(self) -> dict[str, Any]:
        """JSON values: what ``expost compare --json`` prints."""
        return {
            "instance": self.instance,
            "grid": self.grid,
            "no_sale": self.no_sale,
            "first_best": self.first_best,
            "rows": [asdict(row) for row in self.rows],
            "constructions": [asdict(row) for row in self.constructions],
            "brackets": [found.to_dict() for found in self.brackets],
            "no_bracket": self.no_bracket,
        }


@limited
def compare(
    instance: InstanceLike,
    grid: GridLike = 8,
    *,
    constructions: bool = True,
    mechanisms: Sequence[MechanismLike] = (),
    first: Words = (),
    firsts: Sequence[Sequence[str | None]] | None = None,
    backend: str = "auto",
    time_limit: float | None = None,
    brackets: float = 0.0,
    bayesian: bool = False,
    jobs: int = 1,
) -> Comparison:
    """First best, second bests in every order of arrival, the papers' constructions, and brackets.

    grid: points per signal. constructions: those of the papers, too. mechanisms: prices or strikes of one's own.
    first: the signals that arrive first in these strikes (by default the declared ones).
    firsts: which first signals to compare, one tuple of names a row, None for a static buyer (by default every
    combination of one signal for each buyer who has at least two).
    time_limit: seconds for everything, of which brackets take half at most; what is not reached by then is a row
    without figures.
    brackets: seconds for each bracket of the continuum, static and (where every buyer has two stages) sequential in
    the declared order; 0 leaves them out. bayesian: also what could be had if incentives held in expectation over the
    others' signals only (docs/robustness.md). jobs: cases worked on at once.

    An order that sequential timing does not admit (values that fall, priors the wrong way round) is a refused row.
    Raises InputError for unusable input, LimitReached when the limit leaves no time for anything on this grid.
    """
    stated = load(instance)
    limit, brackets = beside_brackets(limit_of(time_limit), seconds_of(brackets), 2)
    deadline = _deadline(limit)
    if backend != "auto":
        known_backend(backend)
    settings = Settings(grid_of(grid).resolve(stated))
    orders = [(None,) * stated.n, *(_orders(stated) if firsts is None else firsts)]
    if len(orders) > 1:
        room_for_solve(stated, settings.grid, (Timing.SEQUENTIAL,))
    space = type_space(stated, settings, limit)
    own = list(_of_ones_own(space, settings, mechanisms, first))
    found = _rows(stated, [(_second_best, space, tuple(names), backend, deadline) for names in orders], jobs)
    # only now: with very many signals it takes a while to see which constructions are defined
    papers = [(space, given) for given in (_defined(stated) if constructions else ())]
    found += _rows(stated, [(_construction, its, given, deadline) for its, given in papers + own], jobs)
    made = tuple(row for row in found if isinstance(row, ConstructionRow))
    bests = tuple(row for row in found if not isinstance(row, ConstructionRow))
    expected = (_bayesian(space, deadline),) if bayesian else ()
    known, why = _brackets(stated, brackets, jobs) if brackets > 0.0 else ((), "")
    return Comparison(
        stated.name,
        space.grid.describe(),
        space.seller,
        space.first_best,
        (_first_best(space), *expected, *bests),
        made,
        known,
        why,
    )


def mechanism_row(space: TypeSpace, name: str, kind: str, mechanism: Mechanism, **given: Any) -> Row:
    """A row for any mechanism on the type space; it must pass the audit. ``given`` are further fields of
    the row.

    Raises AuditError when it does not.
    """
    audit_mechanism(space.values, mechanism).require(name)
    return Row(name, kind, **({"timing": (), "first": ()} | _figures(space, mechanism) | given))


def _rows(instance: Instance, cases: list[tuple[Any, ...]], jobs: int) -> list[Row]:
    """The rows of all cases, a function and its arguments each, ``jobs`` at once."""
    found: list[Row] = []
    with bar(f"compare {instance.name}", len(cases)) as shown:
        for row in in_turn(Carried(_called), cases, jobs_of(jobs)):
            found.append(row)
            _log.info("%s: %s, %s, welfare %s", instance.name, row.name, row.note or row.status, row.welfare)
            shown.step(len(found), row.name)
    return found


def _called(function: Callable[..., Row], *given: Any) -> Row:
    return function(*given)


def _figures(space: TypeSpace, mechanism: Mechanism) -> dict[str, Any]:
    welfare = mechanism.welfare(space.gains, space.seller)
    return {
        "welfare": welfare,
        "share": share_of(welfare, space.first_best, space.seller),
        "revenue": mechanism.revenue(),
        "sold": mechanism.sold,
    }


def conditionally_efficient(space: TypeSpace, mechanism: Mechanism) -> bool:
    """Whether whoever wins has the highest gain, and no negative one (Bikhchandani 2006, section 3)."""
    return not (mechanism.allocation & ~allowed_winners(space)).any()


def _first_best(space: TypeSpace) -> Row:
    best = space.first_best
    share = share_of(best, best, space.seller)
    return Row("first best", FIRST_BEST, (), (), best, best, 0.0, share, status="computed")


def _bayesian(space: TypeSpace, deadline: float | None) -> Row:
    from expost.formulations.bayesian import bayesian_second_best

    started = time.perf_counter()
    row = Row("Bayesian second best", BAYESIAN, (Timing.STATIC,) * space.n, (None,) * space.n)
    try:
        found = bayesian_second_best(space, time_limit=_left(deadline))
    except InputError as error:
        return replace(row, status=REFUSED, note=str(error))
    except LimitReached as error:
        return replace(row, status=TIME_LIMIT, note=str(error), seconds=time.perf_counter() - started)
    return replace(
        row,
        welfare=found.welfare,
        upper_bound=found.upper_bound,
        gap=found.upper_bound - found.welfare,
        share=share_of(found.welfare, space.first_best, space.seller),
        revenue=found.revenue,
        sold=space.mean(found.allocation.sum(axis=0)),
        status=str(found.status),
        seconds=time.perf_counter() - started,
    )


def _second_best(
    space: TypeSpace, first: tuple[str | None, ...], backend: str, deadline: float | None
) -> Row:
    started = time.perf_counter()
    timing = tuple(Timing.STATIC if name is None else Timing.SEQUENTIAL for name in first)
    row = Row(_name(first), SECOND_BEST, timing, first)
    settings = Settings(space.grid, ",".join(timing), tuple(name for name in first if name is not None))
    try:
        left = _left(deadline, least_seconds(space.n * space.states, timing))
        found = second_best(space, settings, backend=backend, time_limit=left)
    except InputError as error:
        return replace(row, status=REFUSED, note=str(error))
    except LimitReached as error:
        return replace(row, status=TIME_LIMIT, note=str(error), seconds=time.perf_counter() - started)
    bound, welfare = finite(found.solution.bound), found.welfare
    return replace(
        row,
        upper_bound=bound,
        gap=None if bound is None else max(bound - welfare, 0.0),
        status=str(found.solution.status),
        seconds=time.perf_counter() - started,
        **_figures(space, found.mechanism),
    )


def _construction(space: TypeSpace, given: Given | str, deadline: float | None) -> ConstructionRow:
    if isinstance(given, str):
        return ConstructionRow(given, CONSTRUCTION, (), (), status=TIME_LIMIT)
    row = ConstructionRow(given.name, CONSTRUCTION, (given.timing,), (), citation=given.citation)
    try:
        _left(deadline)
        mechanism = given.on(space)
        audit_mechanism(space.values, mechanism).require(given.name)
        gain = _dominated_by(space, given, mechanism, deadline)
    except LimitReached as error:
        return replace(row, status=TIME_LIMIT, note=str(error))
    except ExpostError as error:
        return replace(row, status=REFUSED, note=str(error))
    efficient = conditionally_efficient(space, mechanism)
    return replace(row, conditionally_efficient=efficient, dominated_by=gain, **_figures(space, mechanism))


def _dominated_by(
    space: TypeSpace, given: Given, mechanism: Mechanism, deadline: float | None
) -> float | None:
    try:
        found = dominate(space, mechanism.allocation, timing=given.timing, time_limit=_left(deadline))
    except LimitReached:
        return None
    return 0.0 if found.constrained_efficient else found.gain


def _of_ones_own(
    space: TypeSpace, settings: Settings, mechanisms: Sequence[MechanismLike], first: Words
) -> Iterator[tuple[TypeSpace, Given]]:
    """Mechanisms of one's own, each with the type space whose signals arrive in its order."""
    if words_of(first, "first") and not mechanisms:
        raise InputError(
            "signals that arrive first", where="first", expected="nothing without strikes of your own"
        )
    for own in mechanisms:
        ordered, given = given_in_order(space.instance, own, first)
        yield (space if ordered is space.instance else type_space(ordered, settings)), given


def _defined(instance: Instance) -> Iterator[Given | str]:
    """The papers' constructions that are defined for the instance; of those that the limit came before, the name."""
    from expost.papers import constructions

    for name in constructions.CONSTRUCTIONS:
        try:
            yield constructions.get(name, instance)
        except InputError:
            continue
        except LimitReached:
            yield name


def _brackets(instance: Instance, seconds: float, jobs: int) -> tuple[tuple[Bracket, ...], str]:
    """Brackets, static and sequential; why there are none where there are none."""
    from expost.runs.bracket import bracket

    try:
        static = bracket(instance, BRACKET_ACCURACY, seconds, jobs=jobs)
    except (
        InputError,
        LimitReached,
    ) as reason:  # values without a mean, say: the grid's figures stand all the same
        return (), str(reason)
    try:
        sequential = bracket(instance, BRACKET_ACCURACY, seconds, timing=Timing.SEQUENTIAL, jobs=jobs)
    except LimitReached as reason:
        return (static,), str(reason)
    except InputError:  # a buyer has one signal only
        return (static,), ""
    return (static, sequential), ""


def _orders(instance: Instance) -> Iterator[tuple[str | None, ...]]:
    """Every combination of first signals; nothing when no buyer has two signals."""
    options = [buyer.signals if len(buyer.signals) > 1 else (None,) for buyer in instance.buyers]
    return (names for names in product(*options) if any(names))


def _name(first: tuple[str | None, ...]) -> str:
    arriving = ", ".join(name for name in first if name is not None)
    return f"sequential second best, {arriving} first" if arriving else "static second best"


def _spoken(words: Sequence[str | None]) -> str:
    """Timings or first signals in one cell: one word where all are the same."""
    named = [word or "" for word in words]
    return named[0] if len(set(named)) == 1 else ",".join(named)


def _deadline(limit: float | None) -> float | None:
    """A point of ``time.time``, which means the same in another process."""
    return None if limit is None else time.time() + limit


def _left(deadline: float | None, least: float = 0.0) -> float | None:
    """Seconds left. Raises LimitReached when there are none, or fewer than it takes at least."""
    if deadline is None:
        return None
    left = deadline - time.time()
    if left <= least:
        raise LimitReached("not reached within the time limit")
    return left
