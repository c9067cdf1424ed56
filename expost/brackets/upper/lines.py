"""One buyer, line by line: all signals but one are drawn, the last is integrated out.

Along a line his value rises, so he wins beyond one level, which is solved for, and what he gains there is an integral
of one variable. What a sample leaves is the error over the other signals, whose draws are spread evenly. Nothing else
is random: for given lines the best strikes are a program over strikes on a fine grid."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from expost._compiled import compiled
from expost._typing import Float, Int64
from expost.brackets.clock import ENDLESS, Clock
from expost.brackets.upper.responses import falling_path
from expost.mechanisms.continuum.solo import SoloMechanism
from expost.spaces.quantile_space import QuantileSpace, scrambled

STEPS = 12
"""Steps of false position in which a value is reached, at most: it takes one where values are straight."""
CHUNK = 1 << 16
"""Pairs of lines and strikes handled at once, at most: what fits into a processor's cache takes a fifth less time."""
PROBES = 256
"""Lines on which is looked at which signal can be integrated out."""
NEAR = 0.01
"""Of the range of values: how far beyond a mechanism's strikes they are tried most closely."""
ALIKE = 1e-9
"""By which share strikes have to gain more than one price."""
STEEP = 1e-9
"""By which share of its range a value has to rise from node to node."""


@dataclass(frozen=True)
class LineSizes:
    """rows: levels of the first signal (1: one price); lines: in each row; pieces: of each line, whose ends are nodes;
    strikes: of a grid over the range of values; evaluated: lines on which the welfare of given strikes is measured."""

    rows: int
    lines: int
    pieces: int
    strikes: int
    evaluated: int


@dataclass(frozen=True, eq=False)
class Lines:
    """R rows of m lines: ``levels`` (R, m, d), of which the place ``along`` moves, down where ``falls``."""

    space: QuantileSpace
    along: int
    falls: bool
    levels: Float = field(repr=False)
    pieces: int

    def at(self, part: Float) -> Float:
        """The own levels at places ``part`` (R, m, ..) of the lines, 0 where the value is least."""
        shape = (*part.shape, self.levels.shape[-1])
        here = self.levels.reshape(self.levels.shape[:2] + (1,) * (part.ndim - 2) + (-1,))
        found = np.broadcast_to(here, shape).copy()
        found[..., self.along] = 1.0 - part if self.falls else part
        return found

    def values(self, part: Float) -> Float:
        """V at ``part``."""
        return np.broadcast_to(self.space.value(0, [self.at(part)]), part.shape)

    def gains(self, start: Float, end: Float) -> Float:
        """The integral of w from ``start`` to ``end``, by Gauss and Legendre."""
        nodes, weights = np.polynomial.legendre.leggauss(3)
        total = np.zeros(start.shape)
        for node, weight in zip(nodes, weights, strict=True):
            part = start + (end - start) * (0.5 + 0.5 * node)
            total += 0.5 * weight * np.broadcast_to(self.space.gain(0, [self.at(part)]), part.shape)
        return total * (end - start)

    def nodes(self) -> tuple[Float, Float]:
        """V at the nodes and the integral of w beyond each, (R, m, pieces + 1)."""
        shape = (*self.levels.shape[:2], self.pieces + 1)
        at = np.broadcast_to(np.linspace(0.0, 1.0, self.pieces + 1), shape)
        tail = np.zeros(shape)
        tail[..., :-1] = np.cumsum(self.gains(at[..., :-1], at[..., 1:])[..., ::-1], axis=-1)[..., ::-1]
        return np.ascontiguousarray(self.values(at)), tail

    def won(self, strikes: Float, nodes: tuple[Float, Float]) -> Float:
        """What is gained above the ``strikes`` (R, m or 1, T), on every line."""
        value, tail = nodes
        shape = (*self.levels.shape[:2], strikes.shape[-1])
        price = np.ascontiguousarray(np.broadcast_to(strikes, shape))
        piece = np.empty(shape, dtype=np.int64)
        _pieces(value, price, piece)
        low, high = (np.take_along_axis(value, piece + k, axis=2) - price for k in (0, 1))
        start, end = piece / self.pieces, (piece + 1) / self.pieces
        beyond = np.take_along_axis(tail, piece + 1, axis=2)
        at = self._reached(price, start, end, low, high)
        return np.where(price >= value[..., -1:], 0.0, beyond + self.gains(at, end))

    def _reached(self, price: Float, start: Float, end: Float, low: Float, high: Float) -> Float:
        """Where V equals the price between ``start`` and ``end``, at which V less the price is ``low`` and ``high``; an
        end where it is not between."""
        start, end, low, high = (np.array(part) for part in (start, end, low, high))
        near = 1e-13 * (np.abs(price).max() + 1.0)
        outside = (low >= 0.0, high <= 0.0)
        found = start.copy()
        for _ in range(STEPS):
            with np.errstate(all="ignore"):
                found = np.clip(start - low * (end - start) / (high - low), start, end)
            found = np.where(outside[0], start, np.where(outside[1], end, found))
            error = self.values(found) - price
            if (np.abs(np.where(outside[0] | outside[1], 0.0, error)) <= near).all():
                break
            below = error < 0.0
            start, low, high = (
                np.where(below, found, start),
                np.where(below, error, 0.5 * low),
                np.where(below, 0.5 * high, error),
            )
            end = np.where(below, end, found)
        return found


