"""PuLP, cvxpy and model files: solvers by name, what they print, how they fail, limits, relaxations."""

import highspy
import numpy as np
import pytest
from support.programs import random_program

from expost.errors import InputError, SolverError
from expost.solver.adapters import cvxpy as cvxpy_backend
from expost.solver.adapters import pulp as pulp_backend
from expost.solver.adapters.brute import optimal_rules
from expost.solver.adapters.model_files import write_model
from expost.solver.answers import audited
from expost.solver.backends import BACKENDS, solve_program
from expost.solver.certificate import check
from expost.solver.nbuyers.core import search_core
from expost.solver.nbuyers.fixing import Costs
from expost.solver.program import Program
from expost.solver.result import Solution, Status


def small(seed: int = 0, blocks: int = 3, **options) -> Program:
    return random_program(np.random.default_rng(seed), blocks, {2: 3, 3: 2}[blocks], **options)


def hard(types: int = 6) -> Program:
    """Three buyers, a few hundred states, noisy weights: not solved within a second by anything general."""
    return random_program(np.random.default_rng(5), 3, types * 2)


SOLVERS = ["pulp:cbc", "pulp:HiGHS", "cvxpy:HIGHS", "cvxpy:SCIPY"]


@pytest.mark.parametrize("name", SOLVERS)
def test_solvers_by_name_agree_with_enumeration(name):
    for seed in range(3):
        program = small(seed, fix=0.05)
        optima = optimal_rules(program)
        solution = solve_program(program, name)
        if not len(optima):
            assert solution.status is Status.INFEASIBLE
            continue
        assert solution.status is Status.OPTIMAL and solution.details["solver"].lower() in (
            name.split(":")[1].lower(),
            "pulp_cbc_cmd",
        )
        assert program.value(solution.x) == pytest.approx(program.value(optima[0]), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("pulp:GUROBI_CMD", "PULP_CBC_CMD"),
        ("pulp:nonsense", "PULP_CBC_CMD"),
        ("cvxpy:MOSEK", "HIGHS"),
        ("cvxpy:nonsense", "HIGHS"),
        ("nonsense", "mincut"),
    ],
)
def test_uninstalled_solvers_list_the_installed_ones(name, listed):
    with pytest.raises(InputError, match=listed) as error:
        solve_program(small(), name)
    assert "\n" not in str(error.value)


def test_mincut_says_why_not_three_buyers():
    with pytest.raises(InputError, match=r"3 buyers.*no minimum cut.*use auto"):
        solve_program(small(), "mincut")


@pytest.mark.parametrize("name", [*SOLVERS, "highs", "nbuyers", "pdlp"])
def test_a_time_limit_is_kept_and_is_no_success(name):
    program = hard()
    solution = solve_program(program, name, time_limit=1.0)
    assert solution.status in (Status.TIME_LIMIT, Status.FEASIBLE)
    if solution.x is not None:
        assert program.violations(solution.x) == 0 and program.value(solution.x) <= solution.bound + 1e-9
    if BACKENDS[name.split(":")[0]].bound_at_limit:
        assert np.isfinite(solution.bound)


def test_infeasible_at_the_end_of_the_time_is_not_believed():
    """CBC says so when its time is up while it preprocesses: two of sixty runs with limits below two seconds."""
    for seed in range(30):
        program = small(seed, fix=0.2, cover=0.2)
        if not len(optimal_rules(program)):
            assert solve_program(program, "pulp:cbc", time_limit=60.0).status is Status.INFEASIBLE
            assert solve_program(program, "pulp:cbc", time_limit=1e-3).status is Status.TIME_LIMIT
            return
    raise AssertionError("no infeasible program among the seeds")


def test_infeasible_is_refuted_by_never_selling():
    with pytest.raises(SolverError, match="infeasible in which never selling is a rule"):
        audited(small(), Solution("liar", Status.INFEASIBLE), "liar")


