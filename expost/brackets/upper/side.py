"""The upper side of a search: first best, random finite sets of types, dual functions on ever finer meshes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from expost.brackets.account import Account
from expost.brackets.clock import Clock, OutOfTime
from expost.brackets.effort import (
    ESTIMATES,
    EXACT,
    LEVEL_PILOT,
    LINE_PILOT,
    NOISE,
    PILOT,
    Effort,
    grid_points,
)
from expost.brackets.evidence import Dual, DualCells, DualLevels, DualLines, OnSamples, Sets, Sizeless
from expost.brackets.optimum import check_states
from expost.brackets.records import UPPER, Control
from expost.brackets.statistics import Limit, control_confidence, one_sided
from expost.brackets.symmetry import exchangeable
from expost.brackets.upper.basis import ShadowPrices, constant_prices
from expost.brackets.upper.dual import Quadrature, affordable, first_best, replicated
from expost.brackets.upper.dual_cells import CellSizes
from expost.brackets.upper.fibre_lines import LineQuadrature, enough_panels, fibre_signals
from expost.brackets.upper.finite import (
    FiniteSets,
    averaged,
    extrapolate,
    finite_sets,
    grid_excess,
    mean_limit,
    piled,
)
from expost.brackets.upper.fit import FitPlan, LevelPlan, LinePlan, fit_prices, largest_nodes
from expost.brackets.upper.level_fibres import LevelQuadrature, private_levels
from expost.brackets.upper.reference import Reference, reference_rule
from expost.brackets.upper.ridge import candidates, constant_ridge, ridge_nodes
from expost.brackets.upper.samples import CHUNK
from expost.brackets.upper.tails import NO_MEAN, NO_VARIANCE, tail_growth
from expost.errors import InputError
from expost.mechanisms.continuum.mechanism import ContinuumMechanism
from expost.mechanisms.continuum.monotone import NotMonotone
from expost.spaces.quantile_space import QuantileSpace, scrambled


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
    confidence = control_confidence(account.confidence)
    seed = account.next_seed()
    account.first_best, account.kept, points = first_best(
        account.space, confidence, seed, clock=account.clock, workers=account.workers
    )
    mean = account.first_best.mean
    if not math.isfinite(mean) or not math.isfinite(account.kept.mean):
        raise InputError(
            f"an expected first best of {mean}",
            where=f"instance {account.space.instance.name}",
            expected="finite expected values",
            remedy="give the signals a prior under which the values have a mean",
        )
    account.control = Control(
        points,
        tuple(int(key) for key in seed.spawn_key),
        confidence,
        account.first_best.replicates,
        account.kept.replicates,
    )
    account.statistical(UPPER, "first best", Limit(mean, 0.0, confidence), Sizeless())


SHORTER = 0.1
"""Of the length of a fit's steps: tried beside it once with three buyers or more. Where little is lost to incentives
(``linear-three``), noise is worth more than what longer steps reach sooner."""
LINE_MESH = 7_000
"""Nodes of the shadow prices, at most, on which is looked at how many panels lines need."""
BLEND = 0.5
"""What the largest gain counts in the base of three static buyers or more. ``three-buyers`` on 5 nodes, 300 steps, is
worth 1.0517 with the mean of the two largest, 1.0527 with the second, 1.0520 with the largest."""
CHOOSING = 0.1
"""Of the time that is left, what choosing among shadow prices takes beyond its first replicate, at most."""
FEWEST = 4_096
"""States of a finite set, at least."""
FITTED = 0.45, 0.85
"""Of the time that is left, what a fit takes at most: while the lower side wants time, too, and where it does not."""
LONG = 40.0
"""Seconds that are left, at least, for that to be more: an evaluation takes some of what is left then."""
FINE = 100.0
"""Processor seconds that are left, at least, for exchangeable buyers' finest mesh: with fewer a coarser one is fitted
better."""
EVALUATED = 0.5, 0.7
"""The same of an evaluation."""
FAR = 2.0
"""How many times as wide as asked a bracket is that one stage will not finish."""


class UpperSide:
    """What the upper side carries from stage to stage: the best shadow prices so far, and what averages of finite sets
    start from."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.u: ShadowPrices | None = None
        self.flat: ShadowPrices | None = None  # without a ridge
        self.places: tuple[int, int] | None = None  # of the ridge
        self.compared: tuple[ContinuumMechanism | None, Reference | None] = (None, None)
        self.length = 1.0  # of a fit's steps, as a share of what is planned
        self.symmetric = exchangeable(account.space)
        self.pairs = candidates(account.space, symmetric=self.symmetric)
        self.floor = 0.02 * account.first_best.mean if any_negative(account) else 0.0
        self.line_size: LineQuadrature | None = None  # with as many panels as gains and values need
        self.lines = fibre_signals(account.space) is not None and self._smooth()
        # two static buyers have a ridge, which lies on no line
        several = account.space.n > 2 or account.space.sequential
        self.private = private_levels(account.space) if several else None

    def _smooth(self) -> bool:
        """Whether integrals along lines can be trusted: whether some number of panels makes twice as many no better."""
        account, dims = self.account, self.account.space.dims
        even = constant_prices(dims, largest_nodes(dims, LINE_MESH), self.floor, 0.5)
        try:
            self.line_size = enough_panels(
                account.space,
                even,
                LineQuadrature(),
                EXACT * account.accuracy * abs(account.first_best.mean),
                account.clock,
            )
        except OutOfTime:
            return False
        if self.line_size is None:
            account.leave_out("integrals along lines", "gains or values are not smooth enough")
        return self.line_size is not None

    def stage(self, effort: Effort, *, alone: bool = False, later: Sequence[Effort] = ()) -> None:
        """Solve finite sets of types, fit shadow prices on this stage's mesh, and evaluate them. alone: the lower side
        wants no more time; ``later`` stages whose mesh is no finer are then done at once with this one."""
        account, space = self.account, self.account.space
        alone = alone and account.left > LONG
        if space.n <= space.units:  # nobody takes a unit from anybody: shadow prices are 0
            self.u = constant_prices(space.dims, 0, 0.0, 0.0)
            self._evaluate(effort, alone=alone)
            return
        lines = effort.along_lines if self.lines else None
        nodes = largest_nodes(space.dims, lines.mesh) if lines else self._nodes(effort)
        if nodes < 2:  # one number for all states
            self.private = None
        starts = [] if self.u is None else [self._refined(self.u, nodes)]
        starts += self._sets(effort, nodes)
        if not starts:
            blend = BLEND if self.private and space.n > 2 and not space.sequential else 0.0
            starts = [constant_prices(space.dims, nodes, self.floor, 0.5, blend)]
        start = self._best(starts)
        whole: FitPlan | LinePlan | LevelPlan = (
            lines.fit if lines else effort.level_fit if self.private else effort.fit
        )
        plan = whole if self.u is None and len(starts) == 1 else whole.resumed()
        if alone and isinstance(whole, LevelPlan) and self._at_once(nodes, later):
            plan = whole.followed([each.level_fit for each in later])
            effort = later[-1] if later else effort
        if (self.u is not None or lines) and self.places is not None and start.ridge is None:
            # the samples of random types of the first stage are too small for it
            start, plan = self._on_surface(self.places, nodes), whole
        account.tell(f"fitting shadow prices, {nodes} nodes per signal")
        lengths = (1.0, SHORTER) if space.n > 2 and self.u is None else (self.length,)
        clock, found = account.clock.part(FITTED[alone]), list[tuple[ShadowPrices, float]]()
        for length in lengths:
            fitted = fit_prices(
                space,
                start=start,
                plan=plan.shortened(length),
                rng=account.rng(),
                clock=clock,
                workers=account.workers,
                symmetric=self.symmetric,
            )
            found += [(u, length) for u in fitted]
        self.u = self._best([*(u for u, _ in found), *starts])
        self.length = next((length for u, length in found if u is self.u), self.length)
        self._evaluate(effort, alone=alone)

    def _refined(self, u: ShadowPrices, nodes: int) -> ShadowPrices:
        """``u`` on a finer mesh, and, where it is the same in all orders of the buyers, so to the last bit."""
        found = u.refined(nodes)
        return found.symmetrized() if self.symmetric and self.private else found

    def _at_once(self, nodes: int, later: Sequence[Effort]) -> bool:
        """Whether no later stage has more nodes, and what is asked for is too far for one of them: steps that get short
        once lead further than steps that get short in every stage, as far as a limited time does."""
        account = self.account
        if account.upper is None or account.lower is None:
            return False
        width = account.upper.value - account.lower.value
        far = width > FAR * account.accuracy * abs(account.upper.value)
        return far and all(self._nodes(effort) <= nodes for effort in later)

    def _nodes(self, effort: Effort) -> int:
        """Per signal of a stage's mesh: never fewer than before."""
        account, limit = self.account, effort.mesh
        if self.private and self.symmetric and account.left * account.workers.count > FINE:
            limit = max(limit, effort.folded)
        return max(largest_nodes(account.space.dims, limit), self.u.nodes if self.u else 1)

    def _on_surface(self, places: tuple[int, int], nodes: int) -> ShadowPrices:
        """A start with about half of the shadow prices on the surface where two levels are equal."""
        dims = self.account.space.dims
        even = constant_prices(dims, nodes, self.floor, 0.3)
        return replace(even, ridge=constant_ridge(dims, places, ridge_nodes(nodes), 0.3))

    def _sets(self, effort: Effort, nodes: int) -> list[ShadowPrices]:
        """The bound of random finite sets of types, and their shadow prices, averaged (two buyers)."""
        account, space = self.account, self.account.space
        if not effort.replicates_of_sets or self.places is not None:
            return []  # larger sets than those that showed the ridge are worth less than a fit on it
        grid = space.sequential or space.n > 2 or space.discrete
        states = self._affordable(effort)
        points = grid_points(space, states) if grid else math.isqrt(states)
        sets = FiniteSets(points, effort.replicates_of_sets, grid)
        account.tell(f"solving {sets.replicates} finite sets of types, {sets.states(space)} states each")
        confidence, seed = account.allowance.next(UPPER), account.next_seed()
        try:
            check_states(sets.states(space), account.clock.part(0.5 / sets.replicates), account.pace)
            began = account.seconds
            solved = finite_sets(
                space,
                sets,
                seed,
                nodes=nodes,
                floor=self.floor,
                pairs=self.pairs,
                clock=account.clock.part(0.1 if space.n > 2 else 0.25),
                workers=account.workers,
            )
            done = sum(one is not None for one in solved) * sets.states(space)
            account.pace = max(account.pace, done / (account.seconds - began))
            word = " of proved bounds" if space.n > 2 else ""
            limit = mean_limit(solved, confidence, account.first_best.mean)
            account.statistical(UPPER, sets.method + word, limit, Sets(sets), seed)
        except InputError as error:
            account.leave_out("random finite sets of types", error)
            return []
        except OutOfTime:
            account.leave_out("random finite sets of types", "the time does not suffice for them")
            return []
        usable = [one for one in solved if one is not None and one.shadow.size]
        if not usable:
            return []
        self.places = piled(usable)
        found = averaged(space, usable, nodes, self.floor)
        self.flat = found.symmetrized() if self.symmetric else found
        return [self.flat]

    def _affordable(self, effort: Effort) -> int:
        """States of a set: fewer where a quarter of the time that is left would not do."""
        account, states = self.account, effort.states
        each = 0.25 * account.left * min(account.workers.count, effort.replicates_of_sets)
        while (
            account.clock.limited
            and states > FEWEST
            and states * effort.replicates_of_sets > account.pace * each
        ):
            states //= 4
        return states

    def estimate(self) -> None:
        """The extrapolation of midpoint grids: no bound."""
        account, space = self.account, self.account.space
        grids = [grid_points(space, states) for states in ESTIMATES[min(space.n, 3)]]
        grids = sorted(set(grids))
        if len(grids) < 2:
            return
        try:
            for m in grids:
                check_states(m ** sum(space.dims), account.clock.part(0.05), account.pace)
            base = account.first_best.mean + account.kept.mean
            account.estimates.append(
                extrapolate(tuple((m, grid_excess(space, m, account.clock.part(0.02)) + base) for m in grids))
            )
        except InputError as error:
            account.leave_out("extrapolation of grids (estimate)", error)
        except OutOfTime:
            account.leave_out("extrapolation of grids (estimate)", "the time does not suffice for it")

    def guaranteed(self, sizes: CellSizes, clock: Clock) -> None:
        """Rigorous: the same shadow prices on fine cells. Raises OutOfTime."""
        account, space, u = self.account, self.account.space, self.u
        assert u is not None
        account.tell(f"bounding shadow prices on {sizes.mesh} cells per signal, own types on {sizes.own}")
        try:
            evidence = DualCells(u, sizes)
            value = evidence.value(space, clock, account.workers) + account.kept.mean
            method = f"dual function on cells, {sizes.mesh} per signal, {sizes.own} of own types"
            account.rigorous(UPPER, method, value, evidence)
        except NotMonotone as reason:
            account.leave_out("dual function on cells (rigorous upper)", reason)

    def _best(self, candidates: list[ShadowPrices]) -> ShadowPrices:
        """What a small sample prefers, always the same: a choice, never a bound."""
        if len(candidates) == 1:
            return candidates[0]
        account = self.account
        pilot = self._evidence(candidates[0], LINE_PILOT, LEVEL_PILOT, PILOT)
        clock, scores = account.clock.part(CHOOSING), np.zeros(len(candidates))
        for seed in self._pilot_seeds(pilot, 54321):
            one = partial(_replicate, seed=seed, space=account.space, clock=account.clock)
            scores += account.workers.map(one, [replace(pilot, u=u) for u in candidates])
            if clock.left <= 0.0:
                break
        return candidates[int(np.argmin(scores))]

    def _evidence(
        self, u: ShadowPrices, lines: LineQuadrature | None, levels: LevelQuadrature, scattered: Quadrature
    ) -> OnSamples:
        """How ``u`` is evaluated here: line by line, on levels of equal value, or on scattered types."""
        if self.lines and lines is not None:
            return DualLines(u, self._line_size(lines, u))
        if self.private is not None and u.nodes > 1:
            return DualLevels(u, levels)
        return Dual(u, scattered, self._rule(u))

    def _rule(self, u: ShadowPrices) -> Reference | None:
        """What to compare ``u`` with: the best mechanism so far, where a pilot shows less noise with it than with the
        first best, as it does once ``u`` is good."""
        mechanism = self.account.mechanism
        if mechanism is not self.compared[0]:
            self.compared = mechanism, reference_rule(mechanism)
        rule = self.compared[1]
        if rule is None:
            return None
        noise = [np.std(self._replicates(Dual(u, NOISE, one), 98765)) for one in (None, rule)]
        return rule if noise[1] < noise[0] else None

    def _replicates(self, evidence: OnSamples, stream: int) -> list[float]:
        """The dual function on the samples of one ``stream``, always the same."""
        account = self.account
        one = partial(evidence.replicate, space=account.space, clock=account.clock)
        return account.workers.map(one, self._pilot_seeds(evidence, stream))

    def _pilot_seeds(self, evidence: OnSamples, stream: int) -> list[np.random.SeedSequence]:
        return np.random.SeedSequence([self.account.seed, stream]).spawn(evidence.size.replicates)

    def _afforded(self, evidence: OnSamples, share: float) -> OnSamples:
        """The same on fewer fibres where a ``share`` of the time that is left would not do."""
        account, size = self.account, evidence.size

        def one(fibres: int) -> float:
            few = replace(evidence, size=replace(size, fibres=fibres))
            return few.replicate(np.random.SeedSequence(0), account.space, account.clock)

        few = max(1, CHUNK // size.states)
        jobs = account.workers.count
        return replace(evidence, size=affordable(one, size, few, account.clock, jobs, share))

    def _line_size(self, size: LineQuadrature, u: ShadowPrices) -> LineQuadrature:
        """The size with a panel for every cell of the mesh, and as many as gains and values need."""
        assert self.line_size is not None
        return replace(size, panels=max(self.line_size.panels, u.nodes - 1))

    def _surface(self, u: ShadowPrices) -> str:
        """Where the ridge is, in words."""
        if u.ridge is None:
            return ""
        pair = zip(self.account.space.instance.buyers, u.ridge.places, strict=True)
        one, other = (buyer.signals[place] for buyer, place in pair)
        return f" and on {one} = {other}"

    def _evaluate(self, effort: Effort, *, alone: bool) -> None:
        account, u = self.account, self.u
        assert u is not None
        if account.only_rigorous:
            return
        confidence, seed = account.allowance.next(UPPER), account.next_seed()
        account.tell(f"evaluating shadow prices, {u.nodes} nodes per signal")
        lines = None if effort.along_lines is None else effort.along_lines.size
        evidence = self._evidence(u, lines, effort.levels, effort.quadrature)
        evidence = self._afforded(evidence, EVALUATED[alone])
        one = partial(evidence.replicate, space=account.space, clock=account.clock)
        found = replicated(one, seed.spawn(evidence.size.replicates), account.workers)
        limit = one_sided(found, confidence)
        if evidence.compared:
            limit = limit.shifted(account.first_best.mean)
        method = "each buyer's best prices on random finite sets of types"
        if u.nodes:
            method = f"{evidence.words}, multilinear shadow prices on {u.nodes} nodes per signal"
            method += self._surface(u)
        account.statistical(UPPER, method, limit, evidence, seed)


def _replicate(
    evidence: OnSamples, seed: np.random.SeedSequence, space: QuantileSpace, clock: Clock
) -> float:
    """A replicate of a seed that others use, too: drawing from one leaves it another."""
    return evidence.replicate(np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key), space, clock)


def any_negative(account: Account) -> bool:
    """Whether any buyer's gain is negative anywhere on a sample."""
    space = account.space
    joint = scrambled(4096, sum(space.dims), np.random.default_rng(0))
    signals = space.signals(space.split(joint))
    return any(float(space.instance.gain(i, signals).min()) < 0.0 for i in range(space.n))
