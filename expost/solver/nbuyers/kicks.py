"""Better rules from a rule: exact moves of two buyers at a time, and kicks out of where these end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from expost._typing import Float, Int8
from expost.solver.answers import never_sells, slack
from expost.solver.nbuyers.pairs import Pairs
from expost.solver.program import FREE, Program

KICKS = (0.01, 0.03, 0.1, 0.3)
"""Standard deviations of the noise that kicks a rule, in units of the largest weight."""

THRESHOLDS = (0.501, 0.55, 0.65, 0.75, 0.85, 0.95)
"""Where fractional rules are cut: above one half, so that no two buyers can both win."""


NOTICED = 1e-3
"""Part of the slack between welfares that a move has to gain, so that rounding cannot keep the search going."""


@dataclass(frozen=True, eq=False)
class Rule:
    """A feasible rule and its value in the unit of the weights."""

    x: Int8
    value: float


def descend(pairs: Pairs, x: Int8, deadline: float) -> Rule:
    """Best responses of pair after pair until none of them gains, or the deadline (time.monotonic)."""
    program = pairs.program
    value, stale, turn = program.value(x), 0, 0
    while stale < len(pairs.names) and time.monotonic() < deadline:
        better = pairs.respond(x, pairs.names[turn % len(pairs.names)])
        turn += 1
        gain = -1.0 if better is None else program.value(better) - value
        if better is not None and gain > NOTICED * slack(program):
            x, value, stale = better, value + gain, 1
        else:
            stale += 1
    return Rule(x, program.value(x))


def rounded(pairs: Pairs, fractional: Float, deadline: float, tries: int | None = None) -> Rule | None:
    """The best of the rules that come from cutting a fractional one, all blocks or all but two; None if none.

    tries: how many cuts to descend from at most, all of them by default.
    """
    best: Rule | None = None
    for tried, x in enumerate(_starts(pairs, fractional)):
        if best is not None and (tried == tries or time.monotonic() >= deadline):
            break
        rule = descend(pairs, x, deadline)
        if best is None or rule.value > best.value:
            best = rule
    return best


def _starts(pairs: Pairs, fractional: Float) -> Iterator[Int8]:
    """Feasible rules near a fractional one."""
    program = pairs.program
    seen: set[bytes] = set()
    for name in pairs.names:
        for threshold in THRESHOLDS:
            x = np.where(program.fixings == FREE, fractional >= threshold, program.fixings == 1).astype(
                np.int8
            )
            key = x.tobytes() + bytes(name)
            if key in seen:
                continue
            seen.add(key)
            start = pairs.respond(x, name)
            if start is not None and program.violations(start) == 0:
                yield start
    nothing = np.zeros(program.variables, dtype=np.int8)
    if program.violations(nothing) == 0:
        yield nothing


class Kicks:
    """A walk over rules that no pair improves: perturb the weights, move, restore them, descend."""

    def __init__(self, pairs: Pairs, start: Rule, seed: int = 0) -> None:
        self.pairs, self.current, self.best = pairs, start, start
        self.random = np.random.default_rng(seed)
        self.kicks = 0
        self.stale = 0

    def move_to(self, rule: Rule) -> None:
        """Go on from a rule that somebody else found, where it is better."""
        if rule.value > self.best.value:
            self.current = self.best = rule
            self.stale = 0

    def kick(self, deadline: float) -> bool:
        """One kick; whether the best rule became better."""
        self.kicks += 1
        rule = descend(self.pairs, self._moved(), deadline)
        if rule.value >= self.current.value:
            self.current = rule
        improved = rule.value > self.best.value + NOTICED * slack(self.pairs.program)
        if improved:
            self.best = rule
        self.stale = 0 if improved else self.stale + 1
        return improved

    def _moved(self) -> Int8:
        """Two pairs respond to noisy weights; variables without weight keep none."""
        program = self.pairs.program
        size = self.random.choice(KICKS) * float(np.abs(program.weights).max(initial=0.0))
        noise = self.random.normal(scale=size, size=program.variables)
        noisy = program.weights + np.where(program.weights == 0.0, 0.0, noise)
        x = self.current.x
        for turn in self.random.permutation(len(self.pairs.names))[:2]:
            response = self.pairs.respond(x, self.pairs.names[turn], noisy)
            x = x if response is None else response
        return x


def nothing_sold(program: Program) -> Rule | None:
    """The rule that gives nobody anything, where that is one."""
    if not never_sells(program):
        return None
    x = np.zeros(program.variables, dtype=np.int8)
    return Rule(x, program.value(x))
