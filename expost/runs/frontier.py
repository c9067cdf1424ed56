"""``frontier``: what one objective costs in terms of another on a grid, corner by corner, each one certified."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from expost._limits import limited
from expost._shown import Shown
from expost.errors import InputError, LimitReached
from expost.formulations.corners import Corner, Objectives
from expost.formulations.frontier import buyers_shares, corners, welfare_and_revenue
from expost.formulations.second_best import type_space
from expost.instances.words import nearest
from expost.runs.arguments import GridLike, InstanceLike, Words, limit_of, load, settings_of, words_of

if TYPE_CHECKING:
    import pandas as pd

    from expost.formulations.settings import Settings
    from expost.spaces.type_space import TypeSpace


@dataclass(frozen=True, repr=False)
class Frontier(Shown):
    """Corners of the efficient frontier between two objectives; what lies between two corners is attained by mixing.

    between: the two objectives. corners: in order of the first objective. complete: whether these are all the corners
    there are, so that nothing lies beyond the line through them.
    """

    instance: str
    timing: str
    grid: int | str
    between: tuple[str, str]
    corners: tuple[Corner, ...] = field(repr=False)
    complete: bool
    seconds: float

    @property
    def table(self) -> pd.DataFrame:
        """One row a corner: the share of the first objective where it is optimal, both objectives, welfare, revenue,
        probability of sale, and whether it is proved."""
        import pandas as pd

        return pd.DataFrame([self._row(corner) for corner in self.corners])

    def to_frame(self) -> pd.DataFrame:
        """The same as ``table``."""
        return self.table

    def _row(self, corner: Corner) -> dict[str, Any]:
        return {
            "share": corner.share,
            "first": corner.first,
            "second": corner.second,
            "welfare": corner.welfare,
            "revenue": corner.revenue,
            "sold": corner.sold,
            "proved": corner.proved,
        }

    def to_dict(self) -> dict[str, Any]:
        """JSON values: what ``expost frontier --json`` prints."""
        return {
            "instance": self.instance,
            "timing": self.timing,
            "grid": self.grid,
            "between": list(self.between),
            "complete": self.complete,
            "seconds": self.seconds,
            "rows": [self._row(corner) for corner in self.corners],
        }

    def summary(self) -> str:
        """What was traded, between which ends, and whether all corners are there."""
        low, high = self.corners[0], self.corners[-1]
        one, two = self.between
        return (
            f"{self.instance}, {self.timing}, grid {self.grid}: {one} against {two}, {len(self.corners)} corners"
            f"{'' if self.complete else ' (there are more)'}\n"
            f"{one} from {low.first:.6f} to {high.first:.6f}\n{two} from {low.second:.6f} to {high.second:.6f}"
        )


@limited
def frontier(
    instance: InstanceLike,
    grid: GridLike = 8,
    between: Words = ("welfare", "revenue"),
    points: int | None = None,
    *,
    timing: Words = "static",
    first: Words = (),
    restrict: str | None = None,
    backend: str = "auto",
    time_limit: float | None = None,
) -> Frontier:
    """The efficient frontier between two objectives on a grid.

    between: ``welfare`` and ``revenue`` (static timing), or the names of two buyers: the expected gains from selling to
    either. points: corners at most, the most telling first; None: all of them. timing, first, restrict, backend: as in
    ``solve``. time_limit: seconds; the corners found by then are returned.

    Raises InputError for anything else, LimitReached when the limit came before both ends.
    """
    stated, limit, begun = load(instance), limit_of(time_limit), time.perf_counter()
    settings = settings_of(stated, grid, timing=timing, first=first, restrict=restrict)
    space = type_space(stated, settings, limit)
    objectives = _objectives(space, settings, words_of(between, "between"))
    if points is not None and (isinstance(points, bool) or not isinstance(points, int) or points < 2):
        raise InputError(f"{points!r}", where="points", expected="a whole number of points, at least 2")

    def left() -> float | None:
        if limit is None:
            return None
        rest = limit - (time.perf_counter() - begun)
        if rest <= 0.0:
            raise LimitReached("the limit came before both ends of the frontier; allow more time")
        return rest

    found, complete = corners(objectives, points, backend=backend, left=left)
    return Frontier(
        stated.name,
        settings.timing,
        space.grid.describe(),
        objectives.names,
        tuple(found),
        complete,
        time.perf_counter() - begun,
    )


def _objectives(space: TypeSpace, settings: Settings, between: Sequence[str]) -> Objectives:
    names = [buyer.name for buyer in space.instance.buyers]
    if sorted(between) == ["revenue", "welfare"]:
        return welfare_and_revenue(space, settings)
    unknown = [name for name in between if name not in names]
    if len(between) != 2 or unknown or between[0] == between[1]:
        raise InputError(
            f"{', '.join(between)}"[:60] or "nothing",
            where="between",
            expected=f"welfare and revenue, or two of the buyers {', '.join(names)}",
            remedy=nearest(unknown[0], [*names, "welfare", "revenue"]) if unknown else "",
        )
    return buyers_shares(space, settings, (names.index(between[0]), names.index(between[1])))
