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
from dataclasses import replace
from typing import Any

import numpy as np

from expost.errors import InputError, LimitReached
from expost.formulations.assemble import Formulation, assemble
from expost.formulations.blocks import Block
from expost.formulations.corners import Apart, Corner, Nested, NothingBeyond, Objectives
from expost.formulations.settings import Settings
from expost.formulations.timing import build_blocks, buyer_stages, parse_timing
from expost.solver.mincut.family import Family
from expost.spaces.type_space import TypeSpace
from expost.tolerances import WELFARE


def welfare_and_revenue(space: TypeSpace, settings: Settings) -> Objectives:
    """Welfare against revenue at the highest implementing prices. Raises InputError for sequential buyers."""
    blocks = _blocks(space, settings, revenue=True)
    whole, other = (_assembled(space, settings, blocks, alpha) for alpha in (1.0, 0.0))
    return Objectives(
        replace(whole, alpha=0.0),  # terms at their highest, as revenue asks
        ("welfare", "revenue"),
        (whole.program.weights, other.program.weights),
        (whole.program.constant, other.program.constant),
    )


def buyers_shares(space: TypeSpace, settings: Settings, pair: tuple[int, int]) -> Objectives:
    """The expected gain from selling to one buyer against that from another; further buyers count in both."""
    whole = _assembled(space, settings, _blocks(space, settings), 1.0)
    program = whole.program
    weights = []
    for own in pair:
        other = pair[1] if own == pair[0] else pair[0]
        kept = program.weights.copy()
        kept[program.blocks[other] : program.blocks[other + 1]] = 0.0
        weights.append(kept)
    names = tuple(space.instance.buyers[i].name for i in pair)
    return Objectives(whole, (names[0], names[1]), (weights[0], weights[1]), (0.0, 0.0))


def _blocks(space: TypeSpace, settings: Settings, *, revenue: bool = False) -> tuple[Block, ...]:
    timings = parse_timing(space.n, settings.timing)
    return build_blocks(space, timings, settings.first, revenue=revenue)


def _assembled(space: TypeSpace, settings: Settings, blocks: tuple[Block, ...], alpha: float) -> Formulation:
    return assemble(
        space,
        blocks,
        stages=buyer_stages(space, parse_timing(space.n, settings.timing), settings.first),
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
    program = objectives.formulation.program
    nested = backend in ("auto", "mincut") and Family.usable(program)
    solver: Any = Nested(objectives, left) if nested else Apart(objectives, left, backend)
    scale = max(float(np.abs(weight).sum()) for weight in objectives.weights)
    low_share, high_share = _ends(objectives)
    low, _, rest = solver.corner(solver.everything(), low_share)
    high, span, _ = solver.corner(rest, high_share)
    apart = abs(high.first - low.first) + abs(low.second - high.second) > WELFARE * scale
    found, order = [low, high] if apart else [low], itertools.count()
    queue: list[tuple[float, int, Corner, Corner, Any]] = []

    def ask(low: Corner, high: Corner, span: Any) -> None:
        rise, fall = high.first - low.first, low.second - high.second
        if min(rise, fall) > WELFARE * scale:
            heapq.heappush(queue, (-rise * fall, next(order), low, high, span))

    ask(low, high, span)
    while queue and (points is None or len(found) < points):
        _, _, low, high, span = heapq.heappop(queue)
        rise, fall = high.first - low.first, low.second - high.second
        share = fall / (rise + fall)
        line = share * low.first + (1.0 - share) * low.second
        try:
            corner, before, after = solver.corner(span, share, line + WELFARE * scale)
        except LimitReached:
            heapq.heappush(queue, (0.0, next(order), low, high, span))
            break
        except NothingBeyond:
            continue  # an edge
        found.append(corner)
        ask(low, corner, before)
        ask(corner, high, after)
    return _strict(sorted(found, key=lambda corner: corner.first), WELFARE * scale), not queue


def _strict(found: list[Corner], least: float) -> list[Corner]:
    """Those that lie beyond the line between their neighbours: an optimum may be any point of an edge."""
    kept: list[Corner] = []
    for corner in found:
        while len(kept) > 1 and _beyond(kept[-2], kept[-1], corner) <= least:
            kept.pop()
        kept.append(corner)
    return kept


def _beyond(low: Corner, middle: Corner, high: Corner) -> float:
    """How far the middle one lies beyond the line between the others."""
    rise, fall = high.first - low.first, low.second - high.second
    return (fall * (middle.first - low.first) + rise * (middle.second - low.second)) / (rise + fall)


def _ends(objectives: Objectives) -> tuple[float, float]:
    """Shares so near to 0 and 1 that the optimum is the best of one objective, and among these of the other."""
    first, second = (float(np.abs(weight).sum()) or 1.0 for weight in objectives.weights)
    tiny = 1e-6
    return tiny * second / (first + second), 1.0 - tiny * first / (first + second)
