"""The lower side of a search: one buyer alone, cells, completions of grid optima and constructions, polished."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from operator import itemgetter

import numpy as np

from expost._typing import Float
from expost.brackets.account import Account
from expost.brackets.effort import efforts
from expost.brackets.lower.cells import cell_mechanism, guaranteed_welfare
from expost.brackets.lower.evaluation import mechanism_limit
from expost.brackets.lower.polish import polish
from expost.brackets.records import LOWER
from expost.brackets.starts import (
    Starts,
    complete,
    given_strikes,
    grid_rules,
    grid_strikes,
    mesh_nodes,
    prolonged,
)
from expost.brackets.statistics import Limit
from expost.brackets.upper.side import any_negative
from expost.errors import InputError
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.mechanisms.continuum.monotone import NotMonotone
from expost.mechanisms.continuum.solo import SoloMechanism

CELLS = {2: 24, 3: 10, 4: 8, 5: 5, 6: 3}
"""Cells per level of the rigorous lower bound, by the number of signals."""
GRID = "a grid optimum"
GRIDS = {2: 24, 3: 14, 4: 12, 5: 6, 6: 4}
GRIDS_MANY = {3: 8, 4: 6, 5: 4, 6: 4, 7: 3}
"""Points per signal of the grid optimum that a completion starts from: two buyers, and more."""
SHORT = 60.0
"""Seconds left below which a completion of three buyers or more is evaluated before it is polished, too."""
MOST_ORDERS = 6
"""Orders of the buyers that are tried."""
MOST_NODES = 7_000
"""Nodes of one buyer's strikes, beyond which a mesh is not refined."""


