"""``dominate``: is a mechanism constrained efficient on a grid, and if not, what beats it?"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expost._limits import limited
from expost._shown import Shown
from expost._typing import Timing
from expost.errors import InputError
from expost.formulations.dominance import Dominance as Found
from expost.formulations.dominance import dominate as dominate_rule
from expost.formulations.room import room_for_solve
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.winners import winners
from expost.runs.arguments import GridLike, InstanceLike, Words, grid_of, left_of, limit_of, load, words_of
from expost.runs.labelled import labelled
from expost.runs.own import MechanismLike, given_in_order
from expost.runs.record import finite
from expost.runs.run import Run, open_run
from expost.spaces.type_space import TypeSpace, discretize

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@dataclass(frozen=True, eq=False, repr=False)
class Dominance(Shown):
    """The verdict on one mechanism (Bikhchandani 2006, section 4).

    mechanism: what it is called; citation: where it comes from. found: the dominating rule and its gains by state.
    """

    instance: str
    grid: int | str
    mechanism: str
    citation: str
    space: TypeSpace = field(repr=False)
    found: Found = field(repr=False)

    @property
    def gain(self) -> float:
        """Expected welfare of the dominating rule less that of the given one; 0 when nothing dominates it."""
        return self.found.gain

    @property
    def gain_bound(self) -> float:
        """No dominating rule gains more."""
        return self.found.gain_bound

    @property
    def welfare(self) -> float:
        """Expected welfare of the given rule."""
        return self.found.welfare

    @property
    def dominating_welfare(self) -> float:
        """Expected welfare of the dominating rule."""
        return self.found.dominating_welfare

    @property
    def constrained_efficient(self) -> bool | None:
        """True when proved, False when something dominates, None when a limit left it open."""
        return self.found.constrained_efficient

    @property
    def status(self) -> str:
        """Why the solver stopped."""
        return str(self.found.status)

    @property
    def dominating(self) -> Mechanism:
        """The dominating mechanism, audited."""
        return self.found.mechanism

    @property
    def allocation(self) -> xr.DataArray:
        """Who wins under the dominating rule: 0 nobody, k the k-th buyer, over all signals."""
        return labelled(
            self.space,
            winners(self.dominating.allocation),
            name="winner",
            about="the dominating rule's winner",
        )

    @property
    def gains(self) -> xr.DataArray:
        """What the dominating rule gains in each state (unit: values), over all signals."""
        gained = self.found.state_gains
        return labelled(self.space, gained, name="gain", about="welfare gained by the dominating rule")

    def save(self, out: str | Path) -> Path:
        """Write the figures: ``.csv`` or ``.parquet`` the table, ``.json`` all. Raises InputError when it cannot.

        They are the same whether values are formulas or Python functions: nothing of the instance is needed again.
        """
        from expost.runs.figures_file import save_figures

        return save_figures(self, out)

    def to_dict(self) -> dict[str, Any]:
        """JSON values; ``example`` gives the signals of the state that improves most."""
        found = self.found
        return {
            "instance": self.instance,
            "grid": self.grid,
            "mechanism": self.mechanism,
            "citation": self.citation,
            "gain": found.gain,
            "gain_bound": finite(found.gain_bound),
            "welfare": found.welfare,
            "dominating_welfare": found.dominating_welfare,
            "constrained_efficient": found.constrained_efficient,
            "status": str(found.status),
            "backend": found.backend,
            "states": self.space.states,
            "improved_states": found.improved,
            "example": None if found.example is None else self.space.signals_at(found.example),
            "example_gain": found.example_gain,
        }

    def to_frame(self) -> pd.DataFrame:
        """The verdict as a table of one row."""
        import pandas as pd

        return pd.DataFrame([self.to_dict()])

    def summary(self) -> str:
        """The verdict, by how much, and where."""
        head = f"{self.instance}, grid {self.grid}: {self.mechanism}"
        if self.constrained_efficient:
            return f"{head} is constrained efficient on this grid\nwelfare {self.welfare:.6f}"
        if self.constrained_efficient is None:
            return f"{head}: not decided within the limit\nno rule gains more than {self.gain_bound:.6f}"
        example = ", ".join(f"{k} = {v:.4g}" for k, v in (self.to_dict()["example"] or {}).items())
        return (
            f"{head} is dominated on this grid, by {self.gain:.6f}\n"
            f"welfare {self.welfare:.6f}, dominating {self.dominating_welfare:.6f}\n"
            f"better in {self.found.improved:,} of {self.space.states:,} states, most at {example}"
        )


@limited
def dominate(
    instance: InstanceLike | None,
    mechanism: MechanismLike | Run,
    grid: GridLike = 8,
    *,
    first: Words = (),
    time_limit: float | None = None,
) -> Dominance:
    """The rule that dominates a mechanism by the most on a grid, among rules of the same timing.

    mechanism: the name of a construction (``t*``, ``example2``, ..), ``Prices`` or ``Strikes``, a file or a line of
    them, or a solved or saved run, whose own instance, grid and order then count. first: the signals that arrive first
    (strikes).

    Raises InputError when the mechanism is unknown, not defined for the instance or not implementable on the grid;
    LimitReached when a limit came before any rule.
    """
    limit = limit_of(time_limit)
    left = left_of(limit)
    if isinstance(mechanism, Path) and mechanism.suffix != ".toml":
        mechanism = open_run(mechanism)
    if isinstance(mechanism, Run):
        _no_order_of_a_run(first)
        return _dominate_run(mechanism, limit)
    if instance is None:
        raise InputError("no instance", where="instance", expected="the instance of the prices")
    stated, given = given_in_order(load(instance), mechanism, first)
    points = grid_of(grid)
    room_for_solve(stated, points, (Timing(given.timing),), limit)
    space = discretize(stated, points)
    found = dominate_rule(space, given.on(space).allocation, timing=given.timing, time_limit=left())
    return Dominance(stated.name, space.grid.describe(), given.name, given.citation, space, found)


def _no_order_of_a_run(first: Words) -> None:
    if words_of(first, "first"):
        raise InputError(
            "signals that arrive first", where="first", expected="nothing: a run has an order of its own"
        )


def _dominate_run(run: Run, limit: float | None) -> Dominance:
    settings = run.settings
    found = dominate_rule(
        run.space,
        run.mechanism.allocation,
        timing=settings.timing,
        first=settings.first,
        time_limit=limit,
    )
    name = str(run.folder) if run.folder is not None else "the run"
    cited = "saved run" if run.folder is not None else "run"
    return Dominance(run.instance.name, settings.grid.describe(), name, cited, run.space, found)
