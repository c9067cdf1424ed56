"""Brackets: refine both sides until they are as close as asked, or the time is up."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from expost.brackets.account import Account
from expost.brackets.effort import efforts
from expost.brackets.lower.evaluation import mechanism_limit
from expost.brackets.lower.side import LowerSide
from expost.brackets.lower.single import best_solo, no_prices
from expost.brackets.records import LOWER, UPPER, Bracket
from expost.brackets.starts import Starts, first_names, nothing
from expost.brackets.upper.dual import Quadrature, dual_limit
from expost.brackets.upper.side import UpperSide, first_bounds
from expost.errors import InputError
from expost.formulations.timing import SEQUENTIAL, build_blocks, parse_first, parse_timing
from expost.instances.environment import Instance
from expost.solver.progress import ProgressCallback, check_time_limit
from expost.spaces.quantile_space import QuantileSpace, quantile_space
from expost.spaces.type_space import Grid, discretize


def bracket(
    instance: Instance,
    accuracy: float = 0.01,
    time_limit: float | None = None,
    *,
    timing: str | Sequence[str] = "static",
    first: str | Sequence[str | None] = (),
    seed: int = 0,
    confidence: float = 0.99,
    progress: ProgressCallback | None = None,
    starts: Starts = nothing,
) -> Bracket:
    """Bounds on the second best of a continuous instance, refined until ``upper - lower <= accuracy * upper``.

    time_limit: seconds; the best bracket so far is returned then (it may be overrun by the step under way). Without
    one, the search ends after its last stage. timing: ``static`` or ``sequential``, for all buyers or one word for each
    (a sequence, or joined by commas). first: signals that arrive first, at most one per sequential buyer.
    confidence: with which both sides hold together. Bounds that cannot be had (say, because a value is not monotone)
    are named in ``left_out``. starts: mechanisms that completions start from, beside grid optima.

    Raises InputError for an accuracy or confidence outside (0, 1), a negative seed, an unknown timing, stages that do
    not suit sequential timing, and values without a finite mean."""
    _check(accuracy, confidence, seed)
    timings = parse_timing(instance.n, timing)
    account = Account(
        _space(instance, timings, first),
        accuracy,
        time_limit,
        seed,
        confidence,
        progress,
    )
    check_time_limit(time_limit)
    first_bounds(account)
    lower = LowerSide(account, starts)
    lower.never_sell()
    if not account.space.bounded:
        account.leave_out(
            "rigorous bounds",
            "a support is unbounded; statistical bounds take the values' variance to be finite",
        )
    if instance.n == 1:
        _one_buyer(account)
    else:
        _several(account, lower)
    return _result(account, timings)


def _check(accuracy: float, confidence: float, seed: int) -> None:
    """Raise InputError unless the numbers are usable."""
    for name, number, example in (("accuracy", accuracy, 0.01), ("confidence", confidence, 0.99)):
        if not 0.0 < number < 1.0:
            raise InputError(
                f"{number}",
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
        types = discretize(instance, Grid(4 if instance.n < 3 else 2))
        build_blocks(types, timings, firsts)
    return quantile_space(instance, timings, firsts)


def _one_buyer(account: Account) -> None:
    """One buyer: larger and larger sets of types, no shadow prices."""
    for power in (14, 16, 18, 20):
        sequential = account.space.sequential
        mechanism = best_solo(account.space, 1 << power, account.rng(), account.next_seed())
        limit = mechanism_limit(
            mechanism,
            account.allowance.next(LOWER),
            account.next_seed(),
            account.first_best.mean,
            replicates=20,
            points=1 << (power - 4),
        )
        account.statistical(LOWER, mechanism.method, limit, mechanism)
        size = Quadrature(20, 1, 1 << power, min(1 << (power // 2), 256), min(1 << (power - 3), 1 << 16))
        limit = dual_limit(
            account.space,
            no_prices(account.space),
            size,
            account.allowance.next(UPPER),
            account.next_seed(),
            account.first_best.mean,
        )
        word = "strikes" if sequential else "price"
        account.statistical(UPPER, f"best {word} on random finite sets of {1 << power} types", limit)
        if account.over:
            return


def _several(account: Account, lower: LowerSide) -> None:
    """Two buyers or more: cheap bounds first, then both sides in turn, harder at each stage."""
    upper = UpperSide(account)
    for step in (lower.solo, upper.offsets, lower.cells):
        if account.over:
            return
        step()
    for number in range(len(efforts(account.space.n))):
        for stage in (lower.stage, upper.stage):
            if account.over:
                return
            stage(number)


def _result(account: Account, timings: tuple[str, ...]) -> Bracket:
    assert account.lower is not None and account.upper is not None
    space = account.space
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
        peak_memory_mb=_peak_memory(),
        first=first_names(space),
        history=tuple(account.history),
        estimates=tuple(account.estimates),
        left_out=tuple(account.left_out),
        mechanism=account.mechanism,
    )


def _peak_memory() -> float:
    """The largest resident size of this process so far, in MiB; NaN where the platform does not tell."""
    try:
        import resource
    except ImportError:
        return math.nan
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
