"""Correlated, discrete and multi-unit instances against the definition in plain loops; what must not change stays."""

from dataclasses import replace

import numpy as np
import pytest
from support.definition import buyer_rules, second_best
from support.fees_program import seller_best_program
from support.wider_cases import Case

from expost.errors import InputError
from expost.formulations.assemble import assemble
from expost.formulations.conditional import allowed_winners, conditional_bound, conditional_rule
from expost.formulations.dominance import dominate
from expost.formulations.sequential_strikes import strike_rule
from expost.formulations.timing import build_blocks, buyer_stages, mixed_mechanism
from expost.instances import Buyer, Instance, discrete, load
from expost.mechanisms.given import efficient_rule
from expost.mechanisms.menu import Fees
from expost.mechanisms.prices import Choice
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.solver.backends import solve_program
from expost.solver.certificate import check
from expost.spaces.type_space import Grid, discretize


def solved(space, timings, *, alpha=1.0, backend="auto"):
    """Formulation, solution and mechanism."""
    formulation = assemble(space, build_blocks(space, timings, revenue=alpha < 1.0), alpha=alpha)
    solution = solve_program(formulation.program, backend)
    choice = Choice.MIDPOINT if alpha == 1.0 else Choice.HIGHEST
    mechanism = mixed_mechanism(
        space, formulation.allocation(solution.x), buyer_stages(space, timings), choice
    )
    return formulation, solution, mechanism


def agree(seed):
    """The program against the definition on one random instance; False where sequential timing refuses the instance."""
    case = Case(seed)
    timings = tuple("sequential" if s else "static" for s in case.sequential)
    try:
        formulation, solution, mechanism = solved(case.space, timings)
    except InputError:
        assert any(case.sequential)
        return False
    kept = float(case.seller)
    expected = kept + second_best(case.values, case.gains, case.chances, case.units, case.stages)
    assert solution.status == "optimal"
    assert mechanism.welfare(case.space.gains, case.space.seller) == pytest.approx(expected, abs=1e-12)
    assert audit_mechanism(case.space.values, mechanism).passed
    report = check(formulation.program, solution.certificate, solution.x)
    assert report.valid
    assert report.violations == 0
    assert report.upper_bound >= expected - 1e-12
    largest = np.sort(case.gains, axis=0)[-case.units :]
    first_best = kept + (np.maximum(largest, 0.0).sum(axis=0) * case.chances).sum()
    assert case.space.first_best == pytest.approx(first_best, abs=1e-12)
    efficient = efficient_rule(case.space)
    reached = kept + (np.where(efficient, case.gains, 0.0).sum(axis=0) * case.chances).sum()
    assert reached == pytest.approx(first_best, abs=1e-12)
    assert efficient.sum(axis=0).max() <= case.units
    if not any(case.sequential):
        _revenue_agrees(case)
    return True


def _revenue_agrees(case):
    """The best expected revenue: of all rules of a buyer the worst winning value of each fibre, times its chance."""
    if case.units < case.n:
        return
    _, _, mechanism = solved(case.space, ("static",) * case.n, alpha=0.0)
    best = 0.0
    for i in range(case.n):
        rules = buyer_rules(case.values[i], i)
        price = np.where(rules, case.values[i], np.inf).min(axis=i + 1, keepdims=True)
        paid = np.where(rules, price, 0.0) * case.chances
        best += paid.reshape(len(rules), -1).sum(axis=1).max()
    assert mechanism.revenue() == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("seed", range(30))
def test_random_instances_agree_with_the_definition(seed):
    agree(seed)


@pytest.mark.slow
def test_five_hundred_random_instances_agree_with_the_definition():
    assert sum(agree(1000 + seed) for seed in range(600)) >= 500


def test_most_random_instances_are_not_refused():
    cases = [Case(seed) for seed in range(30)]
    assert sum(case.units > 1 for case in cases) > 5
    assert sum(case.joint is not None for case in cases) > 5
    assert sum(any(case.sequential) for case in cases) > 5


def jmmz(**given):
    base = load("jmmz")
    return Instance(base.name, base.buyers, parameters=base.parameters, **given)


MIDDLE = [(k + 0.5) / 4 for k in range(4)]


