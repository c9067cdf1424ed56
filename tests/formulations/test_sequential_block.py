"""Sequential blocks: optimum against the definition of the order, every rule audited, bad input in one
line."""

from dataclasses import replace

import numpy as np
import pytest
from support.two_stage import full_order, two_stage_space

from expost.errors import InputError
from expost.formulations.assemble import assemble
from expost.formulations.sequential import sequential_block
from expost.formulations.timing import build_blocks, buyer_stages, mixed_mechanism, parse_first, parse_timing
from expost.instances import Buyer, Instance, Prior
from expost.instances.catalogue import load
from expost.mechanisms.mechanism import audit_static, static_mechanism
from expost.mechanisms.prices import Choice
from expost.mechanisms.sequential_audit import audit_mechanism
from expost.solver.backends import solve_program
from expost.solver.certificate import check
from expost.solver.program import Program
from expost.spaces.type_space import Grid, discretize

BOTH = ("sequential", "sequential")


def solved(space, timings, first=(), backend="auto"):
    formulation = assemble(space, build_blocks(space, timings, first))
    solution = solve_program(formulation.program, backend)
    return formulation, solution, formulation.allocation(solution.x)


def all_pairs_program(space):
    """The same program with every implied pair written out, no generators and no gates."""
    tails, heads, states = [], [], np.arange(space.states).reshape(space.shape)
    for i in range(space.n):
        counts = [space.grid.size(name) for name in space.instance.buyers[i].signals]
        index = np.moveaxis(states, i, -1).reshape(-1, space.shape[i])
        values = np.moveaxis(space.values[i], i, -1).reshape(-1, *counts)
        for own, fibre in zip(index, values, strict=True):
            low, high = np.nonzero(full_order(fibre))
            tails.append(own[low] + i * space.states)
            heads.append(own[high] + i * space.states)
    blocks = np.arange(space.n + 1) * space.states
    packing = (np.arange(space.states)[:, None] + blocks[None, :-1]).astype(np.int32)
    return Program(
        space.gains.ravel() / space.states,
        blocks,
        np.concatenate(tails).astype(np.int32),
        np.concatenate(heads).astype(np.int32),
        packing if space.n > 1 else np.empty((0, 1), dtype=np.int32),
    )


@pytest.mark.parametrize("seed", range(12))
def test_the_optimum_is_that_of_the_order_written_out(seed):
    space = two_stage_space(
        seed, [(3, 2), (2, 3)], levels=[3, 6, 40][seed % 3], gains=["own", "random"][seed % 2]
    )
    formulation, solution, allocation = solved(space, BOTH)
    written = solve_program(all_pairs_program(space), "highs")
    assert solution.bound == pytest.approx(written.bound, abs=1e-12)
    report = check(formulation.program, solution.certificate, solution.x)
    assert report.proves_optimal
    assert formulation.program.violations(formulation.vector(allocation)) == 0


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("choice", list(Choice))
def test_the_audit_accepts_every_rule_of_the_formulation(seed, choice):
    space = two_stage_space(seed, [(4, 3), (3, 4)], levels=[3, 8, 1000][seed % 3], gains="random")
    _, solution, _ = solved(space, BOTH)
    for x in (solution.x, solution.smallest, solution.largest):
        formulation = assemble(space, build_blocks(space, BOTH))
        mechanism = mixed_mechanism(space, formulation.allocation(x), buyer_stages(space, BOTH), choice)
        audit_mechanism(space.values, mechanism).require(f"seed {seed}")


@pytest.mark.parametrize("seed", range(4))
def test_any_mix_of_timings_lies_between_static_and_sequential_and_passes_its_audit(seed):
    space = two_stage_space(seed, [(3, 3), (3, 3)], levels=50, gains="random")
    mixes = [("static", "static"), ("sequential", "static"), ("static", "sequential"), BOTH]
    welfare = []
    for timings in mixes:
        _, solution, allocation = solved(space, timings)
        mechanism = mixed_mechanism(space, allocation, buyer_stages(space, timings))
        assert audit_mechanism(space.values, mechanism).passed
        welfare.append(mechanism.welfare(space.gains, space.seller))
        assert welfare[-1] == pytest.approx(solution.bound, abs=1e-9)
    assert welfare[0] <= min(welfare[1:3]) + 1e-12
    assert max(welfare[1:3]) <= welfare[3] + 1e-12 <= space.first_best + 1e-9


