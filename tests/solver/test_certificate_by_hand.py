"""The checker on programs small enough to do by hand: every term of the bound, every reason, every edge of int64."""

import math
from dataclasses import replace

import numpy as np
import pytest
from support.programs import random_program, reference_program

from expost.solver.cases import tree_bound
from expost.solver.certificate import LARGEST_EXPONENT, check
from expost.solver.half_sums import derive, malformed
from expost.solver.program import Program
from expost.solver.result import Certificate, Grain, HalfSums, Tree
from expost.solver.rows import Rows

NONE = np.empty(0, np.int32)


def ints(*values):
    return np.array(values, dtype=np.int64)


def single(*weights, fixed=None, **more):
    """Variables of one block without any row."""
    fixed = None if fixed is None else np.array(fixed, dtype=np.int8)
    return Program(
        np.array(weights, dtype=float), np.array([0, len(weights)]), NONE, NONE, fixed=fixed, **more
    )


def bare(exponent):
    return Certificate(exponent, ints(), ints(), ints())


def rows():
    """Two blocks of two variables with one arc each, packing in both states, covering of the first."""
    return Program(
        np.array([3.0, -1.0, 2.0, 4.0]),
        np.array([0, 2, 4]),
        np.array([0, 2], dtype=np.int32),
        np.array([1, 3], dtype=np.int32),
        np.array([[0, 2], [1, 3]], dtype=np.int32),
        np.array([[0, 2]], dtype=np.int32),
    )


def test_every_kind_of_row_has_its_sign_in_the_bound():
    # reduced: 3 - 1 - 10 + 5, -1 + 1 - 20, 2 - 2 - 10 + 5, 4 + 2 - 20: none positive; rows 10 + 20 - 5
    found = check(rows(), Certificate(0, ints(1, 2), ints(10, 20), ints(5)))
    assert found.integer_bound == 25
    # reduced: 3 + 5 = 8, -1, 7, 4: positive ones count
    assert check(rows(), Certificate(0, ints(0, 0), ints(0, 0), ints(5))).integer_bound == 8 + 7 + 4 - 5
    # two units of supply in each state
    two = replace(rows(), capacity=2)
    assert check(two, Certificate(0, ints(1, 2), ints(10, 20), ints(5))).integer_bound == 55


def test_what_is_fixed_counts_as_it_is_fixed():
    program = single(5.0, -3.0, 7.0, -1.0, fixed=[0, 1, -1, -1])
    found = check(program, bare(0), np.array([0, 1, 1, 0]))
    assert (found.integer_bound, found.integer_value, found.violations) == (4, 4, 0) and found.proves_optimal
    assert found.upper_bound == pytest.approx(4.0, abs=1e-12)


def test_all_that_a_rule_breaks_is_counted():
    program = replace(rows(), fixed=np.array([-1, 0, 1, 1], dtype=np.int8))
    certificate = Certificate(0, ints(0, 0), ints(0, 0), ints(0))
    for x, broken in [
        ([0, 0, 1, 1], 0),
        ([1, 0, 1, 1], 2),  # the first arc, the first packing row
        ([0, 1, 1, 1], 2),  # the second packing row, the fixing to 0
        ([0, 0, 0, 0], 3),  # the covering row, both fixings to 1
        ([0, 0, 1, 0], 2),  # the second arc, the last fixing
        ([1, 1, 0, 0], 3),
    ]:
        found = check(program, certificate, np.array(x))
        assert found.violations == broken, x
        assert found.reasons == ((f"the rule breaks {broken} rows or fixings",) if broken else ())


