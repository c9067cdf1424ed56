"""The dynamic program over strikes: equal to enumeration and to the minimum cut, one buyer."""

import numpy as np
import pytest
from support.two_stage import full_order, two_stage_space

from expost.formulations.assemble import assemble
from expost.formulations.sequential_strikes import strike_program, strike_rule
from expost.formulations.timing import build_blocks
from expost.instances.catalogue import load
from expost.solver.backends import solve_program
from expost.spaces.type_space import discretize


def enumerated(values, gains):
    """The best total gain over all 0/1 rules of one fibre that respect the order."""
    n = values.size
    rules = ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(bool)
    low, high = np.nonzero(full_order(values))
    feasible = ~(rules[:, low] & ~rules[:, high]).any(axis=1)
    return (rules[feasible] @ gains.ravel()).max()


@pytest.mark.parametrize("seed", range(40))
def test_strikes_reach_the_best_rule_of_every_fibre(seed):
    rng = np.random.default_rng(seed)
    shape = [(3, 3, 3), (2, 2, 5), (2, 5, 2), (3, 1, 4), (3, 4, 1)][seed % 5]
    values = rng.integers(0, [3, 7, 1000][seed % 3], shape).astype(float)
    gains = rng.integers(-5, 6, shape).astype(float)
    best = strike_program(values, gains)
    for f in range(len(values)):
        assert best.gain[f] == enumerated(values[f], gains[f])
        rule = best.wins[f].ravel()
        assert not (full_order(values[f]) & rule[:, None] & ~rule[None, :]).any()
    assert (np.where(best.wins, gains, 0.0).sum(axis=(1, 2)) == best.gain).all()
    assert (np.diff(best.threshold, axis=1) <= 0).all()


@pytest.mark.parametrize("seed", range(8))
def test_strikes_agree_with_the_minimum_cut(seed):
    space = two_stage_space(seed, [(6, 7)], levels=[4, 20, 10**6][seed % 3], gains="random")
    welfare, rule = strike_rule(space)
    program = assemble(space, build_blocks(space, ("sequential",))).program
    assert welfare == pytest.approx(solve_program(program, "mincut").bound, abs=1e-9)
    assert welfare == pytest.approx(float(np.where(rule, space.gains, 0.0).mean()))


@pytest.mark.parametrize("first", ["m", "f"])
def test_strikes_agree_with_the_minimum_cut_on_privatization(first):
    space = discretize(load("privatization"), 24)
    program = assemble(space, build_blocks(space, ("sequential",), (first,))).program
    assert strike_rule(space, first)[0] == pytest.approx(solve_program(program, "mincut").bound, abs=1e-12)


def test_a_chunked_program_is_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    values, gains = rng.random((7, 4, 4)), rng.normal(size=(7, 4, 4))
    whole = strike_program(values, gains)
    monkeypatch.setattr("expost.formulations.sequential_strikes.CHUNK", 1)
    parts = strike_program(values, gains)
    assert all((a == b).all() for a, b in zip(whole, parts, strict=True))
