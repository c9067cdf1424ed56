"""``sweep``: many solves, brackets or checks of one instance, one row a case, resumed where it stopped.

A case is what is asked of one instance: its parameters and the keywords of ``solve`` (or ``bracket``, ``check``). It is
addressed by its content, so that nothing is computed twice. Finished cases are written to a journal beside the output
as they end; a killed sweep reads it and goes on.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expost._parallel import in_turn
from expost._progress import bar
from expost._typing import Timing
from expost.errors import InputError
from expost.files import claim_place, read_regular
from expost.formulations.room import memory_of, rough_memory
from expost.instances.environment import Instance
from expost.runs.arguments import InstanceLike, grid_of, jobs_of, load, path_of
from expost.runs.own import MechanismLike
from expost.runs.sweep_case import BAYESIAN, BRACKET, CHECK, LATEST, SOLVE, Case
from expost.runs.sweep_table import Journal, claim_table, csv_table, in_order, write_table

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)

IMPORTS = 300 * 2**20
"""Memory that a worker needs before it solves anything, in bytes."""
WHOLE = ("grid", "seed")


def sweep(
    instance: InstanceLike,
    grid: Any = 8,
    *,
    bracket: bool = False,
    bayesian: bool = False,
    prices: MechanismLike | Sequence[MechanismLike] | None = None,
    rows: pd.DataFrame | str | Path | None = None,
    out: str | Path | None = None,
    keep: str | Path | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    **over: Any,
) -> pd.DataFrame:
    """One row for each case of a product: parameters of the instance and keywords of ``solve``, each one or several.

    ``ex.sweep("jmmz", grid=[4, 8], k=[0, 0.5, 1], timing=["static", "sequential"])`` makes 12 cases.

    grid: points per signal, one grid or a list. over: for a parameter of the instance, or for ``timing``, ``first``
    (``"c1,c2"``), ``objective``, ``restrict``, ``points``, ``backend``, ``symmetric``, ``time_limit``, one value or a
    list. rows: a table of cases instead (DataFrame or CSV file), a column for each keyword. bracket: brackets of the
    continuum instead of grids; ``accuracy`` and ``seed`` may vary too. bayesian: the Bayesian benchmark instead, with
    what private information and robustness cost. prices: mechanisms to check instead.
    out: a .csv or .parquet file for the table; what it or an interrupted sweep already holds is not computed again.
    keep: a folder in which every run is saved. jobs: cases worked on at once, no more than fit into memory; joblib's
    backend decides where. progress: called with the number of finished cases and of all.

    A case that fails has its text in ``error``; nothing else stops. Raises InputError for a name that is neither, an
    empty list, and an output file of another study.
    """
    import pandas as pd

    base, what = load(instance), _kind(bracket, bayesian, prices is not None)
    asked = dict(over) if bracket else {"grid": grid, **over}
    if prices is not None:
        asked["prices"] = prices
    listed = _product(asked) if rows is None else _table(rows, asked)
    cases = [_case(base, settings, what, keep) for settings in listed]
    target = None if out is None else path_of(out, "out")
    if target is not None:
        claim_table(target)
    if keep is not None:
        if what == "check":
            raise InputError("checks", where="keep", expected="solves, brackets or benchmarks to keep")
        claim_place(path_of(keep, "keep"), where="keep")
    journal = Journal(target, {case.key for case in cases})
    todo = {case.key: case for case in cases if not journal.has(case)}
    count = _workers(list(todo.values()), jobs_of(jobs))
    done = len(cases) - len(todo)
    try:
        with bar(f"sweep of {base.name}", len(cases)) as shown:
            shown.step(done)
            for row in in_turn(Case.run, [(case,) for case in todo.values()], count, ordered=False):
                done += 1
                journal.add(row)
                _log.info(
                    "%s: case %d of %d, %.2f s %s", base.name, done, len(cases), row["seconds"], row["error"]
                )
                shown.step(done)
                if progress is not None:
                    progress(done, len(cases))
    finally:
        journal.close()
        LATEST.known.clear()
    table = in_order(pd.DataFrame([journal.done[case.key] for case in cases]))
    if target is not None:
        write_table(table, target)
        journal.remove()
    return table


def _kind(bracket: bool, bayesian: bool, checks: bool) -> str:
    """What every case is. Raises InputError where more than one thing is asked."""
    kinds = [name for name, on in (("bracket", bracket), ("bayesian", bayesian), ("check", checks)) if on]
    if len(kinds) > 1:
        raise InputError(" and ".join(kinds), where=kinds[0], expected="one of them")
    return kinds[0] if kinds else "solve"


def _product(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every combination of what is asked, later keywords varying fastest."""
    choices = {name: _choices(name, value) for name, value in asked.items()}
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


