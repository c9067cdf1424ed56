"""Stochastic mechanisms as a linear program: lotteries over prices (static) and menus of lotteries over strikes.

Static timing: ``q_i`` in [0, 1] with the inequalities of the deterministic program is exactly the set of randomized ex
post incentive-compatible rules (Zik, Appendix A). Sequential timing (what Zik leaves open after Theorem 7): in a fibre
the option of first-stage type ``a`` is a convex schedule, a lottery over the values that occur in the fibre as strikes.
Its variables are the cumulative probabilities ``P(a, k)`` of a strike of at most the k-th value, and the fees:

    0 <= P(a, k) <= P(a, k + 1) <= 1
    P(a, k - 1) <= x(a, b) <= P(a, k)                      where V(a, b) is the k-th value
    fee(a) - fee(o) <= u(a, a) - u(a, o)                   for all first-stage types a, o
    u(a, o) = sum_k P(o, k) (c(a, k) - c(a, k + 1)),       c(a, k) = E_b[(V(a, b) - value_k)^+]
    sum_i x_i(s) <= 1 (or the units there are)             in every state

Strikes at the values that occur lose nothing: a convex schedule and its chords between those values pay every type of
the fibre the same, and the chords leave him indifferent to every probability that the schedule gave him.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from expost._typing import Float, Place
from expost.errors import InputError
from expost.formulations.blocks import tie_width
from expost.formulations.sequential import refuse_correlation, sequential_stages
from expost.formulations.timing import SEQUENTIAL, parse_timing
from expost.mechanisms.lottery_menu import Layout, LotteryMenu, levels_of, strike_gains
from expost.solver.linear_program import LinearProgram
from expost.spaces.second_stage import given_level
from expost.spaces.stages import parse_first
from expost.spaces.type_space import TypeSpace

REACH = 12_000_000
"""Entries of the matrix that are attempted: beyond, the simplex method takes tens of minutes."""


@dataclass(frozen=True, eq=False)
class LotteryBlock:
    """One buyer's variables: P (F, A, K) first, then x (F, A, B), then the fees (F, A).

    start: of the whole program's variables, the first one of this block. strike: (F, K). level: (F, A, B), the place
    of each type's value among the strikes. values: V as fibres. chances: the probability of each second-stage type
    given the first signal, (A, B), or None where all are equal.
    """

    layout: Layout
    chances: Float | None
    start: int
    values: Float = field(repr=False)
    strike: Float = field(repr=False)
    level: Place = field(repr=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """F, A, B; there are A * B strikes."""
        n_fibres, levels, seconds = self.values.shape
        return n_fibres, levels, seconds

    @property
    def cumulative(self) -> Place:
        """The variables P, (F, A, K)."""
        n_fibres, levels, seconds = self.shape
        count = n_fibres * levels * levels * seconds
        return self.start + np.arange(count).reshape(n_fibres, levels, levels * seconds)

    @property
    def wins(self) -> Place:
        """The variables x, (F, A, B)."""
        n_fibres, levels, seconds = self.shape
        first = self.start + n_fibres * levels * levels * seconds
        return first + np.arange(n_fibres * levels * seconds).reshape(self.shape)

    @property
    def fees(self) -> Place:
        """The variables fee, (F, A)."""
        n_fibres, levels, seconds = self.shape
        first = self.start + n_fibres * levels * seconds * (levels + 1)
        return first + np.arange(n_fibres * levels).reshape(n_fibres, levels)

    @property
    def size(self) -> int:
        """How many variables the block has."""
        n_fibres, levels, seconds = self.shape
        return n_fibres * levels * (seconds * (levels + 1) + 1)


@dataclass(frozen=True, eq=False)
class LotteryFormulation:
    """A type space, each buyer's block, and the linear program whose optimum is the stochastic second best."""

    space: TypeSpace
    timings: tuple[str, ...]
    blocks: tuple[LotteryBlock, ...]
    program: LinearProgram

    def allocation(self, x: Float) -> Float:
        """Everybody's probability of winning in every state, float64 (n, T_1, .., T_n)."""
        return np.stack([b.layout.states(self.wins(b, x), self.space.shape) for b in self.blocks])

    def wins(self, block: LotteryBlock, x: Float) -> Float:
        """The probabilities of one buyer as fibres (F, A, B), made consistent with the lotteries to the last digit."""
        upto = self._upto(block, x)
        before = np.concatenate([np.zeros((*upto.shape[:2], 1)), upto[:, :, :-1]], axis=2)
        low = np.take_along_axis(before, block.level, axis=2)
        high = np.take_along_axis(upto, block.level, axis=2)
        return np.clip(x[block.wins], low, high)

    def menu(self, block: LotteryBlock, x: Float) -> LotteryMenu:
        """The lotteries of one buyer with the program's fees."""
        return LotteryMenu(
            block.layout, block.strike, np.diff(self._upto(block, x), axis=2, prepend=0.0), x[block.fees]
        )

    def _upto(self, block: LotteryBlock, x: Float) -> Float:
        """P without the solver's last digits: in [0, 1], not falling, and no strike twice."""
        upto = np.maximum.accumulate(np.clip(x[block.cumulative], 0.0, 1.0), axis=2)
        last = block.level.max(axis=(1, 2))
        place = np.minimum(np.arange(upto.shape[2]), last[:, None])[:, None, :]
        return np.take_along_axis(upto, np.broadcast_to(place, upto.shape), axis=2)


