import functools
import json
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from joblib import parallel_config
from support.bracket_truths import (
    CONFIDENCE,
    best_price,
    case,
    misses,
    sum_below,
)
from support.fewer_lines import fewer_lines

from expost.brackets import effort, search
from expost.brackets.clock import ENDLESS, Clock, OutOfTime
from expost.brackets.evidence import Sizeless
from expost.brackets.lower.polish import PolishPlan
from expost.brackets.records import RIGOROUS, STATISTICAL
from expost.brackets.statistics import Limit
from expost.brackets.upper.dual import Quadrature
from expost.brackets.upper.fit import FitPlan, LevelPlan
from expost.brackets.upper.level_fibres import LevelQuadrature
from expost.brackets.upper.tails import NO_MEAN, tail_growth
from expost.errors import InputError
from expost.instances.catalogue import load
from expost.instances.environment import Buyer, Instance
from expost.instances.priors import Prior
from expost.runs.bracket import bracket
from expost.spaces.quantile_space import quantile_space


def run(cases, three=0.08):
    """How many statistical bounds fail, and how many there are; no rigorous one may."""
    wrong = bounds = 0
    for k in cases:
        found, truth = case(k, three)
        counts, outside = misses(found, truth)
        assert counts[RIGOROUS][0] == 0
        assert not outside or counts[STATISTICAL][0]
        wrong, bounds = wrong + counts[STATISTICAL][0], bounds + counts[STATISTICAL][1]
        assert found.mechanism is not None and found.mechanism.audit(256).passed
    return wrong, bounds


@pytest.mark.parametrize(("seconds", "largest"), [(0.9, 16), (3.0, 18)])
def test_one_buyer_has_sets_as_large_as_the_time_suffices_for(monkeypatch, seconds, largest):
    limit, limits = Limit(0.1, 0.0, 0.9, (0.1,) * 2), []
    monkeypatch.setattr(search, "mechanism_limit", lambda *_, **__: limit)
    monkeypatch.setattr(search, "dual_limit", lambda _, __, size, *___, **____: limits.append(size) or limit)
    monkeypatch.setattr(search, "best_solo", lambda *_: SimpleNamespace(method=""))
    monkeypatch.setattr(search, "_by_lines", lambda _: None)
    left = SimpleNamespace(limited=True, left=seconds)  # at four times 40,000 types a second
    space = SimpleNamespace(dims=(2,), sequential=False)
    account = SimpleNamespace(
        space=space, clock=left, left=seconds, over=False, first_best=limit, workers=None, rng=int,
        next_seed=int, allowance=SimpleNamespace(next=lambda _: 0.9), statistical=lambda *_: None,
        leave_out=lambda *_: None,
    )  # fmt: skip
    search._one_buyer(account)
    assert limits[-1].types == 1 << largest


@pytest.mark.parametrize(("cases", "fewest"), [(5, 12), pytest.param(8, 20, marks=pytest.mark.slow)])
def test_brackets_contain_what_is_known(cases, fewest):
    wrong, bounds = run(range(cases), three=0.1)
    assert bounds >= fewest
    assert wrong <= 2


@pytest.mark.slow
def test_brackets_contain_what_is_known_on_three_hundred_instances():
    """The table of docs/brackets.md: benchmarks/truths.py."""
    wrong, bounds = run(range(300))
    assert bounds >= 600  # on a slow machine; 1,000 and more where nothing else runs
    assert wrong / bounds <= 1.0 - CONFIDENCE


def test_the_mean_of_the_larger_private_value_is_right_in_a_closed_case():
    t = np.linspace(0.0, 2.0, 100_001)
    below = sum_below(t, 1.0, 1.0)  # of a sum of two uniform numbers
    assert np.trapezoid(1.0 - below, t) == pytest.approx(1.0, abs=1e-6)
    assert below[25_000] == pytest.approx(0.125) and below[75_000] == pytest.approx(0.875)


def test_the_integral_of_the_truth_is_right_in_a_closed_case():
    # V = x + y, gain x + y: always sell, E = 1; with cost 1: sell above 1, E[(x + y - 1)^+] = 1/6
    assert best_price([1.0, 1.0, 1.0, 1.0], 0.0) == pytest.approx(1.0, abs=1e-7)
    assert best_price([1.0, 1.0, 1.0, 1.0], 1.0) == pytest.approx(1.0 / 6.0, abs=1e-6)


def test_one_buyer_to_a_ten_thousandth():
    for timing in ("static", "sequential"):
        found = bracket(load("public-rival"), 1e-4, 60, timing=timing)
        assert found.reached is True and found.width <= 1e-4 * found.upper.value
        assert json.loads(json.dumps(found.to_dict()))["timing"] == timing
    assert found.lower.value == pytest.approx(1.9444, abs=2e-4)  # its first best is attained sequentially


