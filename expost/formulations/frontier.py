"""The efficient frontier between two linear objectives of the same program: all its corners, or the most telling ones.

The objectives are weights A and B of the program's variables. For every share in [0, 1] the program with weights
``share A + (1 - share) B`` has an optimum on the upper right boundary of the convex hull of all points (A x, B x). Two
neighbouring optima are either joined by an edge of the hull, or the weights normal to the line between them find a
point beyond it (Eisner and Severance 1976). So every solve gives a corner or proves an edge, and each corner comes with
the proof of its own program.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from expost._typing import Float
from expost.errors import InputError, LimitReached
from expost.formulations.assemble import Formulation, assemble
from expost.formulations.second_best import SecondBest, answer
from expost.formulations.settings import Settings
from expost.formulations.timing import build_blocks, buyer_stages, parse_timing
from expost.spaces.type_space import TypeSpace
from expost.tolerances import WELFARE


@dataclass(frozen=True, eq=False)
class Corner:
    """One optimum: the share of the first objective at which it was found, what it gives of either, the rule with its
    proof. proved: whether its own program was solved to optimality."""

    share: float
    first: float
    second: float
    found: SecondBest = field(repr=False)

    @property
    def proved(self) -> bool:
        """Whether the rule is optimal at ``share``: bound and value agree."""
        solution = self.found.solution
        program = self.found.formulation.program
        assert solution.x is not None
        return bool(solution.bound - program.value(solution.x) <= WELFARE * program.scale)


@dataclass(frozen=True, eq=False)
class Objectives:
    """Two objectives of one program: weights of the variables and the constant of each, by name."""

    formulation: Formulation
    names: tuple[str, str]
    weights: tuple[Float, Float]
    constants: tuple[float, float]

    def at(self, share: float) -> Formulation:
        """The program that maximizes ``share`` times the first plus the rest of the second."""
        rest = 1.0 - share
        program = replace(
            self.formulation.program,
            weights=share * self.weights[0] + rest * self.weights[1],
            constant=share * self.constants[0] + rest * self.constants[1],
        )
        return replace(self.formulation, program=program)

    def values(self, found: SecondBest) -> tuple[float, float]:
        """What the rule gives of either objective."""
        x = found.solution.x
        assert x is not None
        first, second = (float(weight @ x) for weight in self.weights)
        return first + self.constants[0], second + self.constants[1]


def welfare_and_revenue(space: TypeSpace, settings: Settings) -> Objectives:
    """Welfare against revenue at the highest implementing prices. Raises InputError for sequential buyers."""
    parts = [_assembled(space, settings, alpha) for alpha in (1.0, 0.0)]
    programs = [part.program for part in parts]
    return Objectives(
        replace(parts[0], alpha=0.0),  # terms at their highest, as revenue asks
        ("welfare", "revenue"),
        (programs[0].weights, programs[1].weights),
        (programs[0].constant, programs[1].constant),
    )


def buyers_shares(space: TypeSpace, settings: Settings, pair: tuple[int, int]) -> Objectives:
    """The expected gain from selling to one buyer against that from another; further buyers count in both."""
    whole = _assembled(space, settings, 1.0)
    program = whole.program
    weights = []
    for own in pair:
        other = pair[1] if own == pair[0] else pair[0]
        kept = program.weights.copy()
        kept[program.blocks[other] : program.blocks[other + 1]] = 0.0
        weights.append(kept)
    names = tuple(space.instance.buyers[i].name for i in pair)
    return Objectives(whole, (names[0], names[1]), (weights[0], weights[1]), (0.0, 0.0))


def _assembled(space: TypeSpace, settings: Settings, alpha: float) -> Formulation:
    timings = parse_timing(space.n, settings.timing)
    return assemble(
        space,
        build_blocks(space, timings, settings.first, revenue=alpha < 1.0),
        stages=buyer_stages(space, timings, settings.first),
        alpha=alpha,
        conditional=settings.conditional,
    )


def corners(
    objectives: Objectives,
    points: int | None = None,
    *,
    backend: str = "auto",
    left: Callable[[], float | None] = lambda: None,
) -> tuple[list[Corner], bool]:
    """The corners from the best of the second objective to the best of the first, and whether these are all.

    points: how many at most; those that cut off the largest triangle of the unknown are found first. left: seconds
    left, asked before each solve; None: no limit.
    """
    if points is not None and points < 2:
        raise InputError(f"{points} points", where="points", expected="at least 2")
    scale = max(float(np.abs(weight).sum()) for weight in objectives.weights)
    ends = [_corner(objectives, share, backend, left) for share in _ends(objectives)]
    found, order = list(ends), itertools.count()
    queue: list[tuple[float, int, Corner, Corner]] = []

    def ask(low: Corner, high: Corner) -> None:
        area = abs((high.first - low.first) * (low.second - high.second))
        if high.first - low.first > WELFARE * scale and low.second - high.second > WELFARE * scale:
            heapq.heappush(queue, (-area, next(order), low, high))

    ask(*ends)
    while queue and (points is None or len(found) < points):
        _, _, low, high = heapq.heappop(queue)
        rise, fall = high.first - low.first, low.second - high.second
        share = fall / (rise + fall)
        try:
            corner = _corner(objectives, share, backend, left, _nearer(low, high, share))
        except LimitReached:
            heapq.heappush(queue, (0.0, next(order), low, high))
            break
        line = share * low.first + (1.0 - share) * low.second
        if share * corner.first + (1.0 - share) * corner.second <= line + WELFARE * scale:
            continue  # an edge: nothing lies beyond
        found.append(corner)
        ask(low, corner)
        ask(corner, high)
    return sorted(_distinct(found, scale), key=lambda corner: (corner.first, -corner.second)), not queue


def _ends(objectives: Objectives) -> tuple[float, float]:
    """Shares so near to 0 and 1 that the optimum is the best of one objective, and among these of the other."""
    first, second = (float(np.abs(weight).sum()) or 1.0 for weight in objectives.weights)
    tiny = 1e-6
    return tiny * second / (first + second), 1.0 - tiny * first / (first + second)


def _nearer(low: Corner, high: Corner, share: float) -> SecondBest:
    """The answer whose weights are nearer, to start from."""
    return min((low, high), key=lambda corner: abs(corner.share - share)).found


def _corner(
    objectives: Objectives,
    share: float,
    backend: str,
    left: Callable[[], float | None],
    near: SecondBest | None = None,
) -> Corner:
    found = answer(objectives.at(share), backend=backend, time_limit=left(), near=near)
    return Corner(share, *objectives.values(found), found)


def _distinct(found: list[Corner], scale: float) -> list[Corner]:
    """One corner of each point."""
    kept: list[Corner] = []
    for corner in found:
        near = (
            abs(corner.first - other.first) + abs(corner.second - other.second) <= WELFARE * scale
            for other in kept
        )
        if not any(near):
            kept.append(corner)
    return kept
