"""A start from a coarser grid changes how long a solve takes, never what it finds."""

import numpy as np
import pytest

import expost as ex
from expost.formulations import coarser
from expost.formulations.second_best import answer, formulate, type_space
from expost.formulations.settings import Settings
from expost.solver.backends import solve_program
from expost.solver.certificate import check
from expost.solver.result import Solution, Status
from expost.spaces.type_space import Grid

CASES = {
    "static": ("jmmz", Settings(Grid(10))),
    "odd": ("jmmz", Settings(Grid({"p1": 9, "c1": 11, "p2": 8, "c2": 13}))),
    "revenue": ("jmmz", Settings(Grid(8), alpha=0.0)),
    "sequential": ("jmmz", Settings(Grid(8), "sequential", ("c1", "c2"))),
    "mixed": ("linear", Settings(Grid(8), "static,sequential")),
    "endpoints": ("jmmz", Settings(Grid(8, "endpoint"))),
}


@pytest.mark.parametrize("case", CASES)
def test_the_answer_is_the_same(monkeypatch, case):
    monkeypatch.setattr(coarser, "LEAST_STATES", 300)
    name, settings = CASES[case]
    formulation = formulate(type_space(ex.load(name), settings), settings)
    start = coarser.coarse_start(formulation)
    assert start is not None and start.rule is not None
    found, cold = answer(formulation), solve_program(formulation.program)
    assert found.solution.details["started"]
    assert found.solution.bound == cold.bound
    for mine, other in ((found.solution.smallest, cold.smallest), (found.solution.largest, cold.largest)):
        assert (mine == other).all()
    assert check(formulation.program, found.solution.certificate, found.solution.x).proves_optimal


@pytest.mark.parametrize("settings", [Settings(Grid(8), conditional=True), Settings(Grid(8), symmetric=True)])
def test_restricted_rules_have_no_start(monkeypatch, settings):
    monkeypatch.setattr(coarser, "LEAST_STATES", 300)
    assert coarser.coarse_start(formulate(type_space(ex.load("jmmz"), settings), settings)) is None


def test_every_fine_type_is_inside_its_coarse_cell():
    settings = Settings(Grid({"p1": 9, "c1": 11, "p2": 8, "c2": 13}))
    fine = type_space(ex.load("jmmz"), settings)
    coarse = type_space(ex.load("jmmz"), Settings(Grid({"p1": 4, "c1": 5, "p2": 4, "c2": 6})))
    for i in range(2):
        cells = coarser.cells_of(fine, coarse, i)
        for signal, points in fine.types[i].items():
            centre = coarse.types[i][signal][cells]
            assert np.abs(points - centre).max() <= 0.5 / coarse.grid.size(signal) + 1e-12


def test_a_rule_of_the_coarse_grid_is_nearly_optimal(monkeypatch):
    monkeypatch.setattr(coarser, "LEAST_STATES", 300)
    settings = Settings(Grid(12))
    formulation = formulate(type_space(ex.load("jmmz"), settings), settings)
    start = coarser.coarse_start(formulation)
    best = answer(formulation)
    found = solve_program(formulation.program, gap=0.5, nearby=start)
    assert found.details["rounds"] <= 1
    assert formulation.program.value(found.x) >= 0.97 * best.welfare


def test_an_interrupt_of_the_start_ends_the_solve(monkeypatch):
    monkeypatch.setattr(coarser, "LEAST_STATES", 300)
    settings = Settings(Grid(8))
    formulation = formulate(type_space(ex.load("jmmz"), settings), settings)
    interrupted = Solution("mincut", Status.INTERRUPTED)
    monkeypatch.setattr("expost.solver.mincut.backend.solve_mincut", lambda *_, **__: interrupted)
    with pytest.raises(KeyboardInterrupt):
        answer(formulation)


def test_a_limit_holds_for_the_start_too(monkeypatch):
    monkeypatch.setattr(coarser, "LEAST_STATES", 300)
    settings = Settings(Grid(12))
    formulation = formulate(type_space(ex.load("jmmz"), settings), settings)
    found = answer(formulation, time_limit=1e-6)
    assert found.solution.status is Status.TIME_LIMIT
    assert found.solution.bound >= found.welfare
    assert formulation.program.violations(found.solution.x) == 0


def test_what_is_known_of_another_grid_is_no_start(monkeypatch):
    monkeypatch.setattr(coarser, "LEAST_STATES", 300)
    formulation = formulate(type_space(ex.load("jmmz"), Settings(Grid(5))), Settings(Grid(5)))
    near, other = (ex.solve("jmmz", points).known for points in (5, 4))
    assert coarser.start_from(formulation, near) is not None
    assert coarser.start_from(formulation, other) is None


@pytest.mark.parametrize("offset", [0.5, 0.2, "endpoint"])
def test_prices_are_interpolated_along_every_signal(offset):
    """What is linear in each signal stays itself between the coarse points, and the end's value beyond them."""
    settings = Settings(Grid({"p1": 9, "c1": 11, "p2": 8, "c2": 13}, offset))
    fine = type_space(ex.load("jmmz"), settings)
    coarse = type_space(ex.load("jmmz"), Settings(Grid({"p1": 4, "c1": 5, "p2": 4, "c2": 6}, offset)))
    for i in range(2):
        weights = coarser.between(fine, coarse, i)
        assert np.abs(weights.sum(axis=1) - 1.0).max() < 1e-12
        p, c = (
            np.clip(fine.types[i][signal], *np.quantile(coarse.types[i][signal], (0.0, 1.0)))
            for signal in (f"p{i + 1}", f"c{i + 1}")
        )
        own = coarse.types[i][f"p{i + 1}"], coarse.types[i][f"c{i + 1}"]
        assert weights @ (own[0] * (1.0 + own[1])) == pytest.approx(p * (1.0 + c), abs=1e-12)


def test_a_signal_with_a_point_twice_is_not_interpolated():
    settings = Settings(Grid(4))
    space = type_space(ex.load("jmmz"), settings)
    coarse = type_space(ex.load("jmmz"), Settings(Grid(2)))
    coarse.types[0]["p1"] = np.full(4, 0.5)
    cells = coarser.cells_of(space, coarse, 0)
    assert (coarser.between(space, coarse, 0).toarray() == np.eye(4)[cells]).all()


def test_a_coarser_grid_has_half_the_points_and_not_too_many(monkeypatch):
    monkeypatch.setattr(coarser, "LEAST_STATES", 300)
    formulation = formulate(type_space(ex.load("jmmz"), Settings(Grid(14))), Settings(Grid(14)))
    assert coarser._coarser(formulation).space.shape == (49, 49)
    monkeypatch.setattr(coarser, "MOST_POINTS", 5)
    assert coarser._coarser(formulation).space.shape == (25, 25)