def lottery_formulation(
    space: TypeSpace, timing: str | Sequence[str] = SEQUENTIAL, first: Sequence[str | None] = ()
) -> LotteryFormulation:
    """The program of ``space`` with lotteries; ``timing`` one word for all buyers or one for each.

    Raises InputError for timings and first signals as ``build_blocks`` does, and for a size out of reach.
    """
    timings = parse_timing(space.n, timing)
    layouts = _layouts(space, timings, first)
    _check_reach(space, layouts)
    blocks: list[LotteryBlock] = []
    start = 0
    for layout in layouts:
        values = layout.fibres(space.values[layout.buyer])
        strike, level = levels_of(values, tie_width(space.values[layout.buyer]))
        blocks.append(LotteryBlock(layout, _chances(space, layout), start, values, strike, level))
        start += blocks[-1].size
    return LotteryFormulation(space, timings, tuple(blocks), _program(space, tuple(blocks), start))


def _layouts(space: TypeSpace, timings: tuple[str, ...], first: Sequence[str | None]) -> tuple[Layout, ...]:
    firsts = parse_first(space.instance, first)
    for name, word in zip(firsts, timings, strict=True):
        if name is not None and word != SEQUENTIAL:
            raise InputError(
                f"first signal {name}", where="first", expected="a signal of a buyer with sequential timing"
            )
    if SEQUENTIAL in timings:
        refuse_correlation(space, timings.index(SEQUENTIAL))
    return tuple(
        Layout(i, sequential_stages(space, i, firsts[i]) if word == SEQUENTIAL else None)
        for i, word in enumerate(timings)
    )


def _chances(space: TypeSpace, layout: Layout) -> Float | None:
    if space.weights is None or layout.stages is None:
        return None
    return given_level(space.weights.types[layout.buyer][layout.stages.types])


def _check_reach(space: TypeSpace, layouts: tuple[Layout, ...]) -> None:
    entries = 0
    for layout in layouts:
        levels = 1 if layout.stages is None else layout.stages.levels
        types = space.shape[layout.buyer]
        entries += space.states * (2 * levels * levels + 6 + 2 * levels) if types else 0
    if entries > REACH:
        raise InputError(
            f"{space.states} states, a linear program of {entries} entries",
            where="grid",
            expected=f"lotteries within reach: at most {REACH} entries",
            remedy=f"use fewer points of the first signals, or of all: grid={_coarser(space, entries)} fits",
        )


