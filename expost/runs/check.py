"""``check``: a mechanism of the user's own, held against everything that the theory asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from expost._limits import limited
from expost._shown import Shown
from expost._typing import Float, Timing
from expost.brackets import Bracket
from expost.brackets.clock import ENDLESS, Clock, OutOfTime
from expost.errors import InputError, LimitReached
from expost.formulations.conditional import allowed_winners
from expost.formulations.dominance import dominate as dominate_rule
from expost.formulations.room import room_for_solve
from expost.instances.environment import Instance
from expost.mechanisms.continuum.admissibility import Admissibility, How, search_admissibility
from expost.mechanisms.continuum.admissibility_cells import prove_admissibility
from expost.mechanisms.continuum.figures import MOST, Figures, continuum_figures
from expost.mechanisms.given import Given, first_signal, priced_mechanism, strike_mechanism
from expost.mechanisms.mechanism import Mechanism
from expost.mechanisms.own import OwnPrices
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.papers.bikhchandani.pivotal import LoweredPrices
from expost.runs.arguments import (
    GridLike,
    InstanceLike,
    Words,
    beside_brackets,
    grid_of,
    limit_of,
    load,
    seconds_of,
    seed_of,
)
from expost.runs.conditions import Condition, conditions_of, posted_prices
from expost.runs.own import Allocated, MechanismLike, given_in_order
from expost.spaces.quantile_space import QuantileSpace, scrambled
from expost.spaces.type_space import Grid, TypeSpace, discretize
from expost.tolerances import INCENTIVE, allowance

if TYPE_CHECKING:
    import pandas as pd

FEW_STATES = {"states": 2**10, "starts": 8, "steps": 20}
"""The effort of the search for too many winners where every price is a search of its own."""
CELLS = 2**18
"""Cells looked at before a proof of admissibility is given up."""
MOST_PRICES, MOST_STRIKES = 2**6, 2**4
"""States of the others in a replicate of the figures, at most, where prices or strikes are searches of their own."""
LOWERED, LOWERED_TYPES = 128, 2048
"""States of the others at which a price is lowered as far as the others' admit, and own types against each."""


@dataclass(frozen=True)
class OnGrid:
    """The mechanism on a grid.

    admissible: whether no state has more winners than units. incentive_compatible: by definition, every deviation of
    every type. worst_gain: the largest gain from one (unit: values). conditionally_efficient: whether only a buyer with
    the highest gain wins, and none with a negative one. outcomes: whether selling and, buyer by buyer, winning and
    losing all happen. welfare, share, revenue, sold: None where it is not admissible. dominated_gain: the largest
    expected gain of a rule that is at least as good in every state; None where it is not implementable here or was not
    decided. dominated_at: the state that gains most. states: how many there are.
    """

    grid: int | str
    admissible: bool
    crowded: int
    incentive_compatible: bool
    worst_gain: float
    conditionally_efficient: bool
    outcomes: bool
    welfare: float | None
    share: float | None
    dominated_gain: float | None
    dominated_at: Mapping[str, float] | None
    revenue: float | None = None
    sold: float | None = None
    states: int = 0


@dataclass(frozen=True)
class Lowered:
    """A mechanism of the continuum that dominates prices: one buyer's lowered as far as the others' admit.

    buyer: whose. gain: expected welfare that this adds, with ``error`` (half a 99% interval); harmless: whether no
    state was seen that loses by it. at: the state that gains most.
    """

    buyer: str
    gain: float
    error: float
    harmless: bool
    at: Mapping[str, float]


