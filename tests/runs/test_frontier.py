"""Frontiers: corners against brute force, hull property, proof of each corner."""

import itertools
import json

import numpy as np
import pytest

import expost as ex
from expost.cli import run_command
from expost.formulations.frontier import welfare_and_revenue
from expost.formulations.second_best import type_space
from expost.formulations.settings import Settings
from expost.solver.adapters.brute import feasible_rules
from expost.spaces.grid import Grid


def test_the_ends_are_what_solve_finds_and_every_corner_is_proved():
    found = ex.frontier("jmmz", 4)
    assert found.complete and found.table["proved"].all() and len(found.corners) > 5
    welfare, revenue = (ex.solve("jmmz", 4, objective=word).value for word in ("welfare", "revenue"))
    assert found.corners[-1].first == pytest.approx(welfare, abs=1e-9)
    assert found.corners[0].second == pytest.approx(revenue, abs=1e-9)
    middle = ex.solve("jmmz", 4, objective=0.5)
    best = max(0.5 * corner.first + 0.5 * corner.second for corner in found.corners)
    assert best == pytest.approx(middle.value, abs=1e-9)


def test_slopes_fall_along_the_frontier():
    found = ex.frontier("common-value", 4)
    points = np.array([(corner.first, corner.second) for corner in found.corners])
    steps = np.diff(points, axis=0)
    assert (steps[:, 0] > 0).all() and (steps[:, 1] < 0).all()
    assert (np.diff(steps[:, 1] / steps[:, 0]) < 1e-9).all()


@pytest.mark.parametrize("seed", range(4))
def test_all_corners_of_small_instances_by_enumeration(seed):
    instance = ex.random_instance(seed, signals=1, family="one-dimensional")
    space = type_space(instance, Settings(Grid(3).resolve(instance)))
    objectives = welfare_and_revenue(space, Settings(space.grid))
    rules = np.array(list(feasible_rules(objectives.formulation.program)), dtype=float)
    points = rules @ np.stack(objectives.weights, axis=1) + np.array(objectives.constants)
    found = ex.frontier(instance, 3)
    mine = np.array([(corner.first, corner.second) for corner in found.corners])
    for share in np.linspace(0.01, 0.99, 41):
        direction = np.array([share, 1.0 - share])
        assert (mine @ direction).max() == pytest.approx((points @ direction).max(), abs=1e-9)
    for point in mine:
        assert np.abs(points - point).sum(axis=1).min() < 1e-9


def test_two_buyers_and_fewer_points():
    found = ex.frontier("jmmz", 4, between=["1", "2"], points=5)
    assert len(found.corners) <= 5 and found.between == ("1", "2")
    total = max(corner.first + corner.second for corner in ex.frontier("jmmz", 4, between="1,2").corners)
    assert total == pytest.approx(ex.solve("jmmz", 4).welfare, abs=1e-9)
    assert found.plot().get_xlabel() == "gain from buyer 1"


def test_unusable_frontiers():
    for asked in ({"between": "welfare,1"}, {"between": "1,9"}, {"points": 1}, {"timing": "sequential"}):
        with pytest.raises(ex.InputError):
            ex.frontier("jmmz", 3, **asked)


def test_the_command_line(capsys, tmp_path):
    assert run_command(["frontier", "jmmz", "--grid", "3", "--out", str(tmp_path / "f.png"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert all(row["proved"] for row in rows) and (tmp_path / "f.png").stat().st_size
    for one, two in itertools.pairwise(rows):
        assert one["first"] < two["first"] and one["second"] > two["second"]
