"""Brackets of correlated signals, several units and discrete priors."""

from dataclasses import replace

import numpy as np
import pytest
from support.wider_cases import Case

import expost as ex
from expost.mechanisms.continuum.atoms import AtomMechanism
from expost.spaces.correlation import normalization
from expost.spaces.efficient import best_gains, should_win
from expost.spaces.quantile_space import QuantileSpace

COUPLED = "1 + 0.5*cos(pi*(c1 - c2))"


def jmmz(**given):
    return ex.Instance("mine", ex.load("jmmz").buyers, parameters={"k": 1.0}, **given)


def rival(**given):
    """Each buyer's value is his own signal: the first best is attained, by the second-highest value."""
    return ex.Instance("private", [ex.Buyer("1", ["x"], "x"), ex.Buyer("2", ["y"], "y")], **given)


@pytest.mark.parametrize(
    ("density", "mean"),
    [
        ("1 + 0.5*cos(pi*(c1 - c2))", 1 + 0.5 * 4 / np.pi**2),
        ("c1*c2*p1*p2", 1 / 16),
        ("abs(c1 - c2)", 1 / 3),
        ("7", 7.0),
        (lambda c1, c2: (c1 + c2) ** 2, 7 / 6),
    ],
)
def test_the_mean_of_a_density_is_within_its_error(density, mean):
    found = normalization(jmmz(joint=density))
    assert abs(found.mean - mean) <= found.error * mean + 1e-12
    assert found.error < 1e-3


def test_a_density_of_five_signals_is_sampled():
    buyers = [ex.Buyer("1", ["a", "b", "c"], "a + b + c"), ex.Buyer("2", ["d", "e"], "d + e")]
    found = normalization(ex.Instance("five", buyers, joint="a*b*c*d*e"))
    assert abs(found.mean - 1 / 32) <= found.error / 32
    assert 1e-9 < found.error < 1e-3


@pytest.mark.parametrize("joint", [COUPLED, lambda c1, c2: 1 + 0.5 * np.cos(np.pi * (c1 - c2))])
def test_a_density_is_part_of_the_gains_and_of_nothing_else(joint):
    stated = ex.Instance(
        "mine",
        [ex.Buyer("1", ["p1", "c1"], "p1 + c1*c2", "0.2*c2"), ex.Buyer("2", ["p2", "c2"], "p2 + c1*c2")],
        seller="0.1 + 0.3*p1",
        joint=joint,
    )
    space = QuantileSpace(stated, (None, None))
    levels = [np.random.default_rng(k).random((100, 2)) for k in range(2)]
    signals = space.signals(levels)
    weight = 1 + 0.5 * np.cos(np.pi * (signals["c1"] - signals["c2"]))
    weight /= 1 + 2 / np.pi**2
    np.testing.assert_allclose(space.density(signals), weight, rtol=1e-8)
    for i in range(2):
        np.testing.assert_allclose(
            space.gain(i, levels), weight * stated.gain(i, signals), rtol=1e-8, atol=1e-14
        )
        np.testing.assert_array_equal(space.value(i, levels), stated.value(i, signals))
    kept = space.instance.seller_value(signals)
    np.testing.assert_allclose(kept, weight * stated.seller_value(signals), rtol=1e-8)


def test_a_bracket_of_correlated_values_holds_what_is_attained():
    """Density 2 max(x, y) + c is not of product form: E[max] by hand, 3 E[max**2] / 2 = 3/4 for density 1.5 max."""
    found = ex.bracket(rival(joint="max(x, y)"), 0.01, 6, jobs=1)
    assert found.lower.value <= 0.75 <= found.upper.value
    assert found.width < 0.03
    assert found.lower.kind == found.upper.kind == "statistical"


def test_a_saved_bracket_of_correlated_signals_is_verified(tmp_path):
    found = ex.bracket(jmmz(joint=COUPLED, units=1), 0.2, 5)
    folder = found.save(tmp_path / "bracket")
    again = ex.open(folder)
    assert again.mechanism.space.stated.joint == COUPLED
    assert ex.verify(folder).passed


@pytest.mark.parametrize("timing", ["static", "sequential"])
def test_as_many_units_as_buyers_are_sold_to_each_apart(timing):
    """jmmz, two units: everybody always wins, E[p + c c'] = 3/4 each."""
    found = ex.bracket(jmmz(units=2), 0.005, 8, timing=timing)
    assert found.lower.value - 1e-9 <= 1.5 <= found.upper.value + 1e-9
    assert found.reached


