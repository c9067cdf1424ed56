"""The lower side: one lottery for each cell of first-stage types, by a linear program refined in cells and strikes.

Every type of a cell holds the cell's option; the program asks that types in and at the ends of a cell prefer it to all
others, by a margin that grows with the distance from the other's cell. The margin costs next to nothing and leaves no
ties inside a cell (without it the optimum makes whole stretches of types indifferent among far options). Deviations
enter the program as they are violated, strikes near those that a coarser program used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from expost._typing import Bool, Float, Place
from expost.brackets.lotteries.tables import Stage, Tables
from expost.mechanisms.continuum.lottery_options import LotteryOptions
from expost.solver.linear_program import LinearProgram
from expost.tolerances import INCENTIVE

SECOND = 4096
"""Midpoints of the second stage in the program and in every type's choice."""
INSIDE = 8
"""First-stage types of a cell over which its welfare is averaged."""
WATCHED = 4
"""Parts of a cell between whose ends types are watched for deviations."""
MARGIN = 3e-5
"""By how much a type prefers his option, relative to the span of values, per product of distances."""
SPENT = 0.02
"""Seconds that are none: a solver's process takes longer to begin."""
ROUNDS = 40
SPACINGS = 1
NEAR = 3
"""Strikes on either side of a used one that the next finer program considers, at so many spacings."""
CHOOSERS = 1024
"""First-stage types that choose an option each, before the ends of the stretches are bisected."""
HALVINGS = 40
EVALUATED = 1024
"""First levels, and second stages, of one evaluation of welfare."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of the first signal, the strikes that are considered, and what each is worth.

    edges: (m + 1,) quantile levels. strike: (K,). watched: levels (W,), ``own`` the cell of each. worth: (W, K), what a
    strike is worth to a watched type. welfare: (m, K), of a strike for a whole cell. margins: (W, m).
    """

    edges: Float
    strike: Float
    watched: Float
    own: Place
    worth: Float
    welfare: Float
    margins: Float


def make_cells(stage: Stage, edges: Float, strike: Float) -> Cells:
    """The tables of ``edges`` and ``strike``, second stages midpoints."""
    second, widths = stage.sample(SECOND, None), np.diff(edges)
    inside = edges[:-1, None] + widths[:, None] * (np.arange(INSIDE) + 0.5) / INSIDE
    watched = (edges[:-1, None] + widths[:, None] * np.arange(WATCHED + 1) / WATCHED).ravel()
    own = np.repeat(np.arange(len(widths)), WATCHED + 1)
    each = stage.tables(inside.ravel(), strike, second).welfare
    welfare = each.reshape(len(widths), INSIDE, -1).mean(axis=1) * widths[:, None]
    middle = 0.5 * (edges[1:] + edges[:-1])
    distance = np.maximum(np.maximum(watched[:, None] - edges[1:], edges[:-1] - watched[:, None]), 0.0)
    margins = MARGIN * float(strike[-1] - strike[0]) * distance * np.abs(middle[own][:, None] - middle)
    return Cells(edges, strike, watched, own, stage.tables(watched, strike, second).gain, welfare, margins)


@dataclass(frozen=True, eq=False)
class Found:
    """A solved program: probabilities (m, K), fees (m,), and its value (above E[V_0])."""

    probability: Float
    fee: Float
    value: float


def solve_cells(
    cells: Cells, allowed: Bool, active: Bool, remaining: Callable[[], float | None], rounds: int = ROUNDS
) -> Found | None:
    """The best options over the ``allowed`` (m, K) strikes of each cell.

    active: bool (W, m), the deviations that the program starts with. remaining: seconds left, None without a limit.
    When ``rounds`` or time ends it, some deviations may still pay: whoever evaluates lets every type choose. None
    where time ended before the first program was solved.
    """
    found = None
    for _ in range(rounds):
        left = remaining()
        solved = None if left is not None and left <= SPENT else _solve(cells, allowed, active, left)
        if solved is None:
            break
        found = solved
        utility = cells.worth @ found.probability.T - found.fee
        own = np.take_along_axis(utility, cells.own[:, None], axis=1)
        span = float(cells.strike[-1] - cells.strike[0])
        violated = (utility + cells.margins - own > 0.3 * INCENTIVE * span) & ~active
        if not violated.any():
            break
        active = active | violated
    return found


def first_deviations(cells: Cells) -> Bool:
    """At the ends of each cell: the options of two cells on either side, and every fourth beyond."""
    cell = np.arange(len(cells.edges) - 1)
    away = np.abs(cell - cells.own[:, None])
    ends = np.isin(np.arange(len(cells.watched)) % (WATCHED + 1), (0, WATCHED))
    return np.asarray(ends[:, None] & (away > 0) & ((away <= 2) | (away % 4 == 0)))


