"""Blocks and what is put together of them, without any solver: arcs, revenue weights, rows, fixings, the way back."""

import itertools

import numpy as np
import pytest
from support.spaces import random_space, space_of
from support.two_stage import reachable

from expost.errors import InputError
from expost.formulations.assemble import Formulation, assemble
from expost.formulations.blocks import tie_width
from expost.formulations.sequential import sequential_block
from expost.formulations.static import static_block
from expost.formulations.timing import build_blocks, buyer_stages
from expost.instances import Buyer, Instance, discrete
from expost.solver.result import Certificate
from expost.spaces.type_space import Grid, TypeSpace, discretize
from expost.spaces.weights import Weights
from expost.tolerances import TIE


def fibres(array, axis):
    return np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])


CASES = [(seed, shape) for seed in range(6) for shape in ((5,), (3, 4), (2, 3, 2))]


@pytest.mark.parametrize(("seed", "shape"), CASES)
def test_arcs_of_static_blocks_are_the_order_of_the_values(seed, shape):
    values = np.random.default_rng(seed).integers(0, 4, shape).astype(float)
    for axis in range(len(shape)):
        block = static_block(values, axis)
        reach = reachable(block.size, block.tails, block.heads)
        own, index = fibres(values, axis), fibres(block.index, axis)
        assert sorted(block.index.ravel()) == list(range(values.size))
        assert block.index.dtype == block.tails.dtype == block.heads.dtype == np.int32
        for f, g in itertools.product(range(len(own)), repeat=2):
            between = reach[np.ix_(index[f], index[g])].copy()
            np.fill_diagonal(between, False) if f == g else None
            expected = (own[f][:, None] < own[g][None, :]) if f == g else np.zeros_like(between)
            assert (between == expected).all()
        ties = [len(np.unique(fibre)) for fibre in own]
        shared = sum((np.unique(fibre, return_counts=True)[1][:-1] > 1).sum() for fibre in own)
        assert block.size == values.size + shared and min(ties) >= 1
        assert block.tie_spread == 0.0 and block.revenue is None


def test_values_closer_than_the_width_are_equal_and_the_spread_is_told():
    width = tie_width(np.array([1.0]))
    assert width == pytest.approx(TIE)
    assert tie_width(np.array([-1000.0, 3.0])) == pytest.approx(1000 * TIE)
    values = np.array([0.0, 1.0, 1.0 + 0.4 * width, 0.5])
    block = static_block(values, 0)
    assert block.tie_spread == pytest.approx(0.4 * width, rel=1e-3)
    reach = reachable(block.size, block.tails, block.heads)
    at = block.index
    assert not reach[at[1], at[2]] and not reach[at[2], at[1]] and reach[at[3], at[2]] and reach[at[0], at[3]]


def upper_sets(fibre):
    """Every rule of a fibre in which whoever is worth more than a winner wins."""
    for wins in itertools.product((False, True), repeat=len(fibre)):
        rule = np.array(wins)
        if not rule.any() or fibre[~rule].max(initial=-np.inf) <= fibre[rule].min():
            yield rule


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_revenue_weights_add_up_to_the_highest_payments(seed, weighted):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4, (4, 2)).astype(float)
    chances = rng.random((4, 2)) if weighted else None
    weight = np.ones((4, 2)) if chances is None else chances
    for axis in (0, 1):
        block = static_block(values, axis, revenue=True, chances=chances)
        assert block.revenue.shape == (block.size,)
        own, index, likely = (fibres(array, axis) for array in (values, block.index, weight))
        for f in range(len(own)):
            for rule in upper_sets(own[f]):
                x = np.zeros(block.size)
                x[index[f][rule]] = 1
                for tail, head in zip(block.tails, block.heads, strict=True):  # gates that members imply
                    x[head] = max(x[head], x[tail]) if head >= values.size else x[head]
                price = own[f][rule].min() if rule.any() else 0.0
                assert block.revenue @ x == pytest.approx(price * likely[f][rule].sum(), abs=1e-12)


def two_stages(**priors):
    return Instance(
        "two", (Buyer("1", ("a", "b"), "a + b + c"), Buyer("2", ("c", "d"), "c + 2*d + 0.5*a")), priors
    )