def test_reasons_say_what_was_found():
    program = reference_program()
    zero = Certificate(20, ints(0, 0, 0, 0), ints(0, 0, 0, 0), ints())
    assert check(program, zero, np.zeros(7)).reasons == ("a rule of shape (7,): expected (8,)",)
    assert check(program, zero, [0] * 8).reasons == ("a rule of shape None: expected (8,)",)
    assert check(program, zero, np.full(8, 2)).reasons == ("a rule with entries other than 0 and 1",)
    assert check(program, replace(zero, packing=ints(0, -2, 0, 0))).reasons == (
        "a negative packing multiplier (-2)",
    )
    assert check(program, replace(zero, covering=[])).reasons == (
        "covering multipliers of type list: expected int64",
    )
    assert check(program, replace(zero, arcs=ints(1))).reasons == (
        "arcs multipliers of shape (1,): expected (4,)",
    )
    assert check(program, replace(zero, packing=np.full(4, 2**63 - 1))).reasons == (
        "reduced weights that may not fit into int64",
    )
    assert check(program, replace(zero, arcs=ints(1), cuts=3)).reasons == (
        "arcs multipliers of shape (1,): expected (4,)",
        "cuts of type int: expected HalfSums",
    )


@pytest.mark.parametrize("kind", [bool, np.int8, np.uint8, np.int64, np.float32, np.float64])
def test_rules_of_any_type_of_number_are_read(kind):
    assert check(single(1.0, -1.0), bare(0), np.array([1, 0], dtype=kind)).proves_optimal


def test_exponents_end_where_they_are_said_to():
    program = single(0.0)
    assert check(program, bare(LARGEST_EXPONENT)).valid and check(program, bare(-LARGEST_EXPONENT)).valid
    assert not check(program, bare(LARGEST_EXPONENT + 1)).valid
    assert not check(program, bare(-LARGEST_EXPONENT - 1)).valid


def test_numbers_that_leave_float64_are_reported_under_any_settings_of_numpy():
    with np.errstate(all="raise"):
        assert not check(single(1e300), bare(1000)).valid
        tiny = check(single(1e-300), bare(-900))
    assert tiny.valid and tiny.integer_bound == 0 and tiny.upper_bound >= 1e-300


def test_the_edge_of_int64():
    edge = 2.0**62
    assert not check(single(edge), bare(0)).valid
    assert check(single(np.nextafter(edge, 0.0)), bare(0)).valid
    # apart they fit, together they come too near to the edge
    state = Program(np.array([-0.9999 * edge]), np.array([0, 1]), NONE, NONE, np.array([[0]], dtype=np.int32))
    near = Certificate(0, ints(), ints(int(0.9989 * edge)), ints())
    assert check(state, near).reasons == ("reduced weights that may not fit into int64",)
    assert check(state, replace(near, packing=ints(int(0.99 * edge)))).valid


def test_the_bound_is_rounded_up_by_what_scaling_hides_and_by_no_more():
    def upper(exponent, *weights, **more):
        return check(single(*weights, **more), bare(exponent)).upper_bound

    assert upper(0, 1.0, 1.0) == pytest.approx(2.0, abs=1e-12)
    assert upper(0, 0.4, 0.4, 0.4) == pytest.approx(2.0, abs=1e-12)  # 1.2 are lost
    assert upper(0, 0.5, 0.5) == pytest.approx(2.0, abs=1e-12)  # exactly 1.0, and a little for the sum itself
    assert upper(0, 0.6, 0.6) == pytest.approx(2.0, abs=1e-12)  # rounded up: nothing is lost
    assert upper(0, 0.4, 0.4, 0.4, fixed=[0, 0, 0]) == pytest.approx(0.0, abs=1e-12)
    assert upper(-1, 2.0, 2.0) == pytest.approx(6.0, abs=1e-12)
    assert upper(1, 0.25, constant=10.0) == pytest.approx(10.5, abs=1e-12)
    assert upper(0, 1.0, 1.0) > 2.0


# ---- halves of sums of rows


