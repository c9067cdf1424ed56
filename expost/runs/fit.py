"""``fit``: the best mechanism of a family, its parameters found by a global and then a local search.

Welfare and revenue are averages over one sample of states that all parameters share (common random numbers), weighted
by a joint density where there is one. A mechanism in which more buyers win somewhere than there are units is none:
states where that was seen are kept, and what they cost is an exact penalty, so that the optimum is admissible. Last,
the parameters are drawn back until no search finds too many winners any more. A buyer who is completed always leaves
the mechanism of two buyers admissible, and there is nothing to draw back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._limits import limited
from expost._progress import Bar, bar
from expost._shown import Shown
from expost._typing import Float
from expost.brackets.workers import Workers
from expost.errors import InputError, LimitReached
from expost.instances.environment import Instance
from expost.mechanisms.continuum.admissibility import search_admissibility, state_sample
from expost.mechanisms.own import OwnPrices, Prices
from expost.runs.arguments import (
    InstanceLike,
    jobs_of,
    left_of,
    limit_of,
    load,
    seconds_of,
    seed_of,
    weight_of,
)
from expost.runs.check import CheckReport, check
from expost.runs.own import MechanismLike, stated
from expost.spaces.efficient import last_margin
from expost.spaces.quantile_space import QuantileSpace, lattice, scrambled

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)

OTHERS, OWN = 512, 64
"""States of the others and own types on which a family is compared."""
PAIRS = 256, 1024
"""Types of the first buyer and of the completed one, where there is one."""
STATES = 2**13
"""States at which two winners are looked for while the search goes on."""
PENALTY = 100.0
"""Welfare that a violation costs, by its size: more than any parameter gains by it."""
ROUNDS = 6
"""How often states with two winners are sought and added."""
HALVINGS = 40
CHECKED = 4.0
"""Seconds of a limit that are left to the check, half of it at most."""
TOLD = 16
"""A bar is told of so many mechanisms at once."""


@dataclass(frozen=True, repr=False)
class Fit(Shown):
    """The best parameters found, and the check of the mechanism that they make.

    evaluations: how many mechanisms were compared. drawn_back: how far the optimum of the search had to move to be
    admissible (largest change of a parameter, relative to its range).
    """

    instance: str
    mechanism: Prices
    parameters: Mapping[str, float]
    over: Mapping[str, tuple[float, float]]
    objective: float
    evaluations: int
    drawn_back: float
    seed: int
    report: CheckReport = field(repr=False)

    @property
    def welfare(self) -> float | None:
        """Expected welfare in the continuum, on fresh samples."""
        return self.report.welfare

    @property
    def error(self) -> float | None:
        """Half the width of the 99% confidence interval of ``welfare``."""
        return self.report.error

    @property
    def revenue(self) -> float | None:
        """Expected payments in the continuum."""
        return self.report.revenue

    @property
    def admissible(self) -> bool | None:
        """As in ``check``: tested again with fresh states."""
        return self.report.admissible

    @property
    def share(self) -> float | None:
        """Share of the first-best gain."""
        return self.report.share

    @property
    def share_of_bound(self) -> float | None:
        """Share of what no mechanism can exceed, where a bracket was asked for."""
        return self.report.share_of_bound

    def to_dict(self) -> dict[str, Any]:
        """JSON values: what ``expost fit --json`` prints."""
        return {
            "instance": self.instance,
            "mechanism": self.mechanism.formulas(),
            "parameters": dict(self.parameters),
            "over": {name: list(ends) for name, ends in self.over.items()},
            "objective": self.objective,
            "welfare": self.welfare,
            "error": self.error,
            "revenue": self.revenue,
            "admissible": self.admissible,
            "share": self.share,
            "upper_bound": self.report.upper_bound,
            "share_of_bound": self.share_of_bound,
            "evaluations": self.evaluations,
            "drawn_back": self.drawn_back,
            "seed": self.seed,
            "check": self.report.to_dict(),
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a parameter, then the figures."""
        import pandas as pd

        rows: list[tuple[str, Any]] = list(self.parameters.items())
        rows += [(key, getattr(self, key)) for key in ("welfare", "error", "share", "admissible")]
        return pd.DataFrame(rows, columns=["what", "value"])

    def summary(self) -> str:
        """The parameters, and what they attain."""
        found = ", ".join(f"{name} = {value:.6g}" for name, value in self.parameters.items())
        return f"{self.instance}, {self.mechanism.name}: {found}\n{self.report.summary()}"