def test_sequential_blocks_follow_the_first_signal_that_is_named():
    space = discretize(two_stages(), Grid({"a": 2, "b": 3, "c": 2, "d": 2}))
    for i, first, later in ((0, "a", "b"), (0, "b", "a"), (1, "c", "d"), (1, "d", "c")):
        block = sequential_block(space, i, first)
        assert block.index.shape == space.shape and block.size >= space.states and block.revenue is None
        reach = reachable(block.size, block.tails, block.heads)
        own, index = fibres(space.values[i], i), fibres(block.index, i)
        level = space.types[i][first]
        for f in range(len(own)):
            for s, t in itertools.product(range(own.shape[1]), repeat=2):
                implied = level[t] >= level[s] and own[f][t] > own[f][s]
                assert reach[index[f][s], index[f][t]] == implied or s == t, (first, later)
    assert np.array_equal(sequential_block(space, 0).tails, sequential_block(space, 0, "a").tails)


def test_correlated_signals_are_refused_with_their_buyer():
    instance = Instance(
        "joint", (Buyer("1", ("a", "b"), "a + b"), Buyer("2", ("c", "d"), "c + d")), joint="1 + a*c"
    )
    with pytest.raises(InputError) as caught:
        sequential_block(discretize(instance, 2), 1, "c")
    assert caught.value.where == "joint: density"
    assert caught.value.found == "signals of different buyers that are correlated, under sequential timing"
    assert (
        caught.value.expected == "a density under which the signals of buyer 2 are independent of the others'"
    )
    assert caught.value.remedy == "use timing='static', whose incentives do not involve the density"


# ---- programs


def blocks_of(space, **more):
    return build_blocks(space, ("static",) * space.n, **more)


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 2)])
def test_rows_and_weights_of_a_program(shape):
    space = random_space(1, shape)
    space = TypeSpace(space.instance, space.grid, space.types, space.values, space.gains, 2.5)
    blocks = blocks_of(space, revenue=True)
    for alpha in (1.0, 0.25, 0.0):
        program = assemble(space, blocks, alpha=alpha).program
        starts = program.blocks
        assert np.diff(starts).tolist() == [block.size for block in blocks]
        for i, block in enumerate(blocks):
            mine = program.weights[starts[i] : starts[i + 1]].copy()
            if alpha < 1:
                mine -= block.revenue * (1 - alpha) / space.states
            assert mine[block.index] == pytest.approx(alpha * space.gains[i] / space.states, abs=1e-15)
            assert np.abs(np.delete(mine, block.index.ravel())).max(initial=0.0) < 1e-15
        at = np.cumsum([0] + [len(block.tails) for block in blocks])
        for i, block in enumerate(blocks):
            assert (program.tails[at[i] : at[i + 1]] == block.tails + starts[i]).all()
            assert (program.heads[at[i] : at[i + 1]] == block.heads + starts[i]).all()
        assert program.constant == alpha * 2.5 and program.capacity == 1
        assert (program.fixings == -1).all()
        if space.n == 1:
            assert len(program.packing) == 0
        else:
            expected = [[start + block.index.ravel()[s] for start, block in zip(starts, blocks, strict=False)]
                        for s in range(space.states)]  # fmt: skip
            assert program.packing.tolist() == expected


def test_units_are_the_capacity_and_enough_of_them_need_no_rows():
    base = random_space(2, (2, 2, 2))

    def with_units(units):
        named = Instance("units", base.instance.buyers, units=units)
        return TypeSpace(named, base.grid, base.types, base.values, base.gains, 0.0)

    for units, capacity, rows in ((1, 1, 8), (2, 2, 8), (3, 1, 0)):
        program = assemble(with_units(units), blocks_of(base)).program
        assert (program.capacity, len(program.packing)) == (capacity, rows)


def test_weights_of_states_are_those_of_the_objective():
    instance = Instance(
        "atoms",
        (Buyer("1", ("a",), "a + c"), Buyer("2", ("c",), "c + 0.5*a")),
        {"a": discrete([0.0, 1.0], [0.2, 0.8]), "c": discrete([0.0, 1.0, 2.0], [0.5, 0.3, 0.2])},
    )
    space = discretize(instance, {})
    formulation = assemble(space, blocks_of(space, revenue=True), alpha=0.75)
    chances = np.outer([0.2, 0.8], [0.5, 0.3, 0.2])
    blocks = blocks_of(space, revenue=True)
    part = formulation.program.weights[: blocks[0].size] - 0.25 * blocks[0].revenue
    assert part[blocks[0].index] == pytest.approx(0.75 * space.gains[0] * chances, abs=1e-12)
    prices = formulation.shadow_prices(
        Certificate(
            4,
            *(np.zeros(k, np.int64) for k in (formulation.program.arcs,)),
            np.arange(6),
            np.zeros(0, np.int64),
        )
    )
    assert prices == pytest.approx(np.arange(6).reshape(2, 3) / 16 / chances, abs=1e-12)


