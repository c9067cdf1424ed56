"""Random instances of every kind, small enough to enumerate all their mechanisms from the definition, and the solver's
answer on each held against the best of them.

A buyer's mechanism is a price for each type of the others (static), or for each of these a strike that does not rise in
his first signal (sequential; Zik, Theorem 2); he wins where his value is above it, may or may not win where they are
equal, and loses elsewhere. All prices and all ties are tried, for all buyers together; nothing of the package is used
but what the instance is made of. Values are multiples of 1/4, so that ties are ties.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import expost as ex

OBJECTIVES = ("welfare", "revenue", 0.5, 0.25)
NAMES = "abcdef"
MOST = 300_000
"""Pairs of rules that are still enumerated."""


@functools.cache
def fibre_rules(ranks: tuple[int, ...], levels: int) -> np.ndarray:
    """Who wins among types whose values have these ranks, at every price and in every way to settle ties: bool
    (rules, types). Types are ordered by first signal, ``levels`` of them; one level is a static buyer."""
    rows = np.array(ranks).reshape(levels, -1)
    candidates = sorted({*ranks, max(ranks) + 1}, reverse=True)  # from the price that nobody pays downwards
    found: set[tuple[bool, ...]] = set()
    for strikes in itertools.combinations_with_replacement(candidates, levels):
        strike = np.array(strikes)[:, None]
        tied = np.flatnonzero((rows == strike).ravel())
        for chosen in itertools.product((False, True), repeat=len(tied)):
            wins = (rows > strike).ravel()
            wins[tied] = chosen
            found.add(tuple(wins.tolist()))
    return np.array(sorted(found))


def dense(values: np.ndarray) -> tuple[int, ...]:
    """The ranks of the values, equal where these are."""
    return tuple(np.unique(values, return_inverse=True)[1].tolist())


@dataclass(frozen=True, eq=False)
class Drawn:
    """One random instance. values, gains: (n, *types); chances, kept (the seller's value): (*types)."""

    instance: ex.Instance
    timing: tuple[str, ...]
    levels: tuple[int, ...]
    alpha: float
    values: np.ndarray
    gains: np.ndarray
    chances: np.ndarray
    kept: np.ndarray

    def options(self, i: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """For each type of the others: buyer ``i``'s rules, bool (rules, types), and what each is worth, (rules,)."""
        rules, worths = [], []
        apart = (np.moveaxis(array, i, -1).reshape(-1, array.shape[i]) for array in
                 (self.values[i], self.gains[i], self.chances))  # fmt: skip
        for values, gains, chances in zip(*apart, strict=True):
            wins = fibre_rules(dense(values), self.levels[i])
            lowest = np.where(wins, values, np.inf).min(axis=1, keepdims=True)
            paid = np.where(wins, lowest, 0.0)
            rules.append(wins)
            worths.append(((self.alpha * gains * wins + (1.0 - self.alpha) * paid) * chances).sum(axis=1))
        return rules, worths


def draw(seed: int) -> Drawn:
    """A random instance of one to three buyers: ties, equal types, negative gains, seller values, externalities, values
    that rise and fall, unequal chances, both timings, all objectives."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([1, 2, 3], p=[0.2, 0.5, 0.3]))
    objective = OBJECTIVES[rng.integers(len(OBJECTIVES))] if rng.random() < 0.5 else "welfare"
    sequential = [objective == "welfare" and rng.random() < 0.4 for _ in range(n)]
    sizes = [_sizes(rng, n, late) for late in sequential]
    letters = iter(NAMES)
    signals = [[next(letters) for _ in size] for size in sizes]
    types = tuple(int(np.prod(size)) for size in sizes)
    step = int(rng.integers(1, 4))  # few steps: many ties
    values = np.stack([_values(rng, types, i, sizes[i], sequential[i], step) for i in range(n)])
    extra = np.stack([_table(rng, types, 0.3, step) for _ in range(n)])
    kept = _table(rng, types, 0.5, step)
    weights = [rng.integers(1, 4, size).astype(float) if rng.random() < 0.4 else np.ones(size)
               for size in itertools.chain(*sizes)]  # fmt: skip
    shape = tuple(itertools.chain(*sizes))
    names = list(itertools.chain(*signals))
    look = functools.partial(_lookup, names, shape)
    buyers = [ex.Buyer(str(i + 1), signals[i], look(values[i]), look(extra[i])) for i in range(n)]
    priors = {
        name: ex.discrete(range(len(own)), own.tolist()) for name, own in zip(names, weights, strict=True)
    }
    chances = functools.reduce(np.multiply.outer, weights).reshape(types)
    return Drawn(
        ex.Instance(f"drawn {seed}", buyers, priors, seller=look(kept)),
        tuple("sequential" if late else "static" for late in sequential),
        tuple(size[0] if late else 1 for size, late in zip(sizes, sequential, strict=True)),
        {"welfare": 1.0, "revenue": 0.0}.get(str(objective), objective),  # type: ignore[arg-type]
        values,
        values + extra - kept,
        chances / chances.sum(),
        kept,
    )


def _sizes(rng: np.random.Generator, n: int, late: bool) -> tuple[int, ...]:
    """How many points each signal of a buyer has."""
    if n == 3:
        return ((2, 1), (1, 2))[rng.integers(2)] if late else (2,)
    if late or rng.random() < 0.2:
        return ((2, 2), (2, 1), (1, 3), (2, 2))[rng.integers(4)]
    return (int(rng.integers(1, 5 if n == 1 else 4)),)


def _table(rng: np.random.Generator, shape: tuple[int, ...], chance: float, step: int) -> np.ndarray:
    if rng.random() >= chance:
        return np.zeros(shape)
    return rng.integers(-step, step + 1, shape) / 4.0


def _values(
    rng: np.random.Generator, types: tuple[int, ...], i: int, size: tuple[int, ...], late: bool, step: int
) -> np.ndarray:
    """Anything; a sequential buyer's mostly rise in his own signals, without which there is no such program."""
    found = rng.integers(-step, 2 * step + 1, types)
    if late and rng.random() < 0.9:
        own = np.moveaxis(found, i, 0).reshape(*size, *(t for k, t in enumerate(types) if k != i))
        for axis in range(len(size)):
            own = np.maximum.accumulate(own, axis=axis)
        found = np.moveaxis(own.reshape(types[i], *own.shape[len(size) :]), 0, i)
    return found / 4.0


def _lookup(names: list[str], shape: tuple[int, ...], table: np.ndarray) -> Callable[..., Any]:
    """A function of all signals, by name, which are places in the table."""
    flat = table.reshape(shape)
    there = {"flat": flat, "at": lambda *places: flat[tuple(np.asarray(p).astype(int) for p in places)]}
    return eval(f"lambda {', '.join(names)}: at({', '.join(names)})", there)  # type: ignore[no-any-return]


def best(drawn: Drawn) -> float | None:
    """The largest objective over all mechanisms; None where there are too many to go through."""
    kept = drawn.alpha * float((drawn.kept * drawn.chances).sum())
    options = [drawn.options(i) for i in range(len(drawn.values))]
    many = [np.prod([len(rules) for rules in own[0]], dtype=float) for own in options]
    last = int(np.argmax(many))
    lead = [i for i in range(len(options)) if i != last]
    if np.prod([many[i] for i in lead]) > MOST:
        return None
    shape = drawn.chances.shape
    taken, worth = np.zeros((1, *shape), dtype=np.int8), np.zeros(1)
    for i in lead:
        wins, gained = whole(*options[i], shape, i)
        taken = (taken[:, None] + wins[None]).reshape(-1, *shape)
        worth = (worth[:, None] + gained[None]).ravel()
        alone = (taken <= 1).reshape(len(taken), -1).all(axis=1)
        taken, worth = taken[alone], worth[alone]
    sold = np.moveaxis(taken, last + 1, -1).reshape(len(taken), -1, shape[last])
    for k, (rules, worths) in enumerate(zip(*options[last], strict=True)):
        crowded = sold[:, k].astype(np.int64) @ rules.T.astype(np.int64) > 0
        worth = worth + np.where(crowded, -np.inf, worths).max(axis=1)
    return kept + float(worth.max())


def whole(
    rules: list[np.ndarray], worths: list[np.ndarray], shape: tuple[int, ...], i: int
) -> tuple[np.ndarray, np.ndarray]:
    """All rules of buyer ``i``, int8 (rules, *types), from those for each type of the others, and their worths."""
    which = np.indices([len(own) for own in rules]).reshape(len(rules), -1)
    wins = np.stack([own[chosen] for own, chosen in zip(rules, which, strict=True)], axis=1)
    gained = sum(own[chosen] for own, chosen in zip(worths, which, strict=True))
    others = tuple(size for k, size in enumerate(shape) if k != i)
    return np.moveaxis(wins.reshape(-1, *others, shape[i]), -1, i + 1).astype(np.int8), np.asarray(gained)


def wrong(seed: int) -> str | None:
    """What is wrong with the solver's answer on a random instance, "" if nothing; None where it refuses the instance
    (sequential timing of values that fall) or there are too many mechanisms."""
    drawn = draw(seed)
    expected = best(drawn)
    if expected is None:
        return None
    try:
        run = ex.solve(drawn.instance, 1, ",".join(drawn.timing), objective=drawn.alpha)
    except ex.InputError as refusal:
        return None if falls(drawn) else f"refused: {refusal}"
    return judged(drawn, run, expected)


def falls(drawn: Drawn) -> bool:
    """Whether a sequential buyer's value falls in a signal of his own."""
    for i, buyer in enumerate(drawn.instance.buyers):
        if drawn.timing[i] == "sequential":
            size = [len(drawn.instance.prior(name).atoms[0]) for name in buyer.signals]
            own = np.moveaxis(drawn.values[i], i, 0).reshape(*size, -1)
            if any((np.diff(own, axis=axis) < 0.0).any() for axis in range(len(size))):
                return True
    return False


def judged(drawn: Drawn, run: ex.Run, expected: float) -> str:
    """What is wrong with a run whose objective should be ``expected``: its value, its bound, its rule."""
    rule = run.mechanism.allocation if hasattr(run.mechanism, "allocation") else run.mechanism
    wins = np.asarray(rule)
    if wins.sum(axis=0).max() > 1:
        return "two buyers win"
    reached = drawn.alpha * float((drawn.kept * drawn.chances).sum())
    for i in range(len(drawn.values)):
        rules, worths = drawn.options(i)
        for k, fibre in enumerate(np.moveaxis(wins[i], i, -1).reshape(-1, wins.shape[i + 1])):
            same = (rules[k] == fibre).all(axis=1)
            if not same.any():
                return f"buyer {i + 1}: no price gives {fibre.tolist()}"
            reached += float(worths[k][same].max())
    if run.status != "optimal" or abs(reached - expected) > 1e-9:
        return f"{run.status}, worth {reached} where {expected} is best"
    if not expected - 1e-12 <= run.record.certified_upper_bound <= expected + 1e-9:
        return f"bound {run.record.certified_upper_bound} of {expected}"
    return "" if abs(run.record.value - expected) <= 1e-9 else f"says {run.record.value}, is {expected}"


def tally(seeds: range) -> tuple[int, dict[int, str]]:
    """How many instances were held against the definition, and what was wrong with which."""
    said = {seed: wrong(seed) for seed in seeds}
    return sum(word is not None for word in said.values()), {
        seed: word for seed, word in said.items() if word
    }
