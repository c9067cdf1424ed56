"""The lower side of a search: one buyer alone, cells, completions of grid optima and constructions, polished."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from operator import itemgetter

import numpy as np

from expost._limits import within
from expost._typing import Float
from expost.brackets.account import Account
from expost.brackets.clock import Clock, OutOfTime
from expost.brackets.effort import CELLS_LOWER, GRID_LOWER, Effort, grid_points
from expost.brackets.evidence import CellsWelfare, Floor, Sizeless, Welfare
from expost.brackets.lower.cells import cell_mechanism, guaranteed_welfare
from expost.brackets.lower.evaluation import mechanism_limit
from expost.brackets.lower.floor import FloorSizes, most_levels, rounded_boxes
from expost.brackets.lower.line_polish import LinePolishPlan, can_polish, polish_on_lines
from expost.brackets.lower.polish import polish
from expost.brackets.optimum import check_states
from expost.brackets.records import LOWER
from expost.brackets.starts import (
    Starts,
    closed_form_nodes,
    complete,
    given_strikes,
    grid_rules,
    grid_strikes,
    mesh_nodes,
    prolonged,
    thinned,
)
from expost.brackets.statistics import Limit
from expost.brackets.symmetry import exchangeable
from expost.brackets.upper.fibre_lines import fibre_signals
from expost.brackets.upper.side import any_negative
from expost.errors import InputError, LimitReached
from expost.mechanisms.continuum.cells import cell_counts
from expost.mechanisms.continuum.completion import CompletedMechanism
from expost.mechanisms.continuum.efficient import EfficientMechanism
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.mechanisms.continuum.monotone import NotMonotone
from expost.mechanisms.continuum.posted import PostedMechanism
from expost.mechanisms.continuum.solo import SoloMechanism
from expost.mechanisms.given import Given
from expost.spaces.quantile_space import QuantileSpace

GRID = "a grid optimum"
SHORT = 15.0
"""Seconds left below which a completion of two buyers is evaluated before it is polished, too."""
LONG = 100.0
"""Seconds left beyond which more completions than the best so far are polished further (two buyers)."""
ENOUGH = 0.8
"""Of the width that was asked for: where a pilot finds an unpolished completion nearer to the upper end, it is
evaluated, and polishing may not be needed."""
NOTICEABLE = 0.02
"""Of the width: an error above which prices by formula are evaluated once more."""
MOST_POINTS = 64
"""Points per signal of the grid optimum to start from, at most."""
MOST_ORDERS = 6
"""Orders of the buyers that are tried."""
MOST_ROUNDED = 2
"""How many times as many boxes as asked for a completion's mesh may ask for: with 4, the two smallest numbers of boxes
would be one and the same on 33 nodes."""
RULE_POINTS, EFFICIENT_POINTS, MOSTLY = 32, (1 << 10, 1 << 12, 1 << 14), 0.2
"""Points of the conditionally efficient rule's pilot, and of its replicates: more where its error is so much of the
width."""
PILOTS = 4
"""Replicates of a pilot."""
POSTED_DEPTH, POSTED_PRECISION = 15, 1e-4
"""Of prices by formula: how often cells are halved, and by how much a supremum may be over-estimated before, of the
first best."""
MOST_NODES = 7_000
"""Nodes of one buyer's strikes, beyond which a mesh is not refined."""


