"""The minimum cut against enumeration, on small random programs of every kind."""

import math

import numpy as np
import pytest

from expost.errors import InputError, SolverError
from expost.solver.mincut import network, preflow
from expost.solver.mincut.backend import solve_mincut
from expost.solver.program import FREE, Program
from expost.solver.result import Status


def random_program(seed: int) -> Program:
    """Ties, fixings, covering rows, negative and zero weights, cycles; up to 14 variables."""
    rng = np.random.default_rng(seed)
    sizes = [int(rng.integers(0, 8)) for _ in range(int(rng.integers(1, 3)))]
    n = sum(sizes)
    blocks = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    weights = rng.integers(-3, 6, n).astype(float)
    if seed % 3 == 0:
        weights = rng.normal(size=n) * 10.0 ** rng.integers(-6, 6)
    tails, heads = [], []
    for start, size in zip(blocks[:-1], sizes, strict=True):
        count = int(rng.integers(0, 2 * size + 1)) if size else 0
        ends = start + rng.integers(0, max(size, 1), (2, count))
        if seed % 4:
            ends = np.sort(ends, axis=0)
        tails.append(ends[0])
        heads.append(ends[1])
    packing, covering = (_rows(rng, blocks, sizes) for _ in range(2))
    if seed % 2:
        covering = covering[:0]
    fixed = np.where(rng.random(n) < 0.1 * (seed % 3), rng.integers(0, 2, n), FREE).astype(np.int8)
    return Program(
        weights,
        blocks,
        np.concatenate(tails).astype(np.int32),
        np.concatenate(heads).astype(np.int32),
        packing,
        covering,
        fixed,
        constant=float(rng.normal()),
    )


def _rows(rng: np.random.Generator, blocks: np.ndarray, sizes: list[int]) -> np.ndarray:
    """Some rows of two variables, or of one where there is no second block."""
    if min(sizes) == 0:
        return np.empty((0, len(sizes)), dtype=np.int32)
    count = int(rng.integers(0, 6))
    columns = [start + rng.integers(0, size, count) for start, size in zip(blocks, sizes, strict=False)]
    if len(columns) == 2 and rng.random() < 0.3:
        columns = columns[::-1] if rng.random() < 0.5 else columns[:1]
    return np.stack(columns, axis=1).astype(np.int32)


def enumerate_all(program: Program) -> tuple[float, list[np.ndarray]]:
    """The optimum over all 2**n vectors, and every vector that attains it."""
    n = program.variables
    bits = ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(np.int8)
    good = (bits[:, program.tails] <= bits[:, program.heads]).all(axis=1)
    good &= (bits[:, program.packing].sum(axis=2) <= 1).all(axis=1)
    good &= (bits[:, program.covering].sum(axis=2) >= 1).all(axis=1)
    good &= ((program.fixings == FREE) | (bits == program.fixings)).all(axis=1)
    if not good.any():
        return -math.inf, []
    values = program.constant + bits @ program.weights
    best = values[good].max()
    return float(best), list(bits[good & (values >= best - 1e-9 * max(1.0, abs(best)))])


def certified(program: Program, solution) -> float:
    """The certificate's bound, recomputed in exact integers from the rows."""
    c = solution.certificate
    assert all((y >= 0).all() for y in (c.arcs, c.packing, c.covering))
    reduced = [int(w) for w in np.rint(np.ldexp(program.weights, c.scale_exponent))]
    assert sum(map(abs, reduced)) < 2**62
    for t, h, y in zip(program.tails, program.heads, c.arcs.tolist(), strict=True):
        reduced[t] -= y
        reduced[h] += y
    for rows, ys, sign in ((program.packing, c.packing, -1), (program.covering, c.covering, 1)):
        for row, y in zip(rows, ys.tolist(), strict=True):
            for v in row:
                reduced[v] += sign * y
    total = sum(c.packing.tolist()) - sum(c.covering.tolist())
    for r, f in zip(reduced, program.fixings.tolist(), strict=True):
        total += max(0, r) if f == FREE else f * r
    slack = np.count_nonzero(program.weights) * c.rounding
    return math.ldexp(total, -c.scale_exponent) + program.constant + slack


@pytest.mark.parametrize("chunk", range(8))
def test_agrees_with_enumeration(chunk):
    for seed in range(60 * chunk, 60 * chunk + 60):
        program = random_program(seed)
        best, optima = enumerate_all(program)
        solution = solve_mincut(program)
        if not optima:
            assert solution.status is Status.INFEASIBLE, seed
            continue
        assert solution.status is Status.OPTIMAL, seed
        assert program.violations(solution.x) == 0
        size = max(1.0, np.abs(program.weights).sum())
        assert program.value(solution.x) == pytest.approx(best, abs=1e-12 * size)
        assert solution.bound == pytest.approx(best, abs=1e-12 * size)
        assert solution.bound >= best - 1e-12 * size
        assert certified(program, solution) == pytest.approx(solution.bound, abs=1e-12 * size)
        _check_extremes(program, solution, optima)


def _check_extremes(program: Program, solution, optima: list[np.ndarray]) -> None:
    """``smallest`` and ``largest`` are the meet and the join of all optima, in the order of closures."""
    z = np.array(optima)
    second = program.blocks[1] if program.n_blocks == 2 else program.variables
    z[:, second:] = 1 - z[:, second:]
    for found, extreme in ((solution.smallest, z.min(axis=0)), (solution.largest, z.max(axis=0))):
        extreme[second:] = 1 - extreme[second:]
        assert (found == extreme).all()
    assert (solution.x == solution.smallest).all()


def test_flow_does_not_pile_up_on_cycles():
    """Packing and covering rows of the same pair form a cycle, on which flow once ran round until it overflowed."""
    program = random_program(11568)
    solution = solve_mincut(program)
    best, _ = enumerate_all(program)
    assert certified(program, solution) == pytest.approx(best, abs=1e-10)
    assert max(solution.certificate.packing.max(), solution.certificate.covering.max()) < 2**62


def test_weights_are_scaled_coarser_when_flow_piles_up(monkeypatch):
    program = random_program(4)
    fine = solve_mincut(program)
    monkeypatch.setattr(preflow, "MOST_FLOW", 2**53)
    coarse = solve_mincut(program)
    assert coarse.certificate.scale_exponent == fine.certificate.scale_exponent - network.CYCLE_BITS
    assert certified(program, coarse) == pytest.approx(certified(program, fine), abs=1e-10)
    monkeypatch.setattr(preflow, "MOST_FLOW", -1)
    with pytest.raises(SolverError, match="highs"):
        solve_mincut(program)


def test_three_blocks_are_refused():
    none = np.empty(0, dtype=np.int32)
    program = Program(np.ones(3), np.arange(4), none, none, np.array([[0, 1, 2]], dtype=np.int32))
    with pytest.raises(InputError, match="highs"):
        solve_mincut(program)


def test_clashing_fixings_are_infeasible():
    ends = np.array([0, 1], dtype=np.int32)
    fixed = np.array([1, FREE, 0], dtype=np.int8)
    program = Program(np.ones(3), np.array([0, 3]), ends, ends + 1, fixed=fixed)
    assert solve_mincut(program).status is Status.INFEASIBLE