def test_shadow_prices_are_the_packing_multipliers_a_state():
    def multipliers(program, exponent):
        return Certificate(
            exponent, np.zeros(program.arcs, np.int64), np.arange(len(program.packing)), np.zeros(0, np.int64)
        )

    space = random_space(0, (2, 3))
    formulation = assemble(space, blocks_of(space))
    found = formulation.shadow_prices(multipliers(formulation.program, 3))
    assert found.tolist() == (np.arange(6).reshape(2, 3) * 6 / 8).tolist()
    alone = random_space(0, (3,))
    one = assemble(alone, blocks_of(alone))
    assert one.shadow_prices(multipliers(one.program, 0)).tolist() == [0.0, 0.0, 0.0]
    never = TypeSpace(space.instance, space.grid, space.types, space.values, space.gains, 0.0,
                      Weights((np.array([0.0, 1.0]), np.full(3, 1 / 3))))  # fmt: skip
    weighted = Formulation(never, formulation.blocks, formulation.program)
    found = weighted.shadow_prices(multipliers(formulation.program, 3))
    assert found[0].tolist() == [0.0] * 3 and found[1] == pytest.approx(np.array([3, 4, 5]) / 8 * 3)


@pytest.mark.parametrize("timing", ["static", "sequential"])
@pytest.mark.parametrize("seed", range(4))
def test_vectors_are_the_least_that_say_the_rule_and_mechanisms_choose_by_the_objective(seed, timing):
    rng = np.random.default_rng(seed)
    space = discretize(two_stages(), 2)
    timings = (timing, "static")
    formulation = assemble(space, build_blocks(space, timings), stages=buyer_stages(space, timings))
    # the buyers one after the other above random prices: the second where the first does not want it
    first = space.values[0] > rng.uniform(0.5, 2.0, (1, 4))
    rule = np.stack([first, np.zeros_like(first)])
    x = formulation.vector(rule)
    assert x.dtype == np.int8 and formulation.program.violations(x) == 0
    assert np.array_equal(formulation.allocation(x), rule)
    own = np.zeros(formulation.program.variables, dtype=bool)
    for start, block in zip(formulation.program.blocks, formulation.blocks, strict=False):
        own[start + block.index] = True
    for gate in np.flatnonzero(~own):
        lower = formulation.program.tails[formulation.program.heads == gate]
        assert x[gate] == x[lower].max()
    middle = formulation.mechanism(rule)
    top = Formulation(space, formulation.blocks, formulation.program, 0.5, formulation.stages).mechanism(rule)
    assert hasattr(middle.terms[0], "strike") == (timing == "sequential")
    both = [getattr(m.terms[0], "strike" if timing == "sequential" else "price") for m in (middle, top)]
    finite = np.isfinite(both[0]) & np.isfinite(both[1])
    assert (both[0][finite] <= both[1][finite]).all() and (both[0][finite] < both[1][finite]).any()


def test_only_who_may_win_under_conditional_efficiency_is_free():
    gains = [[[3.0, 1.0], [2.0, -1.0]], [[1.0, 1.0], [4.0, -2.0]]]
    space = space_of([[[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 4.0]]], gains)
    blocks = blocks_of(space)
    program = assemble(space, blocks, conditional=True).program
    free = [
        program.fixings[start + block.index] == -1
        for start, block in zip(program.blocks, blocks, strict=False)
    ]
    assert free[0].tolist() == [[True, True], [False, False]]
    assert free[1].tolist() == [[False, True], [True, False]]


def test_objectives_that_cannot_be_are_refused_in_words():
    space = discretize(two_stages(), 2)
    blocks = build_blocks(space, ("sequential", "sequential"))
    for alpha in (-0.1, 1.1):
        with pytest.raises(InputError) as caught:
            assemble(space, blocks, alpha=alpha)
        assert caught.value.found == f"objective weight {alpha}" and caught.value.where == "objective"
        assert caught.value.expected == "a weight on welfare in [0, 1]"
    with pytest.raises(InputError) as caught:
        assemble(space, blocks, alpha=0.5)
    assert caught.value.found == "an objective with revenue under sequential timing"
    assert (caught.value.where, caught.value.expected) == ("objective", "welfare")
    assert caught.value.remedy == (
        'the seller\'s best strikes and fees are not a function of the rule alone; use timing="static"'
    )
    assert assemble(space, blocks, alpha=1.0).alpha == 1.0


def test_a_rule_that_is_not_incentive_compatible_is_written_as_it_is():
    space = discretize(two_stages(), 2)
    formulation = assemble(space, build_blocks(space, ("static", "static")))
    bad = np.zeros((2, *space.shape), dtype=bool)
    bad[0, 0] = True  # the least type wins alone
    x = formulation.vector(bad)
    assert np.array_equal(formulation.allocation(x), bad) and formulation.program.violations(x) > 0
