"""The upper side: finitely many first-stage types at random offsets, second stages of the continuum, by duals.

A stochastic mechanism of the continuum, restricted to the first-stage types ``(k + offset) / m``, satisfies their
incentives, whose second stages are those of the continuum; averaged over a uniform offset its welfare is what it was.
So the expected optimum of the restricted programs is an upper bound. Incentives are expectations over the second stage,
which a grid of second-stage types would not inherit; but at fixed multipliers the dual is a sum of maxima of
expectations, and a maximum over a random sample of second stages is in expectation no smaller. Multipliers come from
the program of one offset, and are evaluated on a second stage drawn independently of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from expost._typing import Float
from expost.brackets.lotteries.tables import Stage, above, ranked
from expost.errors import LimitReached
from expost.solver.linear_program import LinearProgram
from expost.solver.result import Status

SECOND = 1024
"""Second-stage points on which a dual is evaluated: more make the expected maximum closer to the maximum."""
SPENT = 0.02
"""Seconds that are none: a solver's process takes longer to begin."""
STRIKES = 4
"""Strikes of the program that multipliers come from, for each first-stage type."""


class Replicate(NamedTuple):
    """The value of one replicate, and what it rests on: the offset, and the multipliers (2, A, A) there and at its
    mirror image."""

    value: float
    offset: float
    flows: Float


def offset_replicate(
    stage: Stage,
    types: int,
    strikes: Float,
    rng: np.random.Generator,
    remaining: Callable[[], float | None] = lambda: None,
) -> Replicate:
    """An unbiased upper estimate of the best welfare (above E[V_0]): programs of ``types`` first-stage types at a
    random offset and at its mirror image, on second stages likewise, which takes the first-order error out.

    Raises LimitReached when a program was not solved within the seconds ``remaining`` at its beginning.
    """
    offset = rng.random()
    flows = np.stack(
        [
            incentive_multipliers(stage, (np.arange(types) + shift) / types, strikes, remaining())
            for shift in (offset, 1.0 - offset)
        ]
    )
    return Replicate(value_at(stage, offset, flows, rng), offset, flows)


def value_at(stage: Stage, offset: float, flows: Float, rng: np.random.Generator) -> float:
    """The mean dual value at ``offset`` and at its mirror image, on a random sample of second stages and on its mirror
    image; ``flows``: the multipliers of both, (2, A, A)."""
    second, types = stage.sample(SECOND, rng), flows.shape[1]
    found = [
        dual_value(*stage.outcomes((np.arange(types) + shift) / types, sample), own)
        for shift, sample, own in ((offset, second, flows[0]), (1.0 - offset, 1.0 - second, flows[1]))
    ]
    return 0.5 * (found[0] + found[1])


def incentive_multipliers(stage: Stage, first: Float, strikes: Float, seconds: float | None = None) -> Float:
    """Multipliers (A, A) of "type a does not take option o" from the program with ``strikes`` (K,), its second stages
    midpoints."""
    from scipy.sparse import csr_array

    from expost.solver.adapters.lp import solve_linear

    if seconds is not None and seconds <= SPENT:
        raise LimitReached("no time is left for another program")
    types, count = len(first), len(strikes)
    worth, welfare = stage.tables(first, strikes, stage.sample(4 * SECOND, None))
    a, o = (index.ravel() for index in np.indices((types, types)))
    a, o = a[a != o], o[a != o]
    pairs = len(a)
    fees = types * count
    place = np.arange(count)
    index = np.concatenate(
        [o[:, None] * count + place, a[:, None] * count + place, fees + o[:, None], fees + a[:, None]], axis=1
    )
    value = np.concatenate([worth[a], -worth[a], -np.ones((pairs, 1)), np.ones((pairs, 1))], axis=1)
    simplex = np.arange(fees).reshape(types, count)
    starts = np.concatenate([np.arange(types) * count, fees + np.arange(pairs + 1) * index.shape[1]])
    matrix = csr_array(
        (
            np.concatenate([np.ones(fees), value.ravel()]),
            np.concatenate([simplex.ravel(), index.ravel()]),
            starts,
        ),
        shape=(types + pairs, fees + types),
    )
    matrix.eliminate_zeros()
    span = float(strikes[-1] - strikes[0])
    program = LinearProgram(
        np.concatenate([welfare.ravel() / types, np.zeros(types)]),
        matrix,
        np.concatenate([np.ones(types), np.zeros(pairs)]),
        np.zeros(fees + types),
        np.concatenate([np.ones(fees), np.full(types, span)]),
    )
    answer = solve_linear(program, time_limit=seconds)
    if answer.status is not Status.OPTIMAL or answer.multipliers is None:
        raise LimitReached(f"the program of {types} first-stage types stopped ({answer.status})")
    flows = np.zeros((types, types))
    flows[a, o] = answer.multipliers[types:]
    return flows


def dual_value(values: Float, gains: Float, flows: Float) -> float:
    """The dual at multipliers ``flows`` (A, A) of first-stage types with second stages ``values``, ``gains`` (A, B).

    For each first-stage type the best single strike: maximize over strikes its own welfare, plus what keeps him from
    other options, less what draws others to his. Fees lie between 0 and the span of values, which pays for multipliers
    that do not balance to the last digit.
    """
    types, seconds = values.shape
    rising, value_totals, gain_totals = ranked(values, gains)
    strikes = np.unique(values)
    keeps, draws = flows.sum(axis=1), flows.sum(axis=0)
    total = float(np.abs(keeps - draws).sum()) * float(strikes[-1] - strikes[0])
    count = above(rising, strikes)
    worth = (np.take_along_axis(value_totals, count, axis=1) - count * strikes) / seconds
    at_least = np.take_along_axis(gain_totals, above(rising, strikes, "left"), axis=1)
    more_than = np.take_along_axis(gain_totals, count, axis=1)
    welfare = np.maximum(at_least, more_than) / (seconds * types)
    best = (welfare + keeps[:, None] * worth - flows.T @ worth).max(axis=1)
    return total + float(np.maximum(best, 0.0).sum())