@dataclass(frozen=True, repr=False)
class CheckReport(Shown):
    """Everything found about one mechanism; figures are the continuum's unless they are in ``on_grid``.

    admissible: False when refuted by ``witness``, True when sampled or proved (see ``how``).
    worst_violation: the largest second-highest margin V_i - t_i found, of k units the (k+1)-st; above rounding it
    refutes (unit: values).
    continuum: welfare, revenue, probability of sale with their error; None when refuted: a rule with two winners is no
    mechanism; None, too, where all priors are discrete: then the grid is the instance, and its figures are exact.
    lowered: prices that dominate these in the continuum, where some do by lowering one buyer's. drawn: the rule on the
    grid, for pictures. share: of the first-best gain. upper_bound, share_of_bound: the certified upper bound of the
    continuum second best and the share of it, where a bracket was asked for.
    conditions: what the papers ask (pivotality, the assumptions, strikes that do not rise), and whether the first best
    is attained in each order of arrival. left_out: what a time limit left no time for.
    """

    instance: str
    mechanism: str
    timing: str
    admissible: bool | None
    how: str
    worst_violation: float
    witness: Mapping[str, float] | None
    explanation: str
    continuum: Figures | None
    on_grid: OnGrid
    conditions: tuple[Condition, ...]
    lowered: Lowered | None = None
    drawn: Allocated | None = field(default=None, repr=False)
    bracket: Bracket | None = field(default=None, repr=False)
    left_out: tuple[str, ...] = ()

    @property
    def welfare(self) -> float | None:
        """Expected welfare in the continuum, or on the grid where the continuum has none; None when refuted."""
        if self.admissible is False:
            return None
        return self.on_grid.welfare if self.continuum is None else self.continuum.welfare

    @property
    def error(self) -> float | None:
        """Half the width of the 99% confidence interval of ``welfare``."""
        return None if self.continuum is None else self.continuum.error

    @property
    def revenue(self) -> float | None:
        """Expected payments for the item, where ``welfare`` is looked at."""
        if self.admissible is False:
            return None
        return self.on_grid.revenue if self.continuum is None else self.continuum.revenue

    @property
    def sold(self) -> float | None:
        """Probability of a sale (of several units: how many are sold on average), where ``welfare`` is looked at."""
        if self.admissible is False:
            return None
        return self.on_grid.sold if self.continuum is None else self.continuum.sold

    @property
    def share(self) -> float | None:
        """Share of the first-best gain."""
        if self.admissible is False:
            return None
        return self.on_grid.share if self.continuum is None else self.continuum.share

    @property
    def upper_bound(self) -> float | None:
        """The upper end of the bracket, where one was asked for."""
        return None if self.bracket is None else float(self.bracket.upper)

    @property
    def share_of_bound(self) -> float | None:
        """The share of what no mechanism can exceed: welfare and bound less never selling."""
        if self.bracket is None or self.continuum is None:
            return None
        most = float(self.bracket.upper) - self.continuum.no_sale
        return (self.continuum.welfare - self.continuum.no_sale) / most if most > 0.0 else None

    @property
    def dominated_gain(self) -> float | None:
        """On the grid: the largest expected gain of a rule that is at least as good in every state."""
        return self.on_grid.dominated_gain

    def condition(self, name: str) -> Condition:
        """The condition of that name. Raises KeyError when it was not tested."""
        return {condition.name: condition for condition in self.conditions}[name]

    def to_dict(self) -> dict[str, Any]:
        """JSON values: what ``expost check --json`` prints."""
        return {
            "instance": self.instance,
            "mechanism": self.mechanism,
            "timing": self.timing,
            "admissible": self.admissible,
            "how": self.how,
            "worst_violation": None if np.isinf(self.worst_violation) else self.worst_violation,
            "witness": None if self.witness is None else dict(self.witness),
            "explanation": self.explanation,
            "welfare": self.welfare,
            "error": self.error,
            "revenue": self.revenue,
            "sold": self.sold,
            "first_best": None if self.continuum is None else self.continuum.first_best,
            "share": self.share,
            "upper_bound": self.upper_bound,
            "share_of_bound": self.share_of_bound,
            "dominated_gain": self.dominated_gain,
            "lowered": None if self.lowered is None else asdict(self.lowered),
            "on_grid": asdict(self.on_grid),
            "conditions": [asdict(condition) for condition in self.conditions],
            "left_out": list(self.left_out),
        }

    def to_frame(self) -> pd.DataFrame:
        """One table: what was asked, the answer, and what was seen."""
        import pandas as pd

        return pd.DataFrame(self.lines(), columns=["what", "answer", "seen"])

    def lines(self) -> list[tuple[str, str, str]]:
        """The rows of the table."""
        words = {True: "yes", False: "no", None: "not looked at"}
        grid, rows = self.on_grid, [("admissible", words[self.admissible], self.explanation)]
        if self.continuum is not None:
            error = f"error {self.error:.1g}, {self.continuum.states:,} states"
            rows += [
                ("welfare", f"{self.continuum.welfare:.6f}", f"in the continuum, {error}"),
                ("first best", f"{self.continuum.first_best:.6f}", f"share {_percent(self.share)}"),
                ("revenue", f"{self.continuum.revenue:.6f}", ""),
                ("probability of sale", f"{self.continuum.sold:.6f}", ""),
            ]
        elif self.welfare is not None:
            rows += [
                ("welfare", f"{self.welfare:.6f}", f"exact: {grid.states:,} states"),
                ("share of the first best", _percent(self.share), ""),
                ("revenue", f"{self.revenue:.6f}", ""),
                ("probability of sale", f"{self.sold:.6f}", ""),
            ]
        if self.upper_bound is not None:
            seen = f"of what no mechanism exceeds: {_percent(self.share_of_bound)}"
            rows.append(("upper bound", f"{self.upper_bound:.6f}", seen))
        seen = f"grid {grid.grid}: no deviation gains more than {grid.worst_gain:.2g}"
        rows.append(("incentive compatible", words[grid.incentive_compatible], seen))
        rows.append(("both outcomes", words[grid.outcomes], f"grid {grid.grid}"))
        rows.append(("conditionally efficient", words[grid.conditionally_efficient], f"grid {grid.grid}"))
        if grid.dominated_gain is not None:
            at = ", ".join(f"{name} = {x:.4g}" for name, x in (grid.dominated_at or {}).items())
            rows.append(
                (
                    "dominated",
                    "no" if grid.dominated_at is None else f"by {grid.dominated_gain:.6f}",
                    f"grid {grid.grid}" + (f", most at {at}" if at else ""),
                )
            )
        if self.left_out:
            rows.append(("left out", "", f"for want of time: {', '.join(self.left_out)}"))
        if self.lowered is not None:
            low = self.lowered
            seen = f"in the continuum, error {low.error:.1g}: lower the price of buyer {low.buyer}"
            words_ = "" if low.harmless else "; some state loses by it, so this dominates nothing"
            rows.append(("dominated by lower prices", f"by {low.gain:.6f}", seen + words_))
        for one in self.conditions:
            residual = "" if one.residual is None else f"residual {one.residual:.3g}"
            rows.append(
                (one.name, words[one.holds], ", ".join(text for text in (residual, one.detail) if text))
            )
        return rows

    def summary(self) -> str:
        """The verdict, the welfare and its share, what beats it on the grid."""
        head = f"{self.instance}, {self.mechanism} ({self.timing}): "
        if self.admissible is False:
            return f"{head}not admissible\n{self.explanation}"
        lines = [f"{head}{self.explanation}"]
        if self.welfare is not None:
            where = f"grid {self.on_grid.grid}" if self.continuum is None else "continuum"
            lines.append(
                f"welfare {self.welfare:.6f} ({where}), {_percent(self.share)} of the first-best gain"
            )
        if self.dominated_gain is not None:
            lines.append(f"dominated on grid {self.on_grid.grid} by {self.dominated_gain:.6f}")
        return "\n".join(lines)


