"""Brackets: refine both sides until they are as close as asked, or the time is up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from numbers import Real
from typing import Any

from expost._limits import NotCompiled
from expost._memory import peak_bytes
from expost.brackets.account import Account
from expost.brackets.atoms import solve_atoms
from expost.brackets.bracket import Bracket
from expost.brackets.clock import Clock, OutOfTime
from expost.brackets.effort import EXACT, RIGOROUS_BOXES, RIGOROUS_STATES, cell_sizes, efforts, floor_sizes
from expost.brackets.evidence import Dual, LineBest, LineWelfare, Welfare
from expost.brackets.forecast import Forecast
from expost.brackets.lower.evaluation import mechanism_limit
from expost.brackets.lower.side import LowerSide
from expost.brackets.lower.single import best_solo, largest_set, no_prices
from expost.brackets.optimum import PACE
from expost.brackets.records import LOWER, UPPER
from expost.brackets.starts import Starts, first_names, nothing
from expost.brackets.statistics import one_sided
from expost.brackets.turns import Turns
from expost.brackets.upper.dual import Quadrature, dual_limit, replicated
from expost.brackets.upper.lines import LineSizes, best_on_lines, draw_lines, line_signal, rule_gain
from expost.brackets.upper.side import UpperSide, first_bounds
from expost.brackets.workers import Workers
from expost.errors import InputError, LimitReached
from expost.formulations.timing import SEQUENTIAL, build_blocks, parse_first, parse_timing
from expost.instances.environment import Instance
from expost.solver.progress import ProgressCallback, check_time_limit
from expost.spaces.quantile_space import QuantileSpace, quantile_space
from expost.spaces.type_space import Grid, discretize

CAREFUL = 1.1
"""How much longer than expected a rigorous bound may take that is begun near the end."""
WORTHWHILE = 1.5
"""How much more work than the last a rigorous bound has to be for what is left of the time to be spent on it."""
ONE_BUYER = 4
"""Types that one buyer's bounds handle while a state of a program is built and solved."""
LINE_EFFORTS = (1, 4, 8)
"""How much finer than the first the stages are in which one buyer's gains are integrated along lines; in sequence with
three signals or more there is only the first: the next took 24 s, and finite sets were better by then."""
LINE_REPLICATES = 8
"""Independent sets of lines."""
PIECES = (64, 256)
"""Pieces of a line, as many as make twice as many no better than ``EXACT`` of the accuracy."""
MOST_CELL_SIGNALS = 9
"""Of each buyer, for whom the coarsest cells of rigorous bounds, two of each signal, fit into memory."""
STAGE_STATES = 1 << 16
"""States of a grid on which stages are looked at, at most."""


def bracket(
    instance: Instance,
    accuracy: float = 0.01,
    time_limit: float | None = None,
    *,
    timing: str | Sequence[str] = "static",
    first: str | Sequence[str | None] = (),
    seed: int = 0,
    jobs: int | None = None,
    rigorous: bool = False,
    confidence: float = 0.99,
    progress: ProgressCallback | None = None,
    starts: Starts = nothing,
) -> Bracket:
    """Bounds on the second best of a continuous instance, refined until ``upper - lower <= accuracy * upper``.

    time_limit: seconds; the best bracket so far is returned then. Without one, the search ends after its last stage,
    and the same seed gives the same bracket whatever ``jobs`` is: how many tasks run at once, in threads or wherever
    joblib's context sends them (None: as many as there are processors, or as the context says).
    timing: ``static`` or ``sequential``, for all buyers or one word for each (a sequence, or joined by commas).
    first: signals that arrive first, at most one per sequential buyer. confidence: with which both sides hold
    together. starts: mechanisms that completions start from, beside grid optima. rigorous: bounds that no sample enters
    alone (two buyers or more, one unit, continuous priors with bounded supports). Bounds that cannot be had (say,
    because a value is not monotone) are named in ``left_out``.

    Raises InputError for an accuracy or confidence outside (0, 1), a negative seed, no jobs, an unknown timing, stages
    that do not suit sequential timing, and values without a finite mean."""
    _check(accuracy, confidence, seed)
    check_time_limit(time_limit)
    clock = Clock(math.inf if time_limit is None else time_limit)
    timings = parse_timing(instance.n, timing)
    account = Account(
        _space(instance, timings, first),
        accuracy,
        clock,
        Workers(jobs),
        rigorous,
        seed,
        confidence,
        progress,
    )
    with account.workers:
        _search(account, starts, rigorous)
    return _result(account, timings)