@pytest.mark.parametrize("timing", ["static", "sequential"])
def test_equal_weights_at_the_midpoints_are_the_grid(timing):
    atoms = jmmz(priors={name: discrete(MIDDLE) for name in ("p1", "c1", "p2", "c2")})
    one, other = discretize(atoms, 9), discretize(jmmz(), 4)
    assert one.weights is None
    assert one.grid.describe() == 4
    results = [solved(space, (timing,) * 2) for space in (one, other)]
    assert results[0][0].program.weights.tolist() == results[1][0].program.weights.tolist()
    for figure in ("sold", "revenue"):
        found = [getattr(mechanism, figure) for _, _, mechanism in results]
        assert len({f() if callable(f) else f for f in found}) == 1
    assert results[0][1].bound == results[1][1].bound


@pytest.mark.parametrize("density", ["1", "7.5", "2 + 0*c1*c2"])
def test_a_constant_density_changes_nothing(density):
    plain, joint = discretize(jmmz(), 4), discretize(jmmz(joint=density), 4)
    assert joint.weights is None
    assert solved(plain, ("static",) * 2)[1].bound == solved(joint, ("static",) * 2)[1].bound


def test_a_density_of_product_form_is_one_of_independent_buyers():
    joint = discretize(jmmz(joint="(1 + p1*c1) * exp(-c2)"), 3)
    assert joint.weights.independent
    own = joint.types[0]
    expected = (1 + own["p1"] * own["c1"]) / (1 + own["p1"] * own["c1"]).sum()
    np.testing.assert_allclose(joint.weights.types[0], expected, rtol=1e-12)
    solved(joint, ("sequential",) * 2)


def test_atoms_with_twice_the_weight_are_two_points():
    """A weight of 2 against 1 is the same as a point twice: shares of thirds against three points."""
    weighted = jmmz(priors={name: discrete([0.2, 0.7], [2, 1]) for name in ("c1", "c2")})
    space = discretize(weighted, 3)
    _, one, _ = solved(space, ("static",) * 2)
    brute = assemble(space, build_blocks(space, ("static",) * 2))
    doubled = space.weights.chances.reshape(3, 2, 3, 2)
    assert doubled[0, 0, 0, 0] == pytest.approx(4 * doubled[0, 1, 0, 1])
    assert solve_program(brute.program, "highs").bound == pytest.approx(one.bound, rel=1e-9)


def test_correlation_between_buyers_is_refused_under_sequential_timing():
    space = discretize(jmmz(joint="1 + 0.5*cos(pi*(c1 - c2))"), 3)
    with pytest.raises(InputError, match="joint: density: signals of different buyers that are correlated"):
        solved(space, ("sequential",) * 2)
    assert solved(space, ("static",) * 2)[1].status == "optimal"


@pytest.mark.parametrize(
    ("density", "message"),
    [
        ("c1 - 0.9", r"joint: density: -0.7.* at p1 = .*; expected a density that is nowhere negative"),
        ("0*c1", "joint: density: 0 in every state"),
        ("1/(c1 - c2)", "joint: density: the density is .* at p1 = .*; expected finite"),
    ],
)
def test_what_is_no_density(density, message):
    with pytest.raises(InputError, match=message):
        discretize(jmmz(joint=density), 3)


def test_fees_under_unequal_weights_are_the_largest_by_the_definition():
    """Against the linear program of the definition; three second-stage signals make the common quantiles matter."""
    priors = {
        "a": discrete([0, 0.4, 1], [1, 2, 3]),
        "b": discrete([0, 1], [1, 2]),
        "c": discrete([0, 0.3], [3, 1]),
    }
    buyers = [Buyer("1", ["a", "b", "c"], "a + b*(1 + a) + c")]
    space = discretize(Instance("x", buyers, priors, joint="1 + 3*a*b"), 2)
    assert space.weights.independent
    (stages,) = buyer_stages(space, ("sequential",))
    wins = stages.fibres(space.values[0]) > np.array([[1.2, 0.5, 0.2]])[:, :, None]
    mechanism = mixed_mechanism(space, stages.states(wins, space.shape)[None], (stages,))
    menu = mechanism.terms[0]
    values = menu.stages.fibres(space.values[0])
    finite = np.where(np.isinf(menu.strike), values.max() + 1, menu.strike)
    np.testing.assert_allclose(
        menu.seller_best, seller_best_program(values, finite, chances=menu.chances), atol=1e-8
    )
    assert audit_mechanism(space.values, mechanism).passed
    assert menu.fees(Fees.INTEGRAL).max() <= menu.seller_best.max() + 1e-12
    assert len(np.unique(menu.strike)) > 1
    wrong = replace(mechanism, terms=(replace(menu, weights=None),))  # the same fees under other weights
    assert not audit_mechanism(space.values, wrong).passed


