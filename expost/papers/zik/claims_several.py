"""The claims of Zik on several buyers (sections 3.3 and 3.4), by states and bounds of the continuum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from expost._typing import Bool, Float, Int64
from expost.brackets.search import bracket
from expost.errors import InputError
from expost.instances import catalogue
from expost.instances.environment import Instance
from expost.instances.random_instances import random_instance
from expost.mechanisms.given import StrikeFunction, first_signal, tie_of
from expost.papers.claim import Case, Claim, Mutant
from expost.papers.continuum_welfare import continuum_first_best
from expost.papers.hypotheses import assumptions
from expost.papers.optima import second_best
from expost.papers.own_instances import reversed_signals
from expost.papers.stated_prices import prices_named
from expost.papers.verdict import Hypothesis, Outcome, Relation, Verdict, state_text
from expost.papers.zik.efficient import Boundary, efficient_boundary, own_signals
from expost.papers.zik.orders import implementability, others_at
from expost.papers.zik.strikes import EnvelopeStrikes, StepStrikes
from expost.spaces.quantile_space import QuantileSpace, scrambled
from expost.spaces.type_space import discretize
from expost.tolerances import allowance

StrikesOf = Callable[[str, Instance], StrikeFunction]
"""``strikes(name, instance)``: conditionally efficient strikes, ``step`` or ``envelope``."""
LowerBound = Callable[[Instance], tuple[float, str]]
"""A lower bound on the sequential second best in the continuum, and how it came about."""

QUICKLY = 0.15
"""The accuracy of a bracket of which only the cheap bounds are wanted."""
FIBRES = 12
"""Random signals of the others at which the boundary is compared with t*, for each buyer."""
SECONDS = np.linspace(1e-6, 1.0 - 1e-6, 257)
"""Quantile levels of a second signal among which the value half-way to t* is looked for."""


def conditional_strikes(name: str, instance: Instance) -> StrikeFunction:
    """Zik's rule of section 3.3, one step below t*, or the envelope of all such."""
    return StepStrikes(instance) if name == "step" else EnvelopeStrikes(instance)


def section_3_3(case: Case, strikes_of: StrikesOf) -> list[Verdict]:
    """Section 3.3: a conditionally efficient sequential rule that sells more than t*, state by state."""
    instance = case.instance
    _require_several(instance)
    rooms = list(_rooms(instance, case.seed))
    drawn = [_states(instance, case.size), *(_between(instance, *room) for room in rooms)]
    signals = {name: np.concatenate([part[name] for part in drawn]) for name in instance.signals}
    between = len(signals[instance.signals[0]]) - case.size
    gains = np.stack([instance.gain(i, signals) for i in range(instance.n)])
    static = _static_winners(instance, signals)
    wins = _sequential_winners(instance, strikes_of(case.variant or "envelope", instance), signals)
    best = np.maximum(gains.max(axis=0), 0.0)
    slack = allowance(1e-8, gains)
    sold_lower = (wins & (gains < best - slack)).any(axis=0)
    lost = (static & ~wins & (gains > slack)).any(axis=0)
    violation = ""
    for bad, what in (
        (sold_lower, "sold to a lower value at "),
        (lost, "t* sells and the rule does not at "),
    ):
        if bad.any() and not violation:
            at = int(np.argmax(bad))
            violation = what + state_text({name: float(column[at]) for name, column in signals.items()})
    change = np.where(wins, gains, 0.0).max(axis=0) - np.where(static, gains, 0.0).max(axis=0)
    return [
        Verdict(
            "Z-Section-3.3",
            "Zik, section 3.3",
            f"{instance.name}, {case.variant or 'envelope'}",
            (*assumptions(instance)[:2], _room(rooms)),
            f"mean gain of the sequential rule over t* at {case.size} random states of the continuum and {between} "
            "where the efficient rule sells and t* does not",
            float(change.mean()),
            Relation.MORE,
            0.0,
            slack,
            violation,
            f"sold at {wins.any(axis=0).mean():.4f} of the states against {static.any(axis=0).mean():.4f}",
        )
    ]


def _require_several(instance: Instance) -> None:
    if instance.n < 2:
        raise InputError(
            "one buyer", where=f"instance {instance.name}", expected="two buyers or more (Zik, section 3)"
        )
    for i in range(instance.n):
        first_signal(instance, i)


