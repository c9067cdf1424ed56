"""Symmetric rules: against enumeration by the definition, never above the unrestricted optimum, refused by witness."""

import itertools

import numpy as np
import pytest
from support.definition import buyer_rules

from expost.errors import InputError
from expost.formulations.assemble import assemble
from expost.formulations.exchangeable import require_exchangeable
from expost.formulations.symmetric import symmetric_formulation, symmetric_start
from expost.formulations.timing import build_blocks, buyer_stages, mixed_mechanism
from expost.instances import Buyer, Instance, discrete, load
from expost.mechanisms.prices import Choice
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.solver.backends import solve_program
from expost.solver.certificate import check
from expost.spaces.type_space import Grid, discretize


def alike(seed, n, *, two_stage=False, joint=None):
    """Buyers who differ in name only."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.integers(1, 4), rng.integers(-1, 3), rng.integers(0, 3)
    own = [[f"s{i}", f"t{i}"] if two_stage else [f"s{i}"] for i in range(n)]
    buyers = []
    for i, names in enumerate(own):
        rest = " + ".join(f"{b}*s{j}" for j in range(n) if j != i)
        product = "*".join(f"s{j}" for j in range(n))
        text = f"{a}*{names[0]} + {rest} + {c}*{product} - 1.5" + (f" + 2*{names[1]}" if two_stage else "")
        buyers.append(Buyer(str(i), names, text))
    atoms = discrete([0.1, 0.5, 0.9] if n == 2 and not two_stage else [0.2, 0.8])
    weighted = discrete(atoms.values, [2.0, *([1.0] * (len(atoms.values) - 1))])
    priors = {name: weighted for names in own for name in names}
    return Instance(f"alike {seed}", buyers, priors, joint=joint)


def best_by_definition(space, stages=None):
    """The largest expected gain of a rule that exchanging two buyers leaves as it is."""
    n, chances = space.n, np.ones(space.shape) / space.states
    chances = chances if space.weights is None else space.weights.chances
    best = 0.0
    for own in buyer_rules(space.values[0], 0, stages):
        if n == 3 and (own != own.swapaxes(1, 2)).any():
            continue
        rule = np.stack([np.moveaxis(own, 0, i) for i in range(n)])
        if rule.sum(axis=0).max() <= 1:
            best = max(best, float((np.where(rule, space.gains, 0.0).sum(axis=0) * chances).sum()))
    return best


def solved(space, timing="static", **options):
    """The symmetric formulation, its solution, and the rule's audited mechanism."""
    timings = (timing,) * space.n
    formulation = symmetric_formulation(space, timings, **options)
    solution = solve_program(formulation.program)
    mechanism = mixed_mechanism(space, formulation.allocation(solution.x), buyer_stages(space, timings))
    assert audit_mechanism(space.values, mechanism).passed
    return formulation, solution, mechanism


def is_symmetric(rule):
    """Whether exchanging two buyers exchanges what they get."""
    for i in range(len(rule) - 1):
        order = list(range(len(rule)))
        order[i], order[i + 1] = i + 1, i
        if (np.swapaxes(rule[order], i + 1, i + 2) != rule).any():
            return False
    return True