def test_a_static_rule_is_a_sequential_rule_in_either_order():
    space = discretize(load("jmmz"), 5)
    formulation, _, allocation = solved(space, ("static", "static"))
    assert audit_static(space.values, static_mechanism(space.values, allocation)).passed
    for first in ((), ("c1", "c2")):
        sequential = assemble(space, build_blocks(space, BOTH, first))
        assert sequential.program.violations(sequential.vector(allocation)) == 0
        mechanism = mixed_mechanism(space, allocation, buyer_stages(space, BOTH, first))
        assert audit_mechanism(space.values, mechanism).passed
    assert formulation.program.value(formulation.vector(allocation)) > 0


def test_listing_the_signals_the_other_way_round_is_naming_the_other_first():
    named = solved(discretize(load("jmmz"), 6), BOTH, ("c1", "c2"))[1].bound
    turned = Instance(
        "turned", (Buyer("1", ("c1", "p1"), "p1 + c1*c2"), Buyer("2", ("c2", "p2"), "p2 + c1*c2"))
    )
    assert solved(discretize(turned, 6), BOTH)[1].bound == pytest.approx(named, abs=1e-12)
    staged = Instance(
        "staged",
        (
            Buyer("1", ("p1", "c1"), "p1 + c1*c2", stages=(("c1",), ("p1",))),
            Buyer("2", ("p2", "c2"), "p2 + c1*c2", stages=(("c2",), ("p2",))),
        ),
    )
    assert solved(discretize(staged, 6), BOTH)[1].bound == pytest.approx(named, abs=1e-12)
    overridden = solved(discretize(staged, 6), BOTH, ("p1", "p2"))[1].bound
    assert overridden == pytest.approx(discretize(staged, 6).first_best, abs=1e-12)


def test_relabelling_buyers_and_scaling_values_move_the_answer_as_they_should():
    instance = load("jmmz")
    swapped = replace(instance, name="swapped", buyers=instance.buyers[::-1])
    tripled = replace(
        instance, buyers=tuple(Buyer(b.name, b.signals, f"3*({b.value})") for b in instance.buyers)
    )
    first, bound = ("p1", "c2"), solved(discretize(instance, 5), BOTH, ("p1", "c2"))[1].bound
    assert solved(discretize(swapped, 5), BOTH, first)[1].bound == pytest.approx(bound, abs=1e-12)
    assert solved(discretize(tripled, 5), BOTH, first)[1].bound == pytest.approx(3 * bound, abs=1e-12)


def test_a_second_stage_of_several_signals_is_ordered_by_value():
    instance = Instance(
        "three", (Buyer("1", ("p", "c", "d"), "p + c*d - 0.4*c"), Buyer("2", ("x", "y"), "x + y*c"))
    )
    space = discretize(instance, Grid({"p": 3, "c": 3, "d": 4, "x": 3, "y": 2}))
    for first in (("p", "x"), ("d", "y")):
        _, solution, allocation = solved(space, BOTH, first)
        mechanism = mixed_mechanism(space, allocation, buyer_stages(space, BOTH, first))
        assert mechanism.terms[0].strike.shape == (6, 3 if first[0] == "p" else 4)
        assert audit_mechanism(space.values, mechanism).passed
        assert mechanism.welfare(space.gains, 0.0) == pytest.approx(solution.bound, abs=1e-9)