class LowerSide:
    """What the lower side carries from stage to stage."""

    def __init__(self, account: Account, starts: Starts) -> None:
        self.account, self.starts = account, starts
        self.completed: list[CompletedMechanism] = []
        self.negative = any_negative(account)

    def never_sell(self) -> None:
        """Keeping the item is a mechanism."""
        account = self.account
        never = SoloMechanism(account.space, "never sell", 0, np.array([np.inf]), 0)
        seller = account.space.instance.seller_valuation
        if seller.signals:
            account.statistical(LOWER, "never sell", Limit(0.0, 0.0, account.kept.confidence), never)
        else:
            account.rigorous(LOWER, "never sell", float(seller({})), never)

    def solo(self) -> None:
        """The best price for one buyer against each state of the others, whatever the valuations."""
        found = [
            SoloMechanism(self.account.space, f"buyer {buyer.name} alone, best prices", i, np.empty(0), 256)
            for i, buyer in enumerate(self.account.space.instance.buyers)
        ]
        self._evaluate(max(found, key=lambda mechanism: self._pilot(mechanism, 32)), 128, 10)

    def cells(self) -> None:
        """Rigorous: strikes constant on cells; with three buyers or more also evaluated on samples."""
        account, space = self.account, self.account.space
        points = CELLS.get(sum(space.dims), 2)
        limit = None if space.n < 3 else max(1.0, min(20.0, 0.15 * account.left))
        account.tell(f"optimizing on {points} cells per signal")
        try:
            mechanism = cell_mechanism(space, points, limit)
            if self._keeps_constant():
                parts = {2: 8, 3: 4, 4: 2}.get(sum(space.dims), 1)
                floor = guaranteed_welfare(mechanism, parts) + account.kept.mean
                account.rigorous(LOWER, mechanism.method, floor, mechanism)
            else:
                account.leave_out(
                    "cells (rigorous lower)", "the seller's value varies, so its mean is statistical"
                )
            if space.n > 2:
                self._evaluate(mechanism, 1024, 10)
        except (NotMonotone, InputError) as reason:
            account.leave_out("cells (lower)", reason)

    def _keeps_constant(self) -> bool:
        return self.account.kept.error == 0.0

    def stage(self, number: int) -> None:
        """Complete (stage 0) or refine, polish and evaluate."""
        account = self.account
        try:
            if number == 0:
                self.completed = self._starts()
                if self.completed and account.space.n > 2 and account.left < SHORT:
                    self._evaluate(max(self.completed, key=lambda start: self._pilot(start, 16)), 64, 6)
            elif number == 2 and self.completed:
                best = max(self.completed, key=lambda mechanism: self._pilot(mechanism, 256))
                self.completed = [_refined(best)]
            if self.completed and not account.over:
                self._polish(number)
        except InputError as reason:
            account.leave_out("completion (lower)", reason)

    def _starts(self) -> list[CompletedMechanism]:
        """Strikes to polish, which end in different optima: the best order of a grid optimum (two buyers: each order)
        and of a construction."""
        account, space = self.account, self.account.space
        found: dict[str, list[CompletedMechanism]] = {}
        for source, strikes in self._sources():
            given = cache(strikes)
            for order in _orders(space.n):
                if found and account.left < 0.7 * (account.time_limit or np.inf):
                    break  # starts may take a third of the time, not more
                nodes = mesh_nodes(space, order)
                try:
                    theta = [given(j, nodes) for j in order[:-1]]
                except InputError:
                    break  # not defined for this instance or this timing: one start fewer
                names = ", ".join(space.instance.buyers[k].name for k in order)
                method = f"completion of {source}, buyers in order {names}"
                account.tell(method)
                start = complete(space, order, theta, nodes, method, account.first_best.mean, self.negative)
                try:
                    start.check()
                except NotMonotone as reason:
                    account.leave_out(f"completion, buyers in order {names} (lower)", reason)
                    continue
                kind = GRID if source == GRID else "given"
                group = kind + names if kind == GRID and space.n == 2 else kind
                found.setdefault(group, []).append(start)
        return [max(group, key=lambda mechanism: self._pilot(mechanism, 32)) for group in found.values()]

    def _sources(self) -> Iterator[tuple[str, Callable[[int, int], Float]]]:
        """Strikes to start from: what they are, and those of a buyer on a mesh with so many nodes."""
        space = self.account.space
        for given in self.starts(space.instance):
            yield given.name, partial(given_strikes, space, given)
        try:
            points, limit = self._grid()
            self.account.tell(f"optimizing on {points} points per signal")
            rules = grid_rules(space, points, limit)
        except InputError as reason:
            self.account.leave_out("completion of a grid optimum (lower)", reason)
            return
        yield GRID, partial(grid_strikes, space, rules)

    def _grid(self) -> tuple[int, float | None]:
        """Points per signal of the grid optimum to start from, and how long to search for it."""
        space = self.account.space
        if space.n > 2:
            return GRIDS_MANY.get(sum(space.dims), 2), max(1.0, min(20.0, 0.1 * self.account.left))
        points = GRIDS.get(sum(space.dims), 3) - (4 if space.sequential and sum(space.dims) > 2 else 0)
        return max(points, 2), None

    def _polish(self, number: int) -> None:
        """Polish what there is, keep what a pilot prefers, and evaluate the best."""
        account, effort = self.account, efforts(self.account.space.n)[number]
        account.tell("polishing completions")
        share = 0.3 if account.space.n == 2 else 0.15
        found: list[tuple[float, CompletedMechanism]] = []
        for start in self.completed:
            polished = polish(start, effort.polish, account.rng(), account.deadline(share, 600.0))
            scored = [(self._pilot(mechanism, 128), mechanism) for mechanism in (start, polished)]
            found.append(max(scored, key=itemgetter(0)))
        best = max(found, key=itemgetter(0))[1]
        self.completed = [mechanism for _, mechanism in found] if account.space.n == 2 else [best]
        if account.left > 0.0:
            self._evaluate(best, effort.points, effort.replicates)

    def _pilot(self, mechanism: ContinuumMechanism, points: int) -> float:
        """A rough welfare, always on the same samples, to choose by; never a bound."""
        seed = np.random.SeedSequence([self.account.seed, 12345])
        return mechanism_limit(mechanism, 0.5, seed, 0.0, replicates=4, points=points).mean

    def _evaluate(self, mechanism: ContinuumMechanism, points: int, replicates: int) -> None:
        account = self.account
        account.tell(f"evaluating: {mechanism.method}")
        points = self._affordable(mechanism, points, replicates)
        limit = mechanism_limit(
            mechanism,
            account.allowance.next(LOWER),
            account.next_seed(),
            account.first_best.mean,
            replicates=replicates,
            points=points,
        )
        account.statistical(LOWER, mechanism.method, limit, mechanism)

    def _affordable(self, mechanism: ContinuumMechanism, points: int, replicates: int) -> int:
        """At most as many points as the time that is left allows, by the pace of a pilot."""
        if not np.isfinite(self.account.left):
            return points
        began = time.perf_counter()
        self._pilot(mechanism, 16)
        each = (time.perf_counter() - began) / (4 * 16)
        while points > 64 and each * points * replicates > 0.5 * self.account.left:
            points //= 2
        return points


def _orders(n: int) -> list[tuple[int, ...]]:
    """The orders of the buyers to try: all of them, or the rotations where these are too many."""
    if math.factorial(n) <= MOST_ORDERS:
        return list(itertools.permutations(range(n)))
    buyers = tuple(range(n))
    return [buyers[k:] + buyers[:k] for k in range(min(n, MOST_ORDERS))]


def _refined(mechanism: CompletedMechanism) -> CompletedMechanism:
    """The same strikes on a mesh twice as fine, where that stays small (static buyers; a sequential one's mesh has an
    axis more)."""
    dims, given = mechanism.space.dims, mechanism.order[:-1]
    nodes = 2 * mechanism.nodes - 1
    levels = [sum(dims) - dims[j] for j in given]
    if any(len(theta) > 1 for theta in mechanism.theta) or nodes ** max(levels) > MOST_NODES or nodes > 65:
        return mechanism
    theta = tuple(
        prolonged(strikes, mechanism.nodes, nodes, count)
        for count, strikes in zip(levels, mechanism.theta, strict=True)
    )
    return replace(mechanism, theta=theta, nodes=nodes, depth=max(1, mechanism.depth - 1))