def test_a_core_that_is_called_infeasible_proves_nothing(monkeypatch):
    program = small()
    said = []

    def liar(core, **_):
        said.append(core)
        return Solution("pulp", Status.INFEASIBLE)

    monkeypatch.setattr("expost.solver.nbuyers.core.solve_pulp", liar)
    free = np.zeros(program.variables, dtype=np.int64)
    answer = search_core(program, Costs(free, free, 0), 10.0, 9.0, engine="cbc")
    assert said and answer.status is Status.UNKNOWN and answer.bound == 10.0


@pytest.mark.parametrize("name", [*SOLVERS, "highs", "auto"])
def test_nothing_reaches_standard_output(name, capfd):
    solve_program(small(1), name)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("garbage", ["ones", "short", "fractional", "bound", "claim", "none", "certificate"])
def test_a_solver_that_returns_garbage_is_that_solvers_failure(monkeypatch, garbage):
    program = small(0)
    best = optimal_rules(program)[0]
    value = program.value(best)
    worse = np.zeros_like(best)
    answers = {
        "ones": Solution("pulp", Status.OPTIMAL, np.ones_like(best), 99.0),
        "short": Solution("pulp", Status.OPTIMAL, best[:-1], value),
        "fractional": Solution("pulp", Status.OPTIMAL, best * 2, value),
        "bound": Solution("pulp", Status.TIME_LIMIT, best, value - 1.0),
        "claim": Solution("pulp", Status.OPTIMAL, worse, value),
        "none": Solution("pulp", Status.OPTIMAL, None, value),
        "certificate": Solution("pulp", Status.OPTIMAL, best, value, certificate="not one"),
    }
    if garbage == "certificate":
        from expost.solver.result import Certificate

        bad = Certificate(
            0, np.full(program.arcs, -1), np.zeros(8, dtype=np.int64), np.empty(0, dtype=np.int64)
        )
        answers["certificate"] = Solution("pulp", Status.OPTIMAL, best, value, bad)
    monkeypatch.setattr(pulp_backend, "solve_pulp", lambda *_, **__: answers[garbage])
    with pytest.raises(SolverError, match="pulp"):
        solve_program(program, "pulp")


def test_cvxpy_relaxation_has_duals_that_prove_its_value():
    for seed in range(4):
        program = small(seed, blocks=2)
        value, point, certificate = cvxpy_backend.relax_cvxpy(program)
        report = check(program, certificate)
        best = program.value(optimal_rules(program)[0])
        assert value == pytest.approx(best, abs=1e-5)
        assert report.valid and best - 1e-9 <= report.upper_bound <= best + 1e-4
        assert point.shape == (program.variables,)


def test_the_relaxation_of_three_buyers_bounds_the_optimum():
    for seed in range(4):
        program = small(seed)
        value, _, certificate = cvxpy_backend.relax_cvxpy(program, solver="HIGHS")
        best = program.value(optimal_rules(program)[0])
        assert value >= best - 1e-6 and check(program, certificate).upper_bound >= best - 1e-9


@pytest.mark.parametrize("suffix", [".lp", ".mps"])
def test_written_models_are_read_back_and_solved_alike(tmp_path, suffix):
    program = small(3, cover=0.1)
    path = write_model(program, tmp_path / f"model{suffix}")
    h = highspy.Highs()
    h.setOptionValue("output_flag", False)
    h.setOptionValue("mip_rel_gap", 0.0)
    h.readModel(str(path))
    h.run()
    best = program.value(optimal_rules(program)[0])
    assert h.getInfo().objective_function_value == pytest.approx(best, abs=1e-9)
    assert h.getLp().sense_ == highspy.ObjSense.kMaximize


@pytest.mark.parametrize(
    ("name", "word"), [("model.txt", ".lp, .mps"), ("nowhere/model.lp", "cannot be written")]
)
def test_unusable_model_files_are_refused(tmp_path, name, word):
    with pytest.raises(InputError, match=word):
        write_model(small(), tmp_path / name)