@limited
def check(
    instance: InstanceLike,
    mechanism: MechanismLike,
    grid: GridLike = 8,
    *,
    first: Words = (),
    brackets: float = 0.0,
    time_limit: float | None = None,
    seed: int = 0,
) -> CheckReport:
    """Test a mechanism in the continuum and on a grid: is it one, what is it worth, what does the theory say of it?

    mechanism: ``Prices`` or ``Strikes``, a construction's name, a TOML file, or ``1: FORMULA; 2: FORMULA``.
    grid: points per signal of the grid part. first: the signals that arrive first (strikes). brackets: seconds for a
    bracket, whose upper end is the certified bound; 0: none. time_limit: seconds for everything, of which the bracket
    takes half at most, and dominance gets what is left.

    Raises InputError for a mechanism that is not defined for the instance, LimitReached when the limit came before the
    verdict; what it leaves no time for after that is named in ``left_out``.
    """
    limit, brackets = beside_brackets(limit_of(time_limit), seconds_of(brackets))
    clock = ENDLESS if limit is None else Clock(limit)
    named, given = given_in_order(load(instance), mechanism, first)
    points = grid_of(grid).resolve(named)
    room_for_solve(named, points, (Timing(given.timing),), limit)
    seed_of(seed)
    watched = given if given.closed_form or limit is None else watched_by(clock, given)
    try:
        found = _report(named, watched, points, clock, seed)
    except OutOfTime:
        raise LimitReached("the limit came before the mechanism was looked at; allow more time") from None
    if not found.admissible or brackets == 0.0:
        return found
    try:
        return replace(found, bracket=_bound(named, given, brackets, seed))
    except LimitReached:  # the verdict stands all the same
        return replace(found, left_out=(*found.left_out, "bracket"))


