"""The generators of the sequential order: their closure is the order of Theorem 2, and they are few."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from support.two_stage import full_order, reachable, rising

from expost.formulations.sequential_order import sequential_order

WIDTH = 1e-12
FIBRES = array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=5)


def closes(values):
    order = sequential_order(values, WIDTH)
    reach = reachable(order.size, order.tails, order.heads)
    types = order.variable.reshape(len(values), -1)
    for f, own in enumerate(types):
        assert (reach[np.ix_(own, own)] == full_order(values[f])).all()
        elsewhere = np.delete(types, f, axis=0).ravel()
        assert not reach[np.ix_(own, elsewhere)].any()
    return order


@given(arrays(np.float64, FIBRES, elements=st.integers(0, 6).map(float)))
def test_closure_of_the_generators_is_the_order_on_any_values_with_many_ties(values):
    closes(values)


@given(arrays(np.float64, FIBRES, elements=st.floats(-1, 1)))
def test_closure_of_the_generators_is_the_order_on_any_values(values):
    if np.diff(np.unique(values)).min(initial=1.0) > 10 * WIDTH:
        closes(values)


@pytest.mark.parametrize("seed", range(30))
def test_closure_on_rising_values_with_ties(seed):
    rng = np.random.default_rng(seed)
    closes(rising(rng, (2, 4, 4), rng.integers(2, 20)))


def test_values_within_the_width_of_each_other_are_equal():
    values = np.array([[[0.0, 1.0], [1.0 + 1e-14, 1.0 - 1e-14], [1.0 - 2e-14, 2.0]]])
    order = sequential_order(values, WIDTH)
    reach = reachable(order.size, order.tails, order.heads)[
        np.ix_(order.variable.ravel(), order.variable.ravel())
    ]
    assert (reach == full_order(np.round(values[0], 9))).all()


def test_without_ties_no_generator_is_implied_by_others():
    values = np.random.default_rng(3).permutation(2 * 5 * 4).reshape(2, 5, 4).astype(float)
    order = sequential_order(values, WIDTH)
    assert order.size == values.size
    for k in range(len(order.tails)):
        others = np.arange(len(order.tails)) != k
        reach = reachable(order.size, order.tails[others], order.heads[others])
        assert not reach[order.tails[k], order.heads[k]]


def test_arcs_lead_to_higher_places_or_gates_of_their_own_fibre_and_types_come_fibre_by_fibre():
    values = rising(np.random.default_rng(0), (3, 4, 5), 1000)
    order = sequential_order(values, WIDTH)
    assert (order.variable.reshape(3, 20).min(axis=1) == [0, 20, 40]).all()
    assert (order.variable.reshape(3, 20).max(axis=1) == [19, 39, 59]).all()


@pytest.mark.parametrize("first", ["private", "common"])
def test_arcs_per_node_grow_like_the_logarithm_on_monotone_grids(first):
    per_node = []
    for m in (8, 16, 32):
        points = (np.arange(m) + 0.5) / m
        values = points[None, :, None] + points[None, None, :] * points[:, None, None]
        values = values if first == "private" else np.ascontiguousarray(values.transpose(0, 2, 1))
        per_node.append(len(sequential_order(values, WIDTH).tails) / values.size)
    assert per_node[2] <= per_node[0] + 2 * 1.3
    assert per_node[2] <= 1.1 * np.log2(32)


def test_ties_do_not_multiply_arcs():
    m = 24
    sums = np.add.outer(np.arange(m), np.arange(m)).astype(float)[None]
    order = sequential_order(sums, WIDTH)
    assert len(order.tails) <= 3 * sums.size
    flat = sequential_order(np.zeros((1, m, m)), WIDTH)
    assert len(flat.tails) <= 2 * flat.size


@pytest.mark.parametrize("seed", range(8))
def test_with_ties_no_arc_of_a_type_leads_where_another_of_his_leads(seed):
    values = rising(np.random.default_rng(seed), (2, 4, 4), 6)
    order = sequential_order(values, WIDTH)
    pairs = list(zip(order.tails.tolist(), order.heads.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    reach = reachable(order.size, order.tails, order.heads)
    for tail in order.variable.ravel().tolist():
        mine = [head for start, head in pairs if start == tail]
        assert not any(reach[other, one] for one in mine for other in mine if other != one)


def test_types_are_numbered_along_the_smaller_step():
    def numbers(along, across, shape):
        rows, seconds = np.indices(shape)
        return sequential_order((rows * across + seconds * along)[None].astype(float), WIDTH).variable[0]

    by_rows, by_columns = np.arange(8).reshape(2, 4), np.arange(8).reshape(4, 2).T
    assert (numbers(1.0, 3.1, (2, 4)) == by_rows).all() and (numbers(3.1, 1.0, (2, 4)) == by_columns).all()
    assert (numbers(1.0, 1.3, (2, 4)) == by_rows).all() and (numbers(1.3, 1.0, (2, 4)) == by_columns).all()
    assert (numbers(1.0, 1.3, (4, 2)) == np.arange(8).reshape(4, 2)).all()
    assert (numbers(1.3, 1.0, (4, 2)) == np.arange(8).reshape(2, 4).T).all()
    assert (numbers(1.0, 1.0, (2, 4)) == by_rows).all()  # neither is smaller