def _coarser(space: TypeSpace, entries: int) -> int:
    """The points per signal at which the program, growing with the states and the square of the levels, fits."""
    signals = len(space.instance.signals)
    points = space.states ** (1.0 / signals)
    return max(2, int(points * (REACH / entries) ** (1.0 / (signals + 2))))


def _program(space: TypeSpace, blocks: tuple[LotteryBlock, ...], variables: int) -> LinearProgram:
    rows = _Rows(variables)
    objective, upper_x = np.zeros(variables), np.ones(variables)
    for block, gain in zip(blocks, space.gains, strict=True):
        likely = gain / space.states if space.weights is None else gain * space.weights.chances
        objective[block.wins] = block.layout.fibres(likely)
        span = block.strike[:, -1] - block.strike[:, 0]
        # Fees may be shifted together until the type with the smallest gain has none: they lie in [0, span].
        upper_x[block.fees] = span[:, None] if block.layout.stages is not None else 0.0
        _schedules(rows, block)
        if block.layout.stages is not None:
            _incentives(rows, block)
    if len(blocks) > space.units:
        each = [block.layout.states(block.wins.astype(np.float64), space.shape).ravel() for block in blocks]
        rows.add(
            np.stack(each, axis=1).astype(np.intp), np.ones((space.states, len(blocks))), float(space.units)
        )
    matrix, upper = rows.matrix()
    return LinearProgram(objective, matrix, upper, np.zeros(variables), upper_x, constant=space.seller)


def _schedules(rows: _Rows, block: LotteryBlock) -> None:
    """P does not fall, and x lies between the two P next to its own value."""
    upto, wins = block.cumulative, block.wins
    at = np.take_along_axis(upto, block.level, axis=2)
    rows.differences(upto[:, :, :-1], upto[:, :, 1:])
    rows.differences(wins, at)
    inner = block.level > 0
    rows.differences(at[inner] - 1, wins[inner])


def _incentives(rows: _Rows, block: LotteryBlock) -> None:
    """fee(a) - fee(o) - u(a, a) + u(a, o) <= 0 for all pairs of first-stage types of a fibre."""
    worth = strike_gains(block.values, block.strike, block.chances)
    slopes = worth - np.concatenate([worth[:, :, 1:], np.zeros((*worth.shape[:2], 1))], axis=2)
    upto, fees, levels = block.cumulative, block.fees, block.shape[1]
    for a in range(levels):
        for o in range(levels):
            if a != o:
                index = np.concatenate([fees[:, [a, o]], upto[:, a], upto[:, o]], axis=1)
                value = np.concatenate(
                    [np.tile([1.0, -1.0], (len(fees), 1)), -slopes[:, a], slopes[:, a]], axis=1
                )
                rows.add(index, value, 0.0)


class _Rows:
    """Rows ``matrix @ x <= upper``, collected in bulk."""

    def __init__(self, variables: int) -> None:
        self.variables = variables
        self.index: list[Place] = []
        self.value: list[Float] = []
        self.lengths: list[Place] = []
        self.upper: list[Float] = []

    def add(self, index: Place, value: Float, upper: float) -> None:
        """Rows with entries ``value`` at ``index``, both (rows, entries)."""
        self.index.append(index.ravel())
        self.value.append(np.broadcast_to(value, index.shape).ravel())
        self.lengths.append(np.full(len(index), index.shape[1], dtype=np.intp))
        self.upper.append(np.full(len(index), upper))

    def differences(self, low: Place, high: Place) -> None:
        """``x[low] <= x[high]``, entry by entry."""
        self.add(np.stack([low.ravel(), high.ravel()], axis=1), np.array([1.0, -1.0]), 0.0)

    def matrix(self) -> tuple[Any, Float]:
        """The CSR matrix, zeros left out, and the right-hand sides."""
        from scipy.sparse import csr_array

        starts = np.concatenate([[0], np.cumsum(np.concatenate(self.lengths))])
        found = csr_array(
            (np.concatenate(self.value), np.concatenate(self.index), starts),
            shape=(len(starts) - 1, self.variables),
        )
        found.eliminate_zeros()
        return found, np.concatenate(self.upper)
