"""The shape of the precedence order: fibres, levels, and whether each level implies the whole next one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from expost._typing import Bool, Int32
from expost.solver.nbuyers.kernels import longest_paths
from expost.solver.program import Program

LARGEST_TABLE = 30_000_000
"""Fibres times levels beyond which tables of both are not worth their memory (240 MB each)."""


@dataclass(frozen=True, eq=False)
class Layers:
    """Levels of the precedence order.

    fibre: int32 (variables,), connected component. level: int32 (variables,), length of the longest path
    that leads to the variable. fibres, depth: how many of either. series: every variable of a level implies
    every variable of the next level of its fibre, as in static timing (chains of groups with gates).
    joined: bool (fibres,), the same fibre by fibre. acyclic: no two variables imply each other; otherwise all
    levels are 0.
    """

    fibre: Int32
    level: Int32
    fibres: int
    depth: int
    series: bool
    acyclic: bool
    joined: Bool


def layers(program: Program) -> Layers:
    """The levels of a program's order."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = program.variables
    ones = np.ones(program.arcs, dtype=np.int8)
    graph = coo_array((ones, (program.tails, program.heads)), shape=(n, n))
    fibres, fibre = connected_components(graph, directed=False)
    level = np.zeros(n, dtype=np.int32)
    by_tail = np.argsort(program.tails, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(program.tails, minlength=n))]).astype(np.int32)
    acyclic = longest_paths(start, program.heads[by_tail], level) == n
    if not acyclic:
        level[:] = 0
    depth = int(level.max(initial=0)) + 1
    joined = (
        _joined(program, fibre, level, int(fibres), depth)
        if acyclic and fibres * depth <= LARGEST_TABLE
        else np.zeros(fibres, dtype=np.bool_)
    )
    return Layers(fibre, level, int(fibres), depth, bool(joined.all()), acyclic, joined)


def _joined(program: Program, fibre: Int32, level: Int32, fibres: int, depth: int) -> Bool:
    """Whether consecutive levels of each fibre are completely joined (what skips one is then implied): (fibres,)."""
    key = fibre.astype(np.int64) * depth + level
    size = np.bincount(key, minlength=fibres * depth)
    following = np.append(size[1:], 0)
    following[depth - 1 :: depth] = 0
    wanted = size * following
    step = np.flatnonzero(level[program.heads] == level[program.tails] + 1)
    counted = np.bincount(key[program.tails[step]], minlength=fibres * depth)
    # Arcs that are stated twice only make it look better: pairs are told apart where there are enough of them.
    enough = (counted >= wanted).reshape(fibres, depth).all(axis=1)
    step = step[enough[fibre[program.tails[step]]]]
    # Sorted, not hashed as by np.unique, which takes five times as long.
    pair = np.sort(program.tails[step].astype(np.int64) * program.variables + program.heads[step])
    pair = pair[np.diff(pair, prepend=-1) != 0]
    joins = np.bincount(key[pair // program.variables], minlength=fibres * depth)
    return enough & (joins == wanted).reshape(fibres, depth).all(axis=1)