def test_dependent_stages_go_through_conditional_quantiles():
    def space(loc):
        prior = Prior("norm", {"loc": loc, "scale": 1.0})
        return discretize(
            Instance("dependent", (Buyer("1", ("x", "y"), "y", "0.3*x - 0.2"),), {"y": prior}), 6
        )

    allocation = solved(space("2*x"), ("sequential",))[2]
    mechanism = mixed_mechanism(space("2*x"), allocation, buyer_stages(space("2*x"), ("sequential",)))
    assert audit_mechanism(space("2*x").values, mechanism).passed
    with pytest.raises(InputError, match="at a fixed quantile of the second stage") as refusal:
        sequential_block(space("-2*x"), 0)
    assert "x rises from" in str(refusal.value)
    with pytest.raises(InputError, match="its prior depends on x"):
        sequential_block(space("2*x"), 0, "y")


def grid_of(**buyer):
    return discretize(Instance("bad", (Buyer("ann", **buyer),)), 4)


@pytest.mark.parametrize(
    ("buyer", "first", "words"),
    [
        ({"signals": ("p",), "value": "p"}, None, "without signals"),
        ({"signals": ("p", "c"), "value": "p+c", "stages": (("p", "c"),)}, None, "without signals"),
        (
            {"signals": ("p", "c", "d"), "value": "p+c+d", "stages": (("p", "c"), ("d",))},
            None,
            "first-stage signals",
        ),
        ({"signals": ("p", "c"), "value": "p+c"}, "z", "not a signal of buyer ann"),
        ({"signals": ("p", "c"), "value": "p-c"}, None, "V falls from"),
        ({"signals": ("p", "c"), "value": "(p-0.3)*(p-0.5)+c"}, None, "V falls from"),
        ({"signals": ("p", "c", "d"), "value": "c+d-p"}, None, "second-stage values falls"),
    ],
)
def test_bad_input_is_refused_in_one_line(buyer, first, words):
    with pytest.raises(InputError) as refusal:
        sequential_block(grid_of(**buyer), 0, first)
    assert words in str(refusal.value)
    assert "ann" in str(refusal.value) and "\n" not in str(refusal.value)
    assert refusal.value.exit_code == 2


def test_a_fall_in_the_second_stage_says_where():
    with pytest.raises(InputError, match=r"as c rises from 0\.625 to 0\.875 \(p = 0\.125\)"):
        sequential_block(grid_of(signals=("p", "c"), value="p + min(c, 1.4 - c)"), 0)


def test_flat_values_and_ties_are_no_obstacle():
    space = grid_of(signals=("p", "c"), value="max(0.5, p) + min(c, 0.5)")
    _, solution, allocation = solved(space, ("sequential",))
    assert solution.bound == pytest.approx(space.first_best)
    assert allocation.all()


def test_first_signals_from_the_command_line():
    instance = load("jmmz")
    assert parse_first(instance, "c2") == (None, "c2")
    assert parse_first(instance, "c2, p1") == ("p1", "c2")
    assert parse_first(instance, ()) == (None, None)
    for text, words in (
        ("c3", "unknown signal"),
        ("", "unknown signal"),
        ("p1,c1", "at most one first signal"),
    ):
        with pytest.raises(InputError, match=words):
            parse_first(instance, text)


def test_timings():
    assert parse_timing(2, "sequential") == BOTH
    assert parse_timing(2, "static,sequential") == ("static", "sequential")
    for words in ("dynamic", "static,static,static"):
        with pytest.raises(InputError, match="timing:"):
            parse_timing(2, words)
    space = discretize(load("jmmz"), 3)
    with pytest.raises(InputError, match='timing="sequential"'):
        build_blocks(space, ("static", "sequential"), ("c1",))
    with pytest.raises(InputError, match="not a function of the rule alone"):
        assemble(space, build_blocks(space, BOTH), alpha=0.0)


@pytest.mark.parametrize("grid", [2, 3, 5, 8, 13, Grid(6, "endpoint"), Grid(7, 0.2)])
def test_jmmz_private_component_first_attains_the_first_best_at_every_grid(grid):
    space = discretize(load("jmmz"), grid)
    _, solution, allocation = solved(space, BOTH)
    mechanism = mixed_mechanism(space, allocation, buyer_stages(space, BOTH))
    assert mechanism.welfare(space.gains, 0.0) == pytest.approx(space.first_best, abs=1e-12)
    assert solution.bound == pytest.approx(space.first_best, abs=1e-9)
