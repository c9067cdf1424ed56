"""Families of minimum cuts: what is settled changes how long it takes, never what is found; every cut has its proof."""

import dataclasses

import numpy as np
import pytest
from support.programs import random_program

import expost as ex
from expost.errors import LimitReached
from expost.solver.certificate import check
from expost.solver.mincut import family as families
from expost.solver.mincut.backend import solve_mincut
from expost.solver.mincut.family import Family
from expost.solver.program import Program
from expost.solver.rows import Rows

SHARES = [0.5, 0.2, 0.8, 0.65, 0.6, 0.625, 0.61, 0.9, 0.05, 0.3, 0.31]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Settle small networks too."""
    monkeypatch.setattr(families, "FEW", 0)


def weights(program: Program, kind: str, rng: np.random.Generator):
    """Two objectives: any two, or such that all closure weights rise (or fall) with the share."""
    one, two = (rng.permutation(program.weights) for _ in range(2))
    if kind == "any":
        return one, two
    second = int(program.blocks[1])
    one, two = np.abs(one), np.abs(two)
    one[second:], two[:second] = 0.0, 0.0
    return (one, two) if kind == "rising" else (two, one)


def solved(family, spans, share):
    """The cut at a share in the span that has it; the span is split there."""
    k = next(k for k, span in enumerate(spans) if span.low < share <= span.high)
    cut = family.cut(spans[k], share)
    spans[k : k + 1] = family.split(spans[k], share, cut)
    return cut


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("kind", ["any", "rising", "falling"])
@pytest.mark.parametrize("seed", range(5))
def test_every_cut_is_the_one_of_a_separate_solve(seed, kind, ties):
    rng = np.random.default_rng(seed)
    program = random_program(rng, 2, 9, ties=ties)
    one, two = weights(program, kind, rng)
    family, rows = Family(program, one, two), Rows(program)
    assert family.way == {"any": 0, "rising": 1, "falling": -1}[kind]
    spans = [family.root()]
    for share in SHARES:
        cut = solved(family, spans, share)
        x, certificate = family.answer(cut)
        whole = program.reweighted(share * one + (1.0 - share) * two, program.constant)
        apart = solve_mincut(whole)
        assert whole.value(x) == pytest.approx(whole.value(apart.x), abs=1e-12 * whole.scale)
        report, plain = check(whole, certificate, x, rows), check(whole, certificate, x)
        assert report == plain and report.valid and report.violations == 0
        assert report.upper_bound == pytest.approx(apart.bound, abs=1e-11 * whole.scale)


def test_networks_shrink():
    rng = np.random.default_rng(1)
    program = random_program(rng, 2, 40, ties=False)
    near = program.weights * rng.uniform(0.9, 1.1, program.variables)
    family = Family(program, program.weights, near)
    spans, sizes = [family.root()], []
    for share in [0.5, 0.25, 0.375, 0.4375]:
        sizes.append(len(solved(family, spans, share).ring.nodes))
    assert families.NARROW >= 0.5 and sizes[0] == program.variables
    assert sizes[1] > sizes[2] >= sizes[3] and sizes[3] < sizes[0] / 3


def test_a_wrong_flow_is_found():
    rng = np.random.default_rng(2)
    program = random_program(rng, 2, 12, ties=False)
    family, rows = Family(program, *weights(program, "any", rng)), Rows(program)
    cut = family.cut(family.root(), 0.5)
    x, certificate = family.answer(cut)
    whole = program.reweighted(0.5 * (family_weights := program.weights) + 0.5 * family_weights, 0.0)
    assert not check(whole, certificate, x, rows).proves_optimal  # other weights
    broken = x.copy()
    broken[program.tails[0]], broken[program.heads[0]] = 1, 0
    report = check(whole, certificate, broken, rows)
    assert report.violations == program.violations(broken) > 0
    huge = dataclasses.replace(certificate, arcs=np.full(program.arcs, 1 << 62))
    assert not check(whole, huge, x, rows).valid


def test_a_limit_that_has_passed():
    rng = np.random.default_rng(3)
    program = random_program(rng, 2, 12)
    family = Family(program, *weights(program, "any", rng))
    with pytest.raises(LimitReached):
        family.cut(family.root(), 0.5, limit=0.0)


@pytest.mark.parametrize("between", ["welfare,revenue", "1,2", pytest.param("2,1", marks=pytest.mark.slow)])
def test_every_corner_has_a_proof_that_the_checker_takes(between):
    found = ex.frontier("jmmz", 4, between)
    assert found.complete
    for corner in found.corners:
        report = check(corner.program, corner.certificate, corner.rule)
        assert report.valid and report.violations == 0
        assert report.upper_bound - corner.program.value(corner.rule) <= 1e-12
        assert corner.mechanism.sold == corner.sold
    apart = ex.frontier("jmmz", 4, between, backend="highs")
    mine, theirs = (
        np.array([(corner.first, corner.second) for corner in one.corners]) for one in (found, apart)
    )
    assert mine.shape == theirs.shape and np.abs(mine - theirs).max() < 1e-9