def _choices(name: str, value: Any) -> list[Any]:
    several = isinstance(value, list | range | tuple) or type(value).__module__ in ("numpy", "pandas")
    if not several or (name == "first" and isinstance(value, tuple)):
        return [value]
    found = [one.item() if hasattr(one, "item") else one for one in value]
    if not found:
        raise InputError("an empty list", where=name, expected="at least one value")
    return found


def _table(rows: pd.DataFrame | str | Path, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The cases of a table, one a row, over what is asked for all of them."""
    import pandas as pd

    if not isinstance(rows, pd.DataFrame):
        try:
            rows = csv_table(read_regular(path_of(rows, "rows")))
        except (OSError, ValueError) as error:
            raise InputError(
                f"cannot be read: {error}"[:120], where="rows", expected="a CSV file with a column a keyword"
            ) from None
    given = [
        {str(name): _cell(str(name), value) for name, value in row.items() if not _is_empty(value)}
        for row in rows.to_dict("records")
    ]
    if not given:
        raise InputError("a table without rows", where="rows", expected="at least one case")
    return [
        {**settings, **row}
        for row in given
        for settings in _product({name: value for name, value in asked.items() if name not in row})
    ]


def _cell(name: str, value: Any) -> Any:
    """A cell of a table; a column of whole numbers with an empty cell has become one of floats."""
    plain = value.item() if hasattr(value, "item") else value
    whole = name in WHOLE and isinstance(plain, float) and plain.is_integer()
    return int(plain) if whole else plain


def _is_empty(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _case(base: Instance, settings: Mapping[str, Any], what: str, keep: str | Path | None) -> Case:
    """The case of ``settings``: parameters go to the instance, the rest to what is asked."""
    known = {"solve": SOLVE, "bracket": BRACKET, "check": CHECK, "bayesian": BAYESIAN}[what] + (
        "grid",
        "prices",
    )
    parameters = {name: value for name, value in settings.items() if name in base.parameters}
    asked = {name: value for name, value in settings.items() if name not in parameters}
    for name in asked:
        if name not in known:
            raise InputError(
                f"{name!r} is no parameter of {base.name} and no keyword of {what}",
                where=name,
                expected=f"one of {', '.join([*base.parameters, *known])}",
            )
    if "grid" in asked:
        grid_of(asked["grid"]).resolve(base)
    stated = base.with_parameters(**parameters) if parameters else base
    return Case(stated, asked, what, None if keep is None else Path(keep))


def _workers(cases: list[Case], jobs: int) -> int:
    """How many cases at once fit into the memory that is free."""
    jobs = min(jobs, len(cases))
    if jobs == 1 or not cases:
        return 1
    import psutil

    need = _bytes(max(cases, key=partial(_bytes, by=rough_memory)))  # a look at the values of one is enough
    fit = max(1, int(psutil.virtual_memory().available / need))
    return fit if jobs == -1 and fit < (psutil.cpu_count() or 1) else jobs if jobs == -1 else min(jobs, fit)


def _bytes(case: Case, by: Callable[..., float] = memory_of) -> float:
    if "grid" not in case.asked:
        return 2.0 * 2**30
    grid = grid_of(case.asked["grid"]).resolve(case.instance)
    return IMPORTS + by(case.instance, grid, (Timing.SEQUENTIAL,))