def _states(instance: Instance, count: int) -> dict[str, Float]:
    space = QuantileSpace(instance, (None,) * instance.n)
    levels = scrambled(count, sum(space.dims), np.random.default_rng(33))
    return space.signals(space.split(levels))


def _static_winners(instance: Instance, signals: Mapping[str, Float]) -> Bool:
    prices = prices_named("t*", instance)
    wins = []
    for i in range(instance.n):
        value = instance.value(i, signals)
        wins.append(value > prices.price(i, signals) + tie_of(value, 1e-9))
    return np.stack(wins)


def _sequential_winners(instance: Instance, strikes: StrikeFunction, signals: Mapping[str, Float]) -> Bool:
    wins = []
    for i, buyer in enumerate(instance.buyers):
        others = {name: column for name, column in signals.items() if name not in buyer.signals}
        value = instance.value(i, signals)
        strike = strikes.strike(i, signals[first_signal(instance, i)], others)
        wins.append(value > strike + tie_of(value, max(strikes.accuracy, 1e-9)))
    return np.stack(wins)


def _rooms(instance: Instance, seed: int) -> Iterator[tuple[Boundary, Float, Int64, Int64]]:
    """For each buyer the boundary of the efficient rule at random signals of the others, t* there, the last row at
    which the boundary reaches t*, and the last row at which there is one."""
    for i, buyer in enumerate(instance.buyers):
        dims = len(instance.signals) - len(buyer.signals)
        others = others_at(instance, i, np.random.default_rng([seed, i]).random((dims, FIBRES)))
        boundary = efficient_boundary(instance, i, buyer.signals[0], others)
        price = prices_named("t*", instance).price(i, boundary.others)
        rows = np.arange(boundary.strike.shape[1])
        slack = allowance(1e-6, price)
        binding = np.where(boundary.strike >= price[:, None] - slack, rows, -1).max(axis=1)
        end = np.where(np.isfinite(boundary.second), rows, -1).max(axis=1)
        yield boundary, price, binding, end


def _room(rooms: Sequence[tuple[Boundary, Float, Int64, Int64]]) -> Hypothesis:
    """The hypothesis of section 3.3, from the boundary of the efficient rule and t* alone: the boundary goes on beyond
    the last first signal at which its strike reaches t*, at some of the others' signals."""
    found = sum(int(np.count_nonzero(end > binding + 1)) for _, _, binding, end in rooms)
    tried = sum(len(price) for _, price, _, _ in rooms)
    return Hypothesis(
        "the boundary goes on beyond the last point where t* binds (share of the others' signals, negated)",
        -found / tried,
        -0.5 / tried,
        "at none of the others' signals tried" if not found else "",
    )


def _between(
    instance: Instance, boundary: Boundary, price: Float, binding: Int64, end: Int64
) -> dict[str, Float]:
    """States where his value lies half-way between t* and the boundary that is still to come: the efficient rule sells
    to him and t* does not. Few random states need be among these."""
    fibre = np.flatnonzero(end > binding + 1)
    row = (binding[fibre] + end[fibre] + 1) // 2
    ahead = np.where(np.arange(len(boundary.level)) >= row[:, None], boundary.strike[fibre], np.nan)
    middle = 0.5 * (np.nanmax(ahead, axis=1, initial=-np.inf) + price[fibre])
    others = {name: column[fibre] for name, column in boundary.others.items()}
    first, second = instance.buyers[boundary.buyer].signals
    levels = np.broadcast_to(SECONDS, (len(fibre), len(SECONDS)))
    own = own_signals(
        instance,
        boundary.buyer,
        {first: np.broadcast_to(boundary.level[row][:, None], levels.shape), second: levels},
    )
    value = instance.value(boundary.buyer, own | {name: column[:, None] for name, column in others.items()})
    nearest = np.abs(np.broadcast_to(value, levels.shape) - middle[:, None]).argmin(axis=1)
    chosen = {name: column[np.arange(len(fibre)), nearest] for name, column in own.items()}
    return {name: (chosen | others)[name] for name in instance.signals}