@pytest.mark.parametrize("seed", range(6))
def test_the_strike_program_agrees_under_weights(seed):
    rng = np.random.default_rng(seed)
    priors = {name: discrete([0.1, 0.5, 0.8, 1.0], rng.integers(1, 30, 4).astype(float)) for name in "ab"}
    buyer = Buyer("1", ["a", "b"], "2*a + b", f"{rng.uniform(-3, 0)}*a + {rng.uniform(0, 2)}*b")
    space = discretize(Instance("x", [buyer], priors, seller="1.2"), 1)
    _, solution, mechanism = solved(space, ("sequential",))
    welfare, rule = strike_rule(space)
    assert welfare == pytest.approx(solution.bound, abs=1e-12)
    assert welfare == pytest.approx(mechanism.welfare(space.gains, space.seller), abs=1e-12)
    assert space.mean(np.where(rule[0], space.gains[0], 0.0)) + space.seller == pytest.approx(welfare)


def test_shared_highest_gains_go_to_as_many_as_there_are_units():
    buyers = [Buyer(str(i), [f"s{i}"], "s0 + s1 + s2") for i in range(3)]
    space = discretize(Instance("x", buyers, units=2), 2)
    allowed = allowed_winners(space, order=(2, 0, 1))
    assert allowed[2].all()
    assert allowed[0].all()
    assert not allowed[1].any()
    assert (efficient_rule(space).sum(axis=0) == 2).all()


@pytest.mark.parametrize("units", [1, 2])
def test_conditional_efficiency_with_weights_and_units(units):
    base = load("three-buyers")
    priors = {"p1": discrete([0.1, 0.9], [1, 3])}
    space = discretize(Instance("x", base.buyers, priors, units=units), Grid(dict.fromkeys(base.signals, 2)))
    rule = conditional_rule(space)
    assert rule.sum(axis=0).max() <= units
    assert not (rule & ~allowed_winners(space)).any()
    formulation = assemble(space, build_blocks(space, ("static",) * 3), conditional=True)
    solution = solve_program(formulation.program)
    value = space.seller + space.mean(np.where(rule, space.gains, 0.0).sum(axis=0))
    assert value <= solution.bound + 1e-12 <= conditional_bound(space) + 1e-9


def test_dominance_counts_with_weights():
    space = discretize(jmmz(priors={"c1": discrete([0, 1], [1, 9])}), 3)
    nobody = np.zeros((2, *space.shape), dtype=bool)
    found = dominate(space, nobody)
    assert found.gain == pytest.approx(solved(space, ("static",) * 2)[1].bound, abs=1e-9)
    with pytest.raises(InputError, match="units: 2 units"):
        dominate(discretize(jmmz(units=2), 2), np.zeros((2, 4, 4), dtype=bool))


def test_more_units_than_buyers_are_each_buyer_apart():
    space = discretize(jmmz(units=2), 4)
    formulation, solution, mechanism = solved(space, ("static",) * 2)
    assert len(formulation.program.packing) == 0
    assert solution.backend == "mincut"
    assert mechanism.welfare(space.gains, space.seller) == pytest.approx(space.gains.mean(axis=(1, 2)).sum())
    assert formulation.shadow_prices(solution.certificate).tolist() == np.zeros(space.shape).tolist()
    three = load("three-buyers")
    apart = discretize(Instance("x", three.buyers, units=3, seller="0.8"), 2)
    assert solved(apart, ("static",) * 3)[1].backend == "mincut"


@pytest.mark.parametrize("backend", ["nbuyers", "pdlp", "mincut"])
def test_backends_that_know_one_unit_say_so(backend):
    three = load("three-buyers")
    space = discretize(Instance("x", three.buyers, units=2), 2)
    with pytest.raises(InputError, match=r"2 units|3 buyers"):
        solved(space, ("static",) * 3, backend=backend)