class LowerSide:
    """What the lower side carries from stage to stage."""

    def __init__(self, account: Account, starts: Starts) -> None:
        self.account, self.starts = account, starts
        self.completed: list[CompletedMechanism] = []
        self.unpolished: list[CompletedMechanism] = []
        self.best: CompletedMechanism | None = None
        self.posted: list[PostedMechanism] = []  # prices by formula, as they are
        self.stated = False  # whether these alone are evaluated
        self.negative = any_negative(account)
        self.lines = fibre_signals(account.space) is not None

    def never_sell(self) -> None:
        """Keeping the item is a mechanism."""
        account = self.account
        never = SoloMechanism(account.space, "never sell", (0,), np.array([np.inf]), 0)
        seller = account.space.stated.seller_valuation
        if seller.signals:
            account.statistical(
                LOWER, "never sell", Limit(0.0, 0.0, account.kept.confidence), Sizeless(), None, never
            )
        else:
            account.rigorous(LOWER, "never sell", float(seller({})), Sizeless(), never)

    def solo(self) -> None:
        """The best price for one buyer (of k units: for k) against each state of the others, whatever the
        valuations."""
        space = self.account.space
        worth = [self._pilot(self._alone((i,)), 32) for i in range(space.n)]
        chosen = sorted(range(space.n), key=lambda i: -worth[i])[: space.units]
        self._evaluate(self._alone(tuple(sorted(chosen))), 128, 10)

    def _alone(self, buyers: tuple[int, ...]) -> SoloMechanism:
        """These buyers at the best prices against each state of the others."""
        names = ", ".join(self.account.space.stated.buyers[i].name for i in buyers)
        word = "buyer" if len(buyers) == 1 else "buyers"
        method = f"{word} {names} alone, best prices"
        return SoloMechanism(self.account.space, method, buyers, np.empty(0), 256)

    def efficient(self) -> None:
        """The best conditionally efficient rule: it attains the first best where anything does."""
        account, space = self.account, self.account.space
        if space.discrete or not space.bounded:
            account.leave_out(
                "conditionally efficient rule (lower)",
                "it is there for continuous priors with bounded supports only",
            )
            return
        mechanism = EfficientMechanism(space, "conditionally efficient rule, lowest strikes")
        try:
            mechanism.check()
        except (NotMonotone, InputError) as reason:
            account.leave_out("conditionally efficient rule (lower)", reason)
            return
        assert account.lower is not None and account.upper is not None
        if account.clock.limited:
            each = account.clock.each(partial(self._pilot, mechanism), RULE_POINTS // 4, RULE_POINTS)
            if each * RULE_POINTS > 0.1 * account.left:
                account.leave_out("conditionally efficient rule (lower)", "the time does not suffice for it")
                return
        if (
            self._pilot(mechanism, RULE_POINTS) + account.first_best.mean + account.kept.mean
            <= account.lower.value
        ):
            return
        for points in EFFICIENT_POINTS:
            self._evaluate(mechanism, points, 20)
            width = account.upper.value - account.lower.value
            if account.over or account.lower.error < MOSTLY * width:
                return  # what is left is no matter of samples

    def formulas(self) -> None:
        """Prices by formula on few states: where time is limited, most of it goes into the upper side first."""
        if self.account.clock.limited:
            self.posted = self._as_stated()
            for mechanism in self.posted:
                self._evaluate(mechanism, 32, 6)

    def cells(self) -> None:
        """Rigorous: strikes constant on cells; with three buyers or more also evaluated on samples."""
        account, space = self.account, self.account.space
        points = CELLS_LOWER.get(sum(space.dims), 2)
        clock = account.clock.part(0.15)
        account.tell(f"optimizing on {points} cells per signal")
        try:
            states = math.prod(math.prod(cell_counts(space, i, points)) for i in range(space.n))
            check_states(states, clock, self.account.pace)
            mechanism = cell_mechanism(space, points, clock)
            if account.certain:
                parts = {2: 8, 3: 4, 4: 2}.get(sum(space.dims), 1)
                floor = guaranteed_welfare(mechanism, parts, account.clock.part(0.15)) + account.kept.mean
                account.rigorous(LOWER, mechanism.method, floor, CellsWelfare(mechanism, parts), mechanism)
            else:
                account.leave_out(
                    "cells (rigorous lower)",
                    "the seller's value varies, or signals are correlated, so means are statistical",
                )
            if space.n > 2 or space.discrete or not account.certain:
                self._evaluate(mechanism, 1024, 10)
        except (NotMonotone, InputError) as reason:
            account.leave_out("cells (lower)", reason)
        except OutOfTime:
            account.leave_out("cells (lower)", "the time does not suffice for them")

    def guaranteed(self, sizes: FloorSizes, clock: Clock) -> None:
        """Rigorous: the best completion, its strikes bounded on boxes. Raises OutOfTime."""
        account, best = self.account, self.best
        if best is None or rounded_boxes(best, sizes) > MOST_ROUNDED * sizes.boxes ** most_levels(
            account.space
        ):
            return  # strikes on a mesh that is finer than these boxes: many more of them than was asked for
        account.tell(f"bounding a completion on {sizes.boxes} boxes per signal")
        try:
            evidence = Floor(best, sizes)
            floor = evidence.value(account.space, clock, account.workers) + account.kept.mean
            method = f"{best.method}, on {sizes.boxes} boxes per signal"
            account.rigorous(LOWER, method, floor, evidence, best)
        except NotMonotone as reason:
            account.leave_out("completion on boxes (rigorous lower)", reason)

    def stage(self, number: int, effort: Effort) -> None:
        """Complete (stage 0) or refine, polish and evaluate."""
        account = self.account
        try:
            if number == 0:
                self.completed = self.unpolished = self._starts()
                if self._formulas_alone():
                    self._evaluate(self.posted[0], 4 * effort.points, effort.replicates)
                    return
                self._unpolished(effort)
                if account.reached:
                    return
            elif self.stated:
                if self._error_matters():
                    self._evaluate(self.posted[0], 2 * effort.points, effort.replicates)
                return
            elif number == 2 and self.completed and not self._on_lines(self.completed[0], effort):
                points = 256 if account.space.n == 2 else 64
                best = max(self.completed, key=lambda mechanism: self._pilot(mechanism, points))
                self.completed = [_refined(best)]
            if self.completed and not account.over:
                self._polish(effort)
        except InputError as reason:
            account.leave_out("completion (lower)", reason)

    def _formulas_alone(self) -> bool:
        """Whether to go on with prices by formula alone: polishing other starts that are worth less has not led beyond
        them, and a limited time is worth more on the upper side. The best mesh stays for the rigorous bounds."""
        if not self.posted or not self.account.clock.limited:
            return False
        worth = [self._pilot(start, 16) for start in self.completed]
        self.stated = self._pilot(self.posted[0], 16) >= max(worth, default=-math.inf)
        self.best = self.completed[int(np.argmax(worth))] if worth else None
        return self.stated

    def _error_matters(self) -> bool:
        """Whether the width is noticeably due to the error of the lower bound."""
        lower, upper = self.account.lower, self.account.upper
        return lower is None or upper is None or lower.error > NOTICEABLE * (upper.value - lower.value)

    def _unpolished(self, effort: Effort) -> None:
        """Evaluate the best start as it is, where a pilot finds it good enough, or where time is short: with three
        buyers or more, or near the end."""
        account = self.account
        starts = [*self.posted, *self.completed]
        if not starts or account.upper is None:
            return
        worth = [self._pilot(start, 16) for start in starts]
        best = starts[int(np.argmax(worth))]
        expected = max(worth) + account.first_best.mean + account.kept.mean
        if account.upper.value - expected < ENOUGH * account.accuracy * abs(account.upper.value):
            self._evaluate(best, effort.points, effort.replicates)
        elif account.clock.limited and account.space.n > 2:  # roughly: polishing will be worth more
            self._evaluate(best, effort.points // 4, effort.replicates // 2)
        elif account.clock.limited and account.left < SHORT:
            self._evaluate(best, 64, 6)

    def _starts(self) -> list[CompletedMechanism]:
        """Strikes to polish, which end in different optima: the best order of a grid optimum (two buyers: each order)
        and of a construction."""
        account, space = self.account, self.account.space
        if space.discrete:
            account.leave_out("completion (lower)", "it is there for continuous priors only")
            return []
        found: dict[str, list[CompletedMechanism]] = {}
        clock = account.clock.part(0.3)
        self.posted = self.posted or self._as_stated()
        for source, strikes, closed_form in self._sources(clock):
            given = cache(strikes)
            for order in _orders(space):
                if clock.left <= 0.0:
                    break
                nodes = mesh_nodes(space, order)
                if closed_form:
                    nodes = min(closed_form_nodes(space, nodes, j) for j in order[:-1])
                try:
                    with account.workers.threads() as pool:
                        theta = pool.map(partial(given, nodes=nodes), order[:-1])
                except (InputError, OutOfTime):
                    break  # not defined for this instance or this timing, or too slow: one start fewer
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

    def _as_stated(self) -> list[PostedMechanism]:
        """The best prices by formula, in the best order, without a mesh: three static buyers or more whose gains are
        never negative. Two buyers' meshes are fine enough."""
        account, space = self.account, self.account.space
        if space.n < 3 or space.sequential or not space.bounded or self.negative:
            return []
        found: list[PostedMechanism] = []
        for given in self.starts(space.stated):
            for order in _orders(space) if given.formulas else ():
                assert given.formulas is not None
                names = ", ".join(space.instance.buyers[k].name for k in order)
                method = f"{given.name}'s prices, completed, buyers in order {names}"
                account.tell(method)
                mechanism = PostedMechanism(
                    space,
                    method,
                    order,
                    given.formulas,
                    POSTED_DEPTH,
                    POSTED_PRECISION * account.first_best.mean,
                )
                with suppress(NotMonotone):
                    mechanism.check()
                    found.append(mechanism)
        return [max(found, key=lambda mechanism: self._pilot(mechanism, 16))] if found else []

    def _sources(self, clock: Clock) -> Iterator[tuple[str, Callable[[int, int], Float], bool]]:
        """Strikes to start from: what they are, those of a buyer on a mesh with so many nodes, and whether they are
        given in closed form."""
        space = self.account.space
        alone = bool(self.posted) and self.account.clock.limited  # see ``_formulas_alone``
        for given in self.starts(space.stated):
            if given.closed_form or not alone:
                yield given.name, partial(_stated_strikes, space, given, clock.part(0.5)), given.closed_form
        if alone:
            return
        points = grid_points(space, GRID_LOWER[min(space.n, 3)] // (4 if space.sequential else 1))
        points = min(points, MOST_POINTS)
        try:
            check_states(points ** sum(space.dims), clock, self.account.pace)
            self.account.tell(f"optimizing on {points} points per signal")
            rules = grid_rules(space, points, clock.part(0.6))
        except InputError as reason:
            self.account.leave_out("completion of a grid optimum (lower)", reason)
            return
        except OutOfTime:
            self.account.leave_out("completion of a grid optimum (lower)", "the time does not suffice for it")
            return
        yield GRID, partial(grid_strikes, space, rules), False

    def _polish(self, effort: Effort) -> None:
        """Polish what there is, keep what a pilot prefers, and evaluate the best."""
        account = self.account
        account.tell("polishing completions")
        share, points = (0.35, 128) if account.space.n == 2 else (0.3, 64)
        found: list[tuple[float, CompletedMechanism]] = []
        gained: list[CompletedMechanism] = []
        for start in self.completed:
            clock = account.clock.part(share / len(self.completed))
            if account.space.n > 2 and start.theta[0].shape[1] > MOST_NODES:
                coarse = thinned(start, mesh_nodes(account.space, start.order))
            else:
                coarse = start
            plan = self._on_lines(start, effort)
            if plan is not None:
                polished = self._polished_on_lines(start, plan, clock)
            else:
                polished = polish(coarse, effort.polish, account.rng(), clock=clock, workers=account.workers)
            few = points if plan is None else max(points, plan.evaluated // 4)
            scored = [(self._pilot(mechanism, few), mechanism) for mechanism in (start, polished)]
            found.append(max(scored, key=itemgetter(0)))
            gained += [polished] if found[-1][1] is polished else []
        if account.space.n > 2 and self.best is not None and self.best not in self.completed:
            found.append((self._pilot(self.best, points), self.best))
        best = self.best = max(found, key=itemgetter(0))[1]
        several = account.space.n == 2 and account.left > LONG and self._on_lines(best, effort) is None
        self.completed = [mechanism for _, mechanism in found] if several else [best]
        if account.space.n > 2 and gained:
            self.completed = gained  # what is not the best yet may become so; what gained nothing will not
        stated = max(self.posted, key=lambda mechanism: self._pilot(mechanism, points), default=None)
        if stated is not None and self._pilot(stated, points) >= max(found, key=itemgetter(0))[0]:
            if account.left > 0.0:
                self._evaluate(stated, effort.points, effort.replicates)
            return
        along = self._on_lines(best, effort)
        each = along.evaluated if along else effort.points
        if account.left > 0.0:
            self._evaluate(best, each, effort.replicates)

    def _polished_on_lines(
        self, start: CompletedMechanism, plan: LinePolishPlan, clock: Clock
    ) -> CompletedMechanism:
        """The strikes of ``start`` polished, or, where the plan says so, the best unpolished ones in two steps."""
        if plan.anew is not None:
            best = max(self.unpolished, key=lambda mechanism: self._pilot(mechanism, plan.evaluated // 4))
            start = polish_on_lines(best, plan.anew, clock=clock.part(0.6), workers=self.account.workers)
        return polish_on_lines(start, plan, clock=clock, workers=self.account.workers)

    def _on_lines(self, mechanism: CompletedMechanism, effort: Effort) -> LinePolishPlan | None:
        """The plan to polish a completion along lines, where that can be done, or a smaller one that memory is enough
        for."""
        if not self.lines or effort.line_polish is None:
            return None
        smaller = replace(LinePolishPlan(), evaluated=effort.line_polish.evaluated)
        return next((plan for plan in (effort.line_polish, smaller) if can_polish(mechanism, plan)), None)

    def _pilot(self, mechanism: ContinuumMechanism, points: int) -> float:
        """A rough welfare, always on the same samples, to choose by; never a bound."""
        return mechanism_limit(
            mechanism,
            0.9,
            np.random.SeedSequence([self.account.seed, 12345]),
            0.0,
            replicates=PILOTS,
            points=points,
            clock=self.account.clock,
            workers=self.account.workers,
        ).mean

    def _evaluate(self, mechanism: ContinuumMechanism, points: int, replicates: int) -> None:
        account = self.account
        if account.only_rigorous:
            return
        account.tell(f"evaluating: {mechanism.method}")
        points = self._affordable(mechanism, points, replicates)
        limit = mechanism_limit(
            mechanism,
            account.allowance.next(LOWER),
            seed := account.next_seed(),
            account.first_best.mean,
            replicates=replicates,
            points=points,
            clock=account.clock,
            workers=account.workers,
        )
        evidence = Welfare(mechanism, points)
        account.statistical(LOWER, mechanism.method, limit, evidence, seed, mechanism)

    def _affordable(self, mechanism: ContinuumMechanism, points: int, replicates: int) -> int:
        """At most as many points as the time that is left allows, by the pace of a pilot."""
        quick = self.account.space.n == 2 or isinstance(mechanism, PostedMechanism)
        few = 64 if quick else 16  # fewer of these take hardly less time
        if not self.account.clock.limited or points <= few:
            return points
        each = self.account.clock.each(partial(self._pilot, mechanism), few, points) / PILOTS
        while points > 16 and each * points * replicates > 0.5 * self.account.left:
            points //= 2
        return points


def _stated_strikes(space: QuantileSpace, given: Given, clock: Clock, j: int, nodes: int) -> Float:
    """Strikes of a stated mechanism. Raises OutOfTime where the clock runs out, be it within a single one."""
    try:
        with within(clock.left if clock.limited else None):
            return given_strikes(space, given, j, nodes, clock)
    except LimitReached:
        raise OutOfTime from None


def _orders(space: QuantileSpace) -> list[tuple[int, ...]]:
    """The orders of the buyers to try: all of them, the rotations where these are too many, or one where more than two
    buyers are exchangeable."""
    buyers = tuple(range(space.n))
    if space.n > 2 and exchangeable(space):
        return [buyers]
    if math.factorial(space.n) <= MOST_ORDERS:
        return list(itertools.permutations(buyers))
    return [buyers[k:] + buyers[:k] for k in range(min(space.n, MOST_ORDERS))]


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
