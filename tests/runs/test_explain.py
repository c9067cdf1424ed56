"""Reading the optimum: the account adds up, prices are what loosening a constraint gains, forced states are forced."""

import json
from dataclasses import replace

import numpy as np
import pytest

import expost as ex
from expost.solver.backends import solve_program

CASES = [
    {"instance": "jmmz", "grid": 3},
    {"instance": "jmmz", "grid": 3, "timing": "sequential", "first": "c1,c2"},
    {"instance": "three-buyers", "grid": 3},
    {"instance": "lottery", "grid": 5, "timing": "sequential"},
    {"instance": "public-rival", "grid": 4},
]


@pytest.mark.parametrize("case", CASES)
def test_the_charges_add_up_to_the_loss_under_the_bound(case):
    run = ex.solve(**case)
    found = run.explain()
    assert found.residual == 0.0
    assert sum(found.incentives.values()) - found.unsold - found.slack == pytest.approx(found.loss, abs=1e-9)
    assert found.loss == pytest.approx(run.first_best - run.upper_bound, abs=1e-12)
    assert found.slack >= 0.0
    assert found.by_type["cost"].sum() == pytest.approx(found.costs.sum(), abs=1e-12)
    assert found.by_region["cost"].sum() == pytest.approx(found.costs.sum(), abs=1e-12)
    by_buyer = found.by_type.groupby("buyer")["cost"].sum()
    for name, cost in found.incentives.items():
        assert by_buyer[name] == pytest.approx(cost, abs=1e-12)
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200))
def test_the_account_on_random_instances(seed):
    test_the_charges_add_up_to_the_loss_under_the_bound({"instance": ex.random_instance(seed), "grid": 2})


def test_dropping_constraints_gains_what_solving_without_them_says():
    run = ex.solve("jmmz", grid=4)
    found = {entry.constraint: entry for entry in run.explain().dropped}
    assert set(found) == {"buyer 1's incentives", "buyer 2's incentives", "admissibility"}
    alone = run.space.gains.mean(axis=(1, 2)).sum()
    assert found["admissibility"].gain == pytest.approx(alone - run.welfare, abs=1e-9)
    assert found["buyer 1's incentives"].gain == pytest.approx(found["buyer 2's incentives"].gain, abs=1e-9)
    assert 0.0 < found["buyer 1's incentives"].gain <= run.first_best - run.welfare + 1e-12


def test_states_decided_alike_are_decided_alike_in_every_optimum():
    run = ex.solve("jmmz", grid=3)
    forced = run.explain().forced
    assert forced.any() and not forced.all()
    program, block = run.formulation.program, run.formulation.blocks[0]
    for state in [tuple(s) for s in np.argwhere(~forced)[:2]] + [tuple(s) for s in np.argwhere(forced)[:2]]:
        other = 1 - int(run.mechanism.allocation[0][state])
        fixed = program.fixings.copy()
        fixed[program.blocks[0] + block.index[state]] = other
        best = solve_program(replace(program, fixed=fixed)).bound
        if forced[state]:
            assert best < run.welfare - 1e-9


def test_the_ten_most_costly_deviations_in_words():
    run = ex.solve("jmmz", grid=4)
    deviations = run.explain().deviations
    assert len(deviations) == 10
    prices = [deviation.price for deviation in deviations]
    assert prices == sorted(prices, reverse=True)
    for deviation in deviations:
        assert deviation.value > deviation.imitated_value
        assert set(deviation.tempted) | set(deviation.others) == set(run.instance.signals)
        assert f"buyer {deviation.buyer}" in str(deviation)


def test_reopened_runs_say_the_same(tmp_path):
    run = ex.solve("jmmz", grid=3)
    run.save(tmp_path / "run")
    assert ex.open(tmp_path / "run").explain().to_dict() == run.explain().to_dict()


def test_what_cannot_be_explained_is_refused_by_name():
    with pytest.raises(ex.InputError, match="objective"):
        ex.solve("jmmz", grid=3, objective="revenue").explain()
