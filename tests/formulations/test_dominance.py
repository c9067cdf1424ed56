"""Dominance (Bikhchandani 2006, section 4) against enumeration, closed cases, and the papers' series."""

import numpy as np
import pytest

from expost.errors import InputError
from expost.formulations.assemble import assemble
from expost.formulations.dominance import dominate
from expost.formulations.timing import build_blocks
from expost.instances import catalogue
from expost.instances.environment import Buyer, Instance
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.papers import constructions
from expost.papers.bikhchandani.claims_efficiency import gain_series
from expost.papers.optima import second_best
from expost.solver.adapters.brute import feasible_rules
from expost.spaces.type_space import Grid, discretize


def tiny(seed, buyers=2):
    """Integer-valued instances on 2 points per signal: ties, equal types, negative gains."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(buyers):
        weights = rng.integers(-1, 3, 2 * buyers)
        names = [f"{s}{j}" for j in range(buyers) for s in "ab"]
        made.append(
            Buyer(
                str(i),
                (f"a{i}", f"b{i}"),
                " + ".join(f"{w}*{n}" for w, n in zip(weights, names, strict=True)),
            )
        )
    return discretize(Instance("tiny", tuple(made), seller=str(int(rng.integers(0, 2)))), Grid(2, "endpoint"))


def enumerated(space):
    """All incentive compatible rules, and the gain of each in every state."""
    formulation = assemble(space, build_blocks(space, ("static",) * space.n))
    rules = np.stack([formulation.allocation(x) for x in feasible_rules(formulation.program)])
    return rules, np.where(rules, space.gains, 0.0).sum(axis=1)


def largest_gain(space, gains, allocation):
    """The largest expected gain over ``allocation`` of a rule, one of ``gains``, that is nowhere worse."""
    given = np.where(allocation, space.gains, 0.0).sum(axis=0)
    better = (gains >= given - 1e-9).reshape(len(gains), -1).all(axis=1)
    return float((gains[better] - given).reshape(better.sum(), -1).mean(axis=1).max())


@pytest.mark.parametrize("seed", range(12))
def test_one_buyer_against_enumeration(seed):
    space = tiny(seed, buyers=1)
    rules, gains = enumerated(space)
    for rule in rules:
        expected = largest_gain(space, gains, rule)
        found = dominate(space, rule)
        assert found.gain == pytest.approx(expected, abs=1e-12)
        assert found.constrained_efficient is (expected <= 1e-12)


def small(seed):
    """Two buyers with one signal of three points each, integer values with ties."""
    rng = np.random.default_rng(seed)
    tables = rng.integers(-1, 4, (2, 3, 3)).astype(float)

    def value(i):
        def function(x, y):
            return tables[i][np.rint(2 * np.asarray(x)).astype(int), np.rint(2 * np.asarray(y)).astype(int)]

        return function

    instance = Instance("small", (Buyer("1", ("x",), value(0)), Buyer("2", ("y",), value(1))))
    return discretize(instance, Grid(3, "endpoint"))


@pytest.mark.parametrize("backend", ["auto", "highs"])
@pytest.mark.parametrize("seed", range(10))
def test_two_buyers_against_enumeration(seed, backend):
    space = small(seed)
    rules, gains = enumerated(space)
    for rule in rules[np.random.default_rng(seed).integers(0, len(rules), 6)]:
        expected = largest_gain(space, gains, rule)
        found = dominate(space, rule, backend)
        assert found.gain == pytest.approx(expected, abs=1e-12)
        assert found.constrained_efficient is (expected <= 1e-12)
        new = found.mechanism.state_welfare(space.gains)
        old = np.where(rule, space.gains, 0.0).sum(axis=0)
        assert (new >= old - 1e-12).all()
        assert audit_mechanism(space.values, found.mechanism).passed


def test_the_second_best_is_constrained_efficient_in_either_timing():
    space = discretize(catalogue.load("jmmz"), 6)
    static, sequential = second_best(space)[1], second_best(space, "sequential")[1]
    assert dominate(space, static.allocation).constrained_efficient
    assert dominate(space, sequential.allocation, timing="sequential").constrained_efficient
    by_menus = dominate(space, static.allocation, timing="sequential")
    assert by_menus.gain >= 0.0
    assert by_menus.dominating_welfare <= space.first_best + 1e-12


def test_three_buyers():
    instance = catalogue.load("three-buyers")
    space = discretize(instance, 2)
    found = dominate(space, constructions.get("t*", instance).on(space).allocation)
    assert found.constrained_efficient is False
    assert found.improved > 0
    assert found.dominating_welfare == pytest.approx(found.welfare + found.gain)
    assert dominate(space, found.mechanism.allocation).constrained_efficient


def test_what_is_reported_adds_up():
    instance = catalogue.load("jmmz")
    space = discretize(instance, 8)
    rule = constructions.get("t*", instance).on(space)
    found = dominate(space, rule.allocation)
    assert found.welfare == pytest.approx(rule.welfare(space.gains, space.seller))
    assert found.dominating_welfare == pytest.approx(found.mechanism.welfare(space.gains, space.seller))
    assert found.gain <= found.gain_bound + 1e-12
    change = found.mechanism.state_welfare(space.gains) - rule.state_welfare(space.gains)
    assert change[found.example] == pytest.approx(found.example_gain) == pytest.approx(change.max())
    assert found.improved == int((change > 1e-9).sum())


def test_the_two_series_of_the_paper_part():
    """Over Example 2's prices the gain falls like the distance of the points; over t* it stays above 86/105 - 43/72."""
    jmmz = catalogue.load("jmmz")
    falling, staying = (gain_series(jmmz, name, (4, 8, 16)) for name in ("example2", "t*"))
    assert falling[0] > 1.8 * falling[1] > 1.8 * 1.8 * falling[2] > 0
    assert min(staying) > 86 / 105 - 43 / 72


def test_rules_that_are_not_implementable_are_refused():
    space = discretize(catalogue.load("jmmz"), 3)
    rule = np.zeros((2, *space.shape), dtype=bool)
    rule[0, 0, :] = True
    with pytest.raises(InputError, match="breaks"):
        dominate(space, rule)
    rule[:] = True
    with pytest.raises(InputError, match="breaks"):
        dominate(space, rule)
