"""Second stages with unequal weights: quantiles of several levels on common cells, against the step functions."""

import numpy as np
import pytest

from expost.spaces.second_stage import common_quantiles, expected, given_level


@pytest.mark.parametrize("seed", range(5))
def test_common_quantiles_are_the_quantiles_of_every_level(seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 6, (3, 4, 5)).astype(float)
    chances = given_level(rng.integers(1, 9, (4, 5)).astype(float))
    ranked, width = common_quantiles(values, chances)
    np.testing.assert_allclose(width.sum(axis=1), 1.0)
    middle = np.cumsum(width, axis=1) - 0.5 * width
    for f in range(3):
        for a in range(4):
            order = np.argsort(values[f, a], kind="stable")
            tops = np.cumsum(chances[a, order])
            wide = width[f] > 1e-12
            expected_values = values[f, a, order][np.searchsorted(tops, middle[f][wide])]
            assert ranked[f, a][wide].tolist() == expected_values.tolist()
    np.testing.assert_allclose((ranked * width[:, None, :]).sum(axis=2), expected(values, chances))


def test_equal_chances_leave_the_sorted_values():
    values = np.array([[[3.0, 1.0, 2.0], [5.0, 6.0, 4.0]]])
    ranked, width = common_quantiles(values, None)
    assert ranked.tolist() == np.sort(values, axis=2).tolist()
    assert width.tolist() == [[1 / 3] * 3]


def test_a_level_that_never_occurs_has_equal_chances():
    assert given_level(np.array([[0.0, 0.0], [1.0, 3.0]])).tolist() == [[0.5, 0.5], [0.25, 0.75]]
    assert given_level(None) is None