def _search(account: Account, starts: Starts, rigorous: bool) -> None:
    """First bounds, then better ones until they are near enough or the clock runs out.

    Raises LimitReached where it ran out before there was a bound of either side: rigorous ones take a while.
    """
    first_bounds(account)
    lower = LowerSide(account, starts)
    lower.never_sell()
    if not account.space.bounded:
        account.leave_out(
            "the confidence of statistical bounds",
            "a support is unbounded; the values' variance is taken to be finite",
        )
    late: LimitReached | None = None
    try:
        if rigorous:
            _rigorous(account, lower)
        elif account.space.finite and _on_atoms(account):
            pass
        elif account.space.n == 1:
            _one_buyer(account)
        else:
            _several(account, lower)
    except OutOfTime:
        pass
    except NotCompiled as reason:
        late = reason
    if account.upper is None or account.lower is None:
        raise late or LimitReached(
            "bracket: no rigorous bound of both sides"
            + "".join(f"; {line}" for line in account.left_out)
            + "; give it more time, or do without rigorous"
        )


def _on_atoms(account: Account) -> bool:
    """The bracket of finitely many states; False where they are too many for one program."""
    try:
        solve_atoms(account)
    except InputError as reason:
        account.leave_out("program on the atoms", reason)
        return False
    return True


def _check(accuracy: float, confidence: float, seed: int) -> None:
    """Raise InputError unless the numbers are usable."""
    for name, number, example in (("accuracy", accuracy, 0.01), ("confidence", confidence, 0.99)):
        if isinstance(number, bool) or not isinstance(number, Real) or not 0.0 < number < 1.0:
            raise InputError(
                f"{number!r:.60}",
                where=name,
                expected="a number between 0 and 1",
                remedy=f"for example {example}",
            )
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InputError(f"{seed!r}", where="seed", expected="a whole number from 0")


def _space(instance: Instance, timings: tuple[str, ...], first: str | Sequence[str | None]) -> QuantileSpace:
    """The quantile space. Raises InputError for stages that do not suit sequential timing."""
    firsts = parse_first(instance, first)
    if SEQUENTIAL in timings or any(firsts):
        types = discretize(instance, Grid(_stage_points(instance)))
        build_blocks(types, timings, firsts)
    return quantile_space(instance, timings, firsts)


def _stage_points(instance: Instance) -> int:
    """Points per signal of the grid on which stages are looked at: few enough for any number of signals."""
    signals = sum(len(buyer.signals) for buyer in instance.buyers)
    most = 4 if instance.n < 3 else 2
    return max(k for k in range(1, most + 1) if k**signals <= STAGE_STATES)


def _line_sizes(space: QuantileSpace, effort: int, pieces: int) -> LineSizes:
    """Rows and lines of one stage: a line alone holds all types of one signal, and all of a row of two."""
    free = space.dims[0] - 1
    few = free + (space.first[0] is None) < 3
    if space.first[0] is None:
        rows, lines = 1, 256 * effort * (1 if few else 4) if free else 1
    else:
        rows, lines = (256 * effort, 1) if free == 1 else (48 * effort, 16 * effort)
    strikes = 256 * (max(2, effort) if few else 1)
    return LineSizes(rows, lines, pieces, strikes, 4096 * effort if free else 1)