def section_3_4(case: Case, sequential: LowerBound) -> list[Verdict]:
    """Section 3.4, open in the paper: does sequential timing beat every static rule? By bounds of the continuum, the
    lower one of sequential timing against the upper one of static timing."""
    instance = case.instance
    _require_several(instance)
    upper = bracket(instance, QUICKLY, seed=case.seed).upper.value
    lower, how = sequential(instance)
    grid = discretize(instance, 6 if instance.n == 2 else 3)
    on_grid = (
        f"{second_best(grid, 'sequential')[0]:.5f} against {second_best(grid)[0]:.5f} on {grid.states} states"
    )
    return [
        Verdict(
            "Z-Section-3.4",
            "Zik, section 3.4 (open)",
            f"{instance.name}, {', '.join(buyer.signals[0] for buyer in instance.buyers)} first",
            (),
            "lower bound on the sequential second best in the continuum against the upper bound on the static one",
            lower,
            Relation.MORE,
            upper,
            0.0,
            "",
            f"{how}; {on_grid}; where the bounds overlap nothing is said",
            decisive=False,
        )
    ]


def sequential_lower_bound(instance: Instance) -> tuple[float, str]:
    """The first best where it is attained in the listed order, else the lower side of a bracket."""
    firsts = tuple(buyer.signals[0] for buyer in instance.buyers)
    if implementability(instance, others=4).sequential()[firsts]:
        found = continuum_first_best(instance, 1e-4)
        return found.value - found.error, "the first best is attained sequentially"
    lower = bracket(instance, 0.06, timing="sequential").lower
    return lower.value, f"lower bound: {lower.method}"


def _static_lower_bound(instance: Instance) -> tuple[float, str]:
    """Wrong: a bound on the static second best."""
    lower = bracket(instance, QUICKLY).lower
    return lower.value, f"lower bound: {lower.method}"


@dataclass(frozen=True)
class StaticStrikes:
    """Wrong: the prices t* whatever the first signal, and ``by`` more where the first signal is high."""

    instance: Instance
    by: float = 0.0
    accuracy: float = 1e-9

    def strike(self, i: int, first: Float, signals: Mapping[str, Float]) -> Float:
        """t*_i and ``by``."""
        price = prices_named("t*", self.instance).price(i, signals)
        return price + np.where(np.asarray(first) > 0.5, self.by, 0.0)


def _static_in_place(name: str, instance: Instance) -> StrikeFunction:
    del name
    return StaticStrikes(instance)


def _too_low(name: str, instance: Instance) -> StrikeFunction:
    del name
    return StaticStrikes(instance, -0.5)


def _linear(size: int, variant: str = "envelope") -> Case:
    return Case(catalogue.load("linear"), size, variant)


def _jmmz(size: int) -> Case:
    return Case(catalogue.load("jmmz"), size)


def _section_3_3_cases(quick: bool, seed: int) -> list[Case]:
    jmmz = catalogue.load("jmmz")
    size = 64 if quick else 256
    cases = [_linear(size), Case(jmmz, size, "envelope"), Case(reversed_signals(jmmz), size, "envelope")]
    cases += [] if quick else [_linear(64, "step"), Case(random_instance(seed), 64, "envelope", seed)]
    return cases


def _section_3_4_cases(quick: bool, seed: int) -> list[Case]:
    jmmz, linear = catalogue.load("jmmz"), catalogue.load("linear")
    cases = [jmmz, linear] if quick else [jmmz, reversed_signals(jmmz), linear]
    return [Case(instance, 0, seed=seed) for instance in cases]


CLAIMS = (
    Claim(
        "Z-Section-3.3",
        "a sequential rule better than t*, conditionally efficient",
        conditional_strikes,
        _section_3_3_cases,
        section_3_3,
        (
            Mutant("t* in place of the construction", _static_in_place, partial(_linear, 64)),
            Mutant("strikes half below t*", _too_low, partial(_linear, 64)),
        ),
        lambda instance, quick: [Case(instance, 32 if quick else 64)],
    ),
    Claim(
        "Z-Section-3.4",
        "does sequential timing beat the static second best?",
        sequential_lower_bound,
        _section_3_4_cases,
        section_3_4,
        (
            Mutant(
                "a static bound in place of the sequential one",
                _static_lower_bound,
                partial(_jmmz, 0),
                turns_to=Outcome.UNDECIDED,
            ),
        ),
        lambda instance, _: [Case(instance, 0)],
    ),
)