def literal(program, sums):
    """Cut by cut in Python: coefficients as a dictionary, and the right-hand side."""
    found = []
    for k in range(len(sums.multiplier)):
        coefficient, right = {}, 0
        for row in sums.rows[sums.start[k] : sums.start[k + 1]].tolist():
            if row < program.arcs:
                terms, bound = [(program.tails[row], 1), (program.heads[row], -1)], 0
            elif row < program.arcs + len(program.packing):
                terms = [(v, 1) for v in program.packing[row - program.arcs]]
                bound = program.capacity
            else:
                terms = [(v, -1) for v in program.covering[row - program.arcs - len(program.packing)]]
                bound = -1
            for variable, sign in terms:
                coefficient[int(variable)] = coefficient.get(int(variable), 0) + sign
            right += bound
        found.append(({v: c // 2 for v, c in coefficient.items()}, right // 2))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_sums_of_rows_are_those_of_a_loop(seed):
    rng = np.random.default_rng(seed)
    program = replace(random_program(rng, 3, 2, cover=0.4), capacity=1 + seed % 2)
    count = program.arcs + len(program.packing) + len(program.covering)
    lengths = rng.integers(0, 6, 5)
    sums = HalfSums(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        rng.integers(0, count, lengths.sum()),
        rng.integers(0, 9, 5),
    )
    assert malformed(program, sums) == []
    derived, expected = derive(program, sums), literal(program, sums)
    for k, (coefficient, limit) in enumerate(expected):
        mine = derived.cut == k
        read = dict(zip(derived.variable[mine].tolist(), derived.coefficient[mine].tolist(), strict=True))
        assert len(read) == mine.sum() and read == coefficient and derived.limit[k] == limit
    zero = Certificate(
        3, ints(*[0] * program.arcs), ints(*[0] * len(program.packing)), ints(*[0] * len(program.covering))
    )
    found = check(program, replace(zero, cuts=sums))
    reduced = np.rint(program.weights * 8).astype(np.int64)
    for (coefficient, _), multiplier in zip(expected, sums.multiplier.tolist(), strict=True):
        for variable, c in coefficient.items():
            reduced[variable] -= c * multiplier
    right = sum(limit * int(m) for (_, limit), m in zip(expected, sums.multiplier, strict=True))
    assert found.integer_bound == np.maximum(reduced, 0).sum() + right


def test_cuts_that_may_leave_int64_are_refused():
    # two rows over the same variables: half their sum is the row itself, with coefficient 1
    program = Program(
        np.array([-0.9999 * 2.0**62]), np.array([0, 1]), NONE, NONE, np.zeros((2, 1), dtype=np.int32)
    )
    sums = HalfSums(ints(0, 2), ints(0, 1), ints(int(0.9989 * 2**62)))
    certificate = Certificate(0, ints(), ints(0, 0), ints(), sums)
    assert check(program, certificate).reasons == ("reduced weights that may not fit into int64",)
    assert check(program, replace(certificate, cuts=replace(sums, multiplier=ints(2**60)))).valid


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"start": [0, 2]}, "cuts whose start is no list of int64"),
        ({"rows": np.array([0.0, 1.0])}, "cuts whose rows is no list of int64"),
        ({"multiplier": ints(1)[None]}, "cuts whose multiplier is no list of int64"),
        ({"multiplier": ints(1, 1)}, "2 cuts between 2 places in 2 rows"),
        ({"start": ints(1, 2)}, "1 cuts between 2 places in 2 rows"),
        ({"start": ints(0, 1)}, "1 cuts between 2 places in 2 rows"),
        ({"start": ints(0, 3, 2), "multiplier": ints(1, 1)}, "cuts that overlap"),
        ({"rows": ints(0, 5)}, "a cut with a row out of range: expected 0 .. 4"),
        ({"rows": ints(-1, 4)}, "a cut with a row out of range: expected 0 .. 4"),
        ({"multiplier": ints(-3)}, "a negative multiplier of a cut (-3)"),
        ({"rows": ints(0, 4)}, None),
        ({"multiplier": ints(0)}, None),
    ],
)
def test_what_is_wrong_with_cuts_is_said(change, reason):
    sums = replace(HalfSums(ints(0, 2), ints(0, 1), ints(1)), **change)
    assert malformed(rows(), sums) == ([] if reason is None else [reason])


def test_no_cuts_at_all_are_no_mistake():
    empty = HalfSums(ints(0), ints(), ints())
    assert malformed(rows(), empty) == [] and len(derive(rows(), empty).limit) == 0