def _report(named: Instance, given: Given, points: Grid, clock: Clock, seed: int) -> CheckReport:
    """The report without a bracket. Raises OutOfTime when there was no time for the verdict. Where prices are formulas
    none of its parts takes more than a second or two; what takes longer is watched by the clock itself."""
    found = _admissibility(named, given, seed)
    space = discretize(named, points)
    on_grid = _on_grid(space, given, max(clock.left, 1e-3) if clock.limited else None)
    finite = all(named.prior(name).atoms is not None for name in named.signals)
    if finite:
        found = _on_atoms(found, on_grid)
    refuted = not found.admissible
    figures = None if refuted or finite else _figures(named, given, seed, clock)
    conditions, late = [], []
    try:
        for condition in conditions_of(named, given, refuted):
            conditions.append(condition)
            clock.check()
        lowered = None if refuted or finite else _lowered(named, given, seed)
    except (OutOfTime, LimitReached):  # the verdict stands all the same
        lowered, late = None, [f"conditions after the first {len(conditions)}", "lower prices"]
    return CheckReport(
        instance=named.name,
        mechanism=given.name,
        timing=str(given.timing),
        admissible=found.admissible,
        how=str(found.how),
        worst_violation=found.worst,
        witness=dict(found.witness) if refuted else None,
        explanation=found.explain(),
        continuum=figures,
        on_grid=on_grid,
        conditions=tuple(conditions),
        lowered=lowered,
        drawn=Allocated(named, space, given.on(space)),
        bracket=None,
        left_out=tuple(late),
    )


@dataclass(frozen=True, eq=False)
class _Watched:
    """Prices or strikes that raise OutOfTime instead of a figure when the clock has run out."""

    function: Any
    clock: Clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self.function, name)

    def price(self, i: int, signals: Mapping[str, Float]) -> Float:
        """Buyer ``i``'s price."""
        self.clock.check()
        return self.function.price(i, signals)

    def strike(self, i: int, first: Float, signals: Mapping[str, Float]) -> Float:
        """Buyer ``i``'s strike."""
        self.clock.check()
        return self.function.strike(i, first, signals)


def watched_by(clock: Clock, given: Given) -> Given:
    """The same mechanism, evaluated only while there is time."""
    if given.prices is not None:
        prices = _Watched(given.prices, clock)
        return replace(given, prices=prices, build=lambda space: priced_mechanism(space, prices))
    if given.strikes is not None:
        strikes = _Watched(given.strikes, clock)
        return replace(given, strikes=strikes, build=lambda space: strike_mechanism(space, strikes))
    return given


def _on_atoms(found: Admissibility, on_grid: OnGrid) -> Admissibility:
    """All states of discrete priors are on the grid: a search that found nothing has looked at everything."""
    if found.how is How.SAMPLED and on_grid.admissible:
        return replace(found, how=How.PROVED, states=on_grid.states)
    return found


def _admissibility(instance: Instance, given: Given, seed: int) -> Admissibility:
    """What the continuum says: a search for a state with too many winners, and a proof where it is one of formulas."""
    effort = {} if given.closed_form else FEW_STATES
    found = search_admissibility(
        instance, posted_prices(instance, given), accuracy=_accuracy(given), seed=seed, **effort
    )
    if isinstance(given.prices, OwnPrices) and found.how is How.SAMPLED:
        texts = given.prices.texts()
        if texts is not None:
            found = prove_admissibility(
                instance, texts, found, parameters=given.prices.parameters, cells=CELLS
            )
    return found


def _accuracy(given: Given) -> float:
    function = given.prices if given.prices is not None else given.strikes
    return 0.0 if function is None else function.accuracy