@compiled(nogil=True)
def _pieces(value: Float, price: Float, piece: Int64) -> None:
    """The piece of each line in which its value passes each price."""
    rows, lines, last = value.shape
    for r in range(rows):
        for m in range(lines):
            for k in range(price.shape[2]):
                at = np.searchsorted(value[r, m], price[r, m, k], side="right") - 1
                piece[r, m, k] = min(max(at, 0), last - 2)


def line_signal(space: QuantileSpace, pieces: int) -> tuple[int, bool] | None:
    """Which signal of the only buyer can be integrated out, and whether his value falls in it; None where none can, in
    which his value rises or falls from node to node on each of ``PROBES`` lines. Only continuous, bounded signals."""
    if space.n > 1 or space.discrete or not space.bounded:
        return None
    for along in reversed(range(space.dims[0])):
        if along == space.first[0]:
            continue
        levels = scrambled(PROBES, space.dims[0], np.random.default_rng(0))[None]
        value, _ = Lines(space, along, False, levels, pieces).nodes()
        steps = np.diff(value, axis=2)
        least = STEEP * float(np.ptp(value))
        if not np.isfinite(value).all():
            continue
        if (steps > least).all() or (-steps > least).all():
            return along, bool(steps[0, 0, 0] < 0.0)
    return None


def draw_lines(
    space: QuantileSpace,
    signal: tuple[int, bool],
    rows: int,
    lines: int,
    pieces: int,
    rng: np.random.Generator | None,
) -> Lines:
    """Random lines. Each row has its level of the first signal; where one signal remains it is drawn twice in each of
    equal intervals, once mirrored in its middle. rng: None for the middles of the intervals."""
    dims, first = space.dims[0], space.first[0]
    along, falls = signal
    levels = np.full((rows, lines, dims), 0.5)
    free = [k for k in range(dims) if k not in (along, first)]
    if first is not None:
        levels[..., first] = spread_evenly(rows, rng)[:, None]
    if len(free) == 1:
        for row in range(rows):
            levels[row, :, free[0]] = spread_evenly(lines, rng)
    elif free:
        own = np.random.default_rng(0) if rng is None else rng
        for row in range(rows):
            levels[row][:, free] = scrambled(lines, len(free), own)
    return Lines(space, along, falls, levels, pieces)