@limited
def fit(
    instance: InstanceLike,
    mechanism: MechanismLike,
    over: Mapping[str, tuple[float, float]],
    *,
    objective: str | float = "welfare",
    brackets: float = 0.0,
    time_limit: float | None = None,
    jobs: int = 1,
    seed: int = 0,
) -> Fit:
    """The parameters of a family of prices that are best in the continuum, subject to admissibility.

    mechanism: ``Prices`` with parameters (or a file, or a line). over: for each parameter to be chosen the range, from
    lowest to highest; the others keep their values. objective: ``welfare``, ``revenue`` or the weight on welfare.
    brackets: seconds for a bracket, to say what share of the certified bound is attained; 0: none. time_limit: seconds
    for everything: the search leaves ``CHECKED`` of them, and those of the bracket, but no more than half, to the check
    of what it found. jobs: candidates compared at once. seed: of all random numbers.

    Raises InputError for a parameter that the mechanism does not have, an empty range, and a family in which the
    search finds no admissible mechanism; LimitReached when there was no time to find one, or to check it.
    """
    left = left_of(limit_of(time_limit))
    named, own = load(instance), stated(mechanism)
    if not isinstance(own, Prices):
        raise InputError(
            f"{own if isinstance(own, str) else type(own).__name__}",
            where="prices",
            expected="ex.Prices with parameters to choose",
            remedy='for example ex.Prices({"1": "p2 + a*c2**b", "2": "p1 + a*c1**b"}, a=1, b=1)',
        )
    ranges = _ranges(own, over)
    seconds_of(brackets)
    limit = None if time_limit is None else time_limit - min(CHECKED + brackets, 0.5 * time_limit)
    search = _Search(named, own, ranges, weight_of(objective), seed_of(seed), limit, Workers(jobs_of(jobs)))
    with bar(f"fit {own.name} to {named.name}") as shown:
        search.shown = shown
        best, drawn = search.run()
    _log.info("%s: %d mechanisms compared, %s", named.name, search.evaluations, best)
    chosen = own.with_parameters(**best)
    assert isinstance(chosen, Prices)
    report = check(named, chosen, grid=6, brackets=brackets, time_limit=left(), seed=seed + 1)
    return Fit(
        named.name, chosen, best, ranges, weight_of(objective), search.evaluations, drawn, seed, report
    )


def best_start(
    instance: Instance, families: Sequence[tuple[dict[str, float], Prices]], seed: int = 0
) -> tuple[dict[str, float], Prices]:
    """The family whose stated parameters are worth most; one buyer is completed in each."""

    def loss(family: tuple[dict[str, float], Prices]) -> float:
        start, own = family
        search = _Search(instance, own, dict.fromkeys(start, (0.0, 1.0)), 1.0, seed, None)
        return search.loss(np.array(list(start.values())))

    return min(families, key=loss)


def polished(instance: Instance, own: Prices, start: Mapping[str, float], seed: int = 0) -> Prices:
    """``own`` with the parameters of a local search for welfare that begins at ``start``; one buyer is completed."""
    from scipy.optimize import minimize

    reach = {name: max(abs(value), 0.25) for name, value in start.items()}
    ranges = {name: (value - reach[name], value + reach[name]) for name, value in start.items()}
    search = _Search(instance, own, ranges, 1.0, seed, None)
    begin = np.array(list(start.values()))
    found = minimize(
        search.loss,
        begin,
        method="Nelder-Mead",
        options={"xatol": 1e-4, "fatol": 1e-7, "maxfev": 150 * len(begin)},
    )
    best = found.x if found.fun < search.loss(begin) else begin
    chosen = own.with_parameters(**{name: float(x) for name, x in zip(start, best, strict=True)})
    assert isinstance(chosen, Prices)
    return chosen