def test_two_units_and_three_buyers_have_both_sides():
    three = replace(ex.load("three-buyers"), units=2)
    found = ex.bracket(three, 0.01, 4)
    assert found.lower.value < found.upper.value
    grid = ex.solve(three, grid=2).first_best
    assert found.upper.value < 1.1 * grid
    assert found.mechanism.audit(2000).passed


@pytest.mark.parametrize("timing", ["static", "sequential"])
@pytest.mark.parametrize("wider", [{}, {"seller": "0.2 + 0.1*p1"}])
def test_a_bracket_of_finitely_many_states_closes_on_the_grid(timing, wider, tmp_path):
    priors = {name: ex.discrete([0.1, 0.6, 0.9], [1, 2, 2]) for name in ("p1", "c1", "p2", "c2")}
    stated = jmmz(priors=priors, **wider)
    found, run = ex.bracket(stated, 0.01, 20, timing=timing), ex.solve(stated, grid=3, timing=timing)
    assert found.lower.value == pytest.approx(run.welfare, abs=1e-12)
    assert found.upper.value == pytest.approx(run.upper_bound, abs=1e-4 if timing == "sequential" else 1e-12)
    assert isinstance(found.mechanism, AtomMechanism)
    assert ex.verify(found.save(tmp_path / "bracket")).passed


def test_finitely_many_states_may_be_correlated():
    priors = {name: ex.discrete([0.1, 0.6, 0.9], [1, 2, 2]) for name in ("p1", "c1", "p2", "c2")}
    stated = jmmz(priors=priors, joint=COUPLED)
    found = ex.bracket(stated, 0.01, 20)
    assert found.lower.value == pytest.approx(ex.solve(stated, grid=3).welfare, abs=1e-9)
    assert found.width < 1e-9


@pytest.mark.parametrize("seed", range(16))
def test_random_finite_instances_close_whatever_the_timing(seed):
    """Ties, externalities, several units, one to three buyers, correlation under static timing."""
    case = Case(seed)
    priors = {
        name: ex.discrete(*case.atoms.get(name, ([(k + 0.5) / size for k in range(size)], [1.0] * size)))
        for own, sizes in zip(case.names, case.sizes, strict=True)
        for name, size in zip(own, sizes, strict=True)
    }
    stated = replace(case.instance, priors=priors)
    timing = ["sequential" if two else "static" for two in case.sequential]
    try:
        run = ex.solve(stated, grid=2, timing=timing)
    except ex.InputError:
        with pytest.raises(ex.InputError):
            ex.bracket(stated, 0.01, 20, timing=timing)
        return
    found = ex.bracket(stated, 0.01, 20, timing=timing)
    scale = 1e-9 + 1e-9 * abs(run.welfare)
    assert found.lower.value == pytest.approx(run.welfare, abs=scale)
    assert found.upper.value >= run.upper_bound - scale
    if not any(case.sequential):
        assert found.upper.value == pytest.approx(run.upper_bound, abs=scale)


def test_some_discrete_signals_have_cells_of_their_own():
    """Two buyers with private values, one of them discrete: the first best 2/3 x 1/2 + 1/3 E[max(y, 1)] is attained."""
    stated = rival(priors={"x": ex.discrete([0.25, 1.0], [2, 1])})
    truth = 2 / 3 * (0.25 * 0.25 + (1 - 0.25**2) / 2) + 1 / 3
    found = ex.bracket(stated, 0.01, 6)
    assert found.lower.value <= truth <= found.upper.value
    assert found.width < 0.1
    assert any("one per atom" in bound.method for bound in found.history)


def test_rigorous_bounds_say_what_they_need():
    needs = [
        ({"joint": COUPLED}, "bounded supports, independent signals"),
        ({"units": 2}, "two buyers or more, one unit"),
        ({"priors": {"p1": ex.discrete([0, 1])}}, "two buyers or more, one unit"),
    ]
    for wider, needed in needs:
        with pytest.raises(
            ex.InputError, match=f"rigorous: rigorous bounds of both sides; expected {needed}"
        ):
            ex.bracket(jmmz(**wider), 0.01, 5, rigorous=True)


def test_the_efficient_gain_is_that_of_those_who_should_win():
    gains = np.random.default_rng(0).integers(-2, 4, (4, 500)).astype(float)
    for units in range(1, 5):
        wins = np.stack([should_win(gains, i, units) for i in range(4)])
        assert wins.sum(axis=0).max() == units
        np.testing.assert_array_equal(np.where(wins, gains, 0.0).sum(axis=0), best_gains(gains, units))
