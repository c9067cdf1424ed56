"""The last feasible coordinate: where it is known, on either axis, and in how many steps it is found."""

import numpy as np
import pytest

from expost.papers.levels import ROOT_WIDTH, highest, last_feasible

ROOTS = np.linspace(0.03, 0.97, 23)
CURVES = {
    "a line": lambda x, root: x - root,
    "convex": lambda x, root: x**4 - root**4,
    "a cube root": lambda x, root: np.cbrt(x - root),
    "flat before": lambda x, root: np.maximum(x - root, 0.0) * 3.0,
    "a jump": lambda x, root: np.where(x > root, 1.0, -1e-9),
    "rounded": lambda x, root: np.round((x - root) * 2.0**40) / 2.0**40,
}


@pytest.mark.parametrize("name", CURVES)
def test_the_last_feasible_coordinate_is_found_on_either_axis(name):
    curve, tried = CURVES[name], []

    def constraint(points, rows):
        tried.append(len(rows))
        return curve(np.where(rows % 2 == 0, points[0], points[1]), ROOTS[rows])

    rows = np.arange(len(ROOTS))
    points = np.full((2, len(ROOTS)), 0.5)
    ends = tuple(curve(np.full(len(ROOTS), end), ROOTS) for end in (0.0, 1.0))
    bracket = (np.zeros(len(ROOTS)), np.ones(len(ROOTS)))
    found = last_feasible(constraint, points, rows, rows % 2, bracket=bracket, ends=ends)
    assert (curve(found, ROOTS) <= 0.0).all()
    assert (curve(found + 2.0 * ROOT_WIDTH, ROOTS) > 0.0).all() or name == "rounded"
    assert np.abs(found - ROOTS).max() <= (2.0**-40 if name == "rounded" else ROOT_WIDTH)
    if name in ("a line", "convex"):
        assert len(tried) <= 20
    assert len(tried) <= 57


def test_a_maximum_across_each_axis():
    """max x + y subject to x^2 + y^2 <= r^2 is r sqrt 2; of 2x + y it is r sqrt 5."""
    radius, slope = np.array([0.4, 0.6, 0.9]), np.array([1.0, 2.0, 1.0])
    found = highest(
        lambda x, rows: slope[rows] * x[0] + x[1],
        lambda x, rows: x[0] ** 2 + x[1] ** 2 - radius[rows] ** 2,
        2,
        3,
    )
    assert np.abs(found - radius * np.sqrt(1.0 + slope**2)).max() < 1e-12