def _solve(cells: Cells, allowed: Bool, active: Bool, seconds: float | None) -> Found | None:
    from scipy.sparse import csr_array, hstack, vstack

    from expost.solver.adapters.lp import solve_linear

    m = len(cells.edges) - 1
    cell, place = np.nonzero(allowed)
    watcher, option = np.nonzero(active)
    owner, columns, rows = cells.own[watcher], np.arange(len(cell)), np.arange(len(watcher))
    worth = cells.worth[watcher]
    strikes = worth[:, place] * ((cell == option[:, None]).astype(float) - (cell == owner[:, None]))
    fees = csr_array(
        (
            np.tile([-1.0, 1.0], (len(rows), 1)).ravel(),
            (np.repeat(rows, 2), np.stack([option, owner], 1).ravel()),
        ),
        shape=(len(rows), m),
    )
    simplex = csr_array((np.ones(len(cell)), (cell, columns)), shape=(m, len(cell)))
    matrix = vstack([hstack([simplex, csr_array((m, m))]), hstack([csr_array(strikes), fees])]).tocsr()
    span = float(cells.strike[-1] - cells.strike[0])
    program = LinearProgram(
        np.concatenate([cells.welfare[cell, place], np.zeros(m)]),
        matrix,
        np.concatenate([np.ones(m), -cells.margins[watcher, option]]),
        np.zeros(len(cell) + m),
        np.concatenate([np.ones(len(cell)), np.full(m, span)]),
    )
    answer = solve_linear(program, time_limit=seconds)
    if answer.x is None:
        return None
    probability = np.zeros(allowed.shape)
    probability[cell, place] = np.clip(answer.x[: len(cell)], 0.0, 1.0)
    probability[probability < INCENTIVE] = 0.0
    probability /= np.maximum(probability.sum(axis=1, keepdims=True), 1.0)
    return Found(probability, answer.x[len(cell) :], program.value(answer.x))


def refined(cells: Cells, found: Found, step: int) -> Bool:
    """Of a program with half as many cells, which strikes its two halves consider: (2m, K), those near one that is used
    in this cell or next to it, ``NEAR`` on either side at each of the spacings ``step``, ``2 * step``, .."""
    used = np.repeat(found.probability > 0.0, 2, axis=0)
    wide = used.copy()
    wide[1:] |= used[:-1]
    wide[:-1] |= used[1:]
    allowed = wide.copy()
    for spacing in (step << k for k in range(SPACINGS)):
        for shift in range(spacing, NEAR * spacing + 1, spacing):
            allowed[:, shift:] |= wide[:, :-shift]
            allowed[:, :-shift] |= wide[:, shift:]
    return np.asarray((allowed & (np.arange(len(cells.strike)) % step == 0)) | used)


def as_options(
    stage: Stage, cells: Cells, found: Found, over: Callable[[], bool] = lambda: False
) -> LotteryOptions | None:
    """The options as a mechanism of the continuum: every first-stage type has the option that he likes best.

    Options that nobody likes best are left out; the ends of the stretches of types who share one are bisected. None
    where time was ``over`` before.
    """
    used = (found.probability > 0.0).any(axis=0)
    strike, probability = cells.strike[used], found.probability[:, used]

    def utility(levels: Float) -> Float:
        return stage.tables(levels, strike, stage.sample(SECOND, None)).gain @ probability.T - found.fee

    levels = (np.arange(CHOOSERS) + 0.5) / CHOOSERS
    chosen = utility(levels).argmax(axis=1)
    turns = np.flatnonzero(np.diff(chosen))
    low, high = levels[turns], levels[turns + 1]
    for _ in range(HALVINGS if len(turns) else 0):
        if over():
            return None
        middle = 0.5 * (low + high)
        at = utility(middle)
        rows = np.arange(len(turns))
        stays = at[rows, chosen[turns]] >= at[rows, chosen[turns + 1]]
        low, high = np.where(stays, middle, low), np.where(stays, high, middle)
    held = chosen[np.concatenate([turns, [CHOOSERS - 1]])]
    instance = stage.space.instance
    edges = np.concatenate([[0.0], 0.5 * (low + high), [1.0]])
    first = instance.buyers[0].signals[stage.place]
    return LotteryOptions(instance, first, edges, strike, probability[held], found.fee[held])


def best_deviation(stage: Stage, options: LotteryOptions, levels: int) -> float:
    """The most that any of so many first-stage types gains by another option followed by his best second stage (unit:
    values): types spread evenly and types at both sides of every edge, second stages twice as fine as those by which
    the edges were found."""
    near = options.edges[1:-1]
    first = np.concatenate([(np.arange(levels) + 0.5) / levels, near - 1e-9, near + 1e-9])
    table: Tables = stage.tables(first, options.strike, stage.sample(2 * SECOND, None))
    utility = table.gain @ options.probability.T - options.fee
    own = np.take_along_axis(utility, options.held(first)[:, None], axis=1)[:, 0]
    return float((utility.max(axis=1) - own).max())


def welfare_replicate(stage: Stage, options: LotteryOptions, rng: np.random.Generator) -> float:
    """The expected gain of the menu (above E[V_0]) on a random grid of first levels and second stages and on its mirror
    image, which takes the first-order error out."""
    shift, second = rng.random(), stage.sample(EVALUATED, rng)
    found = []
    for offset, sample in ((shift, second), (1.0 - shift, 1.0 - second)):
        first = (np.arange(EVALUATED) + offset) / EVALUATED
        values, gains = stage.outcomes(first, sample)
        found.append(float((options.wins(options.held(first), values) * gains).mean()))
    return 0.5 * (found[0] + found[1])