def _figures(instance: Instance, given: Given, seed: int, clock: Clock) -> Figures:
    static = given.prices is not None
    first = () if static else tuple(first_signal(instance, i) for i in range(instance.n))
    most = MOST if given.closed_form else MOST_PRICES if static else MOST_STRIKES
    return continuum_figures(
        instance,
        prices=given.prices,
        strikes=None if static else given.strikes,
        first=first,
        seed=seed,
        most=most,
        sparse=not (static or given.closed_form),
        left=lambda: clock.left,
    )


def _bound(instance: Instance, given: Given, seconds: float, seed: int) -> Bracket:
    from expost.runs.bracket import bracket

    return bracket(instance, 1e-3, seconds, timing=str(given.timing), seed=seed)


def _on_grid(space: TypeSpace, given: Given, time_limit: float | None) -> OnGrid:
    mechanism = given.on(space)
    audit = audit_mechanism(space.values, mechanism)
    fine = audit.passed
    welfare = mechanism.welfare(space.gains, space.seller) if audit.crowded == 0 else None
    best = space.first_best - space.seller
    gain, at = _dominated(space, given, mechanism, time_limit) if fine else (None, None)
    return OnGrid(
        grid=space.grid.describe(),
        admissible=audit.crowded == 0,
        crowded=audit.crowded,
        incentive_compatible=all(buyer.passed for buyer in audit.buyers),
        worst_gain=audit.worst_gain,
        conditionally_efficient=not (mechanism.allocation & ~allowed_winners(space)).any(),
        outcomes=all(rule.any() and not rule.all() for rule in mechanism.allocation),
        welfare=welfare,
        share=(welfare - space.seller) / best if welfare is not None and best > 0.0 else None,
        dominated_gain=gain,
        dominated_at=at,
        revenue=None if welfare is None else mechanism.revenue(),
        sold=None if welfare is None else mechanism.sold,
        states=space.states,
    )


def _dominated(
    space: TypeSpace, given: Given, mechanism: Mechanism, time_limit: float | None
) -> tuple[float | None, Mapping[str, float] | None]:
    try:
        found = dominate_rule(space, mechanism.allocation, timing=given.timing, time_limit=time_limit)
    except (LimitReached, InputError):  # not decided, or several units
        return None, None
    if found.constrained_efficient or found.example is None:
        return 0.0, None
    return found.gain, space.signals_at(found.example)


def _lowered(instance: Instance, given: Given, seed: int) -> Lowered | None:
    """What is gained where one buyer's price is lowered as far as the others' admit (Bikhchandani 2006, proof of
    Theorem 2): more is sold and nothing is taken from anybody, so that this dominates unless a gain is negative there.
    The buyer with whom most is gained; None where nothing is, or prices are searches of their own."""
    if given.prices is None or not given.closed_form or instance.n <= instance.units:
        return None
    found = [_lowered_for(instance, given, i, seed) for i in range(instance.n)]
    best = max(found, key=lambda one: one.gain)
    return best if best.gain > max(best.error, 0.0) else None


def _lowered_for(instance: Instance, given: Given, i: int, seed: int) -> Lowered:
    from scipy.stats import t

    assert given.prices is not None
    space, rng = QuantileSpace(instance, (None,) * instance.n), np.random.default_rng([seed, i])
    levels = [scrambled(LOWERED, width, rng)[:, None] for width in space.dims]
    levels[i] = scrambled(LOWERED_TYPES, space.dims[i], rng)[None]
    signals, own = space.signals(levels), instance.buyers[i].signals
    rest = {name: column for name, column in signals.items() if name not in own}
    shape = (LOWERED, LOWERED_TYPES)
    value = np.broadcast_to(instance.value(i, signals), shape)
    high = np.broadcast_to(given.prices.price(i, rest), (LOWERED, 1))
    low = LoweredPrices(instance, given.prices, i).price(i, rest)
    taken = (value > low + allowance(INCENTIVE, value)) & (value <= high)
    gains = np.where(taken, np.broadcast_to(space.instance.gain(i, signals), shape), 0.0)
    error = float(t.ppf(0.995, LOWERED - 1) * gains.mean(axis=1).std(ddof=1) / LOWERED**0.5)
    at = np.unravel_index(int(gains.argmax()), shape)
    state = {name: float(np.broadcast_to(column, shape)[at]) for name, column in signals.items()}
    return Lowered(instance.buyers[i].name, float(gains.mean()), error, bool(gains.min() >= 0.0), state)


def _percent(share: float | None) -> str:
    return "all" if share is None else f"{share:.2%}"