def _ranges(own: Prices, over: Mapping[str, Sequence[float]]) -> dict[str, tuple[float, float]]:
    if not isinstance(over, Mapping) or not over:
        raise InputError("nothing to choose", where="over", expected='ranges by parameter: {"a": (0, 2)}')
    ranges: dict[str, tuple[float, float]] = {}
    for name, ends in over.items():
        own.with_parameters(**{name: 0.0})
        try:
            low, high = (float(end) for end in ends)
        except (TypeError, ValueError):
            low, high = 1.0, 0.0
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise InputError(
                f"{name}: {ends!r}"[:60], where="over", expected="a range (lowest, highest) that is not empty"
            )
        ranges[name] = (low, high)
    return ranges


class _Search:
    """One search: what is compared on which states, and the states where two winners were seen."""

    def __init__(
        self,
        instance: Instance,
        own: Prices,
        ranges: dict[str, tuple[float, float]],
        alpha: float,
        seed: int,
        limit: float | None,
        workers: Workers | None = None,
    ) -> None:
        import time

        self.workers = workers or Workers(1)

        self.instance, self.own, self.ranges, self.alpha, self.seed = instance, own, ranges, alpha, seed
        self.deadline = np.inf if limit is None else time.monotonic() + limit
        self.evaluations = 0
        self.shown: Bar | None = None
        self.space = QuantileSpace(instance, (None,) * instance.n)
        rng = np.random.default_rng(seed)
        self.open = own.bind(instance).open
        if len(self.open) > 1:
            raise InputError(
                f"{len(self.open)} buyers without a price", where="prices", expected="at most one"
            )
        self.samples = [self._fibres(i, rng) for i in range(instance.n)] if not self.open else []
        self.pairs = self._pairs(rng) if self.open else None
        self.states = self.space.signals(state_sample(instance, STATES, rng))
        self.scale = float(np.abs(instance.value(0, self.states)).max(initial=0.0))

    def run(self) -> tuple[dict[str, float], float]:
        """The best parameters, and how far they were drawn back. Raises InputError when none is admissible."""
        from scipy.optimize import Bounds, differential_evolution, minimize

        ends = np.array(list(self.ranges.values()))
        losses: Any = self._losses
        bounds = Bounds(ends[:, 0], ends[:, 1])
        found = differential_evolution(
            self.loss,
            bounds,
            rng=np.random.default_rng(self.seed),
            popsize=12,
            maxiter=60,
            tol=1e-6,
            polish=False,
            init="sobol",
            callback=self._stop,
            updating="deferred",  # the same whatever the number of workers
            workers=losses,
        )
        best, inside = np.asarray(found.x), None
        for _ in range(ROUNDS):
            for _ in range(2):  # a simplex that has collapsed on a ridge starts again
                polished = minimize(
                    self.loss,
                    best,
                    method="Nelder-Mead",
                    bounds=bounds,
                    options={"xatol": 1e-7, "fatol": 1e-12, "maxfev": 400 * len(ends)},
                    callback=self._stop,
                )
                best = np.asarray(polished.x)
            if self.open or not self._add_violation(best) or self._late():
                break
        if self.open:
            return self._named(best), 0.0
        inside = self._inside(best)
        return self._drawn_back(best, inside)

    def _losses(self, _: object, points: Sequence[Float]) -> list[float]:
        """The losses of a generation, as many pieces at once as there are workers."""
        self._count(len(points))
        pieces = np.array_split(np.asarray(points), self.workers.count)
        return [loss for part in self.workers.map(self._each, pieces) for loss in part]

    def _each(self, points: Float) -> list[float]:
        return [self._loss(point) for point in points]

    def _count(self, more: int) -> None:
        before = self.evaluations
        self.evaluations += more
        if self.shown is not None and before // TOLD != self.evaluations // TOLD:
            self.shown.step(self.evaluations, f"{self.evaluations:,} mechanisms compared")

    def __getstate__(self) -> dict[str, Any]:
        """What a worker needs: neither the bar nor the workers."""
        return self.__dict__ | {"shown": None, "workers": Workers(1)}

    def _late(self) -> bool:
        import time

        return time.monotonic() > self.deadline

    def _stop(self, intermediate_result: Any) -> None:
        """Called by scipy after each generation, or step of a simplex."""
        del intermediate_result
        if self._late():
            raise StopIteration

    def _named(self, point: Float) -> dict[str, float]:
        return {name: float(value) for name, value in zip(self.ranges, point, strict=True)}

    def _bound(self, point: Float) -> OwnPrices:
        chosen = self.own.with_parameters(**self._named(point))
        assert isinstance(chosen, Prices)
        return chosen.bind(self.instance)

    def loss(self, point: Float) -> float:
        """What is minimized: the objective's negative, and the penalty of states with two winners."""
        self._count(1)
        return self._loss(point)

    def _loss(self, point: Float) -> float:
        prices = self._bound(np.asarray(point))
        if self.open:
            return -self._completed(prices)
        violation = max(self._violation(prices), 0.0)
        return -self._objective(prices) + PENALTY * violation

    def _violation(self, prices: OwnPrices) -> float:
        """The largest second-highest margin on the states kept."""
        margins = [
            self.instance.value(i, self.states) - prices.price(i, self._rest(i, self.states))
            for i in range(self.instance.n)
        ]
        return float(last_margin(np.stack(margins), self.instance.units).max())

    def _objective(self, prices: OwnPrices) -> float:
        total = 0.0
        for i, (value, gain, weight, signals) in enumerate(self.samples):
            posted = prices.price(i, signals)
            wins = value > posted
            earned = np.where(wins, gain, 0.0) * self.alpha
            if self.alpha < 1.0:
                earned = earned + (1.0 - self.alpha) * np.where(wins, posted, 0.0) * weight
            total += float(earned.mean())
        return total

    def _completed(self, prices: OwnPrices) -> float:
        """The objective where one buyer is completed, on pairs of the others' joint types and his own."""
        assert self.pairs is not None
        k, signals, values, gains, weight = self.pairs
        posted = {j: prices.price(j, self._rest(j, signals)) for j in range(self.instance.n) if j != k}
        wins = {j: values[j] > price for j, price in posted.items()}
        units = self.instance.units
        violation = last_margin(np.stack([values[j] - posted[j] for j in wins]), units).max()
        taken = np.sum(list(wins.values()), axis=0) >= units
        price = np.where(taken, values[k], 0.0).max(axis=1, keepdims=True)
        wins[k], posted[k] = values[k] > price, price
        total = sum(
            self.alpha * float(np.where(won, gains[j], 0.0).mean())
            + (1.0 - self.alpha) * float((np.where(won, posted[j], 0.0) * weight).mean())
            for j, won in wins.items()
        )
        return total - PENALTY * max(float(violation), 0.0)

    def _rest(self, i: int, signals: Mapping[str, Float]) -> dict[str, Float]:
        own = self.instance.buyers[i].signals
        return {name: column for name, column in signals.items() if name not in own}

    def _fibres(self, i: int, rng: np.random.Generator) -> tuple[Float, Float, Float, dict[str, Float]]:
        """Values and gains of buyer ``i`` and the density of states, (others, own types), and the others' signals,
        (others, 1)."""
        width = sum(self.space.dims) - self.space.dims[i]
        joint = scrambled(OTHERS, max(width, 1), rng)
        own = (
            lattice(OWN, self.space.dims[i], np.zeros(self.space.dims[i]))
            + rng.random((OTHERS, 1, self.space.dims[i]))
        ) % 1.0
        signals, place = self.space.own(i, own), 0
        rest: dict[str, Float] = {}
        for k in range(self.instance.n):
            if k != i:
                part = joint[:, place : place + self.space.dims[k]]
                rest |= {name: column[:, None] for name, column in self.space.own(k, part).items()}
                place += self.space.dims[k]
        signals |= rest
        weight = self.space.density(signals)
        return self.instance.value(i, signals), self.space.instance.gain(i, signals), weight, rest

    def _pairs(
        self, rng: np.random.Generator
    ) -> tuple[int, dict[str, Float], list[Float], list[Float], Float]:
        """The completed buyer, all signals (others, own types), values and gains there, and the density."""
        k, (count, types) = self.open[0], PAIRS
        joint = scrambled(count, sum(self.space.dims) - self.space.dims[k], rng)
        own = scrambled(types, self.space.dims[k], rng)
        signals, place = self.space.own(k, own[None]), 0
        for j in range(self.instance.n):
            if j != k:
                part = joint[:, place : place + self.space.dims[j]]
                signals |= {name: column[:, None] for name, column in self.space.own(j, part).items()}
                place += self.space.dims[j]
        values = [self.instance.value(i, signals) for i in range(self.instance.n)]
        gains = [self.space.instance.gain(i, signals) for i in range(self.instance.n)]
        return k, signals, values, gains, self.space.density(signals)

    def _add_violation(self, point: Float) -> bool:
        """Look for a state with two winners at these parameters; keep it. Whether there is one."""
        found = self._searched(self._bound(point))
        if found.admissible:
            return False
        for name, value in found.witness.items():
            self.states[name] = np.append(self.states[name], value)
        return True

    def _searched(self, prices: OwnPrices) -> Any:
        def posted(i: int, signals: Mapping[str, Float]) -> Float:
            return prices.price(i, self._rest(i, signals))

        return search_admissibility(self.instance, posted, seed=self.seed + 1)

    def _inside(self, best: Float) -> Float:
        """Parameters near ``best`` that are admissible: of less and less violation. Raises InputError for none."""
        from scipy.optimize import Bounds, differential_evolution

        ends = np.array(list(self.ranges.values()))
        if self._searched(self._bound(best)).admissible:
            return best

        def most_inside(shrink: float) -> Callable[[Float], float]:
            return lambda point: (
                self._violation(self._bound(point))
                + shrink * float(np.abs((point - best) / np.ptp(ends, axis=1)).max())
            )

        for shrink in (0.1, 0.01, 0.0):
            found = differential_evolution(
                most_inside(shrink * self.scale),
                Bounds(ends[:, 0], ends[:, 1]),
                rng=np.random.default_rng(self.seed),
                maxiter=30,
                polish=False,
                callback=self._stop,
            )
            point = np.asarray(found.x)
            if self._searched(self._bound(point)).admissible:
                return point
        if self._late():
            raise LimitReached("fit stopped before it had admissible parameters; allow more time")
        raise InputError(
            "no admissible mechanism in this family",
            where="over",
            expected="a family with prices high enough that no state has two winners",
            remedy="widen a range, or leave one buyer to be completed",
        )

    def _drawn_back(self, best: Float, inside: Float) -> tuple[dict[str, float], float]:
        """The admissible parameters nearest to ``best`` on the way to ``inside``."""
        low, high = 0.0, 1.0
        if best is inside:
            return self._named(best), 0.0
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            if self._searched(self._bound(best + middle * (inside - best))).admissible:
                high = middle
            else:
                low = middle
            if high - low < 1e-4 or self._late():
                break
        point = best + high * (inside - best)
        span = np.array([top - bottom for bottom, top in self.ranges.values()])
        if not self._searched(self._bound(point)).admissible:
            raise LimitReached("fit stopped before it had admissible parameters; allow more time")
        return self._named(point), float((np.abs(point - best) / span).max())
