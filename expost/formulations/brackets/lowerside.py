"""The lower side of a search: one buyer alone, cells, completions of grid optima, polished."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from expost.errors import InputError
from expost.formulations.brackets.account import Account
from expost.formulations.brackets.cells import cell_mechanism, guaranteed_welfare
from expost.formulations.brackets.effort import STAGES
from expost.formulations.brackets.leader import complete, construction_strikes, grid_strikes, mesh_nodes
from expost.formulations.brackets.lower import mechanism_limit
from expost.formulations.brackets.polish import polish
from expost.formulations.brackets.records import LOWER
from expost.formulations.brackets.statistics import Limit
from expost.formulations.brackets.upper import any_negative
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.mechanisms.continuum.mesh import hats, mesh_points
from expost.mechanisms.continuum.monotone import NotMonotone
from expost.mechanisms.continuum.solo import SoloMechanism

Float = NDArray[np.float64]

CELLS = {2: 24, 3: 10, 4: 8, 5: 5, 6: 3}
"""Cells per level of the rigorous lower bound, by the number of signals."""
CONSTRUCTIONS = ("example2", "t*", "envelope")
"""Constructions of the papers that completions may start from, where they are defined."""
GRIDS = {2: 24, 3: 14, 4: 12, 5: 6, 6: 4}
"""Points per signal of the grid optimum that a completion starts from."""


class LowerSide:
    """What the lower side carries from stage to stage."""

    def __init__(self, account: Account) -> None:
        self.account = account
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

    def cells(self, finer: int = 0) -> None:
        """Rigorous: strikes constant on cells; with three buyers or more also evaluated on samples."""
        account, space = self.account, self.account.space
        points = CELLS.get(sum(space.dims), 2) + finer
        limit = None if space.n < 3 else max(1.0, min(20.0 * 4**finer, 0.15 * account.left))
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
        if account.space.n != 2:
            if 0 < number < 3:
                self.cells(number)
            return
        try:
            if not self.completed:
                self.completed = self._starts()
            elif number == 2:
                best = max(self.completed, key=lambda mechanism: self._pilot(mechanism, 256))
                self.completed = [self._refined(best)]
            self._polish(number)
        except NotMonotone as reason:
            account.leave_out("completion (lower)", reason)
        except InputError as reason:
            account.leave_out("completion from a grid optimum (lower)", reason)

    def _starts(self) -> list[CompletedMechanism]:
        """Lines to polish, which end in different optima: each leader's grid optimum, and the best construction."""
        account = self.account
        found: dict[str, list[CompletedMechanism]] = {}
        for leader in range(2):
            name = account.space.instance.buyers[leader].name
            for source, theta in self._sources(leader):
                if found and account.left < 0.7 * (account.time_limit or np.inf):
                    break  # starts may take a third of the time, not more
                account.tell(f"completing {source}, buyer {name} first")
                nodes, _ = mesh_nodes(account.space, leader)
                method = f"completion of {source} led by buyer {name}"
                start = complete(
                    account.space, leader, theta, nodes, method, account.first_best.mean, self.negative
                )
                found.setdefault("construction" if source in CONSTRUCTIONS else name, []).append(start)
        return [max(group, key=lambda mechanism: self._pilot(mechanism, 32)) for group in found.values()]

    def _sources(self, leader: int) -> Iterator[tuple[str, Float]]:
        """Strikes to start from, each with what it is."""
        space = self.account.space
        points = GRIDS.get(sum(space.dims), 3) - (4 if space.sequential and sum(space.dims) > 2 else 0)
        try:
            yield "a grid optimum", grid_strikes(space, leader, max(points, 2))
        except InputError as reason:
            self.account.leave_out("completion of a grid optimum (lower)", reason)
        for name in CONSTRUCTIONS:
            try:
                theta = construction_strikes(space, leader, name)
            except InputError:
                continue  # not defined for this instance or this timing: one start fewer
            if np.isfinite(theta).all():
                yield name, theta

    def _refined(self, mechanism: CompletedMechanism) -> CompletedMechanism:
        """The same strikes on a mesh twice as fine (static leaders; a sequential leader's mesh has an axis more)."""
        dims = mechanism.space.dims[mechanism.follower]
        nodes = 2 * mechanism.nodes - 1
        if len(mechanism.theta) > 1 or dims > 2 or nodes > 65:
            return mechanism
        theta = (hats(mesh_points(nodes, dims), mechanism.nodes) @ mechanism.theta.T).T
        return replace(
            mechanism, theta=np.ascontiguousarray(theta), nodes=nodes, depth=max(1, mechanism.depth - 1)
        )

    def _polish(self, number: int) -> None:
        """Polish what there is, keep what a pilot prefers, and evaluate the best."""
        account, effort = self.account, STAGES[number]
        account.tell("polishing completions")
        for k, start in enumerate(self.completed):
            better = polish(start, effort.polish, account.rng(), account.deadline(0.3, 600.0))
            if self._pilot(better, 128) > self._pilot(start, 128):
                self.completed[k] = better
        best = max(self.completed, key=lambda mechanism: self._pilot(mechanism, 128))
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
        self._pilot(mechanism, 64)
        each = (time.perf_counter() - began) / (4 * 64)
        while points > 64 and each * points * replicates > 0.5 * self.account.left:
            points //= 2
        return points
