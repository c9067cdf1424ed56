"""Interval bounds of formulas: they hold every value that a formula takes in a box."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expost.instances.formula import Formula
from expost.instances.intervals import Interval, formula_bounds

FORMULAS = st.recursive(
    st.sampled_from(["x", "y", "2", "0.5", "(-3)", "pi"]),
    lambda part: st.one_of(
        st.tuples(part, st.sampled_from("+-*/"), part).map("({0[0]} {0[1]} {0[2]})".format),
        st.tuples(part, st.sampled_from(["2", "3", "(-1)", "0.5", "1.5"])).map("({0[0]})**{0[1]}".format),
        st.tuples(part, part).map("({0[0]})**({0[1]})".format),
        st.tuples(st.sampled_from(["exp", "log", "sqrt", "abs", "sin", "cos"]), part).map(
            "{0[0]}({0[1]})".format
        ),
        st.tuples(st.sampled_from(["min", "max"]), part, part).map("{0[0]}({0[1]}, {0[2]})".format),
        st.tuples(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), part, part).map(
            "({0[1]} {0[0]} {0[2]})".format
        ),
        st.tuples(part, part, part).map("where({0[0]} > 0.3, {0[1]}, {0[2]})".format),
    ),
    max_leaves=7,
)
ENDS = st.tuples(st.floats(-2, 2), st.floats(0, 1.5)).map(lambda ends: (ends[0], ends[0] + ends[1]))


@settings(max_examples=400, deadline=None)
@given(FORMULAS, ENDS, ENDS, st.integers(0, 2**32 - 1))
def test_the_interval_holds_every_value(text, x, y, seed):
    try:
        formula = Formula(text)
    except ValueError:
        return
    except Exception as refusal:
        assert "constant" in str(refusal)
        return
    share = np.random.default_rng(seed).random((2, 64))
    share[:, :4] = [[0, 0, 1, 1], [0, 1, 0, 1]]
    at = {
        "x": np.clip(x[0] + share[0] * (x[1] - x[0]), *x),
        "y": np.clip(y[0] + share[1] * (y[1] - y[0]), *y),
    }
    found = np.broadcast_to(formula(at), (64,))
    bounds = formula_bounds(formula, {"x": _box(x), "y": _box(y)})
    numbers = ~np.isnan(found)
    assert (found[numbers] >= bounds.low).all() and (found[numbers] <= bounds.high).all(), (text, x, y)


def _box(ends):
    return Interval(np.float64(ends[0]), np.float64(ends[1]))


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("x**2", 0.0, 1.0),
        ("x**3", -1.0, 0.125),
        ("abs(x)", 0.0, 1.0),
        ("sqrt(x + 1)", 0.0, 1.5**0.5),
        ("cos(pi*x)", -1.0, 1.0),
        ("max(x, 0.2)", 0.2, 0.5),
        ("where(x < 1, 3, 4)", 3.0, 3.0),
        ("x*(1 - x)", -2.0, 1.0),
    ],
)
def test_intervals_are_as_tight_as_they_are_known_to_be(text, low, high):
    found = formula_bounds(Formula(text), {"x": Interval(np.float64(-1.0), np.float64(0.5))})
    assert found.low == pytest.approx(low, abs=1e-12) and found.high == pytest.approx(high, abs=1e-12)


def test_boxes_are_arrays_and_shrink_to_values():
    formula = Formula("p + 0.5*c**1.5 - exp(-p*c)")
    points = np.random.default_rng(0).random((2, 100))
    for width in (1e-2, 1e-4):
        boxes = {name: Interval(x - width, x + width) for name, x in zip("pc", points + 1.0, strict=True)}
        found = formula_bounds(formula, boxes)
        assert (found.high - found.low < 20 * width).all()


def test_division_through_zero_is_open():
    found = formula_bounds(Formula("1/x"), {"x": Interval(np.float64(-1.0), np.float64(1.0))})
    assert found == (-np.inf, np.inf)
