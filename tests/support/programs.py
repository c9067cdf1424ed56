"""Small random programs with ties, gates, fixings and covering rows, for the tests of the solvers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from expost.solver.program import FREE, Program


def random_program(
    rng: np.random.Generator,
    blocks: int,
    types: int,
    *,
    cover: float = 0.0,
    fix: float = 0.0,
    ties: bool = True,
    packed: bool = True,
) -> Program:
    """A program on ``types ** blocks`` states: chains of random groups in every fibre, integer-valued
    weights with many ties and negative ones, packing in every state, some covering rows and fixings.
    """
    states = types**blocks
    index = np.arange(states).reshape((types,) * blocks)
    tails: list[int] = []
    heads: list[int] = []
    starts, size = [0], 0
    weights: list[float] = []
    for b in range(blocks):
        base = size
        size += states
        weights += list(rng.integers(-4, 7, states) / states)
        for fibre in np.moveaxis(index, b, -1).reshape(-1, types):
            ranks = rng.integers(0, types, types) if ties else rng.permutation(types)
            groups = [list(fibre[ranks == rank] + base) for rank in np.unique(ranks)]
            for lower, upper in pairwise(groups):
                gate = lower[0]
                if len(lower) > 1:
                    gate, size = size, size + 1
                    weights.append(0.0)
                    tails += lower
                    heads += [gate] * len(lower)
                tails += [gate] * len(upper)
                heads += upper
        starts.append(size)
    rows = np.stack([np.arange(states) + start for start in starts[:-1]], axis=1).astype(np.int32)
    fixed = np.full(size, FREE, dtype=np.int8)
    chosen = rng.random(size) < fix
    fixed[chosen] = rng.integers(0, 2, np.count_nonzero(chosen))
    return Program(
        weights=np.array(weights),
        blocks=np.array(starts, dtype=np.int64),
        tails=np.array(tails, dtype=np.int32),
        heads=np.array(heads, dtype=np.int32),
        packing=rows if packed and blocks > 1 else np.empty((0, 2), dtype=np.int32),
        covering=rows[rng.random(states) < cover],
        fixed=fixed,
        constant=float(rng.integers(-2, 3)),
    )


def exchangeable_program(rng: np.random.Generator, types: int, *, ties: bool = True) -> Program:
    """A random program of two blocks that say the same, each state with its mirror image in the other."""
    fibres = np.arange(types**2).reshape(types, types)
    first = random_program(rng, 2, types, ties=ties)
    size = int(first.blocks[1])
    arcs = first.tails < size
    tails, heads = first.tails[arcs], first.heads[arcs]
    weights = first.weights[:size]
    rows = np.stack([fibres.ravel(), fibres.T.ravel() + size], axis=1).astype(np.int32)
    return Program(
        np.concatenate([weights, weights]),
        np.array([0, size, 2 * size]),
        np.concatenate([tails, tails + np.int32(size)]),
        np.concatenate([heads, heads + np.int32(size)]),
        rows,
    )


def reference_program(shape: tuple[int, ...] = (2, 2)) -> Program:
    """Two buyers, two types each, chains in every fibre: small enough to check by hand."""
    index = np.arange(4).reshape(shape)
    tails = np.concatenate([index[0], index[:, 0] + 4]).astype(np.int32)
    heads = np.concatenate([index[1], index[:, 1] + 4]).astype(np.int32)
    weights = np.array([1.0, 2.0, 3.0, 4.0, 1.0, 5.0, 2.0, 3.0]) / 4.0
    rows = np.stack([np.arange(4), np.arange(4) + 4], axis=1).astype(np.int32)
    return Program(weights, np.array([0, 4, 8]), tails, heads, rows)


def max_program(buyers: int, points: int) -> Program:
    """Values ``p_i + c_i * max of the others' c`` at midpoints, static timing: a real integer program."""
    from expost.formulations.static import static_block

    grid = (np.arange(points) + 0.5) / points
    shape = (points**2,) * buyers
    sides = [[points**2 if k == i else 1 for k in range(buyers)] for i in range(buyers)]
    p = [np.repeat(grid, points).reshape(side) for side in sides]
    c = [np.tile(grid, points).reshape(side) for side in sides]
    values = []
    for i in range(buyers):
        rival = np.maximum.reduce(np.broadcast_arrays(*(c[j] for j in range(buyers) if j != i)))
        values.append(np.ascontiguousarray(np.broadcast_to(p[i] + c[i] * rival, shape)))
    blocks = [static_block(value, i) for i, value in enumerate(values)]
    starts = np.concatenate([[0], np.cumsum([block.size for block in blocks])])
    weights = np.zeros(starts[-1])
    for start, block, value in zip(starts, blocks, values, strict=False):
        weights[start + block.index] = value / value.size
    tails = np.concatenate([block.tails + start for start, block in zip(starts, blocks, strict=False)])
    heads = np.concatenate([block.heads + start for start, block in zip(starts, blocks, strict=False)])
    rows = np.stack(
        [block.index.ravel() + start for start, block in zip(starts, blocks, strict=False)], axis=1
    )
    return Program(
        weights,
        starts.astype(np.int64),
        tails.astype(np.int32),
        heads.astype(np.int32),
        rows.astype(np.int32),
    )