def _by_lines(account: Account) -> None:
    """One buyer, all signals but one drawn and that one integrated out, where his value always rises or falls in it."""
    space = account.space
    signal = line_signal(space, PIECES[0])
    if signal is None:
        account.leave_out(
            "integrals along lines", "there is no signal in which the value always moves one way"
        )
        return
    for effort in LINE_EFFORTS[: None if space.first[0] is None or space.dims[0] < 3 else 1]:
        for pieces in PIECES:
            sizes = _line_sizes(space, effort, pieces)
            mechanism = best_on_lines(space, signal, sizes, account.clock)
            coarse, fine = (
                rule_gain(draw_lines(space, signal, sizes.rows, sizes.lines, count, None), mechanism).mean()
                for count in (pieces, 2 * pieces)
            )
            if abs(coarse - fine) <= EXACT * account.accuracy * abs(fine):
                break
        else:
            account.leave_out("integrals along lines", "gains or values are not smooth enough")
            return
        for side, evidence in (
            (LOWER, LineWelfare(mechanism, sizes)),
            (UPPER, LineBest(mechanism, sizes)),
        ):
            seed = account.next_seed()
            one = partial(evidence.replicate, space=space, clock=account.clock)
            found = replicated(one, seed.spawn(LINE_REPLICATES), account.workers)
            limit = one_sided(found, account.allowance.next(side))
            word = f"{mechanism.method}, integrated along lines"
            if side == UPPER:
                word = (
                    f"best {'strikes' if space.sequential else 'price'} on {sizes.rows * sizes.lines} lines"
                )
            account.statistical(side, word, limit, evidence, seed, mechanism if side == LOWER else None)
        if account.over:
            return


