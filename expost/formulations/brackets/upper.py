"""The upper side of a search: first best, random offsets, dual functions on ever finer meshes."""

from __future__ import annotations

import math
import time

from expost.errors import InputError
from expost.formulations.brackets.account import Account
from expost.formulations.brackets.basis import ShadowPrices, constant_prices
from expost.formulations.brackets.dual import dual_limit, first_best
from expost.formulations.brackets.effort import STAGES, Effort, scaled
from expost.formulations.brackets.fit import fit_prices, largest_nodes
from expost.formulations.brackets.offsets import extrapolate, grid_excess, offset_limit
from expost.formulations.brackets.records import UPPER
from expost.formulations.brackets.statistics import Limit

GRIDS = {1: (16, 32, 64), 2: (8, 16, 32), 3: (4, 6, 8), 4: (4, 6, 8), 5: (3, 4, 5), 6: (2, 3, 4)}
"""Grids for random offsets and the extrapolation, by the number of signals."""


def first_bounds(account: Account) -> None:
    """The first best (upper), which also serves as the control of every other statistical bound."""
    # a fortieth of the permitted failures each: two limits enter every bound of either side
    confidence = 1.0 - 0.025 * (1.0 - account.confidence)
    account.first_best, account.kept = first_best(account.space, confidence, account.next_seed())
    mean = account.first_best.mean
    if not math.isfinite(mean) or not math.isfinite(account.kept.mean):
        raise InputError(f"an expected first best of {mean}", where=f"instance {account.space.instance.name}",
                         expected="finite expected values", remedy="give the signals a prior under which the values have a mean")
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
        dims = sum(space.dims)
        grids = GRIDS.get(dims, (2, 3))
        many = space.n > 2
        limit = None if not many else max(1.0, min(10.0, 0.02 * account.left))
        try:
            point = grids[-2] if many else grids[-1]
            confidence = account.allowance.next(UPPER)
            found = offset_limit(space, point, confidence, account.next_seed(), account.first_best.mean,
                                 replicates=6 if many else 10, time_limit=limit)
            word = "bounds" if many else "optima"
            account.statistical(UPPER, f"random offsets, mean of grid {word}, {point} points per signal", found)
            values = tuple((m, grid_excess(space, m, None, limit) + account.first_best.mean + account.kept.mean) for m in grids)
            account.estimates.append(extrapolate(values))
        except InputError as error:
            account.leave_out("random offsets", error)

    def stage(self, number: int) -> None:
        """Fit shadow prices on this stage's mesh and evaluate them."""
        account, effort = self.account, STAGES[number]
        space = account.space
        nodes = largest_nodes(space.dims, effort.mesh)
        floor = self._floor()
        start = self.u.refined(nodes) if self.u is not None else constant_prices(space.dims, nodes, floor, 0.5)
        account.tell(f"fitting shadow prices, {nodes} nodes per signal")
        self.u = fit_prices(space, start, effort.fit, account.rng(), account.deadline(0.4, 900.0))
        self._evaluate(effort)

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
        limit = dual_limit(account.space, u, size, account.allowance.next(UPPER), account.next_seed(), account.first_best.mean)
        states = float(size.replicates * size.fibres * size.types * account.space.n)
        self.rate = states / max(time.perf_counter() - began, 1e-3)
        account.statistical(UPPER, f"dual function, multilinear shadow prices on {u.nodes} nodes per signal", limit)


def any_negative(account: Account) -> bool:
    """Whether any buyer's gain is negative anywhere on a sample."""
    from expost.mechanisms.continuum_space import scrambled

    space = account.space
    import numpy as np

    joint = scrambled(4096, sum(space.dims), np.random.default_rng(0))
    signals = space.signals(np.split(joint, np.cumsum(space.dims)[:-1], axis=1))
    return any(float(space.instance.gain(i, signals).min()) < 0.0 for i in range(space.n))