# ---- proofs by cases


def split(program, variable=0, multipliers=((0, 0), (0, 0))):
    """A root that settles one variable, and two leaves with packing multipliers of their own."""
    packing = np.array(multipliers, dtype=np.int64)
    return Tree(
        variable=ints(variable, -1, -1),
        child=np.array([[1, 2], [-1, -1], [-1, -1]], dtype=np.int64),
        leaf=ints(-1, 0, 1),
        exponent=ints(0, 0),
        arcs=np.zeros((2, program.arcs), dtype=np.int64),
        packing=packing,
        covering=np.zeros((2, len(program.covering)), dtype=np.int64),
        cut_start=ints(0),
        cut_rows=ints(),
        cut_multiplier=np.zeros((2, 0), dtype=np.int64),
    )


def bound_of(program, tree):
    reasons = []
    return tree_bound(program, tree, check, reasons), reasons


def test_the_worst_leaf_is_the_bound():
    program = rows()
    # without the first variable 2 + 4, with it 3 + 2 + 4: nothing is priced
    bound, reasons = bound_of(program, split(program))
    assert bound == pytest.approx(9.0, abs=1e-9) and reasons == []
    # with it, and a price of 2 in the first state, of 1 in the second: 3 - 2 + 4 - 1 + 3
    bound, reasons = bound_of(program, split(program, multipliers=((0, 0), (2, 1))))
    assert bound == pytest.approx(7.0, abs=1e-9) and reasons == []
    zero = Certificate(0, ints(0, 0), ints(0, 0), ints(0))
    assert check(program, zero).upper_bound == pytest.approx(9.0, abs=1e-9)
    proved = check(program, replace(zero, tree=split(program, multipliers=((0, 0), (2, 1)))))
    assert proved.upper_bound == pytest.approx(7.0, abs=1e-9) and proved.reasons == ()
    worse = check(program, replace(zero, tree=split(program, multipliers=((50, 0), (0, 0)))))
    assert worse.upper_bound == pytest.approx(9.0, abs=1e-9)


def test_a_case_that_is_decided_needs_no_child():
    for value, bound in ((0, 6.0), (1, 9.0)):
        program = replace(rows(), fixed=np.array([value, -1, -1, -1], dtype=np.int8))
        tree = split(program)
        child = tree.child.copy()
        child[0, 1 - value] = -1
        found, reasons = bound_of(program, replace(tree, child=child))
        assert found == pytest.approx(bound, abs=1e-9) and reasons == []
        child[0, value] = -1
        found, reasons = bound_of(program, replace(tree, child=child))
        assert found == math.inf and reasons == [f"a tree without the case {value} of variable 0"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"leaf": np.array([-1, 0, 1], dtype=np.int32)}, "a tree whose leaf is not int64"),
        ({"exponent": [0, 0]}, "a tree whose exponent is not int64"),
        ({"leaf": ints(-1, 0)}, "a tree whose arrays do not fit together"),
        ({"child": np.zeros((3, 3), dtype=np.int64)}, "a tree whose arrays do not fit together"),
        ({"child": np.zeros((2, 2), dtype=np.int64)}, "a tree whose arrays do not fit together"),
        ({"variable": ints(0, -1, -1)[None]}, "a tree whose arrays do not fit together"),
        ({"exponent": ints(0, 0)[None]}, "a tree whose arrays do not fit together"),
        ({"arcs": np.zeros((1, 2), dtype=np.int64)}, "a tree whose arrays do not fit together"),
        ({"packing": ints(0, 0)}, "a tree whose arrays do not fit together"),
        ({"covering": np.zeros((3, 1), dtype=np.int64)}, "a tree whose arrays do not fit together"),
        ({"cut_multiplier": np.zeros((1, 0), dtype=np.int64)}, "a tree whose arrays do not fit together"),
        ({"leaf": ints(-1, 0, 2)}, "a tree that points outside itself"),
        (
            {"child": np.array([[1, 3], [-1, -1], [-1, -1]], dtype=np.int64)},
            "a tree that points outside itself",
        ),
        ({"variable": ints(4, -1, -1)}, "a tree that splits by a variable that there is not"),
        ({"variable": ints(-1, -1, -1)}, "a tree that splits by a variable that there is not"),
        (
            {"child": np.array([[0, 0], [-1, -1], [-1, -1]], dtype=np.int64)},
            "a tree that leads back into itself",
        ),
        (
            {"arcs": np.array([[0, 0], [0, -1]], dtype=np.int64)},
            "leaf 1 of the tree: a negative arcs multiplier (-1)",
        ),
        ({"variable": ints(3, -1, -1)}, None),
    ],
)
def test_what_is_wrong_with_a_tree_is_said(change, reason):
    bound, reasons = bound_of(rows(), replace(split(rows()), **change))
    assert reasons == ([] if reason is None else [reason])
    assert (bound == math.inf) == (reason is not None)