def spread_evenly(count: int, rng: np.random.Generator | None) -> Float:
    """``count`` increasing levels, an even number of them; one is alone."""
    if rng is None:
        return (np.arange(count) + 0.5) / count
    if count == 1:
        return rng.random(1)
    shift = 0.5 * rng.random(count // 2)
    pairs = np.arange(count // 2)[:, None] + np.stack([shift, 1.0 - shift], axis=1)
    return np.asarray(pairs.reshape(-1) * (2.0 / count), dtype=np.float64)


def rule_gain(lines: Lines, mechanism: SoloMechanism) -> Float:
    """What a mechanism gains, the mean of each row (R,)."""
    rows, count, dims = lines.levels.shape
    strikes = mechanism.strikes([lines.levels.reshape(-1, dims)])[0].reshape(rows, count, 1)
    return lines.won(strikes, lines.nodes())[..., 0].mean(axis=1)


def strike_totals(lines: Lines, strikes: Float, clock: Clock = ENDLESS) -> Float:
    """What each row gains at each of the ``strikes`` (T,): (R, T), adding up to the mean over rows."""
    nodes = lines.nodes()
    rows, count = lines.levels.shape[:2]
    step = max(1, CHUNK // (rows * count))
    found = []
    for start in range(0, len(strikes), step):
        clock.check()
        some = np.broadcast_to(strikes[start : start + step], (rows, 1, len(strikes[start : start + step])))
        found.append(lines.won(some, nodes).mean(axis=1))
    return np.concatenate(found, axis=1) / rows


def best_on_lines(
    space: QuantileSpace, signal: tuple[int, bool], sizes: LineSizes, clock: Clock = ENDLESS
) -> SoloMechanism:
    """The best strikes on lines in the middles of their intervals, and at the ends of the rows the means of both."""
    lines = draw_lines(space, signal, sizes.rows, sizes.lines, sizes.pieces, None)
    value = lines.values(np.broadcast_to(np.array([0.0, 1.0]), (*lines.levels.shape[:2], 2)))
    low, high = float(value.min()), float(value.max())
    path = np.empty(sizes.rows, dtype=np.int32)
    for _ in range(2):  # once over all strikes, once near the best
        strikes = np.linspace(low, high, sizes.strikes)
        totals = strike_totals(lines, strikes, clock)
        single = int(totals.sum(axis=0).argmax())
        alone = float(totals[:, single].sum())
        falling = falling_path(totals, np.empty(totals.shape, dtype=np.int32), path) > alone * (1.0 + ALIKE)
        low, high = strikes[max(path.min() - 2, 0)], strikes[min(path.max() + 2, sizes.strikes - 1)]
    if not falling:
        return SoloMechanism(space, "best one price of one buyer", (0,), strikes[[single]], 0)
    middle = strikes[path]
    ends = [middle[:1], 0.5 * (middle[:-1] + middle[1:]), middle[-1:]]
    return SoloMechanism(space, "best strikes of one buyer", (0,), np.concatenate(ends), 0)


def most_excess(lines: Lines, mechanism: SoloMechanism, count: int, clock: Clock = ENDLESS) -> float:
    """By how much the best strikes on these lines may gain more than the mechanism, which has strikes that do not rise.

    Between strikes tried, of which most lie where the mechanism's do, gains are taken to be above the straight line by
    no more than they are in the middle of two intervals together: four times what a parabola is."""
    ends = np.broadcast_to(np.array([0.0, 1.0]), (*lines.levels.shape[:2], 2))
    value = lines.values(ends)
    low, high = float(value.min()), float(value.max())
    margin = NEAR * (high - low)
    theta = np.clip(mechanism.theta, low, high)
    near = np.linspace(theta.min() - margin, theta.max() + margin, count - count // 4)
    coarse = np.unique(np.concatenate([np.linspace(low, high, count // 4), near]))
    strikes = np.empty(2 * len(coarse) - 1)
    strikes[::2], strikes[1::2] = coarse, 0.5 * (coarse[:-1] + coarse[1:])
    totals = strike_totals(lines, strikes, clock)
    above = np.maximum(totals[:, 1::2] - 0.5 * (totals[:, :-1:2] + totals[:, 2::2]), 0.0)
    totals[:, 1::2] += above
    totals[:, 2:-1:2] += np.maximum(above[:, :-1], above[:, 1:])
    totals[:, 0] += above[:, 0]
    totals[:, -1] += above[:, -1]
    chosen, path = (np.empty(shape, dtype=np.int32) for shape in (totals.shape, len(totals)))
    best = falling_path(totals, chosen, path)
    return max(best - float(rule_gain(lines, mechanism).mean()), 0.0)
