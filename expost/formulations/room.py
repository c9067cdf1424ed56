"""Whether a solve has room: what memory and what time it takes, reckoned before it begins."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from expost._typing import Timing
from expost.errors import InputError, LimitReached
from expost.formulations.assemble import Formulation
from expost.formulations.coarser import has_use
from expost.formulations.timing import build_block, parse_timing
from expost.instances.environment import Instance
from expost.solver.mincut.network import build
from expost.solver.program import Program
from expost.spaces.type_space import (
    Grid,
    TypeSpace,
    buyer_types,
    check_memory,
    open_signals,
    type_counts,
)

BYTES_PER_NODE, BYTES_PER_ARC = 120, 52
"""Peak memory of a solve by minimum cut, audit and certificate included, in bytes per variable of the program and
explicit arc of its network (``solver/mincut/network.py``). Of the peaks of sixteen solves of ``jmmz``, ``linear`` and
``common-value`` at grids 16 to 64, static, sequential and mixed, what is reckoned is 14% off at most, 6% on average."""

HELD_BACK, HELD_BACK_AT_MOST = 58, 250 * 2**20
"""Bytes per binary, and in all, of smaller arrays that were freed and that the system has not got back."""

ANY_SOLVE = 34 * 2**20
"""What the smallest solve adds to the imports, in bytes: compiled code, most of it."""

SAMPLED = 64
"""Types of the other buyer at which the ties of values are counted."""
LITTLE, MOST_TYPES = 100_000, 250_000
"""They are not counted where there are fewer binaries, which take little, nor where a buyer has more types."""

BYTES_PER_BINARY = {Timing.STATIC: 200, Timing.SEQUENTIAL: 400}
"""The same per buyer and state where ties cannot be counted beforehand."""

BYTES_WITH_MORE = {Timing.STATIC: 450, Timing.SEQUENTIAL: 600}
"""The same with three buyers or more, who are bounded by a first-order method and cuts: 420 static at grid 8, 390 at
grid 6 in either timing on three-buyers; a sequential bound that has to be tightened takes more."""

SECONDS_PER_BINARY = {Timing.STATIC: 4e-7, Timing.SEQUENTIAL: 8e-7}
"""What building a program and auditing its rule take at least: static 6e-7 on jmmz at grid 64, two cores."""
LARGE = 1_000_000
"""Binaries from which a first answer takes at least as many times as long as building the program, that included:"""
FIRST_ANSWER = {Timing.STATIC: 5.0, Timing.SEQUENTIAL: 2.5}
"""The network is laid out, searched once, and audited: on jmmz 6.3 to 7.3 static at grids 40, 48 and 64, in
sequence 3.7 at 24 and 5.0 at 32. Or, static with a coarser grid to start from:"""
FROM_COARSER = 3.5
"""That grid is solved, fibres are gone through, and the rule is audited: on jmmz 3.6 to 4.3 at grids 40, 48 and 64."""


def memory_of(
    instance: Instance, grid: Grid, timings: tuple[str, ...], first: Sequence[str | None] = ()
) -> float:
    """About how many bytes a solve on ``grid``, one for all of the instance's signals, adds to what imports take."""
    counts = type_counts(instance, grid)
    binaries = math.prod(counts) * instance.n
    if instance.n == 2 and binaries >= LITTLE and max(counts) <= MOST_TYPES:
        try:
            every = parse_timing(2, timings)
            nodes, arcs = np.mean([_program_of(instance, grid, every, first, i) for i in range(2)], axis=0)
        except InputError:  # whatever is wrong, the solve itself is going to say in full
            pass
        else:
            held = min(HELD_BACK * binaries, HELD_BACK_AT_MOST)
            return ANY_SOLVE + held + binaries * (BYTES_PER_NODE * nodes + BYTES_PER_ARC * arcs)
    return rough_memory(instance, grid, timings)


def rough_memory(instance: Instance, grid: Grid, timings: tuple[str, ...]) -> float:
    """The same without a look at any value."""
    binaries = math.prod(type_counts(instance, grid)) * instance.n
    if instance.n > 2:
        return binaries * max(BYTES_WITH_MORE[Timing(word)] for word in timings)
    return ANY_SOLVE + binaries * max(BYTES_PER_BINARY[Timing(word)] for word in timings)


def _program_of(
    instance: Instance, grid: Grid, timings: tuple[str, ...], first: Sequence[str | None], i: int
) -> tuple[float, float]:
    """Variables and explicit arcs of buyer ``i``, per state, in fibres of a few types of the other buyer."""
    types = [buyer_types(instance, grid, k) for k in range(2)]
    some = np.random.default_rng(0).integers(0, type_counts(instance, grid)[1 - i], SAMPLED)
    types[1 - i] = {name: column[some] for name, column in types[1 - i].items()}
    signals = open_signals((types[0], types[1]))
    shape = tuple(len(next(iter(own.values()))) for own in types)
    values = np.stack([np.broadcast_to(instance.value(k, signals), shape) for k in range(2)])
    space = TypeSpace(instance, grid, (types[0], types[1]), values, values, 0.0)
    block = build_block(space, i, timings[i], first[i] if first else None)
    size = np.array([0, block.size])
    network = build(Program(np.zeros(block.size), size, block.tails, block.heads))
    return block.size / space.states, len(network.graph.xtail) / space.states


def room_for_solve(
    instance: Instance,
    grid: Grid,
    timings: tuple[str, ...],
    limit: float | None = None,
    first: Sequence[str | None] = (),
) -> None:
    """Raise InputError when a solve on ``grid`` cannot fit into the memory that is free, LimitReached when building the
    program and auditing its rule, which nothing interrupts, take more than ``limit`` seconds."""
    points = grid.resolve(instance)
    check_memory(instance, points)
    binaries = math.prod(type_counts(instance, points)) * instance.n
    check_memory(instance, points, memory_of(instance, points, timings, first) / binaries)
    seconds = least_seconds(binaries, timings)
    if limit is not None and seconds > 1.1 * limit + 2.0:
        raise LimitReached(
            f"{binaries:,} binaries take at least {seconds:.0f} s to build and to audit; "
            "allow more time, or take fewer points"
        )


def least_seconds(binaries: int, timings: tuple[str, ...]) -> float:
    """What building a program of so many binaries and auditing its rule take at least."""
    return binaries * max(SECONDS_PER_BINARY[Timing(word)] for word in timings)


def require_time(formulation: Formulation, spent: float, limit: float) -> None:
    """Raise LimitReached where building a large program, which took ``spent`` seconds, says that even a first answer
    would come after the limit: on whatever machine, it takes so many times as long."""
    variables = formulation.program.variables
    if any(own is not None for own in formulation.stages):
        times = FIRST_ANSWER[Timing.SEQUENTIAL]
    else:
        times = FROM_COARSER if has_use(formulation) else FIRST_ANSWER[Timing.STATIC]
    whole = times * spent
    if variables >= LARGE and whole > 1.1 * limit + 2.0:
        raise LimitReached(
            f"{variables:,} binaries took {spent:.1f} s to build, and a first answer comes after about {whole:.0f}; "
            "allow more time, or take fewer points"
        )