def test_a_tree_without_nodes_proves_nothing():
    one = split(rows())
    none = {
        "variable": ints(),
        "leaf": ints(),
        "child": np.zeros((0, 2), dtype=np.int64),
        "exponent": ints(),
        "cut_multiplier": np.zeros((0, 0), dtype=np.int64),
    }
    none |= {name: np.zeros((0, 2), dtype=np.int64) for name in ("arcs", "packing", "covering")}
    assert bound_of(rows(), replace(one, **none)) == (math.inf, ["a tree whose arrays do not fit together"])


# ---- rows made once


@pytest.mark.parametrize("seed", range(10))
def test_rows_made_once_say_what_the_program_says(seed):
    rng = np.random.default_rng(seed)
    program = replace(random_program(rng, 1 + seed % 3, 2, cover=0.4, fix=0.2), capacity=1 + seed % 2)
    once = Rows(program)
    counts = program.arcs, len(program.packing), len(program.covering)
    for _ in range(5):
        certificate = Certificate(6, *(rng.integers(0, 40, count) for count in counts))
        x = rng.integers(0, 2, program.variables)
        assert check(program, certificate, x, once) == check(program, certificate, x)


def test_rows_made_once_end_at_the_edge_too():
    edge = 2.0**62

    def both(program, certificate):
        with_rows, without = check(program, certificate, None, Rows(program)), check(program, certificate)
        assert with_rows == without
        return with_rows

    state = Program(np.array([-0.9999 * edge]), np.array([0, 1]), NONE, NONE, np.array([[0]], dtype=np.int32))
    near = Certificate(0, ints(), ints(int(0.9989 * edge)), ints())
    assert both(state, near).reasons == ("reduced weights that may not fit into int64",)
    assert both(state, replace(near, packing=ints(int(0.99 * edge)))).valid
    assert both(rows(), Certificate(0, ints(1, 2), ints(10, 20), ints(5))).integer_bound == 25
    assert both(rows(), Certificate(0, ints(2**61, 0), ints(2**62, 0), ints(0))).valid
    assert both(rows(), Certificate(0, ints(2**62, 0), ints(2**62, 0), ints(2**62))).reasons
    assert both(single(1.0), bare(0)).integer_bound == 1


def test_a_grain_that_is_none_is_said_to_be_none():
    program, zero = single(1.0), bare(0)
    for grain in (Grain(0, 0), Grain(-1, 0), Grain(2**62, 0)):
        reason = f"a grain of {grain.numerator} * 2**0: expected a positive one within range"
        assert check(program, replace(zero, grain=grain)).reasons == (reason,)
    assert check(program, replace(zero, grain=3)).reasons == ("a grain of type int: expected Grain",)
    assert check(single(0.5, 0.5, 0.5), replace(bare(1), grain=Grain(1, 0))).upper_bound <= 1.5 + 1e-12


def test_a_program_without_variables_is_worth_its_constant():
    found = check(single(constant=2.0), bare(0), np.zeros(0, dtype=np.int8))
    assert found.valid and found.proves_optimal and found.upper_bound == pytest.approx(2.0, abs=1e-12)