@pytest.mark.parametrize(
    ("n", "two_stage", "joint"),
    [
        (2, False, None),
        (2, False, "1 + s0*s1"),
        (2, True, None),
        (3, False, None),
        (3, False, "1 + s0*s1*s2"),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_against_enumeration(seed, n, two_stage, joint):
    space = discretize(alike(seed, n, two_stage=two_stage, joint=joint), 2)
    timing = "sequential" if two_stage else "static"
    formulation, solution, mechanism = solved(space, timing)
    expected = best_by_definition(space, (2, 2) if two_stage else None) + space.seller
    assert mechanism.welfare(space.gains, space.seller) == pytest.approx(expected, abs=1e-12)
    assert formulation.program.value(solution.x) == pytest.approx(expected, abs=1e-12)
    assert is_symmetric(mechanism.allocation)
    assert (formulation.vector(mechanism.allocation) == solution.x).all()


@pytest.mark.parametrize(
    ("name", "points", "timing"),
    [("jmmz", 4, "static"), ("jmmz", 4, "sequential"), ("three-buyers", 2, "static")],
)
def test_the_catalogue(name, points, timing):
    space = discretize(load(name), points)
    free = assemble(space, build_blocks(space, (timing,) * space.n))
    unrestricted = solve_program(free.program)
    formulation, solution, mechanism = solved(space, timing)
    assert solution.status == "optimal"
    assert is_symmetric(mechanism.allocation)
    assert mechanism.welfare(space.gains, space.seller) <= unrestricted.bound + 1e-12
    assert mechanism.welfare(space.gains, space.seller) == pytest.approx(solution.bound, abs=1e-9)
    if solution.certificate is not None:
        report = check(formulation.program, solution.certificate, solution.x)
        assert report.valid
        assert report.upper_bound >= solution.bound - 1e-12
        prices = formulation.shadow_prices(solution.certificate)
        assert prices.shape == space.shape
        assert (prices == np.swapaxes(prices, 0, 1)).all()
    if unrestricted.smallest is not None:
        start = symmetric_start(formulation, free.allocation(unrestricted.smallest))
        assert formulation.program.violations(start) == 0
        again = solve_program(formulation.program, "highs", start=start)
        assert again.bound == pytest.approx(solution.bound, abs=1e-9)


def test_revenue_of_symmetric_rules():
    space = discretize(load("jmmz"), 3)
    formulation, solution, _ = solved(space, alpha=0.0)
    rule = formulation.allocation(solution.x)
    mechanism = mixed_mechanism(space, rule, (None, None), Choice.HIGHEST)
    assert mechanism.revenue() == pytest.approx(formulation.program.value(solution.x), abs=1e-12)
    assert mechanism.revenue() <= 2 * space.values.mean()


def test_conditional_efficiency_and_symmetry_together():
    space = discretize(load("jmmz"), 3)
    _, solution, mechanism = solved(space, conditional=True)
    best = space.gains.max(axis=0)
    assert not (mechanism.allocation & (space.gains < best - 1e-12)).any()
    assert solution.bound <= solved(space)[1].bound + 1e-12


BUYERS = [Buyer("1", ["a1", "b1"], "a1 + b1 + a2"), Buyer("2", ["a2", "b2"], "a2 + b2 + a1")]


@pytest.mark.parametrize(
    ("instance", "timings", "message"),
    [
        (load("privatization"), ("static",), "1 buyers; expected two or three"),
        (load("four-buyers"), ("static",) * 4, "4 buyers"),
        (load("linear", alpha11=3.0), ("static",) * 2, r"value of buyer . is .* at x1 = .* exchanged"),
        (Instance("x", BUYERS, seller="0.1*a1"), ("static",) * 2, "the gain of buyer"),
        (Instance("x", BUYERS, joint="1 + a1"), ("static",) * 2, "the state .* is not as likely"),
        (Instance("x", BUYERS, {"a1": discrete([0, 1])}), ("static",) * 2, "a1 and a2 take different values"),
        (Instance("x", BUYERS), ("static", "sequential"), "buyer 1 is static, buyer 2 sequential"),
        (Instance("x", [BUYERS[0], Buyer("2", ["a2"], "a2 + a1")]), ("static",) * 2, "2 signals, buyer 2 1"),
        (
            Instance("x", [BUYERS[0], Buyer("2", ["a2", "b2"], "a2 + b2 + a1", stages=[["b2"], ["a2"]])]),
            ("sequential",) * 2,
            "a1 and b2 come first",
        ),
    ],
)
def test_what_is_not_exchangeable(instance, timings, message):
    space = discretize(instance, Grid(dict.fromkeys(instance.signals, 2)))
    with pytest.raises(InputError, match=f"^symmetric: .*{message}"):
        symmetric_formulation(space, timings)


def test_every_exchange_is_looked_at():
    """Values that only the exchange of the last two buyers changes."""
    buyers = [Buyer(str(i), [f"s{i}"], f"s{i}") for i in range(3)]
    buyers[2] = Buyer("2", ["s2"], "s2 + where(s2 > 0.7, 1e-6, 0)")
    space = discretize(Instance("x", buyers), 4)
    with pytest.raises(InputError, match="buyers 1 and 2 exchanged"):
        require_exchangeable(space, (None,) * 3)


def test_several_units_are_refused():
    space = discretize(Instance("x", BUYERS, units=2), 2)
    with pytest.raises(InputError, match="symmetric rules with 2 units"):
        symmetric_formulation(space, ("static",) * 2)


def test_all_pairs_of_types_are_bound_once():
    space = discretize(load("three-buyers"), 2)
    formulation = symmetric_formulation(space, ("static",) * 3)
    assert len(formulation.orbits) == len(list(itertools.combinations(range(4), 3)))
