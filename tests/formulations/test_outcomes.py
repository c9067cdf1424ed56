"""Several items and epsilon-incentives: the mixed-integer program against enumeration, and what it is compared with."""

import json
from itertools import product

import numpy as np
import pytest

import expost as ex
from expost.formulations.outcomes import Outcomes, best_outcomes, payments_of
from expost.instances.items import items_from_document


def implementable(outcomes, choice, i):
    """Whether payments exist: no cycle of reports of a fibre gains more than epsilon a step (Rochet)."""
    utility, place = outcomes.fibres(i), outcomes.places(i)
    for fibre in range(len(utility)):
        taken = choice.ravel()[place[fibre]]
        types = len(taken)
        length = np.array(
            [
                [
                    utility[fibre, a, taken[a]] - utility[fibre, a, taken[b]] + outcomes.epsilon * (a != b)
                    for b in range(types)
                ]
                for a in range(types)
            ]
        )
        for middle in range(types):
            length = np.minimum(length, length[:, [middle]] + length[[middle]])
        if np.diagonal(length).min() < -1e-12:
            return False
    return True


def enumerated(outcomes):
    best = -np.inf
    count = outcomes.welfare.shape[-1]
    for flat in product(range(count), repeat=outcomes.states):
        choice = np.array(flat).reshape(outcomes.shape)
        welfare = np.take_along_axis(outcomes.welfare, choice[..., None], axis=-1).mean()
        if welfare > best and all(implementable(outcomes, choice, i) for i in range(len(outcomes.utility))):
            best = welfare
    return best


def random_outcomes(seed):
    rng = np.random.default_rng(seed)
    shape = [(2, 2), (3, 2), (5,), (2, 3)][seed % 4]
    count = 3 if seed % 2 else 2
    utility = rng.standard_normal((len(shape), *shape, count))
    if seed % 3 == 0:
        utility = np.round(utility * 2) / 2
    utility[..., 0] = 0.0
    return Outcomes(utility, rng.standard_normal((*shape, count)), float(rng.choice([0.0, 0.1, 0.5])))


def agrees(seed):
    outcomes = random_outcomes(seed)
    found = best_outcomes(outcomes)
    assert found.welfare == pytest.approx(enumerated(outcomes), abs=1e-9)
    assert found.gap < 1e-8
    assert found.audit.passed


@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_enumeration(seed):
    agrees(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6, 206))
def test_random_programs_agree_with_enumeration(seed):
    agrees(seed)


@pytest.mark.parametrize(("name", "grid"), [("jmmz", 3), ("public-rival", 3), ("one-dimensional", 4)])
def test_without_externalities_it_is_the_second_best(name, grid):
    found = ex.epsilon(name, grid=grid)
    assert found.welfare == pytest.approx(ex.solve(name, grid=grid).welfare, abs=1e-9)


def test_welfare_rises_with_epsilon_to_the_first_best():
    found = ex.epsilon("jmmz", grid=3, epsilon=[0.0, 0.05, 0.2, 1.0])
    welfare = found.table["welfare"].tolist()
    assert welfare == sorted(welfare)
    assert welfare[0] < welfare[-1] == pytest.approx(found.first_best, abs=1e-9)
    assert (found.table["worst_gain"] <= found.table["epsilon"] + 1e-8).all()


def test_an_externality_costs_what_a_seller_value_of_that_size_would_when_both_feel_it_alike():
    felt = {"1": {"2": "-0.1"}, "2": {"1": "-0.1"}}
    found = ex.epsilon("one-dimensional", grid=3, loses_to=felt)
    without = ex.epsilon("one-dimensional", grid=3)
    assert without.welfare - 0.1 - 1e-9 <= found.welfare <= without.welfare
    with pytest.raises(ex.InputError, match="loses_to"):
        ex.epsilon("jmmz", loses_to={"1": {"9": "0"}})
    with pytest.raises(ex.InputError, match=r"loses_to\.2: uses 'q'"):
        ex.epsilon("jmmz", loses_to={"1": {"2": "-0.1*q"}})
    with pytest.raises(ex.InputError, match="epsilon"):
        ex.epsilon("jmmz", epsilon=-1.0)
    with pytest.raises(ex.InputError, match="within reach"):
        ex.epsilon("jmmz", grid=7)


def two_items(bundles, **values):
    each = {"a": "x{i} + 0.8*y1*y2", "b": "y{i} + 0.5*x{j}"} | values
    return items_from_document(
        {
            "name": "two",
            "items": ["a", "b"],
            "buyers": [
                {
                    "name": str(i),
                    "signals": [f"x{i}", f"y{i}"],
                    "values": {k: v.format(i=i, j=3 - i) for k, v in each.items()},
                    "bundles": bundles,
                }
                for i in (1, 2)
            ],
        },
        {},
    )


def test_two_items_together_are_worth_at_least_each_on_its_own_and_the_demand_mechanism():
    found = ex.items(two_items("additive"), grid=2)
    rows = found.table.set_index("name")
    assert found.gap < 1e-8
    assert found.first_best + 1e-9 >= found.welfare >= rows.loc["separate sales", "welfare"] - 1e-9
    assert found.welfare >= rows.loc["t*", "welfare"] - 1e-9
    assert rows.loc["t*", "crowded"] == 0
    assert rows.loc["t*", "worst_gain"] < 1e-6
    assert len(found.allocation) == 16
    assert {"bundle.1", "payment.2"} <= set(found.allocation.columns)


