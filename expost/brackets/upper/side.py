"""The upper side of a search: first best, random offsets, dual functions on ever finer meshes."""

from __future__ import annotations

import math
import time

import numpy as np

from expost.brackets.account import Account
from expost.brackets.effort import Effort, efforts, scaled
from expost.brackets.records import UPPER
from expost.brackets.statistics import Limit
from expost.brackets.upper.basis import ShadowPrices, constant_prices
from expost.brackets.upper.dual import dual_limit, first_best
from expost.brackets.upper.dual_cells import guaranteed_dual
from expost.brackets.upper.fit import fit_prices, largest_nodes
from expost.brackets.upper.offsets import extrapolate, grid_excess, offset_limit
from expost.brackets.upper.tails import NO_MEAN, NO_VARIANCE, tail_growth
from expost.errors import InputError
from expost.mechanisms.continuum.monotone import NotMonotone
from expost.spaces.quantile_space import scrambled

GRIDS = {
    2: (32, (16, 24, 32, 48)),
    3: (14, (10, 14, 18, 24)),
    4: (12, (10, 12, 16, 20)),
    5: (6, (4, 6, 8)),
    6: (4, (3, 4, 6)),
}
"""The grid for random offsets, and those for the extrapolation, by the number of signals (two buyers)."""
MANY = {3: (6, (4, 6, 8)), 4: (4, (3, 4, 5)), 5: (3, (2, 3)), 6: (4, (2, 3, 4))}
"""The same for three buyers or more, where programs are harder."""
CELLS = {2: (128, 512), 3: (32, 128), 4: (32, 64)}
"""Cells per level of the rigorous dual bound, early and late, by the number of signals."""


def first_bounds(account: Account) -> None:
    """The first best (upper), which also serves as the control of every other statistical bound."""
    growth = tail_growth(account.space)
    for name, factor in growth.items():
        if factor >= NO_MEAN:
            raise InputError(
                f"gains without a finite mean in the tail of {name}",
                where=f"instance {account.space.instance.name}",
                expected="finite expected values",
                remedy="give the signals a prior under which the values have a mean",
            )
        if factor >= NO_VARIANCE:
            account.leave_out(
                "the confidence of statistical bounds", f"no finite variance in the tail of {name}"
            )
    # a fortieth of the permitted failures each: two limits enter every bound of either side
    confidence = 1.0 - 0.025 * (1.0 - account.confidence)
    account.first_best, account.kept = first_best(account.space, confidence, account.next_seed())
    mean = account.first_best.mean
    if not math.isfinite(mean) or not math.isfinite(account.kept.mean):
        raise InputError(
            f"an expected first best of {mean}",
            where=f"instance {account.space.instance.name}",
            expected="finite expected values",
            remedy="give the signals a prior under which the values have a mean",
        )
    account.statistical(UPPER, "first best", Limit(mean, 0.0, confidence))


class UpperSide:
    """What the upper side carries from stage to stage."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.u: ShadowPrices | None = None
        self.rate = 2e7  # states evaluated per second, measured as we go

    def offsets(self) -> None:
        """Random offsets on a coarse grid, and the extrapolation of midpoint grids."""
        account, space = self.account, self.account.space
        many = space.n > 2
        point, grids = (MANY if many else GRIDS).get(sum(space.dims), (2, (2, 3)))
        limit = None if not many else max(1.0, min(10.0, 0.02 * account.left))
        try:
            confidence = account.allowance.next(UPPER)
            found = offset_limit(
                space,
                point,
                confidence,
                account.next_seed(),
                account.first_best.mean,
                replicates=6 if many else 10,
                time_limit=limit,
            )
            word = "bounds" if many else "optima"
            account.statistical(
                UPPER, f"random offsets, mean of grid {word}, {point} points per signal", found
            )
            values = tuple(
                (m, grid_excess(space, m, None, limit) + account.first_best.mean + account.kept.mean)
                for m in grids
            )
            account.estimates.append(extrapolate(values))
        except InputError as error:
            account.leave_out("random offsets", error)

    def stage(self, number: int) -> None:
        """Fit shadow prices on this stage's mesh and evaluate them."""
        account, effort = self.account, efforts(self.account.space.n)[number]
        space = account.space
        nodes = largest_nodes(space.dims, effort.mesh)
        floor = self._floor()
        start = (
            self.u.refined(nodes) if self.u is not None else constant_prices(space.dims, nodes, floor, 0.5)
        )
        account.tell(f"fitting shadow prices, {nodes} nodes per signal")
        self.u = fit_prices(space, start, effort.fit, account.rng(), account.deadline(0.4, 900.0))
        self._evaluate(effort)
        if number in (0, 3):
            self._guaranteed(number > 0)

    def _guaranteed(self, late: bool) -> None:
        """The rigorous bound from the same shadow prices."""
        account, space = self.account, self.account.space
        what = "dual function on cells (rigorous upper)"
        if space.n != 2 or space.sequential:
            account.leave_out(what, "it is there for two buyers and static timing only")
        elif not space.bounded or account.kept.error > 0.0:
            account.leave_out(what, "it needs bounded supports and a seller's value that does not vary")
        elif account.left > 60.0 or not late:
            try:
                cells = CELLS.get(sum(space.dims), (4, 8))[late]
                value = guaranteed_dual(space, self.u, cells) if self.u else math.inf
                account.rigorous(
                    UPPER, f"dual function on cells, {cells} per signal", value + account.kept.mean
                )
            except NotMonotone as reason:
                account.leave_out(what, reason)

    def _floor(self) -> float:
        """A little base where the second largest gain is negative, in case the item has a price there."""
        mean = self.account.first_best.mean
        return 0.02 * mean if any_negative(self.account) else 0.0

    def _evaluate(self, effort: Effort) -> None:
        account, u = self.account, self.u
        assert u is not None
        if account.left <= 0.0:
            return
        size = effort.quadrature
        states = float(size.replicates * size.fibres * size.types * account.space.n)
        size = scaled(size, 0.5 * account.left * self.rate / states)
        account.tell(f"evaluating shadow prices, {u.nodes} nodes per signal")
        began = time.perf_counter()
        limit = dual_limit(
            account.space,
            u,
            size,
            account.allowance.next(UPPER),
            account.next_seed(),
            account.first_best.mean,
        )
        states = float(size.replicates * size.fibres * size.types * account.space.n)
        self.rate = states / max(time.perf_counter() - began, 1e-3)
        account.statistical(
            UPPER, f"dual function, multilinear shadow prices on {u.nodes} nodes per signal", limit
        )


def any_negative(account: Account) -> bool:
    """Whether any buyer's gain is negative anywhere on a sample."""
    space = account.space
    joint = scrambled(4096, sum(space.dims), np.random.default_rng(0))
    signals = space.signals(np.split(joint, np.cumsum(space.dims)[:-1], axis=1))
    return any(float(space.instance.gain(i, signals).min()) < 0.0 for i in range(space.n))
