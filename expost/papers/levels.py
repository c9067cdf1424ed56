"""The largest value of one function where another is at most zero, over a unit cube, for many cubes at once.

This is what the indifference curves of Bikhchandani (2006), equations (4)-(6), come down to. The objective
has to rise weakly in every coordinate on the boundary of the feasible set; then its maximum lies on that
boundary, where one coordinate is the last feasible one given the others. Each coordinate takes that part in
turn while the others run over a grid, so that maxima in corners and on faces are found exactly; ever finer
grids around the best node follow.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from expost._limits import in_time
from expost._typing import Bool, Float, Place
from expost.errors import InputError

Ends = tuple[Float, Float]

Function = Callable[[Float, Place], Float]
"""``f(x, rows)``: points ``x`` (d, P) of the unit cube, ``rows`` (P,) the problem that each belongs to."""

NODES = {1: 33, 2: 33, 3: 13, 4: 7, 5: 5}
FEWEST_NODES = 3
ROOT_WIDTH = 2.0**-50
"""Width to which a last feasible coordinate is enclosed (unit: the cube's side)."""
SLACK = 32.0
"""How much wider than after as many bisections the enclosure may be: never slower than bisection by more than
log2(SLACK) steps."""
SHRINK, SMALLEST_WIDTH, MOVES = 0.25, 2.0**-34, 120
"""The local grid shrinks by SHRINK where nothing beats its centre, to SMALLEST_WIDTH; at most MOVES moves."""
STARTS, TRIAL_MOVES = 4, 10
"""Zooming starts from the STARTS best local maxima among the nodes; after TRIAL_MOVES moves only the best goes on."""
CHUNK = 2**21


def highest(objective: Function, constraint: Function, dims: int, count: int) -> Float:
    """max objective(x) subject to constraint(x) <= 0 over the unit cube: (count,), -inf where infeasible.

    Every value returned is attained at a feasible point. It falls short of the maximum by rounding where the
    maximum is on a node, a face or a corner; elsewhere by the curvature times the square of the last local
    grid's width, 2^-34, or, at a kink, the slope times that; unless none of the ``STARTS`` best local maxima of
    the first grid (``NODES`` a side) belongs to the maximum's peak.

    Raises InputError where the first grid is too large, LimitReached as ``last_feasible``.
    """
    return highest_at(objective, constraint, dims, count)[0]


def highest_at(objective: Function, constraint: Function, dims: int, count: int) -> tuple[Float, Float]:
    """As ``highest``, with the points that attain it: (count,) and (dims, count); NaN where infeasible."""
    best, place = np.full(count, -np.inf), np.full((dims, count), np.nan)
    nodes = NODES.get(dims, FEWEST_NODES)
    if nodes**dims > CHUNK:
        raise InputError(
            f"{dims} signals of one buyer",
            where="a search over types",
            expected=f"at most {int(math.log(CHUNK, nodes))}: beyond, even {nodes} points of each are too many",
        )
    search = _Search(objective, constraint, dims, np.linspace(0.0, 1.0, nodes))
    step = max(1, CHUNK // len(search.nodes) ** dims)
    for start in range(0, count, step):
        rows = np.arange(start, min(start + step, count))
        best[rows], place[:, rows] = search.run(rows)
    return best, place


@dataclass(frozen=True, eq=False)
class _Search:
    objective: Function
    constraint: Function
    dims: int
    nodes: Float

    def run(self, rows: Place) -> tuple[Float, Float]:
        """The maxima of ``rows`` and where they are: (rows,) and (dims, rows)."""
        values, places = self._starts(rows)
        starts = np.repeat(np.arange(self.dims), len(values) // self.dims)
        order = np.argsort(-values, axis=0, kind="stable")[: STARTS if self.dims > 1 else 1]
        values = np.take_along_axis(values, order, axis=0)
        places = np.take_along_axis(places, order[:, None], axis=0)
        axes, each, full = starts[order], np.arange(len(rows)), 1.0 / (len(self.nodes) - 1)
        if self.dims > 1:
            values, places = self._zoom_all(axes, rows, values, places, (full, TRIAL_MOVES))
            best = np.argmax(values, axis=0)[None]
            values, axes = values[best, each], axes[best, each]
            places = np.take_along_axis(places, best[:, None], axis=0)
            values, places = self._zoom_all(axes, rows, values, places, (0.5 * full, MOVES))
        return values[0], np.where(np.isneginf(values[0]), np.nan, places[0])

    def _starts(self, rows: Place) -> tuple[Float, Float]:
        """The best local maxima among the nodes, for every axis as many: (starts, rows), (starts, dims, rows)."""
        cube = self._on_grid(rows)
        values, places = [], []
        for axis in range(self.dims):
            lines = np.moveaxis(cube, axis + 1, -1).reshape(len(rows), -1, len(self.nodes))
            value, across = self._coarse(axis, rows, lines)
            free = self._mesh(self.dims - 1)
            peaks = np.where(_local_maxima(value, len(self.nodes), self.dims - 1), value, -np.inf)
            chosen = np.argsort(-peaks, axis=1, kind="stable")[:, :STARTS]
            values.append(np.take_along_axis(peaks, chosen, axis=1).T)
            at = np.take_along_axis(across, chosen, axis=1)
            places.append(np.insert(free[:, chosen], axis, at, axis=0).transpose(2, 0, 1))
        return np.concatenate(values), np.concatenate(places)

    def _zoom_all(
        self, axes: Place, rows: Place, values: Float, places: Float, effort: tuple[float, int]
    ) -> tuple[Float, Float]:
        """Every start (starts, rows) zoomed in along its own axis; ``effort`` is the first width and the moves."""
        start, row = np.nonzero(np.isfinite(values))
        found = self._zoom(axes[start, row], rows[row], values[start, row], places[start, :, row].T, effort)
        values[start, row] = found[0]
        places[start, :, row] = found[1].T
        return values, places

    def _mesh(self, dims: int) -> Float:
        """All nodes in ``dims`` coordinates: (dims, nodes ** dims); one empty point when dims is 0."""
        if dims == 0:
            return np.empty((0, 1))
        return np.stack([axis.ravel() for axis in np.meshgrid(*[self.nodes] * dims, indexing="ij")])

    def _on_grid(self, rows: Place) -> Float:
        """The constraint at every node for every row: (rows, side, .., side)."""
        mesh = self._mesh(self.dims)
        shape = (self.dims, len(rows), mesh.shape[1])
        points = np.broadcast_to(mesh[:, None, :], shape).reshape(self.dims, -1)
        value = self.constraint(points, np.repeat(rows, mesh.shape[1]))
        return value.reshape((len(rows),) + (len(self.nodes),) * self.dims)

    def _coarse(self, axis: int, rows: Place, lines: Float) -> tuple[Float, Float]:
        """The objective over each node of the other coordinates, and the last feasible coordinate on ``axis`` there.

        Both (rows, nodes of the others); the objective is -inf where no coordinate is feasible. ``lines`` is the
        constraint on the grid, shape (rows, nodes of the others, nodes on ``axis``).
        """
        n_rows, n_free, n_nodes = lines.shape
        feasible = lines <= 0.0
        last = n_nodes - 1 - np.argmax(feasible[:, :, ::-1], axis=2)
        free = self._mesh(self.dims - 1)
        at, which = np.nonzero(feasible.any(axis=2))
        lower, upper = last[at, which], np.minimum(last[at, which] + 1, n_nodes - 1)
        points = np.insert(free[:, which], axis, 0.0, axis=0)
        ends = (lines[at, which, lower], lines[at, which, upper])
        bracket = (self.nodes[lower], self.nodes[upper])
        points[axis] = last_feasible(self.constraint, points, rows[at], axis, bracket=bracket, ends=ends)
        values, across = np.full((n_rows, n_free), -np.inf), np.zeros((n_rows, n_free))
        values[at, which], across[at, which] = self.objective(points, rows[at]), points[axis]
        return values, across

    def _zoom(
        self, axes: Place, rows: Place, value: Float, place: Float, effort: tuple[float, int]
    ) -> tuple[Float, Float]:
        """``value`` and ``place`` improved by local grids that move, and shrink where they bring nothing; each lies
        across its own one of the ``axes``."""
        ticks = (-1.0, -0.5, 0.0, 0.5, 1.0) if self.dims < 4 else (-1.0, 0.0, 1.0)
        offsets = np.array(list(itertools.product(ticks, repeat=self.dims - 1))).T
        reach = np.abs(offsets).max(axis=0)
        across = np.stack([np.insert(offsets, axis, 0.0, axis=0) for axis in range(self.dims)], axis=1)
        active, widths = np.arange(len(rows)), np.full(len(rows), effort[0])
        for _ in range(effort[1]):
            if not len(active):
                break
            along = axes[active]
            local = np.clip(place[:, active, None] + widths[active, None] * across[:, along], 0.0, 1.0)
            repeated, along = (np.repeat(array, len(reach)) for array in (rows[active], along))
            found, points = self._along(along, repeated, local.reshape(self.dims, -1))
            pick = np.argmax(found.reshape(len(active), -1), axis=1)
            flat = np.arange(len(active)) * len(reach) + pick
            better = found[flat] > value[active]
            value[active[better]], place[:, active[better]] = found[flat[better]], points[:, flat[better]]
            widths[active] *= np.where(better, np.where(reach[pick] == 1.0, 1.0, 0.5), SHRINK)
            active = active[widths[active] > SMALLEST_WIDTH]
        return value, place

    def _along(self, axes: Place, rows: Place, points: Float) -> tuple[Float, Float]:
        """The objective and the point where the coordinate ``axes`` (P,) is the last feasible one: (P,), (dims, P).

        The objective is -inf where no coordinate is feasible; ``points`` is overwritten on ``axes``.
        """
        points[axes, np.arange(len(rows))] = 0.0
        value = np.full(len(rows), -np.inf)
        at_zero = self.constraint(points, rows)
        some = np.flatnonzero(at_zero <= 0.0)
        inside, within, along, each = points[:, some], rows[some], axes[some], np.arange(len(some))
        inside[along, each] = 1.0
        ends = (at_zero[some], self.constraint(inside, within))
        bracket = (np.zeros(len(some)), np.ones(len(some)))
        inside[along, each] = last_feasible(
            self.constraint, inside, within, along, bracket=bracket, ends=ends
        )
        points[:, some] = inside
        value[some] = self.objective(inside, within)
        return value, points


def _local_maxima(values: Float, side: int, dims: int) -> Bool:
    """Where no neighbour along any coordinate is higher: ``values`` (rows, side ** dims)."""
    cube = values.reshape((len(values),) + (side,) * dims)
    peak = np.ones(cube.shape, dtype=np.bool_)
    for axis in range(1, dims + 1):
        low = (slice(None),) * axis + (slice(None, -1),)
        high = (slice(None),) * axis + (slice(1, None),)
        peak[low] &= cube[high] <= cube[low]
        peak[high] &= cube[high] >= cube[low]
    return peak.reshape(values.shape)


def last_feasible(
    constraint: Function, points: Float, rows: Place, axis: int | Place, *, bracket: Ends, ends: Ends
) -> Float:
    """The last coordinate ``axis``, one for all or one each, in the ``bracket`` where the constraint is at most zero:
    (P,).

    ``ends`` are the constraint's values at the ends of the bracket; where that at the lower one is positive, the
    lower end is returned.
    Interpolate, truncate, project (Oliveira and Takahashi 2020), with ``SLACK``: without any, one slow step at the
    beginning leaves nothing but bisection. The feasible end of the final bracket is returned; a stretch of exact zeros
    counts as feasible.

    Raises LimitReached at the limit of this thread, which many signals alone may take this to.
    """
    root = np.where(ends[0] > 0.0, bracket[0], bracket[1])
    todo = np.flatnonzero((ends[1] > 0.0) & (ends[0] <= 0.0))
    if not len(todo):
        return root
    low, high, at_low, at_high = bracket[0][todo], bracket[1][todo], ends[0][todo], ends[1][todo]
    x, rows, axes = points[:, todo], rows[todo], np.broadcast_to(axis, len(root))[todo]
    width = np.maximum(high - low, ROOT_WIDTH)
    budget, kappa = SLACK * ROOT_WIDTH * np.exp2(np.ceil(np.log2(width / ROOT_WIDTH))), 0.2 / width
    # Where the constraint is 0 at an end, or at all points near it as far as rounding shows, interpolation would try
    # that end again and again: the same end moves by at least four times as much when it moves again.
    least, before = np.full(len(todo), 0.5 * ROOT_WIDTH), np.zeros(len(todo), dtype=np.bool_)
    while len(todo):
        in_time()
        x[axes, np.arange(len(todo))] = trial = _trial((low, high), (at_low, at_high), budget, kappa, least)
        value = constraint(x, rows)
        above = value > 0.0
        least, before = np.where(above == before, 4.0 * least, 0.5 * ROOT_WIDTH), above
        low, at_low = np.where(above, low, trial), np.where(above, at_low, value)
        high, at_high = np.where(above, trial, high), np.where(above, value, at_high)
        budget *= 0.5
        on = (high - low > ROOT_WIDTH) & (budget > 0.25 * ROOT_WIDTH)
        if not on.all():
            root[todo[~on]] = low[~on]
            todo, low, high, at_low, at_high = todo[on], low[on], high[on], at_low[on], at_high[on]
            x, rows, axes, budget, kappa = x[:, on], rows[on], axes[on], budget[on], kappa[on]
            least, before = least[on], before[on]
    return root


def _trial(bracket: Ends, ends: Ends, budget: Float, kappa: Float, least: Float) -> Float:
    """The next point to try in each bracket, no closer to its ends than ``least``."""
    low, high = bracket
    middle, width = 0.5 * (low + high), high - low
    with np.errstate(invalid="ignore", over="ignore"):
        straight = (high * ends[0] - low * ends[1]) / (ends[0] - ends[1])
    straight = np.where(np.isfinite(straight), straight, middle)
    side = np.sign(middle - straight)
    nudge = kappa * width**2
    truncated = np.where(nudge <= np.abs(middle - straight), straight + side * nudge, middle)
    least = np.minimum(least, 0.5 * width)
    truncated = np.clip(truncated, low + least, high - least)
    reach = np.maximum(budget - 0.5 * width, 0.0)
    return np.where(np.abs(truncated - middle) <= reach, truncated, middle - side * reach)