def test_a_bracket_is_a_record_that_json_takes():
    lines = []
    found = bracket(load("one-dimensional"), 0.05, progress=lines.append)
    record = json.loads(json.dumps(found.to_dict()))
    assert record["lower"]["value"] <= 5 / 6 <= record["upper"]["value"]
    assert record["reached"] and record["relative_width"] <= 0.05
    assert {"method", "kind", "error", "confidence", "seconds"} <= set(record["upper"])
    assert lines and lines[-1].bound >= lines[-1].incumbent
    assert "W*" in found.summary() and found.row()["timing"] == "static"
    with pytest.raises(AttributeError):
        found.accuracy = 0.5


@pytest.mark.slow
@pytest.mark.parametrize("accuracy", [0.12, 0.08])
def test_two_buyers_with_two_signals(accuracy):
    static = bracket(load("jmmz"), accuracy)
    assert static.lower.value < 0.8275 and static.upper.value > 86 / 105
    assert static.relative_width < accuracy


@pytest.mark.slow
def test_two_buyers_with_two_stages_within_seconds():
    later = bracket(load("jmmz"), 0.06, 60, timing="sequential", first=("c1", "c2"))
    assert later.relative_width < 0.06
    assert later.upper.value > later.lower.value > 0.87


@pytest.mark.slow
def test_an_order_that_leans_on_a_value_that_rises_and_falls_is_left_out_alone():
    instance = Instance(
        "bent",
        (
            Buyer("1", ("x",), "x + 0.3*y*(1 - y) + 0.2*z"),
            Buyer("2", ("y",), "y + 0.2*x"),
            Buyer("3", ("z",), "z + 0.1*y"),
        ),
    )
    found = bracket(instance, 0.05)
    assert any(
        "buyers in order 1, 2, 3 (lower): V of buyer 1 both rises and falls in y" in r for r in found.left_out
    )
    assert found.lower.method.startswith("completion") and found.mechanism.audit(1000).passed
    assert not any("order 2, 3, 1" in reason for reason in found.left_out)


@pytest.mark.parametrize("size", [1e-13, 1e9])
@pytest.mark.parametrize("accuracy", [0.02, pytest.param(0.01, marks=pytest.mark.slow)])
def test_a_bracket_does_not_depend_on_the_unit(size, accuracy):
    one, other = in_units(1.0, accuracy), in_units(size, accuracy)
    assert other.reached and other.lower.method == one.lower.method
    assert other.lower.value == pytest.approx(size * one.lower.value, rel=1e-3)


@functools.cache
def in_units(unit, accuracy):
    """A bracket of values in these units."""
    buyers = Buyer("1", ("x",), f"{unit!r}*(x + 0.3*y)"), Buyer("2", ("y",), f"{unit!r}*(y + 0.2*x)")
    return bracket(Instance("unit", buyers), accuracy)


def pareto(shape, value="x + 0.2*y"):
    return Instance(
        "pareto",
        (Buyer("1", ("x",), value), Buyer("2", ("y",), "y + 0.2*x/(1 + x)")),
        {"x": Prior("pareto", {"b": shape})},
    )


@pytest.mark.parametrize("shape", [0.7, 1.0])
def test_values_without_a_mean_are_refused_though_samples_have_one(shape):
    with pytest.raises(InputError, match="without a finite mean in the tail of x"):
        bracket(pareto(shape), 0.1, 5)


def test_values_without_a_variance_are_told_and_bounded_ones_are_not():
    assert any(
        "no finite variance in the tail of x" in line for line in bracket(pareto(1.5), 0.1, 5).left_out
    )
    for fine in (pareto(3.0), pareto(0.7, "min(x, 2) + 0.2*y")):
        assert not any("variance in the tail" in line for line in bracket(fine, 0.1, 5).left_out)


@pytest.mark.parametrize(
    ("prior", "value", "factor"),
    [
        (Prior("norm", {"loc": 10.0}), "x - 4", 1.14),  # changes its sign far out
        (Prior("norm", {}), "0.3*x*y", 1.02),
        (Prior("norm", {}), "exp(0.5*x**2)", 2.0),
        (Prior("norm", {}), "exp(0.2*x**2)", 2**0.4),
        (Prior("expon", {}), "exp(0.9*x)", 2**0.9),
        (Prior("expon", {}), "exp(x)", 2.0),
        (Prior("cauchy", {}), "x*(y - 0.5)", 2.0),
        (Prior("pareto", {"b": 1.5}), "x + 1000000", 2 ** (2 / 3)),
    ],
)
def test_tails_grow_by_the_power_that_gains_have_of_the_mass(prior, value, factor):
    instance = Instance(
        "tail", (Buyer("1", ("x",), value), Buyer("2", ("y",), "y")), {"x": prior, "y": Prior("norm", {})}
    )
    growth = tail_growth(quantile_space(instance, "static", ()))["x"]
    assert growth == pytest.approx(factor, rel=0.01 if factor > 1.2 else 0.02)
    assert (growth >= NO_MEAN) == (factor == 2.0)


