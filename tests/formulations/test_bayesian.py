"""The Bayesian benchmark against an independent statement, and the order of the three welfares."""

import cvxpy as cp
import numpy as np
import pytest

import expost as ex
from expost.formulations.bayesian import bayesian_second_best
from expost.spaces.type_space import discretize


def by_definition(space):
    """The same program in cvxpy, one interim constraint for each pair of types, written out state by state."""
    chances = np.full(space.shape, 1.0 / space.states) if space.weights is None else space.weights.chances
    q = [cp.Variable(space.states) for _ in range(space.n)]
    constraints = [sum(q) <= space.units, *(part >= 0 for part in q), *(part <= 1 for part in q)]
    states = list(np.ndindex(*space.shape))
    place = {state: k for k, state in enumerate(states)}
    for i in range(space.n):
        pay = cp.Variable(space.shape[i])
        others = [state for state in states if state[i] == 0]
        likely = {rest: sum(chances[_put(rest, i, a)] for a in range(space.shape[i])) for rest in others}
        for a in range(space.shape[i]):
            offers = [
                sum(
                    likely[rest] * space.values[i][_put(rest, i, a)] * q[i][place[_put(rest, i, b)]]
                    for rest in others
                )
                - pay[b]
                for b in range(space.shape[i])
            ]
            constraints += [offers[a] >= offers[b] for b in range(space.shape[i]) if b != a]
    welfare = sum((space.gains[i] * chances).ravel() @ q[i] for i in range(space.n))
    problem = cp.Problem(cp.Maximize(welfare), constraints)
    problem.solve(solver=cp.SCIPY, scipy_options={"method": "highs"})
    assert problem.status == cp.OPTIMAL
    return space.seller + float(problem.value)


def _put(state, i, own):
    return (*state[:i], own, *state[i + 1 :])


def agrees(space):
    found = bayesian_second_best(space)
    assert found.welfare == pytest.approx(by_definition(space), abs=2e-6)
    assert found.upper_bound >= found.welfare >= found.upper_bound - 1e-8
    assert found.audit.passed
    return found


@pytest.mark.parametrize(
    ("name", "grid"), [("jmmz", 2), ("public-rival", 3), ("three-buyers", 2), ("lottery", 3)]
)
def test_agrees_with_the_definition(name, grid):
    space = discretize(ex.load(name), grid)
    agrees(space)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200))
def test_random_instances_agree_with_the_definition(seed):
    space = discretize(ex.random_instance(seed), 2 + (seed % 2))
    if space.states > 100:
        space = discretize(ex.random_instance(seed), 2)
    found = agrees(space)
    robust = ex.solve(space.instance, space.grid)
    assert space.first_best + 1e-9 >= found.welfare >= robust.welfare - 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_first_best_bayesian_ex_post_are_in_this_order(seed):
    found = ex.bayesian(ex.random_instance(seed), grid=2)
    assert found.first_best + 1e-9 >= found.welfare >= found.ex_post - 1e-9
    assert found.private_information >= -1e-9
    assert found.robustness >= -1e-9


def test_jmmz_pays_for_both():
    found = ex.bayesian("jmmz", grid=4)
    assert found.private_information > 1e-3
    assert found.robustness > 0.01
    assert "robustness" in found.summary()


def test_private_values_cost_nothing():
    buyers = [ex.Buyer("1", ["a1", "b1"], "a1 + b1"), ex.Buyer("2", ["a2", "b2"], "a2*b2 + 0.3")]
    found = ex.bayesian(ex.Instance("private", buyers, seller="0.4"), grid=3)
    assert found.welfare == pytest.approx(found.first_best, abs=1e-9)
    assert found.ex_post == pytest.approx(found.first_best, abs=1e-9)


def test_one_dimensional_single_crossing_costs_nothing():
    found = ex.bayesian("one-dimensional", grid=5)
    assert found.private_information == pytest.approx(0.0, abs=1e-9)
    assert found.robustness == pytest.approx(0.0, abs=1e-9)


def test_ex_post_payments_leave_no_loss_and_have_the_interim_expectation():
    found = ex.bayesian("jmmz", grid=3, participation="ex post")
    space, inner = found.found.space, found.found
    for i in range(2):
        paid = inner.ex_post_payments(i)
        assert (inner.allocation[i] * space.values[i] - paid).min() >= -1e-9
        assert paid.mean(axis=1 - i) == pytest.approx(inner.payments[i], abs=1e-12)
    assert found.payments["1"].shape == (3, 3, 3, 3)
    table = ex.bayesian("jmmz", grid=3).payments["2"]
    assert list(table.columns) == ["p2", "c2", "wins", "pays", "gain"]
    assert (table["gain"] >= -1e-9).all()


def test_the_audit_sees_a_payment_that_is_too_low():
    from expost.formulations.bayesian import audit_buyer, expected_by_report

    inner = bayesian_second_best(discretize(ex.load("jmmz"), 3))
    wrong = inner.payments[0].copy()
    wrong[4] -= 0.01
    assert not audit_buyer(
        inner.space, 0, expected_by_report(inner.space, 0, inner.allocation[0]), wrong
    ).passed


def test_what_is_out_of_reach_is_refused_by_name(tmp_path):
    with pytest.raises(ex.InputError, match=r"entries.*grid=") as error:
        ex.bayesian("jmmz", grid=12)
    assert error.value.where == "grid"
    with pytest.raises(ex.InputError, match="participation"):
        ex.bayesian("jmmz", grid=2, participation="never")
    path = ex.bayesian("jmmz", grid=2).save(tmp_path / "payments.csv")
    assert "interim" in path.read_text().lower()


def test_compare_shows_it():
    found = ex.compare("jmmz", 2, bayesian=True)
    row = found.row("Bayesian second best")
    assert row.status == "optimal"
    assert found.row("static second best").welfare <= row.welfare + 1e-9 <= found.first_best + 2e-9