def test_one_item_is_the_second_best_of_one_item():
    instance = items_from_document(
        {
            "name": "one",
            "items": ["a"],
            "buyers": [
                {"name": str(i), "signals": [f"p{i}", f"c{i}"], "values": {"a": f"p{i} + c1*c2"}}
                for i in (1, 2)
            ],
        },
        {},
    )
    found = ex.items(instance, grid=3)
    assert found.welfare == pytest.approx(ex.solve("jmmz", grid=3).welfare, abs=1e-9)


def test_private_additive_values_cost_nothing():
    found = ex.items(two_items("additive", a="x{i}", b="y{i}"), grid=2)
    assert found.welfare == pytest.approx(found.first_best, abs=1e-9)


def test_weights_by_rank_and_unit_demand_are_between_additive_and_less():
    welfare = [ex.items(two_items(kind), grid=2).welfare for kind in ("unit-demand", [1.0, 0.5], "additive")]
    assert welfare == sorted(welfare)
    assert ex.items(two_items([1.0, 0.0]), grid=2).welfare == pytest.approx(welfare[0], abs=1e-9)


def test_payments_are_the_largest_and_the_audit_sees_one_that_is_not():
    rng = np.random.default_rng(5)
    outcomes = Outcomes(rng.random((1, 4, 3)), rng.random((4, 3)))
    found = best_outcomes(outcomes)
    _, audit = payments_of(outcomes, found.choice)
    assert audit.passed
    worst = max(product(range(3), repeat=4), key=lambda c: payments_of(outcomes, np.array(c))[1].worst_gain)
    assert not payments_of(outcomes, np.array(worst))[1].passed


def test_example_3_stands_on_the_command_line(capsys):
    from expost.cli import run_command

    assert run_command(["items", "example3-unit-demand", "--tables"]) == 0
    assert "t^a 0.56" in capsys.readouterr().out
    assert run_command(["items", "example3", "--grid", "1", "--json"]) == 0
    assert 0.0 <= json.loads(capsys.readouterr().out)["gap"] < 1e-9
    assert run_command(["items", "example3", "--grid", "3"]) == 2
    assert "--grid" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"items": []}, "items"),
        ({"buyers": []}, "buyers"),
        ({"nonsense": 1}, "nonsense"),
        ({"buyers": [{"name": "1", "signals": ["x"], "values": {"a": "x"}, "stages": [["x"]]}]}, "stages"),
        ({"buyers": [{"name": "1", "signals": ["x"], "values": {}}]}, "values"),
        ({"buyers": [{"name": "1", "signals": ["x"], "values": {"a": "q"}}]}, "unknown signal"),
        ({"buyers": [{"name": "1", "signals": ["x"], "values": {"a": "x"}, "bundles": "many"}]}, "bundles"),
    ],
)
def test_bad_files_are_refused_by_name(change, where):
    document = {"items": ["a"], "buyers": [{"name": "1", "signals": ["x"], "values": {"a": "x"}}]} | change
    with pytest.raises(ex.InputError, match=where):
        ex.items(items_from_document(document, {}))


def three_buyers_of_three_signals():
    def buyer(i):
        j = i % 3 + 1
        values = {"a": f"x{i} + 0.8*z{i}*y{j} + 0.2*y{i}", "b": f"y{i} + 0.5*x{j}*z{i}"}
        return {"name": str(i), "signals": [f"x{i}", f"y{i}", f"z{i}"], "values": values}

    return items_from_document(
        {"name": "three", "items": ["a", "b"], "buyers": [buyer(i) for i in (1, 2, 3)]}, {}
    )


def test_prices_that_would_take_all_the_time_are_left_out_and_say_so():
    found = ex.items(three_buyers_of_three_signals(), grid=2, time_limit=1.0)
    rows = found.table.set_index("name")
    assert rows.loc["t*", "note"] == "left out: no time for it"
    assert np.isnan(rows.loc["t*", "welfare"])
    assert min(found.first_best, found.upper_bound) + 1e-9 >= found.welfare
    checks = {check.name: check for check in found.bound_checks(found.to_dict())}
    assert checks["t*"].passed and not checks["t*"].proved


def test_a_clock_stops_the_price_solver_and_changes_nothing_else():
    from expost.papers.bikhchandani.several_items import pivotal_item_prices

    instance, calls = two_items("additive"), []
    others = {"x2": np.array([0.25, 0.75]), "y2": np.array([0.75, 0.25])}
    price = pivotal_item_prices(instance, lambda: calls.append(1)).price(0, others)
    assert np.array_equal(price, pivotal_item_prices(instance).price(0, others)) and len(calls) > 10

    def late():
        raise ex.LimitReached("late")

    with pytest.raises(ex.LimitReached, match="late"):
        pivotal_item_prices(instance, late).price(0, others)


def test_example_3_at_two_points_is_solved_and_the_constructions_are_far_from_it():
    found = ex.items("example3", grid=2)
    rows = found.table.set_index("name")
    assert found.gap < 1e-8 and found.certified_upper_bound <= found.welfare + 1e-8
    assert found.first_best == pytest.approx(2.215759, abs=1e-6)
    assert found.welfare == pytest.approx(2.211548, abs=1e-6)
    assert rows.loc["(15) repaired", "welfare"] == pytest.approx(1.276428, abs=1e-6)


@pytest.mark.parametrize("timing", ["static", "sequential"])
def test_several_items_elsewhere_are_refused_by_name(timing, tmp_path):
    path = tmp_path / "two.toml"
    path.write_text(
        'name = "two"\nitems = ["a", "b"]\n'
        '[[buyers]]\nname = "1"\nsignals = ["x"]\nvalues = { a = "x", b = "x" }\n'
    )
    with pytest.raises(ex.InputError, match=r"several items.*expost items"):
        ex.solve(path, 2, timing)