@pytest.mark.slow
def test_three_buyers_have_both_sides():
    found = bracket(load("three-buyers"), 0.2, 6)
    assert 0.8 < found.lower.value < found.upper.value < 1.15
    assert found.mechanism.audit(512).passed


@pytest.mark.slow
def test_a_value_that_is_not_monotone_leaves_a_bound_out_and_keeps_the_others():
    instance = Instance("hump", (Buyer("1", ("x",), "x + 4*y*(1 - y)"), Buyer("2", ("y",), "y + 0.2*x")))
    found = bracket(instance, 0.02, 60)
    assert any("both rises and falls in y" in line for line in found.left_out)
    assert 0.0 < found.lower.value < found.upper.value
    assert all("\n" not in line for line in found.left_out)


@pytest.mark.slow
def test_unbounded_values_leave_rigorous_bounds_out_and_keep_the_others():
    instance = Instance(
        "normal",
        (Buyer("1", ("x",), "x + 0.2*y"), Buyer("2", ("y",), "y + 0.2*x")),
        {"x": Prior("norm", {"loc": 3.0}), "y": Prior("norm", {"loc": 3.0})},
    )
    found = bracket(instance, 0.02, 20)
    truth = 3.6 + 0.8 / np.sqrt(np.pi) - 0.0  # E max = mean + (own - other) E|x - y| / 2
    assert found.lower.value <= truth + 5e-3 and found.upper.value >= truth - 5e-3
    assert any("unbounded" in line for line in found.left_out)


@pytest.mark.parametrize("accuracy", [0.0, 1.0, -1.0, float("nan")])
def test_an_accuracy_outside_the_unit_interval_is_refused(accuracy):
    with pytest.raises(InputError, match="expected a number between 0 and 1"):
        bracket(load("jmmz"), accuracy)


BAD = [
    ("timing", {"timing": "later"}),
    ("timing", {"timing": "static,static,static"}),
    ("first", {"first": ("c1",)}),
    ("first", {"first": "c1", "timing": "static,sequential"}),
    ("confidence", {"confidence": 1.0}),
    ("seed", {"seed": -1}),
    ("seed", {"seed": 0.5}),
    ("", {"time_limit": 0.0}),
]


@pytest.mark.parametrize(("where", "arguments"), BAD)
def test_other_bad_input_is_one_line(where, arguments):
    with pytest.raises(InputError) as caught:
        bracket(load("jmmz"), 0.1, **arguments)
    assert "\n" not in str(caught.value)
    assert caught.value.where == where or not where


def test_timing_is_a_word_for_each_buyer():
    # Zik 3.2: with both buyers sequential the first best is attained
    mixed = bracket(load("linear"), 0.15, timing=("static", "sequential"), first="x2")
    assert (mixed.timing, mixed.first) == ("static,sequential", ("x2",))
    assert mixed.mechanism.space.first == (None, 0)
    static = bracket(load("linear"), 0.15, timing="static,static")
    assert static.timing == "static" and static.mechanism.space.first == (None, None)
    assert (
        static.lower.value <= mixed.upper.value
        and mixed.lower.value <= 2.263 + 1e-3
        and mixed.mechanism.audit(512).passed
    )


@pytest.mark.slow
def test_a_bracket_that_goes_beyond_its_first_stage_has_an_estimate():
    found = bracket(load("one-dimensional"), 0.01)
    assert found.estimates[0].to_dict()["kind"].startswith("estimate")


def test_a_value_without_a_mean_is_refused():
    prior = Prior("norm", {"loc": 5.0, "scale": 3.0})
    instance = Instance("heavy", (Buyer("1", ("x",), "exp(exp(exp(x)))"),), {"x": prior})
    with pytest.raises(InputError, match="finite"):
        bracket(instance, 0.01, 5)


def figures(found):
    return [(b.side, b.value, b.method, b.error) for b in found.history], [e.value for e in found.estimates]