def _one_buyer(account: Account) -> None:
    """One buyer: lines, then larger and larger sets of types, no shadow prices."""
    space = account.space
    _by_lines(account)
    if account.over:
        return
    for power in (12, 14, 16, 18, 20):
        types = largest_set(space, 1 << power)
        if account.clock.limited and types > ONE_BUYER * PACE * account.left:
            account.leave_out(f"sets of {types} types", "the time does not suffice for them")
            return
        mechanism = best_solo(space, types, account.rng(), account.next_seed(), account.clock)
        limit = mechanism_limit(
            mechanism,
            account.allowance.next(LOWER),
            seed := account.next_seed(),
            account.first_best.mean,
            replicates=20,
            points=types >> 4,
            clock=account.clock,
            workers=account.workers,
        )
        account.statistical(LOWER, mechanism.method, limit, Welfare(mechanism, types >> 4), seed, mechanism)
        size = Quadrature(
            replicates=20,
            fibres=1,
            types=types,
            rows=min(1 << (power // 2), 256),
            bins=min(1 << (power - 3), 1 << 16),
        )
        limit = dual_limit(
            space,
            no_prices(space),
            size,
            account.allowance.next(UPPER),
            seed := account.next_seed(),
            account.first_best.mean,
            clock=account.clock,
            workers=account.workers,
        )
        word = "strikes" if space.sequential else "price"
        evidence = Dual(no_prices(space), size)
        account.statistical(
            UPPER, f"best {word} on random finite sets of {types} types", limit, evidence, seed
        )
        if account.over or types < 1 << power:
            return


def _several(account: Account, lower: LowerSide) -> None:
    """Two buyers or more: cheap bounds first, then both sides (``Turns``), harder at each stage."""
    upper = UpperSide(account)
    for step in (lower.solo, lower.efficient, lower.formulas, lower.cells):
        if account.over:
            return
        step()
    forecast, rigorous = Forecast(account), _Rigorous(upper, lower)
    if needs := rigorous.lacking():
        account.leave_out("rigorous bounds", f"they need {needs}")
    stages = efforts(account.space.n)
    for turn, (side, number) in enumerate(Turns(account, len(stages))):
        if account.over:
            return
        if turn % 2 == 0:
            forecast.tell(turn // 2)
        if side == UPPER:
            upper.stage(stages[number], alone=lower.stated, later=stages[number + 1 :])
        else:
            lower.stage(number, stages[number])
        if turn == 1:
            upper.estimate()
        if turn in (1, 3) and not needs:
            rigorous.run(slice(0, 2), 0.1)


class _Rigorous:
    """The rigorous bounds of both sides, on ever finer cells."""

    def __init__(self, upper: UpperSide, lower: LowerSide) -> None:
        self.account, self.space = upper.account, upper.account.space
        self.sides: tuple[
            tuple[Callable[[Any, Clock], None], Callable[[float], Any], tuple[float, ...]], ...
        ] = (
            (lower.guaranteed, lambda boxes: floor_sizes(self.space, boxes), RIGOROUS_BOXES),
            (upper.guaranteed, lambda states: cell_sizes(self.space, states), RIGOROUS_STATES),
        )
        self.pace, self.done = [0.0, 0.0], [0.0, 0.0]

    def lacking(self) -> str:
        """What they need and do not have; empty where they can be had."""
        space = self.space
        if space.n < 2 or space.units > 1 or space.discrete:
            return "two buyers or more, one unit and continuous priors"
        if max(space.dims) > MOST_CELL_SIGNALS:
            return f"at most {MOST_CELL_SIGNALS} signals of each buyer"
        if not space.bounded or not self.account.certain:
            return "bounded supports, independent signals and a seller's value that does not vary"
        return ""

    def run(self, stages: slice, share: float) -> None:
        """The bounds of some stages, one after the other, of each side while it is expected to take at most ``share``
        of the time that is left."""
        for side, (_, _, amounts) in enumerate(self.sides):
            for work in amounts[stages]:
                clock = self.account.clock.part(share)
                if self.account.over or self.pace[side] * work > clock.left:
                    break
                self._step(side, work, clock)

    def finish(self, stages: slice) -> None:
        """The remaining stages of both sides, next the one that is expected to take less, while it is expected to be
        ready in time; where none is, as much of one as is: a side that has come as far as it can leaves its time to the
        other."""
        ahead = [list(amounts[stages]) for _, _, amounts in self.sides]
        while not self.account.over:
            needed = [
                (CAREFUL * self.pace[side] * works[0], side) for side, works in enumerate(ahead) if works
            ]
            if not needed:
                return
            seconds, side = min(needed)
            work = ahead[side].pop(0)
            if seconds > self.account.left:
                ahead = [[], []]
                work *= self.account.left / seconds
                if work < WORTHWHILE * self.done[side]:
                    return
            self._step(side, work, self.account.clock)

    def _step(self, side: int, work: float, clock: Clock) -> None:
        step, sizes, _ = self.sides[side]
        began = self.account.seconds
        with suppress(OutOfTime):
            step(sizes(work), clock)
        self.pace[side], self.done[side] = (self.account.seconds - began) / work, work


def _rigorous(account: Account, lower: LowerSide) -> None:
    """Rigorous bounds alone: find shadow prices and a completion, then bound both on ever finer cells. Polishing a
    completion of two buyers gains less than cells lose, and is left out after the first stage.

    Raises InputError where one side has no rigorous bound."""
    upper = UpperSide(account)
    bounds = _Rigorous(upper, lower)
    if needs := bounds.lacking():
        raise InputError("rigorous bounds of both sides", where="rigorous", expected=needs)
    lower.cells()
    for number, effort in enumerate(efforts(account.space.n)[: 3 if account.space.n == 2 else 2]):
        if account.over:
            return
        with suppress(OutOfTime):
            upper.stage(effort)
            if number == 0 or account.space.n > 2:
                lower.stage(number, effort)
        bounds.run(slice(0, 2), 0.1)
    bounds.finish(slice(2, None))


def _result(account: Account, timings: tuple[str, ...]) -> Bracket:
    assert account.lower is not None and account.upper is not None
    space = account.space
    if account.crossed:
        account.leave_out(
            "the bracket",
            "the bounds cross, so one is wrong: what values or gains do within a small part of a signal's mass may not "
            "be seen, and with the confidence asked for it happens by chance, too",
        )
    timing = timings[0] if len(set(timings)) == 1 else ",".join(timings)
    return Bracket(
        instance=space.instance.name,
        timing=timing,
        lower=account.lower,
        upper=account.upper,
        accuracy=account.accuracy,
        reached=account.reached,
        confidence=account.confidence,
        seed=account.seed,
        seconds=account.seconds,
        peak_memory_mb=(peak_bytes() or math.nan) / 2**20,  # no number where nobody knows
        first=first_names(space),
        history=tuple(account.history),
        estimates=tuple(account.estimates),
        left_out=tuple(account.left_out),
        mechanism=account.mechanism,
        proofs=tuple(account.proofs[key] for key in sorted(account.proofs)),
        control=account.control,
    )