@pytest.mark.parametrize(
    ("name", "timing", "accuracy"),
    [
        ("one-dimensional", "static", 0.05),
        pytest.param("one-dimensional", "static", 2e-3, marks=pytest.mark.slow),
        pytest.param("jmmz", "static", 0.06, marks=pytest.mark.slow),
        pytest.param("jmmz", "sequential", 0.06, marks=pytest.mark.slow),
        pytest.param("three-buyers", "static", 0.1, marks=pytest.mark.slow),
    ],
)
def test_the_same_seed_gives_the_same_bracket_whatever_jobs_is(name, timing, accuracy):
    one, two, three = (bracket(load(name), accuracy, seed=4, timing=timing, jobs=jobs) for jobs in (1, 2, 3))
    assert figures(one) == figures(two) == figures(three)
    assert len(one.history) > 3


SMALL = effort.Effort(
    mesh=100,
    fit=FitPlan(fibres=24, types=64, rows=8, samples=2, steps=12, refresh=2),
    quadrature=Quadrature(replicates=4, fibres=8, types=64, rows=8, bins=64),
    level_fit=LevelPlan(fibres=24, lines=2, samples=2, steps=12, refresh=2),
    levels=LevelQuadrature(replicates=4, fibres=8, lines=4, types=16, wide=2),
    polish=PolishPlan(points=16, steps=30, nodes=3),
    points=16,
    replicates=4,
    states=64,
    replicates_of_sets=4,
)


@pytest.mark.slow
@pytest.mark.parametrize("timing", ["static", "sequential"])
def test_all_stages_of_three_buyers_are_the_same_whatever_jobs_is(monkeypatch, timing):
    monkeypatch.setattr(effort, "MORE_BUYERS", (SMALL,) * len(effort.MORE_BUYERS))
    one, two = (bracket(load("three-buyers"), 1e-3, seed=4, timing=timing, jobs=jobs) for jobs in (1, 2))
    assert figures(one) == figures(two)
    assert sum("dual function on levels" in bound.method for bound in one.history) == len(effort.MORE_BUYERS)
    assert sum("completion" in bound.method for bound in one.history) == len(effort.MORE_BUYERS)


def test_a_bracket_in_the_processes_of_joblib_is_the_same():
    here = bracket(load("public-rival"), 1e-3, seed=4)
    with parallel_config("loky", n_jobs=2):
        there = bracket(load("public-rival"), 1e-3, seed=4)
    assert figures(here) == figures(there)


@pytest.mark.parametrize("jobs", [0, -2, 1.5, True])
def test_jobs_are_a_whole_number_from_one_or_all(jobs):
    with pytest.raises(InputError) as caught:
        bracket(load("jmmz"), jobs=jobs)
    assert caught.value.where == "jobs"


def test_clocks_run_out_and_travel_with_what_they_have_left():
    assert not ENDLESS.limited and ENDLESS.part(0.5).left == np.inf
    clock = Clock(100.0)
    assert 9.0 < clock.part(0.1).left <= 10.0 < pickle.loads(pickle.dumps(clock)).left
    over = Clock(0.0)
    assert list(over.paced(5)) == []
    with pytest.raises(OutOfTime):
        over.check()
    assert [done for _, done in ENDLESS.paced(4)] == [0.0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize("signals", [20, 31])
def test_stages_of_many_signals_are_no_matter_of_a_grid(signals):
    names = [f"s{k}" for k in range(signals)]
    pairs = zip(names, [*names[1:], names[0]], strict=True)
    instance = Instance("many", (Buyer("1", tuple(names), " + ".join(f"{a}*{b}" for a, b in pairs)),))
    assert search._space(instance, ("sequential",), "s0").sequential
    with pytest.raises(InputError, match="s99"):
        search._space(instance, ("sequential",), "s99")


def test_many_signals_fit_into_memory_and_are_told_where_they_do_not(monkeypatch):
    fewer_lines(monkeypatch, 8)
    names = tuple(f"x{k}" for k in range(20))
    found = bracket(Instance("twenty", (Buyer("1", names, " + ".join(names), "-9"),)), 0.05)
    assert found.reached and found.lower.value <= 1.17 <= found.upper.value + 0.05  # E[(sum - 9)^+] at most
    pair = Instance("many", (Buyer("1", names, " + ".join(names)), Buyer("2", ("y",), "y + 9 + x0")))
    assert bracket(pair, 0.5).lower.value > 0.0


def test_bounds_that_cross_are_told_and_reach_nothing(monkeypatch):
    def crossing(account, *_):
        account.rigorous("upper", "too low", 0.5, Sizeless())
        account.rigorous("lower", "too high", 0.6, Sizeless())

    monkeypatch.setattr(search, "_several", crossing)
    found = bracket(load("jmmz"), 0.5)
    assert not found.reached and any("the bounds cross" in line for line in found.left_out)
